/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a packet: the order of the stages. parse, classify and steer's hash run packet by packet, with what they
 * found still in registers; from then on each stage sees the whole burst, so that the line which it needs of a table has
 * been fetched when it comes to it. While some service is armed the hash waits for the guard: what is dropped needs none.
 * Samples and captures are taken before the guard may have answered a packet, and told when all have their verdict.
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
		steer_hash(tables->services, p);
	if (p->flags & PACKET_FRAGMENT)
		b->has_fragments = true;
}

/* A plain packet, of either family: what is found stays in registers until it is written in one. False: it isn't one, and
 * nothing was written. */
static __rte_always_inline bool
pipeline_plain(const struct snapshot *tables, bool is_up, struct packet *p, struct rte_mbuf *mbuf, uint8_t *frame,
	       uint16_t rx_port, bool is_v6)
{
	const uint8_t *src = frame + PARSE_L2_LEN + (is_v6 ? 8 : 12), *dst = frame + PARSE_L2_LEN + (is_v6 ? 24 : 16);
	struct parse_plain found;
	uint16_t service;

	if (!(is_v6 ? parse_plain_v6(mbuf, frame, &found) : parse_plain_v4(mbuf, frame, &found)))
		return false;
	service = classify_plain(tables->classify, src, dst, found.ports, found.protocol, is_v6);
	if (unlikely(service == SERVICE_NONE))
		return false;
	parse_plain_write(p, mbuf, frame, rx_port, &found, is_v6);
	p->vip = 1;
	p->service = service;
	if (likely(!is_up))
		steer_fetch(&tables->services[service], p,
			    steer_flow(&tables->services[service], src, dst, found.ports, found.protocol, is_v6));
	return true;
}

static __rte_always_inline void
pipeline_packet(const struct snapshot *tables, bool is_up, struct burst *b, struct packet *p, struct rte_mbuf *mbuf,
		uint16_t rx_port)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t type = parse_plain_type(mbuf, frame);

	if (!(type == PARSE_TYPE_V4 && pipeline_plain(tables, is_up, p, mbuf, frame, rx_port, false)) &&
	    !(type == PARSE_TYPE_V6 && pipeline_plain(tables, is_up, p, mbuf, frame, rx_port, true)))
		pipeline_any(tables, is_up, b, p, mbuf, rx_port);
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
			steer_hash(tables->services, p);
	}
}

/* What a guard that was up has left. */
static __rte_noinline void
pipeline_hash(const struct snapshot *tables, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		if (packet_is_served(p))
			steer_hash(tables->services, p);
	}
}

/* The passes over a burst are functions of their own, so that each loop has all of the registers. */

static __rte_noinline uint64_t
pipeline_parse(const struct snapshot *tables, bool is_up, struct burst *b, struct rte_mbuf **mbufs, uint16_t rx_port)
{
	unsigned n = b->n;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < RTE_MIN(n, (unsigned)BURST_AHEAD); i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[RTE_MIN(i + BURST_AHEAD, n - 1)], void *));
		bytes += mbufs[i]->pkt_len;
		pipeline_packet(tables, is_up, b, &b->packets[i], mbufs[i], rx_port);
	}
	return bytes;
}

static __rte_noinline void
pipeline_steer(struct worker *w, const struct snapshot *tables, struct burst *b)
{
	steer_burst(&w->steer, tables->services, tables->alive, b);
}

static __rte_noinline void
pipeline_encap(struct worker *w, const struct snapshot *tables, struct burst *b)
{
	encap_burst(&w->encap, tables->targets, b);
}

static __rte_noinline void
pipeline_tx(struct worker *w, struct burst *b)
{
	tx_burst(&w->tx, b);
}

/* 0 < n <= BURST_MAX. The octets of the frames as they came. */
static inline uint64_t
pipeline_run(struct worker *w, const struct snapshot *tables, struct rte_mbuf **mbufs, unsigned n, uint16_t rx_port)
{
	struct burst *b = &w->burst;
	struct capture *capture = capture_load(&w->capture);
	uint64_t bytes;
	bool is_up = PACKET_GUARD && guard_is_up(&w->guard, tables->guard);

	b->n = (uint16_t)n;
	b->has_fragments = false;
	b->has_marks = false;
	bytes = pipeline_parse(tables, is_up, b, mbufs, rx_port);
	if (unlikely(b->has_fragments))
		pipeline_fragments(w, tables, is_up, b);
	if (unlikely(capture != NULL))
		capture_keep(&w->capture, capture, b);
	if (PACKET_GUARD) {
		sample_burst(&w->sample, b);
		guard_burst(&w->guard, tables->guard, b, is_up);
	}
	if (unlikely(is_up))
		pipeline_hash(tables, b);
	pipeline_steer(w, tables, b);
	pipeline_encap(w, tables, b);
	if (unlikely(b->has_open))
		icmp_burst(&w->icmp, b);
	if (PACKET_GUARD)
		sample_settle(&w->sample, b);
	if (unlikely(capture != NULL))
		capture_copy(&w->capture, capture, b);
	pipeline_tx(w, b);
	return bytes;
}

#endif
