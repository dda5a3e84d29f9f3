/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is most frequent in a stream, in constant memory: Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient
 * Computation of Frequent and Top-k Elements in Data Streams", 2005), with weights. There are SKETCH_COUNTERS counters,
 * each of a key. A key that has one adds to it; one that has none takes over the smallest, with its count, and notes
 * that count as what its own may be wrong by. So, for a stream of weight W, whatever its order and however many keys an
 * attacker makes up:
 *
 *   every key heavier than W / SKETCH_COUNTERS has a counter,
 *   weight <= count, and count - error <= weight,
 *   error <= W / SKETCH_COUNTERS.
 *
 * Counters are looked through one by one: samples are few. One owner.
 */
#ifndef DATAPLANE_SKETCH_H
#define DATAPLANE_SKETCH_H

#include "base/types.h"

enum { SKETCH_COUNTERS = 128, SKETCH_KEY = 24 };

/* Compared whole: what isn't used is zero. */
struct sketch_key {
	uint8_t octets[SKETCH_KEY];
};

struct sketch_counter {
	struct sketch_key key;
	uint64_t count; /* 0: free */
	uint64_t error;
};

/* Zeroed is empty. */
struct sketch {
	uint64_t total;			/* W */
	uint64_t tags[SKETCH_COUNTERS]; /* a hash of the counter's key: most that differ are told by it */
	struct sketch_counter counters[SKETCH_COUNTERS];
};

/* weight > 0. */
void sketch_add(struct sketch *sketch, const struct sketch_key *key, uint64_t weight);

/* Everything so far weighs half. What the head says holds on, of the halved weights, but for rounding. */
void sketch_halve(struct sketch *sketch);

/* The counters of the highest counts, the highest first, and how many there are; at most n. */
unsigned sketch_top(const struct sketch *sketch, const struct sketch_counter **out, unsigned n);

#endif
