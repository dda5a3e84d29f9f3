/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/attributes.h"

#include <limits.h>

enum {
	WELL_KNOWN = BGP_FLAG_TRANSITIVE,
	OPTIONAL = BGP_FLAG_OPTIONAL,
	OPTIONAL_TRANSITIVE = BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE,

	ORIGIN_MAX = 2, /* INCOMPLETE */
	PMSI_INGRESS_REPLICATION = 6,
	PMSI_TYPE_MAX = 7, /* RFC 6514 5 */
	SID_LABEL_INDEX = 1,
	SID_LABEL_INDEX_LEN = 7, /* RFC 8669 3.1 */
	SID_SRGB = 3,
	INTERNAL = 1,		  /* discarded unread when it comes from another AS (RFC 7606 7.5, 7.9, 7.10) */
	DISCARDED = 2,		  /* alone when malformed */
	MISFLAGGED_DISCARDED = 4, /* and when its flags are wrong */

	AIGP_TLV = 1,
	AIGP_TLV_LEN = 11, /* RFC 7311 3, its own head included */
};

static struct bgp_octets
rest_of(const struct reader *r)
{
	return (struct bgp_octets){.octets = r->at, .len = reader_left(r)};
}

static struct reader
reader_of(const struct bgp_octets *view)
{
	return reader_init(view->octets, view->len);
}

/* Reads a value into *out; NULL, or what is wrong with it. */
typedef const char *decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out);

static const char *
origin_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	out->origin = read_u8(&value);
	if (value.failed || reader_left(&value) > 0)
		return "length is not 1";
	return out->origin > ORIGIN_MAX ? "value is undefined" : NULL;
}

/* RFC 7606 7.2, RFC 7607 2. */
static const char *
path_check(struct reader r, uint8_t width)
{
	while (reader_left(&r) > 0) {
		uint8_t type = read_u8(&r);
		uint8_t count = read_u8(&r);
		struct reader segment = read_sub(&r, (size_t)count * width);

		if (r.failed)
			return "a segment is cut";
		if (type < BGP_AS_SET || type > BGP_CONFED_SET)
			return "a segment's type is undefined";
		if (count == 0)
			return "a segment is empty";
		while (reader_left(&segment) > 0) {
			if ((width == 4 ? read_u32(&segment) : read_u16(&segment)) == 0)
				return "AS 0";
		}
	}
	return NULL;
}

/* RFC 5065 5: only a member of our confederation may show its inside, and we are in none. */
static bool
path_has_confederation(struct reader r, uint8_t width)
{
	while (reader_left(&r) > 0) {
		uint8_t type = read_u8(&r);

		if (type == BGP_CONFED_SEQUENCE || type == BGP_CONFED_SET)
			return true;
		(void)read_bytes(&r, (size_t)read_u8(&r) * width);
	}
	return false;
}


static const char *
as_path_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	uint8_t width = context->as4 ? 4 : 2;
	const char *fault = path_check(value, width);

	if (fault)
		return fault;
	if (path_has_confederation(value, width))
		return "a confederation's segment from outside of it";
	out->as_path = (struct bgp_as_path){.lead = rest_of(&value), .lead_hops = UINT_MAX, .lead_width = width};
	return NULL;
}

static const char *
next_hop_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	if (reader_left(&value) != 4)
		return "length is not 4";
	out->next_hop = addr_v4(value.at);
	return NULL;
}

static const char *
number_decode(struct reader value, uint32_t *out)
{
	*out = read_u32(&value);
	return value.failed || reader_left(&value) > 0 ? "length is not 4" : NULL;
}

static const char *
med_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return number_decode(value, &out->med);
}

static const char *
local_pref_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return number_decode(value, &out->local_pref);
}

static const char *
atomic_aggregate_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	(void)out;
	return reader_left(&value) > 0 ? "length is not 0" : NULL;
}

static const char *
aggregator_read(struct reader value, uint8_t width, struct bgp_aggregator *out)
{
	out->as = width == 4 ? read_u32(&value) : read_u16(&value);
	out->id = read_u32(&value);
	if (value.failed || reader_left(&value) > 0)
		return "length is wrong";
	return out->as == 0 ? "AS 0" : NULL; /* RFC 7607 2 */
}

