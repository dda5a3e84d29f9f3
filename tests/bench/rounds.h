/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of packets through a world's burst function, with the filling left out of the time, and a baseline between them. */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "tests/bench/traffic.h"
#include "tests/bench/world.h"

enum { ROUND = 512, ROUNDS = 400 }; /* packets of a round, rounds of a measurement */

struct rounds {
	struct world *world;
	struct traffic *traffic;
	struct rte_mbuf **mbufs; /* [ROUND] */
	unsigned burst;
	bool is_cold; /* frames and mbufs out of every cache, as a NIC leaves them without DDIO */
};

/* The mbufs as they are through the burst function. */
void rounds_burst(const struct rounds *rounds);

/* Medians, in ns a packet. The baseline reads each packet's header and writes one MAC. */
void rounds_measure(const struct rounds *rounds, double *ns, double *baseline_ns);

#endif
