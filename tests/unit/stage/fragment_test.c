/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdio.h>

#include "dataplane/stage/fragment.h"
#include "dataplane/stage/parse.h"
#include "frames.h"

static struct burst burst;
static struct fragments *fragments;
static struct rte_mbuf *out[FRAGMENT_HELD_MAX];

static void
fragment_setup(void)
{
	frames_init();
	fragments = fragments_new(4096, SOCKET_ID_ANY);
	cr_assert_not_null(fragments);
}

static void
fragment_teardown(void)
{
	frames_clear(&burst);
	fragments_free(fragments);
	cr_expect_eq(frames_in_use(), 0);
}

TestSuite(fragment, .init = fragment_setup, .fini = fragment_teardown);

static const struct {
	const char *name, *first, *middle, *last;
} families[] = {
	{"IPv4", ETH4 IP4("001c", "2000", "11") UDP("0018"), ETH4 IP4("001c", "2001", "11") "0102030405060708",
	 ETH4 IP4("0018", "0002", "11") "01020304"},
	{"IPv6", ETH6 IP6("0010", "2c") "1100000100000007" UDP("0018"),
	 ETH6 IP6("0010", "2c") "1100000900000007 0102030405060708",
	 ETH6 IP6("000c", "2c") "1100001000000007 01020304"},
	{"IPv6 with options", ETH6 IP6("0018", "2c") "3c00000100000007 1100010400000000" UDP("0018"),
	 ETH6 IP6("0010", "2c") "3c00001100000007 0102030405060708",
	 ETH6 IP6("000c", "2c") "3c00001800000007 01020304"},
};

/* The burst as it is, from parse on. */
static void
run(uint32_t now_s)
{
	burst.now_s = now_s;
	frames_parse(&burst);
	fragment_burst(fragments, &burst);
}

static void
expect_flow(const struct packet *p, const char *name)
{
	cr_expect_eq(p->verdict, VERDICT_OPEN, "%s: verdict %u", name, p->verdict);
	cr_expect_eq(p->protocol, 17, "%s: protocol %u", name, p->protocol);
	cr_expect_eq(p->src_port, 5000, "%s", name);
	cr_expect_eq(p->dst_port, 53, "%s", name);
	cr_expect(p->flags & PACKET_HAS_PORTS, "%s", name);
}

Test(fragment, gives_all_of_a_datagram_one_flow_in_any_order)
{
	static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		const char *const parts[3] = {families[f].first, families[f].middle, families[f].last};

		for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
			unsigned open = 0, n;

			fragments_free(fragments);
			fragments = fragments_new(64, SOCKET_ID_ANY);
			for (unsigned i = 0; i < 3; i++)
				frames_add(&burst, parts[orders[o][i]]);
			run(1);
			for (unsigned i = 0; i < 3; i++) {
				if (burst.packets[i].verdict != VERDICT_HELD) {
					expect_flow(&burst.packets[i], families[f].name);
					open++;
				}
			}
			frames_clear(&burst);
			n = fragment_release(fragments, out, ARRAY_LEN(out));
			cr_expect_eq(open + n, 3, "%s: %u open, %u released", families[f].name, open, n);
			for (unsigned i = 0; i < n; i++)
				frames_add_mbuf(&burst, out[i]);
			run(1);
			for (unsigned i = 0; i < n; i++)
				expect_flow(&burst.packets[i], families[f].name);
			frames_clear(&burst);
		}
	}
}

Test(fragment, gives_back_what_waited_in_vain)
{
	frames_add(&burst, families[0].last);
	run(10);
	cr_expect_eq(burst.packets[0].verdict, VERDICT_HELD);
	cr_expect_eq(fragment_expire(fragments, 12, out, ARRAY_LEN(out)), 0);
	cr_expect_eq(fragment_expire(fragments, 13, out, ARRAY_LEN(out)), 1);
	cr_expect_eq(fragment_expire(fragments, 13, out, ARRAY_LEN(out)), 0);
	rte_pktmbuf_free(out[0]);
	frames_clear(&burst);
	frames_add(&burst, families[0].first);
	run(14);
	cr_expect_eq(fragment_release(fragments, out, ARRAY_LEN(out)), 0);
}

Test(fragment, forgets_a_first_one_after_its_time)
{
	frames_add(&burst, families[0].first);
	run(10);
	frames_clear(&burst);
	frames_add(&burst, families[0].last);
	run(40);
	expect_flow(&burst.packets[0], "in time");
	frames_clear(&burst);
	frames_add(&burst, families[0].last);
	run(41);
	cr_expect_eq(burst.packets[0].verdict, VERDICT_HELD);
}

