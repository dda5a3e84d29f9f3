/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds a packet on one core, from mbufs in memory to mbufs ready to send: the worker's burst function, with
 * tables that were published and a driver that takes all and does nothing. Rounds of packets are filled in outside of
 * the timed part, from flows drawn at random; each run is the median of its rounds, each row the median of its runs. The
 * baseline, measured in turn with it, reads each packet's header and writes one MAC.
 *
 *   bench-pipeline [--json FILE] [--only KEY=VALUE,...] [--code NAME] [--machine TEXT] [--commit ID]
 *                  [--huge]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "tests/bench/bench.h"
#include "tests/bench/rounds.h"
#include "tests/bench/traffic.h"
#include "tests/bench/world.h"

enum { RUNS = 9, FLOWS_MAX = 10000000 };

enum slots { STABLE, MOVING };
enum cache { WARM, COLD };

/* A case; zero means the default that row_fill gives. */
struct row {
	unsigned family;
	const char *encap;
	enum traffic_kind kind;
	unsigned flows;
	unsigned burst;
	enum slots slots;
	enum abi_affinity affinity;
	unsigned services;
	unsigned backends;
	unsigned frame;
	enum cache cache;
	/* results */
	double ns, ns_min, ns_max, baseline_ns;
};

static const char *const kinds[] = {"tcp", "udp", "quic", "syn-flood", "ack-flood", "udp-flood"};
static const char *const slot_names[] = {"stable", "moving"};
static const char *const affinities[] = {"flow", "tracked", "none"};
static const char *const caches[] = {"warm", "cold"};

static struct row rows[] = {
	/* any number of flows costs the same */
	{.flows = 1},
	{.flows = 1000},
	{.flows = 100000},
	{.flows = 1000000},
	{.flows = FLOWS_MAX},
	{.burst = 64},
	{.burst = 256},
	{.kind = TRAFFIC_UDP},
	{.kind = TRAFFIC_QUIC},
	{.cache = COLD},
	{.cache = COLD, .burst = 256},
	{.family = 6, .flows = 1},
	{.family = 6},
	{.family = 6, .flows = FLOWS_MAX},
	{.family = 6, .kind = TRAFFIC_UDP, .frame = 64},
	{.family = 6, .burst = 256},
	/* what is put around a packet, and how long it is */
	{.encap = "l2"},
	{.encap = "gre"},
	{.encap = "gue"},
	{.encap = "gue-checksum"},
	{.encap = "gue-checksum", .frame = 512},
	{.encap = "gue-checksum", .frame = 1500},
	{.family = 6, .encap = "gre"},
	{.family = 6, .encap = "gue-checksum"},
	{.frame = 256},
	{.frame = 512},
	{.frame = 1500},
	/* the flow table */
	{.slots = MOVING, .flows = 1000},
	{.slots = MOVING, .flows = 100000},
	{.slots = MOVING},
	{.slots = MOVING, .flows = FLOWS_MAX},
	{.affinity = ABI_AFFINITY_TRACKED, .flows = 1000},
	{.affinity = ABI_AFFINITY_TRACKED},
	{.affinity = ABI_AFFINITY_TRACKED, .flows = FLOWS_MAX},
	{.family = 6, .slots = MOVING},
	{.family = 6, .affinity = ABI_AFFINITY_TRACKED},
	{.slots = MOVING, .affinity = ABI_AFFINITY_NONE},
	/* new flows only */
	{.kind = TRAFFIC_SYN_FLOOD},
	{.kind = TRAFFIC_ACK_FLOOD},
	{.kind = TRAFFIC_UDP_FLOOD},
	{.kind = TRAFFIC_SYN_FLOOD, .slots = MOVING},
	{.kind = TRAFFIC_SYN_FLOOD, .family = 6},
	/* tables' sizes */
	{.backends = 10},
	{.backends = 1000},
	{.services = 10},
	{.services = 100},
	{.services = 1000, .backends = 1000, .flows = 1000},
	{.services = 1000, .backends = 1000},
	{.services = 1000, .backends = 1000, .family = 6},
};

