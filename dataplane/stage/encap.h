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
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#include "abi/records.h"
#include "dataplane/packet.h"

enum {
	ENCAP_HEADER_MAX = 72, /* the longest template has 70 octets; copied in pieces of 16 and 8 */
	ENCAP_HEADER_SHORT = 48,
	ENCAP_TTL = 64,
	ENCAP_GUE_LEN = 4,
	ENCAP_GUE_PORT_FIRST = 49152, /* source ports of GUE: the dynamic range, 14 bits of the flow */
	ENCAP_GUE_PORT_MASK = 0x3fff,
};

_Static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "first and second words of the IPv4 header are put together so");

/* A backend ready for the packet path: what is the same for each of its packets. Two cache lines:
 * the first for what is decided, the last 48 octets of the second for what is copied in most cases. */
struct encap_target {
	uint8_t is_alive; /* the generation has this backend */
	uint8_t has_nexthop;
	uint8_t encap;	      /* enum abi_encap */
	uint8_t outer_family; /* 4 or 6; of the backend's address */
	uint8_t class_mask;   /* what the outer traffic class takes from the inner one, */
	uint8_t class_set;    /* and what it has whatever the inner one has */
	uint8_t has_checksum; /* GUE */
	uint8_t header_len;   /* octets of the template: Ethernet, VLAN, outer IP, UDP, GUE, GRE */
	uint8_t is_plain;     /* Ethernet without VLAN and IPv4: nothing else, encap_plain() writes it */
	uint8_t outer_len;    /* header_len without Ethernet and VLAN */
	uint8_t protocol[2];  /* outer IP's, by whether the inner packet is IPv6 */
	uint16_t port;	   /* transmit port */
	uint16_t too_long; /* the least length of an inner packet that doesn't fit; 0 without a next hop */
	uint16_t vary;	   /* mask of the outer source's low bits that vary with the flow */
	uint16_t zero2;
	uint32_t source;   /* low 32 bits of the outer source, without those of vary, in host order */
	uint32_t gue_sum;  /* of the outer addresses, likewise, UDP as protocol and the destination port */
	uint32_t sum[2];    /* IPv4: of what is the same for all packets, by whether the inner one is IPv6, */
	uint64_t second[2]; /* and octets 8 to 15: TTL, protocol, no checksum, source; in the packet's byte order */
	uint8_t header[ENCAP_HEADER_MAX]; /* right-aligned: the inner packet follows */
} __rte_aligned(64);
_Static_assert(sizeof(struct encap_target) == 128, "struct encap_target");

/* nexthop: NULL when not resolved. Fields were checked by tables. */
void encap_target_init(struct encap_target *target, const struct abi_backend *backend,
		       const struct abi_nexthop *nexthop);

struct encap_state {
	uint16_t identification; /* of the next outer IPv4 header that may be fragmented */
};

static inline void
encap_store16(uint8_t *at, uint16_t value)
{
	value = rte_cpu_to_be_16(value);
	memcpy(at, &value, sizeof(value));
}

static inline void
encap_store32(uint8_t *at, uint32_t value)
{
	value = rte_cpu_to_be_32(value);
	memcpy(at, &value, sizeof(value));
}

static inline void
encap_store64(uint8_t *at, uint64_t value)
{
	value = rte_cpu_to_be_64(value);
	memcpy(at, &value, sizeof(value));
}

static inline uint16_t
encap_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* RFC 1071's sum, to be folded. Of words in the packet's byte order, as all sums here: it is the same in any (2 (B)). */
static inline uint64_t
encap_sum(const uint8_t *octets, uint32_t len)
{
	uint64_t low = 0, high = 0, word;
	uint32_t half;
	uint16_t quarter;

	for (; len >= 8; len -= 8, octets += 8) {
		memcpy(&word, octets, 8);
		low += word & UINT32_MAX;
		high += word >> 32;
	}
	if (len & 4) {
		memcpy(&half, octets, 4);
		low += half;
		octets += 4;
	}
	if (len & 2) {
		memcpy(&quarter, octets, 2);
		high += quarter;
		octets += 2;
	}
	return low + high + (len & 1 ? *octets : 0);
}

