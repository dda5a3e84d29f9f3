/* SPDX-License-Identifier: BSD-2-Clause */
/* Every frame that parse_plain() leaves: VLAN tags, options, extension headers, fragments, ICMP, and all that is wrong. */
#include "dataplane/stage/parse.h"

/* Gathers the first PARSE_WINDOW octets in the first segment; p->mbuf may be another one afterwards. False: no mbuf.
 * In place when the first segment has room and nobody shares it; else by a copy, whose first segment is filled up. */
static bool
parse_gather(struct packet *p)
{
	struct rte_mbuf *mbuf = p->mbuf, *copy;
	uint32_t missing = rte_pktmbuf_pkt_len(mbuf) - rte_pktmbuf_data_len(mbuf);

	if (rte_pktmbuf_data_len(mbuf) >= PARSE_WINDOW)
		return true;
	if (RTE_MBUF_DIRECT(mbuf) && rte_mbuf_refcnt_read(mbuf) == 1 && missing <= rte_pktmbuf_tailroom(mbuf) &&
	    rte_pktmbuf_linearize(mbuf) == 0)
		return true;
	copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	if (!copy)
		return false;
	rte_pktmbuf_free(mbuf);
	p->mbuf = copy;
	return true;
}

static void
parse_error(struct packet *p, enum abi_verdict error)
{
	if (p->error == VERDICT_OPEN)
		p->error = (uint8_t)error;
}

/* A walk over IPv6 extension headers. */
struct parse_chain {
	uint32_t at;	      /* of the next header; at the end: of the L4 header */
	uint32_t fragment_at; /* of the fragment header; 0: none */
	uint8_t next;	      /* protocol of what is at `at` */
};

/* RFC 8200 4. False: malformed, beyond end, or too many. A fragment that is not the first ends the walk: what follows
 * is payload. */
static bool
parse_chain(const uint8_t *base, uint32_t end, struct parse_chain *c)
{
	for (unsigned n = 0;; n++) {
		const uint8_t *header = base + c->at;
		uint32_t len;

		switch (c->next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_AH:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return true;
		}
		if (n == PARSE_EXTENSIONS_MAX || c->at + 8 > end)
			return false;
		len = c->next == IPPROTO_AH ? (header[1] + 2U) * 4 : (header[1] + 1U) * 8; /* AH: RFC 4302 2.2 */
		if (c->next == IPPROTO_FRAGMENT) {
			if (c->fragment_at)
				return false;
			c->fragment_at = c->at;
			len = 8;
		}
		if (c->at + len > end)
			return false;
		c->at += len;
		c->next = header[0];
		if (c->fragment_at && parse_be16(base + c->fragment_at + 2) >> 3)
			return true;
	}
}

/* `offset` and `payload` in octets. Offset 0 without more to come is no fragment (IPv6: atomic, RFC 6946). */
static void
parse_fragment(struct packet *p, uint32_t offset, bool more, uint32_t payload)
{
	if (offset == 0 && !more)
		return;
	p->flags |= PACKET_FRAGMENT;
	if (offset > 0)
		p->flags |= PACKET_FRAGMENT_LATER;
	p->fragment_at = (uint16_t)offset;
	if (payload == 0 || (more && payload % 8 != 0) || offset + payload > UINT16_MAX)
		parse_error(p, VERDICT_FRAGMENT_INVALID);
	/* RFC 3128: a fragment that would overlay the first one's TCP header. */
	if (offset > 0 && offset < PARSE_TCP_LEN && p->protocol == IPPROTO_TCP)
		parse_error(p, VERDICT_FRAGMENT_OVERLAP);
}

/* RFC 1858 3: a first fragment that leaves part of the L4 header to the second one. */
static void
parse_too_short(struct packet *p)
{
	parse_error(p, p->flags & PACKET_FRAGMENT ? VERDICT_FRAGMENT_TINY : VERDICT_L4_TRUNCATED);
}

