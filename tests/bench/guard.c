/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard costs: nanoseconds a packet on one core with it, and in the same run by a packet path that was built without
 * its stage and without the sanity checks. A flood's packets are forwarded there; here they are dropped or answered.
 *
 *   bench-guard [--json FILE] [--only case=NAME] [--machine TEXT] [--commit ID] [--huge]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flowhash.h"
#include "controlplane/program.h"
#include "dataplane/filters.h"
#include "dataplane/lists.h"
#include "tests/bench/bench.h"
#include "tests/bench/rounds.h"

enum { RUNS = 9, SOURCES = 1000000, ENTRIES = 1000000 };

/* The twin of run.c without the guard. */
extern const struct worker_code worker_code_unguarded;

static const struct abi_guard limits = {.type = ABI_GUARD,
					.hold_s = 60,
					.percent = 50,
					.prefix_v4_len = 24,
					.prefix_v6_len = 56,
					.burst_ms = 1000,
					.filters = ABI_GUARD_REFLECTORS | ABI_GUARD_NOT_CLIENT,
					.source = {.packets = 10000, .openings = 1000},
					.prefix = {.packets = 50000, .openings = 5000}};
/* Nobody is known in the benchmark: what can be asked is asked, the rest shares the allowance. */
static const struct abi_guard checks = {.type = ABI_GUARD,
					.hold_s = 60,
					.percent = 50,
					.prefix_v4_len = 24,
					.prefix_v6_len = 56,
					.burst_ms = 1000,
					.filters = ABI_GUARD_REFLECTORS | ABI_GUARD_NOT_CLIENT,
					.check = ABI_GUARD_CHECK_SYN,
					.source = {.packets = 10000, .openings = 1000},
					.prefix = {.packets = 50000, .openings = 5000},
					.unknown = 2000};

#define EXAMPLE "udp and src port 123 and greater 400"

static const struct row {
	const char *name;
	enum traffic_kind kind;
	bool is_v6;
	enum guard_mode mode;
	const struct abi_guard *guard;
	enum abi_verdict verdict; /* that nearly all packets come to */
	unsigned entries; /* of the lists: hosts at random, from where the sources are */
	const char *filter; /* an operator's, that matches nothing of this traffic; NULL: none */
} rows[] = {
	{"disarmed", TRAFFIC_TCP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, 0, NULL},
	{"disarmed-udp", TRAFFIC_UDP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, 0, NULL},
	{"disarmed-ipv6", TRAFFIC_TCP, true, GUARD_PEACE, &checks, VERDICT_FORWARDED, 0, NULL},
	{"list-1000", TRAFFIC_TCP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, 1000, NULL},
	{"list-million", TRAFFIC_TCP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, ENTRIES, NULL},
	{"list-million-ipv6", TRAFFIC_TCP, true, GUARD_PEACE, &checks, VERDICT_FORWARDED, ENTRIES, NULL},
	{"filter-tcp", TRAFFIC_TCP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, 0, EXAMPLE},
	{"filter-udp", TRAFFIC_UDP, false, GUARD_PEACE, &checks, VERDICT_FORWARDED, 0, EXAMPLE},
	{"limits", TRAFFIC_TCP, false, GUARD_ARMED, &limits, VERDICT_FORWARDED, 0, NULL},
	{"limits-udp", TRAFFIC_UDP, false, GUARD_ARMED, &limits, VERDICT_FORWARDED, 0, NULL},
	{"limits-ipv6", TRAFFIC_TCP, true, GUARD_ARMED, &limits, VERDICT_FORWARDED, 0, NULL},
	{"syn-flood", TRAFFIC_SYN_FLOOD, false, GUARD_ARMED, &checks, VERDICT_CHALLENGED, 0, NULL},
	{"ack-flood", TRAFFIC_ACK_FLOOD, false, GUARD_ARMED, &checks, VERDICT_SOURCE_UNKNOWN, 0, NULL},
	{"udp-flood", TRAFFIC_UDP_FLOOD, false, GUARD_ARMED, &checks, VERDICT_SOURCE_UNKNOWN, 0, NULL},
	{"syn-flood-ipv6", TRAFFIC_SYN_FLOOD, true, GUARD_ARMED, &checks, VERDICT_CHALLENGED, 0, NULL},
};

static struct world *
row_world(const struct row *row)
{
	struct world_spec spec = {.is_v6 = row->is_v6,
				  .is_udp = traffic_is_udp(row->kind),
				  .encap = ABI_ENCAP_IPIP,
				  .port = traffic_port(row->kind),
				  .services = 1,
				  .backends = 100,
				  .flows = SOURCES,
				  .collects = true};
	struct world *world = world_new(&spec);

	world_guard(world, row->guard);
	world_publish(world, 0);
	return world;
}

