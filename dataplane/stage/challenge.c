/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/challenge.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>

#include <rte_ip.h>
#include <rte_udp.h>

enum {
	DNS_QR = 0x80,
	DNS_TC = 0x02,
	DNS_OPCODE = 0x78,
	DNS_RD = 0x01,
	DNS_NAME_MAX = 255,
	DNS_LABEL_MAX = 63,
	SYN_COOKIE_WINDOW = 1460,
};

int
challenge_keys_turn(struct challenge_keys *keys)
{
	uint32_t next = atomic_load_explicit(&keys->turn, memory_order_relaxed) + 1;
	uint64_t words[2];

	if (getrandom(words, sizeof(words), 0) != sizeof(words))
		return -EIO;
	for (unsigned i = 0; i < 2; i++)
		atomic_store_explicit(&keys->words[next & 1][i], words[i], memory_order_relaxed);
	atomic_store_explicit(&keys->turn, next, memory_order_relaxed);
	return 0;
}

static uint32_t
fresh_cookie(const struct challenge_keys *keys, const struct packet *p)
{
	return challenge_cookie(keys, p, atomic_load_explicit(&keys->turn, memory_order_relaxed));
}

/* A cookie that happens to be what the client expects is ignored by it, and the SYN comes again under another key. */
void
challenge_syn(const struct challenge_keys *keys, struct packet *p)
{
	struct answer_segment segment = {.flags = TCP_ACK, .acknowledgement = fresh_cookie(keys, p)};

	answer_tcp_write(p, &segment);
	answer_send(p, VERDICT_CHALLENGED);
}

void
challenge_syn_cookie(const struct challenge_keys *keys, struct packet *p)
{
	struct answer_segment segment = {.flags = TCP_SYN | TCP_ACK,
					 .sequence = fresh_cookie(keys, p),
					 .acknowledgement = answer_load(packet_at(p, p->l4_at) + 4) + 1,
					 .window = SYN_COOKIE_WINDOW};

	answer_tcp_write(p, &segment);
	answer_send(p, VERDICT_CHALLENGED);
}

void
challenge_reset(struct packet *p)
{
	struct answer_segment segment = {.flags = TCP_RST, .sequence = answer_load(packet_at(p, p->l4_at) + 8)};

	answer_tcp_write(p, &segment);
	answer_send(p, VERDICT_CHECK_RESET);
}

unsigned
challenge_dns_question(const uint8_t *message, unsigned len)
{
	unsigned at = CHALLENGE_DNS_HEADER, opcode;

	if (len < CHALLENGE_DNS_HEADER + 5)
		return 0;
	opcode = (message[2] & DNS_OPCODE) >> 3;
	if ((message[2] & DNS_QR) || (opcode != 0 && opcode != 4 && opcode != 5) || message[4] != 0 || message[5] != 1)
		return 0;
	while (at < len && message[at] != 0) {
		if (message[at] > DNS_LABEL_MAX)
			return 0;
		at += message[at] + 1U;
	}
	/* The name ends in an empty label; type and class follow. */
	if (at + 5 > len || at + 1 - CHALLENGE_DNS_HEADER > DNS_NAME_MAX)
		return 0;
	return at + 5;
}

void
challenge_dns(struct packet *p)
{
	bool is_v6 = p->flags & PACKET_V6;
	uint16_t ip_header = is_v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr), udp_len;
	uint8_t *ip = packet_at(p, p->l3_at), *l4 = packet_at(p, p->l4_at), addresses[32], *dns = l4 + 8;
	unsigned question = challenge_dns_question(dns, challenge_udp_len(p));
	struct rte_udp_hdr udp = {0};

	udp_len = (uint16_t)(sizeof(udp) + question);
	memcpy(&udp.src_port, l4 + 2, 2);
	memcpy(&udp.dst_port, l4, 2);
	udp.dgram_len = rte_cpu_to_be_16(udp_len);
	dns[2] = (uint8_t)((dns[2] & (DNS_OPCODE | DNS_RD)) | DNS_QR | DNS_TC);
	dns[3] = 0;
	memset(dns + 6, 0, 6); /* no answer, no authority, nothing additional */
	memcpy(addresses, ip + (is_v6 ? 8 : 12), is_v6 ? 32 : 8);
	answer_ip_write(ip, is_v6, addresses, IPPROTO_UDP, udp_len);
	l4 = ip + ip_header;
	memmove(l4 + sizeof(udp), dns, question);
	memcpy(l4, &udp, sizeof(udp));
	udp.dgram_cksum = is_v6 ? rte_ipv6_udptcp_cksum((void *)ip, l4) : rte_ipv4_udptcp_cksum((void *)ip, l4);
	memcpy(l4 + 6, &udp.dgram_cksum, 2);
	answer_cut(p->mbuf, (uint32_t)p->l3_at + ip_header + udp_len);
	answer_send(p, VERDICT_CHALLENGED);
}
