/* SPDX-License-Identifier: BSD-2-Clause */
#include "frames.h"

#include "dataplane/stage/parse.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_lcore.h>

enum { FRAME_MAX = 4096 };

static struct rte_mempool *pool;

void
frames_init(void)
{
	static char *args[] = {"test", "--no-huge", "--no-shconf",    "--no-pci",	   "-m", "64",
			       "-l",   "0",	    "--no-telemetry", "--log-level=error", NULL};

	cr_assert_geq(rte_eal_init((int)ARRAY_LEN(args) - 1, args), 0);
	pool = rte_pktmbuf_pool_create("frames", 1023, 0, 0, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	cr_assert_not_null(pool);
}

static unsigned
hex_decode(const char *hex, uint8_t *out)
{
	unsigned n = 0;

	for (; *hex; hex++) {
		char digits[3] = {hex[0], hex[0] == ' ' ? '\0' : hex[1], '\0'};

		if (*hex == ' ')
			continue;
		out[n++] = (uint8_t)strtoul(digits, NULL, 16);
		hex++;
	}
	return n;
}

struct rte_mbuf *
frames_mbuf_in_pieces(const char *hex, unsigned piece)
{
	uint8_t octets[FRAME_MAX];
	unsigned len = hex_decode(hex, octets), at = 0;
	struct rte_mbuf *head = NULL;

	do {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
		unsigned part = RTE_MIN(len - at, piece);

		cr_assert_not_null(mbuf);
		memcpy(rte_pktmbuf_append(mbuf, (uint16_t)part), octets + at, part);
		at += part;
		if (!head)
			head = mbuf;
		else
			cr_assert_eq(rte_pktmbuf_chain(head, mbuf), 0);
	} while (at < len);
	return head;
}

struct rte_mbuf *
frames_mbuf(const char *hex)
{
	return frames_mbuf_in_pieces(hex, FRAME_MAX);
}

void
frames_clear(struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (b->packets[i].verdict != VERDICT_HELD)
			rte_pktmbuf_free(b->packets[i].mbuf);
	}
	b->n = 0;
}

struct packet *
frames_add_mbuf(struct burst *b, struct rte_mbuf *mbuf)
{
	packet_init(&b->packets[b->n], mbuf, 0);
	return &b->packets[b->n++];
}

struct packet *
frames_add(struct burst *b, const char *hex)
{
	return frames_add_mbuf(b, frames_mbuf(hex));
}

bool
frames_parse_plain(struct packet *p, struct rte_mbuf *mbuf, uint16_t rx_port)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	uint16_t type = parse_plain_type(mbuf, frame);
	struct parse_plain found;

	if (!(type == PARSE_TYPE_V4 && parse_plain_v4(mbuf, frame, &found)) &&
	    !(type == PARSE_TYPE_V6 && parse_plain_v6(mbuf, frame, &found)))
		return false;
	packet_init(p, mbuf, rx_port);
	parse_plain_write(p, mbuf, frame, rx_port, &found, type == PARSE_TYPE_V6);
	return true;
}

void
frames_parse(struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet plain, *p = &b->packets[i];
		bool is_plain = frames_parse_plain(&plain, p->mbuf, p->rx_port);

		packet_init(p, p->mbuf, p->rx_port);
		parse_any(p);
		/* Whose the source is, is for classify to say. */
		if (is_plain && p->error != VERDICT_SOURCE_MARTIAN && p->error != VERDICT_LAND)
			cr_expect(memcmp(&plain, p, sizeof(plain)) == 0, "the short way finds something else");
	}
}

unsigned
frames_in_use(void)
{
	return rte_mempool_in_use_count(pool);
}
