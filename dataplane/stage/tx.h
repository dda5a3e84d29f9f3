/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last stage: counts what became of each packet and hands it on, to a NIC queue, to the kernel, or to nobody.
 * What a queue doesn't take is dropped and counted; nothing waits here beyond the burst.
 */
#ifndef DATAPLANE_STAGE_TX_H
#define DATAPLANE_STAGE_TX_H

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "abi/layout.h"
#include "dataplane/packet.h"

/* One way out: a queue of a DPDK port, with the packets of this burst that go there. */
struct tx_way {
	uint16_t ethdev; /* UINT16_MAX: there is none */
	uint16_t queue;
	uint16_t n;
	bool has_multi_segs;
	rte_spinlock_t *lock; /* NULL: the queue is this worker's own */
	struct rte_mbuf *mbufs[BURST_MAX];
	uint32_t lens[BURST_MAX];
};

/* One worker's state; the counters have no other writer. */
struct tx {
	struct abi_worker_block *block;
	struct abi_service_counters *services;
	struct abi_backend_counters *backends;
	unsigned n_ports;
	struct tx_way ports[ABI_PORTS_MAX];
	struct tx_way kernel[ABI_PORTS_MAX];
};

/* One writer, so a load and a store do. */
static inline void
tx_add(_Atomic uint64_t *counter, uint64_t by)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline void
tx_put(struct tx_way *way, struct rte_mbuf *mbuf)
{
	way->lens[way->n] = mbuf->pkt_len;
	way->mbufs[way->n++] = mbuf;
}

static inline void
tx_count_flow(struct tx *tx, const struct packet *p)
{
	struct abi_service_counters *service = &tx->services[p->service];
	struct abi_backend_counters *backend = &tx->backends[p->backend];
	bool opens = p->flags & PACKET_OPENS;

	tx_add(&service->packets, 1);
	tx_add(&service->bytes, p->ip_len);
	tx_add(&service->openings, opens);
	if (unlikely(p->verdict != VERDICT_FORWARDED)) {
		tx_add(&service->dropped, 1);
		return;
	}
	tx_add(&backend->packets, 1);
	tx_add(&backend->bytes, p->ip_len);
	tx_add(&backend->openings, opens);
	tx_add(&backend->icmp, (p->flags & PACKET_ICMP_ERROR) != 0);
}

/* Where a packet with this verdict goes; NULL: nowhere. */
static inline struct tx_way *
tx_way_of(struct tx *tx, struct packet *p)
{
	switch (p->verdict) {
	case VERDICT_FORWARDED:
	case VERDICT_ECHO_REPLIED:
	case VERDICT_REFUSED_RST:
	case VERDICT_REFUSED_UNREACHABLE:
	case VERDICT_TOO_BIG:
		return &tx->ports[p->tx_port];
	case VERDICT_KERNEL_UNICAST:
	case VERDICT_KERNEL_MULTICAST:
	case VERDICT_KERNEL_BROADCAST:
		if (tx->kernel[p->rx_port].ethdev != UINT16_MAX)
			return &tx->kernel[p->rx_port];
		p->verdict = VERDICT_NO_EXCEPTION;
		return NULL;
	default:
		return NULL;
	}
}

static inline void
tx_sort_pass(struct tx *tx, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		struct tx_way *way;

		/* Every stage settles what is its own; what none settled has no service. */
		if (unlikely(p->verdict == VERDICT_OPEN))
			p->verdict = VERDICT_NO_SERVICE;
		way = tx_way_of(tx, p);
		if (way && !way->has_multi_segs && p->mbuf->nb_segs > 1 && rte_pktmbuf_linearize(p->mbuf) != 0) {
			p->verdict = VERDICT_NO_HEADROOM;
			way = NULL;
		}
		tx_add(&tx->block->verdicts[p->verdict], 1);
		if (p->service != SERVICE_NONE)
			tx_count_flow(tx, p);
		if (way)
			tx_put(way, p->mbuf);
		else if (p->verdict != VERDICT_HELD)
			rte_pktmbuf_free(p->mbuf);
	}
}

/* Sends what was put; 0 and more: how many the queue took. */
static inline unsigned
tx_send(struct tx_way *way)
{
	unsigned sent;

	if (way->lock)
		rte_spinlock_lock(way->lock);
	sent = rte_eth_tx_burst(way->ethdev, way->queue, way->mbufs, way->n);
	if (way->lock)
		rte_spinlock_unlock(way->lock);
	if (unlikely(sent < way->n))
		rte_pktmbuf_free_bulk(way->mbufs + sent, way->n - sent);
	return sent;
}

static inline void
tx_flush_port(struct tx *tx, struct tx_way *way)
{
	uint64_t bytes = 0;
	unsigned sent = tx_send(way);

	for (unsigned i = 0; i < sent; i++)
		bytes += way->lens[i];
	tx_add(&tx->block->counters[WORKER_TX_PACKETS], sent);
	tx_add(&tx->block->counters[WORKER_TX_BYTES], bytes);
	if (unlikely(sent < way->n))
		tx_add(&tx->block->verdicts[VERDICT_TX_FULL], way->n - sent);
	way->n = 0;
}

static inline void
tx_flush_pass(struct tx *tx)
{
	for (unsigned i = 0; i < tx->n_ports; i++) {
		if (tx->ports[i].n > 0)
			tx_flush_port(tx, &tx->ports[i]);
		if (unlikely(tx->kernel[i].n > 0)) {
			unsigned sent = tx_send(&tx->kernel[i]);

			tx_add(&tx->block->verdicts[VERDICT_NO_EXCEPTION], tx->kernel[i].n - sent);
			tx->kernel[i].n = 0;
		}
	}
}

static inline void
tx_burst(struct tx *tx, struct burst *b)
{
	tx_sort_pass(tx, b);
	tx_flush_pass(tx);
}

#endif
