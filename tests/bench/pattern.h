/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the load generator sends, and how it knows its packets again behind any encapsulation. A packet of a pattern ends
 * with its stamp, {magic, 2 octets; TSC at sending, 8 octets}; its flow's number and its number in the flow are in the
 * TCP sequence and acknowledgement fields, or in the first octets of the UDP payload. Replayed frames are sent
 * as they were caught, but for their destination, and are only counted. L4 checksums of a pattern are left at 0.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <rte_ether.h>

#include "tests/bench/traffic.h"

enum { PATTERN_FLOWS_MAX = 1 << 24 };

struct pattern_spec {
	struct traffic_spec traffic; /* frame 0: as small as can be */
	const char *list;	     /* file of flows, "SOURCE PORT" a line; NULL: random ones */
	const char *replay;	     /* pcap file; NULL: none */
	struct rte_ether_addr to;    /* the load balancer */
	struct rte_ether_addr from;  /* the backends, where its packets come to */
};

struct pattern;

/* Faults are told on standard error with their place, and end the program. */
struct pattern *pattern_open(const struct pattern_spec *spec);
void pattern_close(struct pattern *pattern);
uint16_t pattern_frame(const struct pattern *pattern); /* octets; 0: they differ, as caught */

/* Numbers in flows begin again. */
void pattern_restart(struct pattern *pattern);
/* Makes the next n packets in empty mbufs, with tsc for their stamps. */
void pattern_fill(struct pattern *pattern, struct rte_mbuf **mbufs, unsigned n, uint64_t tsc);

enum pattern_sight {
	PATTERN_OTHER,	/* not ours */
	PATTERN_COUNTED, /* ours, without a stamp */
	PATTERN_IN_ORDER,
	PATTERN_LATE, /* one of its flow's later packets came before it, or it came twice */
};

/* What came back; *tsc is its stamp when it has one. */
enum pattern_sight pattern_look(struct pattern *pattern, const struct rte_mbuf *mbuf, uint64_t *tsc);

#endif