static void
parse_ports(struct packet *p, const uint8_t *l4)
{
	p->src_port = parse_be16(l4);
	p->dst_port = parse_be16(l4 + 2);
	p->flags |= PACKET_HAS_PORTS;
	if (p->src_port == 0 || p->dst_port == 0)
		parse_error(p, VERDICT_PORT_ZERO);
}

static void
parse_tcp(struct packet *p, const uint8_t *tcp, uint32_t left)
{
	if (left < PARSE_TCP_LEN || (tcp[12] >> 4) * 4 < PARSE_TCP_LEN || (tcp[12] >> 4) * 4U > left) {
		parse_too_short(p);
		return;
	}
	parse_ports(p, tcp);
	if (!parse_tcp_flags_fit(tcp[13]))
		parse_error(p, VERDICT_TCP_FLAGS);
	if ((tcp[13] & 0x12) == 0x02) /* SYN without ACK */
		p->flags |= PACKET_OPENS;
}

static void
parse_udp(struct packet *p, const uint8_t *udp, uint32_t left)
{
	uint32_t len;

	if (left < PARSE_UDP_LEN) {
		parse_too_short(p);
		return;
	}
	parse_ports(p, udp);
	len = parse_be16(udp + 4); /* of the datagram: a fragment has but part of it */
	if (len < PARSE_UDP_LEN || (len > left && !(p->flags & PACKET_FRAGMENT)))
		parse_error(p, VERDICT_UDP_LENGTH);
	if (p->dst_port == PARSE_QUIC_PORT && left >= PARSE_UDP_LEN + 5 && parse_is_quic_initial(udp + PARSE_UDP_LEN))
		p->flags |= PACKET_OPENS;
}

/* The quoted IP header at `at`: where its L4 header is, or 0 when the quotation says too little. */
static uint32_t
parse_quoted_v4(const uint8_t *base, uint32_t at, uint32_t end, uint8_t *protocol)
{
	const uint8_t *ip = base + at;
	uint32_t len;

	if (at + PARSE_V4_LEN > end || ip[0] >> 4 != 4)
		return 0;
	len = (ip[0] & 0x0f) * 4U;
	if (len < PARSE_V4_LEN || (parse_be16(ip + 6) & 0x1fff) != 0)
		return 0;
	*protocol = ip[9];
	return at + len + PARSE_QUOTE_LEN > end ? 0 : at + len;
}

static uint32_t
parse_quoted_v6(const uint8_t *base, uint32_t at, uint32_t end, uint8_t *protocol)
{
	struct parse_chain c = {.at = at + PARSE_V6_LEN};

	if (at + PARSE_V6_LEN > end || base[at] >> 4 != 6)
		return 0;
	c.next = base[at + 6];
	if (!parse_chain(base, end, &c) || (c.fragment_at && parse_be16(base + c.fragment_at + 2) >> 3))
		return 0;
	*protocol = c.next;
	return c.at + PARSE_QUOTE_LEN > end ? 0 : c.at;
}

static void
parse_quote(struct packet *p, const uint8_t *base, uint32_t at, uint32_t end)
{
	bool is_v6 = p->flags & PACKET_V6;
	uint8_t protocol = 0;
	uint32_t l4_at = is_v6 ? parse_quoted_v6(base, at, end, &protocol) : parse_quoted_v4(base, at, end, &protocol);

	if (l4_at == 0) {
		parse_error(p, VERDICT_ICMP_QUOTE);
		return;
	}
	p->flags |= PACKET_ICMP_ERROR;
	p->protocol = protocol;
	p->src_at = (uint16_t)(at + (is_v6 ? 24 : 16));
	p->dst_at = (uint16_t)(at + (is_v6 ? 8 : 12));
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		p->src_port = parse_be16(base + l4_at + 2);
		p->dst_port = parse_be16(base + l4_at);
		p->flags |= PACKET_HAS_PORTS;
	}
}

/* Unreachable (3), time exceeded (11), parameter problem (12); source quench is obsolete (RFC 6633). ICMPv6: RFC 4443.
 */
static bool
parse_is_icmp_error(bool is_v6, uint8_t type)
{
	return is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
}

