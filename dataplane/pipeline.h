/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a packet: the order of the stages. parse, classify and steer's hash run packet by packet, with what they
 * found still in registers; from then on each stage sees the whole burst, so that the line which it needs of a table has
 * been fetched when it comes to it.
 */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/stage/parse.h"
#include "dataplane/worker.h"

static __rte_noinline void
pipeline_any(const struct snapshot *tables, struct burst *b, struct packet *p)
{
	parse_packet(p);
	classify_packet(tables->classify, p);
	if (p->service != SERVICE_NONE)
		steer_hash(tables->services, p);
	if (p->flags & PACKET_FRAGMENT)
		b->has_fragments = true;
}

static inline void
pipeline_packet(const struct snapshot *tables, struct burst *b, struct packet *p)
{
	if (likely(parse_plain(p) && classify_plain(tables->classify, p)))
		steer_hash(tables->services, p);
	else
		pipeline_any(tables, b, p);
}

static __rte_noinline void
pipeline_fragments(struct worker *w, const struct snapshot *tables, struct burst *b)
{
	fragment_burst(w->fragments, b);
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		classify_fragment(tables->classify, p);
		if ((p->flags & PACKET_FRAGMENT) && p->service != SERVICE_NONE)
			steer_hash(tables->services, p);
	}
}

/* n <= BURST_MAX. */
static inline void
pipeline_run(struct worker *w, const struct snapshot *tables, struct rte_mbuf **mbufs, unsigned n, uint16_t rx_port)
{
	struct burst *b = &w->burst;

	b->n = (uint16_t)n;
	b->has_fragments = false;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)BURST_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[RTE_MIN(i + BURST_AHEAD, n - 1)], void *));
		packet_init(&b->packets[i], mbufs[i], rx_port);
		pipeline_packet(tables, b, &b->packets[i]);
	}
	if (unlikely(b->has_fragments))
		pipeline_fragments(w, tables, b);
	steer_burst(&w->steer, tables->services, tables->alive, b);
	encap_burst(&w->encap, tables->targets, b);
	if (unlikely(b->has_open))
		icmp_burst(&w->icmp, b);
	tx_burst(&w->tx, b);
}

#endif
