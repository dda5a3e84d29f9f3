/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends open packets with a backend on their way: outer headers from the target's template, then tx_port and verdict.
 * The inner packet is never changed, its TTL neither: the node is a hop of the tunnel, not of the path, and a packet
 * that goes in circles still ends, since the routers between the nodes and the outer TTL count it down.
 * A packet too large for the way stays open with need = NEED_TOO_BIG. State belongs to one worker.
 */
#ifndef DATAPLANE_STAGE_ENCAP_H
#define DATAPLANE_STAGE_ENCAP_H

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "abi/records.h"
#include "dataplane/packet.h"

/* A backend ready for the packet path: the header template and where it goes. Two cache lines. */
struct encap_target {
	uint8_t is_alive;     /* the generation has this backend */
	uint8_t has_nexthop;
	uint8_t encap;	      /* enum abi_encap */
	uint8_t outer_family; /* 4 or 6; of the backend's address */
	uint8_t dscp_mode;
	uint8_t dscp;
	uint8_t source_vary_bits;
	uint8_t gue_checksum;
	uint16_t port;	      /* transmit port */
	uint16_t mtu;	      /* of the way: octets of an IP packet */
	uint8_t header_len;   /* octets of the template: Ethernet, VLAN, outer IP, UDP, GUE, GRE */
	uint8_t l2_len;	      /* of those, Ethernet and VLAN */
	uint8_t zero[2];
	uint8_t header[96];
} __rte_aligned(64);

/* nexthop: NULL when not resolved. Fields were checked by tables. */
void encap_target_init(struct encap_target *target, const struct abi_backend *backend,
		       const struct abi_nexthop *nexthop);

struct encap_state {
	uint16_t identification; /* of the next outer IPv4 header that may be fragmented */
};

enum {
	ENCAP_GUE_PORT_FIRST = 49152, /* source ports of GUE: the dynamic range, 14 bits of the flow */
	ENCAP_GUE_PORT_MASK = 0x3fff,
};

static inline uint8_t
encap_traffic_class(const uint8_t *ip, bool is_v6)
{
	return is_v6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];
}

/* ECN as RFC 6040 4.1 normal mode: copied. */
static inline uint8_t
encap_outer_class(const struct encap_target *t, uint8_t inner)
{
	return t->dscp_mode == ABI_DSCP_COPY ? inner : (uint8_t)(t->dscp << 2 | (inner & 3));
}

static inline void
encap_vary(const struct encap_target *t, uint8_t *last2, uint64_t flow)
{
	unsigned mask = (1u << t->source_vary_bits) - 1;
	unsigned value = (unsigned)last2[0] << 8 | last2[1];

	value = (value & ~mask) | ((unsigned)(flow >> 24) & mask);
	last2[0] = (uint8_t)(value >> 8);
	last2[1] = (uint8_t)value;
}

static inline void
encap_fill_v4(struct encap_state *s, const struct encap_target *t, struct rte_ipv4_hdr *ip, const struct packet *p,
	      uint8_t class)
{
	bool may_fragment = !(p->flags & (PACKET_V6 | PACKET_DONT_FRAGMENT));

	ip->type_of_service = encap_outer_class(t, class);
	ip->total_length = rte_cpu_to_be_16((uint16_t)(p->ip_len + t->header_len - t->l2_len));
	ip->packet_id = may_fragment ? rte_cpu_to_be_16(s->identification++) : 0;
	ip->fragment_offset = may_fragment ? 0 : rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	encap_vary(t, (uint8_t *)&ip->src_addr + 2, p->flow);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

/* The flow label carries the flow's entropy (RFC 6438 3). */
static inline void
encap_fill_v6(const struct encap_target *t, struct rte_ipv6_hdr *ip, const struct packet *p, uint8_t class)
{
	uint32_t label = (uint32_t)(p->flow >> 8) & 0xfffff;

	ip->vtc_flow = rte_cpu_to_be_32(6u << 28 | (uint32_t)encap_outer_class(t, class) << 20 | label);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(p->ip_len + t->header_len - t->l2_len - sizeof(*ip)));
	encap_vary(t, &ip->src_addr[14], p->flow);
}