/* ECN as RFC 6040 4.1 normal mode: copied. */
static inline uint8_t
encap_class(const struct encap_target *t, const uint8_t *ip, bool is_v6)
{
	uint8_t inner = is_v6 ? (uint8_t)(ip[0] << 4 | ip[1] >> 4) : ip[1];

	return (inner & t->class_mask) | t->class_set;
}

static inline uint16_t
encap_vary(const struct encap_target *t, uint64_t flow)
{
	return (uint16_t)(flow >> 24) & t->vary;
}

/* The first 16 octets; the rest is the template's. All in the packet's byte order: little has to be turned. */
static inline void
encap_fill_v4(struct encap_state *s, const struct encap_target *t, uint8_t *outer, const struct packet *p,
	      uint16_t len, uint8_t class)
{
	bool is_v6 = p->flags & PACKET_V6, is_whole = p->flags & PACKET_DONT_FRAGMENT;
	uint16_t identification = is_whole ? 0 : rte_cpu_to_be_16(s->identification++);
	uint16_t fragment = is_whole ? rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG) : 0;
	uint16_t vary = rte_cpu_to_be_16(encap_vary(t, p->flow)), be_len = rte_cpu_to_be_16(len);
	uint32_t low = (uint32_t)be_len << 16 | (uint32_t)class << 8 | 0x45;
	uint32_t high = (uint32_t)fragment << 16 | identification;
	uint64_t first = (uint64_t)high << 32 | low;
	uint64_t second = t->second[is_v6] | (uint64_t)vary << 48;
	uint64_t sum = (uint64_t)low + high + t->sum[is_v6] + vary; /* at most 34 bits */

	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum += sum >> 16;
	second |= (uint64_t)(uint16_t)~sum << 16;
	memcpy(outer, &first, sizeof(first));
	memcpy(outer + 8, &second, sizeof(second));
}

/* The flow label carries the flow's entropy (RFC 6438 3). */
static inline void
encap_fill_v6(const struct encap_target *t, uint8_t *outer, const struct packet *p, uint16_t len, uint8_t class)
{
	uint64_t label = (uint32_t)(p->flow >> 8) & 0xfffff, payload = len - sizeof(struct rte_ipv6_hdr);
	uint32_t next = (uint32_t)t->protocol[(p->flags & PACKET_V6) != 0] << 8 | ENCAP_TTL;

	encap_store64(outer, UINT64_C(6) << 60 | (uint64_t)class << 52 | label << 32 | payload << 16 | next);
	encap_store32(outer + 20, t->source | encap_vary(t, p->flow));
}

/* Of all segments; a chain still begins with the frame as it came. */
static inline uint64_t
encap_payload_sum(const struct packet *p, const uint8_t *ip)
{
	uint16_t sum;

	if (likely(p->mbuf->nb_segs == 1))
		return encap_sum(ip, p->ip_len);
	return rte_raw_cksum_mbuf(p->mbuf, p->l3_at, p->ip_len, &sum) == 0 ? sum : 0;
}

/* Checksum: optional over IPv4, due over IPv6 (RFC 8200 8.1). */
static inline void
encap_fill_gue(const struct encap_target *t, const struct packet *p, uint8_t *udp, const uint8_t *ip, uint8_t inner)
{
	uint16_t source = rte_cpu_to_be_16((uint16_t)(ENCAP_GUE_PORT_FIRST + (p->flow & ENCAP_GUE_PORT_MASK)));
	uint16_t len = rte_cpu_to_be_16((uint16_t)(p->ip_len + sizeof(struct rte_udp_hdr) + ENCAP_GUE_LEN));
	uint16_t vary = rte_cpu_to_be_16(encap_vary(t, p->flow)), sum;

	memcpy(udp, &source, sizeof(source));
	memcpy(udp + 4, &len, sizeof(len));
	udp[9] = inner;
	if (!t->has_checksum)
		return;
	/* The length is in the pseudo-header too. `inner` is the low octet of a word. */
	sum = encap_fold(encap_payload_sum(p, ip) + t->gue_sum + vary + source + 2 * (uint32_t)len +
			 ((uint32_t)inner << 8));
	sum = sum == UINT16_MAX ? sum : (uint16_t)~sum;
	memcpy(udp + 6, &sum, sizeof(sum));
}

