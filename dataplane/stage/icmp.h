/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the node itself answers: echo requests to a VIP, packets that no service takes (vip is 2) and packets too big
 * for their way. An answer is made in the packet's own mbuf and goes out by the port that it came in by. All answers of a
 * worker share one token bucket, so nobody can use the node to flood a third party. State belongs to one worker.
 */
#ifndef DATAPLANE_STAGE_ICMP_H
#define DATAPLANE_STAGE_ICMP_H

#include <rte_branch_prediction.h>

#include "dataplane/packet.h"

/* The bucket as a point in time: it is full at or before `now`, and each answer moves it on by its cost. */
struct icmp_state {
	uint64_t cost;	   /* cycles an answer; 0: no answers at all */
	uint64_t tolerance; /* cycles that `spent` may be ahead of now */
	uint64_t spent;
};

/* burst: answers in a row when none were given for long; 0 counts as 1. rate_pps 0: never answers. */
void icmp_state_init(struct icmp_state *s, uint64_t tsc_hz, unsigned rate_pps, unsigned burst);

/* Settles an open packet. */
void icmp_packet(struct icmp_state *s, struct packet *p, uint64_t now_tsc);

/* Leaves no packet open. */
static inline void
icmp_burst(struct icmp_state *s, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (unlikely(packet_is_open(&b->packets[i])))
			icmp_packet(s, &b->packets[i], b->now_tsc);
	}
}

#endif
