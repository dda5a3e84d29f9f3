/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: dataplane/stage/?*.c abi/?*.c base/?*.c */
/* packages: libdpdk libhs libpcap */
/*
 * Frames through parse, classify and steer's hash, without an EAL: the mbuf is a plain one whose data ends where
 * the frame ends, so that the sanitizer sees every octet read beyond it.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/stage/classify.h"
#include "dataplane/stage/parse.h"
#include "dataplane/stage/steer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct classify_table *
table_new(void)
{
	/* 0.0.0.0/1 and ::/1: half of all frames go on. */
	static const struct classify_vip vips[] = {
		{.prefix = {.addr = {.family = ADDR_V4}, .len = 1}},
		{.prefix = {.addr = {.family = ADDR_V6}, .len = 1}},
	};
	static const struct classify_rule rules[] = {
		{.vip = 0, .service = 0, .port_last = UINT16_MAX},
		{.vip = 1, .service = 0, .port_last = UINT16_MAX},
	};

	return classify_table_new(vips, ARRAY_LEN(vips), rules, ARRAY_LEN(rules));
}

static void
offsets_check(const struct packet *p, size_t size)
{
	size_t addr = p->flags & PACKET_V6 ? 16 : 4;

	if (p->verdict != VERDICT_OPEN)
		return;
	if (p->l4_at > size || p->src_at + addr > size || p->dst_at + addr > size ||
	    (size_t)p->l3_at + p->ip_len > size)
		abort();
	if ((p->flags & PACKET_FRAGMENT) && p->identification_at + (addr == 16 ? 4U : 2U) > size)
		abort();
}

/* The short way; false: the frame isn't for it. */
static bool
parse_plain(struct packet *p, struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t type = parse_plain_type(mbuf, frame);
	struct parse_plain found;

	if (!(type == PARSE_TYPE_V4 && parse_plain_v4(mbuf, frame, &found)) &&
	    !(type == PARSE_TYPE_V6 && parse_plain_v6(mbuf, frame, &found)))
		return false;
	packet_init(p, mbuf, 0);
	parse_plain_write(p, mbuf, frame, 0, &found, type == PARSE_TYPE_V6);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct burst burst;
	static const struct steer_service service = {.seed = 1};
	struct classify_table *table;
	struct rte_mbuf mbuf = {.nb_segs = 1, .data_len = (uint16_t)size, .pkt_len = (uint32_t)size};
	struct packet plain, *p = &burst.packets[0];

	if (size == 0 || size > UINT16_MAX)
		return -1;
	table = table_new();
	mbuf.buf_addr = malloc(size);
	if (!table || !mbuf.buf_addr)
		abort();
	memcpy(mbuf.buf_addr, data, size);
	burst.n = 1;
	packet_init(p, &mbuf, 0);
	parse_any(p);
	if (p->error != VERDICT_SOURCE_MARTIAN && p->error != VERDICT_LAND && parse_plain(&plain, &mbuf) &&
	    memcmp(&plain, p, sizeof(plain)) != 0)
		abort();
	classify_packet(table, p);
	offsets_check(p, size);
	classify_fragment(table, p);
	if (p->service != SERVICE_NONE)
		p->flow = steer_flow(&service, packet_at(p, p->src_at), packet_at(p, p->dst_at), p->ports, p->protocol,
				     p->flags & PACKET_V6);
	free(mbuf.buf_addr);
	classify_table_free(table);
	return 0;
}
