/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/damping.h"

struct entry {
	struct announce_route route;
	struct damping damping; /* of a VIP */
	unsigned n_members;	/* of an aggregate: VIPs inside that are announced */
	unsigned n_degraded;
	enum announce_verdict before; /* of one that has just changed */
};

struct routes {
	struct peering *peering;
	struct journal *journal;
	routes_speaks *speaks; /* NULL: nobody else does */
	void *speaks_context;
	const struct model *model; /* NULL: not yet */
	unsigned n;		   /* model->n_vips + model->n_aggregates */
	struct entry *entries;
	struct entry **sorted; /* by prefix */
	struct entry **changed; /* by the update that goes on: n_changed of them */
	unsigned n_changed;
};

static int
compare(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return prefix_compare(&(*x)->route.prefix, &(*y)->route.prefix);
}

static struct entry *
entry_lookup(const struct routes *routes, const struct prefix *prefix)
{
	const struct entry key = {.route.prefix = *prefix}, *at = &key;
	struct entry **found = routes->n ? bsearch(&at, routes->sorted, routes->n, sizeof(*routes->sorted), compare) : NULL;

	return found ? *found : NULL;
}

/* To one peer, as it should know it now: what it knows already causes no message. */
static void
tell_peer(struct routes *routes, const struct announce_route *route, unsigned peer)
{
	const char *name = bgp_session_config(peering_session(routes->peering, peer))->name;
	char text[PREFIX_TEXT_MAX];
	enum announce_offer offer;
	struct path path;

	if (routes->speaks && routes->speaks(routes->speaks_context, &route->prefix, peer))
		return;
	offer = announce_offer(routes->model, route, peering_policy(routes->peering, peer), &path);
	if (offer == ANNOUNCE_CROWDED)
		log_error("bgp %s: %s: %s; withdrawn", name, prefix_format(&route->prefix, text),
			  announce_offer_reason(offer));
	if (offer != ANNOUNCE_OFFERED)
		peering_withdraw(routes->peering, peer, &route->prefix);
	else if (peering_announce(routes->peering, peer, &route->prefix, &path) != 0)
		log_error("bgp %s: %s can't be announced: out of memory, or too many routes", name,
			  prefix_format(&route->prefix, text));
}

/* A peer hears of all routes before the next one does: what is known of one peer stays in the cache until it is sent. */
static void
tell_all(struct routes *routes, struct entry *const *list, unsigned n)
{
	for (unsigned i = 0; i < peering_count(routes->peering); i++) {
		for (unsigned k = 0; k < n; k++)
			tell_peer(routes, &list[k]->route, i);
		peering_flush(routes->peering, i);
	}
}

static void
on_joined(void *context, const struct bgp_session *session)
{
	struct routes *routes = context;
	int peer = peering_lookup(routes->peering, bgp_session_config(session)->name);

	for (unsigned i = 0; peer >= 0 && i < routes->n; i++)
		tell_peer(routes, &routes->entries[i].route, (unsigned)peer);
}

struct routes *
routes_new(struct peering *peering, struct journal *journal)
{
	static const struct peering_watcher watcher = {.joined = on_joined};
	struct routes *routes = calloc(1, sizeof(*routes));

	if (!routes)
		return NULL;
	routes->peering = peering;
	routes->journal = journal;
	if (peering_watch(peering, &watcher, routes) != 0) {
		free(routes);
		return NULL;
	}
	return routes;
}

void
routes_yield(struct routes *routes, routes_speaks *speaks, void *context)
{
	routes->speaks = speaks;
	routes->speaks_context = context;
}

void
routes_tell(struct routes *routes, const struct prefix *prefix, unsigned peer)
{
	const struct entry *entry = entry_lookup(routes, prefix);

	if (entry)
		tell_peer(routes, &entry->route, peer);
	else
		peering_withdraw(routes->peering, peer, prefix);
}

void
routes_free(struct routes *routes)
{
	if (!routes)
		return;
	free(routes->entries);
	free(routes->sorted);
	free(routes->changed);
	free(routes);
}

static const struct model_aggregate *
aggregate_of(const struct model *model, const struct prefix *prefix)
{
	for (unsigned i = 0; i < model->n_aggregates; i++) {
		const struct prefix *sum = &model->aggregates[i].prefix;

		if (sum->len < prefix->len && prefix_contains(sum, &prefix->addr))
			return &model->aggregates[i];
	}
	return NULL;
}

