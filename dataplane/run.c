/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker runs. This file is compiled once for each level of the CPU's instructions (meson.build says which), with
 * WORKER_CODE as the name of what comes out: the same steps, by wider ones where the CPU has them.
 */
#include <rte_cycles.h>
#include <time.h>

#include "base/clock.h"
#include "dataplane/pipeline.h"

enum {
	RX_BURST = 64,
	IDLE_SPINS = 32, /* empty rounds before the worker sleeps, and the lengths of its naps */
	IDLE_NAP_MIN_NS = 20000,
	IDLE_NAP_MAX_NS = 200000,
	BEAT_HZ = 20,
};

/* The clock of flow tables, without a division for each burst. */
static uint32_t
now_s(struct worker *w, uint64_t tsc)
{
	if (tsc >= w->second_tsc) {
		w->now_s = worker_now_s(w->shared, tsc);
		w->second_tsc = w->shared->start_tsc + (w->now_s + UINT64_C(1)) * w->tsc_hz;
	}
	return w->now_s;
}

static uint64_t
burst_run(struct worker *w, struct rte_mbuf **mbufs, unsigned n, uint16_t port, uint64_t tsc)
{
	const struct snapshot *tables;
	uint64_t bytes;

	w->burst.now_tsc = tsc;
	w->burst.now_s = now_s(w, tsc);
	/* Acquire pairs with the release of tables_publish. */
	tables = atomic_load_explicit(w->shared->current, memory_order_acquire);
	bytes = pipeline_run(w, tables, mbufs, n, port);
	atomic_store_explicit(&w->tx.block->generation, tables->generation, memory_order_relaxed);
	return bytes;
}

static void
burst(struct worker *w, struct rte_mbuf **mbufs, unsigned n, uint16_t port, uint64_t tsc)
{
	uint64_t bytes = burst_run(w, mbufs, n, port, tsc);

	tx_add(&w->tx.block->counters[WORKER_BURSTS], 1);
	tx_add(&w->tx.block->counters[WORKER_RX_PACKETS], n);
	tx_add(&w->tx.block->counters[WORKER_RX_BYTES], bytes);
}

static unsigned
queue_poll(struct worker *w, const struct worker_queue *queue, uint64_t tsc)
{
	struct rte_mbuf *mbufs[RX_BURST];
	unsigned n = rte_eth_rx_burst(queue->ethdev, queue->queue, mbufs, RX_BURST);

	if (n == 0)
		tx_add(&w->tx.block->counters[WORKER_EMPTY_POLLS], 1);
	else
		burst(w, mbufs, n, queue->port, tsc);
	return n;
}

/* Fragments whose first one has come go through the pipeline as if they came now. */
static unsigned
fragments_poll(struct worker *w, uint64_t tsc)
{
	struct rte_mbuf *mbufs[FRAGMENT_HELD_MAX];
	unsigned n = fragment_release(w->fragments, mbufs, BURST_MAX);

	for (unsigned i = 0; i < n; i++)
		burst_run(w, &mbufs[i], 1, mbufs[i]->port, tsc);
	return n;
}

static void
fragments_expire(struct worker *w, uint64_t tsc)
{
	struct rte_mbuf *mbufs[FRAGMENT_HELD_MAX];
	uint32_t now_s = worker_now_s(w->shared, tsc);
	unsigned n;

	if (now_s == w->expired_s)
		return;
	w->expired_s = now_s;
	n = fragment_expire(w->fragments, now_s, mbufs, FRAGMENT_HELD_MAX);
	capture_ended(&w->capture, mbufs, n, VERDICT_FRAGMENT_ORPHAN, tsc);
	if (n > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	tx_add(&w->tx.block->verdicts[VERDICT_FRAGMENT_ORPHAN], n);
}

/* What the kernel sends through an exception port goes out as it is. */
static unsigned
exception_poll(struct worker *w, uint16_t index)
{
	struct tx_way *way = &w->tx.ports[index];
	unsigned n = rte_eth_rx_burst(w->tx.kernel[index].ethdev, 0, way->mbufs, RX_BURST);

	if (n == 0)
		return 0;
	for (unsigned i = 0; i < n; i++)
		way->bytes += way->mbufs[i]->pkt_len;
	way->n = (uint16_t)n;
	tx_add(&w->tx.block->counters[WORKER_KERNEL_TX], n);
	tx_flush_port(&w->tx, way);
	return n;
}

static void
beat(struct worker *w, uint64_t tsc)
{
	double seconds;

	if (tsc < w->beat_tsc)
		return;
	seconds = (double)(tsc - w->shared->start_tsc) / (double)w->tsc_hz;
	atomic_store_explicit(&w->tx.block->heartbeat_ns,
			      w->shared->start_ns + (uint64_t)(seconds * (double)CLOCK_NS_PER_S), memory_order_relaxed);
	w->beat_tsc = tsc + w->tsc_hz / BEAT_HZ;
}

/* A sleeping worker holds no snapshot: publications don't wait for it. */
static void
nap(struct worker *w)
{
	unsigned rounds = w->idle_rounds - IDLE_SPINS;
	long ns = rounds < 10 ? IDLE_NAP_MIN_NS * (long)(rounds + 1) : IDLE_NAP_MAX_NS;
	struct timespec time = {.tv_nsec = ns};

	rte_rcu_qsbr_thread_offline(w->shared->rcu, w->index);
	nanosleep(&time, NULL);
	rte_rcu_qsbr_thread_online(w->shared->rcu, w->index);
	tx_add(&w->tx.block->counters[WORKER_SLEEPS], 1);
}

static void
round_run(struct worker *w)
{
	uint64_t tsc = rte_rdtsc();
	unsigned n = fragments_poll(w, tsc);

	for (unsigned i = 0; i < w->n_queues; i++)
		n += queue_poll(w, &w->queues[i], tsc);
	for (unsigned i = 0; i < w->n_exceptions; i++)
		n += exception_poll(w, w->exceptions[i]);
	fragments_expire(w, tsc);
	beat(w, tsc);
	rte_rcu_qsbr_quiescent(w->shared->rcu, w->index);
	w->idle_rounds = n ? 0 : w->idle_rounds + 1;
	if (w->shared->is_adaptive && w->idle_rounds > IDLE_SPINS)
		nap(w);
}

static int
run(void *context)
{
	struct worker *w = context;

	rte_rcu_qsbr_thread_register(w->shared->rcu, w->index);
	rte_rcu_qsbr_thread_online(w->shared->rcu, w->index);
	/* Relaxed: the flag alone counts. */
	while (!atomic_load_explicit(&w->shared->stop, memory_order_relaxed))
		round_run(w);
	rte_rcu_qsbr_thread_offline(w->shared->rcu, w->index);
	rte_rcu_qsbr_thread_unregister(w->shared->rcu, w->index);
	return 0;
}

const struct worker_code WORKER_CODE = {.name = WORKER_CODE_NAME, .run = run, .burst = burst};
