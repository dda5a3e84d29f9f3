/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BFD control packets (RFC 5880 4): octets to values and back. Hostile octets end here. No state; any thread.
 */
#ifndef BGP_BFD_PACKET_H
#define BGP_BFD_PACKET_H

#include "base/types.h"

enum {
	BFD_HEADER_LEN = 24,
	BFD_AUTH_MAX = 28,
	BFD_PACKET_MAX = BFD_HEADER_LEN + BFD_AUTH_MAX,
};

/* RFC 5880 4.1 Sta. */
enum bfd_state {
	BFD_ADMIN_DOWN = 0,
	BFD_DOWN = 1,
	BFD_INIT = 2,
	BFD_UP = 3,
};

enum { BFD_STATES = 4 };

/* RFC 5880 4.1 Diag: why the session last left Up. */
enum bfd_diag {
	BFD_DIAG_NONE = 0,
	BFD_DIAG_EXPIRED = 1,
	BFD_DIAG_ECHO_FAILED = 2,
	BFD_DIAG_NEIGHBOR_DOWN = 3,
	BFD_DIAG_FORWARDING_RESET = 4,
	BFD_DIAG_PATH_DOWN = 5,
	BFD_DIAG_CONCATENATED_DOWN = 6,
	BFD_DIAG_ADMIN_DOWN = 7,
	BFD_DIAG_REVERSE_CONCATENATED_DOWN = 8,
};

/* Times are microseconds, as on the wire. */
struct bfd_packet {
	uint8_t state;	    /* enum bfd_state */
	uint8_t diag;	    /* 0..31 */
	uint8_t multiplier; /* not 0 */
	bool poll;
	bool final;
	bool independent; /* C: shares no fate with the control plane */
	bool demand;
	bool has_auth;
	uint32_t my_discriminator; /* not 0 */
	uint32_t your_discriminator;
	uint32_t desired_us;  /* Desired Min TX Interval */
	uint32_t required_us; /* Required Min RX Interval; 0: don't send periodically */
	uint32_t echo_us;     /* Required Min Echo RX Interval; 0: no echo packets */
	/* The whole packet as it came, cut at its Length: what the authentication is computed over. */
	const uint8_t *octets;
	size_t len;
};

/*
 * RFC 5880 6.8.6 as far as the packet alone can tell: version, lengths, and the fields that must or must not be zero.
 * NULL: *out is what the octets say, and borrows them; else the rule that they break, and *out is as it was.
 */
MUST_CHECK const char *bfd_packet_decode(const uint8_t *octets, size_t len, struct bfd_packet *out);
/* The mandatory section, its Length counting auth_len octets more that the caller appends (has_auth). */
void bfd_packet_encode(const struct bfd_packet *packet, size_t auth_len, uint8_t out[static BFD_HEADER_LEN]);

const char *bfd_state_name(unsigned state);
const char *bfd_diag_name(unsigned diag);

#endif
