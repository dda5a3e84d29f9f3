/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) over whole words: what comes out tells
 * nothing of the key, even to who chooses what goes in. No state; any thread.
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "base/types.h"

/* Rounds for each word and at the end: 2 and 4 are the paper's default; 1 and 3 do where a key lives for minutes only. */
enum { SIPHASH_QUICK_WORD = 1, SIPHASH_QUICK_END = 3 };

struct siphash_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
siphash_rotate(uint64_t value, unsigned by)
{
	return value << by | value >> (64 - by);
}

static inline void
siphash_round(struct siphash_state *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = siphash_rotate(s->v1, 13) ^ s->v0;
	s->v3 = siphash_rotate(s->v3, 16) ^ s->v2;
	s->v0 = siphash_rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = siphash_rotate(s->v1, 17) ^ s->v2;
	s->v3 = siphash_rotate(s->v3, 21) ^ s->v0;
	s->v2 = siphash_rotate(s->v2, 32);
}

static inline void
siphash_word(struct siphash_state *s, uint64_t word, unsigned rounds)
{
	s->v3 ^= word;
	for (unsigned i = 0; i < rounds; i++)
		siphash_round(s);
	s->v0 ^= word;
}

/* The hash of n words, as of their octets in little-endian order. */
static inline uint64_t
siphash(const uint64_t key[static 2], const uint64_t *words, unsigned n, unsigned word_rounds, unsigned end_rounds)
{
	struct siphash_state s = {
		.v0 = UINT64_C(0x736f6d6570736575) ^ key[0],
		.v1 = UINT64_C(0x646f72616e646f6d) ^ key[1],
		.v2 = UINT64_C(0x6c7967656e657261) ^ key[0],
		.v3 = UINT64_C(0x7465646279746573) ^ key[1],
	};

	for (unsigned i = 0; i < n; i++)
		siphash_word(&s, words[i], word_rounds);
	siphash_word(&s, (uint64_t)n * 8 << 56, word_rounds);
	s.v2 ^= 0xff;
	for (unsigned i = 0; i < end_rounds; i++)
		siphash_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

#endif
