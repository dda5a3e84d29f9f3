/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stages that answer a packet in its own mbuf have in common. The answer goes out by the port that the packet came
 * in by, to the MAC that it came from, VLAN tags as they were. One worker's packet; no state.
 */
#ifndef DATAPLANE_STAGE_ANSWER_H
#define DATAPLANE_STAGE_ANSWER_H

#include <string.h>

#include "dataplane/packet.h"

enum {
	ANSWER_TTL = 64,
	ANSWER_TCP_LEN = 20,

	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
};

/* 32 bits in network order. */
static inline uint32_t
answer_load(const uint8_t *octets)
{
	uint32_t value;

	memcpy(&value, octets, sizeof(value));
	return rte_be_to_cpu_32(value);
}

/* May be answered at all: its source is one host (RFC 1122 3.2.2, RFC 4443 2.4 e), it is no ICMP error, no fragment but the
 * first, and came to our MAC. */
bool answer_is_due(const struct packet *p);

/* len <= 16, best a constant. */
static inline void
answer_swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t kept[16];

	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

/* The frame ends after its first len octets, which are in the first segment. */
void answer_cut(struct rte_mbuf *mbuf, uint32_t len);

/* Turns the MACs and settles the packet. */
void answer_send(struct packet *p, enum abi_verdict verdict);

/* The IP header of an answer to the packet whose source and destination are at `addresses`, apart from `ip`; payload: octets
 * behind the header. IPv4 with its checksum. */
void answer_ip_write(uint8_t *ip, bool is_v6, const uint8_t *addresses, uint8_t protocol, uint16_t payload);

/* A TCP segment without options or data, numbers in host order. */
struct answer_segment {
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window;
	uint8_t flags; /* TCP_* */
};

/* Writes it over the packet, a whole TCP datagram, with ports and addresses turned, and cuts the frame behind it. */
void answer_tcp_write(struct packet *p, const struct answer_segment *segment);

#endif
