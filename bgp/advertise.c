/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/advertise.h"

enum { FLOW_LONG = 0xf0 }; /* RFC 8955 4.1: from here on the length has two octets */

static bool
is_flow(enum bgp_family family)
{
	return family == BGP_FLOW4 || family == BGP_FLOW6;
}

void
advertise_begin(struct advertise *a, const struct addr *local)
{
	a->local = *local;
	for (int i = 0; i < BGP_FAMILIES; i++) {
		/* The marker is empty, so it needs no next hop. */
		a->marker_due[i] = a->negotiated->family[i];
		a->refresh_ends[i] = false;
	}
}

void
advertise_refresh(struct advertise *a, enum bgp_family family)
{
	uint8_t message[BGP_MESSAGE_MAX];

	/* RFC 7313 4: what lies between BoRR and EoRR is all there is. */
	if (a->negotiated->enhanced_refresh) {
		output_message(a->out, message, bgp_refresh_encode(family, BGP_REFRESH_BEGIN, message));
		a->refresh_ends[family] = true;
	}
	rib_out_refresh(a->rib, family);
}

/* false: none of the path's, the configuration's and our own next hop is of use in this family. */
static bool
route_make(const struct advertise *a, enum bgp_family family, const struct path *path, struct bgp_route *out)
{
	*out = (struct bgp_route){
		.path = path,
		.next_hop = negotiate_next_hop(a->config, a->negotiated, family, &path->next_hop, &a->local),
		.local_as = a->config->local_as,
		.ibgp = a->config->local_as == a->config->peer_as,
		.peer_as4 = a->negotiated->as4,
		.role = a->config->role,
	};
	/* RFC 2545 3: on a link that we share, beside a global next hop. */
	if (addr_is_link_local(&a->local) && out->next_hop.family == ADDR_V6 && !addr_is_link_local(&out->next_hop))
		out->link_local = a->local;
	return is_flow(family) || out->next_hop.family != ADDR_NONE;
}

static bool
nlri_add(struct bgp_update_writer *writer, const struct rib_nlri *nlri)
{
	struct prefix prefix;
	size_t head;

	if (is_flow(nlri->family)) {
		head = nlri->octets[0] >= FLOW_LONG ? 2 : 1;
		return bgp_update_add_flow(writer, nlri->octets + head, nlri->len - head);
	}
	prefix = rib_prefix_of(nlri);
	return bgp_update_add(writer, &prefix);
}

/* As many of the first routes of equal path as fit. At least one does: RIB_NLRI_MAX leaves the attributes their room. */
static size_t
update_write(struct advertise *a, enum bgp_family family, const struct bgp_route *route, uint8_t *at, size_t limit)
{
	enum rib_change change = route ? RIB_ANNOUNCE : RIB_WITHDRAW;
	struct bgp_update_writer writer;
	struct rib_nlri nlri;
	uint32_t first = 0;
	uint32_t path;
	bool any = false;

	bgp_update_begin(&writer, route, family, at, limit);
	while (rib_out_next(a->rib, family, change, &nlri, &path) && (!any || path == first || !route) &&
	       nlri_add(&writer, &nlri)) {
		first = path;
		any = true;
		rib_out_sent(a->rib, family, change);
	}
	return bgp_update_end(&writer);
}

/* One UPDATE with what is pending of a family; false: nothing is, or there is no room. */
static bool
update_put(struct advertise *a, enum bgp_family family, enum rib_change change)
{
	size_t limit = a->negotiated->extended_message ? BGP_EXTENDED_MAX : BGP_MESSAGE_MAX;
	struct rib_nlri nlri;
	struct bgp_route route;
	struct path path;
	uint32_t number;
	size_t room;
	uint8_t *at = output_room(a->out, &room);

	if (room < limit + OUTPUT_RESERVE || !rib_out_next(a->rib, family, change, &nlri, &number))
		return false;
	if (change == RIB_ANNOUNCE) {
		rib_out_path(a->rib, number, &path);
		if (!route_make(a, family, &path, &route)) {
			rib_out_defer(a->rib, family);
			return true;
		}
	}
	output_put(a->out, update_write(a, family, change == RIB_ANNOUNCE ? &route : NULL, at, limit));
	a->out->flight = a->out->len;
	return true;
}

static bool
is_settled(const struct advertise *a, enum bgp_family family)
{
	struct rib_nlri nlri;
	uint32_t path;

	return !rib_out_next(a->rib, family, RIB_WITHDRAW, &nlri, &path) &&
	       !rib_out_next(a->rib, family, RIB_ANNOUNCE, &nlri, &path);
}

static bool
marker_put(struct advertise *a, enum bgp_family family)
{
	uint8_t message[BGP_MESSAGE_MAX];

	if (!is_settled(a, family))
		return false;
	if (a->marker_due[family]) {
		a->marker_due[family] = false;
		output_message(a->out, message, bgp_end_of_rib_encode(family, message));
		return true;
	}
	if (a->refresh_ends[family]) {
		a->refresh_ends[family] = false;
		output_message(a->out, message, bgp_refresh_encode(family, BGP_REFRESH_END, message));
		return true;
	}
	return false;
}

static bool
family_put(struct advertise *a, enum bgp_family family)
{
	return a->negotiated->family[family] &&
	       (update_put(a, family, RIB_WITHDRAW) || update_put(a, family, RIB_ANNOUNCE) || marker_put(a, family));
}

void
advertise_fill(struct advertise *a)
{
	if (a->out->flight > 0)
		return;
	for (int i = 0; i < BGP_FAMILIES; i++) {
		while (family_put(a, (enum bgp_family)i))
			;
	}
}
