/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/announcing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/dynamic.h"
#include "controlplane/methods.h"
#include "controlplane/node.h"
#include "controlplane/totals.h"

static const char ending[] = "nearcast ends";

/* Packets for a VIP whose tables go reach the node until its routers know: they are served meanwhile. */
static const struct timeval GOODBYE = {.tv_sec = 1};

static void
on_joined(void *context, const struct bgp_session *session)
{
	const struct bgp_config *config = bgp_session_config(session);
	struct node *node = context;
	char text[ADDR_TEXT_MAX];

	journal_add(node->journal, "session", config->name, "%s: %s, AS %u",
		    dynamic_is_one(config) ? "came by itself" : "configured", addr_format(&config->peer, text),
		    config->peer_as);
}

static void
on_left(void *context, const struct bgp_session *session)
{
	const struct bgp_config *config = bgp_session_config(session);
	struct node *node = context;

	journal_add(node->journal, "session", config->name,
		    dynamic_is_one(config) ? "gone, or its range is no longer configured so" : "no longer configured so");
}

/* Established, and the end of it; what happens before is shown by `bgp peers`. */
static void
on_state(void *context, const struct bgp_session *session, enum bgp_state old, enum bgp_state now)
{
	const char *name = bgp_session_config(session)->name;
	struct bgp_status status = bgp_session_status(session);
	struct node *node = context;

	if (now == BGP_ESTABLISHED)
		journal_add(node->journal, "session", name, "established: hold %us", status.hold_s);
	else if (old == BGP_ESTABLISHED && status.last_error.code)
		journal_add(node->journal, "session", name, "down: %s, %s%s%s",
			    bgp_error_name(&status.last_error), status.last_error_ours ? "by us" : "by the peer",
			    status.last_error_ours || !status.text[0] ? "" : ": ",
			    status.last_error_ours ? "" : status.text);
	else if (old == BGP_ESTABLISHED)
		journal_add(node->journal, "session", name, "down: the connection ended");
	methods_progress(node->methods);
}

static bool
may_start(void *context, const char *peer)
{
	const struct node *node = context;

	return !admin_shut(node->admin, peer);
}

static void
on_again(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	node_changed(context);
}

int
announcing_new(struct node *node)
{
	static const struct peering_watcher watcher = {.joined = on_joined, .left = on_left, .state = on_state};
	bool withdrawn = admin_node_withdrawn(node->admin);

	node->journal = journal_new();
	node->peering = peering_new(node->base, may_start, node);
	node->again = evtimer_new(node->base, on_again, node);
	if (!node->journal || !node->peering || !node->again)
		return -ENOMEM;
	node->monitor = monitor_new(node->base, node->peering);
	if (!node->monitor)
		return -ENOMEM;
	node->routes = routes_new(node->peering, node->journal);
	node->listener = listener_new(node->base, node->peering);
	node->bfd = bfd_peers_new(node->base, node->peering, node->journal);
	if (!node->routes || !node->listener || !node->bfd || peering_watch(node->peering, &watcher, node) != 0)
		return -ENOMEM;
	if (admin_node_draining(node->admin))
		drain_begin(&node->drain, withdrawn ? DRAIN_WITHDRAWN : DRAIN_LEAVING, clock_now_ns());
	return 0;
}

void
announcing_free(struct node *node)
{
	listener_free(node->listener);
	if (node->peering)
		peering_end(node->peering, ending);
	peering_free(node->peering);
	bfd_peers_free(node->bfd);
	monitor_free(node->monitor);
	routes_free(node->routes);
	if (node->again)
		event_free(node->again);
	journal_free(node->journal);
	free(node->hands);
}

int
announcing_adopt(struct node *node, const struct model *model, struct config_errors *errors)
{
	uint8_t *hands = calloc(model->n_vips + model->n_aggregates + 1, sizeof(*hands));
	bool gone = false;
	int err = hands ? listener_apply(node->listener, node->config_path, model, errors) : -ENOMEM;

	/* Those who watch come first: they miss nothing of new sessions. */
	if (!err)
		monitor_apply(node->monitor, model);
	if (!err)
		err = peering_apply(node->peering, model);
	if (!err)
		err = routes_adopt(node->routes, model, &gone);
	if (err) {
		free(hands);
		return err;
	}
	bfd_peers_apply(node->bfd);
	free(node->hands);
	node->hands = hands;
	if (gone && node->dataplane_alive)
		event_add(node->reconcile, &GOODBYE);
	return 0;
}

void
announcing_start(struct node *node)
{
	peering_start(node->peering);
	listener_start(node->listener);
}