static const char *
aggregator_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	return aggregator_read(value, context->as4 ? 4 : 2, &out->aggregator);
}

/* A list of things of a size (RFC 7606 7.8, 7.10, 7.14, 7.15; RFC 8092 6). */
static const char *
list_decode(struct reader value, size_t size, struct bgp_octets *out)
{
	*out = rest_of(&value);
	return out->len == 0 || out->len % size > 0 ? "length is no multiple, or 0" : NULL;
}

static const char *
communities_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return list_decode(value, 4, &out->communities);
}

static const char *
originator_id_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return number_decode(value, &out->originator_id);
}

static const char *
cluster_list_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return list_decode(value, 4, &out->cluster_list);
}

static const char *
extended_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return list_decode(value, 8, &out->extended);
}

/* RFC 6793 4.1, 6: it is read from those only that don't have 4-octet AS numbers. */
static const char *
as4_path_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	out->as4_path = rest_of(&value);
	if (context->as4)
		return "from a speaker of 4-octet AS numbers";
	return out->as4_path.len == 0 ? "is empty" : path_check(value, 4);
}

static const char *
as4_aggregator_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	if (context->as4)
		return "from a speaker of 4-octet AS numbers";
	return aggregator_read(value, 4, &out->as4_aggregator);
}

static const char *
ipv6_extended_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return list_decode(value, 20, &out->ipv6_extended);
}

static const char *
large_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	return list_decode(value, 12, &out->large);
}

static const char *
otc_decode(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	const char *fault = number_decode(value, &out->otc);

	(void)context;
	return fault ? fault : out->otc == 0 ? "AS 0" : NULL;
}

/* What follows is checked, for its error rule, and not kept. RFC 6514 5. */
static const char *
pmsi_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	uint8_t type;
	size_t left;

	(void)context;
	(void)out;
	(void)read_u8(&value);
	type = read_u8(&value);
	(void)read_bytes(&value, 3);
	left = reader_left(&value);
	if (value.failed)
		return "is cut";
	if (type > PMSI_TYPE_MAX)
		return "tunnel type is undefined";
	if (type == PMSI_INGRESS_REPLICATION && left != 4 && left != 16)
		return "tunnel identifier is no address";
	return NULL;
}

/* RFC 9012 2, 13: tunnels, in which a sub-TLV's length has one octet below type 128 and two from there. */
static const char *
encapsulation_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	(void)out;
	if (reader_left(&value) == 0)
		return "is empty";
	while (reader_left(&value) > 0) {
		struct reader tunnel;

		(void)read_u16(&value);
		tunnel = read_sub(&value, read_u16(&value));
		while (reader_left(&tunnel) > 0) {
			uint8_t type = read_u8(&tunnel);

			(void)read_bytes(&tunnel, type < 128 ? read_u8(&tunnel) : read_u16(&tunnel));
		}
		if (value.failed || tunnel.failed)
			return "a TLV is cut";
	}
	return NULL;
}

/* RFC 7311 3: a TLV's length counts its own head. */
static const char *
aigp_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	bool found = false;

	(void)context;
	(void)out;
	while (reader_left(&value) > 0) {
		uint8_t type = read_u8(&value);
		uint16_t len = read_u16(&value);

		if (len < 3 || !read_bytes(&value, len - 3U))
			return "a TLV is cut";
		if (type == AIGP_TLV && len != AIGP_TLV_LEN)
			return "its TLV's length is not 11";
		found = found || type == AIGP_TLV;
	}
	return found ? NULL : "has no AIGP TLV";
}

/* RFC 9552 8.2.2. */
static const char *
link_state_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	(void)out;
	while (reader_left(&value) > 0) {
		(void)read_u16(&value);
		(void)read_bytes(&value, read_u16(&value));
	}
	return value.failed ? "a TLV is cut" : NULL;
}

static const char *
next_hop_capabilities_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)read_u16(&value);
	(void)read_u8(&value);
	(void)read_bytes(&value, read_u8(&value));
	return value.failed ? "is cut" : link_state_check(value, context, out);
}