static void
row_fill(struct row *r)
{
	r->family = r->family ? r->family : 4;
	r->encap = r->encap ? r->encap : "ipip";
	r->flows = r->flows ? r->flows : 1000000;
	r->burst = r->burst ? r->burst : 32;
	r->services = r->services ? r->services : 1;
	r->backends = r->backends ? r->backends : 100;
	r->frame = r->frame ? r->frame : r->family == 4 ? 64 : 78;
}

/* What a column of the row says, as text. False: there is no such column. */
static bool
row_field(const struct row *r, const char *key, char *out, size_t size)
{
	const struct {
		const char *key, *text;
		unsigned number;
	} fields[] = {
		{"family", NULL, r->family},	     {"encap", r->encap, 0},
		{"kind", kinds[r->kind], 0},	     {"flows", NULL, r->flows},
		{"burst", NULL, r->burst},	     {"slots", slot_names[r->slots], 0},
		{"affinity", affinities[r->affinity], 0}, {"services", NULL, r->services},
		{"backends", NULL, r->backends},     {"frame", NULL, r->frame},
		{"cache", caches[r->cache], 0},
	};

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		if (strcmp(fields[i].key, key) != 0)
			continue;
		if (fields[i].text)
			snprintf(out, size, "%s", fields[i].text);
		else
			snprintf(out, size, "%u", fields[i].number);
		return true;
	}
	return false;
}

/* only: KEY=VALUE,... or NULL. Exits on what it can't read. */
static bool
row_is_wanted(const struct row *r, const char *only)
{
	char list[256], value[32], *rest = list;

	if (!only)
		return true;
	snprintf(list, sizeof(list), "%s", only);
	for (char *pair = strsep(&rest, ","); pair; pair = strsep(&rest, ",")) {
		const char *key = strsep(&pair, "=");

		if (!pair || !row_field(r, key, value, sizeof(value))) {
			fprintf(stderr, "bench-pipeline: --only %s: no column of the table with a value; say KEY=VALUE\n", key);
			exit(2);
		}
		if (strcmp(value, pair) != 0)
			return false;
	}
	return true;
}

static struct world *
row_world(const struct row *r, const char *code)
{
	static const struct {
		const char *name;
		enum abi_encap encap;
		bool has_checksum;
	} encaps[] = {{"l2", ABI_ENCAP_L2, false},
		      {"ipip", ABI_ENCAP_IPIP, false},
		      {"gre", ABI_ENCAP_GRE, false},
		      {"gue", ABI_ENCAP_GUE, false},
		      {"gue-checksum", ABI_ENCAP_GUE, true}};
	struct world_spec spec = {
		.is_v6 = r->family == 6,
		.is_udp = traffic_is_udp(r->kind),
		.affinity = r->affinity,
		.port = traffic_port(r->kind),
		.services = r->services,
		.backends = r->backends,
		.flows = r->flows,
		.code = code,
	};

	for (unsigned i = 0; i < ARRAY_LEN(encaps); i++) {
		if (strcmp(encaps[i].name, r->encap) == 0) {
			spec.encap = encaps[i].encap;
			spec.has_checksum = encaps[i].has_checksum;
		}
	}
	return world_new(&spec);
}

/* Every flow once, so that the flow table knows it: half of them by their opening packet, half in the middle. */
static void
flows_open(struct world *world, struct traffic *traffic, struct rte_mbuf **mbufs)
{
	struct rounds rounds = {.world = world, .traffic = traffic, .mbufs = mbufs, .burst = 32};

	for (uint64_t first = 0; first < traffic->spec.flows; first += ROUND) {
		for (unsigned i = 0; i < ROUND; i++)
			traffic_fill(traffic, mbufs[i], (first + i) % traffic->spec.flows, i % 2);
		rounds_burst(&rounds);
	}
}

