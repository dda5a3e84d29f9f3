/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stable allocation (Gale and Shapley): a slot prefers backends by weighted rendezvous score, a backend has a quota and
 * prefers slots by the same score. Since both sides rank a pair by one number, the stable matching is the only one, and
 * taking the pairs from the best to the worst (a pair holds when its slot is free and its backend has room) finds it.
 *
 * The pairs are not all made: each round takes those with a score below a bound, of the slots that are still free and
 * the backends that still have room, and the next round's bound is four times as far. No pair that is left out could
 * have held: a free slot and a backend with room would have been matched in the earlier round.
 *
 * The score of (slot, backend) is -log2(1 - v) * W / w: v uniform in [0, 1) by hash, w the weight and W all weights, as
 * 32.32 fixed point. 1.44 of the score is one backend of average luck.
 */
#include "controlplane/allocate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/flowhash.h"

enum {
	LOG_BITS = 12, /* the log table's index; linear in between: error below 2^-26 */
	LOG_ENTRIES = (1 << LOG_BITS) + 1,
	FIRST_BOUND = 4, /* a slot's pairs in the first round, about 0.7 of this each */
	BLOCK = 1024,	 /* slots whose hashes are computed together: they stay in the L1 cache */
	DIGIT_BITS = 11, /* of the radix sort */
	DIGITS = 3,
	RANK_BITS = 14,
	SLOT_BITS = 16,
	SCORE_BITS = DIGIT_BITS * DIGITS,
};
_Static_assert(ABI_BACKENDS_MAX < 1 << RANK_BITS && ABI_SLOTS == 1 << SLOT_BITS, "a pair fits in 64 bits");
_Static_assert(SCORE_BITS + RANK_BITS + SLOT_BITS <= 64, "a pair fits in 64 bits");

struct member {
	uint64_t key;
	uint64_t scale; /* W / w as 44.20 fixed point */
	uint32_t weight;
	uint32_t salt;
	uint32_t quota; /* slots that it may still take */
	uint16_t index;
};

struct pairs {
	uint64_t *at; /* score << 30 | slot << 14 | rank of the member */
	size_t n;
	size_t room;
};

struct work {
	struct member *members; /* with weight, ordered by key */
	unsigned n;
	uint64_t weights; /* sum */
	uint64_t seed;
	uint16_t *owner;	      /* rank, or ABI_OWNER_NONE */
	uint32_t *log_table;	      /* fraction of log2(1 + i / 4096), 0.32; the last is 1 - 2^-32 */
	uint32_t slot_salt[ABI_SLOTS]; /* of the free slots */
	uint16_t slots[ABI_SLOTS];     /* which those are */
	unsigned n_slots;
	struct pairs pairs;
	struct pairs sorted;
};

static int
member_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* Bit by bit: squaring doubles the logarithm, and each overflow above 2 is a one. x is 1.31, in [1, 2). */
static uint32_t
log2_fraction(uint32_t x)
{
	uint64_t square = x;
	uint32_t bits = 0;

	for (unsigned i = 0; i < 32; i++) {
		square = square * square >> 31;
		bits <<= 1;
		if (square >> 32) {
			square >>= 1;
			bits |= 1;
		}
	}
	return bits;
}

static void
log_table_fill(uint32_t *table)
{
	for (uint32_t i = 0; i < LOG_ENTRIES - 1; i++)
		table[i] = log2_fraction((UINT32_C(1) << 31) + (i << (31 - LOG_BITS)));
	table[LOG_ENTRIES - 1] = UINT32_MAX;
}

/* -log2(1 - v / 2^32) as 32.32 fixed point; grows with v. */
static uint64_t
minus_log2(const uint32_t *table, uint32_t v)
{
	uint64_t u = (UINT64_C(1) << 32) - v; /* 1..2^32 */
	unsigned whole;
	uint32_t mantissa, i, low, step;

	if (v == 0)
		return 0;
	whole = 31 - (unsigned)__builtin_clz((uint32_t)u);
	mantissa = (uint32_t)u << (31 - whole) << 1; /* without the leading one: 0.32 */
	i = mantissa >> (32 - LOG_BITS);
	low = mantissa << LOG_BITS >> LOG_BITS;
	step = (uint32_t)((uint64_t)(table[i + 1] - table[i]) * low >> (32 - LOG_BITS));
	return ((uint64_t)(32 - whole) << 32) - table[i] - step;
}

