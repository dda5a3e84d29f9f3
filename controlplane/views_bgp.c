/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/views_bgp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bgp/community.h"
#include "controlplane/node.h"
#include "controlplane/originating.h"

static json_int_t
seconds_since(uint64_t then_ns)
{
	uint64_t now_ns = clock_now_ns();

	return then_ns && then_ns < now_ns ? (json_int_t)((now_ns - then_ns) / CLOCK_NS_PER_S) : 0;
}

/* "by the peer: cease/administrative shutdown: TEXT"; "": there was none. */
static json_t *
last_error(const struct bgp_status *status)
{
	char text[BGP_TEXT_MAX + 128] = "";

	if (status->last_error.code)
		snprintf(text, sizeof(text), "%s: %s%s%s", status->last_error_ours ? "sent" : "received",
			 bgp_error_name(&status->last_error), !status->last_error_ours && status->text[0] ? ": " : "",
			 status->last_error_ours ? "" : status->text);
	return json_string(text);
}

/* Out of a range of them it is known when the peer has said so. */
static json_int_t
peer_as(const struct bgp_config *config, const struct bgp_status *status)
{
	return status->negotiated.peer_as ? status->negotiated.peer_as : config->peer_as;
}

json_t *
view_bgp(const struct node *node)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		const struct bgp_session *session = peering_session(node->peering, i);
		const struct bgp_config *config = bgp_session_config(session);
		struct bgp_status status = bgp_session_status(session);

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:i, s:I, s:I, s:I, s:o}", "peer", config->name, "range",
					peering_policy(node->peering, i)->group,
					"address", addr_format(&config->peer, text), "as", peer_as(config, &status),
					"state", peering_is_shut(node->peering, i) ? "shut down" : bgp_state_name(status.state),
					"since_s", seconds_since(status.since_ns), "hold_s", status.hold_s, "advertised",
					(json_int_t)status.advertised, "updates_sent",
					(json_int_t)status.sent[BGP_UPDATE], "flaps", (json_int_t)status.flaps,
					"last_error", last_error(&status)));
	}
	return list;
}

static json_t *
view_messages(const uint64_t counts[static BGP_TYPES])
{
	static const char *const names[BGP_TYPES] = {
		[BGP_OPEN] = "open",	       [BGP_UPDATE] = "update", [BGP_NOTIFICATION] = "notification",
		[BGP_KEEPALIVE] = "keepalive", [BGP_ROUTE_REFRESH] = "route_refresh",
	};
	json_t *view = json_object();

	for (unsigned i = BGP_OPEN; i < BGP_TYPES; i++)
		json_object_set_new(view, names[i], json_integer((json_int_t)counts[i]));
	return view;
}

/* What both sides agreed upon, in words. */
static json_t *
view_capabilities(const struct bgp_negotiated *n)
{
	static const char *const families[BGP_FAMILIES] = {
		[BGP_V4] = "ipv4", [BGP_V6] = "ipv6", [BGP_FLOW4] = "ipv4 flowspec", [BGP_FLOW6] = "ipv6 flowspec"};
	const struct {
		bool has;
		const char *name;
	} others[] = {{n->as4, "four-octet AS"},
		      {n->refresh, "route refresh"},
		      {n->enhanced_refresh, "enhanced route refresh"},
		      {n->extended_message, "extended messages"},
		      {n->extended_next_hop, "extended next hop"},
		      {n->graceful_restart, "graceful restart"},
		      {n->notification, "graceful restart of notifications"},
		      {n->peer_role != BGP_ROLE_NONE, "role"}};
	json_t *list = json_array();

	for (unsigned i = 0; i < BGP_FAMILIES; i++) {
		if (n->family[i])
			json_array_append_new(list, json_string(families[i]));
	}
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		if (others[i].has)
			json_array_append_new(list, json_string(others[i].name));
	}
	return list;
}

json_t *
view_bgp_peer(const struct node *node, unsigned peer)
{
	const struct bgp_session *session = peering_session(node->peering, peer);
	const struct bgp_config *config = bgp_session_config(session);
	struct bgp_status status = bgp_session_status(session);
	const char *shut = admin_shut(node->admin, config->name);
	uint32_t id = status.router_id;
	char text[ADDR_TEXT_MAX], router_id[16];

	snprintf(router_id, sizeof(router_id), "%u.%u.%u.%u", id >> 24, id >> 16 & 255, id >> 8 & 255, id & 255);
	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:b, s:I, s:I, s:o, s:o, s:o, s:I, s:I, "
			 "s:I, s:o}",
			 "peer", config->name, "address", addr_format(&config->peer, text), "as",
			 peer_as(config, &status), "local_as", (json_int_t)config->local_as, "kind",
			 config->peer_as == config->local_as ? "iBGP" : "eBGP", "router_id", id ? router_id : "", "state",
			 shut ? "shut down" : bgp_state_name(status.state), "shut_reason", shut ? shut : "", "since_s",
			 seconds_since(status.since_ns), "established_s",
			 status.state == BGP_ESTABLISHED ? seconds_since(status.established_ns) : (json_int_t)0,
			 "heard_s", seconds_since(status.last_message_ns), "hold_s", status.hold_s, "bfd_down",
			 status.bfd_down, "advertised", (json_int_t)status.advertised, "prefixes",
			 (json_int_t)status.prefixes, "capabilities", view_capabilities(&status.negotiated), "sent",
			 view_messages(status.sent), "received", view_messages(status.received), "faults",
			 (json_int_t)status.faults, "errors", (json_int_t)status.errors, "flaps",
			 (json_int_t)status.flaps, "last_error", last_error(&status));
}