static struct announce_route
route_of(const struct model *model, unsigned index)
{
	struct announce_route route = {.standing.verdict = ANNOUNCE_NOT_SERVED};

	if (index < model->n_vips) {
		route.vip = &model->vips[index];
		route.prefix = route.vip->prefix;
		route.sum = aggregate_of(model, &route.prefix);
	} else {
		route.sum = &model->aggregates[index - model->n_vips];
		route.prefix = route.sum->prefix;
		route.standing.verdict = ANNOUNCE_NO_MEMBER;
	}
	return route;
}

static void
withdraw_gone(struct routes *old, const struct routes *fresh, bool *gone)
{
	for (unsigned i = 0; i < old->n; i++) {
		const struct announce_route *route = &old->entries[i].route;
		char text[PREFIX_TEXT_MAX];

		if (entry_lookup(fresh, &route->prefix))
			continue;
		*gone |= route->standing.verdict == ANNOUNCE_YES;
		journal_add(old->journal, "route", prefix_format(&route->prefix, text), "withdrawn: no longer configured");
		for (unsigned k = 0; k < peering_count(old->peering); k++)
			peering_withdraw(old->peering, k, &route->prefix);
	}
}

int
routes_adopt(struct routes *routes, const struct model *model, bool *gone)
{
	struct routes fresh = *routes;

	fresh.model = model;
	fresh.n = model->n_vips + model->n_aggregates;
	fresh.entries = calloc(fresh.n + 1, sizeof(*fresh.entries));
	fresh.sorted = calloc(fresh.n + 1, sizeof(*fresh.sorted));
	fresh.changed = calloc(fresh.n + 1, sizeof(*fresh.changed));
	if (!fresh.entries || !fresh.sorted || !fresh.changed) {
		free(fresh.entries);
		free(fresh.sorted);
		free(fresh.changed);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < fresh.n; i++) {
		struct entry *entry = &fresh.entries[i], *before;

		entry->route = route_of(model, i);
		fresh.sorted[i] = entry;
		before = entry_lookup(routes, &entry->route.prefix);
		/* One that was an aggregate and is a VIP now has nothing in common but its octets. */
		if (before && !before->route.vip == !entry->route.vip) {
			entry->route.standing = before->route.standing;
			entry->damping = before->damping;
		}
	}
	qsort(fresh.sorted, fresh.n, sizeof(*fresh.sorted), compare);
	*gone = false;
	withdraw_gone(routes, &fresh, gone);
	free(routes->entries);
	free(routes->sorted);
	free(routes->changed);
	*routes = fresh;
	tell_all(routes, routes->sorted, routes->n);
	return 0;
}

static struct announce_standing
vip_standing(struct entry *entry, const struct announce_facts *facts, unsigned vip, uint64_t now_ns, uint64_t *again_ns)
{
	struct announce_standing standing = {.verdict = announce_decide(facts, vip), .is_leaving = facts->leaving};
	bool is_well = standing.verdict == ANNOUNCE_YES;

	*again_ns = UINT64_MAX;
	/* Other verdicts are somebody's word, and say nothing of whether it flaps; an announcement by hand is one, too. */
	if ((is_well || announce_is_lost(standing.verdict)) && facts->hands[vip] == ANNOUNCE_HAND_NONE) {
		switch (damping_judge(&entry->damping, &entry->route.vip->damping, is_well, now_ns, again_ns)) {
		case DAMPING_RISING:
			standing.verdict = ANNOUNCE_RISING;
			break;
		case DAMPING_HELD:
			standing.verdict = is_well ? ANNOUNCE_HELD : standing.verdict;
			break;
		case DAMPING_PASS:
			break;
		}
	}
	standing.is_degraded = standing.verdict == ANNOUNCE_YES && announce_is_degraded(facts, vip);
	return standing;
}

/* A VIP counts for the aggregate around it. */
static void
member_count(struct routes *routes, const struct announce_route *vip)
{
	struct entry *sum;

	if (!vip->sum || vip->standing.verdict != ANNOUNCE_YES)
		return;
	sum = &routes->entries[routes->model->n_vips + (unsigned)(vip->sum - routes->model->aggregates)];
	sum->n_members++;
	sum->n_degraded += vip->standing.is_degraded;
}