static void
parse_icmp(struct packet *p, const uint8_t *base, uint32_t end)
{
	bool is_v6 = p->flags & PACKET_V6;
	const uint8_t *icmp = base + p->l4_at;

	if (p->flags & PACKET_FRAGMENT)
		parse_error(p, VERDICT_ICMP_OTHER); /* neither an echo to answer nor an error to pass on */
	else if (p->l4_at + (uint32_t)PARSE_ICMP_LEN > end)
		parse_error(p, VERDICT_L4_TRUNCATED);
	else if (icmp[0] == (is_v6 ? 128 : 8) && icmp[1] == 0)
		p->flags |= PACKET_ECHO;
	else if (parse_is_icmp_error(is_v6, icmp[0]))
		parse_quote(p, base, p->l4_at + (uint32_t)PARSE_ICMP_LEN, end);
	else
		parse_error(p, VERDICT_ICMP_OTHER);
}

static void
parse_l4(struct packet *p, const uint8_t *base, uint32_t end)
{
	uint32_t left = end > p->l4_at ? end - p->l4_at : 0;

	if (p->protocol == (p->flags & PACKET_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		parse_icmp(p, base, end);
	else if (p->flags & PACKET_FRAGMENT_LATER)
		return;
	else if (p->protocol == IPPROTO_TCP)
		parse_tcp(p, base + p->l4_at, left);
	else if (p->protocol == IPPROTO_UDP)
		parse_udp(p, base + p->l4_at, left);
}

/* The outer addresses, also of an ICMP error. */
static void
parse_addresses(struct packet *p, const uint8_t *ip)
{
	bool is_v6 = p->flags & PACKET_V6;

	if (packet_is_martian(ip + (is_v6 ? 8 : 12), is_v6))
		parse_error(p, VERDICT_SOURCE_MARTIAN);
	if (is_v6 ? memcmp(ip + 8, ip + 24, 16) == 0 : memcmp(ip + 12, ip + 16, 4) == 0)
		parse_error(p, VERDICT_LAND);
}

/* The IP packet's length when header and frame agree on it; the frame may be longer (Ethernet's padding). */
static bool
parse_ip_len(struct packet *p, uint32_t claimed, uint32_t least)
{
	uint32_t held = rte_pktmbuf_pkt_len(p->mbuf) - p->l3_at;

	if (claimed < least || claimed > held || claimed > UINT16_MAX) {
		parse_error(p, VERDICT_IP_LENGTH);
		return false;
	}
	p->ip_len = (uint16_t)claimed;
	return true;
}

/* Where the octets end that may be looked at: of the IP packet, and in the first segment. */
static uint32_t
parse_end(const struct packet *p)
{
	uint32_t end = (uint32_t)p->l3_at + p->ip_len;

	return RTE_MIN(end, (uint32_t)rte_pktmbuf_data_len(p->mbuf));
}

static void
parse_v4(struct packet *p, const uint8_t *base)
{
	const uint8_t *ip = base + p->l3_at;
	uint32_t header_len = (ip[0] & 0x0f) * 4U;
	uint16_t fragment = parse_be16(ip + 6);

	p->src_at = (uint16_t)(p->l3_at + 12);
	p->dst_at = (uint16_t)(p->l3_at + 16);
	if (ip[0] >> 4 != 4 || header_len < PARSE_V4_LEN) {
		parse_error(p, VERDICT_IP_HEADER);
		return;
	}
	if ((p->mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD) {
		parse_error(p, VERDICT_IP_CHECKSUM);
		return;
	}
	if (!parse_ip_len(p, parse_be16(ip + 2), header_len))
		return;
	p->protocol = ip[9];
	p->l4_at = (uint16_t)(p->l3_at + header_len);
	p->identification_at = (uint16_t)(p->l3_at + 4);
	parse_addresses(p, ip);
	if (fragment & 0x4000)
		p->flags |= PACKET_DONT_FRAGMENT;
	parse_fragment(p, (fragment & 0x1fff) * 8U, fragment & 0x2000, p->ip_len - header_len);
	if (p->error != VERDICT_FRAGMENT_INVALID)
		parse_l4(p, base, parse_end(p));
}

static void
parse_v6(struct packet *p, const uint8_t *base)
{
	const uint8_t *ip = base + p->l3_at;
	struct parse_chain c = {.at = p->l3_at + (uint32_t)PARSE_V6_LEN, .next = ip[6]};

	p->flags |= PACKET_V6 | PACKET_DONT_FRAGMENT;
	p->src_at = (uint16_t)(p->l3_at + 8);
	p->dst_at = (uint16_t)(p->l3_at + 24);
	if (ip[0] >> 4 != 6) {
		parse_error(p, VERDICT_IP_HEADER);
		return;
	}
	if (!parse_ip_len(p, parse_be16(ip + 4) + (uint32_t)PARSE_V6_LEN, PARSE_V6_LEN))
		return;
	parse_addresses(p, ip);
	if (!parse_chain(base, parse_end(p), &c)) {
		parse_error(p, VERDICT_IP6_EXTENSIONS);
		return;
	}
	p->protocol = c.next;
	p->l4_at = (uint16_t)c.at;
	if (c.fragment_at) {
		uint16_t fragment = parse_be16(base + c.fragment_at + 2);

		p->identification_at = (uint16_t)(c.fragment_at + 4);
		parse_fragment(p, fragment & 0xfff8, fragment & 1, p->l3_at + (uint32_t)p->ip_len - c.fragment_at - 8);
	}
	if (p->error != VERDICT_FRAGMENT_INVALID)
		parse_l4(p, base, parse_end(p));
}

/* Group addresses are the kernel's whatever they carry. */
static enum abi_verdict
parse_kernel_kind(const uint8_t *mac)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (!(mac[0] & 1))
		return VERDICT_KERNEL_UNICAST;
	return memcmp(mac, broadcast, sizeof(broadcast)) == 0 ? VERDICT_KERNEL_BROADCAST : VERDICT_KERNEL_MULTICAST;
}

/* Ethernet and up to two VLAN tags: where the IP header is, or a verdict. False: the packet is settled. */
static bool
parse_ethernet(struct packet *p, const uint8_t *base, uint32_t len, uint16_t *type)
{
	uint32_t at = 12;

	if (len < at + 2) {
		p->verdict = VERDICT_L2_TRUNCATED;
		return false;
	}
	*type = parse_be16(base + at);
	for (unsigned n = 0; n < PARSE_VLANS_MAX && (*type == PARSE_TYPE_VLAN || *type == PARSE_TYPE_QINQ); n++) {
		at += 4;
		if (len < at + 2) {
			p->verdict = VERDICT_L2_TRUNCATED;
			return false;
		}
		*type = parse_be16(base + at);
	}
	p->l3_at = (uint16_t)(at + 2);
	if ((base[0] & 1) || (*type != PARSE_TYPE_V4 && *type != PARSE_TYPE_V6)) {
		p->verdict = (uint8_t)parse_kernel_kind(base);
		return false;
	}
	return true;
}

__rte_noinline void
parse_any(struct packet *p)
{
	const uint8_t *base;
	uint32_t len;
	uint16_t type;

	if (unlikely(p->mbuf->nb_segs > 1) && !parse_gather(p)) {
		p->verdict = VERDICT_NO_HEADROOM;
		return;
	}
	base = p->frame = rte_pktmbuf_mtod(p->mbuf, uint8_t *);
	len = rte_pktmbuf_data_len(p->mbuf);
	if (!parse_ethernet(p, base, len, &type))
		return;
	if (len < p->l3_at + (uint32_t)(type == PARSE_TYPE_V4 ? PARSE_V4_LEN : PARSE_V6_LEN)) {
		p->verdict = VERDICT_IP_TRUNCATED;
		return;
	}
	if (type == PARSE_TYPE_V4)
		parse_v4(p, base);
	else
		parse_v6(p, base);
}
