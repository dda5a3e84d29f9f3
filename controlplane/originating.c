/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/originating.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/node.h"

static const char *const kind_names[ORIGINATE_KINDS] = {"flowspec", "blackhole"};

bool
originating_is_ours(const struct node *node, const struct prefix *prefix)
{
	const struct model *model = node->model;

	for (unsigned i = 0; model && i < model->n_vips + model->n_aggregates; i++) {
		const struct prefix *ours =
			i < model->n_vips ? &model->vips[i].prefix : &model->aggregates[i - model->n_vips].prefix;

		if (ours->len <= prefix->len && prefix_contains(ours, &prefix->addr))
			return true;
	}
	return false;
}

bool
originating_is_for(const struct node *node, const struct origin *origin, unsigned peer)
{
	const struct bgp_config *config = bgp_session_config(peering_session(node->peering, peer));

	if (origin->peer[0] && strcmp(origin->peer, config->name) != 0)
		return false;
	return origin->kind == ORIGINATE_FLOWSPEC ? config->flowspec : originating_is_ours(node, &origin->prefix);
}

bool
originating_is_blackhole(const struct node *node, const struct prefix *prefix, unsigned peer)
{
	int at = originate_blackhole(node->originate, prefix);

	return at >= 0 && originating_is_for(node, originate_at(node->originate, (unsigned)at), peer);
}

/* Routes leave such a prefix alone. */
static bool
speaks(void *context, const struct prefix *prefix, unsigned peer)
{
	return originating_is_blackhole(context, prefix, peer);
}

/* path NULL: withdraws. */
static int
rule_tell(struct node *node, unsigned peer, const struct flowspec *rule, const struct path *path)
{
	uint8_t octets[2 + FLOWSPEC_OCTETS_MAX];
	struct writer w = writer_init(octets, sizeof(octets));
	struct peering_nlri nlri = {.family = rule->family == ADDR_V6 ? BGP_FLOW6 : BGP_FLOW4, .octets = octets};

	flowspec_encode(rule, &w);
	nlri.len = written_since(&w, octets);
	if (path)
		return peering_announce_nlri(node->peering, peer, &nlri, path);
	peering_withdraw_nlri(node->peering, peer, &nlri);
	return 0;
}

static int
prefix_tell(struct node *node, unsigned peer, const struct prefix *prefix, const struct path *path)
{
	if (path)
		return peering_announce(node->peering, peer, prefix, path);
	routes_tell(node->routes, prefix, peer);
	return 0;
}

/* As the peer should know it now: what it knows already causes no message. */
static void
tell(struct node *node, const struct origin *origin, unsigned peer, bool is_there)
{
	const struct bgp_config *config = bgp_session_config(peering_session(node->peering, peer));
	bool is_wanted = is_there && originating_is_for(node, origin, peer);
	struct path path;
	int err = is_wanted ? originate_path(origin, config->local_as, &path) : 0;

	if (!err && origin->kind == ORIGINATE_FLOWSPEC)
		err = rule_tell(node, peer, &origin->rule, is_wanted ? &path : NULL);
	else if (!err)
		err = prefix_tell(node, peer, &origin->prefix, is_wanted ? &path : NULL);
	if (err)
		log_error("bgp %s: a %s can't be announced: %s", config->name, kind_names[origin->kind], strerror(-err));
}

static void
tell_all(struct node *node, const struct origin *origin, bool is_there)
{
	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		tell(node, origin, i, is_there);
		peering_flush(node->peering, i);
	}
}

static void
on_joined(void *context, const struct bgp_session *session)
{
	struct node *node = context;
	int peer = peering_lookup(node->peering, bgp_session_config(session)->name);

	for (unsigned i = 0; peer >= 0 && i < originate_count(node->originate); i++)
		tell(node, originate_at(node->originate, i), (unsigned)peer, true);
}

int
originating_new(struct node *node)
{
	static const struct peering_watcher watcher = {.joined = on_joined};
	char state[128];

	snprintf(state, sizeof(state), "%s.originated", node->model->control_socket);
	node->originate = originate_new(state);
	if (!node->originate)
		return -ENOMEM;
	routes_yield(node->routes, speaks, node);
	return peering_watch(node->peering, &watcher, node);
}

void
originating_free(struct node *node)
{
	originate_free(node->originate);
}

void
originating_adopt(struct node *node)
{
	for (unsigned i = 0; i < originate_count(node->originate); i++)
		tell_all(node, originate_at(node->originate, i), true);
}

static void
note(struct node *node, const struct origin *origin, const char *what)
{
	char text[256];

	originate_format(origin, text, sizeof(text));
	log_notice("%s %s: %s", kind_names[origin->kind], text, what);
	journal_add(node->journal, kind_names[origin->kind], origin->peer[0] ? origin->peer : "all", "%s: %s", text, what);
}

int
originating_announce(struct node *node, const struct origin *origin)
{
	int err = originate_set(node->originate, origin);

	if (err)
		return err;
	note(node, origin, "announced by the operator");
	tell_all(node, origin, true);
	return 0;
}

void
originating_withdraw(struct node *node, unsigned index, const char *why)
{
	struct origin origin = *originate_at(node->originate, index);

	originate_remove(node->originate, index);
	note(node, &origin, why);
	tell_all(node, &origin, false);
}

void
originating_tick(struct node *node, uint64_t now_s)
{
	int at;

	while ((at = originate_due(node->originate, now_s)) >= 0)
		originating_withdraw(node, (unsigned)at, "withdrawn: its time is over");
}

struct count {
	const struct originate *originate;
	unsigned *told;
};

static bool
is_blackhole(const struct path *path)
{
	for (unsigned i = 0; path && i < path->n_communities; i++) {
		if (path->communities[i] == BGP_BLACKHOLE)
			return true;
	}
	return false;
}

static int
index_of(const struct originate *originate, const struct bgp_route_view *route)
{
	struct reader r = reader_init(route->nlri, route->nlri_len);
	struct flowspec rule;

	if (route->family != BGP_FLOW4 && route->family != BGP_FLOW6)
		return is_blackhole(route->path) ? originate_blackhole(originate, &route->prefix) : -ENOENT;
	if (flowspec_decode(&r, route->family == BGP_FLOW6 ? ADDR_V6 : ADDR_V4, &rule) != 0)
		return -ENOENT;
	return originate_rule(originate, &rule);
}

static bool
count_route(void *context, const struct bgp_route_view *route)
{
	const struct count *count = context;
	int at = route->state == BGP_ROUTE_TOLD ? index_of(count->originate, route) : -ENOENT;

	if (at >= 0)
		count->told[at]++;
	return true;
}

void
originating_count(const struct node *node, unsigned told[static ORIGINATE_MAX])
{
	struct count count = {.originate = node->originate, .told = told};

	memset(told, 0, ORIGINATE_MAX * sizeof(*told));
	for (unsigned i = 0; i < peering_count(node->peering); i++)
		bgp_session_routes(peering_session(node->peering, i), count_route, &count);
}