/* RFC 8669 3, 6. */
static const char *
prefix_sid_check(struct reader value, const struct bgp_update_context *context, struct bgp_attributes *out)
{
	(void)context;
	(void)out;
	while (reader_left(&value) > 0) {
		uint8_t type = read_u8(&value);
		uint16_t len = read_u16(&value);

		if (!read_bytes(&value, len))
			return "a TLV is cut";
		if (type == SID_LABEL_INDEX && len != SID_LABEL_INDEX_LEN)
			return "a label index's length is not 7";
		if (type == SID_SRGB && (len < 8 || (len - 2) % 6 > 0))
			return "an SRGB's length is wrong";
	}
	return NULL;
}

/*
 * flags are those that a type must have and, of Optional and Transitive, the only ones (RFC 7606 3(c)). Malformed ones
 * lead to treat-as-withdraw unless `how` says that the attribute alone goes.
 */
static const struct rule {
	const char *name;
	uint8_t flags;
	uint8_t how;
	decode *decode; /* NULL: by update.c */
} rules[] = {
	[BGP_ORIGIN] = {"ORIGIN", WELL_KNOWN, 0, origin_decode},
	[BGP_AS_PATH] = {"AS_PATH", WELL_KNOWN, 0, as_path_decode},
	[BGP_NEXT_HOP] = {"NEXT_HOP", WELL_KNOWN, 0, next_hop_decode},
	[BGP_MED] = {"MULTI_EXIT_DISC", OPTIONAL, 0, med_decode},
	[BGP_LOCAL_PREF] = {"LOCAL_PREF", WELL_KNOWN, INTERNAL, local_pref_decode},
	[BGP_ATOMIC_AGGREGATE] = {"ATOMIC_AGGREGATE", WELL_KNOWN, DISCARDED, atomic_aggregate_decode},
	[BGP_AGGREGATOR] = {"AGGREGATOR", OPTIONAL_TRANSITIVE, DISCARDED, aggregator_decode},
	[BGP_COMMUNITIES] = {"COMMUNITIES", OPTIONAL_TRANSITIVE, 0, communities_decode},
	[BGP_ORIGINATOR_ID] = {"ORIGINATOR_ID", OPTIONAL, INTERNAL, originator_id_decode},
	[BGP_CLUSTER_LIST] = {"CLUSTER_LIST", OPTIONAL, INTERNAL, cluster_list_decode},
	[BGP_MP_REACH] = {"MP_REACH_NLRI", OPTIONAL, 0, NULL},
	[BGP_MP_UNREACH] = {"MP_UNREACH_NLRI", OPTIONAL, 0, NULL},
	[BGP_EXTENDED_COMMUNITIES] = {"EXTENDED_COMMUNITIES", OPTIONAL_TRANSITIVE, 0, extended_decode},
	[BGP_AS4_PATH] = {"AS4_PATH", OPTIONAL_TRANSITIVE, DISCARDED, as4_path_decode},
	[BGP_AS4_AGGREGATOR] = {"AS4_AGGREGATOR", OPTIONAL_TRANSITIVE, DISCARDED, as4_aggregator_decode},
	[BGP_PMSI_TUNNEL] = {"PMSI_TUNNEL", OPTIONAL_TRANSITIVE, 0, pmsi_check},
	[BGP_TUNNEL_ENCAPSULATION] = {"TUNNEL_ENCAPSULATION", OPTIONAL_TRANSITIVE, 0, encapsulation_check},
	[BGP_IPV6_EXTENDED_COMMUNITIES] = {"IPV6_EXTENDED_COMMUNITIES", OPTIONAL_TRANSITIVE, 0, ipv6_extended_decode},
	[BGP_AIGP] = {"AIGP", OPTIONAL, DISCARDED | MISFLAGGED_DISCARDED, aigp_check},
	[BGP_LINK_STATE] = {"BGP_LS", OPTIONAL, DISCARDED | MISFLAGGED_DISCARDED, link_state_check},
	[BGP_LARGE_COMMUNITIES] = {"LARGE_COMMUNITIES", OPTIONAL_TRANSITIVE, 0, large_decode},
	[BGP_OTC] = {"ONLY_TO_CUSTOMER", OPTIONAL_TRANSITIVE, 0, otc_decode},
	[BGP_NEXT_HOP_CAPABILITIES] = {"NEXT_HOP_CAPABILITIES", OPTIONAL_TRANSITIVE, DISCARDED,
				       next_hop_capabilities_check},
	[BGP_PREFIX_SID] = {"PREFIX_SID", OPTIONAL_TRANSITIVE, DISCARDED, prefix_sid_check},
};