static void
row_measure(struct row *r, const char *code, struct rte_mbuf **mbufs)
{
	struct traffic_spec spec = {.kind = r->kind,
				    .is_v6 = r->family == 6,
				    .flows = r->flows,
				    .services = r->services,
				    .frame = (uint16_t)r->frame};
	double ns[RUNS], baseline_ns[RUNS];
	struct world *world = row_world(r, code);
	struct traffic traffic;
	struct rounds rounds = {.world = world,
				.traffic = &traffic,
				.mbufs = mbufs,
				.burst = r->burst,
				.is_cold = r->cache == COLD};
	uint64_t before;

	traffic_init(&traffic, &spec);
	if (r->slots == MOVING)
		world_publish(world, 1);
	if ((r->slots == MOVING || r->affinity == ABI_AFFINITY_TRACKED) && r->kind <= TRAFFIC_QUIC)
		flows_open(world, &traffic, mbufs);
	before = world_verdict(world, VERDICT_FORWARDED);
	for (unsigned i = 0; i < RUNS; i++)
		rounds_measure(&rounds, &ns[i], &baseline_ns[i]);
	if (world_verdict(world, VERDICT_FORWARDED) - before != (uint64_t)RUNS * ROUNDS * ROUND) {
		fprintf(stderr, "bench-pipeline: not every packet was forwarded\n");
		exit(1);
	}
	r->ns = bench_median(ns, RUNS);
	r->ns_min = ns[0];
	r->ns_max = ns[RUNS - 1];
	r->baseline_ns = bench_median(baseline_ns, RUNS);
	world_free(world);
}

static void
head_print(void)
{
	printf("%6s %-12s %-9s %8s %5s %-6s %-8s %8s %8s %5s %-5s %7s %15s %8s %6s\n", "family", "encap", "kind", "flows",
	       "burst", "slots", "affinity", "services", "backends", "frame", "cache", "ns", "min .. max", "baseline",
	       "ratio");
}

static void
row_print(const struct row *r)
{
	printf("%6u %-12s %-9s %8u %5u %-6s %-8s %8u %8u %5u %-5s %7.2f %6.2f .. %5.2f %8.2f %6.1f\n", r->family, r->encap,
	       kinds[r->kind], r->flows, r->burst, slot_names[r->slots], affinities[r->affinity], r->services,
	       r->backends, r->frame, caches[r->cache], r->ns, r->ns_min, r->ns_max, r->baseline_ns,
	       r->ns / r->baseline_ns);
	fflush(stdout);
}

static void
row_json(FILE *file, const struct row *r)
{
	fprintf(file,
		",\n  {\"bench\": \"pipeline\", \"family\": %u, \"encap\": \"%s\", \"kind\": \"%s\", \"flows\": %u, "
		"\"burst\": %u, \"slots\": \"%s\", \"affinity\": \"%s\", \"services\": %u, \"backends\": %u, "
		"\"frame\": %u, \"cache\": \"%s\", \"ns\": %.3f, \"ns_min\": %.3f, \"ns_max\": %.3f, "
		"\"baseline_ns\": %.3f}",
		r->family, r->encap, kinds[r->kind], r->flows, r->burst, slot_names[r->slots], affinities[r->affinity],
		r->services, r->backends, r->frame, caches[r->cache], r->ns, r->ns_min, r->ns_max, r->baseline_ns);
}

int
main(int argc, char **argv)
{
	struct bench_arguments arguments;
	struct rte_mbuf *mbufs[ROUND];
	unsigned n = 0;
	FILE *file;

	bench_arguments_read(&arguments, argc, argv);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		row_fill(&rows[i]);
		if (row_is_wanted(&rows[i], arguments.only))
			rows[n++] = rows[i];
	}
	if (n == 0) {
		fprintf(stderr, "bench-pipeline: --only %s: no row is so\n", arguments.only);
		return 2;
	}
	bench_start(NULL, arguments.huge, mbufs, ROUND);
	file = bench_json_open(&arguments);
	head_print();
	for (unsigned i = 0; i < n; i++) {
		row_measure(&rows[i], arguments.code, mbufs);
		row_print(&rows[i]);
		if (file)
			row_json(file, &rows[i]);
	}
	bench_json_close(file);
	return 0;
}
