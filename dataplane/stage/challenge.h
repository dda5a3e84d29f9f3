/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Source checks: what a source that claims an address must show before it is believed. All state is in the packets, in a
 * cookie that only the node can make: SipHash of addresses, protocol and ports under a key that changes every
 * CHALLENGE_KEY_S. They work under direct server return, for they need nothing of what the backend says.
 *
 *   SYN     answered by an ACK that acknowledges the cookie, which no client in SYN-SENT has sent. It answers with a reset
 *           whose sequence number is the cookie (RFC 9293 3.10.7.3, second: check the ACK bit), stays in SYN-SENT and sends
 *           its SYN again.
 *   SYN, by SYN cookie   for stacks that don't: answered by a SYN-ACK whose sequence number is the cookie; the client's ACK
 *           acknowledges cookie + 1, and is answered by a reset. The client's connection fails, the next one goes through.
 *   DNS     a query over UDP is answered by its own header and question with TC=1 (RFC 1035 4.1.1, RFC 7766 5): a resolver
 *           asks again over TCP, where the SYN is checked.
 *
 * An answer is never longer than what it answers.
 */
#ifndef DATAPLANE_STAGE_CHALLENGE_H
#define DATAPLANE_STAGE_CHALLENGE_H

#include <stdatomic.h>

#include "base/siphash.h"
#include "dataplane/stage/answer.h"
#include "dataplane/packet.h"

enum {
	CHALLENGE_KEY_S = 60, /* a key makes cookies for so long, and is accepted for as long again */
	CHALLENGE_DNS_HEADER = 12,
};

/* Two keys in turn: the low bit of `turn`, and of a cookie, says which one made it. The main lcore writes, workers read. */
struct challenge_keys {
	_Atomic uint64_t words[2][2];
	_Atomic uint32_t turn;
};

/* -errno: no random numbers. Main lcore: the older key becomes a new one and makes the cookies from now on. A worker that
 * reads a key while it changes refuses an answer that is older than CHALLENGE_KEY_S, or makes a cookie that nobody will
 * know: that client is asked again. */
MUST_CHECK int challenge_keys_turn(struct challenge_keys *keys);

/* Of p's addresses, protocol and ports; for a packet that the source sends. turn: the key's. */
static inline uint32_t
challenge_cookie(const struct challenge_keys *keys, const struct packet *p, uint32_t turn)
{
	const uint8_t *src = packet_at(p, p->src_at), *dst = packet_at(p, p->dst_at);
	uint64_t key[2] = {atomic_load_explicit(&keys->words[turn & 1][0], memory_order_relaxed),
			   atomic_load_explicit(&keys->words[turn & 1][1], memory_order_relaxed)};
	uint64_t words[5] = {(uint64_t)p->protocol << 32 | p->ports};
	unsigned n = 5;

	if (p->flags & PACKET_V6) {
		memcpy(&words[1], src, 16);
		memcpy(&words[3], dst, 16);
	} else {
		memcpy(&words[1], src, 4);
		memcpy((uint8_t *)&words[1] + 4, dst, 4);
		n = 2;
	}
	return ((uint32_t)siphash(key, words, n, SIPHASH_QUICK_WORD, SIPHASH_QUICK_END) & ~UINT32_C(1)) | (turn & 1);
}

/* Did a packet with p's tuple bring back a cookie that was given to it? */
static inline bool
challenge_is_met(const struct challenge_keys *keys, const struct packet *p, uint32_t cookie)
{
	return challenge_cookie(keys, p, cookie) == cookie;
}

/* A SYN or a DNS query, whole. Settled as CHALLENGED. */
void challenge_syn(const struct challenge_keys *keys, struct packet *p);
void challenge_syn_cookie(const struct challenge_keys *keys, struct packet *p);
void challenge_dns(struct packet *p);

/* The ACK that brought a SYN cookie back: answered by a reset, settled as CHECK_RESET. */
void challenge_reset(struct packet *p);

/* Octets of a UDP datagram's payload that the packet's first segment holds. p isn't a later fragment. */
static inline unsigned
challenge_udp_len(const struct packet *p)
{
	unsigned held = rte_pktmbuf_data_len(p->mbuf), end = (unsigned)p->l3_at + p->ip_len;

	return RTE_MIN(held, end) - p->l4_at - 8U;
}

/* Octets of a DNS message's header and question when it is a query that a client sends: QR=0, opcode QUERY, NOTIFY or
 * UPDATE, one question, a name of at most 255 octets without pointers; else 0. len: what is there of the message. */
unsigned challenge_dns_question(const uint8_t *message, unsigned len);

#endif
