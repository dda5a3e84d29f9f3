/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of sources: how many packets, bits or openings a second an address or a prefix may send to a service. One
 * table for all workers of the node, so that a source's limit holds for the node, however RSS spreads its flows.
 *
 * A limit is a token bucket, kept as the time at which the bucket will be full again (the virtual scheduling algorithm,
 * ITU-T I.371 annex A): a charge moves that time on, and what would move it further ahead of now than the burst allows
 * is over the limit. So an entry is one 64-bit word, which one compare-and-swap updates whole, and no update is lost:
 *
 *    63                                     20 19         0
 *   |  full again at, in 1/128 ns, mod 137 s  |    tag     |
 *
 * A set of eight is one cache line, so a check costs one miss, or none if the caller prefetched. The set is the key's
 * top bits, the tag its low ones (never 0: a word with tag 0 is a free place). Two sources of one set with equal tags
 * share a bucket: at odds of 1 in 131,072 for a source in a full set, and nobody can aim at it without the seed.
 *
 * An entry whose time has come is a full bucket, which is what a source without an entry has. So only such places are
 * taken, and taking them loses nothing: no rotation of sources can evict one that is limited or counted. If all of a
 * set owe something, the result is LIMIT_FULL and the packet passes uncharged: a source that isn't in the table would
 * have had a full bucket, so all that is lost is the count of one that comes again, and the bucket of its prefix has
 * that. To drop it would let whoever fills the table lock out every client that comes later. One charge holds a place
 * for 1 / rate only, so the prefixes, whose rates are high, find room when addresses don't.
 *
 * Where several limits hold for a packet, the narrowest is asked first: what an address is refused its prefix isn't
 * charged, so one that floods doesn't use up what its neighbours may send.
 *
 * Any lcore may take; the words carry all they say, so relaxed order is enough. Workers whose clocks differ by d blur a
 * burst by d, never the rate. Two that enter the same new source at once, with a place expiring between their clocks,
 * can make two entries: the first in the set is the one that is found from then on, and one charge is forgotten.
 *
 * The time of an entry is ambiguous 73 s after it has come: limit_sweep takes it out before. An unswept one would cost
 * its source up to a burst once, no more.
 */
#ifndef DATAPLANE_STAGE_LIMIT_H
#define DATAPLANE_STAGE_LIMIT_H

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "base/flowhash.h"
#include "base/types.h"

enum {
	LIMIT_WAYS = 8,
	LIMIT_BITS_MIN = 6,	 /* log2 of the sets: 4 KiB */
	LIMIT_BITS_DEFAULT = 17, /* a million sources that owe something at the same time, in 8 MiB */
	LIMIT_BITS_MAX = 24,
	LIMIT_TAG_BITS = 20,
	LIMIT_NS_SHIFT = 27,	/* of a word: its top 44 bits count 1/128 ns */
	LIMIT_BURST_MAX_S = 60, /* the longest burst, and the most that one packet is charged, in seconds of the rate */
	LIMIT_SWEEP_S = 30,	/* every set is to be swept at least so often */
};

#define LIMIT_TAG_MASK	   ((UINT64_C(1) << LIMIT_TAG_BITS) - 1)
#define LIMIT_NS(ns)	   ((uint64_t)(ns) << LIMIT_NS_SHIFT)
#define LIMIT_S(s)	   LIMIT_NS((s)*UINT64_C(1000000000))
#define LIMIT_PER_S_MAX	   UINT64_C(1000000000000) /* 1 Tbit/s */
#define LIMIT_BURST_MIN_NS UINT64_C(1000000)

/* LIMIT_UNKNOWN: packets of all sources that the service doesn't know, under one key. */
enum limit_kind { LIMIT_PACKETS, LIMIT_BITS, LIMIT_OPENINGS, LIMIT_UNKNOWN };