/* What comes between outer IP and inner packet, and is not the same for all. */
static inline void
encap_fill_shim(const struct encap_target *t, const struct packet *p, uint8_t *ip)
{
	bool is_v6 = p->flags & PACKET_V6;

	if (t->encap == ABI_ENCAP_GRE)
		encap_store16(ip - 2, is_v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	else
		encap_fill_gue(t, p, ip - sizeof(struct rte_udp_hdr) - ENCAP_GUE_LEN, ip,
			       is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP);
}

/* The header in front of the inner packet `ip`. */
static inline void
encap_fill(struct encap_state *s, const struct encap_target *t, const struct packet *p, uint8_t *ip)
{
	uint8_t class = encap_class(t, ip, p->flags & PACKET_V6);
	uint16_t len = (uint16_t)(p->ip_len + t->outer_len);

	memcpy(ip - ENCAP_HEADER_SHORT, t->header + ENCAP_HEADER_MAX - ENCAP_HEADER_SHORT, ENCAP_HEADER_SHORT);
	if (t->header_len > ENCAP_HEADER_SHORT)
		memcpy(ip - ENCAP_HEADER_MAX, t->header, ENCAP_HEADER_MAX - ENCAP_HEADER_SHORT);
	if (t->encap == ABI_ENCAP_L2) {
		encap_store16(ip - 2, p->flags & PACKET_V6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
		return;
	}
	if (t->outer_family == 6)
		encap_fill_v6(t, ip - t->outer_len, p, len, class);
	else
		encap_fill_v4(s, t, ip - t->outer_len, p, len, class);
	if (t->encap != ABI_ENCAP_IPIP)
		encap_fill_shim(t, p, ip);
}

/* The same where the header is what most are. */
static inline void
encap_plain(struct encap_state *s, const struct encap_target *t, const struct packet *p, uint8_t *ip)
{
	enum { OUTER = sizeof(struct rte_ipv4_hdr), ALL = RTE_ETHER_HDR_LEN + OUTER };

	memcpy(ip - ALL, t->header + ENCAP_HEADER_MAX - ALL, 16); /* Ethernet, and two octets that encap_fill_v4 writes */
	encap_fill_v4(s, t, ip - OUTER, p, (uint16_t)(p->ip_len + OUTER), encap_class(t, ip, p->flags & PACKET_V6));
	memcpy(ip - 4, t->header + ENCAP_HEADER_MAX - 4, 4);
}

/* A packet that isn't in one segment with room before it, or can't go its way as it is: no next hop, too big. */
void encap_odd(struct encap_state *s, const struct encap_target *t, struct packet *p);

static inline void
encap_packet(struct encap_state *s, const struct encap_target *t, struct packet *p)
{
	struct rte_mbuf *mbuf = p->mbuf;
	uint32_t at = (uint32_t)mbuf->data_off + p->l3_at, len = t->header_len + (uint32_t)p->ip_len;

	if (unlikely(p->ip_len >= t->too_long || at < ENCAP_HEADER_MAX || mbuf->nb_segs != 1)) {
		encap_odd(s, t, p);
		return;
	}
	p->tx_port = t->port;
	p->verdict = VERDICT_FORWARDED;
	mbuf->data_off = (uint16_t)(at - t->header_len);
	mbuf->data_len = (uint16_t)len; /* Ethernet's padding goes with it */
	mbuf->pkt_len = len;
	if (likely(t->is_plain))
		encap_plain(s, t, p, packet_at(p, p->l3_at));
	else
		encap_fill(s, t, p, packet_at(p, p->l3_at));
}

/* targets: [ABI_BACKENDS_MAX + 1], by p->backend. */
static inline void
encap_burst(struct encap_state *s, const struct encap_target *targets, struct burst *b)
{
	bool has_open = false;

	for (struct packet *p = b->packets, *end = p + b->n; p < end; p++) {
		const struct encap_target *ahead = &targets[p[BURST_AHEAD].backend];

		rte_prefetch0(ahead);
		rte_prefetch0(ahead->header + ENCAP_HEADER_MAX - 1);
		if (likely(p->backend != BACKEND_NONE))
			encap_packet(s, &targets[p->backend], p);
		has_open |= packet_is_open(p);
	}
	b->has_open = has_open;
}

#endif
