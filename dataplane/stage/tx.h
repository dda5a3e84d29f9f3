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
	uint64_t bytes; /* of those packets */
	struct rte_mbuf *mbufs[BURST_MAX];
};

/* One worker's state; the counters have no other writer. */
struct tx {
	struct abi_worker_block *block;
	struct abi_service_counters *services;
	struct abi_backend_counters *backends;
	struct abi_service_reasons *reasons;
	unsigned n_ports;
	struct tx_way ports[ABI_PORTS_MAX];
	struct tx_way kernel[ABI_PORTS_MAX];
	unsigned n_dropped;
	struct rte_mbuf *dropped[BURST_MAX]; /* of this burst, to be freed together */
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
	way->bytes += mbuf->pkt_len;
	way->mbufs[way->n++] = mbuf;
}

/* Packets in a row of one service and verdict: counted here, then added to its counters at once. */
struct tx_run {
	uint64_t packets;
	uint64_t bytes;
	uint64_t openings;
	uint16_t service;
	uint8_t verdict;
};

static inline void
tx_run_end(struct tx *tx, struct tx_run *run)
{
	struct abi_service_counters *service = &tx->services[run->service];

	if (run->packets == 0)
		return;
	tx_add(&service->packets, run->packets);
	tx_add(&service->bytes, run->bytes);
	tx_add(&service->openings, run->openings);
	if (run->verdict != VERDICT_FORWARDED) {
		tx_add(&tx->block->verdicts[run->verdict], run->packets);
		tx_add(&service->dropped, run->packets);
		tx_add(&tx->reasons[run->service].verdicts[run->verdict], run->packets);
	}
	run->packets = run->bytes = run->openings = 0;
}

static inline void
tx_count_service(struct tx *tx, struct tx_run *run, const struct packet *p, uint16_t service)
{
	if (unlikely(service != run->service)) {
		tx_run_end(tx, run);
		run->service = service;
	}
	run->packets++;
	run->bytes += p->ip_len;
	if (unlikely(p->flags & PACKET_OPENS))
		run->openings++;
}

static inline void
tx_count_backend(struct tx *tx, const struct packet *p)
{
	struct abi_backend_counters *backend = &tx->backends[p->backend];
	unsigned flags = p->flags;

	tx_add(&backend->packets, 1);
	tx_add(&backend->bytes, p->ip_len);
	if (likely(!(flags & (PACKET_OPENS | PACKET_ICMP_ERROR))))
		return;
	if (flags & PACKET_OPENS)
		tx_add(&backend->openings, 1);
	else
		tx_add(&backend->icmp, 1);
}

/* A drop before steer, of a service: what a flood mostly is. */
static inline void
tx_drop(struct tx *tx, struct tx_run *run, const struct packet *p)
{
	if (unlikely(p->verdict != run->verdict)) {
		tx_run_end(tx, run);
		run->verdict = p->verdict;
	}
	tx_count_service(tx, run, p, p->service & ~SERVICE_SETTLED);
	tx->dropped[tx->n_dropped++] = p->mbuf;
}

/* Settled by the guard, and not to be sent. */
static inline bool
tx_is_drop(const struct packet *p)
{
	return (p->service & SERVICE_SETTLED) && p->service != SERVICE_NONE && p->verdict >= VERDICT_L2_TRUNCATED;
}

/* All but what was forwarded in one piece: answers, the kernel's, what has been dropped. Takes the mbuf over. */
void tx_other(struct tx *tx, struct packet *p);

/* One way's packets in a row: what is put is in registers until another way's turn comes. */
struct tx_row {
	struct tx_way *way;
	uint16_t port;
	unsigned n;
	uint64_t bytes;
};

static inline void
tx_row_end(struct tx_row *row)
{
	row->way->n = (uint16_t)row->n;
	row->way->bytes = row->bytes;
}

static inline struct tx_row
tx_row_begin(struct tx *tx, uint16_t port)
{
	struct tx_way *way = &tx->ports[port];

	return (struct tx_row){.way = way, .port = port, .n = way->n, .bytes = way->bytes};
}

static inline void
tx_forward(struct tx *tx, struct tx_row *row, struct tx_run *run, const struct packet *p)
{
	tx_count_service(tx, run, p, p->service);
	tx_count_backend(tx, p);
	if (unlikely(p->tx_port != row->port)) {
		tx_row_end(row);
		*row = tx_row_begin(tx, p->tx_port);
	}
	row->bytes += p->mbuf->pkt_len;
	row->way->mbufs[row->n++] = p->mbuf;
}

static inline void
tx_sort_pass(struct tx *tx, struct burst *b)
{
	struct tx_run run = {.service = SERVICE_NONE, .verdict = VERDICT_FORWARDED};
	struct tx_run drops = {.service = SERVICE_NONE};
	struct tx_row row = tx_row_begin(tx, 0);
	uint64_t forwarded = 0;

	for (struct packet *p = b->packets, *end = p + b->n; p < end; p++) {
		if (likely(p->verdict == VERDICT_FORWARDED && p->mbuf->nb_segs == 1)) {
			forwarded++;
			tx_forward(tx, &row, &run, p);
		} else if (tx_is_drop(p)) {
			tx_drop(tx, &drops, p);
		} else {
			tx_row_end(&row);
			tx_other(tx, p);
			row = tx_row_begin(tx, row.port);
		}
	}
	tx_row_end(&row);
	tx_run_end(tx, &run);
	tx_run_end(tx, &drops);
	tx_add(&tx->block->verdicts[VERDICT_FORWARDED], forwarded);
}

/* Sends what was put; how many the queue took. Of the others, freed, the octets are taken off way->bytes. */
static inline unsigned
tx_send(struct tx_way *way)
{
	unsigned sent;

	if (way->lock)
		rte_spinlock_lock(way->lock);
	sent = rte_eth_tx_burst(way->ethdev, way->queue, way->mbufs, way->n);
	if (way->lock)
		rte_spinlock_unlock(way->lock);
	for (unsigned i = sent; unlikely(i < way->n); i++)
		way->bytes -= way->mbufs[i]->pkt_len;
	if (unlikely(sent < way->n))
		rte_pktmbuf_free_bulk(way->mbufs + sent, way->n - sent);
	return sent;
}

static inline void
tx_flush_port(struct tx *tx, struct tx_way *way)
{
	unsigned sent = tx_send(way);

	tx_add(&tx->block->counters[WORKER_TX_PACKETS], sent);
	tx_add(&tx->block->counters[WORKER_TX_BYTES], way->bytes);
	if (unlikely(sent < way->n))
		tx_add(&tx->block->verdicts[VERDICT_TX_FULL], way->n - sent);
	way->n = 0;
	way->bytes = 0;
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
			tx->kernel[i].bytes = 0;
		}
	}
}

static inline void
tx_burst(struct tx *tx, struct burst *b)
{
	tx_sort_pass(tx, b);
	tx_flush_pass(tx);
	if (tx->n_dropped > 0)
		rte_pktmbuf_free_bulk(tx->dropped, tx->n_dropped);
	tx->n_dropped = 0;
}

#endif