json_t *
view_bgp_listen(const struct node *node)
{
	json_t *addresses = json_array(), *view = json_pack("{s:o, s:i}", "addresses", addresses, "port", 0);
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	uint16_t port;

	for (unsigned i = 0; view && i < LISTENER_SOCKETS; i++) {
		if (!listener_socket(node->listener, i, &addr, &port))
			continue;
		json_array_append_new(addresses, json_string(addr_format(&addr, text)));
		json_object_set_new(view, "port", json_integer(port));
	}
	for (unsigned i = 0; view && i < LISTENER_RESULTS; i++) {
		enum listener_result result = (enum listener_result)i;

		json_object_set_new(view, listener_result_name(result),
				    json_integer((json_int_t)listener_count(node->listener, result)));
	}
	return view;
}

static json_t *
view_communities(const struct path *path)
{
	json_t *list = json_array();
	char text[COMMUNITY_TEXT_MAX];

	for (unsigned i = 0; i < path->n_communities; i++)
		json_array_append_new(list, json_string(community_format(path->communities[i], text)));
	for (unsigned i = 0; i < path->n_extended; i++)
		json_array_append_new(list, json_string(community_format_extended(path->extended[i], text)));
	for (unsigned i = 0; i < path->n_large; i++)
		json_array_append_new(list, json_string(community_format_large(&path->large[i], text)));
	return list;
}

/* The attributes as the peer gets them, put into the object. */
static void
put_path(json_t *view, const struct bgp_config *config, const struct path *path)
{
	static const char *const origins[] = {"igp", "egp", "incomplete"};
	char text[ADDR_TEXT_MAX];
	bool is_ibgp = config->peer_as == config->local_as;

	json_object_set_new(view, "next_hop",
			    json_string(path->next_hop.family == ADDR_NONE ? "self" : addr_format(&path->next_hop, text)));
	json_object_set_new(view, "origin", json_string(origins[path->origin % ARRAY_LEN(origins)]));
	json_object_set_new(view, "prepend", json_integer(path->prepend));
	json_object_set_new(view, "med", path->has_med ? json_integer(path->med) : json_null());
	json_object_set_new(view, "local_pref", is_ibgp ? json_integer(path->local_pref) : json_null());
	json_object_set_new(view, "communities", view_communities(path));
}

struct visit {
	const struct bgp_config *config;
	json_t *list;
};

/* A FlowSpec rule stands in the prefix's place. */
static void
name_route(const struct bgp_route_view *route, char *text, size_t room)
{
	struct reader r = reader_init(route->nlri, route->nlri_len);
	char prefix[PREFIX_TEXT_MAX];
	struct flowspec rule;

	if (route->family == BGP_V4 || route->family == BGP_V6)
		snprintf(text, room, "%s", prefix_format(&route->prefix, prefix));
	else if (flowspec_decode(&r, route->family == BGP_FLOW6 ? ADDR_V6 : ADDR_V4, &rule) == 0)
		flowspec_format(&rule, text, room);
	else
		snprintf(text, room, "a FlowSpec rule");
}

static bool
append_route(void *context, const struct bgp_route_view *route)
{
	static const char *const states[] = {
		[BGP_ROUTE_PENDING] = "pending", [BGP_ROUTE_TOLD] = "told", [BGP_ROUTE_LEAVING] = "leaving"};
	const struct visit *visit = context;
	char text[1024];
	json_t *view;

	name_route(route, text, sizeof(text));
	view = json_pack("{s:s, s:s, s:s}", "peer", visit->config->name, "prefix", text, "state", states[route->state]);
	if (route->path)
		put_path(view, visit->config, route->path);
	json_array_append_new(visit->list, view);
	return true;
}

void
view_bgp_routes(const struct node *node, unsigned peer, json_t *list)
{
	const struct bgp_session *session = peering_session(node->peering, peer);
	struct visit visit = {.config = bgp_session_config(session), .list = list};

	bgp_session_routes(session, append_route, &visit);
}

