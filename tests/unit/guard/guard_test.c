/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets byte by byte through the guard stage, with time injected. */
#include <criterion/criterion.h>

#include <rte_ip.h>

#include "dataplane/lists.h"
#include "dataplane/stage/guard.h"
#include "tests/unit/stage/frames.h"

enum { SERVICE = 7, TSC_HZ = 1000000000 }; /* a cycle is a nanosecond */

static struct burst burst;
static struct guard guard;
static struct guard_table *table;
static _Alignas(64) struct guard_shared shared;
static struct guard_spec spec = {.reflectors = {[123 / 64] = UINT64_C(1) << (123 % 64)}};
static uint64_t now_ns;

#define SECOND UINT64_C(1000000000)

static const struct abi_guard plain = {.type = ABI_GUARD,
				       .index = SERVICE,
				       .hold_s = 60,
				       .percent = 50,
				       .prefix_v4_len = 24,
				       .prefix_v6_len = 48,
				       .burst_ms = 1000};

static void
guard_is(struct abi_guard record)
{
	guard_table_free(table);
	spec.guards[SERVICE] = record;
	table = guard_table_new(&spec);
	cr_assert_not_null(table);
}

static void
mode_is(enum guard_mode mode, uint32_t since_s)
{
	atomic_store(&shared.states[SERVICE], guard_state(mode, since_s));
	atomic_store(&shared.n_armed, mode != GUARD_PEACE);
}

static void
setup(void)
{
	frames_init();
	cr_assert_eq(guard_shared_init(&shared, LIMIT_BITS_MIN + 6, KNOWN_BITS_MIN), 0);
	guard_init(&guard, &shared, 0, TSC_HZ);
	now_ns = 1000 * SECOND;
	guard_is(plain);
}

static void
teardown(void)
{
	frames_clear(&burst);
	guard_table_free(table);
	guard_shared_fini(&shared);
	cr_expect_eq(frames_in_use(), 0);
}

TestSuite(guard, .init = setup, .fini = teardown);

/* Parses what the burst holds, gives it to the service, and lets the guard look at it. */
static void
run(void)
{
	burst.now_tsc = now_ns;
	burst.now_s = (uint32_t)(now_ns / SECOND);
	frames_parse(&burst);
	for (unsigned i = 0; i < burst.n; i++) {
		cr_assert_eq(burst.packets[i].error, VERDICT_OPEN);
		burst.packets[i].service = SERVICE;
	}
	guard_burst(&guard, table, &burst, guard_is_up(&guard, table));
}

static struct packet *
one(const char *hex)
{
	frames_clear(&burst);
	frames_add(&burst, hex);
	run();
	return &burst.packets[0];
}

static enum abi_verdict
verdict_of(const char *hex)
{
	const struct packet *p = one(hex);

	cr_expect_eq(packet_is_served(p), p->verdict == VERDICT_OPEN, "settled packets are not steered");
	return p->verdict;
}

#define SYN4	       ETH4 IP4("0028", "0000", "06") TCP("02")
#define SYN4_FROM(src)  ETH4 "45000028 00000000 40060000 " src VIP4 TCP("02")
#define SYN6	       ETH6 IP6("0014", "06") TCP("02")
#define ACK4	       ETH4 IP4("0028", "0000", "06") TCP("10")
#define UDP4_FROM(port) ETH4 IP4("001c", "0000", "11") port "0035 0008 0000"
#define UDP6_FROM(port) ETH6 IP6("0008", "11") port "0035 0008 0000"
#define QUESTION       "03777777 076578616d706c65 00 0001 0001"
#define DNS_HEADER     "abcd 0120 0001 0000 0000 0001"
#define EDNS	       "00 0029 04d0 00000000 0000"
/* 12 + 17 + 11 octets of DNS */
#define QUERY4	       ETH4 IP4("0044", "0000", "11") "13880035 0030 0000" DNS_HEADER QUESTION EDNS
#define QUERY6	       ETH6 IP6("0030", "11") "13880035 0030 0000" DNS_HEADER QUESTION EDNS

Test(guard, lets_everything_through_in_peace)
{
	struct abi_guard all = plain;

	all.filters = ABI_GUARD_FILTERS;
	all.check = ABI_GUARD_CHECK_SYN;
	all.unknown = 1;
	all.source.packets = 1;
	guard_is(all);
	for (unsigned i = 0; i < 100; i++) {
		cr_expect_eq(verdict_of(SYN4), VERDICT_OPEN);
		cr_expect_eq(verdict_of(UDP4_FROM("007b")), VERDICT_OPEN);
	}
}