/* Hosts of 16.0.0.0 to 63.255.255.255, or of 2000::/8: where traffic.c has its sources. */
static struct lists *
lists_fill(unsigned n, bool is_v6)
{
	struct lists *lists = lists_new(&(struct lists_config){0});

	for (unsigned i = 0; lists && i < n; i++) {
		uint64_t dice[2] = {flowhash_mum(i ^ FLOWHASH_K2, FLOWHASH_K0), flowhash_mum(i ^ FLOWHASH_K1, FLOWHASH_K0)};
		uint8_t octets[16];
		struct addr addr;
		struct prefix prefix;

		memcpy(octets, dice, sizeof(octets));
		octets[0] = is_v6 ? 0x20 : (uint8_t)((octets[0] & 0x3f) | 0x10);
		addr = is_v6 ? addr_v6(octets) : addr_v4(octets);
		prefix = prefix_of(&addr, is_v6 ? 128 : 32);
		if (lists_set(lists, &prefix, LIST_DROP, 0) != 0)
			rte_panic("no memory for the lists\n");
	}
	if (lists)
		lists_publish(lists);
	return lists;
}

static struct filters *
filters_make(const char *expression)
{
	static struct program program;
	static uint64_t insns[1][ABI_FILTER_INSNS_MAX];
	char fault[PROGRAM_FAULT_MAX];
	struct abi_filter head = {.type = ABI_FILTER, .service = ABI_FILTER_EVERY, .vip = ABI_FILTER_EVERY, .key = 1};
	struct filters_spec spec = {
		.n = 1, .n_workers = 1, .filters = &head, .insns = (const uint64_t(*)[ABI_FILTER_INSNS_MAX])insns};
	struct filters *filters = NULL;
	unsigned at;

	if (program_compile(expression, &program, fault) != 0)
		rte_panic("%s: %s\n", expression, fault);
	head.n_insns = program.n;
	memcpy(insns[0], program.insns, sizeof(insns[0]));
	if (filters_new(&spec, &filters, &at) != 0)
		rte_panic("%s: refused\n", expression);
	return filters;
}

static double
code_measure(const struct row *row, struct world *world, const struct worker_code *code, struct rte_mbuf **mbufs,
	     enum abi_verdict verdict)
{
	struct traffic_spec spec = {
		.kind = row->kind, .is_v6 = row->is_v6, .flows = SOURCES, .services = 1, .frame = row->is_v6 ? 78 : 64};
	struct traffic traffic;
	struct rounds rounds = {.world = world, .traffic = &traffic, .mbufs = mbufs, .burst = 32};
	double ns[RUNS], baseline_ns;
	uint64_t before = world_verdict(world, verdict), n;

	traffic_init(&traffic, &spec);
	world->code = code;
	for (unsigned i = 0; i < RUNS; i++)
		rounds_measure(&rounds, &ns[i], &baseline_ns);
	n = world_verdict(world, verdict) - before;
	if (n * 100 < UINT64_C(99) * RUNS * ROUNDS * ROUND) {
		fprintf(stderr, "bench-guard: %s: %llu of %d packets were %s\n", row->name, (unsigned long long)n,
			RUNS * ROUNDS * ROUND, abi_verdict_info(verdict)->name);
		exit(1);
	}
	return bench_median(ns, RUNS);
}

static void
row_measure(const struct row *row, struct rte_mbuf **mbufs, FILE *file)
{
	struct world *world = row_world(row);
	const struct worker_code *guarded = world->code;
	double without_ns = code_measure(row, world, &worker_code_unguarded, mbufs, VERDICT_FORWARDED), ns;
	struct lists *lists = row->entries ? lists_fill(row->entries, row->is_v6) : NULL;

	struct guard_table *table = atomic_load(tables_current(world->tables))->guard;

	if (row->filter)
		table->filters = filters_make(row->filter);
	world->guard.lists = lists ? lists_handle(lists) : NULL;
	world_arm(world, row->mode);
	ns = code_measure(row, world, guarded, mbufs, row->verdict);
	printf("%-18s %-15s %8.2f %8.2f %8.2f\n", row->name, abi_verdict_info(row->verdict)->name, ns, without_ns,
	       ns - without_ns);
	fflush(stdout);
	if (file)
		fprintf(file, ",\n  {\"bench\": \"guard\", \"case\": \"%s\", \"ns\": %.3f, \"without_guard_ns\": %.3f}",
			row->name, ns, without_ns);
	filters_free((struct filters *)(uintptr_t)table->filters);
	world_free(world);
	lists_free(lists);
}

int
main(int argc, char **argv)
{
	struct bench_arguments arguments;
	struct rte_mbuf *mbufs[ROUND];
	const char *only = NULL;
	FILE *file;

	bench_arguments_read(&arguments, argc, argv);
	if (arguments.only && strncmp(arguments.only, "case=", 5) != 0) {
		fprintf(stderr, "bench-guard: --only %s: say case=NAME\n", arguments.only);
		return 2;
	}
	if (arguments.only)
		only = arguments.only + 5;
	bench_start(NULL, arguments.huge, mbufs, ROUND);
	file = bench_json_open(&arguments);
	printf("%-18s %-15s %8s %8s %8s\n", "case", "comes to", "ns", "without", "more");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (!only || strcmp(only, rows[i].name) == 0)
			row_measure(&rows[i], mbufs, file);
	}
	bench_json_close(file);
	return 0;
}