struct find {
	struct prefix prefix;
	bool found;
	enum bgp_route_state state;
};

static bool
find_route(void *context, const struct bgp_route_view *route)
{
	struct find *find = context;

	if ((route->family != BGP_V4 && route->family != BGP_V6) || !prefix_equal(&route->prefix, &find->prefix))
		return true;
	find->found = true;
	find->state = route->state;
	return false;
}

/* Why a route that is offered isn't known there yet. */
static const char *
waits_for(const struct node *node, unsigned peer, const struct announce_route *route)
{
	const struct bgp_session *session = peering_session(node->peering, peer);
	struct bgp_status status = bgp_session_status(session);
	struct find find = {.prefix = route->prefix};

	if (peering_is_shut(node->peering, peer))
		return "the session is shut down";
	if (status.bfd_down)
		return "BFD is down";
	if (status.state != BGP_ESTABLISHED)
		return "the session is not established";
	if (!status.negotiated.family[route->prefix.addr.family == ADDR_V6 ? BGP_V6 : BGP_V4])
		return "the peer does not take this address family";
	bgp_session_routes(session, find_route, &find);
	return find.found && find.state == BGP_ROUTE_TOLD ? NULL
							  : "not sent yet, or there is no next hop of this address family";
}

static json_t *
explain_peer(const struct node *node, unsigned peer, const struct announce_route *route)
{
	const struct bgp_config *config = bgp_session_config(peering_session(node->peering, peer));
	struct path path;
	enum announce_offer offer = announce_offer(node->model, route, peering_policy(node->peering, peer), &path);
	const char *waits = offer == ANNOUNCE_OFFERED ? waits_for(node, peer, route) : NULL;
	json_t *view = json_pack("{s:s, s:b, s:s}", "peer", config->name, "announced",
				 offer == ANNOUNCE_OFFERED && !waits, "reason",
				 waits			       ? waits
				 : offer == ANNOUNCE_WITHHELD ? announce_reason(route->standing.verdict)
							      : announce_offer_reason(offer));

	if (offer == ANNOUNCE_OFFERED)
		put_path(view, config, &path);
	if (originating_is_blackhole(node, &route->prefix, peer))
		json_object_set_new(view, "reason", json_string("a blackhole by the operator: `nearcastctl bgp blackhole`"));
	return view;
}

/* What the operator said by hand, and for how long it still holds. */
static void
put_hand(const struct node *node, const char *prefix, json_t *view)
{
	uint64_t until_s = 0, now_s = (uint64_t)time(NULL);
	enum admin_hand hand = admin_hand(node->admin, prefix, &until_s);

	json_object_set_new(view, "by_hand",
			    json_string(hand == ADMIN_HAND_NONE	      ? "no"
					: hand == ADMIN_HAND_ANNOUNCE ? "announced"
								      : "withdrawn"));
	json_object_set_new(view, "by_hand_left_s",
			    json_integer(until_s > now_s ? (json_int_t)(until_s - now_s) : 0));
}

json_t *
view_bgp_explain(const struct node *node, unsigned index)
{
	const struct announce_route *route = routes_at(node->routes, index);
	uint64_t held_ns = routes_held_ns(node->routes, index), now_ns = clock_now_ns();
	char text[PREFIX_TEXT_MAX], sum[PREFIX_TEXT_MAX];
	json_t *peers = json_array(), *view;

	for (unsigned i = 0; i < peering_count(node->peering); i++)
		json_array_append_new(peers, explain_peer(node, i, route));
	prefix_format(&route->prefix, text);
	view = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:o}", "prefix", text, "vip",
			 route->vip ? route->vip->name : "", "state",
			 route->standing.verdict == ANNOUNCE_YES ? "announced" : "withdrawn", "reason",
			 announce_reason(route->standing.verdict), "degraded", route->standing.is_degraded, "leaving",
			 route->standing.is_leaving, "held_s",
			 held_ns > now_ns ? (json_int_t)((held_ns - now_ns) / CLOCK_NS_PER_S + 1) : (json_int_t)0,
			 "aggregate", route->vip && route->sum ? prefix_format(&route->sum->prefix, sum) : "", "peers",
			 peers);
	if (view)
		put_hand(node, text, view);
	return view;
}

json_t *
view_bgp_log(const struct node *node, uint64_t after)
{
	json_t *list = json_array();
	const struct journal_entry *entry;

	for (; (entry = journal_after(node->journal, after)) != NULL; after = entry->id)
		json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:s, s:s}", "id", (json_int_t)entry->id, "time_ms",
						      (json_int_t)entry->time_ms, "kind", entry->kind, "subject",
						      entry->subject, "text", entry->text));
	return list;
}