Test(guard, filters_what_a_service_has_no_use_for)
{
	static const struct {
		const char *name, *hex;
		uint8_t filters;
		enum abi_verdict verdict;
	} rows[] = {
		{"from a reflector", UDP4_FROM("007b"), ABI_GUARD_REFLECTORS, VERDICT_REFLECTOR},
		{"from a reflector, IPv6", UDP6_FROM("007b"), ABI_GUARD_REFLECTORS, VERDICT_REFLECTOR},
		{"from another port", UDP4_FROM("007c"), ABI_GUARD_REFLECTORS, VERDICT_OPEN},
		{"from the service's own port", ETH4 IP4("001c", "0000", "11") "007b007b 0008 0000",
		 ABI_GUARD_REFLECTORS, VERDICT_OPEN},
		{"TCP from that port", ETH4 IP4("0028", "0000", "06") "007b01bb 00000001 00000000 5002ffff 00000000",
		 ABI_GUARD_REFLECTORS, VERDICT_OPEN},
		{"not asked for", UDP4_FROM("007b"), 0, VERDICT_OPEN},
		{"SYN and ACK", ETH4 IP4("0028", "0000", "06") TCP("12"), ABI_GUARD_NOT_CLIENT, VERDICT_NOT_CLIENT},
		{"SYN and ACK, IPv6", ETH6 IP6("0014", "06") TCP("12"), ABI_GUARD_NOT_CLIENT, VERDICT_NOT_CLIENT},
		{"SYN", SYN4, ABI_GUARD_NOT_CLIENT, VERDICT_OPEN},
		{"ACK", ACK4, ABI_GUARD_NOT_CLIENT, VERDICT_OPEN},
		{"query", QUERY4, ABI_GUARD_DNS, VERDICT_OPEN},
		{"query, IPv6", QUERY6, ABI_GUARD_DNS, VERDICT_OPEN},
		{"no DNS", UDP4_FROM("1388"), ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
		{"answer", ETH4 IP4("0039", "0000", "11") "13880035 0025 0000 abcd 8120 0001 0000 0000 0000" QUESTION,
		 ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
		{"two questions",
		 ETH4 IP4("0039", "0000", "11") "13880035 0025 0000 abcd 0120 0002 0000 0000 0000" QUESTION,
		 ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
		{"status opcode",
		 ETH4 IP4("0039", "0000", "11") "13880035 0025 0000 abcd 1120 0001 0000 0000 0000" QUESTION,
		 ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
		{"notify", ETH4 IP4("0039", "0000", "11") "13880035 0025 0000 abcd 2120 0001 0000 0000 0000" QUESTION,
		 ABI_GUARD_DNS, VERDICT_OPEN},
		{"pointer for a name",
		 ETH4 IP4("002e", "0000", "11") "13880035 001a 0000 abcd 0120 0001 0000 0000 0000 c00c 00010001",
		 ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
		{"name without an end",
		 ETH4 IP4("002f", "0000", "11") "13880035 001b 0000 abcd 0120 0001 0000 0000 0000 3f77777777 7777",
		 ABI_GUARD_DNS, VERDICT_DNS_MALFORMED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_guard armed = plain, always = plain;

		armed.filters = rows[i].filters;
		guard_is(armed);
		mode_is(GUARD_PEACE, 0);
		cr_expect_eq(verdict_of(rows[i].hex), VERDICT_OPEN, "%s in peace", rows[i].name);
		mode_is(GUARD_ARMED, 1000);
		cr_expect_eq(verdict_of(rows[i].hex), rows[i].verdict, "%s", rows[i].name);
		always.filters_always = rows[i].filters;
		guard_is(always);
		mode_is(GUARD_PEACE, 0);
		cr_expect_eq(verdict_of(rows[i].hex), rows[i].verdict, "%s always", rows[i].name);
	}
}

static unsigned
passed_of(const char *hex, unsigned n, enum abi_verdict else_verdict)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		enum abi_verdict verdict = verdict_of(hex);

		cr_expect(verdict == VERDICT_OPEN || verdict == else_verdict, "verdict %u", verdict);
		passed += verdict == VERDICT_OPEN;
	}
	return passed;
}

#define FROM4(last)  ETH4 "45000028 12340000 40060000 0a4d00" last VIP4 TCP("10")
#define FROM6(tail)  ETH6 "60000000 00140640 fd7700000000" tail VIP6 TCP("10")

Test(guard, holds_a_source_and_its_prefix_to_their_rates)
{
	struct abi_guard record = plain;

	record.source.packets = 10;
	record.prefix.packets = 25;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	cr_expect_eq(passed_of(FROM4("01"), 100, VERDICT_SOURCE_LIMIT), 10);
	cr_expect_eq(passed_of(FROM4("02"), 100, VERDICT_SOURCE_LIMIT), 10);
	cr_expect_eq(passed_of(FROM4("03"), 8, VERDICT_PREFIX_LIMIT), 5, "what is left of the prefix");
	cr_expect_eq(passed_of(FROM6("00000000000000000001"), 100, VERDICT_SOURCE_LIMIT), 10);
	cr_expect_eq(passed_of(FROM6("00010000000000000001"), 100, VERDICT_SOURCE_LIMIT), 10, "the same /48");
	cr_expect_eq(passed_of(FROM6("00020000000000000001"), 8, VERDICT_PREFIX_LIMIT), 5);
	now_ns += SECOND / 2;
	cr_expect_eq(passed_of(FROM4("01"), 100, VERDICT_SOURCE_LIMIT), 5);
}

Test(guard, counts_bits_and_openings_apart)
{
	struct abi_guard record = plain;

	record.source.kbits = 1; /* of 40 octets: 3 packets and a part of one */
	record.source.openings = 2;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	cr_expect_eq(passed_of(SYN4, 3, VERDICT_SOURCE_LIMIT), 2);
	now_ns += 2 * SECOND;
	cr_expect_eq(passed_of(ACK4, 10, VERDICT_SOURCE_LIMIT), 3);
}

static uint16_t
be16_at(const uint8_t *octets)
{
	return (uint16_t)(octets[0] << 8 | octets[1]);
}

/* The L4 checksum computed anew is the one that stands there. */
static bool
sum_holds(uint8_t *ip, uint8_t *l4, bool is_v6)
{
	uint8_t *at = l4 + (ip[is_v6 ? 6 : 9] == IPPROTO_TCP ? 16 : 6);
	uint16_t sum, there;

	memcpy(&there, at, 2);
	memset(at, 0, 2);
	sum = is_v6 ? rte_ipv6_udptcp_cksum((void *)ip, l4) : rte_ipv4_udptcp_cksum((void *)ip, l4);
	memcpy(at, &there, 2);
	return sum == there;
}

/* An answer of len octets of IP to the frame's sender. */
static void
answer_check(const struct packet *p, uint16_t len)
{
	uint8_t *ip = packet_at(p, p->l3_at);
	bool is_v6 = p->flags & PACKET_V6;

	cr_expect_eq(p->mbuf->pkt_len, p->l3_at + (uint32_t)len, "%u octets", p->mbuf->pkt_len);
	cr_expect_eq(memcmp(packet_at(p, 0), "\x02\0\0\0\0\2\x02\0\0\0\0\1", 12), 0, "MACs");
	if (is_v6) {
		cr_expect_eq(be16_at(ip + 4), len - 40);
		cr_expect(sum_holds(ip, ip + 40, is_v6));
	} else {
		cr_expect_eq(be16_at(ip + 2), len);
		cr_expect_eq(rte_ipv4_cksum((void *)ip), 0, "header checksum");
		cr_expect(sum_holds(ip, ip + 20, is_v6));
	}
}

/* A segment of the same tuple with these flags and numbers. */
static struct packet *
segment(const char *syn, uint8_t flags, uint32_t sequence, uint32_t acknowledgement)
{
	uint8_t *tcp;
	struct packet *p;

	frames_clear(&burst);
	p = frames_add(&burst, syn);
	tcp = packet_at(p, p->frame[12] == 8 ? 34 : 54);
	sequence = rte_cpu_to_be_32(sequence);
	acknowledgement = rte_cpu_to_be_32(acknowledgement);
	memcpy(tcp + 4, &sequence, 4);
	memcpy(tcp + 8, &acknowledgement, 4);
	tcp[13] = flags;
	run();
	return p;
}

static const struct {
	const char *name, *syn;
	uint16_t l4_at, answer_len;
} families[] = {{"IPv4", SYN4, 34, 40}, {"IPv6", SYN6, 54, 60}};

Test(guard, believes_a_source_whose_reset_brings_the_cookie_back)
{
	struct abi_guard record = plain;

	record.check = ABI_GUARD_CHECK_SYN;
	record.filters = ABI_GUARD_NOT_CLIENT;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		const char *syn = families[f].syn, *name = families[f].name;
		const struct packet *p = one(syn);
		const uint8_t *tcp = packet_at(p, families[f].l4_at);
		uint32_t cookie;

		cr_expect_eq(p->verdict, VERDICT_CHALLENGED, "%s", name);
		answer_check(p, families[f].answer_len);
		cr_expect_eq(be16_at(tcp), 443);
		cr_expect_eq(be16_at(tcp + 2), 5000);
		cr_expect_eq(tcp[13], 0x10, "an ACK alone");
		cookie = answer_load(tcp + 8);
		cr_expect_neq(cookie, 2, "not what the client expects");
		cr_expect_eq(segment(syn, 0x04, cookie + 1, 0)->verdict, VERDICT_NOT_CLIENT, "%s: a guess", name);
		cr_expect_eq(segment(syn, 0x02, 1, 0)->verdict, VERDICT_CHALLENGED, "%s", name);
		cr_expect_eq(segment(syn, 0x04, cookie, 0)->verdict, VERDICT_CHECK_PASSED, "%s", name);
		cr_expect_eq(segment(syn, 0x02, 1, 0)->verdict, VERDICT_OPEN, "%s: let through", name);
		cr_expect_eq(segment(syn, 0x04, 77, 0)->verdict, VERDICT_OPEN, "%s: its resets too", name);
		now_ns += KNOWN_PASSED_S * SECOND;
		cr_expect_eq(segment(syn, 0x02, 1, 0)->verdict, VERDICT_CHALLENGED, "%s: for a time", name);
	}
}

/* An answer goes to who is named as the source, who may not have asked: not more often than its openings allow. */
Test(guard, asks_one_source_again_and_again_within_its_limit_and_its_neighbours_all_the_same)
{
	static const char *const neighbours[] = {SYN4_FROM("c0000202"), SYN4_FROM("c0000203")};
	struct abi_guard checked = plain;
	unsigned asked = 0;

	checked.check = ABI_GUARD_CHECK_SYN;
	checked.source.openings = 10;
	checked.prefix.openings = 10;
	guard_is(checked);
	mode_is(GUARD_ARMED, 1000);
	for (unsigned i = 0; i < 100; i++) {
		enum abi_verdict verdict = verdict_of(SYN4);

		cr_expect(verdict == VERDICT_CHALLENGED || verdict == VERDICT_SOURCE_LIMIT, "%d", verdict);
		asked += verdict == VERDICT_CHALLENGED;
	}
	cr_expect_eq(asked, 11, "the first, and a burst of ten");
	for (unsigned i = 0; i < ARRAY_LEN(neighbours); i++)
		cr_expect_eq(verdict_of(neighbours[i]), VERDICT_CHALLENGED);
}

Test(guard, takes_a_cookie_of_the_key_before_and_of_none_older)
{
	struct abi_guard record = plain;
	uint32_t cookie;

	record.check = ABI_GUARD_CHECK_SYN;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	cookie = answer_load(packet_at(one(SYN4), 34 + 8));
	cr_assert_eq(challenge_keys_turn(&shared.keys), 0);
	cr_expect_eq(segment(SYN4, 0x04, cookie, 0)->verdict, VERDICT_CHECK_PASSED);
	now_ns += KNOWN_PASSED_S * SECOND;
	cr_assert_eq(challenge_keys_turn(&shared.keys), 0);
	cr_expect_eq(segment(SYN4, 0x04, cookie, 0)->verdict, VERDICT_OPEN, "a reset like any other");
	cr_expect_eq(one(SYN4)->verdict, VERDICT_CHALLENGED);
}

Test(guard, believes_a_source_whose_ack_brings_the_syn_cookie_back)
{
	struct abi_guard record = plain;

	record.check = ABI_GUARD_CHECK_SYN_COOKIE;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		const struct packet *p = one(families[f].syn);
		const uint8_t *tcp = packet_at(p, families[f].l4_at);
		uint32_t cookie = answer_load(tcp + 4);

		cr_expect_eq(p->verdict, VERDICT_CHALLENGED);
		answer_check(p, families[f].answer_len);
		cr_expect_eq(tcp[13], 0x12);
		cr_expect_eq(answer_load(tcp + 8), 2, "acknowledges the SYN");
		cr_expect_eq(segment(families[f].syn, 0x10, 2, cookie)->verdict, VERDICT_OPEN, "no proof");
		p = segment(families[f].syn, 0x10, 2, cookie + 1);
		cr_expect_eq(p->verdict, VERDICT_CHECK_RESET);
		answer_check(p, families[f].answer_len);
		tcp = packet_at(p, families[f].l4_at);
		cr_expect_eq(tcp[13], 0x04);
		cr_expect_eq(answer_load(tcp + 4), cookie + 1, "in the client's window");
		cr_expect_eq(one(families[f].syn)->verdict, VERDICT_OPEN);
	}
}

Test(guard, sends_an_unknown_resolver_to_tcp_by_no_more_octets_than_it_sent)
{
	static const uint8_t expected[] = {0xab, 0xcd, 0x83, 0x00, 0, 1, 0, 0, 0, 0, 0, 0};
	static const struct {
		const char *query;
		uint16_t l4_at, len;
	} rows[] = {{QUERY4, 34, 20 + 8 + 29}, {QUERY6, 54, 40 + 8 + 29}};
	struct abi_guard record = plain;

	record.check = ABI_GUARD_CHECK_DNS;
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct packet *p = one(rows[i].query);
		const uint8_t *udp = packet_at(p, rows[i].l4_at);

		cr_expect_eq(p->verdict, VERDICT_CHALLENGED);
		answer_check(p, rows[i].len);
		cr_expect_eq(be16_at(udp), 53);
		cr_expect_eq(be16_at(udp + 2), 5000);
		cr_expect_eq(be16_at(udp + 4), 8 + 29);
		cr_expect_eq(memcmp(udp + 8, expected, sizeof(expected)), 0, "QR, TC and RD; a question and nothing else");
		known_pass(shared.known, known_key(shared.seed, packet_at(p, p->dst_at), i == 1), burst.now_s);
		cr_expect_eq(one(rows[i].query)->verdict, VERDICT_OPEN, "once it is known");
	}
	cr_expect_eq(one(UDP4_FROM("1388"))->verdict, VERDICT_OPEN, "what is no query isn't answered");
}

#define SPREAD 200

/* From a hundred addresses, in bursts. */
static unsigned
unknown_passed(uint8_t flags)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < SPREAD; i += 50) {
		frames_clear(&burst);
		for (unsigned k = 0; k < 50; k++) {
			struct packet *p = frames_add(&burst, ACK4);

			packet_at(p, 26)[2] = (uint8_t)(1 + i + k);
			packet_at(p, 34)[13] = flags;
		}
		run();
		for (unsigned k = 0; k < 50; k++) {
			enum abi_verdict verdict = burst.packets[k].verdict;

			cr_expect(verdict == VERDICT_OPEN || verdict == VERDICT_SOURCE_UNKNOWN);
			passed += verdict == VERDICT_OPEN;
		}
	}
	return passed;
}

