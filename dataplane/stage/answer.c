/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/answer.h"

#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_tcp.h>

bool
answer_is_due(const struct packet *p)
{
	static const uint8_t unspecified[16];
	const uint8_t *ip = packet_at(p, p->l3_at);

	if ((p->flags & (PACKET_ICMP_ERROR | PACKET_FRAGMENT_LATER)) || (*packet_at(p, 6) & 1))
		return false;
	if (p->flags & PACKET_V6)
		return ip[8] != 0xff && memcmp(ip + 8, unspecified, sizeof(unspecified)) != 0;
	return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
}

void
answer_swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t kept[16];

	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

void
answer_cut(struct rte_mbuf *mbuf, uint32_t len)
{
	rte_pktmbuf_free(mbuf->next);
	mbuf->next = NULL;
	mbuf->nb_segs = 1;
	mbuf->data_len = (uint16_t)len;
	mbuf->pkt_len = len;
}

void
answer_send(struct packet *p, enum abi_verdict verdict)
{
	answer_swap(packet_at(p, 0), packet_at(p, 6), 6);
	p->tx_port = p->rx_port;
	packet_settle(p, verdict);
}

/* RFC 1071: the order of octets doesn't matter to the sum of 16-bit words, nor whether they are added two at a time. */
static uint64_t
sum_words(const void *words, unsigned n_u32)
{
	const uint8_t *at = words;
	uint64_t sum = 0;

	for (unsigned i = 0; i < n_u32; i++) {
		uint32_t word;

		memcpy(&word, at + i * sizeof(word), sizeof(word));
		sum += word;
	}
	return sum;
}

static uint16_t
sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void
answer_ip_write(uint8_t *ip, bool is_v6, const uint8_t *addresses, uint8_t protocol, uint16_t payload)
{
	if (is_v6) {
		struct rte_ipv6_hdr v6 = {
			.vtc_flow = rte_cpu_to_be_32(6U << 28), .proto = protocol, .hop_limits = ANSWER_TTL};

		v6.payload_len = rte_cpu_to_be_16(payload);
		memcpy(&v6.src_addr, addresses + 16, 16);
		memcpy(&v6.dst_addr, addresses, 16);
		memcpy(ip, &v6, sizeof(v6));
	} else {
		struct rte_ipv4_hdr v4 = {.version_ihl = 0x45, .time_to_live = ANSWER_TTL, .next_proto_id = protocol};

		v4.total_length = rte_cpu_to_be_16((uint16_t)(payload + sizeof(v4)));
		v4.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
		memcpy(&v4.src_addr, addresses + 4, 4);
		memcpy(&v4.dst_addr, addresses, 4);
		v4.hdr_checksum = sum_fold(sum_words(&v4, sizeof(v4) / 4));
		memcpy(ip, &v4, sizeof(v4));
	}
}

void
answer_tcp_write(struct packet *p, const struct answer_segment *segment)
{
	bool is_v6 = p->flags & PACKET_V6;
	uint16_t header_len = is_v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint8_t *ip = packet_at(p, p->l3_at), *l4 = packet_at(p, p->l4_at), addresses[32];
	struct rte_tcp_hdr tcp = {.sent_seq = rte_cpu_to_be_32(segment->sequence),
				  .recv_ack = rte_cpu_to_be_32(segment->acknowledgement),
				  .data_off = ANSWER_TCP_LEN / 4 << 4,
				  .tcp_flags = segment->flags,
				  .rx_win = rte_cpu_to_be_16(segment->window)};

	memcpy(&tcp.src_port, l4 + 2, 2);
	memcpy(&tcp.dst_port, l4, 2);
	memcpy(addresses, ip + (is_v6 ? 8 : 12), is_v6 ? 32 : 8);
	answer_ip_write(ip, is_v6, addresses, IPPROTO_TCP, ANSWER_TCP_LEN);
	l4 = ip + header_len;
	/* The pseudo-header's addresses, protocol and length. A sum of 0 is TCP's to send as it is. */
	tcp.cksum = sum_fold(sum_words(&tcp, sizeof(tcp) / 4) + sum_words(addresses, is_v6 ? 8 : 2) +
			     rte_cpu_to_be_16(IPPROTO_TCP) + rte_cpu_to_be_16(ANSWER_TCP_LEN));
	memcpy(l4, &tcp, sizeof(tcp));
	answer_cut(p->mbuf, (uint32_t)p->l3_at + header_len + ANSWER_TCP_LEN);
}