/* Both salts are well mixed already; two rounds of multiply and shift make pairs of them independent enough. */
static inline uint32_t
pair_hash(uint32_t slot_salt, uint32_t member_salt)
{
	uint32_t x = (slot_salt ^ member_salt) * UINT32_C(0x7feb352d);

	x = (x ^ x >> 15) * UINT32_C(0x846ca68b);
	return x ^ x >> 16;
}

/* Order of the heap: who would have the fewest slots for its weight with one more goes first; ties by rank. */
static bool
is_before(const struct member *members, unsigned a, unsigned b)
{
	uint64_t x = (uint64_t)(members[a].quota + 1) * members[b].weight;
	uint64_t y = (uint64_t)(members[b].quota + 1) * members[a].weight;

	return x != y ? x < y : a < b;
}

static void
heap_sink(const struct member *members, uint16_t *heap, unsigned n, unsigned at)
{
	for (;;) {
		unsigned least = at, left = 2 * at + 1;
		uint16_t moved;

		if (left < n && is_before(members, heap[left], heap[least]))
			least = left;
		if (left + 1 < n && is_before(members, heap[left + 1], heap[least]))
			least = left + 1;
		if (least == at)
			return;
		moved = heap[at];
		heap[at] = heap[least];
		heap[least] = moved;
		at = least;
	}
}

/*
 * Quotas: the whole part of each share, and then one by one by D'Hondt's rule, which of all ways to round keeps the
 * largest slots-for-weight smallest and moves no quota against its weight.
 */
static int
quotas_fill(struct work *w)
{
	uint16_t *heap = malloc(w->n * sizeof(*heap));
	uint32_t left = ABI_SLOTS;

	if (!heap)
		return -ENOMEM;
	for (unsigned i = 0; i < w->n; i++) {
		struct member *m = &w->members[i];

		m->quota = (uint32_t)((uint64_t)ABI_SLOTS * m->weight / w->weights);
		left -= m->quota;
		heap[i] = (uint16_t)i;
	}
	for (unsigned i = w->n / 2; i-- > 0;)
		heap_sink(w->members, heap, w->n, i);
	for (; left > 0; left--) {
		w->members[heap[0]].quota++;
		heap_sink(w->members, heap, w->n, 0);
	}
	free(heap);
	return 0;
}

static int
pairs_reserve(struct pairs *pairs, size_t more)
{
	size_t room = pairs->room ? pairs->room : 1 << 18;
	uint64_t *at;

	if (pairs->room - pairs->n >= more)
		return 0;
	while (room - pairs->n < more)
		room *= 2;
	at = realloc(pairs->at, room * sizeof(*at));
	if (!at)
		return -ENOMEM;
	pairs->at = at;
	pairs->room = room;
	return 0;
}

struct round {
	uint64_t from; /* scores below it are settled */
	uint64_t to;
	unsigned shift; /* so that to - from fits in SCORE_BITS */
};

/* One block of slots against one member. -ln(1 - v) >= v, so that v alone rules most pairs out before the logarithm. */
static void
block_collect(struct work *w, const struct round *round, unsigned rank, unsigned first, unsigned n)
{
	const struct member *m = &w->members[rank];
	uint32_t hashes[BLOCK];
	uint16_t hits[BLOCK];
	unsigned n_hits = 0;
	/* 0.69318 is ln 2 rounded up */
	unsigned __int128 bound = ((unsigned __int128)round->to * 11357 >> 14) * m->weight / w->weights;
	uint32_t limit = bound >> 32 ? UINT32_MAX : (uint32_t)bound;
	const uint32_t *salts = w->slot_salt + first;

	for (unsigned i = 0; i < n; i++)
		hashes[i] = pair_hash(salts[i], m->salt);
	for (unsigned i = 0; i < n; i++) {
		hits[n_hits] = (uint16_t)i;
		n_hits += hashes[i] <= limit;
	}
	for (unsigned i = 0; i < n_hits; i++) {
		unsigned __int128 wide = (unsigned __int128)minus_log2(w->log_table, hashes[hits[i]]) * m->scale;
		uint64_t score = (uint64_t)(wide >> 20);

		if (score >= round->from && score < round->to)
			w->pairs.at[w->pairs.n++] = (score - round->from) >> round->shift << (SLOT_BITS + RANK_BITS) |
						    (uint64_t)w->slots[first + hits[i]] << RANK_BITS | rank;
	}
}