Test(guard, gives_all_unknown_sources_one_allowance_and_known_ones_their_way)
{
	static const uint8_t client[4] = {10, 77, 0, 9};
	struct abi_guard record = plain;

	record.check = ABI_GUARD_CHECK_SYN;
	record.unknown = 100; /* a tenth of it at once */
	guard_is(record);
	mode_is(GUARD_ARMED, 1000);
	cr_expect_eq(unknown_passed(0x10), 10);
	cr_expect_eq(one(ACK4)->verdict, VERDICT_SOURCE_UNKNOWN);
	known_pass(shared.known, known_key(shared.seed, client, false), burst.now_s);
	for (unsigned i = 0; i < 100; i++)
		cr_expect_eq(one(ACK4)->verdict, VERDICT_OPEN);
	now_ns += SECOND / 20;
	cr_expect_eq(unknown_passed(0x10), 5);
}

/* Traffic in peace, then an attack that is discovered at second 1100: who was there for long enough goes on. */
Test(guard, remembers_in_peace_who_was_there_before_an_attack)
{
	static const struct {
		const char *name;
		uint32_t first_s;
		enum abi_verdict verdict;
	} rows[] = {
		{"long before", 1050, VERDICT_OPEN},
		{"just before", 1100 - GUARD_SETTLE_S, VERDICT_OPEN},
		{"when the attack had begun", 1099, VERDICT_SOURCE_UNKNOWN},
	};
	struct abi_guard record = plain;

	record.unknown = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		guard_shared_fini(&shared);
		cr_assert_eq(guard_shared_init(&shared, LIMIT_BITS_MIN + 6, KNOWN_BITS_MIN), 0);
		guard_is(record);
		mode_is(GUARD_PEACE, 0);
		now_ns = rows[i].first_s * SECOND;
		for (unsigned k = 0; k < 4 * GUARD_LEARN_BURSTS; k++)
			cr_expect_eq(one(ACK4)->verdict, VERDICT_OPEN);
		mode_is(GUARD_ARMED, 1100);
		now_ns = 1110 * SECOND;
		unknown_passed(0x10); /* the allowance is used up */
		cr_expect_eq(one(ACK4)->verdict, rows[i].verdict, "%s", rows[i].name);
	}
}

