/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/capture.h"

#include <errno.h>
#include <string.h>

#include "abi/layout.h"

#ifndef RING_RELEASE /* the negative control of the stress test weakens it */
#define RING_RELEASE memory_order_release
#endif

struct abi_capture_slot *
capture_ring_claim(struct capture_ring *ring)
{
	if (ring->own - ring->other >= ring->size) {
		/* Acquire pairs with the consumer's release in capture_ring_pop: it has copied the slot out. */
		ring->other = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
		if (ring->own - ring->other >= ring->size) {
			/* One writer. */
			atomic_store_explicit(&ring->shared->lost,
					      atomic_load_explicit(&ring->shared->lost, memory_order_relaxed) + 1,
					      memory_order_relaxed);
			return NULL;
		}
	}
	return &ring->shared->slots[ring->own & (ring->size - 1)];
}

void
capture_ring_push(struct capture_ring *ring)
{
	ring->own++;
	/* Release pairs with the consumer's acquire in capture_ring_pop: who sees the index sees the slot. */
	atomic_store_explicit(&ring->shared->head, ring->own, RING_RELEASE);
}

/* Of a copy. */
static bool
slot_holds(const struct abi_capture_slot *slot)
{
	return slot->held <= ABI_CAPTURE_SNAP_MAX && slot->held <= slot->len && slot->verdict != VERDICT_OPEN &&
	       slot->verdict < VERDICT_COUNT && slot->port < ABI_PORTS_MAX &&
	       (slot->service < ABI_SERVICES_MAX || slot->service == ABI_CAPTURE_NO_SERVICE);
}

int
capture_ring_pop(struct capture_ring *ring, struct abi_capture_slot *slot)
{
	const struct abi_capture_slot *from;

	if (ring->own == ring->other) {
		/* Acquire pairs with the producer's release in capture_ring_push. */
		ring->other = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
		if (ring->other - ring->own > ring->size)
			return -EBADMSG;
		if (ring->own == ring->other)
			return 0;
	}
	from = &ring->shared->slots[ring->own & (ring->size - 1)];
	memcpy(slot, from, offsetof(struct abi_capture_slot, octets));
	if (!slot_holds(slot))
		return -EBADMSG;
	memcpy(slot->octets, from->octets, slot->held);
	ring->own++;
	/* Release pairs with the producer's acquire in capture_ring_claim: the copy is done before the slot is free. */
	atomic_store_explicit(&ring->shared->tail, ring->own, memory_order_release);
	return 1;
}

uint64_t
capture_ring_lost(const struct capture_ring *ring)
{
	/* Relaxed: a count orders nothing. */
	return atomic_load_explicit(&ring->shared->lost, memory_order_relaxed);
}