static int
pairs_collect(struct work *w, const struct round *round)
{
	w->pairs.n = 0;
	for (unsigned first = 0; first < w->n_slots; first += BLOCK) {
		unsigned n = w->n_slots - first < BLOCK ? w->n_slots - first : BLOCK;

		for (unsigned rank = 0; rank < w->n; rank++) {
			if (w->members[rank].quota == 0)
				continue;
			if (pairs_reserve(&w->pairs, n) != 0)
				return -ENOMEM;
			block_collect(w, round, rank, first, n);
		}
	}
	return 0;
}

/* Stable radix sort by score: pairs of equal score stay as collected, by block of slots, then rank, then slot. */
static int
pairs_sort(struct work *w)
{
	uint32_t counts[1 << DIGIT_BITS];

	w->sorted.n = 0;
	if (pairs_reserve(&w->sorted, w->pairs.n) != 0)
		return -ENOMEM;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		unsigned shift = SLOT_BITS + RANK_BITS + digit * DIGIT_BITS;
		struct pairs swapped;
		uint32_t sum = 0;

		memset(counts, 0, sizeof(counts));
		for (size_t i = 0; i < w->pairs.n; i++)
			counts[w->pairs.at[i] >> shift & ((1 << DIGIT_BITS) - 1)]++;
		for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
			uint32_t count = counts[i];

			counts[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < w->pairs.n; i++)
			w->sorted.at[counts[w->pairs.at[i] >> shift & ((1 << DIGIT_BITS) - 1)]++] = w->pairs.at[i];
		w->sorted.n = w->pairs.n;
		swapped = w->pairs;
		w->pairs = w->sorted;
		w->sorted = swapped;
	}
	return 0;
}

static void
pairs_match(struct work *w)
{
	unsigned kept = 0;

	for (size_t i = 0; i < w->pairs.n; i++) {
		unsigned rank = w->pairs.at[i] & ((1 << RANK_BITS) - 1);
		unsigned slot = w->pairs.at[i] >> RANK_BITS & (ABI_SLOTS - 1);

		if (w->owner[slot] == ABI_OWNER_NONE && w->members[rank].quota > 0) {
			w->owner[slot] = (uint16_t)rank;
			w->members[rank].quota--;
		}
	}
	for (unsigned i = 0; i < w->n_slots; i++) {
		if (w->owner[w->slots[i]] != ABI_OWNER_NONE)
			continue;
		w->slots[kept] = w->slots[i];
		w->slot_salt[kept++] = w->slot_salt[i];
	}
	w->n_slots = kept;
}

/* The quotas add up to the slots, so that every slot finds its backend at the latest when the bound takes in all. */
static int
allocate_stable(struct work *w)
{
	struct round round = {.to = (uint64_t)FIRST_BOUND << 32};
	int err = quotas_fill(w);

	log_table_fill(w->log_table);
	for (unsigned i = 0; i < w->n; i++) {
		w->members[i].scale = (w->weights << 20) / w->members[i].weight;
		w->members[i].salt = (uint32_t)flowhash_mum(w->members[i].key ^ FLOWHASH_K0, w->seed ^ FLOWHASH_K1);
	}
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		w->slots[i] = (uint16_t)i;
		w->slot_salt[i] = (uint32_t)flowhash_mum(i ^ FLOWHASH_K2, w->seed ^ FLOWHASH_K0);
	}
	w->n_slots = ABI_SLOTS;
	while (!err && w->n_slots > 0) {
		round.shift = 0;
		while ((round.to - round.from) >> round.shift >> SCORE_BITS)
			round.shift++;
		err = pairs_collect(w, &round);
		if (!err)
			err = pairs_sort(w);
		if (!err)
			pairs_match(w);
		round.from = round.to;
		round.to = round.to >> 61 ? UINT64_MAX : round.to * 4;
	}
	return err;
}

