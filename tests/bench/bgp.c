/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a route costs bgp/, without sockets: wanted (into a rib_out), told (from there to octets that a transport took),
 * heard (octets to an update's routes) and counted (heard, against max_prefixes). Each for both families, with a path for
 * all routes and with a path each. A figure is CPU time, the least of RUNS runs; the baseline, in turn with them, reads a
 * route's octets from one place and writes them to another.
 *
 *   bench-bgp [--json FILE] [--machine TEXT] [--commit ID]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "bgp/advertise.h"
#include "bgp/arrivals.h"
#include "tests/bench/bgp_routes.h"

enum { RUNS = 9, ROUTES = RIB_OUT_MAX, MESSAGE_ROOM = 128 };

enum step { WANTED, TOLD, HEARD, COUNTED, STEPS };

static const char *const steps[] = {"wanted", "told", "heard", "counted"};

struct bench {
	enum addr_family family;
	bool own_paths;
	struct bgp_config config;
	struct bgp_status status;
	struct prefix prefixes[ROUTES];
	struct path paths[2]; /* the one for all; one that is made anew for each route */
	uint8_t octets[ROUTES * MESSAGE_ROOM]; /* messages, one after the other */
	size_t len;
	struct prefix copies[ROUTES];
	double ns[STEPS][RUNS]; /* of a route */
	double baseline_ns[RUNS];
};

static void
fail(const char *what)
{
	fprintf(stderr, "bench-bgp: %s\n", what);
	exit(1);
}

static const struct path *
path_of(struct bench *bench, uint32_t route)
{
	bench->paths[1].med = route;
	return &bench->paths[bench->own_paths];
}

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static double
since(uint64_t start_ns)
{
	return (double)(cpu_ns() - start_ns) / ROUTES;
}

/* A length, so many octets: what is in every route, and nothing of what BGP wants of it. */
static double
baseline(struct bench *bench)
{
	static uint8_t octets[ROUTES * RIB_PREFIX_LEN];
	const uint8_t *at = octets;
	uint8_t *end = octets;
	uint64_t start_ns;

	for (uint32_t i = 0; i < ROUTES; i++) {
		size_t len = bench->prefixes[i].len / 8U;

		*end++ = bench->prefixes[i].len;
		memcpy(end, bench->prefixes[i].addr.octets, len);
		end += len;
	}
	start_ns = cpu_ns();
	for (uint32_t i = 0; i < ROUTES; i++) {
		bench->copies[i] = (struct prefix){.len = at[0]};
		memcpy(bench->copies[i].addr.octets, at + 1, at[0] == 32 ? 4 : 16);
		at += at[0] == 32 ? 5 : 17;
	}
	return since(start_ns);
}

static double
want(struct bench *bench, struct rib_out *rib)
{
	uint64_t start_ns = cpu_ns();

	for (uint32_t i = 0; i < ROUTES; i++) {
		uint8_t octets[RIB_PREFIX_LEN];
		struct rib_nlri nlri = rib_nlri_of(&bench->prefixes[i], octets);

		if (rib_out_announce(rib, &nlri, path_of(bench, i)) != 0)
			fail("no memory for routes");
	}
	return since(start_ns);
}

static double
tell(struct bench *bench, struct rib_out *rib)
{
	static struct output out;
	struct advertise advertise = {.config = &bench->config, .negotiated = &bench->status.negotiated, .rib = rib, .out = &out};
	uint64_t start_ns;

	out = (struct output){.counts = bench->status.sent};
	advertise_begin(&advertise, &bench->config.local);
	start_ns = cpu_ns();
	for (advertise_fill(&advertise); out.len > 0; advertise_fill(&advertise)) {
		output_taken(&out, out.len);
		rib_out_confirm(rib);
	}
	if (rib_out_advertised(rib) != ROUTES)
		fail("not all routes were told");
	return since(start_ns);
}

/* As fsm.c does it. */
static double
hear(struct bench *bench, struct tally *tally)
{
	const struct bgp_update_context context = negotiate_context(&bench->config, &bench->status.negotiated);
	struct arrivals arrivals = {.config = &bench->config, .status = &bench->status, .tally = tally};
	uint64_t start_ns = cpu_ns();

	for (size_t at = 0; at < bench->len;) {
		const uint8_t *message = bench->octets + at;
		struct bgp_update update;
		struct bgp_header header;
		struct bgp_error error;

		if (bgp_header_decode(message, false, &header, &error) != 0)
			fail("a header of ours is wrong");
		bgp_update_decode(message + BGP_HEADER_LEN, header.len - BGP_HEADER_LEN, &context, &update);
		if (update.outcome != BGP_ACCEPT || arrivals_update(&arrivals, &update).code != 0)
			fail("an UPDATE of ours is wrong");
		at += header.len;
	}
	if (tally && tally_count(tally) != ROUTES)
		fail("not all routes were counted");
	return since(start_ns);
}

static void
messages_make(struct bench *bench)
{
	struct bgp_route route = {.next_hop = bench->family == ADDR_V4 ? bench->config.next_hop_v4 : bench->config.next_hop_v6,
				  .local_as = bench->config.local_as, .peer_as4 = true, .role = BGP_ROLE_NONE};
	enum bgp_family family = bench->family == ADDR_V4 ? BGP_V4 : BGP_V6;

	bench->len = 0;
	for (size_t at = 0, taken; at < ROUTES; at += taken) {
		route.path = path_of(bench, (uint32_t)at);
		bench->len += bgp_update_encode(&route, family, bench->prefixes + at, bench->own_paths ? 1 : ROUTES - at, &taken,
						bench->octets + bench->len, BGP_MESSAGE_MAX);
	}
}

static void
bench_init(struct bench *bench, enum addr_family family, bool own_paths)
{
	const uint8_t v4[4] = {10, 77, 0, 1}, v6[16] = {0xfd, 0x77, [15] = 1};

	bench->family = family;
	bench->own_paths = own_paths;
	bench->config = (struct bgp_config){.local_as = 65010, .role = BGP_ROLE_NONE, .max_prefixes = ROUTES,
					    .local = addr_v4(v4), .next_hop_v4 = addr_v4(v4), .next_hop_v6 = addr_v6(v6)};
	bench->config.peer_as = 65001;
	bench->status = (struct bgp_status){.negotiated = {.family = {true, true}, .as4 = true}};
	for (uint32_t i = 0; i < ROUTES; i++)
		bench->prefixes[i] = bgp_routes_prefix(family, i);
	bench->paths[0] = bgp_routes_path(false, 0);
	bench->paths[1] = bgp_routes_path(true, 0);
	messages_make(bench);
	/* What is heard is another's: the first AS of its path is the peer's. */
	bench->config.peer_as = bench->config.local_as;
	bench->config.local_as = 65001;
}

static void
run(struct bench *bench, unsigned run)
{
	struct tally *tally = tally_new(ROUTES, run + 1);
	struct rib_out *rib = rib_out_new();

	if (!tally || !rib)
		fail("no memory");
	bench->baseline_ns[run] = baseline(bench);
	bench->ns[WANTED][run] = want(bench, rib);
	bench->ns[TOLD][run] = tell(bench, rib);
	bench->ns[HEARD][run] = hear(bench, NULL);
	bench->ns[COUNTED][run] = hear(bench, tally);
	rib_out_free(rib);
	tally_free(tally);
}

static double
least(const double values[static RUNS])
{
	double found = values[0];

	for (unsigned i = 1; i < RUNS; i++)
		found = values[i] < found ? values[i] : found;
	return found;
}

static void
report(const struct bench *bench, FILE *json)
{
	double baseline_ns = least(bench->baseline_ns);
	int family = bench->family == ADDR_V4 ? 4 : 6;
	const char *paths = bench->own_paths ? "each" : "one";

	for (int i = 0; i < STEPS; i++) {
		double ns = least(bench->ns[i]);

		printf("%-8s %6d %5s %9.1f %11.2f %9.1f %11.2f\n", steps[i], family, paths, ns, 1e3 / ns, ns / baseline_ns,
		       baseline_ns);
		if (json)
			fprintf(json,
				",\n  {\"bench\": \"bgp\", \"case\": \"%s\", \"family\": %d, \"paths\": \"%s\", \"routes\": %d, "
				"\"ns\": %.2f, \"baseline_ns\": %.3f, \"ratio\": %.2f}",
				steps[i], family, paths, ROUTES, ns, baseline_ns, ns / baseline_ns);
	}
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", required_argument, NULL, 'j'}, {"machine", required_argument, NULL, 'm'},
		{"commit", required_argument, NULL, 'c'}, {0}};
	const char *path = NULL, *machine = "unknown", *commit = "unknown";
	static struct bench bench;
	FILE *json = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'j': path = optarg; break;
		case 'm': machine = optarg; break;
		case 'c': commit = optarg; break;
		default: return 2;
		}
	}
	if (path && !(json = fopen(path, "w")))
		fail("the JSON file can't be written");
	if (json)
		fprintf(json, "[\n  {\"machine\": \"%s\", \"compiler\": \"%s\", \"commit\": \"%s\"}", machine, __VERSION__, commit);
	printf("%-8s %6s %5s %9s %11s %9s %11s\n", "route", "family", "paths", "ns", "million/s", "x base", "baseline ns");
	for (unsigned i = 0; i < 4; i++) {
		bench_init(&bench, i < 2 ? ADDR_V4 : ADDR_V6, i % 2);
		for (unsigned k = 0; k < RUNS; k++)
			run(&bench, k);
		report(&bench, json);
	}
	if (json)
		fprintf(json, "\n]\n");
	return json && fclose(json) != 0 ? 1 : 0;
}
