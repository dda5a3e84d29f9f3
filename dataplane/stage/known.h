/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources that are known: they have proven that packets to their address reach them (a source check), or they were
 * there already while nobody attacked. One table for all workers. An IPv6 source is its /64: who answers for one address
 * of a link answers for all of them.
 *
 *    63        34    33     32     31        16 15         0
 *   |    tag    | used | passed |  since, s    |  last, s    |
 *
 * A word says all there is, so relaxed loads and stores do: of two that write one place at once one is lost, and its
 * source proves itself again. Eight words are a set, one cache line, by the key's top bits; the seed of the key is
 * secret, so nobody can aim at a set. What has been seen gives way to what has passed, never the other way round: to
 * drive out a source that has passed takes as many sources that pass.
 *
 * Seconds are those of the workers' burst clock, modulo 65536: what isn't swept within that time (known_sweep) would
 * come back to life.
 */
#ifndef DATAPLANE_STAGE_KNOWN_H
#define DATAPLANE_STAGE_KNOWN_H

#include <stdatomic.h>
#include <string.h>

#include <rte_prefetch.h>

#include "base/flowhash.h"
#include "base/types.h"

enum {
	KNOWN_WAYS = 8,
	KNOWN_BITS_MIN = 6,
	KNOWN_BITS_DEFAULT = 16, /* half a million sources in 4 MiB */
	KNOWN_BITS_MAX = 24,
	KNOWN_PASSED_S = 3600, /* how long a proof holds */
	KNOWN_SEEN_S = 3600,   /* and how long a source without one is remembered after it was last seen */
	KNOWN_SWEEP_S = 600,   /* every set is to be swept at least so often */
};

struct known_set {
	_Alignas(64) _Atomic uint64_t words[KNOWN_WAYS];
};
_Static_assert(sizeof(struct known_set) == 64, "struct known_set");

/* Read-only but for the sets. */
struct known_table {
	struct known_set *sets;
	unsigned bits;
};

/* What the table says of a source. age_s: since when it is known. */
struct known {
	bool is_passed;
	bool is_seen;
	uint16_t age_s;
};

/* bits: log2 of the sets, cut to KNOWN_BITS_MIN..MAX. NULL: no memory. */
struct known_table *known_table_new(unsigned bits);
void known_table_free(struct known_table *table); /* NULL is fine */

/* Forgets what is over in n sets from first on; how many sources are left there. Main lcore. */
unsigned known_sweep(struct known_table *table, unsigned first, unsigned n, uint32_t now_s);

/* Whoever has the table's line: any worker. */
void known_pass(struct known_table *table, uint64_t key, uint32_t now_s);
void known_see(struct known_table *table, uint64_t key, uint32_t now_s);

static inline unsigned
known_sets(const struct known_table *table)
{
	return 1U << table->bits;
}

static inline uint64_t
known_key(uint64_t seed, const uint8_t *src, bool is_v6)
{
	uint64_t address = is_v6 ? flowhash_load(src) : flowhash_load4(src) << 8 | 4;

	return flowhash_mum(flowhash_mum(address ^ FLOWHASH_K0 ^ seed, FLOWHASH_K1 ^ (seed << 32 | seed >> 32)),
			    FLOWHASH_K2 ^ seed);
}

static inline struct known_set *
known_set(const struct known_table *table, uint64_t key)
{
	return &table->sets[key >> (64 - table->bits)];
}

static inline void
known_prefetch(const struct known_table *table, uint64_t key)
{
	rte_prefetch0(known_set(table, key));
}

#define KNOWN_USED   (UINT64_C(1) << 33)
#define KNOWN_PASSED (UINT64_C(1) << 32)

static inline uint64_t
known_tag(uint64_t key)
{
	return key << 34 | KNOWN_USED;
}

/* Tag and `used`: what a word and a key have in common. */
static inline uint64_t
known_name(uint64_t word)
{
	return word & ~(UINT64_C(0xffffffff) | KNOWN_PASSED);
}

static inline uint16_t
known_age(uint64_t word, uint32_t now_s)
{
	return (uint16_t)(now_s - (uint16_t)(word >> 16));
}

static inline bool
known_is_over(uint64_t word, uint32_t now_s)
{
	uint16_t silent_s = (uint16_t)(now_s - (uint16_t)word);

	return !(word & KNOWN_USED) ||
	       (word & KNOWN_PASSED ? known_age(word, now_s) >= KNOWN_PASSED_S : silent_s >= KNOWN_SEEN_S);
}

static inline struct known
known_lookup(const struct known_table *table, uint64_t key, uint32_t now_s)
{
	const struct known_set *set = known_set(table, key);
	uint64_t tag = known_tag(key), found = 0;

	for (unsigned i = 0; i < KNOWN_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&set->words[i], memory_order_relaxed);

		found = known_name(word) == tag ? word : found;
	}
	if (!found || known_is_over(found, now_s))
		return (struct known){0};
	return (struct known){.is_passed = found & KNOWN_PASSED, .is_seen = true, .age_s = known_age(found, now_s)};
}

#endif