/*
 * Maglev (Eisenbud et al., NSDI '16, 3.4): members take turns, and each takes the next free slot of its own permutation.
 * Turns go by credit in proportion to weight. The paper's table has a prime size for its skips; with a power of two
 * every odd skip gives a permutation.
 */
static int
allocate_maglev(struct work *w)
{
	struct turn {
		uint32_t at;
		uint32_t skip;
		uint32_t credit;
	} *turns = calloc(w->n, sizeof(*turns));
	uint32_t most = 0;

	if (!turns)
		return -ENOMEM;
	for (unsigned i = 0; i < w->n; i++) {
		uint64_t hash = flowhash_mum(w->members[i].key ^ FLOWHASH_K1, w->seed ^ FLOWHASH_K2);

		turns[i].at = hash & (ABI_SLOTS - 1);
		turns[i].skip = (hash >> 32 & (ABI_SLOTS - 1)) | 1;
		most = w->members[i].weight > most ? w->members[i].weight : most;
	}
	for (unsigned left = ABI_SLOTS, i = 0; left > 0; i = i + 1 == w->n ? 0 : i + 1) {
		struct turn *turn = &turns[i];

		turn->credit += w->members[i].weight;
		if (turn->credit < most)
			continue;
		turn->credit -= most;
		while (w->owner[turn->at] != ABI_OWNER_NONE)
			turn->at = (turn->at + turn->skip) & (ABI_SLOTS - 1);
		w->owner[turn->at] = (uint16_t)i;
		left--;
	}
	free(turns);
	return 0;
}

static int
members_take(struct work *w, const struct allocate_backend *backends, unsigned n)
{
	if (n > ABI_BACKENDS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		if (backends[i].weight > MODEL_WEIGHT_MAX)
			return -EINVAL;
		if (backends[i].weight == 0)
			continue;
		w->weights += backends[i].weight;
		w->members[w->n++] = (struct member){
			.key = backends[i].key, .weight = backends[i].weight, .index = backends[i].index};
	}
	qsort(w->members, w->n, sizeof(*w->members), member_compare);
	return 0;
}

static void
work_free(struct work *w)
{
	free(w->sorted.at);
	free(w->pairs.at);
	free(w->log_table);
	free(w->owner);
	free(w->members);
	free(w);
}

static struct work *
work_new(uint64_t seed, unsigned n)
{
	struct work *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->seed = seed;
	w->members = malloc((n ? n : 1) * sizeof(*w->members));
	w->owner = malloc(ABI_SLOTS * sizeof(*w->owner));
	w->log_table = malloc(LOG_ENTRIES * sizeof(*w->log_table));
	if (!w->members || !w->owner || !w->log_table) {
		work_free(w);
		return NULL;
	}
	for (unsigned i = 0; i < ABI_SLOTS; i++)
		w->owner[i] = ABI_OWNER_NONE;
	return w;
}

int
allocate(enum model_hash hash, uint64_t seed, const struct allocate_backend *backends, unsigned n, uint16_t *owner)
{
	struct work *w = work_new(seed, n);
	int err;

	if (!w)
		return -ENOMEM;
	err = members_take(w, backends, n);
	if (!err && w->n > 0)
		err = hash == MODEL_HASH_MAGLEV ? allocate_maglev(w) : allocate_stable(w);
	for (unsigned i = 0; !err && i < ABI_SLOTS; i++)
		owner[i] = w->n > 0 ? w->members[w->owner[i]].index : ABI_OWNER_NONE;
	work_free(w);
	return err;
}
