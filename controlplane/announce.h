/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The announce policy: may this VIP be announced now, and if not, why not. Pure: facts in, a verdict out.
 *
 * A VIP is announced only while the workers serve tables in which it can be served: `served` tells what the generation
 * in force was compiled from, `now` what is known at this moment. Losing is believed at once, gaining only when served.
 */
#ifndef CONTROLPLANE_ANNOUNCE_H
#define CONTROLPLANE_ANNOUNCE_H

#include "controlplane/model.h"

struct announce_facts {
	const struct model *model;
	const bool *pool_serves_now; /* [n_pools]: enough backends are up (compile_pool_can_serve) */
	bool dataplane_alive;
	bool draining; /* of the node */
	/* VIPs that could be served when the generation in force was compiled, sorted by prefix_compare */
	const struct prefix *served;
	unsigned n_served;
};

enum announce_verdict {
	ANNOUNCE_YES = 0,
	ANNOUNCE_NEVER,	      /* the configuration says so */
	ANNOUNCE_DRAINING,
	ANNOUNCE_NO_DATAPLANE,
	ANNOUNCE_NO_SERVICE,  /* none is configured on the VIP */
	ANNOUNCE_POOL_DOWN,   /* too few healthy backends that packets can reach */
	ANNOUNCE_NOT_SERVED,  /* the workers don't have it yet */
};

enum announce_verdict announce_decide(const struct announce_facts *facts, unsigned vip);
const char *announce_reason(enum announce_verdict verdict);

/* Could the VIP be served, going by its pools alone? What compile notes for `served`. */
bool announce_pools_serve(const struct model *model, const bool *pool_serves, unsigned vip);

#endif