static const struct rule *
rule_of(uint8_t type)
{
	return type < ARRAY_LEN(rules) && rules[type].name ? &rules[type] : NULL;
}

const char *
bgp_attribute_name(uint8_t type)
{
	const struct rule *rule = rule_of(type);

	return rule ? rule->name : "?";
}

bool
bgp_has(const struct bgp_attributes *a, enum bgp_attribute type)
{
	return a->present >> type & 1;
}

static bool
flags_are_sound(uint8_t flags, uint8_t wanted)
{
	/* RFC 4271 4.3: only what is optional and transitive may have come through a speaker that didn't know it. */
	if (wanted != OPTIONAL_TRANSITIVE && (flags & BGP_FLAG_PARTIAL))
		return false;
	return (flags & OPTIONAL_TRANSITIVE) == wanted;
}

enum bgp_outcome
bgp_attribute_decode(uint8_t flags, uint8_t type, struct reader value, const struct bgp_update_context *context,
		     struct bgp_attributes *out, const char **fault)
{
	const struct rule *rule = rule_of(type);
	struct bgp_attributes read = *out;

	if (!rule && !(flags & BGP_FLAG_OPTIONAL)) {
		*fault = "is well-known, but not to us";
		return BGP_SESSION_RESET;
	}
	if (!rule) {
		out->unknown++;
		return BGP_ACCEPT;
	}
	if (!flags_are_sound(flags, rule->flags)) {
		*fault = "flags are wrong";
		return rule->how & MISFLAGGED_DISCARDED ? BGP_ATTRIBUTE_DISCARD : BGP_TREAT_AS_WITHDRAW;
	}
	if ((rule->how & INTERNAL) && !context->ibgp) {
		*fault = "from another AS";
		return BGP_ATTRIBUTE_DISCARD;
	}
	*fault = rule->decode ? rule->decode(value, context, &read) : NULL;
	if (*fault)
		return rule->how & DISCARDED ? BGP_ATTRIBUTE_DISCARD : BGP_TREAT_AS_WITHDRAW;
	*out = read;
	out->present |= 1ULL << type;
	return BGP_ACCEPT;
}

/* Opens the path's next segment; false: there is none. */
static bool
segment_next(struct bgp_as_walk *walk)
{
	bool in_lead = walk->path.lead.len > 0 && walk->path.lead_hops > 0;
	struct bgp_octets *from = in_lead ? &walk->path.lead : &walk->path.tail;
	struct reader r = reader_of(from);
	unsigned count;
	unsigned hops;

	walk->width = in_lead ? walk->path.lead_width : 4;
	walk->type = read_u8(&r);
	count = read_u8(&r);
	walk->segment = read_sub(&r, (size_t)count * walk->width);
	if (r.failed)
		return false;
	*from = rest_of(&r);
	if (!in_lead)
		return true;
	hops = walk->type == BGP_AS_SEQUENCE ? count : walk->type == BGP_AS_SET;
	if (hops > walk->path.lead_hops) {
		hops = walk->path.lead_hops;
		walk->segment.end = walk->segment.at + (size_t)hops * walk->width;
	}
	walk->path.lead_hops -= hops;
	return true;
}

/* RFC 6793 6: a confederation's segments have no place in AS4_PATH and are passed over. */
static bool
segment_is_foreign(const struct bgp_as_walk *walk)
{
	return walk->type == BGP_CONFED_SEQUENCE || walk->type == BGP_CONFED_SET;
}

struct bgp_as_walk
bgp_as_path_walk(const struct bgp_as_path *path)
{
	return (struct bgp_as_walk){.path = *path};
}

