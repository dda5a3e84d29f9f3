/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a packet: the order of the stages. parse, classify and steer's hash run packet by packet, with what they
 * found still in registers; from then on each stage sees the whole burst, so that the line which it needs of a table has
 * been fetched when it comes to it. While some service is armed the hash waits for the guard: what is dropped needs none.
 * Samples are taken before the guard may have answered a packet, and told when all have their verdict.
 */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/stage/parse.h"
#include "dataplane/worker.h"

/* is_up: the guard will look at the burst, and what it leaves is hashed then. */
static __rte_noinline void
pipeline_any(const struct snapshot *tables, bool is_up, struct burst *b, struct packet *p, struct rte_mbuf *mbuf, uint16_t rx_port)
{
	packet_init(p, mbuf, rx_port);
	parse_any(p);
	classify_packet(tables->classify, p);
	if (packet_is_served(p) && !is_up)
		steer_hash(tables->services, p, p->flags & PACKET_V6);
	if (p->flags & PACKET_FRAGMENT)
		b->has_fragments = true;
}

static inline void
pipeline_packet(const struct snapshot *tables, bool is_up, struct burst *b, struct packet *p, struct rte_mbuf *mbuf,
		uint16_t rx_port)
{
	uint16_t type = parse_plain_type(mbuf);
	bool is_v6 = type == PARSE_TYPE_V6;

	if (!(type == PARSE_TYPE_V4 && parse_plain_v4(p, mbuf, rx_port) && classify_plain(tables->classify, p, false)) &&
	    !(is_v6 && parse_plain_v6(p, mbuf, rx_port) && classify_plain(tables->classify, p, true)))
		pipeline_any(tables, is_up, b, p, mbuf, rx_port);
	else if (unlikely(is_up))
		return;
	else if (is_v6)
		steer_hash(tables->services, p, true);
	else
		steer_hash(tables->services, p, false);
}

static __rte_noinline void
pipeline_fragments(struct worker *w, const struct snapshot *tables, bool is_up, struct burst *b)
{
	fragment_burst(w->fragments, b);
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		classify_fragment(tables->classify, p);
		if (!(p->flags & PACKET_FRAGMENT) || !packet_is_served(p))
			continue;
		tx_add(&w->tx.services[p->service].fragments, 1);
		if (!is_up)
			steer_hash(tables->services, p, p->flags & PACKET_V6);
	}
}

/* What a guard that was up has left. */
static __rte_noinline void
pipeline_hash(const struct snapshot *tables, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		if (packet_is_served(p))
			steer_hash(tables->services, p, p->flags & PACKET_V6);
	}
}

/* 0 < n <= BURST_MAX. The octets of the frames as they came. */
static inline uint64_t
pipeline_run(struct worker *w, const struct snapshot *tables, struct rte_mbuf **mbufs, unsigned n, uint16_t rx_port)
{
	struct burst *b = &w->burst;
	uint64_t bytes = 0;
	bool is_up = PACKET_GUARD && guard_is_up(&w->guard, tables->guard);

	b->n = (uint16_t)n;
	b->has_fragments = false;
	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)BURST_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[RTE_MIN(i + BURST_AHEAD, n - 1)], void *));
		bytes += mbufs[i]->pkt_len;
		pipeline_packet(tables, is_up, b, &b->packets[i], mbufs[i], rx_port);
	}
	if (unlikely(b->has_fragments))
		pipeline_fragments(w, tables, is_up, b);
	if (PACKET_GUARD) {
		sample_burst(&w->sample, b);
		guard_burst(&w->guard, tables->guard, b, is_up);
	}
	if (unlikely(is_up))
		pipeline_hash(tables, b);
	steer_burst(&w->steer, tables->services, tables->alive, b);
	encap_burst(&w->encap, tables->targets, b);
	if (unlikely(b->has_open))
		icmp_burst(&w->icmp, b);
	if (PACKET_GUARD)
		sample_settle(&w->sample, b);
	tx_burst(&w->tx, b);
	return bytes;
}

#endif
