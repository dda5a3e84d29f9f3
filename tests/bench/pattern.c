/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/pattern.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "tests/bench/world.h"

enum {
	L2_LEN = 14,
	MAGIC = 0x6e63,
	STAMP_LEN = 10,
	FLOW_LEN = 8,
	QUIC_SHORT = 0x40, /* the first octet of the flow's number, so that it is a short header; RFC 9000 17.3 */
	FRAMES_MAX = 65536,
	FRAME_MAX = 1514,
};

struct listed {
	struct addr source;
	uint16_t port; /* network order */
};

struct frame {
	uint16_t len;
	uint8_t octets[FRAME_MAX];
};

struct pattern {
	struct pattern_spec spec;
	struct traffic traffic;
	bool is_flood;	    /* each packet is a flow of its own */
	uint16_t flow_at;   /* from the frame's start */
	uint16_t flow_back; /* from its end */
	uint32_t *sent;	    /* next number, by flow */
	uint32_t *seen;
	struct listed *listed;
	struct frame *frames;
	unsigned n_frames;
	unsigned next_frame;
};

static void *
array(size_t n, size_t size)
{
	void *memory = calloc(n, size);

	if (memory)
		return memory;
	fprintf(stderr, "pktgen: no memory\n");
	exit(1);
}

static FILE *
open_or_exit(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file)
		return file;
	perror(path);
	exit(1);
}

static void
wrong_line(const char *path, unsigned line, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", path, line, what);
	exit(1);
}

/* One flow a line; the rest of the tuple is the service's. */
static void
list_read(struct pattern *p)
{
	enum addr_family family = p->spec.traffic.is_v6 ? ADDR_V6 : ADDR_V4;
	const char *path = p->spec.list;
	FILE *file = open_or_exit(path);
	unsigned n = 0, line = 0, port;
	char text[128], source[64];

	p->listed = array(PATTERN_FLOWS_MAX, sizeof(*p->listed));
	while (fgets(text, sizeof(text), file)) {
		struct listed *flow = &p->listed[n];

		line++;
		if (text[0] == '#' || text[0] == '\n')
			continue;
		if (n == PATTERN_FLOWS_MAX)
			wrong_line(path, line, "more than 16,777,216 flows");
		if (sscanf(text, "%63s %u", source, &port) != 2 || port == 0 || port > UINT16_MAX)
			wrong_line(path, line, "write an address and a port from 1 to 65535");
		if (addr_parse(source, &flow->source) != 0 || flow->source.family != family)
			wrong_line(path, line, "the address is not one of the pattern's family");
		flow->port = rte_cpu_to_be_16((uint16_t)port);
		n++;
	}
	fclose(file);
	if (n == 0)
		wrong_line(path, line, "no flow in it");
	p->spec.traffic.flows = n;
}

/* True when the frame is an IP packet whose destination could be turned to the VIP. */
static bool
frame_turn(const struct pattern *p, struct frame *frame)
{
	struct rte_ether_hdr *ether = (void *)frame->octets;
	struct addr vip4 = world_vip(false, 0), vip6 = world_vip(true, 0);
	struct rte_ipv4_hdr *ipv4 = (struct rte_ipv4_hdr *)(ether + 1);

	ether->dst_addr = p->spec.to;
	ether->src_addr = p->spec.from;
	if (ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV4) && frame->len >= L2_LEN + sizeof(*ipv4)) {
		memcpy(&ipv4->dst_addr, vip4.octets, sizeof(ipv4->dst_addr));
		ipv4->hdr_checksum = 0;
		/* A header that says it is longer than the frame is the load balancer's to refuse. */
		if (L2_LEN + rte_ipv4_hdr_len(ipv4) <= frame->len)
			ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
		return true;
	}
	if (ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_IPV6) && frame->len >= L2_LEN + sizeof(struct rte_ipv6_hdr)) {
		memcpy(((struct rte_ipv6_hdr *)(ether + 1))->dst_addr, vip6.octets, 16);
		return true;
	}
	return false;
}

static void
replay_read(struct pattern *p)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(p->spec.replay, error);
	struct pcap_pkthdr *header;
	const u_char *octets;

	if (!pcap || pcap_datalink(pcap) != DLT_EN10MB) {
		fprintf(stderr, "%s: %s\n", p->spec.replay, pcap ? "not a capture of Ethernet frames" : error);
		exit(1);
	}
	p->frames = array(FRAMES_MAX, sizeof(*p->frames));
	while (p->n_frames < FRAMES_MAX && pcap_next_ex(pcap, &header, &octets) == 1) {
		struct frame *frame = &p->frames[p->n_frames];

		if (header->caplen < header->len || header->caplen > FRAME_MAX)
			continue;
		frame->len = (uint16_t)header->caplen;
		memcpy(frame->octets, octets, header->caplen);
		p->n_frames += frame_turn(p, frame);
	}
	pcap_close(pcap);
	if (p->n_frames > 0)
		return;
	fprintf(stderr, "%s: no whole IPv4 or IPv6 packet in it\n", p->spec.replay);
	exit(1);
}

static void
size_frames(struct pattern *p)
{
	struct traffic_spec *t = &p->spec.traffic;
	uint16_t l4_at = L2_LEN + (t->is_v6 ? 40 : 20);
	uint16_t least = (uint16_t)(l4_at + (traffic_is_udp(t->kind) ? 8 + FLOW_LEN : 20) + STAMP_LEN);

	if (t->frame == 0)
		t->frame = least < 64 ? 64 : least;
	if (t->frame < least || t->frame > FRAME_MAX) {
		fprintf(stderr, "pktgen: a frame of %u: this kind takes %u to %d octets\n", t->frame, least, FRAME_MAX);
		exit(2);
	}
	p->flow_at = (uint16_t)(l4_at + (traffic_is_udp(t->kind) ? 8 : 4));
	p->flow_back = (uint16_t)(t->frame - p->flow_at);
}

