/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables that the workers serve: builds a snapshot from a wanted state, publishes it, retires the one before. Main
 * lcore only; workers see nothing but the pointer of tables_current.
 *
 * Slots remember: a slot's state follows from comparing the generation served with the one that is given, pool by pool
 * (by key), backend by backend (by address and encapsulation). Afterwards time moves the states on (tables_tick).
 */
#ifndef DATAPLANE_TABLES_H
#define DATAPLANE_TABLES_H

#include <rte_rcu_qsbr.h>

#include "abi/region.h"
#include "dataplane/snapshot.h"
#include "dataplane/staging.h"

struct tables;
struct build_guard; /* dataplane/build.h */

/*
 * The XDP program's VIP map. It is changed right before the tables are: nobody announces a VIP yet that they don't serve
 * yet, and a VIP that can't be put in is a publication that fails as a whole. vip_add: 0 or -errno; vip_remove: of one that
 * isn't there, nothing.
 */
struct tables_hooks {
	void *context;
	int (*vip_add)(void *context, const struct prefix *prefix);
	void (*vip_remove)(void *context, const struct prefix *prefix);
};

struct tables_config {
	unsigned n_workers;
	const struct region_counters *counters;
	struct rte_rcu_qsbr *rcu;
	struct flowtable *const *flows; /* [n_workers] */
	struct tables_hooks hooks;	/* functions may be NULL */
};

struct tables *tables_new(const struct tables_config *config); /* NULL: no memory */
void tables_free(struct tables *tables);		       /* after the workers have ended */

/* What the workers load (acquire) once a burst; NULL before the first publication. */
_Atomic(struct snapshot *) *tables_current(struct tables *tables);
const struct wanted *tables_served(const struct tables *tables); /* NULL before the first */

/* By the dataplane's service index: what the meters go by. Stays until the next publication; NULL before the first. */
const struct build_guard *tables_guards(const struct tables *tables);

/*
 * Builds and publishes; returns when all workers serve it and what it replaced is freed. Takes `wanted` over when it
 * returns 0; else -ENOMEM, -ENOSPC (no index left) or what vip_add gave, and nothing changed.
 */
MUST_CHECK int tables_publish(struct tables *tables, struct wanted *wanted, uint64_t now_ns);

/* About once a second: ends windows, sweeps flow tables, settles slots. now_s: the workers' burst clock. True: the last
 * slot that wasn't stable became so. */
bool tables_tick(struct tables *tables, uint64_t now_ns, uint32_t now_s);

/* Returns when no worker holds what it loaded before. */
void tables_grace(struct tables *tables);

/* How often a signature in force was found, by its index. */
uint64_t tables_rule_hits(const struct tables *tables, unsigned rule);

/* Likewise of a filter. */
uint64_t tables_filter_hits(const struct tables *tables, unsigned index);

struct tables_slots {
	uint32_t moving;
	uint32_t settling;
};
struct tables_slots tables_slots(const struct tables *tables);

#endif