enum limit_result {
	LIMIT_OK,
	LIMIT_OVER, /* nothing was charged */
	LIMIT_FULL, /* no room to count this source: nothing was charged; see above */
};

/* In the units of a word: its tag's bits count nothing. */
struct limit_rate {
	uint64_t charge;    /* for a cost of 1 */
	uint64_t tolerance; /* how far ahead of now a bucket's time may get */
	uint32_t cost_max;  /* what costs more is charged LIMIT_BURST_MAX_S */
};

struct limit_set {
	_Alignas(64) _Atomic uint64_t words[LIMIT_WAYS];
};
_Static_assert(sizeof(struct limit_set) == 64, "struct limit_set");

/* Read-only but for the sets. */
struct limit_table {
	struct limit_set *sets;
	unsigned bits; /* log2 of the number of sets */
	bool is_huge;  /* from DPDK's heap; else plain memory */
};

/* bits is cut to LIMIT_BITS_MIN..MAX. NULL: out of memory. socket: NUMA node or SOCKET_ID_ANY. */
struct limit_table *limit_table_new(unsigned bits, int socket);
void limit_table_free(struct limit_table *table);

/*
 * per_s: 1 to LIMIT_PER_S_MAX. burst: what may come at once, at most LIMIT_BURST_MAX_S of the rate; less than a
 * millisecond of it is made a millisecond, for time is read once a burst of packets and the workers' clocks differ.
 * -EINVAL: one of them is 0; -ERANGE: too much; *rate is as it was.
 */
MUST_CHECK int limit_rate_init(struct limit_rate *rate, uint64_t per_s, uint64_t burst);

/* Any one lcore. Frees the places of full buckets in n sets from first_set on, stops at the last; the number of sources
 * there that owe something. */
unsigned limit_sweep(struct limit_table *table, unsigned first_set, unsigned n, uint64_t now_ns);

static inline unsigned
limit_sets(const struct limit_table *table)
{
	return 1U << table->bits;
}

/* What is limited, whoever the source is. */
static inline uint32_t
limit_scope(uint16_t service, enum limit_kind kind)
{
	return (uint32_t)service << 16 | (uint32_t)kind;
}

/* The first `length` bits of 64; all of them from 64 on. */
static inline uint64_t
limit_mask(unsigned length)
{
	return length == 0 ? 0 : UINT64_MAX << (length < 64 ? 64 - length : 0);
}

static inline uint64_t
limit_load(const uint8_t *octets8)
{
	uint64_t value;

	memcpy(&value, octets8, 8);
	return be64toh(value);
}

/* The seed, secret and random, is in both factors of every multiplication that a foreign octet enters: without it no
 * address can be chosen that makes a factor 0. prefix_length is part of what is hashed, so that /24 and /32 are apart.
 */
static inline uint64_t
limit_mix(uint64_t seed, uint64_t address, uint32_t scope, unsigned prefix_length)
{
	uint64_t seed2 = seed << 32 | seed >> 32, rest = (uint64_t)scope << 16 | prefix_length;

	return flowhash_mum(flowhash_mum(address ^ FLOWHASH_K0 ^ seed, rest ^ FLOWHASH_K1 ^ seed2), FLOWHASH_K2 ^ seed);
}

/* prefix_length: 0 to 32. Best a constant or the same for a whole burst. */
static inline uint64_t
limit_key_v4(uint64_t seed, uint32_t scope, const uint8_t *src4, unsigned prefix_length)
{
	uint32_t address;

	memcpy(&address, src4, 4);
	return limit_mix(seed, ((uint64_t)be32toh(address) << 32) & limit_mask(prefix_length), scope, prefix_length);
}

