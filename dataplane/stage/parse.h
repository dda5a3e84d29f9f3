/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parse: from the frame's octets to the flow's 5-tuple. Nothing in the frame is trusted: every offset is checked
 * against the octets that the first segment holds and the IP header claims, and every loop is bounded.
 *
 * What is wrong with an IP packet is noted in `error`, not settled: whether it counts as a drop is for classify to say,
 * for what is not for a VIP goes to the kernel as it came. Out: see struct packet;
 * l4_at is the outer L4 header, also of an ICMP error, whose flow (addresses, ports, protocol) is the quoted one's with
 * its direction turned: the quotation's source is the VIP.
 */
#ifndef DATAPLANE_STAGE_PARSE_H
#define DATAPLANE_STAGE_PARSE_H

#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "dataplane/packet.h"

enum {
	PARSE_WINDOW = 1024, /* octets of a frame that are made contiguous; headers beyond are taken as missing */
	PARSE_EXTENSIONS_MAX = 8,
	PARSE_VLANS_MAX = 2,

	PARSE_TYPE_V4 = 0x0800,
	PARSE_TYPE_V6 = 0x86dd,
	PARSE_TYPE_VLAN = 0x8100,
	PARSE_TYPE_QINQ = 0x88a8,

	PARSE_L2_LEN = 14,
	PARSE_V4_LEN = 20,
	PARSE_V6_LEN = 40,
	PARSE_TCP_LEN = 20,
	PARSE_UDP_LEN = 8,
	PARSE_ICMP_LEN = 8,
	PARSE_QUOTE_LEN = 8, /* of the quoted L4 header: RFC 792; enough for the ports */
	PARSE_QUIC_PORT = 443,
};

/*
 * Of FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, bit by bit, the sets that RFC 9293 lets a stack send: SYN alone or
 * with ACK, RST with or without it, and ACK with any of FIN, PSH, URG. PSH is let pass with all of them.
 */
#define PARSE_TCP_FLAGS                                                                                                \
	(UINT64_C(1) << 0x02 | UINT64_C(1) << 0x0a | UINT64_C(1) << 0x12 | UINT64_C(1) << 0x1a | UINT64_C(1) << 0x04 |  \
	 UINT64_C(1) << 0x0c | UINT64_C(1) << 0x14 | UINT64_C(1) << 0x1c | UINT64_C(1) << 0x10 | UINT64_C(1) << 0x11 |  \
	 UINT64_C(1) << 0x18 | UINT64_C(1) << 0x19 | UINT64_C(1) << 0x30 | UINT64_C(1) << 0x31 | UINT64_C(1) << 0x38 |  \
	 UINT64_C(1) << 0x39)

static inline bool
parse_tcp_flags_fit(uint8_t flags)
{
	return PARSE_TCP_FLAGS >> (flags & 0x3f) & 1;
}

/* Looks at everything. After packet_init(). */
void parse_any(struct packet *p);

static inline uint16_t
parse_be16(const uint8_t *octets)
{
	return (uint16_t)(octets[0] << 8 | octets[1]);
}

static inline uint32_t
parse_be32(const uint8_t *octets)
{
	uint32_t value;

	memcpy(&value, octets, sizeof(value));
	return rte_be_to_cpu_32(value);
}

/* A long header of type Initial: type 0 in version 1 (RFC 9000 17.2.2), type 1 in version 2 (RFC 9369 3.2). */
static inline bool
parse_is_quic_initial(const uint8_t *quic)
{
	uint32_t version = (uint32_t)parse_be16(quic + 1) << 16 | parse_be16(quic + 3);

	return (version == UINT32_C(1) && (quic[0] & 0xf0) == 0xc0) ||
	       (version == UINT32_C(0x6b3343cf) && (quic[0] & 0xf0) == 0xd0);
}

/* What is found of a plain packet: in registers until all of it is known, and written in one. */
struct parse_plain {
	uint32_t ports;
	uint32_t ip_len;
	uint8_t protocol;
	uint8_t flags;
};

static inline uint64_t
parse_load(const uint8_t *octets8)
{
	uint64_t value;

	memcpy(&value, octets8, sizeof(value));
	return value;
}

/* Ports, and whether the packet opens a flow. left: octets behind the IP header, as that says; it may say less than its own
 * length. False: not whole, not sane, or neither TCP nor UDP. */
