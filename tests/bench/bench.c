/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/bench.h"

#include <getopt.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>

#include "dataplane/worker.h"

enum { MBUFS = 8191, MBUF_CACHE = 256 };

void
bench_arguments_read(struct bench_arguments *a, int argc, char **argv)
{
	static const struct option longs[] = {{"json", required_argument, NULL, 'j'},
					      {"only", required_argument, NULL, 'o'},
					      {"machine", required_argument, NULL, 'm'},
					      {"commit", required_argument, NULL, 'c'},
					      {"code", required_argument, NULL, 'x'},
					      {"huge", no_argument, NULL, 'h'},
					      {0}};
	int option;

	*a = (struct bench_arguments){.machine = "unknown", .commit = "unknown"};
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'j': a->json = optarg; break;
		case 'o': a->only = optarg; break;
		case 'm': a->machine = optarg; break;
		case 'c': a->commit = optarg; break;
		case 'x': a->code = optarg; break;
		case 'h': a->huge = true; break;
		default: exit(2);
		}
	}
	if (worker_code(a->code))
		return;
	fprintf(stderr, "bench: --code %s: this CPU runs base%s\n", a->code,
		worker_code("x86-64-v3") ? " and x86-64-v3" : " only");
	exit(2);
}

void
bench_start(const char *lcores, bool huge, struct rte_mbuf **mbufs, unsigned n)
{
	char *args[16] = {"bench", "--no-pci", "--no-telemetry", "--log-level=error"}, which[64];
	struct rte_mempool *pool;
	int count = 4;

	/* Plain memory where there are no huge pages. */
	args[count++] = huge ? "--in-memory" : "--no-huge";
	if (!huge)
		args[count++] = "--no-shconf";
	if (!huge)
		args[count++] = "-m512";
	snprintf(which, sizeof(which), "-l%s", lcores ? lcores : "");
	if (lcores)
		args[count++] = which;
	if (rte_eal_init(count, args) < 0) {
		fprintf(stderr, "bench: EAL doesn't start: %s\n", rte_strerror(rte_errno));
		exit(1);
	}
	pool = rte_pktmbuf_pool_create("bench", MBUFS, MBUF_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!pool || rte_pktmbuf_alloc_bulk(pool, mbufs, n) != 0) {
		fprintf(stderr, "bench: no memory for mbufs\n");
		exit(1);
	}
}

FILE *
bench_json_open(const struct bench_arguments *a)
{
	FILE *file = a->json ? fopen(a->json, "w") : NULL;

	if (!a->json)
		return NULL;
	if (!file) {
		perror(a->json);
		exit(1);
	}
	fprintf(file,
		"[\n  {\"machine\": \"%s\", \"compiler\": \"%s\", \"commit\": \"%s\", \"hugepages\": %s, "
		"\"code\": \"%s\"}",
		a->machine, __VERSION__, a->commit, a->huge ? "true" : "false", worker_code(a->code)->name);
	return file;
}

void
bench_json_close(FILE *file)
{
	if (!file)
		return;
	fprintf(file, "\n]\n");
	if (fclose(file) == 0)
		return;
	perror("bench: the JSON file");
	exit(1);
}

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), double_compare);
	return values[n / 2];
}
