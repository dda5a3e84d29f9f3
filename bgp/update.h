/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UPDATE (RFC 4271 4.3, RFC 4760): decoding, with the errors of RFC 7606, to views that live as long as the message's
 * octets; encoding from a path (path.h) and the facts of a session. Time is linear in the message. No state, no
 * allocation; any thread.
 */
#ifndef BGP_UPDATE_H
#define BGP_UPDATE_H

#include "bgp/attributes.h"

/* Routes of one family, one after the other. Their syntax has been checked when the family is one of ours. */
struct bgp_nlri {
	const uint8_t *octets;
	size_t len; /* 0: none */
	enum bgp_family family;
	bool is_known; /* the family is one of ours; else only afi and safi say what it is */
	uint16_t afi;
	uint8_t safi;
};

struct bgp_update {
	enum bgp_outcome outcome; /* the strongest of all errors (RFC 7606 3(h)) */
	struct bgp_error error;	  /* for BGP_SESSION_RESET */
	uint8_t fault_type;	  /* the attribute that led to the outcome; 0: none, the message itself */
	const char *fault;	  /* the rule that it broke, for the log; NULL: none */

	/*
	 * What is announced and reach are to be taken as withdrawn: treat-as-withdraw, which may come together with a family
	 * that is disabled, or (RFC 9234 5) a leak.
	 */
	bool is_withdrawal;
	bool is_leak;
	bool is_end_of_rib;	    /* of end_of_rib, if that is one of ours */
	struct bgp_nlri withdrawn;  /* the IPv4 fields */
	struct bgp_nlri announced;
	struct bgp_nlri reach;	    /* MP_REACH_NLRI */
	struct bgp_nlri unreach;    /* MP_UNREACH_NLRI; holds the family of an End-of-RIB, also of IPv4's */
	struct bgp_nlri disabled;   /* BGP_AFISAFI_DISABLE: the family, no octets; its reach and unreach are empty */
	struct addr reach_next_hop; /* ADDR_NONE: none (FlowSpec) or of an unknown family */
	struct addr reach_link_local; /* RFC 2545 3; ADDR_NONE: none */
	struct bgp_attributes attributes;
};

/* Never fails: the outcome says all. */
void bgp_update_decode(const uint8_t *body, size_t len, const struct bgp_update_context *context,
		       struct bgp_update *out);

/* One route off the front of a copy; false: none is left. */
bool bgp_nlri_next(struct bgp_nlri *rest, struct prefix *out);	       /* the unicast families; host bits are cleared */
bool bgp_nlri_next_flow(struct bgp_nlri *rest, struct bgp_octets *out); /* FlowSpec: components without their length */

/* What all routes of an UPDATE share. */
struct bgp_route {
	const struct path *path; /* NULL: what path_init() makes */
	struct addr next_hop;	 /* IPv6 with IPv4 prefixes is RFC 8950's form; FlowSpec has none */
	struct addr link_local;	 /* RFC 2545 3: beside an IPv6 next hop; ADDR_NONE: none */
	uint32_t local_as;
	bool ibgp;
	bool peer_as4;	    /* the peer reads 4-octet AS numbers */
	enum bgp_role role; /* what we are to the peer, for OTC (RFC 9234 5) */
};

/*
 * An UPDATE that is filled route by route. begin; add until false (no room: the route belongs into the next message);
 * end gives the length. route NULL: withdraws.
 */
struct bgp_update_writer {
	struct writer w;
	uint8_t *out;
	uint8_t *attributes_len; /* still open: NULL where the routes have fields of their own */
	uint8_t *routes_len;	 /* of MP_REACH, MP_UNREACH or the withdrawn IPv4 routes; NULL: announced IPv4 */
	size_t aside_len;	 /* attributes that wait behind w.end */
};

void bgp_update_begin(struct bgp_update_writer *u, const struct bgp_route *route, enum bgp_family family, uint8_t *out,
		      size_t room);
MUST_CHECK bool bgp_update_add(struct bgp_update_writer *u, const struct prefix *prefix);
MUST_CHECK bool bgp_update_add_flow(struct bgp_update_writer *u, const uint8_t *components, size_t len);
size_t bgp_update_end(struct bgp_update_writer *u);

/*
 * As many of the prefixes (all of one unicast family) as fit into room, which is BGP_MESSAGE_MAX or, with RFC 8654, up to
 * BGP_EXTENDED_MAX; *taken says how many. route NULL: withdraws them.
 */
size_t bgp_update_encode(const struct bgp_route *route, enum bgp_family family, const struct prefix *prefixes,
			 size_t count, size_t *taken, uint8_t *out, size_t room);
size_t bgp_end_of_rib_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX]); /* RFC 4724 2 */

#endif
