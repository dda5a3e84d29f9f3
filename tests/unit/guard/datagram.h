/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 packets around a payload, from the client to the VIP. */
#ifndef TESTS_UNIT_GUARD_DATAGRAM_H
#define TESTS_UNIT_GUARD_DATAGRAM_H

#include "../stage/frames.h"

struct datagram {
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t src;
	uint16_t dst;
	const char *payload;
	unsigned len;	/* at most 1400 */
	unsigned piece; /* octets in each segment; 0: one segment */
};

/* Parsed, as the last of the burst. */
struct packet *datagram_add(struct burst *b, const struct datagram *d);

#endif
