/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load generator: sends a pattern through a DPDK port at a given rate, takes in what the load balancer makes of it,
 * and says what was lost and how long it took. Reads one trial a line from standard input, "RATE SECONDS" (packets a
 * second; 0: as fast as it goes), and answers each with one line of JSON. One lcore sends and receives.
 *
 * A generator that was not running can't tell when a packet came: what was under way during such a stall is counted as
 * unmeasured, and the rate doesn't make up for the time.
 */
#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/bench/histogram.h"
#include "tests/bench/pattern.h"

enum {
	BURST = 32,
	DESCRIPTORS = 2048,
	MBUFS = 16383,
	STALL_US = 20,	   /* a round of the loop that took longer: somebody else had the CPU */
	QUIET_MS = 30,	   /* nothing came for so long: what has not come by then is lost */
	BEHIND_MAX = 64,   /* packets that the rate may be behind before it gives them up */
	LINK_WAIT_MS = 10000,
};

struct trial {
	double rate; /* packets a second; 0: all that goes */
	double seconds;
	uint64_t start, last, stall_end; /* TSC */
	uint64_t offered, refused, received, late, other, unmeasured, stalls, stalled, stall_max;
	struct histogram latency; /* in TSC cycles */
};

struct generator {
	uint16_t port;
	struct rte_mempool *pool;
	struct pattern *pattern;
	struct trial trial;
	uint64_t hz;
};

struct arguments {
	struct pattern_spec pattern;
	const char *device;
	const char *cpu;
	double spin; /* seconds; 0: generate */
	bool huge;
};

static void __rte_noreturn
fail(const char *what, const char *why)
{
	fprintf(stderr, "pktgen: %s%s%s\n", what, why ? ": " : "", why ? why : "");
	exit(1);
}

static void
kind_parse(const char *text, enum traffic_kind *kind)
{
	static const char *const words[] = {[TRAFFIC_TCP] = "tcp", [TRAFFIC_UDP] = "udp", [TRAFFIC_QUIC] = "quic",
					    [TRAFFIC_SYN_FLOOD] = "syn-flood", [TRAFFIC_ACK_FLOOD] = "ack-flood",
					    [TRAFFIC_UDP_FLOOD] = "udp-flood"};

	for (unsigned i = 0; i < RTE_DIM(words); i++) {
		if (strcmp(words[i], text) == 0) {
			*kind = (enum traffic_kind)i;
			return;
		}
	}
	fail("no such kind", text);
}

static void
arguments_read(struct arguments *a, int argc, char **argv)
{
	static const struct option longs[] = {
		{"device", required_argument, NULL, 'd'}, {"cpu", required_argument, NULL, 'c'},
		{"kind", required_argument, NULL, 'k'},	  {"family", required_argument, NULL, 'f'},
		{"flows", required_argument, NULL, 'n'},  {"frame", required_argument, NULL, 's'},
		{"list", required_argument, NULL, 'l'},	  {"replay", required_argument, NULL, 'r'},
		{"to", required_argument, NULL, 't'},	  {"from", required_argument, NULL, 'b'},
		{"huge", no_argument, NULL, 'h'},	  {"spin", required_argument, NULL, 'i'},
		{0}};
	struct traffic_spec *traffic = &a->pattern.traffic;
	int option;

	*a = (struct arguments){.cpu = "0", .pattern.traffic = {.flows = 1000, .services = 1}};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'd': a->device = optarg; break;
		case 'c': a->cpu = optarg; break;
		case 'k': kind_parse(optarg, &traffic->kind); break;
		case 'f': traffic->is_v6 = strcmp(optarg, "6") == 0; break;
		case 'n': traffic->flows = strtoull(optarg, NULL, 10); break;
		case 's': traffic->frame = (uint16_t)strtoul(optarg, NULL, 10); break;
		case 'l': a->pattern.list = optarg; break;
		case 'r': a->pattern.replay = optarg; break;
		case 't':
		case 'b':
			if (rte_ether_unformat_addr(optarg, option == 't' ? &a->pattern.to : &a->pattern.from) != 0)
				fail("not a MAC address", optarg);
			break;
		case 'h': a->huge = true; break;
		case 'i': a->spin = strtod(optarg, NULL); break;
		default: exit(2);
		}
	}
	if ((!a->device && a->spin <= 0) || optind < argc)
		fail("--device DRIVER,ARGUMENTS is needed, and nothing but options", NULL);
}