/* prefix_length: 0 to 128. */
static inline uint64_t
limit_key_v6(uint64_t seed, uint32_t scope, const uint8_t *src16, unsigned prefix_length)
{
	uint64_t high = limit_load(src16) & limit_mask(prefix_length);
	uint64_t low = limit_load(src16 + 8) & limit_mask(prefix_length > 64 ? prefix_length - 64 : 0);
	uint64_t seed2 = seed << 32 | seed >> 32;

	return limit_mix(seed, flowhash_mum(high ^ FLOWHASH_K1 ^ seed, low ^ FLOWHASH_K2 ^ seed2), scope,
			 prefix_length);
}

static inline struct limit_set *
limit_set(const struct limit_table *table, uint64_t key)
{
	return &table->sets[key >> (64 - table->bits)];
}

static inline void
limit_prefetch(const struct limit_table *table, uint64_t key)
{
	rte_prefetch0(limit_set(table, key));
}

static inline uint64_t
limit_tag(uint64_t key)
{
	uint64_t tag = key & LIMIT_TAG_MASK;

	return tag ? tag : 1;
}

/* How far a word's time is ahead of now, modulo the wrap; 0: it has come, the bucket is full. The 4 s are for a worker
 * whose clock lags behind the one that wrote. */
static inline uint64_t
limit_debt(uint64_t word, uint64_t now)
{
	uint64_t ahead = (word & ~LIMIT_TAG_MASK) - now;

	return ahead <= LIMIT_S(LIMIT_BURST_MAX_S + 4) && (word & LIMIT_TAG_MASK) ? ahead : 0;
}

static inline uint64_t
limit_charge(const struct limit_rate *rate, uint32_t cost)
{
	if (unlikely(cost > rate->cost_max))
		return LIMIT_S(LIMIT_BURST_MAX_S);
	return (rate->charge * cost + (LIMIT_TAG_MASK + 1) / 2) & ~LIMIT_TAG_MASK;
}

/* The place of the tag, else the first that is free; NULL: none. *word is what was there: each word is read once, so
 * that what is decided and what is swapped are the same. The tag is looked for without a branch for each place: where a
 * source is in its set is chance, and a wrong guess costs more than to look at all eight. A free place is mostly the
 * first. */
static inline _Atomic uint64_t *
limit_place(struct limit_set *set, uint64_t tag, uint64_t now, uint64_t *word)
{
	uint64_t words[LIMIT_WAYS];
	unsigned found = 0, at = 0;

	for (unsigned i = 0; i < LIMIT_WAYS; i++) {
		words[i] = atomic_load_explicit(&set->words[i], memory_order_relaxed);
		found |= (unsigned)((words[i] & LIMIT_TAG_MASK) == tag) << i;
	}
	if (found) {
		at = (unsigned)__builtin_ctz(found);
	} else {
		while (at < LIMIT_WAYS && limit_debt(words[at], now) > 0)
			at++;
		if (unlikely(at == LIMIT_WAYS))
			return NULL;
	}
	*word = words[at];
	return &set->words[at];
}

/*
 * Any worker. now_ns: monotonic, the same clock for all; only its low 37 bits count. What costs more than the burst
 * passes when the bucket is full, and is charged whole. What is over the limit writes nothing: a flood from one source
 * leaves its line shared between the workers. The swap fails when the word is no longer what was decided upon.
 */
static inline enum limit_result
limit_take(struct limit_table *table, uint64_t key, const struct limit_rate *rate, uint32_t cost, uint64_t now_ns)
{
	struct limit_set *set = limit_set(table, key);
	uint64_t tag = limit_tag(key), now = LIMIT_NS(now_ns), charge = limit_charge(rate, cost), word, debt;
	_Atomic uint64_t *at;

	do {
		at = limit_place(set, tag, now, &word);
		if (unlikely(!at))
			return LIMIT_FULL;
		debt = limit_debt(word, now);
		if (debt && debt + charge > rate->tolerance)
			return LIMIT_OVER;
	} while (unlikely(!atomic_compare_exchange_weak_explicit(at, &word, (now + debt + charge) | tag,
								 memory_order_relaxed, memory_order_relaxed)));
	return LIMIT_OK;
}

#endif
