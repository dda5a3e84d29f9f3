/* SPDX-License-Identifier: BSD-2-Clause */
#include "edge.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "base/clock.h"

static uint16_t
transmit(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)queue;
	rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

/* The records that the control plane makes of the text come one by one. */
static FILE *
records_open(const char *config)
{
	const char *program = getenv("EDGE_RECORDS");
	char command[1024], path[] = "/tmp/edge-XXXXXX";
	int fd = mkstemp(path);
	FILE *records;

	cr_assert(program && fd >= 0);
	cr_assert_eq(write(fd, config, strlen(config)), (ssize_t)strlen(config));
	close(fd);
	snprintf(command, sizeof(command), "'%s' <%s; rm %s", program, path, path);
	records = popen(command, "r");
	cr_assert_not_null(records);
	return records;
}

static void
publish(struct edge *e, const char *config)
{
	FILE *records = records_open(config);
	struct staging *staging = staging_new(1);
	enum staging_result result = STAGING_MORE;
	struct abi_nak nak = {0};
	union abi_record record;

	cr_assert_not_null(staging);
	while (result == STAGING_MORE && fread(&record, sizeof(record), 1, records) == 1)
		result = staging_record(staging, &record, tables_served(e->tables), &nak);
	pclose(records);
	cr_assert_eq(result, STAGING_READY, "%s", nak.text);
	cr_assert_eq(tables_publish(e->tables, staging_take(staging), clock_now_ns()), 0);
	staging_free(staging);
}

static void
tell(void *context, const union abi_record *event)
{
	struct edge *e = context;

	if (event->type != ABI_ATTACK)
		return;
	cr_assert_lt(e->n_events, EDGE_EVENTS_MAX);
	e->events[e->n_events++] = event->attack;
}

static void
parts_open(struct edge *e)
{
	struct talkers_config talkers = {.shared = &e->shared.samples, .context = e, .tell = tell};
	struct meter_config meter = {.counters = &e->counters, .guard = &e->guard, .context = e, .tell = tell};

	cr_assert_eq(region_counters_new(&e->counters, e->n_workers), 0);
	cr_assert_eq(guard_shared_init(&e->guard, LIMIT_BITS_DEFAULT, KNOWN_BITS_DEFAULT), 0);
	for (unsigned i = 0; i < e->n_workers; i++)
		cr_assert_not_null(e->flows[i] = flowtable_new(FLOWTABLE_BITS_MIN, SOCKET_ID_ANY));
	e->rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(e->n_workers), RTE_CACHE_LINE_SIZE);
	cr_assert(e->rcu && rte_rcu_qsbr_init(e->rcu, e->n_workers) == 0);
	e->tables = tables_new(&(struct tables_config){
		.n_workers = e->n_workers, .counters = &e->counters, .rcu = e->rcu, .flows = e->flows});
	meter.talkers = e->talkers = talkers_new(&talkers);
	e->meter = meter_new(&meter);
	cr_assert(e->tables && e->talkers && e->meter);
	rte_eth_fp_ops[0].tx_pkt_burst = transmit;
	e->ports.n = 1;
	e->ports.list[0] = (struct port){.n_tx = EDGE_WORKERS_MAX, .exception = PORT_NO_EXCEPTION};
}

struct edge *
edge_new(const char *config, unsigned n_workers)
{
	static void *queues[EDGE_WORKERS_MAX];
	struct edge *e = aligned_alloc(64, sizeof(*e));

	cr_assert_not_null(e);
	memset(e, 0, sizeof(*e));
	rte_eth_fp_ops[0].txq.data = queues;
	e->n_workers = n_workers;
	parts_open(e);
	publish(e, config);
	e->shared.ports = &e->ports;
	e->shared.counters = &e->counters;
	e->shared.rcu = e->rcu;
	e->shared.current = tables_current(e->tables);
	e->shared.flows = e->flows;
	e->shared.guard = &e->guard;
	e->shared.n_workers = n_workers;
	e->shared.reply_pps = 1000;
	e->shared.start_tsc = rte_rdtsc();
	for (unsigned i = 0; i < n_workers; i++)
		cr_assert_not_null(e->workers[i] = worker_new(&e->shared, i));
	return e;
}

void
edge_free(struct edge *e)
{
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_free(e->workers[i]);
	tables_free(e->tables);
	meter_free(e->meter);
	talkers_free(e->talkers);
	guard_shared_fini(&e->guard);
	for (unsigned i = 0; i < e->n_workers; i++)
		flowtable_free(e->flows[i]);
	region_counters_free(&e->counters);
	rte_free(e->rcu);
	free(e);
}

static uint64_t
tsc_now(const struct edge *e)
{
	return e->shared.start_tsc + (uint64_t)((double)e->now_ns * (double)rte_get_tsc_hz() / (double)CLOCK_NS_PER_S);
}

void
edge_burst(struct edge *e, unsigned worker, struct rte_mbuf **mbufs, unsigned n)
{
	worker_code(NULL)->burst(e->workers[worker], mbufs, n, 0, tsc_now(e));
}

void
edge_pass(struct edge *e, uint64_t ns)
{
	uint32_t now_s;

	e->now_ns += ns;
	now_s = worker_now_s(&e->shared, tsc_now(e));
	for (unsigned i = 0; i < e->n_workers; i++)
		talkers_take(e->talkers, e->workers[i]->samples);
	if (e->now_ns - e->metered_ns >= METER_PERIOD_MS * CLOCK_NS_PER_MS) {
		meter_tick(e->meter, tables_guards(e->tables), CLOCK_NS_PER_S + e->now_ns, now_s);
		e->metered_ns = e->now_ns;
	}
	if (e->now_ns - e->second_ns < CLOCK_NS_PER_S)
		return;
	e->second_ns = e->now_ns;
	tables_tick(e->tables, CLOCK_NS_PER_S + e->now_ns, now_s);
	cr_assert_eq(guard_upkeep(&e->guard, guard_ns(&e->workers[0]->guard, tsc_now(e)), now_s), 0);
}

uint64_t
edge_verdict(const struct edge *e, enum abi_verdict verdict)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < e->n_workers; i++)
		sum += atomic_load(&region_worker(&e->counters, i)->verdicts[verdict]);
	return sum;
}

uint64_t
edge_dropped(const struct edge *e)
{
	uint64_t sum = 0;

	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++)
		sum += abi_verdict_info(v)->kind == 'D' ? edge_verdict(e, (enum abi_verdict)v) : 0;
	return sum;
}

bool
edge_is_armed(const struct edge *e)
{
	return atomic_load(&e->guard.n_armed) != 0;
}
