/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of 1 to 64 equal units in one piece of memory that may move as it grows; an index names a block. Free blocks
 * are kept by powers of two and split when a smaller one is wanted. Main lcore.
 */
#ifndef DATAPLANE_ARENA_H
#define DATAPLANE_ARENA_H

#include "base/types.h"

enum { ARENA_CLASSES = 7, ARENA_BLOCK_MAX = 64 };

struct arena {
	void *units;
	size_t unit; /* octets, 4 or more; the owner sets it in a zeroed arena */
	uint32_t used;
	uint32_t capacity;
	uint32_t free[ARENA_CLASSES]; /* index + 1 of the first; the next is in the block's first 4 octets */
};

/* n units can then be taken without fail, whatever the free blocks. -ENOMEM */
MUST_CHECK int arena_reserve(struct arena *a, uint32_t n);
uint32_t arena_take(struct arena *a, unsigned n); /* n <= ARENA_BLOCK_MAX, within what is reserved */
void arena_give(struct arena *a, uint32_t index, unsigned n); /* n as it was taken, or of the same class */
MUST_CHECK int arena_copy(struct arena *to, const struct arena *from); /* -ENOMEM */
void arena_free_all(struct arena *a);
unsigned arena_class(unsigned n); /* blocks of one class take the same room */

static inline void *
arena_at(const struct arena *a, uint32_t index)
{
	return (char *)a->units + index * a->unit;
}

static inline size_t
arena_octets(const struct arena *a)
{
	return a->capacity * a->unit;
}

#endif
