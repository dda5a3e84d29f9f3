/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single-producer single-consumer ring of records in shared memory. The proof and what is not claimed: abi/README.md.
 *
 * struct ring_shared is what lies in the mapping; struct ring is one side's private view of it: the geometry (never read
 * back from the mapping, where the other side could change it) and a cached copy of the other side's index.
 */
#ifndef ABI_RING_H
#define ABI_RING_H

#include <stdatomic.h>

#include "abi/records.h"

/* Indices run freely and wrap at 2^32; head - tail is the fill. One writer a cache line. */
struct ring_shared {
	_Alignas(64) _Atomic uint32_t head; /* producer */
	_Alignas(64) _Atomic uint32_t tail; /* consumer */
	_Alignas(64) union abi_record records[];
};

struct ring {
	struct ring_shared *shared;
	uint32_t size;	/* power of two */
	uint32_t own;	/* producer: head, consumer: tail */
	uint32_t other; /* the other side's index as last seen */
};

static inline size_t
ring_bytes(uint32_t size)
{
	return sizeof(struct ring_shared) + size * sizeof(union abi_record);
}

/* Each side calls it once on a zeroed (new) ring. */
static inline struct ring
ring_init(void *shared, uint32_t size)
{
	return (struct ring){.shared = shared, .size = size};
}

/* Producer. False: full. */
MUST_CHECK bool ring_push(struct ring *ring, const union abi_record *record);

/* Consumer. 1: a record was copied out; 0: empty; -EBADMSG: the producer's index is impossible, the ring is unusable. */
MUST_CHECK int ring_pop(struct ring *ring, union abi_record *record);

/* Producer: records that can be pushed for certain. -EBADMSG as above. */
MUST_CHECK int ring_space(struct ring *ring, uint32_t *space);

#endif
