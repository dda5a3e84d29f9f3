/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BFD sessions of a node without I/O: which of them a packet is for (RFC 5880 6.3, 5881 3, 5883 3), and whether it
 * may come from where it came (RFC 5881 5, 5883 5). Memory is bounded: a packet makes no session. One thread.
 */
#ifndef BGP_BFD_MUX_H
#define BGP_BFD_MUX_H

#include "base/addr.h"
#include "bgp/bfd.h"

enum {
	BFD_PORT = 3784,	  /* RFC 5881 4 */
	BFD_PORT_MULTIHOP = 4784, /* RFC 5883 5 */
	BFD_SOURCE_PORT_MIN = 49152,
	BFD_TTL = 255,
	BFD_SESSIONS_MAX = 256,
};

/* Between us and a peer. */
struct bfd_path {
	struct addr peer;
	struct addr local; /* ADDR_NONE: any of ours */
	uint32_t scope;	   /* index of the interface that a link-local peer is on; else 0 */
	bool is_multihop;
	uint8_t ttl_min; /* of a multihop peer's packets; the other's have BFD_TTL */
};

/* A packet as it came in. */
struct bfd_arrival {
	struct addr from;
	struct addr to;
	uint32_t scope; /* of a link-local sender; else 0 */
	uint8_t ttl; /* or hop limit */
	bool is_multihop; /* by the port that it came to */
};

struct bfd_member {
	bool is_used;
	struct bfd_path path;
	struct bfd_session session;
};

struct bfd_mux {
	struct bfd_member members[BFD_SESSIONS_MAX];
	uint64_t random;
	/* Packets that no session was asked about. */
	uint64_t malformed;
	uint64_t too_far;
	uint64_t unknown;
};

void bfd_mux_init(struct bfd_mux *mux, uint64_t seed);
/* The new session's place in members; -EEXIST: there is one with that peer; -ENOSPC: BFD_SESSIONS_MAX are there. */
MUST_CHECK int bfd_mux_add(struct bfd_mux *mux, const struct bfd_path *path, const struct bfd_config *config,
			   uint64_t now_ns);
void bfd_mux_remove(struct bfd_mux *mux, unsigned index);

/* The place of the session that took the packet or refused it; -ENOENT: it was no session's, and is counted. */
int bfd_mux_input(struct bfd_mux *mux, const struct bfd_arrival *arrival, const uint8_t *octets, size_t len, uint64_t now_ns);

#endif
