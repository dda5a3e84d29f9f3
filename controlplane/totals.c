/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/totals.h"

/* Relaxed loads throughout: a counter stands for itself and orders nothing. */
static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static unsigned
workers_of(const struct region_counters *counters)
{
	return counters ? counters->n_workers : 0;
}

/* A key may stand at several indices (a backend whose address changed): the counters of all belong to it. */
struct totals_service
totals_service(const struct region_counters *counters, uint64_t key)
{
	const struct abi_directory_entry *directory = counters ? region_services(counters) : NULL;
	struct totals_service sum = {0};

	for (unsigned i = 0; directory && i < ABI_SERVICES_MAX; i++) {
		if (load(&directory[i].key) != key)
			continue;
		for (unsigned w = 0; w < workers_of(counters); w++) {
			const struct abi_service_counters *c = &region_worker_services(counters, w)[i];

			sum.packets += load(&c->packets);
			sum.bytes += load(&c->bytes);
			sum.openings += load(&c->openings);
			sum.dropped += load(&c->dropped);
		}
	}
	return sum;
}

uint64_t
totals_reason(const struct region_counters *counters, uint64_t key, enum abi_verdict verdict)
{
	const struct abi_directory_entry *directory = counters ? region_services(counters) : NULL;
	uint64_t sum = 0;

	for (unsigned i = 0; directory && i < ABI_SERVICES_MAX; i++) {
		for (unsigned w = 0; load(&directory[i].key) == key && w < workers_of(counters); w++)
			sum += load(&region_worker_reasons(counters, w)[i].verdicts[verdict]);
	}
	return sum;
}

struct totals_backend
totals_backend(const struct region_counters *counters, uint64_t key)
{
	const struct abi_directory_entry *directory = counters ? region_backends(counters) : NULL;
	struct totals_backend sum = {0};

	for (unsigned i = 0; directory && i < ABI_BACKENDS_MAX; i++) {
		if (load(&directory[i].key) != key)
			continue;
		for (unsigned w = 0; w < workers_of(counters); w++) {
			const struct abi_backend_counters *c = &region_worker_backends(counters, w)[i];

			sum.packets += load(&c->packets);
			sum.bytes += load(&c->bytes);
			sum.openings += load(&c->openings);
			sum.icmp += load(&c->icmp);
		}
	}
	return sum;
}

uint64_t
totals_verdict(const struct region_counters *counters, enum abi_verdict verdict)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < workers_of(counters); w++)
		sum += load(&region_worker(counters, w)->verdicts[verdict]);
	return sum;
}

uint64_t
totals_worker(const struct region_counters *counters, enum abi_worker_counter counter)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < workers_of(counters); w++)
		sum += load(&region_worker(counters, w)->counters[counter]);
	return sum;
}

uint64_t
totals_filter_hits(const struct region_counters *counters, unsigned index)
{
	const uint8_t *base = counters ? counters->base : NULL;
	size_t offset = offsetof(struct abi_counters_header, filter_hits) + index * sizeof(uint64_t);

	return base ? atomic_load_explicit((const _Atomic uint64_t *)(const void *)(base + offset), memory_order_relaxed) : 0;
}
