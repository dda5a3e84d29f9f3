/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/limit.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_malloc.h>

struct limit_table *
limit_table_new(unsigned bits, int socket)
{
	struct limit_table *table = calloc(1, sizeof(*table));
	size_t size;

	if (!table)
		return NULL;
	bits = bits < LIMIT_BITS_MIN ? LIMIT_BITS_MIN : bits;
	table->bits = bits > LIMIT_BITS_MAX ? LIMIT_BITS_MAX : bits;
	size = limit_sets(table) * sizeof(struct limit_set);
	table->sets = rte_zmalloc_socket("limit", size, sizeof(struct limit_set), socket);
	table->is_huge = table->sets != NULL;
	if (!table->sets) {
		/* DPDK's heap is small where there are no huge pages. */
		table->sets = aligned_alloc(sizeof(struct limit_set), size);
		if (!table->sets) {
			free(table);
			return NULL;
		}
		memset(table->sets, 0, size); /* touched now: no page fault on the packet path */
	}
	return table;
}

void
limit_table_free(struct limit_table *table)
{
	if (!table)
		return;
	if (table->is_huge)
		rte_free(table->sets);
	else
		free(table->sets);
	free(table);
}

int
limit_rate_init(struct limit_rate *rate, uint64_t per_s, uint64_t burst)
{
	uint64_t charge, tolerance;

	if (per_s == 0 || burst == 0)
		return -EINVAL;
	/* The first bounds the product of the second. */
	if (per_s > LIMIT_PER_S_MAX || burst > per_s * LIMIT_BURST_MAX_S)
		return -ERANGE;
	charge = (LIMIT_S(1) + per_s / 2) / per_s;
	tolerance = (uint64_t)((unsigned __int128)LIMIT_S(1) * burst / per_s);
	if (tolerance < LIMIT_NS(LIMIT_BURST_MIN_NS))
		tolerance = LIMIT_NS(LIMIT_BURST_MIN_NS);
	*rate = (struct limit_rate){
		.charge = charge,
		.tolerance = tolerance,
		.cost_max = (uint32_t)RTE_MIN(LIMIT_S(LIMIT_BURST_MAX_S) / charge, UINT32_MAX),
	};
	return 0;
}

/* A failed swap means that a worker has just charged the entry: it owes something. */
static bool
limit_word_sweep(_Atomic uint64_t *at, uint64_t now)
{
	uint64_t word = atomic_load_explicit(at, memory_order_relaxed);

	if (word == 0)
		return false;
	return limit_debt(word, now) > 0 ||
	       !atomic_compare_exchange_strong_explicit(at, &word, 0, memory_order_relaxed, memory_order_relaxed);
}

unsigned
limit_sweep(struct limit_table *table, unsigned first_set, unsigned n, uint64_t now_ns)
{
	unsigned end = limit_sets(table), owing = 0;

	if (first_set < end && n < end - first_set)
		end = first_set + n;
	for (unsigned s = first_set; s < end; s++) {
		for (unsigned i = 0; i < LIMIT_WAYS; i++)
			owing += limit_word_sweep(&table->sets[s].words[i], LIMIT_NS(now_ns));
	}
	return owing;
}
