/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/known.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <rte_common.h>

enum { KNOWN_HUGE = 2 << 20 }; /* a huge page: sizes from there on are multiples of it */

struct known_table *
known_table_new(unsigned bits)
{
	struct known_table *table = calloc(1, sizeof(*table));
	size_t size;

	if (!table)
		return NULL;
	table->bits = RTE_MIN(RTE_MAX(bits, (unsigned)KNOWN_BITS_MIN), (unsigned)KNOWN_BITS_MAX);
	size = known_sets(table) * sizeof(*table->sets);
	table->sets = aligned_alloc(size < KNOWN_HUGE ? 64 : KNOWN_HUGE, size);
	if (!table->sets) {
		free(table);
		return NULL;
	}
	/* Random access: a small page each would cost more than the line. It is a wish, not a condition. */
	madvise(table->sets, size, MADV_HUGEPAGE);
	memset(table->sets, 0, size);
	return table;
}

void
known_table_free(struct known_table *table)
{
	if (!table)
		return;
	free(table->sets);
	free(table);
}

static uint64_t
load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* The place of the tag, else a free one, else the one that has been silent for the longest among those that may give
 * way; NULL: none may. *word is what is there; 0 unless it is the tag's. */
static _Atomic uint64_t *
place(struct known_set *set, uint64_t tag, uint32_t now_s, bool is_pass, uint64_t *word)
{
	_Atomic uint64_t *best = NULL;
	uint32_t most = 0;

	*word = 0;
	for (unsigned i = 0; i < KNOWN_WAYS; i++) {
		uint64_t there = load(&set->words[i]);
		uint32_t silent_s = (uint16_t)(now_s - (uint16_t)there);

		if (known_name(there) == tag) {
			*word = known_is_over(there, now_s) ? 0 : there;
			return &set->words[i];
		}
		if (known_is_over(there, now_s))
			silent_s = UINT32_MAX;
		else if (there & KNOWN_PASSED && !is_pass)
			continue;
		else if (!(there & KNOWN_PASSED))
			silent_s += UINT16_MAX; /* before all that have passed */
		if (!best || silent_s > most) {
			best = &set->words[i];
			most = silent_s;
		}
	}
	return best;
}

static void
note(struct known_table *table, uint64_t key, uint32_t now_s, bool is_pass)
{
	uint64_t tag = known_tag(key), word;
	_Atomic uint64_t *at = place(known_set(table, key), tag, now_s, is_pass, &word);
	uint64_t now = (uint16_t)now_s, next;

	if (!at)
		return;
	if (is_pass)
		next = tag | KNOWN_PASSED | now << 16 | now;
	else if (word)
		next = (word & ~UINT64_C(0xffff)) | now;
	else
		next = tag | now << 16 | now;
	if (next != word)
		atomic_store_explicit(at, next, memory_order_relaxed);
}

void
known_pass(struct known_table *table, uint64_t key, uint32_t now_s)
{
	note(table, key, now_s, true);
}

void
known_see(struct known_table *table, uint64_t key, uint32_t now_s)
{
	note(table, key, now_s, false);
}

unsigned
known_sweep(struct known_table *table, unsigned first, unsigned n, uint32_t now_s)
{
	unsigned left = 0;

	for (unsigned s = first; s < first + n && s < known_sets(table); s++) {
		for (unsigned i = 0; i < KNOWN_WAYS; i++) {
			_Atomic uint64_t *at = &table->sets[s].words[i];
			uint64_t word = load(at);

			if (!word)
				continue;
			if (!known_is_over(word, now_s))
				left++;
			else /* Not over what a worker has put there since. */
				atomic_compare_exchange_strong_explicit(at, &word, 0, memory_order_relaxed,
									memory_order_relaxed);
		}
	}
	return left;
}
