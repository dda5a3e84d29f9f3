/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/icmp.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "base/cursor.h"
#include "dataplane/stage/answer.h"

enum {
	ECHO_REPLY = 0,
	ECHO_REPLY6 = 129,
	UNREACHABLE = 3,
	UNREACHABLE_PORT = 3,
	UNREACHABLE_TOO_BIG = 4,
	UNREACHABLE6 = 1,
	UNREACHABLE6_PORT = 4,
	TOO_BIG6 = 2,
	ERROR_LEN = 8,
	ERROR_MAX = 576,   /* RFC 1812 4.3.2.3 */
	ERROR6_MAX = 1280, /* RFC 4443 3: the minimum IPv6 MTU, */
	MTU6_MIN = 1280,   /* below which no path goes (RFC 8200 5) */
};

void
icmp_state_init(struct icmp_state *s, uint64_t tsc_hz, unsigned rate_pps, unsigned burst)
{
	*s = (struct icmp_state){0};
	if (!rate_pps)
		return;
	s->cost = RTE_MAX(tsc_hz / rate_pps, UINT64_C(1));
	s->tolerance = burst > 1 ? s->cost * (burst - 1) : 0;
}

static bool
icmp_may_answer(struct icmp_state *s, uint64_t now)
{
	uint64_t spent = RTE_MAX(s->spent, now);

	if (!s->cost || spent - now > s->tolerance)
		return false;
	s->spent = spent + s->cost;
	return true;
}

