/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/replay.h"

#include <string.h>

#include "bgp/negotiate.h"

enum { FLOW_LONG = 0xf0 }; /* RFC 8955 4.1: a length of two octets begins so */

struct replay {
	const struct bgp_config *config;
	const struct bgp_status *status;
	bgp_replay_take *take;
	void *context;

	/* the UPDATE that is being filled */
	bool is_open;
	enum bgp_family family;
	struct path path;
	struct bgp_update_writer writer;
	uint8_t octets[BGP_MESSAGE_MAX];
};

static void
update_end(struct replay *r)
{
	if (r->is_open)
		r->take(r->context, r->octets, bgp_update_end(&r->writer));
	r->is_open = false;
}

static void
update_begin(struct replay *r, const struct bgp_route_view *view)
{
	struct bgp_route route = {
		.next_hop = negotiate_next_hop(r->config, &r->status->negotiated, view->family, &view->path->next_hop,
					       &r->status->local),
		.local_as = r->config->local_as,
		.ibgp = r->config->local_as == r->config->peer_as,
		.peer_as4 = r->status->negotiated.as4,
		.role = r->config->role,
	};
	bool is_unicast = view->family == BGP_V4 || view->family == BGP_V6;

	/* Without a next hop the peer wasn't told either. */
	if (is_unicast && route.next_hop.family == ADDR_NONE)
		return;
	r->path = *view->path;
	r->family = view->family;
	r->is_open = true;
	route.path = &r->path;
	bgp_update_begin(&r->writer, &route, view->family, r->octets, sizeof(r->octets));
}

static bool
route_add(struct replay *r, const struct bgp_route_view *view)
{
	size_t head;

	if (view->family == BGP_V4 || view->family == BGP_V6)
		return bgp_update_add(&r->writer, &view->prefix);
	head = view->nlri[0] >= FLOW_LONG ? 2 : 1;
	return bgp_update_add_flow(&r->writer, view->nlri + head, view->nlri_len - head);
}

static bool
replay_route(void *context, const struct bgp_route_view *view)
{
	struct replay *r = context;
	bool fits = r->is_open && r->family == view->family && memcmp(&r->path, view->path, sizeof(r->path)) == 0;

	if (view->state == BGP_ROUTE_LEAVING || !r->status->negotiated.family[view->family])
		return true;
	if (fits && route_add(r, view))
		return true;
	update_end(r);
	update_begin(r, view);
	if (r->is_open && !route_add(r, view))
		r->is_open = false; /* no message holds it: the peer wasn't told */
	return true;
}

void
bgp_replay_routes(const struct bgp_session *session, const struct bgp_status *status, bgp_replay_take *take, void *context)
{
	struct replay r = {.config = bgp_session_config(session), .status = status, .take = take, .context = context};

	bgp_session_routes(session, replay_route, &r);
	update_end(&r);
}

/* One route off the front into the message; false: none is left, or there is no room for it, then *rest has it still. */
static bool
withdrawal_add(struct bgp_update_writer *writer, struct bgp_nlri *rest)
{
	struct bgp_nlri after = *rest;
	struct bgp_octets flow;
	struct prefix prefix;
	bool is_added;

	if (rest->family == BGP_V4 || rest->family == BGP_V6)
		is_added = bgp_nlri_next(&after, &prefix) && bgp_update_add(writer, &prefix);
	else
		is_added = bgp_nlri_next_flow(&after, &flow) && bgp_update_add_flow(writer, flow.octets, flow.len);
	if (is_added)
		*rest = after;
	return is_added;
}

void
bgp_replay_withdrawal(const struct bgp_nlri *routes, bgp_replay_take *take, void *context)
{
	struct bgp_nlri rest = *routes;
	struct bgp_update_writer writer;
	uint8_t octets[BGP_MESSAGE_MAX];

	while (rest.is_known && rest.len > 0) {
		bgp_update_begin(&writer, NULL, rest.family, octets, sizeof(octets));
		if (!withdrawal_add(&writer, &rest))
			return; /* longer than any message that is not extended: it can't be said */
		while (withdrawal_add(&writer, &rest))
			;
		take(context, octets, bgp_update_end(&writer));
	}
}
