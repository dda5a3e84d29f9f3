/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/flowtable.h"

#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

struct flowtable *
flowtable_new(unsigned bits, int socket)
{
	struct flowtable *table = calloc(1, sizeof(*table));
	size_t size;

	if (!table)
		return NULL;
	bits = bits < FLOWTABLE_BITS_MIN ? FLOWTABLE_BITS_MIN : bits;
	table->bits = bits > FLOWTABLE_BITS_MAX ? FLOWTABLE_BITS_MAX : bits;
	size = flowtable_buckets(table) * sizeof(struct flowtable_bucket);
	table->buckets = rte_zmalloc_socket("flowtable", size, sizeof(struct flowtable_bucket), socket);
	table->is_huge = table->buckets != NULL;
	if (!table->buckets) {
		/* DPDK's heap is small where there are no huge pages. */
		table->buckets = aligned_alloc(sizeof(struct flowtable_bucket), size);
		if (!table->buckets) {
			free(table);
			return NULL;
		}
		memset(table->buckets, 0, size); /* touched now: no page fault on the packet path */
	}
	return table;
}

void
flowtable_free(struct flowtable *table)
{
	if (!table)
		return;
	if (table->is_huge)
		rte_free(table->buckets);
	else
		free(table->buckets);
	free(table);
}

static unsigned
bucket_sweep(struct flowtable_bucket *bucket, uint16_t slot, const struct flowtable_sweep *sweep)
{
	unsigned live = 0;

	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&bucket->words[i], memory_order_relaxed);

		if (word == 0)
			continue;
		/* A failed swap means that the worker has just used the entry: it lives. */
		if (flowtable_age(word, sweep->now_s) > sweep->idle_s &&
		    atomic_compare_exchange_strong_explicit(&bucket->words[i], &word, 0, memory_order_relaxed,
							    memory_order_relaxed))
			continue;
		if (word == 0)
			continue;
		live++;
		if (sweep->visit)
			sweep->visit(sweep->context, slot, flowtable_backend(word));
	}
	return live;
}

unsigned
flowtable_sweep(struct flowtable *table, unsigned first_bucket, unsigned n, const struct flowtable_sweep *sweep)
{
	unsigned end = flowtable_buckets(table), live = 0;

	if (first_bucket < end && n < end - first_bucket)
		end = first_bucket + n;
	for (unsigned i = first_bucket; i < end; i++)
		live += bucket_sweep(&table->buckets[i], flowtable_slot_of(table, i), sweep);
	return live;
}
