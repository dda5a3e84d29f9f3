/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Encoding of UPDATE. MP_REACH_NLRI comes first (RFC 7606 5.1) and yet takes the room that the other attributes leave:
 * those are written first, put aside at the far end of the room, and moved up behind it at the end.
 */
#include "bgp/update.h"

enum {
	LENGTH_MAX = 255,	  /* of an attribute, in one octet */
	FLOW_SHORT_MAX = 0xef,	  /* RFC 8955 4.1 */
	FLOW_MAX = 0xfff,
	FLOW_LONG = 0xf000,
};

static void
attribute_begin(struct writer *w, uint8_t flags, enum bgp_attribute type, size_t len)
{
	bool is_long = len > LENGTH_MAX;

	write_u8(w, is_long ? flags | BGP_FLAG_EXTENDED : flags);
	write_u8(w, (uint8_t)type);
	if (is_long)
		write_u16(w, (uint16_t)len);
	else
		write_u8(w, (uint8_t)len);
}

static void
number_encode(struct writer *w, uint8_t flags, enum bgp_attribute type, uint32_t value)
{
	attribute_begin(w, flags, type, 4);
	write_u32(w, value);
}

/* Our AS once and as often again as policy prepends it. */
static void
sequence_encode(struct writer *w, uint32_t as, unsigned count, bool is_wide)
{
	write_bytes(w, (const uint8_t[]){BGP_AS_SEQUENCE, (uint8_t)count}, 2);
	for (unsigned i = 0; i < count; i++) {
		if (is_wide)
			write_u32(w, as);
		else
			write_u16(w, (uint16_t)as);
	}
}

/* Does an old peer need the number in AS4_PATH, and AS_TRANS in AS_PATH (RFC 6793 4.2.2)? */
static bool
as_is_hidden(const struct bgp_route *route)
{
	return !route->peer_as4 && route->local_as > UINT16_MAX;
}

static void
as_path_encode(struct writer *w, const struct bgp_route *route, const struct path *path)
{
	unsigned count = 1U + path->prepend;

	if (route->ibgp) {
		attribute_begin(w, BGP_FLAG_TRANSITIVE, BGP_AS_PATH, 0);
		return;
	}
	attribute_begin(w, BGP_FLAG_TRANSITIVE, BGP_AS_PATH, 2 + (route->peer_as4 ? 4 : 2) * count);
	sequence_encode(w, as_is_hidden(route) ? BGP_AS_TRANS : route->local_as, count, route->peer_as4);
}

static void
as4_path_encode(struct writer *w, const struct bgp_route *route, const struct path *path)
{
	unsigned count = 1U + path->prepend;

	if (route->ibgp || !as_is_hidden(route))
		return;
	attribute_begin(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_AS4_PATH, 2 + 4 * count);
	sequence_encode(w, route->local_as, count, true);
}

static void
communities_encode(struct writer *w, const struct path *path)
{
	if (path->n_communities == 0)
		return;
	attribute_begin(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_COMMUNITIES, 4U * path->n_communities);
	for (unsigned i = 0; i < path->n_communities; i++)
		write_u32(w, path->communities[i]);
}

static void
extended_encode(struct writer *w, const struct path *path)
{
	if (path->n_extended == 0)
		return;
	attribute_begin(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_EXTENDED_COMMUNITIES, 8U * path->n_extended);
	for (unsigned i = 0; i < path->n_extended; i++) {
		write_u32(w, (uint32_t)(path->extended[i] >> 32));
		write_u32(w, (uint32_t)path->extended[i]);
	}
}

static void
large_encode(struct writer *w, const struct path *path)
{
	if (path->n_large == 0)
		return;
	attribute_begin(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_LARGE_COMMUNITIES, 12U * path->n_large);
	for (unsigned i = 0; i < path->n_large; i++) {
		write_u32(w, path->large[i].global);
		write_u32(w, path->large[i].local1);
		write_u32(w, path->large[i].local2);
	}
}

/* RFC 9234 5, egress 1: towards a customer, a peer or a route server's client, of unicast routes. */
static bool
otc_is_due(const struct bgp_route *route, enum bgp_family family)
{
	return !route->ibgp && (family == BGP_V4 || family == BGP_V6) &&
	       (route->role == BGP_ROLE_PROVIDER || route->role == BGP_ROLE_PEER || route->role == BGP_ROLE_RS);
}

/* All but MP_REACH_NLRI, ascending (RFC 4271 5). */
static void
attributes_encode(struct writer *w, const struct bgp_route *route, enum bgp_family family)
{
	struct path plain;
	const struct path *path = route->path;

	if (!path) {
		path_init(&plain);
		path = &plain;
	}
	attribute_begin(w, BGP_FLAG_TRANSITIVE, BGP_ORIGIN, 1);
	write_u8(w, path->origin);
	as_path_encode(w, route, path);
	if (family == BGP_V4 && route->next_hop.family == ADDR_V4) {
		attribute_begin(w, BGP_FLAG_TRANSITIVE, BGP_NEXT_HOP, 4);
		write_bytes(w, route->next_hop.octets, 4);
	}
	if (path->has_med)
		number_encode(w, BGP_FLAG_OPTIONAL, BGP_MED, path->med);
	if (route->ibgp)
		number_encode(w, BGP_FLAG_TRANSITIVE, BGP_LOCAL_PREF, path->local_pref);
	communities_encode(w, path);
	extended_encode(w, path);
	as4_path_encode(w, route, path);
	large_encode(w, path);
	if (otc_is_due(route, family))
		number_encode(w, BGP_FLAG_OPTIONAL | BGP_FLAG_TRANSITIVE, BGP_OTC, route->local_as);
}

