/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies packets for the operator, with what became of them, into the worker's ring of the captures mapping
 * (abi/capture.h). While no capture runs it costs the load of a pointer for each burst.
 *
 * What becomes of a packet is known last, when encap or an answer has been written over its headers. So there are two
 * passes: before the guard the packets that the capture may want are chosen (service, expression) and their first
 * octets kept; after all stages those whose end is asked for are put together from what was kept and from what no stage
 * writes to, the rest of the frame. Of a packet that the node answered in its own mbuf there is only what was kept.
 *
 * Nothing waits and nothing is allocated. A capture is immutable but for the workers' own parts; the main lcore
 * (dataplane/captures.h) publishes it and takes it away.
 */
#ifndef DATAPLANE_STAGE_CAPTURE_H
#define DATAPLANE_STAGE_CAPTURE_H

#include "abi/capture.h"
#include "abi/records.h"
#include "dataplane/packet.h"
#include "dataplane/stage/filter.h"

enum { CAPTURE_HEAD = 256 }; /* octets that are kept: more than encap or an answer writes over */

/* A worker's part of a capture: it alone writes. */
struct capture_worker {
	_Alignas(64) struct capture_ring *ring;
	uint32_t taken;
	uint32_t turn; /* packets that are let go by before the next one is copied */
};

struct capture {
	struct abi_capture spec;
	struct filters *filters; /* the expression, as their only one; NULL: there is none */
	uint64_t services[ABI_SERVICES_MAX / 64]; /* with spec.service: the indices that had its key at the start */
	uint64_t base_tsc; /* with base_ns, of one moment */
	uint64_t base_ns;  /* Unix time */
	uint64_t ns_per_tsc; /* 32 bits of it behind the point */
	struct capture_worker workers[ABI_WORKERS_MAX];
};

/* Where workers find the capture that runs; NULL: none does. */
struct capture_handle {
	_Atomic(struct capture *) current;
};

/* A packet as it came in: its first octets, and where the rest lies. */
struct capture_head {
	bool is_kept;
	uint16_t kept;	     /* octets */
	uint32_t len;	     /* of the frame */
	const uint8_t *rest; /* of its first segment */
	uint32_t rest_len;
	const struct rte_mbuf *next; /* segment */
	uint8_t octets[CAPTURE_HEAD];
};

/* One worker's. */
struct capture_state {
	const struct capture_handle *handle;
	unsigned worker;
	struct capture_head heads[BURST_MAX];
};

static inline struct capture *
capture_load(const struct capture_state *s)
{
	/* Acquire pairs with the release in captures.c: who sees the capture sees what is in it. */
	return atomic_load_explicit(&s->handle->current, memory_order_acquire);
}

/* After parse, classify and fragment, and before a stage writes to a frame. */
void capture_keep(struct capture_state *s, const struct capture *c, const struct burst *b);
/* When all packets have their verdict, and their mbufs are still the worker's. */
void capture_copy(struct capture_state *s, struct capture *c, const struct burst *b);
/* Packets that end outside of a burst, as they came in. */
void capture_ended(struct capture_state *s, struct rte_mbuf *const *mbufs, unsigned n, enum abi_verdict verdict,
		   uint64_t now_tsc);

#endif
