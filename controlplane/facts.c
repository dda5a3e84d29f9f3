/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/facts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "controlplane/node.h"

#define WAY_PATIENCE_NS (2 * CLOCK_NS_PER_S)

static bool
lookup(const void *context, const struct addr *addr, struct neighbour *out)
{
	return neighbours_lookup(context, addr, out);
}

static int
facts_new(const struct model *model, struct facts *facts)
{
	unsigned n = model_backends(model);
	bool *flags = calloc(4 * (size_t)n + model->n_pools + 1, sizeof(*flags));
	const char **faults = calloc(n + 1, sizeof(*faults));
	uint8_t *percent = calloc(model->n_pools + 1, sizeof(*percent));
	struct announce_services *services = calloc(model->n_vips + 1, sizeof(*services));

	if (!flags || !faults || !percent || !services) {
		free(flags);
		free(faults);
		free(percent);
		free(services);
		return -ENOMEM;
	}
	facts->pool_percent = percent;
	facts->services = services;
	facts->is_healthy = flags;
	facts->usable = flags + n;
	facts->reachable = flags + 2 * (size_t)n;
	facts->drained = flags + 3 * (size_t)n;
	facts->pool_serves = flags + 4 * (size_t)n;
	facts->way_faults = faults;
	facts->is_settled = true;
	facts->is_patient = false;
	return 0;
}

void
facts_fini(struct facts *facts)
{
	free(facts->is_healthy);
	free(facts->way_faults);
	free(facts->pool_percent);
	free(facts->services);
}

/* A way that was there is believed in for a while: a route that changes has no neighbour at first. */
static bool
is_believed(const struct facts_way *way, uint64_t now_ns)
{
	return way->had && (way->fault_ns == 0 || now_ns - way->fault_ns < WAY_PATIENCE_NS);
}

/* Without a dataplane no port is known, so no way can be judged: health alone stands. */
static void
pool_gather(const struct node *node, struct facts *facts, unsigned pool, unsigned first)
{
	const struct model_pool *p = &node->model->pools[pool];
	struct compile_pool_facts own = compile_pool_facts(&facts->input, first);
	uint64_t now_ns = clock_now_ns();

	for (unsigned k = 0; k < p->n_backends; k++) {
		enum health_state state = checker_state(node->checker, pool, k);
		unsigned at = first + k;

		if (node->dataplane_alive)
			facts->way_faults[at] = compile_way_fault(&facts->input, p, &p->backends[k].addr);
		facts->is_healthy[at] = state == HEALTH_UP;
		facts->reachable[at] = !facts->way_faults[at] || is_believed(&node->ways[at], now_ns);
		facts->is_patient |= facts->way_faults[at] && facts->reachable[at];
		facts->usable[at] = facts->is_healthy[at] && facts->reachable[at];
		facts->drained[at] = node_backend_drained(node, pool, k);
		if (state == HEALTH_UNKNOWN || (facts->is_healthy[at] && !facts->reachable[at]))
			facts->is_settled = false;
	}
	facts->pool_serves[pool] = compile_pool_can_serve(p, &own);
	facts->pool_percent[pool] = compile_pool_percent(p, &own);
}

int
facts_gather(const struct node *node, struct facts *facts)
{
	const struct model *model = node->model;
	unsigned first = 0;
	int err = facts_new(model, facts);

	if (err)
		return err;
	facts->input = (struct compile_input){.model = model,
					      .rules = node->rules,
					      .filters = node->filters,
					      .usable = facts->usable,
					      .reachable = facts->reachable,
					      .drained = facts->drained,
					      .lookup = lookup,
					      .lookup_context = node->neighbours,
					      .ports = facts->ports};
	facts->input.n_ports = publish_ports(node->publish, facts->ports, ABI_PORTS_MAX);
	for (unsigned i = 0; i < model->n_pools; i++) {
		pool_gather(node, facts, i, first);
		first += model->pools[i].n_backends;
	}
	announce_count(model, facts->pool_serves, facts->pool_percent, facts->services);
	return 0;
}