static inline bool
parse_plain_l4(struct parse_plain *found, const uint8_t *l4, int left)
{
	uint32_t ports = parse_be32(l4);
	int header_len;

	found->ports = ports;
	if (PACKET_GUARD && unlikely(ports <= UINT16_MAX || (uint16_t)ports == 0))
		return false;
	if (found->protocol == IPPROTO_UDP) {
		int len = parse_be16(l4 + 4);

		if (unlikely(left < PARSE_UDP_LEN))
			return false;
		if (PACKET_GUARD && unlikely(len < PARSE_UDP_LEN || len > left))
			return false;
		if ((uint16_t)ports == PARSE_QUIC_PORT && left >= PARSE_UDP_LEN + 5 &&
		    parse_is_quic_initial(l4 + PARSE_UDP_LEN))
			found->flags |= PACKET_OPENS;
		return true;
	}
	if (found->protocol != IPPROTO_TCP || left < PARSE_TCP_LEN)
		return false;
	header_len = (l4[12] & 0xf0) >> 2;
	if ((l4[13] & 0x12) == 0x02) /* SYN without ACK */
		found->flags |= PACKET_OPENS;
	return header_len >= PARSE_TCP_LEN && header_len <= left && (!PACKET_GUARD || parse_tcp_flags_fit(l4[13]));
}

/*
 * The common frame in few steps: one segment, no VLAN tag, not to a group, IPv4 without options or IPv6 without
 * extension headers, no fragment, a whole TCP or UDP header, nothing insane but the source, which is for
 * classify_plain(). parse_plain_v4 and _v6 find what parse_any() finds, and false when the packet is for that.
 */
static inline bool
parse_plain_v4(const struct rte_mbuf *mbuf, const uint8_t *frame, struct parse_plain *found)
{
	const uint8_t *ip = frame + PARSE_L2_LEN;
	uint64_t rest = parse_load(ip + 6); /* fragment, TTL, protocol, checksum, two octets of the source */
	uint32_t ip_len = parse_be16(ip + 2);

	found->ip_len = ip_len;
	found->protocol = (uint8_t)(rest >> 24);
	found->flags = (uint8_t)(PACKET_HAS_PORTS | (rest & 0x40) << 1); /* DF is PACKET_DONT_FRAGMENT */
	if (ip[0] != 0x45 || (rest & 0xff3f) || ip_len + PARSE_L2_LEN > mbuf->data_len)
		return false;
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD)
		return false;
	return parse_plain_l4(found, ip + PARSE_V4_LEN, (int)ip_len - PARSE_V4_LEN);
}

static inline bool
parse_plain_v6(const struct rte_mbuf *mbuf, const uint8_t *frame, struct parse_plain *found)
{
	const uint8_t *ip = frame + PARSE_L2_LEN;
	uint32_t left = parse_be16(ip + 4);

	if (unlikely(mbuf->data_len < PARSE_L2_LEN + PARSE_V6_LEN + PARSE_UDP_LEN))
		return false;
	found->ip_len = left + PARSE_V6_LEN;
	found->protocol = ip[6];
	found->flags = PACKET_HAS_PORTS | PACKET_V6 | PACKET_DONT_FRAGMENT;
	if (ip[0] >> 4 != 6 || left + PARSE_L2_LEN + PARSE_V6_LEN > mbuf->data_len)
		return false;
	return parse_plain_l4(found, ip + PARSE_V6_LEN, (int)left);
}

/* All of *p but its flow; vip and service are for classify's answer. */
static inline void
parse_plain_write(struct packet *p, struct rte_mbuf *mbuf, uint8_t *frame, uint16_t rx_port,
		  const struct parse_plain *found, bool is_v6)
{
	p->mbuf = mbuf;
	p->frame = frame;
	p->l3_at = PARSE_L2_LEN;
	p->l4_at = PARSE_L2_LEN + (is_v6 ? PARSE_V6_LEN : PARSE_V4_LEN);
	p->src_at = PARSE_L2_LEN + (is_v6 ? 8 : 12);
	p->dst_at = PARSE_L2_LEN + (is_v6 ? 24 : 16);
	p->identification_at = is_v6 ? 0 : PARSE_L2_LEN + 4;
	p->fragment_at = 0;
	p->backend = BACKEND_NONE;
	p->tx_port = 0;
	p->verdict = VERDICT_OPEN;
	p->error = VERDICT_OPEN;
	p->need = NEED_NONE;
	p->vip = 0;
	p->service = SERVICE_NONE;
	p->rx_port = rx_port;
	p->ports = found->ports;
	p->ip_len = (uint16_t)found->ip_len;
	p->protocol = found->protocol;
	p->flags = found->flags;
}

/* The Ethernet type when the frame is one for parse_plain_v4 or _v6 to look at, else 0. */
static inline uint16_t
parse_plain_type(const struct rte_mbuf *mbuf, const uint8_t *frame)
{
	uint32_t len = rte_pktmbuf_data_len(mbuf);

	if (mbuf->nb_segs != 1 || len < PARSE_L2_LEN + PARSE_V4_LEN + PARSE_UDP_LEN || (frame[0] & 1))
		return 0;
	return parse_be16(frame + 12);
}

#endif
