/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/answer.h"

#include <netinet/in.h>

#include <rte_ip.h>

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

/*
 * Headers are put together as 32-bit words in registers, summed there (RFC 1071: the order of octets doesn't matter to the
 * sum of 16-bit words, nor whether they are added two at a time), and each stored once: a header that is written octet by
 * octet and then read to be summed waits for its own stores.
 */

static uint32_t
word_load(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static void
word_store(uint8_t *at, uint32_t word)
{
	memcpy(at, &word, sizeof(word));
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

/* An IPv4 header with its checksum. */
static void
v4_write(uint8_t *ip, uint32_t source, uint32_t destination, uint8_t protocol, uint16_t payload)
{
	uint32_t first = rte_cpu_to_be_32(UINT32_C(0x45) << 24 | (payload + (uint32_t)sizeof(struct rte_ipv4_hdr)));
	uint32_t second = rte_cpu_to_be_32(RTE_IPV4_HDR_DF_FLAG);
	uint32_t third = rte_cpu_to_be_32((uint32_t)ANSWER_TTL << 24 | (uint32_t)protocol << 16);
	uint16_t sum = sum_fold((uint64_t)first + second + third + source + destination);

	word_store(ip, first);
	word_store(ip + 4, second);
	word_store(ip + 8, third | (uint32_t)sum << 16);
	word_store(ip + 12, source);
	word_store(ip + 16, destination);
}

static void
v6_write(uint8_t *ip, const uint8_t *addresses, uint8_t protocol, uint16_t payload)
{
	word_store(ip, rte_cpu_to_be_32(UINT32_C(6) << 28));
	word_store(ip + 4, rte_cpu_to_be_32((uint32_t)payload << 16 | (uint32_t)protocol << 8 | ANSWER_TTL));
	memcpy(ip + 8, addresses + 16, 16);
	memcpy(ip + 24, addresses, 16);
}

void
answer_ip_write(uint8_t *ip, bool is_v6, const uint8_t *addresses, uint8_t protocol, uint16_t payload)
{
	if (is_v6)
		v6_write(ip, addresses, protocol, payload);
	else
		v4_write(ip, word_load(addresses + 4), word_load(addresses), protocol, payload);
}

/* At the IP header's end; sum: of the pseudo-header's addresses. A sum of 0 is TCP's to send as it is. */
static void
tcp_write(uint8_t *l4, uint32_t ports, const struct answer_segment *segment, uint64_t sum)
{
	uint32_t sequence = rte_cpu_to_be_32(segment->sequence), acknowledgement = rte_cpu_to_be_32(segment->acknowledgement);
	uint32_t rest = rte_cpu_to_be_32((uint32_t)(ANSWER_TCP_LEN / 4) << 28 | (uint32_t)segment->flags << 16 | segment->window);

	sum += (uint64_t)ports + sequence + acknowledgement + rest + rte_cpu_to_be_16(IPPROTO_TCP) +
	       rte_cpu_to_be_16(ANSWER_TCP_LEN);
	word_store(l4, ports);
	word_store(l4 + 4, sequence);
	word_store(l4 + 8, acknowledgement);
	word_store(l4 + 12, rest);
	word_store(l4 + 16, sum_fold(sum));
}

void
answer_tcp_write(struct packet *p, const struct answer_segment *segment)
{
	uint8_t *ip = packet_at(p, p->l3_at), addresses[32];
	uint32_t ports = word_load(packet_at(p, p->l4_at)), header_len;
	uint64_t sum = 0;

	ports = ports << 16 | ports >> 16;
	if (p->flags & PACKET_V6) {
		memcpy(addresses, ip + 8, sizeof(addresses));
		for (unsigned i = 0; i < sizeof(addresses); i += 4)
			sum += word_load(addresses + i);
		header_len = sizeof(struct rte_ipv6_hdr);
		v6_write(ip, addresses, IPPROTO_TCP, ANSWER_TCP_LEN);
	} else {
		uint32_t source = word_load(ip + 12), destination = word_load(ip + 16);

		sum = (uint64_t)source + destination;
		header_len = sizeof(struct rte_ipv4_hdr);
		v4_write(ip, destination, source, IPPROTO_TCP, ANSWER_TCP_LEN);
	}
	tcp_write(ip + header_len, ports, segment, sum);
	answer_cut(p->mbuf, p->l3_at + header_len + ANSWER_TCP_LEN);
}