/* Checksum: optional over IPv4, due over IPv6 (RFC 8200 8.1); over all segments. */
static inline void
encap_fill_gue(const struct encap_target *t, struct packet *p, uint8_t *outer, struct rte_udp_hdr *udp)
{
	uint16_t at = (uint16_t)((uint8_t *)udp - rte_pktmbuf_mtod(p->mbuf, uint8_t *));
	uint16_t len = (uint16_t)(p->ip_len + sizeof(*udp) + 4);
	uint16_t payload;
	uint32_t sum;

	udp->src_port = rte_cpu_to_be_16((uint16_t)(ENCAP_GUE_PORT_FIRST + (p->flow & ENCAP_GUE_PORT_MASK)));
	udp->dgram_len = rte_cpu_to_be_16(len);
	udp->dgram_cksum = 0;
	if (!t->gue_checksum || rte_raw_cksum_mbuf(p->mbuf, at, len, &payload) != 0)
		return;
	sum = t->outer_family == 6 ? rte_ipv6_phdr_cksum((struct rte_ipv6_hdr *)(void *)outer, 0)
				   : rte_ipv4_phdr_cksum((struct rte_ipv4_hdr *)(void *)outer, 0);
	sum += payload;
	sum = (sum & 0xffff) + (sum >> 16);
	payload = (uint16_t)~((sum & 0xffff) + (sum >> 16));
	udp->dgram_cksum = payload ? payload : 0xffff;
}

static inline void
encap_fill(struct encap_state *s, const struct encap_target *t, struct packet *p, uint8_t *frame, uint8_t class)
{
	bool is_v6 = (p->flags & PACKET_V6) != 0;
	be16 ethertype = rte_cpu_to_be_16(is_v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	uint8_t inner = is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	uint8_t *outer = frame + t->l2_len;
	size_t outer_len = t->outer_family == 6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);

	if (t->encap == ABI_ENCAP_L2) {
		memcpy(outer - 2, &ethertype, 2);
		return;
	}
	if (t->encap == ABI_ENCAP_IPIP)
		outer[t->outer_family == 6 ? 6 : 9] = inner;
	if (t->encap == ABI_ENCAP_GRE)
		memcpy(outer + outer_len + 2, &ethertype, 2);
	if (t->encap == ABI_ENCAP_GUE)
		outer[outer_len + sizeof(struct rte_udp_hdr) + 1] = inner;
	if (t->outer_family == 6)
		encap_fill_v6(t, (struct rte_ipv6_hdr *)(void *)outer, p, class);
	else
		encap_fill_v4(s, t, (struct rte_ipv4_hdr *)(void *)outer, p, class);
	if (t->encap == ABI_ENCAP_GUE)
		encap_fill_gue(t, p, outer, (struct rte_udp_hdr *)(void *)(outer + outer_len));
}

static inline void
encap_packet(struct encap_state *s, const struct encap_target *t, struct packet *p)
{
	uint32_t padding = rte_pktmbuf_pkt_len(p->mbuf) - p->l3_at - p->ip_len;
	uint8_t class = encap_traffic_class(packet_at(p, p->l3_at), (p->flags & PACKET_V6) != 0);
	uint8_t *frame;

	if (!t->has_nexthop) {
		p->verdict = VERDICT_NO_NEXTHOP;
		return;
	}
	if (p->ip_len + t->header_len - t->l2_len > t->mtu) {
		p->need = NEED_TOO_BIG;
		p->mtu = (uint16_t)(t->mtu - (t->header_len - t->l2_len));
		return;
	}
	if (padding > UINT16_MAX || rte_pktmbuf_trim(p->mbuf, (uint16_t)padding) != 0) {
		p->verdict = VERDICT_IP_LENGTH;
		return;
	}
	if (rte_pktmbuf_headroom(p->mbuf) + p->l3_at < t->header_len) {
		p->verdict = VERDICT_NO_HEADROOM;
		return;
	}
	rte_pktmbuf_adj(p->mbuf, p->l3_at);
	frame = (uint8_t *)rte_pktmbuf_prepend(p->mbuf, t->header_len);
	memcpy(frame, t->header, t->header_len);
	encap_fill(s, t, p, frame, class);
	p->tx_port = t->port;
	p->verdict = VERDICT_FORWARDED;
}

/* targets: [ABI_BACKENDS_MAX + 1], by p->backend. */
static inline void
encap_burst(struct encap_state *s, const struct encap_target *targets, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		p->need = NEED_NONE;
		if (packet_is_open(p) && p->backend != BACKEND_NONE)
			encap_packet(s, &targets[p->backend], p);
	}
}

#endif