bool
bgp_as_walk_next(struct bgp_as_walk *walk, uint32_t *as)
{
	while (reader_left(&walk->segment) == 0 || segment_is_foreign(walk)) {
		if (!segment_next(walk))
			return false;
	}
	*as = walk->width == 4 ? read_u32(&walk->segment) : read_u16(&walk->segment);
	return true;
}

unsigned
bgp_as_path_length(const struct bgp_as_path *path)
{
	struct bgp_as_walk walk = bgp_as_path_walk(path);
	unsigned length = 0;

	while (segment_next(&walk)) {
		if (walk.type == BGP_AS_SEQUENCE)
			length += (unsigned)(reader_left(&walk.segment) / walk.width);
		else
			length += walk.type == BGP_AS_SET;
	}
	return length;
}

uint32_t
bgp_as_path_origin(const struct bgp_as_path *path)
{
	struct bgp_as_walk walk = bgp_as_path_walk(path);
	uint32_t as;
	uint32_t last = 0;

	while (bgp_as_walk_next(&walk, &as))
		last = walk.type == BGP_AS_SEQUENCE ? as : 0;
	return last;
}

uint32_t
bgp_as_path_neighbour(const struct bgp_as_path *path)
{
	struct bgp_as_walk walk = bgp_as_path_walk(path);
	uint32_t as;

	return bgp_as_walk_next(&walk, &as) && walk.type == BGP_AS_SEQUENCE ? as : 0;
}

bool
bgp_as_path_contains(const struct bgp_as_path *path, uint32_t as)
{
	struct bgp_as_walk walk = bgp_as_path_walk(path);
	uint32_t hop;

	while (bgp_as_walk_next(&walk, &hop)) {
		if (hop == as)
			return true;
	}
	return false;
}

void
bgp_attributes_merge(struct bgp_attributes *a, const struct bgp_update_context *context)
{
	struct bgp_as_path as4 = {.tail = a->as4_path};
	unsigned hops;
	unsigned as4_hops;

	if (context->as4)
		return;
	if (bgp_has(a, BGP_AGGREGATOR) && a->aggregator.as != BGP_AS_TRANS) {
		/* An old speaker has aggregated since: what came before is of no use. */
		a->present &= ~(1ULL << BGP_AS4_PATH | 1ULL << BGP_AS4_AGGREGATOR);
		return;
	}
	if (bgp_has(a, BGP_AGGREGATOR) && bgp_has(a, BGP_AS4_AGGREGATOR))
		a->aggregator = a->as4_aggregator;
	if (!bgp_has(a, BGP_AS_PATH) || !bgp_has(a, BGP_AS4_PATH))
		return;
	hops = bgp_as_path_length(&a->as_path);
	as4_hops = bgp_as_path_length(&as4);
	if (hops < as4_hops)
		return;
	a->as_path.lead_hops = hops - as4_hops;
	a->as_path.tail = a->as4_path;
}

bool
bgp_community_next(struct bgp_octets *rest, uint32_t *out)
{
	struct reader r = reader_of(rest);
	uint32_t value = read_u32(&r);

	if (r.failed)
		return false;
	*rest = rest_of(&r);
	*out = value;
	return true;
}

bool
bgp_extended_next(struct bgp_octets *rest, uint64_t *out)
{
	struct reader r = reader_of(rest);
	uint64_t value = (uint64_t)read_u32(&r) << 32;

	value |= read_u32(&r);
	if (r.failed)
		return false;
	*rest = rest_of(&r);
	*out = value;
	return true;
}

bool
bgp_large_next(struct bgp_octets *rest, struct path_large *out)
{
	struct reader r = reader_of(rest);
	struct path_large large = {.global = read_u32(&r)};

	large.local1 = read_u32(&r);
	large.local2 = read_u32(&r);
	if (r.failed)
		return false;
	*rest = rest_of(&r);
	*out = large;
	return true;
}

bool
bgp_has_community(const struct bgp_attributes *a, uint32_t community)
{
	struct bgp_octets rest = a->communities;
	uint32_t one;

	while (bgp_community_next(&rest, &one)) {
		if (one == community)
			return true;
	}
	return false;
}
