/* SPDX-License-Identifier: BSD-2-Clause */
/* What the benchmarks of the packet path have in common: arguments, EAL, medians, the JSON file. Faults end the program. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdio.h>

#include <rte_mbuf.h>

#include "base/types.h"

/* As scripts/bench.sh gives them. */
struct bench_arguments {
	const char *json; /* NULL: no file */
	const char *machine;
	const char *commit;
	const char *only; /* KEY=VALUE,... or NULL */
	const char *code; /* worker_code()'s; NULL: the best for this CPU */
	bool huge;	  /* there are huge pages */
};

void bench_arguments_read(struct bench_arguments *arguments, int argc, char **argv);

/* lcores: as EAL's -l, or NULL for the one that we are bound to. Then n mbufs. */
void bench_start(const char *lcores, bool huge, struct rte_mbuf **mbufs, unsigned n);

/* The file with its first object: what the figures are taken on. NULL when none is asked for. */
FILE *bench_json_open(const struct bench_arguments *arguments);
void bench_json_close(FILE *file); /* NULL is fine */

double bench_median(double *values, unsigned n); /* sorts them */

#endif
