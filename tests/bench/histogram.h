/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts of 64-bit values in buckets of at most 1/32 of the value: quantiles of any range in 15 KiB. One writer. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "base/types.h"

enum { HISTOGRAM_BUCKETS = 1920 };

struct histogram {
	uint64_t n;
	uint64_t max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Values of up to 6 bits have a bucket each; of wider ones the upper 6 bits count. */
static inline void
histogram_add(struct histogram *h, uint64_t value)
{
	unsigned shift = value < 64 ? 0 : 58 - (unsigned)__builtin_clzll(value);

	h->buckets[shift * 32 + (value >> shift)]++;
	h->n++;
	if (value > h->max)
		h->max = value;
}

/* The value that a share of all, 0 to 1, doesn't exceed; 0 of none. */
static inline uint64_t
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t rank = (uint64_t)(share * (double)h->n), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		unsigned shift = i < 64 ? 0 : i / 32 - 1;
		uint64_t last = ((i - shift * 32 + UINT64_C(1)) << shift) - 1;

		seen += h->buckets[i];
		if (seen > rank)
			return last < h->max ? last : h->max;
	}
	return h->max;
}

#endif
