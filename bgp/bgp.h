/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BGP-4 speaker (RFC 4271) for an edge that announces: configuration and state of one session, shared by the sans-I/O
 * core (fsm.h, codec.h, rib_out.h) and by session.h, which gives it a socket. It takes no routes in yet: an UPDATE is
 * checked for its framing and dropped.
 */
#ifndef BGP_BGP_H
#define BGP_BGP_H

#include "base/addr.h"

enum bgp_state {
	BGP_IDLE,
	BGP_CONNECT,
	BGP_ACTIVE,
	BGP_OPEN_SENT,
	BGP_OPEN_CONFIRM,
	BGP_ESTABLISHED,
};

struct bgp_config {
	char name[32];		/* for the log and for people */
	struct addr peer;	/* its address; TCP port 179 unless given */
	struct addr local;	/* ADDR_NONE: the kernel chooses */
	uint16_t port;		/* host order; 0: 179 */
	uint32_t local_as;	/* 4-octet AS numbers (RFC 6793) */
	uint32_t peer_as;
	uint32_t router_id;	/* host order */
	uint16_t hold_s;	/* 0 or 3..65535; proposed in OPEN */
	uint16_t reconnect_s;	/* ConnectRetryTime, 1..3600, jittered (RFC 4271 10) */
	uint16_t graceful_restart_s; /* RFC 4724: the peer keeps our routes for so long when the session is lost; 0: not at all */
	struct addr next_hop_v4; /* ADDR_NONE: the session's own address when the family fits, else the family is not announced */
	struct addr next_hop_v6;
};

/* What the peer sent in NOTIFICATION, or what we sent; code 0: none. */
struct bgp_error {
	uint8_t code;
	uint8_t subcode;
	uint8_t data_len;
	uint8_t data[64];
};

struct bgp_status {
	enum bgp_state state;
	uint64_t since_ns;    /* base/clock.h: when the state was entered */
	uint16_t hold_s;      /* negotiated */
	uint32_t advertised;  /* prefixes the peer was told and not told otherwise since */
	uint64_t updates_sent;
	uint64_t messages_received;
	uint32_t errors;      /* NOTIFICATIONs sent and received */
	struct bgp_error last_error;
	bool last_error_ours; /* we sent it */
	uint32_t flaps;	      /* times the session left Established */
};

const char *bgp_state_name(enum bgp_state state);
const char *bgp_error_name(const struct bgp_error *error); /* "hold timer expired", "cease/administrative shutdown", ... */

#endif