static void
eal_start(const struct arguments *a)
{
	char prefix[48], device[256], *args[] = {"pktgen", "--no-pci", "--no-telemetry", "--log-level=error", prefix, "-l",
						 (char *)(uintptr_t)a->cpu, device,
						 a->huge ? "--in-memory" : "--no-huge", "--no-shconf", "-m256"};

	snprintf(prefix, sizeof(prefix), "--file-prefix=pktgen-%d", (int)getpid());
	snprintf(device, sizeof(device), "--vdev=%s", a->device);
	if (rte_eal_init(a->huge ? 9 : (int)RTE_DIM(args), args) < 0)
		fail("EAL doesn't start", rte_strerror(rte_errno));
}

static void
port_start(struct generator *g)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_link link = {0};

	g->pool = rte_pktmbuf_pool_create("pktgen", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!g->pool)
		fail("no memory for mbufs", NULL);
	if (rte_eth_dev_count_avail() != 1)
		fail("the device didn't become a port", NULL);
	g->port = (uint16_t)rte_eth_find_next(0);
	if (rte_eth_dev_configure(g->port, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(g->port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, g->pool) != 0 ||
	    rte_eth_tx_queue_setup(g->port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) != 0 ||
	    rte_eth_dev_start(g->port) != 0)
		fail("the port doesn't start", NULL);
	for (unsigned ms = 0; ms < LINK_WAIT_MS; ms += 10) {
		if (rte_eth_link_get_nowait(g->port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP)
			return;
		rte_delay_us_sleep(10000);
	}
	fail("the port has no link: does the load balancer run?", NULL);
}

/* How many packets the rate asks for at this time. */
static unsigned
due(struct trial *t, uint64_t now, uint64_t hz)
{
	double target;

	if (t->rate <= 0)
		return BURST;
	target = (double)(now - t->start) * t->rate / (double)hz - (double)t->offered;
	if (target > BEHIND_MAX) {
		t->start += (uint64_t)((target - BURST) * (double)hz / t->rate);
		target = BURST;
	}
	return target < 1 ? 0 : RTE_MIN((unsigned)target, (unsigned)BURST);
}

static void
send_burst(struct generator *g, unsigned n)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned taken;

	if (n == 0 || rte_pktmbuf_alloc_bulk(g->pool, mbufs, n) != 0)
		return;
	pattern_fill(g->pattern, mbufs, n, rte_rdtsc());
	taken = rte_eth_tx_burst(g->port, 0, mbufs, (uint16_t)n);
	g->trial.offered += n;
	g->trial.refused += n - taken;
	if (taken < n)
		rte_pktmbuf_free_bulk(mbufs + taken, n - taken);
}

static unsigned
receive_burst(struct generator *g)
{
	struct rte_mbuf *mbufs[BURST];
	struct trial *t = &g->trial;
	unsigned n = rte_eth_rx_burst(g->port, 0, mbufs, BURST);
	uint64_t now = rte_rdtsc(), sent;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		enum pattern_sight sight = pattern_look(g->pattern, mbufs[i], &sent);

		t->other += sight == PATTERN_OTHER;
		t->received += sight != PATTERN_OTHER;
		t->late += sight == PATTERN_LATE;
		if (sight < PATTERN_IN_ORDER)
			continue;
		if (sent < t->stall_end || now < sent)
			t->unmeasured++;
		else
			histogram_add(&t->latency, now - sent);
	}
	if (n > 0)
		rte_pktmbuf_free_bulk(mbufs, n);
	return n;
}

static uint64_t
round_start(struct trial *t, uint64_t hz)
{
	uint64_t now = rte_rdtsc(), gap = now - t->last;

	t->last = now;
	if (gap < hz / 1000000 * STALL_US)
		return now;
	t->stall_end = now;
	t->stalls++;
	t->stalled += gap;
	t->stall_max = RTE_MAX(t->stall_max, gap);
	return now;
}

