/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums over the workers' counters, read from the shared mapping. Each number is exact, a set is not one moment. */
#ifndef CONTROLPLANE_TOTALS_H
#define CONTROLPLANE_TOTALS_H

#include "abi/region.h"

struct totals_service {
	uint64_t packets, bytes, openings, dropped;
};

struct totals_backend {
	uint64_t packets, bytes, openings, icmp;
};

/* Zeros when the dataplane has no such key, or counters is NULL. */
struct totals_service totals_service(const struct region_counters *counters, uint64_t key);
struct totals_backend totals_backend(const struct region_counters *counters, uint64_t key);
/* Of a service's packets, those that this became of. */
uint64_t totals_reason(const struct region_counters *counters, uint64_t key, enum abi_verdict verdict);
uint64_t totals_verdict(const struct region_counters *counters, enum abi_verdict verdict);
uint64_t totals_filter_hits(const struct region_counters *counters, unsigned index);
uint64_t totals_worker(const struct region_counters *counters, enum abi_worker_counter counter);

#endif
