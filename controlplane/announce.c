/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/announce.h"

#include <stdlib.h>
#include <string.h>

void
announce_count(const struct model *model, const bool *pool_serves, const uint8_t *pool_percent,
	       struct announce_services *out)
{
	for (unsigned i = 0; i < model->n_vips; i++)
		out[i] = (struct announce_services){.percent = 100};
	for (unsigned i = 0; i < model->n_services; i++) {
		struct announce_services *of = &out[model->services[i].vip];
		unsigned pool = model->services[i].pool;

		of->all++;
		of->serving += pool_serves[pool];
		if (pool_percent[pool] < of->percent)
			of->percent = pool_percent[pool];
	}
}

static enum model_announce
effective(const struct model_vip *vip, enum announce_hand hand)
{
	return hand == ANNOUNCE_HAND_YES ? MODEL_ANNOUNCE_ALWAYS : vip->announce;
}

bool
announce_can(const struct model_vip *vip, const struct announce_services *services, enum announce_hand hand)
{
	switch (effective(vip, hand)) {
	case MODEL_ANNOUNCE_ALL:
		return services->all > 0 && services->serving == services->all;
	case MODEL_ANNOUNCE_ANY:
		return services->serving > 0;
	case MODEL_ANNOUNCE_ALWAYS:
		return true;
	default:
		return false;
	}
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

enum announce_verdict
announce_decide(const struct announce_facts *facts, unsigned vip)
{
	const struct model_vip *v = &facts->model->vips[vip];
	enum announce_hand hand = (enum announce_hand)facts->hands[vip];

	if (hand == ANNOUNCE_HAND_NO)
		return ANNOUNCE_BY_HAND;
	if (effective(v, hand) == MODEL_ANNOUNCE_NEVER)
		return ANNOUNCE_NEVER;
	if (facts->draining)
		return ANNOUNCE_DRAINING;
	if (!facts->dataplane_alive)
		return ANNOUNCE_NO_DATAPLANE;
	if (!announce_can(v, &facts->services[vip], hand))
		return facts->services[vip].all ? ANNOUNCE_POOL_DOWN : ANNOUNCE_NO_SERVICE;
	if (facts->n_served == 0 ||
	    !bsearch(&v->prefix, facts->served, facts->n_served, sizeof(*facts->served), compare))
		return ANNOUNCE_NOT_SERVED;
	return ANNOUNCE_YES;
}

bool
announce_is_degraded(const struct announce_facts *facts, unsigned vip)
{
	return facts->services[vip].percent < facts->model->vips[vip].degraded.below_percent;
}

bool
announce_is_lost(enum announce_verdict verdict)
{
	return verdict == ANNOUNCE_POOL_DOWN || verdict == ANNOUNCE_NO_DATAPLANE;
}

const char *
announce_reason(enum announce_verdict verdict)
{
	static const char *const reasons[] = {
		[ANNOUNCE_YES] = "announced",
		[ANNOUNCE_NEVER] = "announce: never",
		[ANNOUNCE_BY_HAND] = "withdrawn by hand",
		[ANNOUNCE_DRAINING] = "node is draining",
		[ANNOUNCE_NO_DATAPLANE] = "dataplane is not there",
		[ANNOUNCE_NO_SERVICE] = "no service on it",
		[ANNOUNCE_POOL_DOWN] = "too few healthy backends that packets can reach",
		[ANNOUNCE_NOT_SERVED] = "workers don't serve it yet",
		[ANNOUNCE_RISING] = "well again, but not for long enough yet",
		[ANNOUNCE_HELD] = "held down: it flapped",
		[ANNOUNCE_NO_MEMBER] = "no VIP inside is announced",
	};

	return reasons[verdict];
}

static bool
add_communities(struct path *path, const struct path *more)
{
	int err = 0;

	for (unsigned i = 0; i < more->n_communities; i++)
		err |= path_add_community(path, more->communities[i]);
	for (unsigned i = 0; i < more->n_extended; i++)
		err |= path_add_extended(path, more->extended[i]);
	for (unsigned i = 0; i < more->n_large; i++)
		err |= path_add_large(path, &more->large[i]);
	return err == 0;
}

/* One layer over those before: what it says replaces, communities add up. */
static bool
lay(struct path *path, const struct model_path *layer, uint8_t family)
{
	if (layer->marks & MODEL_PATH_MED) {
		path->med = layer->path.med;
		path->has_med = true;
	}
	if (layer->marks & MODEL_PATH_LOCAL_PREF)
		path->local_pref = layer->path.local_pref;
	if (layer->marks & MODEL_PATH_PREPEND)
		path->prepend = layer->path.prepend;
	if (layer->marks & MODEL_PATH_ORIGIN)
		path->origin = layer->path.origin;
	if (layer->marks & MODEL_PATH_NEXT_HOP)
		path->next_hop = family == ADDR_V6 ? layer->next_hop_v6 : layer->next_hop_v4;
	return add_communities(path, &layer->path);
}

static const struct model_vip_peer *
override_of(const struct announce_route *route, const char *group)
{
	for (unsigned i = 0; route->vip && i < route->vip->n_peers; i++) {
		if (strcmp(route->vip->peers[i].name, group) == 0)
			return &route->vip->peers[i];
	}
	return NULL;
}

/* From what is said of all to what is said of this route at this peer; then what makes it worse for a while. */
static bool
compose(const struct model *model, const struct announce_route *route, const struct model_peer *peer,
	const struct model_vip_peer *own, struct path *path)
{
	uint8_t family = route->prefix.addr.family;
	bool fits;

	path_init(path);
	fits = lay(path, &model->path, family) && lay(path, &peer->path, family) &&
	       lay(path, route->vip ? &route->vip->path : &route->sum->path, family);
	if (fits && own)
		fits = lay(path, &own->path, family);
	if (fits && route->standing.is_degraded)
		fits = lay(path, route->vip ? &route->vip->degraded.path : &model->degraded.path, family);
	if (fits && route->standing.is_leaving)
		fits = lay(path, &model->drain.path, family) && path_add_community(path, BGP_GRACEFUL_SHUTDOWN) == 0;
	return fits;
}

enum announce_offer
announce_offer(const struct model *model, const struct announce_route *route, const struct model_peer *peer,
	       struct path *path)
{
	const struct model_vip_peer *own = override_of(route, peer->group[0] ? peer->group : peer->session.name);
	uint8_t longest = route->prefix.addr.family == ADDR_V6 ? peer->longest_v6 : peer->longest_v4;

	if (route->standing.verdict != ANNOUNCE_YES)
		return ANNOUNCE_WITHHELD;
	if (own && own->never)
		return ANNOUNCE_NOT_HIM;
	if (route->vip && route->sum && !route->sum->both)
		return ANNOUNCE_AGGREGATED;
	if (route->prefix.len > longest)
		return ANNOUNCE_TOO_LONG;
	return compose(model, route, peer, own, path) ? ANNOUNCE_OFFERED : ANNOUNCE_CROWDED;
}

const char *
announce_offer_reason(enum announce_offer offer)
{
	static const char *const reasons[] = {
		[ANNOUNCE_OFFERED] = "announced",
		[ANNOUNCE_WITHHELD] = "not announced to anybody",
		[ANNOUNCE_NOT_HIM] = "the vip's peers: announce: never",
		[ANNOUNCE_TOO_LONG] = "longer than the peer's longest: aggregates, or longest in its configuration",
		[ANNOUNCE_AGGREGATED] = "its aggregate is announced in its place",
		[ANNOUNCE_CROWDED] = "more communities than a route can carry",
	};

	return reasons[offer];
}
