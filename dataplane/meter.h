/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The meters of guarded services: packets, bits, openings and fragments a second, of all workers together, taken from the
 * counters that the workers keep anyway. Over a threshold a service is armed; when all its meters have been below a share of
 * their thresholds for its hold time, it stands down. What happens between the two is an attack, which is told soon after it
 * has begun, when there are samples to say what it is, while it goes on, and when it is over. Main lcore only; time is an
 * argument.
 */
#ifndef DATAPLANE_METER_H
#define DATAPLANE_METER_H

#include "abi/region.h"
#include "dataplane/build.h"
#include "dataplane/stage/guard.h"
#include "dataplane/talkers.h"

enum {
	METER_PERIOD_MS = 50, /* between two looks */
	METER_BEGIN_MS = 200, /* from an attack's begin to its first report */
	METER_TELL_S = 2,     /* between two reports of an attack that goes on */
};

struct meter;

struct meter_config {
	const struct region_counters *counters;
	struct guard_shared *guard;
	struct talkers *talkers;
	void *context;
	void (*tell)(void *context, const union abi_record *attack);
};

struct meter *meter_new(const struct meter_config *config); /* NULL: no memory */
void meter_free(struct meter *meter);			    /* NULL is fine */

/* guards: by service index (tables_guards), or NULL. now_s: the workers' burst clock. A call that comes before
 * METER_PERIOD_MS have passed does nothing. */
void meter_tick(struct meter *meter, const struct build_guard *guards, uint64_t now_ns, uint32_t now_s);

#endif
