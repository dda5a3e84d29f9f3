/* SPDX-License-Identifier: BSD-2-Clause */
/* From a FlowSpec rule's text to what it does to packets, through both processes' halves. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/match.h"
#include "dataplane/filters.h"
#include "tests/unit/stage/frames.h"

enum { SERVICE = 3, OTHER_SERVICE = 4, VIP = 7, OTHER_VIP = 8 };

#define NOW UINT64_C(1000000000)
#define MS  UINT64_C(1000000)

static struct burst burst;
static uint64_t mark; /* of the last packet */
static uint64_t insns[ABI_FILTERS_MAX][ABI_FILTER_INSNS_MAX];
static struct abi_filter heads[ABI_FILTERS_MAX];
static uint16_t vips[ABI_SERVICES_MAX] = {[SERVICE] = VIP, [OTHER_SERVICE] = OTHER_VIP};
static struct filters_spec spec = {.n_workers = 2, .filters = heads,
				   .insns = (const uint64_t(*)[ABI_FILTER_INSNS_MAX])insns, .vip_of_service = vips};

TestSuite(match, .init = frames_init);

static struct flowspec
rule_of(const char *text)
{
	char fault[FLOWSPEC_FAULT_MAX];
	struct flowspec rule = {0};

	cr_assert_eq(flowspec_parse(text, &rule, fault), 0, "%s: %s", text, fault);
	return rule;
}

/* One more filter of the set that filters_made() makes. */
static struct abi_filter *
add(const char *text, enum abi_filter_action action)
{
	struct abi_filter *head = &heads[spec.n];
	char fault[PROGRAM_FAULT_MAX];
	struct flowspec rule = rule_of(text);
	struct program program;

	cr_assert_eq(match_compile(&rule, &program, fault), 0, "%s: %s", text, fault);
	*head = (struct abi_filter){.type = ABI_FILTER, .index = (uint16_t)spec.n, .service = ABI_FILTER_EVERY,
				    .vip = ABI_FILTER_EVERY, .n_insns = program.n, .key = spec.n + 1, .kind = program.kind,
				    .action = (uint8_t)action};
	memcpy(insns[spec.n++], program.insns, sizeof(program.insns));
	return head;
}

static struct filters *
filters_made(void)
{
	struct filters *filters = NULL;
	unsigned fault;

	cr_assert_eq(filters_new(&spec, &filters, &fault), 0);
	spec.n = 0;
	return filters;
}

static struct packet *
packet(const char *hex)
{
	struct packet *p;

	frames_clear(&burst);
	p = frames_add(&burst, hex);
	frames_parse(&burst);
	p->service = SERVICE;
	return p;
}

#define NTP4	  ETH4 IP4("001c", "0000", "11") "007b0035 0008 0000"
#define NTP6	  ETH6 IP6("0008", "11") "007b0035 0008 0000"
#define SYN4	  ETH4 IP4("0028", "0000", "06") TCP("02")
#define SYN6	  ETH6 IP6("0014", "06") TCP("02")
#define SYN_ACK4  ETH4 IP4("0028", "0000", "06") TCP("12")
#define FIRST4	  ETH4 IP4("001c", "2000", "11") "007b0035 0008 0000"
#define MIDDLE4	  ETH4 IP4("001c", "2010", "11") "007b0035 0008 0000"
#define LAST4	  ETH4 IP4("001c", "0010", "11") "007b0035 0008 0000"
#define DF4	  ETH4 IP4("0028", "4000", "06") TCP("02")
#define FIRST6	  ETH6 IP6("0010", "2c") "11000001 00000007 007b0035 0008 0000"
#define MIDDLE6	  ETH6 IP6("0010", "2c") "11000081 00000007 007b0035 0008 0000"
#define LAST6	  ETH6 IP6("0010", "2c") "11000080 00000007 007b0035 0008 0000"
#define PING4	  ETH4 IP4("001c", "0000", "01") "0800f7ff 00000000"
#define PING6	  ETH6 IP6("0008", "3a") "80000000 00000000"
#define ERROR4	  ETH4 IP4("0038", "0000", "01") "03040000 00000578 " QUOTED4("0028", "0000", "06") "01bb1388 00000001 "
#define OPTIONS6  ETH6 IP6("0010", "00") "11000104 00000000 007b0035 0008 0000"