/* While any VIP inside is announced; degraded when all that are, are. */
static struct announce_standing
aggregate_standing(const struct entry *entry, const struct announce_facts *facts, enum announce_hand hand)
{
	struct announce_standing standing = {.verdict = entry->n_members ? ANNOUNCE_YES : ANNOUNCE_NO_MEMBER,
					     .is_degraded = entry->n_members && entry->n_members == entry->n_degraded,
					     .is_leaving = facts->leaving};

	if (hand == ANNOUNCE_HAND_NO)
		standing.verdict = ANNOUNCE_BY_HAND;
	else if (facts->draining)
		standing.verdict = ANNOUNCE_DRAINING;
	else if (!facts->dataplane_alive)
		standing.verdict = ANNOUNCE_NO_DATAPLANE;
	else if (hand == ANNOUNCE_HAND_YES)
		standing.verdict = ANNOUNCE_YES;
	return standing;
}

static bool
standing_equal(const struct announce_standing *a, const struct announce_standing *b)
{
	return a->verdict == b->verdict && a->is_degraded == b->is_degraded && a->is_leaving == b->is_leaving;
}

static void
change(struct routes *routes, struct entry *entry, const struct announce_standing *now)
{
	entry->before = entry->route.standing.verdict;
	entry->route.standing = *now;
	routes->changed[routes->n_changed++] = entry;
}

static void
change_note(struct routes *routes, const struct entry *entry)
{
	const struct announce_route *route = &entry->route;
	const struct announce_standing *now = &route->standing;
	const char *how = now->verdict != ANNOUNCE_YES ? ""
			  : now->is_leaving	       ? ", with graceful shutdown"
			  : now->is_degraded	       ? ", degraded"
						       : "";
	char text[PREFIX_TEXT_MAX];

	prefix_format(&route->prefix, text);
	log_notice("%s %s: %s%s", route->vip ? "vip" : "aggregate", route->vip ? route->vip->name : text,
		   announce_reason(now->verdict), how);
	journal_add(routes->journal, "route", text, "%s%s%s",
		    now->verdict == ANNOUNCE_YES || entry->before != ANNOUNCE_YES ? "" : "withdrawn: ",
		    announce_reason(now->verdict), how);
}

/* Routers first: a thousand lines of log take their time. */
static void
changes_tell(struct routes *routes)
{
	tell_all(routes, routes->changed, routes->n_changed);
	for (unsigned i = 0; i < routes->n_changed; i++)
		change_note(routes, routes->changed[i]);
}

uint64_t
routes_update(struct routes *routes, const struct announce_facts *facts, uint64_t now_ns)
{
	uint64_t earliest_ns = UINT64_MAX, again_ns;

	routes->n_changed = 0;
	for (unsigned i = routes->model->n_vips; i < routes->n; i++)
		routes->entries[i].n_members = routes->entries[i].n_degraded = 0;
	for (unsigned i = 0; i < routes->n; i++) {
		struct entry *entry = &routes->entries[i];
		struct announce_standing now;

		if (entry->route.vip) {
			now = vip_standing(entry, facts, i, now_ns, &again_ns);
			earliest_ns = again_ns < earliest_ns ? again_ns : earliest_ns;
		} else {
			now = aggregate_standing(entry, facts, (enum announce_hand)facts->hands[i]);
		}
		if (!standing_equal(&now, &entry->route.standing))
			change(routes, entry, &now);
		if (entry->route.vip)
			member_count(routes, &entry->route);
	}
	changes_tell(routes);
	return earliest_ns;
}

unsigned
routes_count(const struct routes *routes)
{
	return routes->n;
}

const struct announce_route *
routes_at(const struct routes *routes, unsigned index)
{
	return &routes->entries[index].route;
}

uint64_t
routes_held_ns(const struct routes *routes, unsigned index)
{
	return routes->entries[index].damping.held_until_ns;
}

int
routes_lookup(const struct routes *routes, const struct prefix *prefix)
{
	const struct entry *entry = entry_lookup(routes, prefix);

	return entry ? (int)(entry - routes->entries) : -ENOENT;
}
