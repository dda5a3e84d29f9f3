/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/announce.h"

#include <stdlib.h>

static unsigned
services_of(const struct model *model, const bool *pool_serves, unsigned vip, unsigned *serving)
{
	unsigned all = 0;

	*serving = 0;
	for (unsigned i = 0; i < model->n_services; i++) {
		if (model->services[i].vip != vip)
			continue;
		all++;
		if (pool_serves[model->services[i].pool])
			(*serving)++;
	}
	return all;
}

bool
announce_pools_serve(const struct model *model, const bool *pool_serves, unsigned vip)
{
	unsigned serving;
	unsigned all = services_of(model, pool_serves, vip, &serving);

	switch (model->vips[vip].announce) {
	case MODEL_ANNOUNCE_ALL:
		return all > 0 && serving == all;
	case MODEL_ANNOUNCE_ANY:
		return serving > 0;
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
	unsigned serving;

	if (v->announce == MODEL_ANNOUNCE_NEVER)
		return ANNOUNCE_NEVER;
	if (facts->draining)
		return ANNOUNCE_DRAINING;
	if (!facts->dataplane_alive)
		return ANNOUNCE_NO_DATAPLANE;
	if (!announce_pools_serve(facts->model, facts->pool_serves_now, vip))
		return services_of(facts->model, facts->pool_serves_now, vip, &serving) ? ANNOUNCE_POOL_DOWN
											: ANNOUNCE_NO_SERVICE;
	if (facts->n_served == 0 ||
	    !bsearch(&v->prefix, facts->served, facts->n_served, sizeof(*facts->served), compare))
		return ANNOUNCE_NOT_SERVED;
	return ANNOUNCE_YES;
}

const char *
announce_reason(enum announce_verdict verdict)
{
	static const char *const reasons[] = {
		[ANNOUNCE_YES] = "announced",
		[ANNOUNCE_NEVER] = "announce: never",
		[ANNOUNCE_DRAINING] = "node is draining",
		[ANNOUNCE_NO_DATAPLANE] = "dataplane is not there",
		[ANNOUNCE_NO_SERVICE] = "no service on it",
		[ANNOUNCE_POOL_DOWN] = "too few healthy backends that packets can reach",
		[ANNOUNCE_NOT_SERVED] = "workers don't serve it yet",
	};

	return reasons[verdict];
}