static const struct {
	const char *rule, *hex;
	bool matches;
} rows[] = {
	/* both families, each component */
	{"proto udp sport 123", NTP4, true},
	{"proto udp sport 123", NTP6, false},
	{"ipv6 proto udp sport 123", NTP6, true},
	{"ipv6 proto udp sport 123", OPTIONS6, true},
	{"sport 124", NTP4, false},
	{"dport 53", NTP4, true},
	{"port 53", NTP4, true},
	{"port 123", NTP4, true},
	{"port 124", NTP4, false},
	{"port >=100&<=130", NTP4, true},
	{"port >=54&<=122", NTP4, false},
	{"sport 1,2,100-130", NTP4, true},
	{"sport !=123", NTP4, false},
	{"sport !=124", NTP4, true},
	{"sport >123", NTP4, false},
	{"sport >=123", NTP4, true},
	{"sport <123", NTP4, false},
	{"sport <=123", NTP4, true},
	{"sport <0", NTP4, false},
	{"sport >65535", NTP4, false},
	{"sport true", NTP4, true},
	{"sport false", NTP4, false},
	{"sport true", PING4, false},
	{"sport !=1", PING4, false},
	{"src 10.77.0.0/24", NTP4, true},
	{"src 10.77.1.0/24", NTP4, false},
	{"src 10.77.0.0/16 sport 123 dport 53 length 28 proto udp", NTP4, true},
	{"src 10.77.0.0/16 sport 123 dport 54 length 28 proto udp", NTP4, false},
	{"src 0.0.0.0/0", NTP4, true},
	{"src fd77::/16", NTP6, true},
	{"src fd78::/16", NTP6, false},
	{"dst ::/0", NTP6, true},
	{"dst ::/0", NTP4, false},
	{"proto icmp icmp-type 8 icmp-code 0", PING4, true},
	{"icmp-type 0", PING4, false},
	{"ipv6 icmp-type 128", PING6, true},
	{"proto icmp icmp-type 3 icmp-code 4", ERROR4, true},
	{"proto tcp", ERROR4, false},
	{"port 443", ERROR4, false},
	{"tcp-flags syn", SYN4, true},
	{"tcp-flags =syn&!ack", SYN4, true},
	{"tcp-flags =syn&!ack", SYN_ACK4, false},
	{"tcp-flags =syn+ack", SYN_ACK4, true},
	{"tcp-flags =syn+ack", SYN4, false},
	{"tcp-flags !=syn+ack", SYN4, true},
	{"tcp-flags rst+fin", SYN4, false},
	{"tcp-flags syn", NTP4, false},
	{"ipv6 tcp-flags syn", SYN6, true},
	{"length 40", SYN4, true},
	{"length >40", SYN4, false},
	{"ipv6 length 60", SYN6, true},
	{"dscp 0", SYN4, true},
	{"dscp 46", SYN4, false},
	{"dscp 46", ETH4 "45b80028 12340000 40060000 " CLIENT4 VIP4 TCP("02"), true},
	{"ipv6 dscp 46", ETH6 "6b812345 0014 0640 " CLIENT6 VIP6 TCP("02"), true},
	{"ipv6 flow-label 74565", ETH6 "6b812345 0014 0640 " CLIENT6 VIP6 TCP("02"), true},
	{"ipv6 flow-label 0", ETH6 "6b812345 0014 0640 " CLIENT6 VIP6 TCP("02"), false},
	/* fragments */
	{"fragment df", DF4, true},
	{"fragment df", SYN4, false},
	{"fragment is+first", FIRST4, true},
	{"fragment first", FIRST4, true},
	{"fragment is", FIRST4, false},
	{"fragment is", MIDDLE4, true},
	{"fragment last", MIDDLE4, false},
	{"fragment =is+last", LAST4, true},
	{"fragment first", LAST4, false},
	{"fragment !is+first", SYN4, true},
	{"fragment !is+first", LAST4, false},
	{"sport 123", FIRST4, true},
	{"sport 123", LAST4, false},
	{"proto udp", LAST4, true},
	{"ipv6 fragment first", FIRST6, true},
	{"ipv6 fragment is", MIDDLE6, true},
	{"ipv6 fragment last", MIDDLE6, false},
	{"ipv6 fragment last", LAST6, true},
	{"ipv6 proto udp", LAST6, true},
};