Test(fragment, holds_no_more_of_one_datagram_than_its_share)
{
	for (unsigned i = 0; i <= FRAGMENT_HELD_EACH; i++)
		frames_add(&burst, families[0].last);
	run(1);
	for (unsigned i = 0; i < FRAGMENT_HELD_EACH; i++)
		cr_expect_eq(burst.packets[i].verdict, VERDICT_HELD);
	cr_expect_eq(burst.packets[FRAGMENT_HELD_EACH].verdict, VERDICT_FRAGMENT_FULL);
}

Test(fragment, holds_no_more_in_all_than_it_may)
{
	unsigned held = 0, full = 0;

	for (unsigned i = 0; i < 2 * FRAGMENT_HELD_MAX; i++) {
		struct packet *p = frames_add(&burst, families[0].last);

		*packet_at(p, 14 + 4) = (uint8_t)(i >> 8); /* the identification */
		*packet_at(p, 14 + 5) = (uint8_t)i;
		run(1);
		held += p->verdict == VERDICT_HELD;
		full += p->verdict == VERDICT_FRAGMENT_FULL;
		frames_clear(&burst);
	}
	cr_expect_eq(held + full, 2 * FRAGMENT_HELD_MAX);
	cr_expect_leq(held, FRAGMENT_HELD_MAX);
	cr_expect_gt(held, FRAGMENT_HELD_MAX / 2);
	cr_expect_eq(frames_in_use(), held);
	for (unsigned left = held, n; left > 0; left -= n) {
		n = fragment_expire(fragments, 4, out, 10);
		cr_assert_gt(n, 0);
		for (unsigned i = 0; i < n; i++)
			rte_pktmbuf_free(out[i]);
	}
	cr_expect_eq(frames_in_use(), 0);
}

Test(fragment, needs_no_first_one_for_a_protocol_without_ports)
{
	frames_add(&burst, ETH4 IP4("0018", "0002", "2f") "01020304");
	frames_add(&burst, ETH6 IP6("000c", "2c") "2f00001000000007 01020304");
	run(1);
	cr_expect_eq(burst.packets[0].verdict, VERDICT_OPEN);
	cr_expect_eq(burst.packets[1].verdict, VERDICT_OPEN);
}

/* Each datagram has an identification of its own. */
static void
add_identified(const char *hex, bool is_v6, uint8_t identification)
{
	struct packet *p = frames_add(&burst, hex);

	*packet_at(p, is_v6 ? 14 + 40 + 7 : 14 + 5) = identification;
}

/* As small as it gets: SMALL entries in sets under a key that is random, so that nobody can aim at one. */
enum { SMALL = 16 };

static void
make_small(void)
{
	fragments_free(fragments);
	fragments = fragments_new(SMALL, SOCKET_ID_ANY);
	cr_assert_not_null(fragments);
}

/* What passes of a datagram never covers an octet twice once it is whole. */
Test(fragment, keeps_a_datagram_with_an_overlap_from_coming_together)
{
	static const struct {
		const char *name, *wide; /* the middle one, and half of the last */
	} rows[] = {
		{"IPv4", ETH4 IP4("0024", "2001", "11") "0102030405060708 090a0b0c0d0e0f10"},
		{"IPv6", ETH6 IP6("0018", "2c") "1100000900000007 0102030405060708 090a0b0c0d0e0f10"},
	};

	for (size_t f = 0; f < ARRAY_LEN(rows); f++) {
		const char *const orders[][4] = {
			{families[f].first, rows[f].wide, families[f].last, families[f].middle},
			{families[f].first, families[f].last, rows[f].wide, families[f].middle},
			{families[f].first, families[f].middle, rows[f].wide, families[f].last},
		};

		static const unsigned too_many[] = {2, 1, 1}; /* when the wide one is the first, nothing more fits */

		for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
			unsigned dropped = 0;

			make_small();
			for (unsigned i = 0; i < 4; i++)
				frames_add(&burst, orders[o][i]);
			run(1);
			for (unsigned i = 0; i < 4; i++)
				dropped += burst.packets[i].verdict == VERDICT_FRAGMENT_OVERLAP;
			cr_expect_eq(dropped, too_many[o], "%s, order %zu: %u dropped", rows[f].name, o, dropped);
			frames_clear(&burst);
		}
	}
}

Test(fragment, drops_the_copy_of_a_fragment_and_not_its_datagram)
{
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		make_small();
		frames_add(&burst, families[f].first);
		frames_add(&burst, families[f].middle);
		frames_add(&burst, families[f].middle);
		frames_add(&burst, families[f].last);
		run(1);
		expect_flow(&burst.packets[1], families[f].name);
		cr_expect_eq(burst.packets[2].verdict, VERDICT_FRAGMENT_OVERLAP, "%s", families[f].name);
		expect_flow(&burst.packets[3], families[f].name);
		frames_clear(&burst);
	}
}

