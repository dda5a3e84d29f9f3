/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies of packets, from each worker to the control plane: a ring of slots with one producer and one consumer, as
 * abi/ring.h but for the size of what it carries, and for a producer that never waits: a copy that finds no slot free is
 * counted and lost. The proof is that of the ring (abi/README.md).
 */
#ifndef ABI_CAPTURE_H
#define ABI_CAPTURE_H

#include <stdatomic.h>

#include "base/types.h"

enum {
	ABI_CAPTURE_SLOTS = 256,     /* of a worker's ring: a power of two */
	ABI_CAPTURE_SNAP_MAX = 2048, /* octets of a packet that a slot holds */
	ABI_CAPTURE_NO_SERVICE = 0xffff,
};

struct abi_capture_slot {
	uint64_t time_ns; /* Unix time */
	uint64_t mark;	  /* key of the filter or signature with the action `sample` that it met first; 0: none */
	uint32_t token;	  /* of the capture that it belongs to */
	uint32_t len;	  /* octets of the frame as it came in */
	uint16_t held;	  /* of those, in this slot */
	uint16_t service; /* the dataplane's index, or ABI_CAPTURE_NO_SERVICE */
	uint16_t port;	  /* that it came in by */
	uint8_t verdict;  /* enum abi_verdict */
	uint8_t zero[33];
	uint8_t octets[ABI_CAPTURE_SNAP_MAX];
};
_Static_assert(sizeof(struct abi_capture_slot) == 64 + ABI_CAPTURE_SNAP_MAX, "struct abi_capture_slot");
_Static_assert(offsetof(struct abi_capture_slot, octets) == 64, "struct abi_capture_slot");

/* One writer for each cache line. */
struct capture_ring_shared {
	_Alignas(64) _Atomic uint32_t head; /* producer */
	_Atomic uint64_t lost;		    /* producer: copies that found the ring full */
	_Alignas(64) _Atomic uint32_t tail; /* consumer */
	_Alignas(64) struct abi_capture_slot slots[];
};

/* One side's private view, as struct ring. */
struct capture_ring {
	struct capture_ring_shared *shared;
	uint32_t size;
	uint32_t own;
	uint32_t other;
};

static inline size_t
capture_ring_bytes(uint32_t size)
{
	return sizeof(struct capture_ring_shared) + size * sizeof(struct abi_capture_slot);
}

/* Each side calls it once on a zeroed (new) ring. */
static inline struct capture_ring
capture_ring_init(void *shared, uint32_t size)
{
	return (struct capture_ring){.shared = shared, .size = size};
}

/* Producer: the slot to fill in. NULL: there is none free, or the consumer's index is impossible; it is counted as lost. */
struct abi_capture_slot *capture_ring_claim(struct capture_ring *ring);
/* Producer: hands the claimed slot over. */
void capture_ring_push(struct capture_ring *ring);

/*
 * Consumer. 1: a slot was copied out (of its octets, those that it holds); 0: empty; -EBADMSG: the index is impossible, or
 * what is in the slot is: nothing of this producer is to be believed.
 */
MUST_CHECK int capture_ring_pop(struct capture_ring *ring, struct abi_capture_slot *slot);

/* Consumer. */
uint64_t capture_ring_lost(const struct capture_ring *ring);

#endif