/* RFC 4760 3; FlowSpec has no next hop (RFC 8955 4). */
static void
next_hop_encode(struct writer *w, const struct bgp_route *route, enum bgp_family family)
{
	bool is_flow = family == BGP_FLOW4 || family == BGP_FLOW6;
	bool has_link_local = route->link_local.family == ADDR_V6;

	if (is_flow) {
		write_u8(w, 0);
	} else {
		write_u8(w, has_link_local ? 32 : 16);
		write_bytes(w, route->next_hop.octets, 16);
		if (has_link_local)
			write_bytes(w, route->link_local.octets, 16);
	}
	write_u8(w, 0); /* reserved */
}

/* The head of MP_REACH_NLRI or MP_UNREACH_NLRI, with an extended length that end fills in. */
static void
mp_begin(struct bgp_update_writer *u, const struct bgp_route *route, enum bgp_family family)
{
	write_u8(&u->w, BGP_FLAG_OPTIONAL | BGP_FLAG_EXTENDED);
	write_u8(&u->w, route ? BGP_MP_REACH : BGP_MP_UNREACH);
	u->routes_len = write_room(&u->w, 2);
	write_u16(&u->w, bgp_family_afi(family));
	write_u8(&u->w, bgp_family_safi(family));
	if (route)
		next_hop_encode(&u->w, route, family);
}

/* Writes the attributes, and puts them aside. */
static void
attributes_put_aside(struct bgp_update_writer *u, const struct bgp_route *route, enum bgp_family family)
{
	uint8_t *start = u->w.at;

	attributes_encode(&u->w, route, family);
	u->aside_len = written_since(&u->w, start);
	u->w.at = start;
	u->w.end -= u->aside_len;
	memmove(u->w.end, start, u->aside_len);
}

void
bgp_update_begin(struct bgp_update_writer *u, const struct bgp_route *route, enum bgp_family family, uint8_t *out,
		 size_t room)
{
	bool is_classic = family == BGP_V4 && (!route || route->next_hop.family == ADDR_V4);

	*u = (struct bgp_update_writer){.w = bgp_message_begin(out, room, BGP_UPDATE), .out = out};
	if (is_classic && !route) {
		u->routes_len = write_room(&u->w, 2);
		u->w.end -= 2; /* kept free for the length of no attributes */
		return;
	}
	write_u16(&u->w, 0);
	u->attributes_len = write_room(&u->w, 2);
	if (is_classic) {
		attributes_encode(&u->w, route, family);
		fill_u16(u->attributes_len, written_since(&u->w, u->attributes_len + 2));
		u->attributes_len = NULL;
		return;
	}
	if (route)
		attributes_put_aside(u, route, family);
	mp_begin(u, route, family);
}

bool
bgp_update_add(struct bgp_update_writer *u, const struct prefix *prefix)
{
	size_t octets = (prefix->len + 7U) / 8;

	if (writer_left(&u->w) < 1 + octets)
		return false;
	write_u8(&u->w, prefix->len);
	write_bytes(&u->w, prefix->addr.octets, octets);
	return true;
}

bool
bgp_update_add_flow(struct bgp_update_writer *u, const uint8_t *components, size_t len)
{
	size_t head = len > FLOW_SHORT_MAX ? 2 : 1;

	if (len == 0 || len > FLOW_MAX || writer_left(&u->w) < head + len)
		return false;
	if (head == 2)
		write_u16(&u->w, (uint16_t)(FLOW_LONG | len));
	else
		write_u8(&u->w, (uint8_t)len);
	write_bytes(&u->w, components, len);
	return true;
}

size_t
bgp_update_end(struct bgp_update_writer *u)
{
	uint8_t *aside = u->w.end;

	if (u->routes_len)
		fill_u16(u->routes_len, written_since(&u->w, u->routes_len + 2));
	if (u->attributes_len) {
		memmove(u->w.at, aside, u->aside_len);
		u->w.at += u->aside_len;
		fill_u16(u->attributes_len, written_since(&u->w, u->attributes_len + 2));
	} else if (u->routes_len) {
		u->w.end += 2;
		write_u16(&u->w, 0);
	}
	return bgp_message_end(&u->w, u->out);
}

size_t
bgp_update_encode(const struct bgp_route *route, enum bgp_family family, const struct prefix *prefixes, size_t count,
		  size_t *taken, uint8_t *out, size_t room)
{
	struct bgp_update_writer u;

	bgp_update_begin(&u, route, family, out, room);
	for (*taken = 0; *taken < count && bgp_update_add(&u, &prefixes[*taken]); (*taken)++)
		;
	return bgp_update_end(&u);
}

size_t
bgp_end_of_rib_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct bgp_update_writer u;

	bgp_update_begin(&u, NULL, family, out, BGP_MESSAGE_MAX);
	return bgp_update_end(&u);
}
