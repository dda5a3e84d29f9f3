/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/sample.h"

#include <stdlib.h>
#include <string.h>

struct sample_ring *
sample_ring_new(void)
{
	struct sample_ring *ring = aligned_alloc(64, sizeof(*ring));
	void *shared = aligned_alloc(64, ring_bytes(SAMPLE_RING));

	if (!ring || !shared) {
		free(ring);
		free(shared);
		return NULL;
	}
	memset(shared, 0, ring_bytes(SAMPLE_RING));
	*ring = (struct sample_ring){.worker = ring_init(shared, SAMPLE_RING), .main = ring_init(shared, SAMPLE_RING)};
	return ring;
}

void
sample_ring_free(struct sample_ring *ring)
{
	if (!ring)
		return;
	free(ring->main.shared);
	free(ring);
}

bool
sample_ring_push(struct sample_ring *ring, const struct sample *sample)
{
	union abi_record record;

	memcpy(record.octets, sample, sizeof(record));
	return ring_push(&ring->worker, &record);
}

bool
sample_ring_pop(struct sample_ring *ring, struct sample *out)
{
	union abi_record record;

	if (ring_pop(&ring->main, &record) <= 0)
		return false;
	memcpy(out, record.octets, sizeof(*out));
	return true;
}

void
sample_init(struct sample_state *s, const struct sample_shared *shared, struct sample_ring *ring,
	    _Atomic uint64_t *counters, unsigned worker)
{
	*s = (struct sample_state){.shared = shared,
				   .ring = ring,
				   .counters = counters,
				   .random = (worker + 1) * UINT64_C(0x9e3779b97f4a7c15),
				   .left = 1U << SAMPLE_STRIDE_DEFAULT};
}

/* Marsaglia's xorshift64: where a sample falls must not follow the traffic's own rhythm; it need not be a secret. */
static uint64_t
random_next(struct sample_state *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint8_t
tcp_header(const struct packet *p, unsigned end, uint8_t *flags)
{
	if (p->l4_at + 20U > end)
		return 0;
	*flags = packet_at(p, p->l4_at)[13];
	return (uint8_t)((packet_at(p, p->l4_at)[12] >> 4) * 4);
}

/* What the packet says of its lengths is not believed: the payload ends with the first segment at the latest. */
static void
payload_take(struct sample *sample, const struct packet *p)
{
	unsigned end = RTE_MIN((unsigned)rte_pktmbuf_data_len(p->mbuf), (unsigned)p->l3_at + p->ip_len), at = p->l4_at;

	if (!(p->flags & PACKET_HAS_PORTS) || p->flags & (PACKET_ICMP_ERROR | PACKET_FRAGMENT_LATER))
		return;
	if (p->protocol == IPPROTO_TCP)
		at += tcp_header(p, end, &sample->tcp_flags);
	else
		at += 8;
	if (at == p->l4_at || at >= end)
		return;
	sample->payload_len = (uint8_t)RTE_MIN(end - at, (unsigned)SAMPLE_PAYLOAD);
	memcpy(sample->payload, p->frame + at, sample->payload_len);
}

static void
take(struct sample *sample, const struct packet *p, uint8_t shift)
{
	bool is_v6 = p->flags & PACKET_V6;
	const uint8_t *ip = packet_at(p, p->l3_at);

	*sample = (struct sample){.service = (uint16_t)(p->service & ~SERVICE_SETTLED),
				  .shift = shift,
				  .flags = p->flags,
				  .protocol = p->protocol,
				  .ttl = ip[is_v6 ? 7 : 8],
				  .src_port = p->flags & PACKET_HAS_PORTS ? p->src_port : 0,
				  .dst_port = p->flags & PACKET_HAS_PORTS ? p->dst_port : 0,
				  .len = p->ip_len};
	memcpy(sample->source, ip + (is_v6 ? 8 : 12), is_v6 ? 16 : 4);
	payload_take(sample, p);
}

/* Of those looked at, the service's share. */
static void
look(struct sample_state *s, const struct burst *b, unsigned at, unsigned stride)
{
	const struct packet *p = &b->packets[at];
	unsigned shift, thin;

	if (p->service == SERVICE_NONE || s->n == SAMPLE_BURST_MAX)
		return;
	shift = atomic_load_explicit(&s->shared->shifts[p->service & ~SERVICE_SETTLED], memory_order_relaxed);
	shift = RTE_MAX(shift ? shift : SAMPLE_SHIFT_DEFAULT, stride);
	thin = RTE_MIN(shift, (unsigned)SAMPLE_SHIFT_MAX) - stride;
	if (random_next(s) >> 20 & ((UINT64_C(1) << thin) - 1))
		return;
	take(&s->samples[s->n], p, (uint8_t)(stride + thin));
	s->at[s->n++] = (uint16_t)at;
}

/* To the next look: 1 << stride on the average, from 1 to twice that less 1. */
static uint32_t
step(struct sample_state *s, unsigned stride)
{
	return 1 + (uint32_t)((random_next(s) >> 32) * ((2U << stride) - 1) >> 32);
}

void
sample_look(struct sample_state *s, const struct burst *b)
{
	unsigned stride = atomic_load_explicit(&s->shared->stride, memory_order_relaxed);
	uint32_t at = s->left;

	stride = stride ? stride : SAMPLE_STRIDE_DEFAULT;
	for (; at < b->n; at += step(s, stride))
		look(s, b, at, stride);
	s->left = at - b->n;
}

/* The worker alone writes its counters. */
static void
count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

void
sample_push(struct sample_state *s, const struct burst *b)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->samples[i].verdict = b->packets[s->at[i]].verdict;
		if (s->samples[i].verdict == VERDICT_HELD)
			continue; /* it comes again */
		count(&s->counters[sample_ring_push(s->ring, &s->samples[i]) ? WORKER_SAMPLES : WORKER_SAMPLES_LOST]);
	}
	s->n = 0;
}
