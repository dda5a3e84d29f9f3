/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: one lcore that runs its queues' packets to completion. It makes no system call (but to sleep when idle),
 * allocates nothing, and takes a lock only where a driver has fewer transmit queues than there are workers.
 */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include <rte_rcu_qsbr.h>

#include "dataplane/port.h"
#include "dataplane/snapshot.h"
#include "dataplane/stage/capture.h"
#include "dataplane/stage/encap.h"
#include "dataplane/stage/fragment.h"
#include "dataplane/stage/guard.h"
#include "dataplane/stage/icmp.h"
#include "dataplane/stage/sample.h"
#include "dataplane/stage/tx.h"

enum { WORKER_QUEUES_MAX = 64 };

struct worker_queue {
	uint16_t port; /* index in ports */
	uint16_t ethdev;
	uint16_t queue;
};

/* What all workers are told alike. */
struct worker_shared {
	struct ports *ports;
	const struct region_counters *counters;
	struct rte_rcu_qsbr *rcu;
	_Atomic(struct snapshot *) *current;
	struct flowtable *const *flows; /* of all workers */
	struct guard_shared *guard;
	const struct capture_handle *captures; /* NULL: there are none */
	struct sample_shared samples;
	unsigned n_workers;
	bool is_adaptive;
	unsigned reply_pps;
	uint64_t start_tsc;
	uint64_t start_ns; /* CLOCK_MONOTONIC at start_tsc */
	_Atomic bool stop;
};

struct worker {
	unsigned index;
	struct worker_shared *shared;
	unsigned n_queues;
	struct worker_queue queues[WORKER_QUEUES_MAX];
	unsigned n_exceptions; /* ports whose exception port this worker polls */
	uint16_t exceptions[ABI_PORTS_MAX];
	uint64_t tsc_hz;
	uint64_t beat_tsc; /* next heartbeat */
	uint64_t second_tsc; /* when now_s ends */
	uint32_t now_s;
	uint32_t expired_s;
	unsigned idle_rounds;
	struct flowtable *others[ABI_WORKERS_MAX];
	struct fragments *fragments;
	struct sample_ring *samples;
	struct steer steer;
	struct encap_state encap;
	struct guard guard;
	struct icmp_state icmp;
	struct sample_state sample;
	struct tx tx;
	struct burst burst;
	struct capture_state capture;
};

struct worker *worker_new(struct worker_shared *shared, unsigned index); /* NULL: no memory */
void worker_free(struct worker *worker);

/* One compilation of run.c. */
struct worker_code {
	const char *name; /* "base", "x86-64-v3" */
	int (*run)(void *worker); /* rte_eal_remote_launch's function; runs until shared->stop */
	/* What a worker does with the packets of one poll: n <= BURST_MAX of them, received on port (our index) at tsc.
	 * They are sent, held or freed when it returns. */
	void (*burst)(struct worker *worker, struct rte_mbuf **mbufs, unsigned n, uint16_t port, uint64_t tsc);
};

extern const struct worker_code worker_code_base;
extern const struct worker_code worker_code_v3; /* where WORKER_HAS_V3 is defined */

/* The one of that name, NULL: the best. Returns NULL when it isn't there or this CPU can't run it. */
const struct worker_code *worker_code(const char *name);

/* Seconds since the start: the clock of flow tables. */
uint32_t worker_now_s(const struct worker_shared *shared, uint64_t tsc);

#endif