Test(match, matches_what_the_rule_says)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct filters *filters;

		add(rows[i].rule, ABI_FILTER_DROP);
		filters = filters_made();
		cr_expect_eq(filter_packet(filters, 0, packet(rows[i].hex), NOW, &mark), rows[i].matches, "row %zu: %s", i, rows[i].rule);
		cr_expect_eq(filters_hits(filters, 0), rows[i].matches);
		filters_free(filters);
	}
	frames_clear(&burst);
}

/* RFC 8956 3.1: from any bit to any bit, against a plain loop. */
Test(match, compares_ipv6_bits_from_the_offset_on)
{
	srandom(3);
	for (unsigned round = 0; round < 3000; round++) {
		struct packet *p = packet(SYN6);
		const uint8_t *src = packet_at(p, (uint16_t)(p->l3_at + 8));
		unsigned len = 1 + (unsigned)random() % 128, offset = (unsigned)random() % len;
		struct flowspec_component c = {.type = FLOWSPEC_SRC, .offset = (uint8_t)offset, .len = (uint8_t)len,
					       .addr = addr_v6(src)};
		unsigned turned = (unsigned)random() % 128;
		bool right = turned < offset || turned >= len;
		uint8_t octets[32] = {0};
		struct writer w = writer_init(octets, sizeof(octets));
		struct flowspec rule;
		struct program program;
		char fault[PROGRAM_FAULT_MAX];
		struct match_fields fields;
		struct abi_match_term terms[8];
		struct reader r;

		c.addr.octets[turned / 8] ^= (uint8_t)(0x80 >> turned % 8);
		write_u16(&w, FLOWSPEC_SRC);
		flowspec_prefix_write(&w, &c);
		octets[0] = (uint8_t)(written_since(&w, octets) - 1);
		r = reader_init(octets, written_since(&w, octets));
		cr_assert_eq(flowspec_decode(&r, ADDR_V6, &rule), 0);
		cr_assert_eq(match_compile(&rule, &program, fault), 0);
		memcpy(terms, program.insns, sizeof(terms));
		match_fields_fill(&fields, p);
		cr_assert_eq(match_terms(terms, program.n / 2U, &fields), right, "/%u-%u, bit %u", offset, len, turned);
	}
	frames_clear(&burst);
}

Test(match, limits_packets_for_all_workers_together)
{
	struct filters *filters;
	unsigned passed = 0;

	add("proto udp", ABI_FILTER_LIMIT)->packets_s = 1000;
	filters = filters_made();
	/* 10,000 packets a second for 10 s, by two workers in turn. */
	for (unsigned i = 0; i < 100000; i++)
		passed += !filter_packet(filters, i % 2, i ? &burst.packets[0] : packet(NTP4), NOW + i * MS / 10, &mark);
	cr_expect_geq(passed, 9900, "%u", passed);
	cr_expect_leq(passed, 10100, "%u", passed);
	cr_expect_eq(filters_hits(filters, 0), 100000);
	/* Long idle, it is a full bucket: one burst of 50 ms, no more. */
	passed = 0;
	for (unsigned i = 0; i < 1000; i++)
		passed += !filter_packet(filters, 0, &burst.packets[0], NOW + 300000 * MS, &mark);
	cr_expect_geq(passed, 50, "%u", passed);
	cr_expect_leq(passed, 51, "%u", passed);
	filters_free(filters);
	frames_clear(&burst);
}

Test(match, limits_octets_of_ip_packets)
{
	struct filters *filters;
	unsigned passed = 0;

	add("proto tcp", ABI_FILTER_LIMIT)->bytes_s = 40 * 1000;
	filters = filters_made();
	for (unsigned i = 0; i < 100000; i++)
		passed += !filter_packet(filters, 0, i ? &burst.packets[0] : packet(SYN4), NOW + i * MS / 10, &mark);
	cr_expect_geq(passed, 9900, "%u", passed);
	cr_expect_leq(passed, 10100, "%u", passed);
	filters_free(filters);
	frames_clear(&burst);
}

Test(match, a_last_filter_ends_the_row_for_what_it_matches)
{
	struct filters *filters;

	add("proto udp sport 123", ABI_FILTER_COUNT)->last = 1;
	add("proto udp", ABI_FILTER_DROP);
	filters = filters_made();
	cr_expect_not(filter_packet(filters, 0, packet(NTP4), NOW, &mark));
	cr_expect(filter_packet(filters, 0, packet(LAST4), NOW, &mark));
	cr_expect_eq(filters_hits(filters, 1), 1);
	filters_free(filters);
	frames_clear(&burst);
}

