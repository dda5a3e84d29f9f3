/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path attributes as views into an UPDATE (RFC 4271 4.3): they live as long as the message's octets. Their table says
 * for each type which flags it has, what it looks like, and what its malformation leads to (RFC 7606 7 and the RFCs that
 * defined later ones). Numbers are in host order. No state, no allocation; any thread.
 */
#ifndef BGP_ATTRIBUTES_H
#define BGP_ATTRIBUTES_H

#include "bgp/codec.h"
#include "bgp/path.h"

enum bgp_attribute {
	BGP_ORIGIN = 1,
	BGP_AS_PATH = 2,
	BGP_NEXT_HOP = 3,
	BGP_MED = 4,
	BGP_LOCAL_PREF = 5,
	BGP_ATOMIC_AGGREGATE = 6,
	BGP_AGGREGATOR = 7,
	BGP_COMMUNITIES = 8,
	BGP_ORIGINATOR_ID = 9,
	BGP_CLUSTER_LIST = 10,
	BGP_MP_REACH = 14,
	BGP_MP_UNREACH = 15,
	BGP_EXTENDED_COMMUNITIES = 16,
	BGP_AS4_PATH = 17,
	BGP_AS4_AGGREGATOR = 18,
	BGP_PMSI_TUNNEL = 22,
	BGP_TUNNEL_ENCAPSULATION = 23,
	BGP_IPV6_EXTENDED_COMMUNITIES = 25,
	BGP_AIGP = 26,
	BGP_LINK_STATE = 29,
	BGP_LARGE_COMMUNITIES = 32,
	BGP_OTC = 35,
	BGP_NEXT_HOP_CAPABILITIES = 39,
	BGP_PREFIX_SID = 40,
};

enum {
	BGP_FLAG_OPTIONAL = 0x80,
	BGP_FLAG_TRANSITIVE = 0x40,
	BGP_FLAG_PARTIAL = 0x20,
	BGP_FLAG_EXTENDED = 0x10,
};

/* RFC 4271 4.3, RFC 5065 3. */
enum bgp_segment {
	BGP_AS_SET = 1,
	BGP_AS_SEQUENCE = 2,
	BGP_CONFED_SEQUENCE = 3,
	BGP_CONFED_SET = 4,
};

/* What an error leads to (RFC 7606 2), ascending in strength. */
enum bgp_outcome {
	BGP_ACCEPT,
	BGP_ATTRIBUTE_DISCARD,
	BGP_TREAT_AS_WITHDRAW,
	BGP_AFISAFI_DISABLE,
	BGP_SESSION_RESET,
};

/* What a session's OPENs and its configuration say about how its UPDATEs are read. */
struct bgp_update_context {
	bool as4;		/* both sides have RFC 6793 */
	bool ibgp;
	bool extended_next_hop; /* RFC 8950 for IPv4 unicast */
	enum bgp_role role;	/* what we are to the peer (RFC 9234); BGP_ROLE_NONE: roles mean nothing */
	uint32_t peer_as;	/* 0: unknown, and what depends on it is not checked */
};

struct bgp_octets {
	const uint8_t *octets;
	size_t len;
};

/*
 * The path after RFC 6793 4.2.3: the first `lead_hops` hops of AS_PATH, then AS4_PATH. Without a usable AS4_PATH all of
 * AS_PATH is lead.
 */
struct bgp_as_path {
	struct bgp_octets lead;
	struct bgp_octets tail;
	unsigned lead_hops;
	uint8_t lead_width; /* octets of an AS number, 2 or 4; the tail has 4 */
};

struct bgp_as_walk {
	struct bgp_as_path path; /* what is left of it */
	struct reader segment;
	uint8_t type;
	uint8_t width;
};

struct bgp_aggregator {
	uint32_t as;
	uint32_t id; /* an IPv4 address */
};

struct bgp_attributes {
	uint64_t present; /* bit n: the attribute of type n is here and sound */
	uint8_t origin;
	struct bgp_as_path as_path;
	struct addr next_hop; /* NEXT_HOP; that of MP_REACH_NLRI stands in update.h */
	uint32_t med;
	uint32_t local_pref;
	uint32_t originator_id;
	uint32_t otc; /* RFC 9234 5; filled in as the rule for ingress says when it should have been there */
	struct bgp_aggregator aggregator; /* after RFC 6793 4.2.3 */
	struct bgp_octets cluster_list;	  /* 4 octets each */
	struct bgp_octets communities;	  /* 4 */
	struct bgp_octets extended;	  /* 8 */
	struct bgp_octets ipv6_extended;  /* 20 */
	struct bgp_octets large;	  /* 12 */
	struct bgp_octets as4_path;	  /* as it came */
	struct bgp_aggregator as4_aggregator;
	unsigned unknown; /* optional attributes that we don't know; they end here */
};

const char *bgp_attribute_name(uint8_t type); /* "AS_PATH"; "?" when unknown */
bool bgp_has(const struct bgp_attributes *a, enum bgp_attribute type);

/* Iterators take one off the front; false: none is left. They work on a copy of the view. */
bool bgp_community_next(struct bgp_octets *rest, uint32_t *out);
bool bgp_extended_next(struct bgp_octets *rest, uint64_t *out);
bool bgp_large_next(struct bgp_octets *rest, struct path_large *out);
bool bgp_has_community(const struct bgp_attributes *a, uint32_t community);

struct bgp_as_walk bgp_as_path_walk(const struct bgp_as_path *path);
bool bgp_as_walk_next(struct bgp_as_walk *walk, uint32_t *as); /* walk->type is its segment's */
unsigned bgp_as_path_length(const struct bgp_as_path *path);   /* RFC 4271 9.1.2.2: a set counts once */
uint32_t bgp_as_path_origin(const struct bgp_as_path *path);   /* the last AS; 0: no path, or it ends in a set */
uint32_t bgp_as_path_neighbour(const struct bgp_as_path *path); /* the first; 0: no path, or it begins with a set */
bool bgp_as_path_contains(const struct bgp_as_path *path, uint32_t as);

/* For update.h: one attribute's verdict. *fault is set when it is not BGP_ACCEPT. MP_REACH and MP_UNREACH: flags only. */
enum bgp_outcome bgp_attribute_decode(uint8_t flags, uint8_t type, struct reader value,
				      const struct bgp_update_context *context, struct bgp_attributes *out,
				      const char **fault);
/* Once all attributes are read: AS4_PATH and AS4_AGGREGATOR are merged in (RFC 6793 4.2.3). */
void bgp_attributes_merge(struct bgp_attributes *a, const struct bgp_update_context *context);

#endif
