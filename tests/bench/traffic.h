/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of flows that are drawn by number: the same number is the same flow, and two numbers have nothing in common. */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <rte_mbuf.h>

#include "base/types.h"

enum traffic_kind { TRAFFIC_TCP, TRAFFIC_UDP, TRAFFIC_QUIC, TRAFFIC_SYN_FLOOD, TRAFFIC_ACK_FLOOD, TRAFFIC_UDP_FLOOD };

struct traffic_spec {
	enum traffic_kind kind;
	bool is_v6;
	uint64_t flows; /* floods: of no meaning, no flow comes twice */
	unsigned services;
	uint16_t frame; /* octets, without FCS */
};

enum { TRAFFIC_HEADERS_MAX = 96 };

struct traffic {
	struct traffic_spec spec;
	uint64_t state; /* of the random numbers */
	uint8_t headers[TRAFFIC_HEADERS_MAX];
	uint8_t dst_at; /* octet after the source address */
	uint8_t src_len;
	uint8_t l4_at;
};

bool traffic_is_udp(enum traffic_kind kind);
uint16_t traffic_port(enum traffic_kind kind);
void traffic_init(struct traffic *traffic, const struct traffic_spec *spec);
/* Puts the frame of flow `number` into a mbuf as if it had just been received. opens: as TCP SYN where it is TCP. */
void traffic_fill(const struct traffic *traffic, struct rte_mbuf *mbuf, uint64_t number, bool opens);
/* The number of the next packet's flow: random, uniform. */
uint64_t traffic_draw(struct traffic *traffic);

#endif
