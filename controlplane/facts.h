/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the node's parts know at one moment, as compile takes it: health, ways, drains, and what follows for each pool.
 * Taken anew for each look, changes nothing. The input points into the facts: they stay where they were gathered.
 */
#ifndef CONTROLPLANE_FACTS_H
#define CONTROLPLANE_FACTS_H

#include "controlplane/announce.h"
#include "controlplane/compile.h"

struct node;

/* What is remembered of the way to a backend, for as long as the model is the same. */
struct facts_way {
	bool had;	   /* at some time */
	uint64_t fault_ns; /* since when packets can't reach it; 0: they can */
	const char *told;  /* the fault that was told on the log */
};

/* Flattened: one entry for each backend, pool after pool, in the model's order. */
struct facts {
	bool *is_healthy; /* the one allocation of the flags */
	bool *usable;	  /* healthy, and packets can reach it */
	bool *reachable;  /* there is a way, or has been until just now */
	bool *drained;
	const char **way_faults; /* why packets can't reach it; NULL: they can, or there is no dataplane */
	bool *pool_serves;	 /* [n_pools] */
	uint8_t *pool_percent;	 /* [n_pools]: of its weight that is up */
	struct announce_services *services; /* [n_vips] */
	bool is_settled;	 /* every backend has had its first verdict, and every healthy one a way to it */
	bool is_patient;	 /* some way has just gone: look again */
	struct abi_port ports[ABI_PORTS_MAX];
	struct compile_input input;
};

MUST_CHECK int facts_gather(const struct node *node, struct facts *facts);
void facts_fini(struct facts *facts);

#endif
