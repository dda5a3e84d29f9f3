/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often each address may do something: so many at once, and then one per period. The table is of a fixed size; when
 * more addresses come than it has room for, the one that owes least gives way, so that no flood of addresses can shut
 * another out, and what such a flood gains is some of its own limit. Pure; one thread.
 */
#ifndef CONTROLPLANE_RATE_H
#define CONTROLPLANE_RATE_H

#include "base/addr.h"

enum { RATE_SETS = 256, RATE_WAYS = 4 };

struct rate_entry {
	struct addr addr;
	uint64_t clear_ns; /* when it owes nothing any more */
};

struct rate {
	uint64_t period_ns;
	uint64_t burst_ns; /* periods that an address may owe */
	uint64_t key[2];   /* nobody outside may know which addresses share a set */
	struct rate_entry sets[RATE_SETS][RATE_WAYS];
};

void rate_init(struct rate *rate, uint64_t period_ns, unsigned burst, const uint64_t key[static 2]);
/* May it, now? Then it has. */
MUST_CHECK bool rate_take(struct rate *rate, const struct addr *addr, uint64_t now_ns);

#endif
