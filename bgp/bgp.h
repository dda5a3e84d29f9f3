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

/* RFC 9234 4.1: what we are to the peer; the values are the capability's. */
enum bgp_role {
	BGP_ROLE_PROVIDER = 0,
	BGP_ROLE_RS = 1,
	BGP_ROLE_RS_CLIENT = 2,
	BGP_ROLE_CUSTOMER = 3,
	BGP_ROLE_PEER = 4,
	BGP_ROLE_NONE = 255, /* the capability is not sent */
};

enum { BGP_KEY_MAX = 80 }; /* TCP_MD5SIG_MAXKEYLEN */

/* How the segments of a session are signed. A key that the kernel refuses leaves the session down. */
enum bgp_auth {
	BGP_AUTH_NONE = 0,
	BGP_AUTH_MD5, /* RFC 2385 */
	BGP_AUTH_AO,  /* RFC 5925, HMAC-SHA-1-96; kernels from 6.7 that were built with it */
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
	bool passive;		/* we wait for the peer to connect (RFC 4271 8.1.1 PassiveTcpEstablishment) */
	uint16_t delay_open_s;	/* 0: the OPEN is sent at once (RFC 4271 8.1.1 DelayOpen) */
	uint16_t send_hold_s;	/* RFC 9687: the peer takes nothing for so long; 0: twice the hold time, at least 480 s */
	enum bgp_role role;
	bool role_strict;	/* RFC 9234 4.2: a peer without the capability is refused */
	enum bgp_auth auth;
	uint8_t key_id;		/* AO: SendID and RecvID */
	uint8_t key_len;
	uint8_t key[BGP_KEY_MAX];
	uint8_t hops;		/* the peer is at most this many hops away: TTL of what we send; 0: 1 for eBGP, any for iBGP */
	bool gtsm;		/* RFC 5082: drop what comes from further away than hops; our TTL is 255 */
	bool extended_next_hop; /* RFC 8950: IPv4 prefixes with an IPv6 next hop, when both sides have it */
	bool flowspec;		/* RFC 8955, 8956: both families are negotiated */
	bool import_blackhole;	/* take in unicast prefixes with BLACKHOLE (RFC 7999) */
	bool no_validation;	/* RFC 9117 validation of FlowSpec is left out: the peer is a controller that we trust */
	uint32_t max_prefixes;	/* that a peer may have told us; one more ends the session (RFC 4486: 6/1); 0: no limit */
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