static void
hands_gather(struct node *node)
{
	char text[PREFIX_TEXT_MAX];
	uint64_t until_s;

	for (unsigned i = 0; i < routes_count(node->routes); i++) {
		enum admin_hand hand = ADMIN_HAND_NONE;

		if (admin_has_hands(node->admin))
			hand = admin_hand(node->admin, prefix_format(&routes_at(node->routes, i)->prefix, text), &until_s);
		node->hands[i] = (uint8_t)(hand == ADMIN_HAND_ANNOUNCE	 ? ANNOUNCE_HAND_YES
					   : hand == ADMIN_HAND_WITHDRAW ? ANNOUNCE_HAND_NO
									 : ANNOUNCE_HAND_NONE);
	}
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

void
announcing_want(struct node *node, const struct facts *facts)
{
	const struct model *model = node->model;

	hands_gather(node);
	node->n_wanted = 0;
	for (unsigned i = 0; i < model->n_vips; i++) {
		if (announce_can(&model->vips[i], &facts->services[i], (enum announce_hand)node->hands[i]))
			node->wanted[node->n_wanted++] = model->vips[i].prefix;
	}
	qsort(node->wanted, node->n_wanted, sizeof(*node->wanted), compare);
}

void
announcing_update(struct node *node, const struct facts *facts)
{
	struct announce_facts in = {.model = node->model,
				    .services = facts->services,
				    .hands = node->hands,
				    .dataplane_alive = node->dataplane_alive,
				    .leaving = node->drain.step == DRAIN_LEAVING,
				    .draining = node->drain.step >= DRAIN_WITHDRAWN,
				    .served = node->served,
				    .n_served = node->n_served};
	uint64_t now_ns = clock_now_ns(), again_ns, wait_ns;

	hands_gather(node);
	again_ns = routes_update(node->routes, &in, now_ns);
	if (again_ns != UINT64_MAX) {
		wait_ns = again_ns > now_ns ? again_ns - now_ns : 0;
		event_add(node->again, &(struct timeval){.tv_sec = (time_t)(wait_ns / CLOCK_NS_PER_S),
							 .tv_usec = (suseconds_t)(wait_ns % CLOCK_NS_PER_S / 1000 + 1)});
	}
	methods_progress(node->methods);
}

static bool
is_heard(const struct node *node)
{
	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		if (bgp_session_status(peering_session(node->peering, i)).advertised > 0)
			return true;
	}
	return false;
}

/* After a start, nobody has been told anything yet: there is somebody to say goodbye to when a session may come up. */
static void
drain_go_on(struct node *node)
{
	uint64_t forwarded = totals_verdict(publish_counters(node->publish), VERDICT_FORWARDED);
	uint64_t now_ns = clock_now_ns(), timeout_ns = node->model->drain.timeout_s * CLOCK_NS_PER_S;
	bool is_young = now_ns - node->drain.since_ns < 2 * CLOCK_NS_PER_S;

	if (!drain_tick(&node->drain, forwarded, is_young || is_heard(node), timeout_ns, now_ns))
		return;
	log_notice("node: drain: %s", drain_step_name(node->drain.step));
	journal_add(node->journal, "node", node->model->node_name, "drain: %s", drain_step_name(node->drain.step));
	if (node->drain.step == DRAIN_WITHDRAWN && admin_set_withdrawn(node->admin) != 0)
		log_warning("the state file can't be written: a restart begins the drain anew");
	node_changed(node);
	methods_progress(node->methods);
}

void
announcing_tick(struct node *node)
{
	drain_go_on(node);
	listener_tick(node->listener, clock_now_ns());
	if (admin_expire_hands(node->admin, (uint64_t)time(NULL)))
		node_changed(node);
}

int
announcing_drain(struct node *node, bool draining, bool at_once)
{
	int err;

	/* Said twice, it goes on from where it is, unless it is to go at once now. */
	if (draining && !at_once && node->drain.step != DRAIN_NONE)
		return 0;
	err = admin_set_node(node->admin, draining);
	if (!err && draining && at_once)
		err = admin_set_withdrawn(node->admin);
	if (err)
		return err;
	drain_begin(&node->drain, !draining ? DRAIN_NONE : at_once ? DRAIN_WITHDRAWN : DRAIN_LEAVING, clock_now_ns());
	journal_add(node->journal, "node", node->model->node_name, "%s by the operator",
		    draining ? "drained" : "undrained");
	node_changed(node);
	return 0;
}

int
announcing_hand(struct node *node, const struct prefix *prefix, enum admin_hand hand, uint64_t for_s)
{
	static const char *const words[] = {"left to policy", "to be announced", "to be withdrawn"};
	uint64_t until_s = for_s ? (uint64_t)time(NULL) + for_s : 0;
	char text[PREFIX_TEXT_MAX];
	int err;

	if (routes_lookup(node->routes, prefix) < 0)
		return -ENOENT;
	prefix_format(prefix, text);
	err = admin_set_hand(node->admin, text, hand, until_s);
	if (err)
		return err;
	log_notice("%s: %s by the operator", text, words[hand]);
	journal_add(node->journal, "route", text, "%s by the operator", words[hand]);
	node_changed(node);
	return 0;
}

int
announcing_shut(struct node *node, const char *peer, const char *reason)
{
	int index = peering_lookup(node->peering, peer), err;

	if (index < 0)
		return -ENOENT;
	err = admin_set_shut(node->admin, peer, reason);
	if (err)
		return err;
	log_notice("bgp %s: %s by the operator", peer, reason ? "shut down" : "opened");
	journal_add(node->journal, "session", peer, "%s by the operator%s%s", reason ? "shut down" : "opened",
		    reason && *reason ? ": " : "", reason ? reason : "");
	if (reason)
		peering_shut(node->peering, (unsigned)index, *reason ? reason : NULL);
	else
		peering_open(node->peering, (unsigned)index);
	return 0;
}

static bool
is_told(void *context, const struct bgp_route_view *route)
{
	bool *all = context;

	*all &= route->state == BGP_ROUTE_TOLD;
	return *all;
}

bool
announcing_is_settled(const struct node *node)
{
	bool all = true;

	for (unsigned i = 0; all && i < peering_count(node->peering); i++)
		bgp_session_routes(peering_session(node->peering, i), is_told, &all);
	return all;
}
