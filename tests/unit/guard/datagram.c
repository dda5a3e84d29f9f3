/* SPDX-License-Identifier: BSD-2-Clause */
#include "datagram.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>

#include "dataplane/stage/parse.h"

struct packet *
datagram_add(struct burst *b, const struct datagram *d)
{
	unsigned header = d->protocol == IPPROTO_TCP ? 20 : 8;
	char hex[4096];
	int at = 0;
	struct packet *p;

	cr_assert_leq(d->len, 1400);
	at = snprintf(hex, sizeof(hex), ETH4 "4500%04x1234000040%02x0000" CLIENT4 VIP4 "%04x%04x ",
		      20 + header + d->len, d->protocol, d->src, d->dst);
	if (d->protocol == IPPROTO_TCP)
		at += snprintf(hex + at, sizeof(hex) - (size_t)at, "00000001000000025018ffff00000000");
	else
		at += snprintf(hex + at, sizeof(hex) - (size_t)at, "%04x0000", header + d->len);
	for (unsigned i = 0; i < d->len; i++)
		at += snprintf(hex + at, sizeof(hex) - (size_t)at, "%02x", (uint8_t)d->payload[i]);
	p = frames_add_mbuf(b, d->piece ? frames_mbuf_in_pieces(hex, d->piece) : frames_mbuf(hex));
	parse_any(p);
	return p;
}
