/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One worker's flow table: which backend a flow that can't follow its slot belongs to. Bounded: a new flow in a full
 * bucket takes the place of an expired one, else of the oldest unconfirmed one, else of the oldest.
 *
 * An entry is one 64-bit word, a bucket of eight is one cache line, so a lookup costs one miss:
 *
 *    63        32 31          18    17         16     15           0
 *   |    tag     |  backend     | confirmed | opened | last seen, s |
 *
 * The bucket is the key's top bits. They begin with the slot's 16, and there are at least 65,536 buckets: a bucket
 * belongs to one slot number, and the sweeper learns from the place of an entry which slot still has flows. The tag is
 * the key's low half (never 0, so that the word of an entry is never 0); two flows of one bucket with equal tags share
 * an entry, at odds of 1 in 2^29.
 *
 * The worker alone records and refreshes. Others (an ICMP error that came to another worker, the sweeper) only read,
 * and the sweeper takes out what expired by compare-and-swap: had the worker refreshed the entry meanwhile, the swap
 * fails; refreshes the worker after it, the entry is there again. A word carries all it says, so relaxed order is
 * enough.
 */
#ifndef DATAPLANE_STAGE_FLOWTABLE_H
#define DATAPLANE_STAGE_FLOWTABLE_H

#include <stdatomic.h>

#include <rte_prefetch.h>

#include "base/types.h"

enum {
	FLOWTABLE_WAYS = 8,
	FLOWTABLE_BITS_MIN = 16,     /* log2 of the buckets: 4 MiB */
	FLOWTABLE_BITS_DEFAULT = 17, /* a million flows in 8 MiB */
	FLOWTABLE_BITS_MAX = 24,
	FLOWTABLE_SKEW_S = 64, /* how far another lcore's clock may lag behind the writer's */
};

struct flowtable_bucket {
	_Alignas(64) _Atomic uint64_t words[FLOWTABLE_WAYS];
};

struct flowtable {
	struct flowtable_bucket *buckets;
	unsigned bits; /* log2 of the number of buckets */
	bool is_huge;  /* from DPDK's heap; else plain memory */
};

struct flowtable_entry {
	_Atomic uint64_t *at; /* NULL: not found */
	uint64_t word;
};

/* What a sweep does with each live entry (visit may be NULL), and what counts as expired: idle_s is the largest of all
 * services, for an entry doesn't know its own. */
struct flowtable_sweep {
	uint32_t now_s;
	uint16_t idle_s;
	void (*visit)(void *context, uint16_t slot, uint16_t backend);
	void *context;
};

/* bits is cut to FLOWTABLE_BITS_MIN..MAX. NULL: out of memory. socket: NUMA node or SOCKET_ID_ANY. */
struct flowtable *flowtable_new(unsigned bits, int socket);
void flowtable_free(struct flowtable *table);

/* Any lcore. Visits n buckets from first_bucket on, stops at the last; the number of live entries seen. */
unsigned flowtable_sweep(struct flowtable *table, unsigned first_bucket, unsigned n,
			 const struct flowtable_sweep *sweep);

static inline unsigned
flowtable_buckets(const struct flowtable *table)
{
	return 1U << table->bits;
}

static inline uint16_t
flowtable_slot_of(const struct flowtable *table, unsigned bucket)
{
	return (uint16_t)(bucket >> (table->bits - FLOWTABLE_BITS_MIN));
}

/* hash is that of the 5-tuple, whatever the slot was chosen by. */
static inline uint64_t
flowtable_key(uint16_t slot, uint64_t hash)
{
	return (uint64_t)slot << 48 | (hash & UINT64_C(0xffffffffffff));
}

static inline struct flowtable_bucket *
flowtable_bucket(const struct flowtable *table, uint64_t key)
{
	return &table->buckets[key >> (64 - table->bits)];
}

static inline void
flowtable_prefetch(const struct flowtable *table, uint64_t key)
{
	rte_prefetch0(flowtable_bucket(table, key));
}

static inline uint32_t
flowtable_tag(uint64_t key)
{
	return (uint32_t)key ? (uint32_t)key : 1;
}

static inline uint16_t
flowtable_backend(uint64_t word)
{
	return word >> 18 & 0x3fff;
}

static inline bool
flowtable_is_confirmed(uint64_t word)
{
	return word >> 17 & 1;
}

static inline bool
flowtable_is_opened(uint64_t word)
{
	return word >> 16 & 1;
}

/* Modulo 2^16 seconds; an entry that a faster clock stamped a little ahead of ours is as young as can be. */
static inline uint16_t
flowtable_age(uint64_t word, uint32_t now_s)
{
	uint16_t age = (uint16_t)(now_s - (uint32_t)(word & 0xffff));

	return age > UINT16_MAX - FLOWTABLE_SKEW_S ? 0 : age;
}

static inline uint64_t
flowtable_word(uint64_t key, uint16_t backend, bool opened, uint32_t now_s)
{
	return (uint64_t)flowtable_tag(key) << 32 | (uint64_t)(backend & 0x3fff) << 18 | (uint64_t)opened << 16 |
	       (now_s & 0xffff);
}

/* Any lcore. An entry that was idle for longer than idle_s is not found. */
static inline struct flowtable_entry
flowtable_lookup(const struct flowtable *table, uint64_t key, uint32_t now_s, uint16_t idle_s)
{
	struct flowtable_bucket *bucket = flowtable_bucket(table, key);
	uint32_t tag = flowtable_tag(key);

	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++) {
		uint64_t word = atomic_load_explicit(&bucket->words[i], memory_order_relaxed);

		if (word >> 32 == tag && flowtable_age(word, now_s) <= idle_s)
			return (struct flowtable_entry){.at = &bucket->words[i], .word = word};
	}
	return (struct flowtable_entry){.at = NULL};
}

/* The worker only. Writes nothing when nothing changed, so that a busy flow dirties its line once a second. */
static inline void
flowtable_touch(struct flowtable_entry entry, uint32_t now_s, bool confirm)
{
	uint64_t word = (entry.word & ~UINT64_C(0xffff)) | (now_s & 0xffff) | (uint64_t)confirm << 17;

	if (word != entry.word)
		atomic_store_explicit(entry.at, word, memory_order_relaxed);
}

/* How ready an entry is to go: empty or the flow's own, expired, unconfirmed by age, confirmed by age. */
static inline uint32_t
flowtable_worth(uint64_t word, uint32_t tag, uint32_t now_s, uint16_t idle_s)
{
	uint16_t age = flowtable_age(word, now_s);

	if (word >> 32 == tag)
		return 0;
	if (word == 0)
		return 1;
	if (age > idle_s)
		return 2;
	return (flowtable_is_confirmed(word) ? UINT32_C(0x20000) : UINT32_C(0x10000)) + UINT16_MAX - age;
}

/* The worker only. Records the flow, in place of what was recorded for it. True: a live flow had to go. */
static inline bool
flowtable_insert(struct flowtable *table, uint64_t key, uint64_t word, uint16_t idle_s)
{
	struct flowtable_bucket *bucket = flowtable_bucket(table, key);
	uint32_t tag = flowtable_tag(key), now_s = word & 0xffff, least = UINT32_MAX;
	unsigned victim = 0;

	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++) {
		uint64_t old = atomic_load_explicit(&bucket->words[i], memory_order_relaxed);
		uint32_t worth = flowtable_worth(old, tag, now_s, idle_s);

		if (worth < least) {
			least = worth;
			victim = i;
		}
	}
	atomic_store_explicit(&bucket->words[victim], word, memory_order_relaxed);
	return least > 2;
}

#endif
