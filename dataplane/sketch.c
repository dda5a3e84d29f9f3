/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/sketch.h"

#include <string.h>

#include "base/flowhash.h"

static uint64_t
tag_of(const struct sketch_key *key)
{
	uint64_t a = flowhash_load(key->octets), b = flowhash_load(key->octets + 8),
		 c = flowhash_load(key->octets + 16);

	return flowhash_mum(flowhash_mum(a ^ FLOWHASH_K0, b ^ FLOWHASH_K1) ^ c, FLOWHASH_K2);
}

/* Its counter; else SKETCH_COUNTERS. */
static unsigned
lookup(const struct sketch *s, const struct sketch_key *key, uint64_t tag)
{
	for (unsigned i = 0; i < SKETCH_COUNTERS; i++) {
		if (s->tags[i] == tag && s->counters[i].count && memcmp(&s->counters[i].key, key, sizeof(*key)) == 0)
			return i;
	}
	return SKETCH_COUNTERS;
}

/* A free one counts 0. */
static unsigned
smallest(const struct sketch *s)
{
	unsigned at = 0;

	for (unsigned i = 1; i < SKETCH_COUNTERS; i++)
		at = s->counters[i].count < s->counters[at].count ? i : at;
	return at;
}

void
sketch_add(struct sketch *s, const struct sketch_key *key, uint64_t weight)
{
	uint64_t tag = tag_of(key);
	unsigned at = lookup(s, key, tag);

	s->total += weight;
	if (at == SKETCH_COUNTERS) {
		at = smallest(s);
		s->tags[at] = tag;
		s->counters[at] = (struct sketch_counter){
			.key = *key, .count = s->counters[at].count, .error = s->counters[at].count};
	}
	s->counters[at].count += weight;
}

void
sketch_halve(struct sketch *s)
{
	s->total /= 2;
	for (unsigned i = 0; i < SKETCH_COUNTERS; i++) {
		struct sketch_counter *c = &s->counters[i];

		c->count /= 2;
		c->error = c->error / 2 < c->count ? (c->error + 1) / 2 : c->count;
	}
}

unsigned
sketch_top(const struct sketch *s, const struct sketch_counter **out, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < SKETCH_COUNTERS; i++) {
		const struct sketch_counter *c = &s->counters[i];
		unsigned at = found;

		if (c->count == 0)
			continue;
		while (at > 0 && out[at - 1]->count < c->count)
			at--;
		if (at == n)
			continue;
		found = found < n ? found + 1 : n;
		memmove(&out[at + 1], &out[at], (found - 1 - at) * sizeof(*out));
		out[at] = c;
	}
	return found;
}