/* A busy sender's identifications come round again within seconds. */
Test(fragment, takes_what_comes_after_a_whole_datagram_for_another)
{
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		make_small();
		frames_add(&burst, families[f].first);
		frames_add(&burst, families[f].middle);
		frames_add(&burst, families[f].last);
		frames_add(&burst, families[f].last);
		run(1);
		cr_expect_eq(burst.packets[3].verdict, VERDICT_HELD, "%s", families[f].name);
		frames_clear(&burst);
		frames_add(&burst, families[f].first);
		run(1);
		frames_clear(&burst);
		cr_expect_eq(fragment_release(fragments, out, ARRAY_LEN(out)), 1, "%s", families[f].name);
		frames_add_mbuf(&burst, out[0]);
		run(1);
		expect_flow(&burst.packets[0], families[f].name);
		frames_clear(&burst);
	}
}

/* Every set has met more first fragments than it has room for. Looking changes it: what is unknown waits, in the place
 * of the oldest that is known. */
Test(fragment, forgets_the_oldest_first_one_when_its_set_is_full)
{
	enum { DATAGRAMS = 256 };

	for (size_t f = 0; f < 2; f++) {
		unsigned known = 0;

		make_small();
		for (unsigned i = 0; i < DATAGRAMS; i++) {
			add_identified(families[f].first, f == 1, (uint8_t)i);
			run(1 + i / 16);
			cr_expect_eq(burst.packets[0].verdict, VERDICT_OPEN, "%s", families[f].name);
			frames_clear(&burst);
		}
		for (unsigned i = DATAGRAMS; i-- > 0;) {
			add_identified(families[f].last, f == 1, (uint8_t)i);
			run(17);
			known += burst.packets[0].verdict == VERDICT_OPEN;
			if (i == DATAGRAMS - 1)
				expect_flow(&burst.packets[0], "the newest is there");
			if (i == 0)
				cr_expect_neq(burst.packets[0].verdict, VERDICT_OPEN, "the oldest isn't");
			frames_clear(&burst);
		}
		cr_expect(known > 0 && known <= SMALL, "%s: %u are known", families[f].name, known);
	}
}

Test(fragment, lets_what_waits_keep_its_place_when_its_set_is_full)
{
	enum { DATAGRAMS = 256 };

	for (size_t f = 0; f < 2; f++) {
		unsigned held = 0;

		make_small();
		for (unsigned i = 0; i < DATAGRAMS; i++) {
			add_identified(families[f].last, f == 1, (uint8_t)i);
			run(1);
			held += burst.packets[0].verdict == VERDICT_HELD;
			cr_expect(burst.packets[0].verdict == VERDICT_HELD ||
				  burst.packets[0].verdict == VERDICT_FRAGMENT_FULL);
			frames_clear(&burst);
		}
		cr_expect_eq(held, SMALL, "%s: %u wait", families[f].name, held);
		for (unsigned i = DATAGRAMS; i-- > 0;) {
			add_identified(families[f].first, f == 1, (uint8_t)i);
			run(1);
			expect_flow(&burst.packets[0], "a first one goes its way, with a place or without");
			frames_clear(&burst);
		}
		cr_expect_eq(fragment_release(fragments, out, ARRAY_LEN(out)), SMALL, "%s: none gave way",
			     families[f].name);
		for (unsigned i = 0; i < SMALL; i++)
			rte_pktmbuf_free(out[i]);
	}
}

Test(fragment, gives_back_what_waited_in_vain_one_datagram_at_a_time)
{
	for (size_t f = 0; f < 2; f++) {
		make_small();
		for (uint8_t i = 0; i < 2; i++) {
			add_identified(families[f].last, f == 1, i);
			run(10u + i);
			frames_clear(&burst);
		}
		cr_expect_eq(fragment_expire(fragments, 13, out, ARRAY_LEN(out)), 1, "%s", families[f].name);
		rte_pktmbuf_free(out[0]);
		add_identified(families[f].first, f == 1, 1);
		run(13);
		frames_clear(&burst);
		cr_expect_eq(fragment_expire(fragments, 20, out, ARRAY_LEN(out)), 0, "%s: its first one came",
			     families[f].name);
		cr_expect_eq(fragment_release(fragments, out, ARRAY_LEN(out)), 1, "%s", families[f].name);
		rte_pktmbuf_free(out[0]);
		add_identified(families[f].last, f == 1, 1);
		run(43);
		expect_flow(&burst.packets[0], families[f].name);
		frames_clear(&burst);
		add_identified(families[f].last, f == 1, 1);
		run(44);
		cr_expect_eq(burst.packets[0].verdict, VERDICT_HELD, "%s", families[f].name);
		frames_clear(&burst);
	}
}
