/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An edge without NICs, processes and clock: a configuration's text goes through the control plane's parser and
 * compiler and the dataplane's staging and tables to workers, whose bursts, meters and time the test runs. What is sent
 * is counted.
 */
#ifndef TESTS_UNIT_WORKER_EDGE_H
#define TESTS_UNIT_WORKER_EDGE_H

#include "dataplane/meter.h"
#include "dataplane/tables.h"
#include "dataplane/worker.h"

enum { EDGE_WORKERS_MAX = 4, EDGE_EVENTS_MAX = 64 };

struct edge {
	unsigned n_workers;
	struct worker *workers[EDGE_WORKERS_MAX];
	struct worker_shared shared;
	struct guard_shared guard;
	struct ports ports;
	struct region_counters counters;
	struct flowtable *flows[EDGE_WORKERS_MAX];
	struct rte_rcu_qsbr *rcu;
	struct tables *tables;
	struct talkers *talkers;
	struct meter *meter;
	uint64_t now_ns; /* since the start */
	uint64_t metered_ns;
	uint64_t second_ns;
	unsigned n_events; /* of attacks; talkers are not kept */
	struct abi_attack events[EDGE_EVENTS_MAX];
};

/* After frames_init(). */
struct edge *edge_new(const char *config, unsigned n_workers);
void edge_free(struct edge *edge);

/* The burst of a worker, now. The mbufs are sent or freed. */
void edge_burst(struct edge *edge, unsigned worker, struct rte_mbuf **mbufs, unsigned n);
/* Time goes on, and with it what the main lcore does. */
void edge_pass(struct edge *edge, uint64_t ns);

uint64_t edge_verdict(const struct edge *edge, enum abi_verdict verdict);
uint64_t edge_dropped(const struct edge *edge); /* of the kind that is dropped, by any reason */
bool edge_is_armed(const struct edge *edge);	/* some service */

#endif