struct pattern *
pattern_open(const struct pattern_spec *spec)
{
	struct pattern *p = array(1, sizeof(*p));

	p->spec = *spec;
	p->is_flood = spec->traffic.kind >= TRAFFIC_SYN_FLOOD;
	if (spec->replay) {
		replay_read(p);
		return p;
	}
	if (spec->list)
		list_read(p);
	if (p->spec.traffic.flows == 0 || p->spec.traffic.flows > PATTERN_FLOWS_MAX) {
		fprintf(stderr, "pktgen: 1 to %d flows\n", PATTERN_FLOWS_MAX);
		exit(2);
	}
	size_frames(p);
	traffic_init(&p->traffic, &p->spec.traffic);
	memcpy(p->traffic.headers, &spec->to, sizeof(spec->to));
	memcpy(p->traffic.headers + sizeof(spec->to), &spec->from, sizeof(spec->from));
	p->sent = array(p->spec.traffic.flows, sizeof(*p->sent));
	p->seen = array(p->spec.traffic.flows, sizeof(*p->seen));
	return p;
}

void
pattern_close(struct pattern *p)
{
	free(p->sent);
	free(p->seen);
	free(p->listed);
	free(p->frames);
	free(p);
}

uint16_t
pattern_frame(const struct pattern *p)
{
	return p->frames ? 0 : p->spec.traffic.frame;
}

void
pattern_restart(struct pattern *p)
{
	if (!p->sent)
		return;
	memset(p->sent, 0, p->spec.traffic.flows * sizeof(*p->sent));
	memset(p->seen, 0, p->spec.traffic.flows * sizeof(*p->seen));
}

static void
fill_replayed(struct pattern *p, struct rte_mbuf *mbuf)
{
	const struct frame *frame = &p->frames[p->next_frame];

	p->next_frame = p->next_frame + 1 < p->n_frames ? p->next_frame + 1 : 0;
	rte_pktmbuf_reset(mbuf);
	mbuf->data_len = frame->len;
	mbuf->pkt_len = frame->len;
	memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), frame->octets, frame->len);
}

static void
fill_made(struct pattern *p, struct rte_mbuf *mbuf, uint64_t number, uint64_t tsc)
{
	const struct traffic *t = &p->traffic;
	uint32_t flow = p->is_flood ? 0 : (uint32_t)number, count = p->is_flood ? 0 : p->sent[flow]++;
	uint32_t mark = t->spec.kind == TRAFFIC_QUIC ? QUIC_SHORT << 24 : 0;
	uint16_t magic = MAGIC;
	uint8_t *frame;

	traffic_fill(t, mbuf, number, false);
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	if (p->listed) {
		memcpy(frame + t->dst_at - t->src_len, p->listed[flow].source.octets, t->src_len);
		memcpy(frame + t->l4_at, &p->listed[flow].port, sizeof(p->listed[flow].port));
	}
	if (!t->spec.is_v6) {
		struct rte_ipv4_hdr *ipv4 = (struct rte_ipv4_hdr *)(frame + L2_LEN);

		ipv4->hdr_checksum = rte_ipv4_cksum(ipv4);
	}
	flow = rte_cpu_to_be_32(flow | mark);
	memcpy(frame + p->flow_at, &flow, sizeof(flow));
	memcpy(frame + p->flow_at + sizeof(flow), &count, sizeof(count));
	memcpy(frame + t->spec.frame - STAMP_LEN, &magic, sizeof(magic));
	memcpy(frame + t->spec.frame - sizeof(tsc), &tsc, sizeof(tsc));
}

void
pattern_fill(struct pattern *p, struct rte_mbuf **mbufs, unsigned n, uint64_t tsc)
{
	uint64_t numbers[BURST_MAX];

	for (unsigned i = 0; !p->frames && i < n; i++) {
		numbers[i] = traffic_draw(&p->traffic);
		if (!p->is_flood)
			rte_prefetch0(&p->sent[numbers[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (p->frames)
			fill_replayed(p, mbufs[i]);
		else
			fill_made(p, mbufs[i], numbers[i], tsc);
	}
}

enum pattern_sight
pattern_look(struct pattern *p, const struct rte_mbuf *mbuf, uint64_t *tsc)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *), *end = frame + mbuf->data_len;
	uint32_t flow, count;
	uint16_t magic;

	if (mbuf->data_len < L2_LEN || memcmp(frame, &p->spec.from, sizeof(p->spec.from)) != 0)
		return PATTERN_OTHER;
	if (p->frames)
		return PATTERN_COUNTED;
	if (mbuf->data_len < p->spec.traffic.frame)
		return PATTERN_OTHER;
	memcpy(&magic, end - STAMP_LEN, sizeof(magic));
	memcpy(&flow, end - p->flow_back, sizeof(flow));
	memcpy(&count, end - p->flow_back + sizeof(flow), sizeof(count));
	flow = rte_be_to_cpu_32(flow) & (PATTERN_FLOWS_MAX - 1);
	if (magic != MAGIC || flow >= p->spec.traffic.flows)
		return PATTERN_OTHER;
	memcpy(tsc, end - sizeof(*tsc), sizeof(*tsc));
	if (p->is_flood)
		return PATTERN_IN_ORDER;
	if (count < p->seen[flow])
		return PATTERN_LATE;
	p->seen[flow] = count + 1;
	return PATTERN_IN_ORDER;
}
