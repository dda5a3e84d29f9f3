/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples of what comes for services, with what became of it: the worker puts them in a ring of its own, from where the
 * main lcore takes them (dataplane/talkers.h). It costs a subtraction a burst and, once in a stride, a look at one
 * packet; of those looked at, a service keeps one in a power of two. The main lcore sets both, by what comes and
 * whether a service is armed.
 *
 * A packet is copied before the guard, which may make an answer of it, and gets its verdict after all stages. A ring
 * that is full loses the sample, and counts it.
 */
#ifndef DATAPLANE_STAGE_SAMPLE_H
#define DATAPLANE_STAGE_SAMPLE_H

#include <netinet/in.h>
#include <rte_branch_prediction.h>
#include <stdatomic.h>

#include "abi/ring.h"
#include "dataplane/packet.h"

enum {
	SAMPLE_STRIDE_DEFAULT = 8, /* one packet in 256, on the average */
	SAMPLE_SHIFT_DEFAULT = 12, /* of a service that the main lcore has not judged yet: one in 4,096 */
	SAMPLE_SHIFT_MAX = 20,
	SAMPLE_PAYLOAD = 32,
	SAMPLE_RING = 1024,    /* a power of two */
	SAMPLE_BURST_MAX = 32, /* of one burst */
};

struct sample {
	uint16_t service; /* index */
	uint8_t verdict;  /* enum abi_verdict */
	uint8_t shift;	  /* it stands for 1 << shift packets */
	uint8_t flags;	  /* enum packet_flag */
	uint8_t protocol; /* of the flow, as in struct packet */
	uint8_t tcp_flags;
	uint8_t ttl;
	uint16_t src_port; /* host order; 0: it has none */
	uint16_t dst_port;
	uint16_t len;	     /* octets of the IP packet */
	uint8_t payload_len; /* octets of payload that follow */
	uint8_t zero;
	uint8_t source[16];		 /* of the packet, also of an ICMP error; 4 octets in IPv4 */
	uint8_t payload[SAMPLE_PAYLOAD]; /* of TCP and UDP, from the first octet on */
};
_Static_assert(sizeof(struct sample) == 64, "struct sample");

_Static_assert(sizeof(struct sample) == sizeof(union abi_record), "struct sample: goes through abi/ring.h");

/* A ring of abi/ring.h, by which its records are samples. */
struct sample_ring {
	struct ring worker;	       /* its view */
	_Alignas(64) struct ring main; /* the main lcore's */
};

struct sample_ring *sample_ring_new(void);	 /* NULL: no memory */
void sample_ring_free(struct sample_ring *ring); /* NULL is fine */
/* The worker. False: it is full. */
MUST_CHECK bool sample_ring_push(struct sample_ring *ring, const struct sample *sample);
/* The main lcore. False: it is empty. */
MUST_CHECK bool sample_ring_pop(struct sample_ring *ring, struct sample *out);

/* What the main lcore says to all workers; each value stands for itself. Zeroed is fine. */
struct sample_shared {
	_Alignas(64) _Atomic uint8_t stride;	  /* one packet in 1 << stride is looked at; 0: SAMPLE_STRIDE_DEFAULT */
	_Atomic uint8_t shifts[ABI_SERVICES_MAX]; /* one in 1 << shift is wanted; 0: SAMPLE_SHIFT_DEFAULT */
};

/* One worker's. */
struct sample_state {
	const struct sample_shared *shared;
	struct sample_ring *ring;
	_Atomic uint64_t *counters; /* of the worker: WORKER_SAMPLES, WORKER_SAMPLES_LOST */
	uint64_t random;	    /* not 0 */
	uint32_t left;		    /* packets to come before the next look */
	unsigned n;		    /* of this burst */
	uint16_t at[SAMPLE_BURST_MAX];
	struct sample samples[SAMPLE_BURST_MAX];
};

void sample_init(struct sample_state *s, const struct sample_shared *shared, struct sample_ring *ring,
		 _Atomic uint64_t *counters, unsigned worker);

/* The looks that fall into this burst. */
void sample_look(struct sample_state *s, const struct burst *b);
/* The verdicts of those that were kept; they go into the ring. */
void sample_push(struct sample_state *s, const struct burst *b);

/* After classify, before the guard. */
static inline void
sample_burst(struct sample_state *s, const struct burst *b)
{
	if (likely(s->left >= b->n))
		s->left -= b->n;
	else
		sample_look(s, b);
}

/* When all packets have their verdict, before they are sent. */
static inline void
sample_settle(struct sample_state *s, const struct burst *b)
{
	if (unlikely(s->n > 0))
		sample_push(s, b);
}

#endif