Test(match, only_packets_to_its_vip_see_a_filter)
{
	struct filters *filters;
	struct packet *p;

	add("proto udp", ABI_FILTER_DROP)->vip = VIP;
	add("proto udp", ABI_FILTER_COUNT)->service = SERVICE;
	filters = filters_made();
	p = packet(NTP4);
	cr_expect(filter_packet(filters, 0, p, NOW, &mark));
	p->service = OTHER_SERVICE;
	cr_expect_not(filter_packet(filters, 0, p, NOW, &mark));
	cr_expect_eq(filters_hits(filters, 1), 0);
	filters_free(filters);
	frames_clear(&burst);
}

Test(match, hits_and_buckets_outlive_a_change_of_the_others)
{
	struct filters *filters, *after;

	add("proto udp", ABI_FILTER_LIMIT)->packets_s = 10;
	filters = filters_made();
	cr_expect_not(filter_packet(filters, 0, packet(NTP4), NOW, &mark));
	cr_expect(filter_packet(filters, 0, &burst.packets[0], NOW, &mark));
	add("proto tcp", ABI_FILTER_DROP)->key = 99;
	add("proto udp", ABI_FILTER_LIMIT)->packets_s = 10;
	heads[1].key = 1;
	spec.before = filters;
	after = filters_made();
	spec.before = NULL;
	cr_expect_eq(filters_hits(after, 1), 2);
	cr_expect(filter_packet(after, 0, &burst.packets[0], NOW, &mark), "the bucket is as empty as it was");
	filters_free(after);
	filters_free(filters);
	frames_clear(&burst);
}

Test(match, holds_as_many_filters_as_the_table_has_places)
{
	struct filters *filters;

	for (unsigned i = 0; i < ABI_FILTERS_MAX; i++)
		add(i + 1 < ABI_FILTERS_MAX ? "sport 9" : "sport 123", ABI_FILTER_DROP);
	filters = filters_made();
	cr_expect(filter_packet(filters, 0, packet(NTP4), NOW, &mark));
	cr_expect_eq(filters_hits(filters, ABI_FILTERS_MAX - 1), 1);
	filters_free(filters);
	frames_clear(&burst);
}

/* What the other process sends may be anything. */
Test(match, refuses_terms_that_are_not_sound)
{
	static const struct abi_match_term bad[] = {
		{.field = ABI_MATCH_FIELDS, .op = ABI_MATCH_END},
		{.field = ABI_MATCH_SPORT, .op = ABI_MATCH_END | 8},
		{.field = ABI_MATCH_SPORT},
		{.field = ABI_MATCH_SPORT, .op = ABI_MATCH_END, .zero = {0, 1}},
	};
	struct filters *filters;
	unsigned fault = 9;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		add("proto udp", ABI_FILTER_DROP)->n_insns = 2;
		memcpy(insns[0], &bad[i], sizeof(bad[i]));
		cr_expect_eq(filters_new(&spec, &filters, &fault), -EINVAL, "row %zu", i);
		cr_expect_eq(fault, 0);
		spec.n = 0;
	}
	add("proto udp", ABI_FILTER_DROP)->n_insns = 3;
	cr_expect_eq(filters_new(&spec, &filters, &fault), -EINVAL, "half a term");
	spec.n = 0;
}

Test(match, refuses_a_rule_of_too_many_comparisons)
{
	uint8_t octets[2 + 900 + 1] = {0xf0 | 901 >> 8, 901 & 0xff, FLOWSPEC_PORT};
	struct reader r = reader_init(octets, sizeof(octets));
	char fault[PROGRAM_FAULT_MAX];
	struct program program;
	struct flowspec rule;

	for (unsigned i = 3; i < sizeof(octets); i += 2)
		octets[i] = FLOWSPEC_EQ | (i + 2 == sizeof(octets) ? 0x80 : 0);
	cr_assert_eq(flowspec_decode(&r, ADDR_V4, &rule), 0);
	cr_expect_eq(match_compile(&rule, &program, fault), -E2BIG);
	cr_expect_str_eq(fault, "901 comparisons, above 511");
}