/* The sum over an echo request, its pseudo-header too in IPv6; all segments. */
static bool
icmp_echo_sum_holds(const struct packet *p)
{
	uint16_t len = (uint16_t)(p->ip_len - (p->l4_at - p->l3_at)), payload;
	struct rte_ipv6_hdr pseudo = {.proto = IPPROTO_ICMPV6, .payload_len = rte_cpu_to_be_16(len)};
	uint32_t sum;

	if (rte_raw_cksum_mbuf(p->mbuf, p->l4_at, len, &payload) != 0)
		return false;
	sum = payload;
	if (p->flags & PACKET_V6) {
		memcpy(&pseudo.src_addr, packet_at(p, (uint16_t)(p->l3_at + 8)), 32);
		sum += rte_ipv6_phdr_cksum(&pseudo, 0);
	}
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* The checksum after the type became another: RFC 1624 3, equation 3. Swapped addresses sum up to the same. */
static void
icmp_type_set(uint8_t *icmp, uint8_t type)
{
	uint32_t sum = (uint16_t)~(icmp[2] << 8 | icmp[3]);

	sum += (uint16_t)~(icmp[0] << 8) + (uint32_t)(type << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	fill_u16(icmp + 2, (uint16_t)~sum);
	icmp[0] = type;
}

static void
icmp_echo(struct icmp_state *s, struct packet *p, uint64_t now)
{
	uint8_t *frame = packet_at(p, 0), *ip = frame + p->l3_at;

	if ((p->flags & PACKET_FRAGMENT) || !answer_is_due(p)) {
		p->verdict = VERDICT_ICMP_OTHER;
	} else if (!icmp_echo_sum_holds(p)) {
		p->verdict = VERDICT_ICMP_CHECKSUM;
	} else if (!icmp_may_answer(s, now)) {
		p->verdict = VERDICT_REPLY_LIMITED;
	} else {
		icmp_type_set(frame + p->l4_at, p->flags & PACKET_V6 ? ECHO_REPLY6 : ECHO_REPLY);
		if (p->flags & PACKET_V6) {
			answer_swap(ip + 8, ip + 24, 16);
			ip[7] = ANSWER_TTL;
		} else {
			struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)(void *)ip;

			answer_swap(ip + 12, ip + 16, 4);
			v4->time_to_live = ANSWER_TTL;
			v4->hdr_checksum = 0;
			v4->hdr_checksum = rte_ipv4_cksum(v4);
		}
		answer_send(p, VERDICT_ECHO_REPLIED);
	}
}

/* RFC 9293 3.10.7.1. p is a whole datagram; a TCP header that claims to go beyond it is taken to have no data. */
static void
icmp_reset_write(struct packet *p)
{
	const uint8_t *tcp = packet_at(p, p->l4_at);
	uint32_t tcp_len = p->ip_len - (uint32_t)(p->l4_at - p->l3_at), data_at = (tcp[12] >> 4) * 4U;
	struct answer_segment reset = {.flags = TCP_RST | TCP_ACK};

	if (tcp[13] & TCP_ACK) {
		reset.flags = TCP_RST;
		reset.sequence = answer_load(tcp + 8);
	} else {
		reset.acknowledgement = answer_load(tcp + 4) + (tcp_len > data_at ? tcp_len - data_at : 0);
		reset.acknowledgement += ((tcp[13] & TCP_SYN) != 0) + (uint32_t)((tcp[13] & TCP_FIN) != 0);
	}
	answer_tcp_write(p, &reset);
}

/* Puts an error in front of as much of the packet as may be quoted. False: no headroom. */
static MUST_CHECK bool
icmp_error_write(struct packet *p, uint8_t type, uint8_t code, uint16_t mtu)
{
	bool is_v6 = p->flags & PACKET_V6;
	uint16_t overhead = (uint16_t)((is_v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) + ERROR_LEN);
	uint32_t held = (uint32_t)rte_pktmbuf_data_len(p->mbuf) - p->l3_at;
	uint32_t most = (is_v6 ? ERROR6_MAX : ERROR_MAX) - (uint32_t)overhead;
	uint32_t quoted = RTE_MIN(RTE_MIN(held, (uint32_t)p->ip_len), most);
	uint8_t *frame, *ip, *icmp;
	uint16_t sum;

	if (rte_pktmbuf_headroom(p->mbuf) < overhead)
		return false;
	answer_cut(p->mbuf, p->l3_at + quoted);
	frame = (uint8_t *)rte_pktmbuf_prepend(p->mbuf, overhead);
	memmove(frame, frame + overhead, p->l3_at);
	p->frame = frame;
	ip = frame + p->l3_at;
	icmp = ip + overhead - ERROR_LEN;
	answer_ip_write(ip, is_v6, ip + overhead + (is_v6 ? 8 : 12), is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		      (uint16_t)(ERROR_LEN + quoted));
	/* The MTU ends the header in both, with 16 bits in IPv4 (RFC 1191 4) and with 32 in IPv6 (RFC 4443 3.2). */
	memcpy(icmp, (uint8_t[ERROR_LEN]){type, code}, ERROR_LEN);
	fill_u16(icmp + 6, mtu);
	sum = is_v6 ? rte_ipv6_udptcp_cksum((void *)ip, icmp) : (uint16_t)~rte_raw_cksum(icmp, ERROR_LEN + quoted);
	memcpy(icmp + 2, &sum, 2);
	return true;
}

static void
icmp_error(struct packet *p, uint8_t type, uint8_t code, uint16_t mtu, enum abi_verdict verdict)
{
	if (!icmp_error_write(p, type, code, mtu)) {
		p->verdict = VERDICT_NO_HEADROOM;
		return;
	}
	answer_send(p, verdict);
}

/* An IPv4 packet that may be fragmented gets the answer too: the node doesn't fragment, and this is how its sender can
 * learn of it. */
static void
icmp_too_big(struct icmp_state *s, struct packet *p, uint64_t now)
{
	if (!answer_is_due(p) || !icmp_may_answer(s, now))
		p->verdict = VERDICT_REPLY_LIMITED;
	else if (p->flags & PACKET_V6)
		icmp_error(p, TOO_BIG6, 0, p->mtu < MTU6_MIN ? MTU6_MIN : p->mtu, VERDICT_TOO_BIG);
	else
		icmp_error(p, UNREACHABLE, UNREACHABLE_TOO_BIG, p->mtu, VERDICT_TOO_BIG);
}

/* A reset is never answered, nor a fragment of a segment, whose length isn't known. */
static bool
icmp_is_refusable(const struct packet *p)
{
	if (p->vip != 2 || p->service != SERVICE_NONE || !answer_is_due(p))
		return false;
	return p->protocol != IPPROTO_TCP ||
	       (!(p->flags & PACKET_FRAGMENT) && !(packet_at(p, p->l4_at)[13] & TCP_RST));
}

static void
icmp_refuse(struct icmp_state *s, struct packet *p, uint64_t now)
{
	if (!icmp_is_refusable(p)) {
		p->verdict = VERDICT_NO_SERVICE;
	} else if (!icmp_may_answer(s, now)) {
		p->verdict = VERDICT_REPLY_LIMITED;
	} else if (p->protocol == IPPROTO_TCP) {
		icmp_reset_write(p);
		answer_send(p, VERDICT_REFUSED_RST);
	} else if (p->flags & PACKET_V6) {
		icmp_error(p, UNREACHABLE6, UNREACHABLE6_PORT, 0, VERDICT_REFUSED_UNREACHABLE);
	} else {
		icmp_error(p, UNREACHABLE, UNREACHABLE_PORT, 0, VERDICT_REFUSED_UNREACHABLE);
	}
}

__rte_noinline void
icmp_packet(struct icmp_state *s, struct packet *p, uint64_t now_tsc)
{
	if (p->need == NEED_TOO_BIG)
		icmp_too_big(s, p, now_tsc);
	else if (p->flags & PACKET_ECHO)
		icmp_echo(s, p, now_tsc);
	else
		icmp_refuse(s, p, now_tsc);
}
