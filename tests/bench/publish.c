/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Publication of a new generation while a worker forwards: what it takes on the main lcore, and what the worker's bursts
 * of 32 notice of it. One lcore forwards without a pause; the other sends whole transactions through staging and
 * publishes them, with the same slots as before or with every slot moved. Row by row the same time without publications
 * comes first: what delays a burst then is the machine.
 *
 *   bench-publish [--json FILE] [--machine TEXT] [--commit ID] [--huge]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "base/clock.h"
#include "tests/bench/bench.h"
#include "tests/bench/traffic.h"
#include "tests/bench/world.h"

enum { BURST = 32, STEP_NS = 16, STEPS = 1 << 16, RUN_S = 2 };

/* How long bursts took, in steps; the last is for all that were longer. */
struct histogram {
	uint64_t n;
	uint64_t counts[STEPS];
};

struct forwarder {
	struct world *world;
	struct traffic traffic;
	struct rte_mbuf *mbufs[BURST];
	struct histogram *histogram;
	_Atomic bool stop;
};

struct row {
	unsigned services;
	unsigned backends;
	bool moves;
	/* results */
	unsigned publications;
	uint32_t records;
	double staging_ms, publish_ms; /* medians */
	double quiet_us[3], busy_us[3]; /* p50, p99, p99.9 of a burst, without and with publications */
	uint64_t lost;
};

static struct row rows[] = {{.services = 1, .backends = 100},	  {.services = 1, .backends = 100, .moves = true},
			    {.services = 100, .backends = 100},	  {.services = 100, .backends = 100, .moves = true},
			    {.services = 1000, .backends = 1000}, {.services = 1000, .backends = 1000, .moves = true}};

static int
forward(void *context)
{
	struct forwarder *f = context;
	struct worker *worker = f->world->worker;

	rte_rcu_qsbr_thread_register(f->world->rcu, 0);
	rte_rcu_qsbr_thread_online(f->world->rcu, 0);
	while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
		uint64_t start, ns;

		for (unsigned i = 0; i < BURST; i++)
			traffic_fill(&f->traffic, f->mbufs[i], traffic_draw(&f->traffic), false);
		start = rte_rdtsc();
		f->world->code->burst(worker, f->mbufs, BURST, 0, start);
		ns = (rte_rdtsc() - start) * 1000000000 / rte_get_tsc_hz();
		f->histogram->counts[ns / STEP_NS < STEPS ? ns / STEP_NS : STEPS - 1]++;
		f->histogram->n++;
		rte_rcu_qsbr_quiescent(f->world->rcu, 0);
	}
	rte_rcu_qsbr_thread_offline(f->world->rcu, 0);
	rte_rcu_qsbr_thread_unregister(f->world->rcu, 0);
	return 0;
}

static double
percentile_us(const struct histogram *h, double share)
{
	uint64_t seen = 0;

	for (unsigned i = 0; i < STEPS; i++) {
		seen += h->counts[i];
		if ((double)seen >= share * (double)h->n)
			return (i + 1) * STEP_NS / 1000.0;
	}
	return STEPS * STEP_NS / 1000.0;
}

/* Forwards for RUN_S while `row` is published again and again, or (row NULL) nothing is. */
static void
run(struct forwarder *f, struct row *row, double us[3])
{
	static const double shares[] = {0.5, 0.99, 0.999};
	static struct histogram histogram;
	static double staging[100000], publish[100000];
	uint64_t end_ns = clock_now_ns() + RUN_S * CLOCK_NS_PER_S;
	unsigned n = 0;

	memset(&histogram, 0, sizeof(histogram));
	f->histogram = &histogram;
	f->stop = false;
	rte_eal_remote_launch(forward, f, rte_get_next_lcore(-1, 1, 0));
	while (clock_now_ns() < end_ns && n < 100000) {
		if (!row) {
			rte_delay_us_sleep(1000);
			continue;
		}
		world_publish(f->world, row->moves ? n % 2 + 1 : 0);
		staging[n] = (double)f->world->staging_ns / 1e6;
		publish[n++] = (double)f->world->publish_ns / 1e6;
	}
	f->stop = true;
	rte_eal_mp_wait_lcore();
	for (unsigned i = 0; i < 3; i++)
		us[i] = percentile_us(&histogram, shares[i]);
	if (!row)
		return;
	row->publications = n;
	row->records = f->world->records;
	row->staging_ms = bench_median(staging, n);
	row->publish_ms = bench_median(publish, n);
}

