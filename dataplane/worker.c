/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <string.h>

enum { FRAGMENT_ENTRIES = 4096 };

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

/* Of a worker that has no main lcore to start one. */
static const struct capture_handle no_captures;

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
	w->samples = sample_ring_new();
	if (!w->fragments || !w->samples) {
		worker_free(w);
		return NULL;
	}
	w->tx.block = region_worker(shared->counters, index);
	w->tx.services = region_worker_services(shared->counters, index);
	w->tx.backends = region_worker_backends(shared->counters, index);
	w->tx.reasons = region_worker_reasons(shared->counters, index);
	icmp_state_init(&w->icmp, w->tsc_hz, shared->reply_pps, shared->reply_pps);
	guard_init(&w->guard, shared->guard, index, w->tsc_hz);
	sample_init(&w->sample, &shared->samples, w->samples, w->tx.block->counters, index);
	w->capture.handle = shared->captures ? shared->captures : &no_captures;
	w->capture.worker = index;
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
	sample_ring_free(w->samples);
	fragments_free(w->fragments);
	rte_free(w);
}

const struct worker_code *
worker_code(const char *name)
{
#ifdef WORKER_HAS_V3
	if (__builtin_cpu_supports("x86-64-v3") && (!name || strcmp(name, worker_code_v3.name) == 0))
		return &worker_code_v3;
#endif
	return !name || strcmp(name, worker_code_base.name) == 0 ? &worker_code_base : NULL;
}