/* What is under way still comes; each packet that does gives the others more time. */
static void
drain(struct generator *g)
{
	uint64_t quiet = g->hz / 1000 * QUIET_MS, until = rte_rdtsc() + quiet;

	while (round_start(&g->trial, g->hz) < until) {
		if (receive_burst(g) > 0)
			until = rte_rdtsc() + quiet;
	}
}

static void
trial_run(struct generator *g, double rate, double seconds)
{
	struct trial *t = &g->trial;
	uint64_t begin, end, now;

	pattern_restart(g->pattern);
	memset(t, 0, sizeof(*t));
	begin = rte_rdtsc();
	t->rate = rate;
	t->start = begin;
	t->last = begin;
	end = begin + (uint64_t)(seconds * (double)g->hz);
	while ((now = round_start(t, g->hz)) < end) {
		send_burst(g, due(t, now, g->hz));
		receive_burst(g);
	}
	t->seconds = (double)(rte_rdtsc() - begin) / (double)g->hz;
	drain(g);
}

static double
us(const struct generator *g, uint64_t cycles)
{
	return (double)cycles * 1e6 / (double)g->hz;
}

/* At full speed what the port refused was never on the wire; at a given rate it was, and is lost. */
static void
trial_print(const struct generator *g)
{
	const struct trial *t = &g->trial;
	uint64_t sent = t->rate > 0 ? t->offered : t->offered - t->refused;
	const struct histogram *h = &t->latency;

	printf("{\"seconds\": %.3f, \"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"lost\": %" PRId64
	       ", \"late\": %" PRIu64 ", \"other\": %" PRIu64 ", \"unmeasured\": %" PRIu64 ", \"stalls\": %" PRIu64
	       ", \"stall_max_us\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}\n",
	       t->seconds, sent, t->received, (int64_t)(sent - t->received), t->late, t->other, t->unmeasured, t->stalls,
	       us(g, t->stall_max), us(g, histogram_quantile(h, 0.5)), us(g, histogram_quantile(h, 0.99)),
	       us(g, histogram_quantile(h, 0.999)), us(g, h->max));
	fflush(stdout);
}

/* What a loop that does nothing notices of the machine, without EAL: the TSC's frequency is told by the clock. */
static void
spin(double seconds)
{
	static struct trial trial;
	uint64_t begin_ns = clock_now_ns(), begin = rte_rdtsc(), hz;

	rte_delay_us_sleep(100000);
	hz = (uint64_t)((double)(rte_rdtsc() - begin) * (double)CLOCK_NS_PER_S / (double)(clock_now_ns() - begin_ns));
	begin = rte_rdtsc();
	trial.last = begin;
	while (round_start(&trial, hz) < begin + (uint64_t)(seconds * (double)hz))
		continue;
	printf("{\"stalls_a_second\": %.1f, \"share_percent\": %.3f, \"stall_max_us\": %.0f}\n", (double)trial.stalls / seconds,
	       (double)trial.stalled * 100 / (double)hz / seconds, (double)trial.stall_max * 1e6 / (double)hz);
}

int
main(int argc, char **argv)
{
	static struct generator g;
	struct arguments arguments;
	double rate, seconds;
	char line[128];

	arguments_read(&arguments, argc, argv);
	if (arguments.spin > 0) {
		spin(arguments.spin);
		return 0;
	}
	g.pattern = pattern_open(&arguments.pattern);
	eal_start(&arguments);
	port_start(&g);
	g.hz = rte_get_tsc_hz();
	printf("{\"ready\": true, \"frame\": %u}\n", pattern_frame(g.pattern));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%lf %lf", &rate, &seconds) != 2 || rate < 0 || seconds <= 0 || seconds > 3600)
			fail("a trial is RATE SECONDS, not", line);
		trial_run(&g, rate, seconds);
		trial_print(&g);
	}
	rte_eth_dev_stop(g.port);
	rte_eth_dev_close(g.port);
	pattern_close(g.pattern);
	rte_eal_cleanup();
	return 0;
}