static void
row_measure(struct row *row, struct rte_mbuf **mbufs)
{
	struct world_spec spec = {.encap = ABI_ENCAP_IPIP,
				  .port = WORLD_TCP_PORT,
				  .services = row->services,
				  .backends = row->backends,
				  .flows = 100000};
	struct traffic_spec kind = {.flows = 100000, .services = row->services, .frame = 64};
	static struct forwarder f;
	const uint64_t *counter;

	f.world = world_new(&spec);
	memcpy(f.mbufs, mbufs, sizeof(f.mbufs));
	traffic_init(&f.traffic, &kind);
	run(&f, NULL, row->quiet_us);
	run(&f, row, row->busy_us);
	counter = (const uint64_t *)&f.world->worker->tx.block->counters[WORKER_RX_PACKETS];
	row->lost = *counter - world_verdict(f.world, VERDICT_FORWARDED);
	world_free(f.world);
}

static void
row_print(const struct row *r)
{
	printf("%8u %8u %5s %7u %12u %10.2f %10.2f  %6.2f %6.2f %6.2f  %6.2f %6.2f %6.2f %5llu\n", r->services,
	       r->backends, r->moves ? "all" : "none", r->records, r->publications, r->staging_ms, r->publish_ms,
	       r->quiet_us[0], r->quiet_us[1], r->quiet_us[2], r->busy_us[0], r->busy_us[1], r->busy_us[2],
	       (unsigned long long)r->lost);
	fflush(stdout);
}

static void
row_json(FILE *file, const struct row *r)
{
	fprintf(file,
		",\n  {\"bench\": \"publish\", \"services\": %u, \"backends\": %u, \"moves\": %s, \"records\": %u, "
		"\"publications\": %u, \"staging_ms\": %.3f, \"publish_ms\": %.3f, \"quiet_p50_us\": %.3f, "
		"\"quiet_p99_us\": %.3f, \"quiet_p999_us\": %.3f, \"p50_us\": %.3f, \"p99_us\": %.3f, "
		"\"p999_us\": %.3f, \"lost\": %llu}",
		r->services, r->backends, r->moves ? "true" : "false", r->records, r->publications, r->staging_ms,
		r->publish_ms, r->quiet_us[0], r->quiet_us[1], r->quiet_us[2], r->busy_us[0], r->busy_us[1],
		r->busy_us[2], (unsigned long long)r->lost);
}

static void
head_print(void)
{
	printf("%60s  %-20s  %-20s\n", "", "quiet burst, us", "burst, us");
	printf("%8s %8s %5s %7s %12s %10s %10s  %6s %6s %6s  %6s %6s %6s %5s\n", "services", "backends", "moves",
	       "records", "publications", "staging ms", "publish ms", "p50", "p99", "p99.9", "p50", "p99", "p99.9", "lost");
}

int
main(int argc, char **argv)
{
	struct bench_arguments arguments;
	struct rte_mbuf *mbufs[BURST];
	FILE *file;

	bench_arguments_read(&arguments, argc, argv);
	bench_start("0,1", arguments.huge, mbufs, BURST);
	file = bench_json_open(&arguments);
	head_print();
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		row_measure(&rows[i], mbufs);
		row_print(&rows[i]);
		if (file)
			row_json(file, &rows[i]);
	}
	bench_json_close(file);
	return 0;
}
