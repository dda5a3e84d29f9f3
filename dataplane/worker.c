/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "dataplane/pipeline.h"

enum {
	RX_BURST = 64,
	FRAGMENT_ENTRIES = 4096,
	IDLE_SPINS = 32, /* empty rounds before the worker sleeps, and the lengths of its naps */
	IDLE_NAP_MIN_NS = 20000,
	IDLE_NAP_MAX_NS = 200000,
	BEAT_HZ = 20,
};

uint32_t
worker_now_s(const struct worker_shared *shared, uint64_t tsc)
{
	return (uint32_t)((tsc - shared->start_tsc) / rte_get_tsc_hz());
}

static void
queues_deal(struct worker *w)
{
	const struct ports *ports = w->shared->ports;
	unsigned next = 0;

	for (unsigned i = 0; i < ports->n; i++) {
		for (uint16_t q = 0; q < ports->list[i].n_rx; q++, next++) {
			if (next % w->shared->n_workers != w->index || w->n_queues == WORKER_QUEUES_MAX)
				continue;
			w->queues[w->n_queues++] = (struct worker_queue){(uint16_t)i, ports->list[i].ethdev, q};
			if (q == 0 && ports->list[i].exception != PORT_NO_EXCEPTION)
				w->exceptions[w->n_exceptions++] = (uint16_t)i;
		}
	}
}

static void
ways_open(struct worker *w)
{
	struct ports *ports = w->shared->ports;

	w->tx.n_ports = ports->n;
	for (unsigned i = 0; i < ports->n; i++) {
		struct port *port = &ports->list[i];
		bool is_shared = port->n_tx < w->shared->n_workers;
		bool shares_exception = w->shared->n_workers > 1;

		w->tx.ports[i].ethdev = port->ethdev;
		w->tx.ports[i].queue = (uint16_t)(w->index % port->n_tx);
		w->tx.ports[i].has_multi_segs = port->has_multi_segs;
		w->tx.ports[i].lock = is_shared ? &port->tx_lock : NULL;
		w->tx.kernel[i].ethdev = port->exception;
		w->tx.kernel[i].has_multi_segs = true;
		w->tx.kernel[i].lock = shares_exception ? &port->exception_lock : NULL;
	}
}

static void
steer_open(struct worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->shared->n_workers; i++) {
		if (i != w->index)
			w->others[n++] = w->shared->flows[i];
	}
	w->steer = (struct steer){.flows = w->shared->flows[w->index],
				  .others = n ? w->others : NULL,
				  .n_others = n,
				  .counters = w->tx.block->counters};
}

struct worker *
worker_new(struct worker_shared *shared, unsigned index)
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);

	if (!w)
		return NULL;
	w->index = index;
	w->shared = shared;
	w->tsc_hz = rte_get_tsc_hz();
	w->fragments = fragments_new(FRAGMENT_ENTRIES, SOCKET_ID_ANY);
	if (!w->fragments) {
		rte_free(w);
		return NULL;
	}
	w->tx.block = region_worker(shared->counters, index);
	w->tx.services = region_worker_services(shared->counters, index);
	w->tx.backends = region_worker_backends(shared->counters, index);
	icmp_state_init(&w->icmp, w->tsc_hz, shared->reply_pps, shared->reply_pps);
	queues_deal(w);
	ways_open(w);
	steer_open(w);
	return w;
}

void
worker_free(struct worker *w)
{
	if (!w)
		return;
	fragments_free(w->fragments);
	rte_free(w);
}

static uint64_t
burst_run(struct worker *w, struct rte_mbuf **mbufs, unsigned n, uint16_t port, uint64_t tsc)
{
	const struct snapshot *tables;
	uint64_t bytes;

	w->burst.now_tsc = tsc;
	w->burst.now_s = worker_now_s(w->shared, tsc);
	/* Acquire pairs with the release of tables_publish. */
	tables = atomic_load_explicit(w->shared->current, memory_order_acquire);
	bytes = pipeline_run(w, tables, mbufs, n, port);
	atomic_store_explicit(&w->tx.block->generation, tables->generation, memory_order_relaxed);
	return bytes;
}

void
worker_burst(struct worker *w, struct rte_mbuf **mbufs, unsigned n, uint16_t port, uint64_t tsc)
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
		worker_burst(w, mbufs, n, queue->port, tsc);
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

int
worker_run(void *context)
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
