/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OPEN and its capabilities (RFC 4271 4.2, RFC 5492) as a value. What only the configuration can judge (the AS number,
 * the role, a family in common) is fsm.h's. No state, no allocation; any thread.
 */
#ifndef BGP_OPEN_H
#define BGP_OPEN_H

#include "bgp/codec.h"

/* RFC 4724 3 and RFC 9494 4.2: what a restarting speaker says of one family. */
struct bgp_open_restart {
	bool is_listed;
	bool forwarding;     /* F bit: it was forwarded on meanwhile */
	bool is_long_lived;  /* listed in the long-lived capability */
	bool llgr_forwarding;
	uint32_t llgr_s;     /* 0..2^24-1 */
};

struct bgp_open {
	uint8_t version;
	uint16_t as2; /* the fixed field; AS_TRANS when the number needs four octets */
	uint16_t hold_s;
	uint32_t id; /* host order */

	uint32_t as4; /* RFC 6793 */
	bool has_as4;
	bool has_mp; /* RFC 4760 8: without any, IPv4 unicast is meant */
	bool family[BGP_FAMILIES];
	bool extended_parameters; /* RFC 9072's form, also where the short one would do */
	bool extended_next_hop;	  /* RFC 8950: IPv4 unicast with an IPv6 next hop */
	bool route_refresh;	  /* RFC 2918 */
	bool enhanced_refresh;	  /* RFC 7313 */
	bool extended_message;	  /* RFC 8654 */
	enum bgp_role role;	  /* RFC 9234; BGP_ROLE_NONE: not said */

	bool graceful_restart;
	bool restarting;      /* R bit */
	bool gr_notification; /* N bit (RFC 8538) */
	bool llgr;	      /* RFC 9494; means something only with graceful_restart */
	uint16_t restart_s;   /* 0..4095 */
	struct bgp_open_restart restart[BGP_FAMILIES];

	uint16_t unknown; /* capabilities that we don't have; they are ignored (RFC 5492 3) */
};

void bgp_open_init(struct bgp_open *open); /* version 4, no capability, no role */
MUST_CHECK int bgp_open_decode(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_error *error);
/* In RFC 9072's form when the open asks for it or the capabilities take more than the short form holds. */
size_t bgp_open_encode(const struct bgp_open *open, uint8_t out[static BGP_MESSAGE_MAX]);
uint32_t bgp_open_as(const struct bgp_open *open); /* the AS number, whichever field holds it */

#endif