Test(guard, asks_for_proof_alone_where_another_service_needs_it)
{
	struct abi_guard record = plain;

	record.check = ABI_GUARD_CHECK_SYN;
	record.filters = ABI_GUARD_FILTERS;
	record.unknown = 1;
	record.source.packets = 1;
	guard_is(record);
	mode_is(GUARD_CHECKING, 1000);
	for (unsigned i = 0; i < 10; i++) {
		cr_expect_eq(one(SYN4)->verdict, VERDICT_CHALLENGED);
		cr_expect_eq(one(ACK4)->verdict, VERDICT_OPEN);
		cr_expect_eq(one(ETH4 IP4("0028", "0000", "06") TCP("04"))->verdict, VERDICT_OPEN);
	}
}

static struct lists *lists;

static void
list(const char *text, enum abi_list_action action, uint8_t class)
{
	struct prefix prefix;

	cr_assert_eq(prefix_parse(text, &prefix), 0);
	cr_assert_eq(lists_set(lists, &prefix, action, class), 0);
}

Test(guard, does_what_the_lists_say_of_a_source_armed_or_not)
{
	struct abi_guard record = plain;

	lists = lists_new(&(struct lists_config){0});
	cr_assert_not_null(lists);
	shared.lists = lists_handle(lists);
	spec.classes[3] = (struct abi_list_class){
		.type = ABI_LIST_CLASS, .index = 3, .burst_ms = 1000, .rates = {.packets = 5}};
	record.source.packets = 10;
	guard_is(record);
	list("10.77.0.0/24", LIST_DROP, 0);
	list("10.77.0.2/32", LIST_ALLOW, 0);
	list("10.77.0.3/32", LIST_LIMIT, 3);
	list("fd77::/16", LIST_DROP, 0);
	for (unsigned armed = 0; armed < 2; armed++) {
		mode_is(armed ? GUARD_ARMED : GUARD_PEACE, 1000);
		now_ns += 10 * SECOND;
		cr_expect_eq(passed_of(FROM4("01"), 20, VERDICT_SOURCE_LIMIT), armed ? 10 : 20, "not published yet");
		lists_publish(lists);
		cr_expect_eq(verdict_of(FROM4("01")), VERDICT_LISTED);
		cr_expect_eq(verdict_of(SYN6), VERDICT_LISTED);
		cr_expect_eq(passed_of(FROM4("02"), 100, VERDICT_OPEN), 100, "past the limits");
		cr_expect_eq(passed_of(FROM4("03"), 100, VERDICT_LIST_LIMIT), 5);
		lists_reset(lists);
		lists_publish(lists);
		cr_expect_eq(verdict_of(FROM4("09")), VERDICT_OPEN);
		list("10.77.0.0/24", LIST_DROP, 0);
		list("10.77.0.2/32", LIST_ALLOW, 0);
		list("10.77.0.3/32", LIST_LIMIT, 3);
		list("fd77::/16", LIST_DROP, 0);
	}
	shared.lists = NULL;
	lists_free(lists);
}
