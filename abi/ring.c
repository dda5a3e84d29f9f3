/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/ring.h"

#include <errno.h>

#ifndef RING_RELEASE /* the negative control of the stress test weakens it */
#define RING_RELEASE memory_order_release
#endif

int
ring_space(struct ring *ring, uint32_t *space)
{
	/* Acquire pairs with the consumer's release in ring_pop: it has copied the record out before we write over it. */
	ring->other = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
	if (ring->own - ring->other > ring->size)
		return -EBADMSG;
	*space = ring->size - (ring->own - ring->other);
	return 0;
}

bool
ring_push(struct ring *ring, const union abi_record *record)
{
	uint32_t space;

	if (ring->own - ring->other >= ring->size && (ring_space(ring, &space) != 0 || space == 0))
		return false;
	ring->shared->records[ring->own & (ring->size - 1)] = *record;
	ring->own++;
	/* Release pairs with the consumer's acquire in ring_pop: who sees the index sees the record. */
	atomic_store_explicit(&ring->shared->head, ring->own, RING_RELEASE);
	return true;
}

int
ring_pop(struct ring *ring, union abi_record *record)
{
	if (ring->own == ring->other) {
		/* Acquire pairs with the producer's release in ring_push. */
		ring->other = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
		if (ring->other - ring->own > ring->size)
			return -EBADMSG;
		if (ring->own == ring->other)
			return 0;
	}
	*record = ring->shared->records[ring->own & (ring->size - 1)];
	ring->own++;
	/* Release pairs with the producer's acquire in ring_space: the copy is done before the place is free. */
	atomic_store_explicit(&ring->shared->tail, ring->own, memory_order_release);
	return 1;
}
