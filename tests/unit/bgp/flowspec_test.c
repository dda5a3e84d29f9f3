/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/flowspec.h"

static size_t
unhex(const char *text, uint8_t *out, size_t room)
{
	size_t len = 0;
	unsigned value;
	int n;

	while (len < room && sscanf(text, " %2x%n", &value, &n) == 1) {
		out[len++] = (uint8_t)value;
		text += n;
	}
	return len;
}

static int
decode(const char *hex, enum addr_family family, struct flowspec *out)
{
	uint8_t octets[4200];
	struct reader r = reader_init(octets, unhex(hex, octets, sizeof(octets)));

	return flowspec_decode(&r, family, out);
}

static struct flowspec
parsed(const char *text)
{
	struct flowspec rule = {0};
	char fault[FLOWSPEC_FAULT_MAX] = "";

	cr_assert_eq(flowspec_parse(text, &rule, fault), 0, "%s: %s", text, fault);
	return rule;
}

static const struct {
	const char *hex, *text;
	enum addr_family family;
} rules[] = {
	/* RFC 8955 4.3.1 to 4.3.3 */
	{"0b 01 18 c0 00 02 03 81 06 04 81 19", "dst 192.0.2.0/24 proto tcp port 25", ADDR_V4},
	{"12 01 18 c0 00 02 02 08 cb 04 03 89 45 8b 91 1f 90", "dst 192.0.2.0/24 src 203.0.0.0/8 port >=137&<=139,8080", ADDR_V4},
	{"09 01 20 c0 00 02 01 0c 80 05", "dst 192.0.2.1/32 fragment df+first", ADDR_V4},
	/* RFC 8956 3.8.1, 3.8.2 */
	{"12 01 20 00 20 01 0d b8 02 68 40 12 34 56 78 9a 03 81 06",
	 "dst 2001:db8::/32 src ::1234:5678:9a00:0/64-104 proto tcp", ADDR_V6},
	{"0f 01 20 00 20 01 0d b8 02 68 41 24 68 ac f1 34", "dst 2001:db8::/32 src ::1234:5678:9a00:0/65-104", ADDR_V6},
	/* one of each component, each operator */
	{"04 05 00 00 87 00", "dport false,true", ADDR_V4},
	{"0d 06 01 01 02 02 03 03 04 04 05 05 86 06", "sport 1,>2,>=3,<4,<=5,!=6", ADDR_V4},
	{"06 07 81 08 08 81 00", "icmp-type 8 icmp-code 0", ADDR_V4},
	{"0a 09 01 12 40 01 03 04 92 0f 00", "tcp-flags =syn+ack&fin,!=rst,!0xf00", ADDR_V4},
	{"07 0a 92 03 e8 0b 81 2e", "length >1000 dscp 46", ADDR_V4},
	{"06 0d a1 00 0f ff ff", "ipv6 flow-label 1048575", ADDR_V6},
	{"03 03 81 3a", "ipv6 proto icmp6", ADDR_V6},
	{"02 01 00", "dst 0.0.0.0/0", ADDR_V4},
	{"03 01 00 00", "dst ::/0", ADDR_V6},
};

Test(flowspec, reads_and_writes_rules_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		uint8_t in[64], octets[64];
		size_t len = unhex(rules[i].hex, in, sizeof(in));
		struct writer w = writer_init(octets, sizeof(octets));
		struct flowspec rule, again;
		char text[256];

		in[0] = (uint8_t)(len - 1);
		cr_assert_eq(flowspec_decode(&(struct reader){.at = in, .end = in + len}, rules[i].family, &rule), 0, "row %zu", i);
		flowspec_encode(&rule, &w);
		cr_expect_eq(written_since(&w, octets), len, "row %zu", i);
		cr_expect_arr_eq(octets, in, len, "row %zu", i);
		cr_expect_eq(flowspec_encoded_len(&rule), len);
		flowspec_format(&rule, text, sizeof(text));
		cr_expect_str_eq(text, rules[i].text, "row %zu: %s", i, text);
		again = parsed(text);
		cr_expect_eq(memcmp(&again, &rule, sizeof(rule)), 0, "row %zu", i);
	}
}

static const struct {
	const char *what, *hex;
	enum addr_family family;
	int err;
} faults[] = {
	{"no length", "", ADDR_V4, -EBADMSG},
	{"no component", "00", ADDR_V4, -EBADMSG},
	{"length beyond the end", "05 03 81 06", ADDR_V4, -EBADMSG},
	{"second octet of the length is missing", "f1", ADDR_V4, -EBADMSG},
	{"types descend", "06 04 81 19 03 81 06", ADDR_V4, -EBADMSG},
	{"type twice", "06 03 81 06 03 81 11", ADDR_V4, -EBADMSG},
	{"type 0", "03 00 81 06", ADDR_V4, -EBADMSG},
	{"type 14", "03 0e 81 06", ADDR_V4, -ENOTSUP},
	{"flow label in IPv4", "06 0d a1 00 00 00 01", ADDR_V4, -ENOTSUP},
	{"/33", "07 01 21 c0 00 02 01 00", ADDR_V4, -EBADMSG},
	{"prefix cut short", "04 01 18 c0 00", ADDR_V4, -EBADMSG},
	{"/129", "04 01 81 80 00", ADDR_V6, -EBADMSG},
	{"offset = length", "03 01 20 20", ADDR_V6, -EBADMSG},
	{"offset > length", "03 01 20 21", ADDR_V6, -EBADMSG},
	{"offset without length", "03 01 00 01", ADDR_V6, -EBADMSG},
	{"list without an end", "03 03 01 06", ADDR_V4, -EBADMSG},
	{"value cut short", "03 04 91 1f", ADDR_V4, -EBADMSG},
	{"operator missing", "01 04", ADDR_V4, -EBADMSG},
	{"DSCP of two octets (RFC 8955 4.2.2.11)", "04 0b 91 00 2e", ADDR_V4, -EBADMSG},
	{"fragment of two octets (4.2.2.12)", "04 0c 91 00 01", ADDR_V4, -EBADMSG},
	{"TCP flags of four octets (4.2.2.9)", "06 09 a1 00 00 00 02", ADDR_V4, -EBADMSG},
};

Test(flowspec, refuses_what_is_malformed)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct flowspec rule = {.family = 99};

		cr_expect_eq(decode(faults[i].hex, faults[i].family, &rule), faults[i].err, "%s", faults[i].what);
		cr_expect_eq(rule.family, 99, "%s: the output was touched", faults[i].what);
	}
}

Test(flowspec, goes_on_behind_a_rule_that_it_cannot_use)
{
	uint8_t octets[] = {3, 14, 0x81, 6, 3, 3, 0x81, 6, 2, 3, 1, 3, 3, 0x81, 17, 9, 3};
	struct reader r = reader_init(octets, sizeof(octets));
	struct flowspec rule;

	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), -ENOTSUP);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), 0);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), -EBADMSG);
	cr_expect_not(r.failed);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), 0);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), -EBADMSG);
	cr_expect(r.failed);
}

/* RFC 8955 4.2.1.1, 4.2.1.2, 4.2.2.1; RFC 8956 3.1 */
Test(flowspec, ignores_what_is_to_be_ignored)
{
	struct flowspec plain, odd;

	cr_assert_eq(decode("0b 01 18 c0 00 02 03 81 06 09 81 02", ADDR_V4, &plain), 0);
	cr_assert_eq(decode("0b 01 18 c0 00 02 03 c9 06 09 cd 02", ADDR_V4, &odd), 0);
	cr_expect_eq(memcmp(&plain, &odd, sizeof(plain)), 0);
	cr_assert_eq(decode("05 01 14 c0 00 00", ADDR_V4, &plain), 0);
	cr_assert_eq(decode("05 01 14 c0 00 0f", ADDR_V4, &odd), 0);
	cr_expect_eq(memcmp(&plain, &odd, sizeof(plain)), 0);
	cr_assert_eq(decode("08 02 68 41 24 68 ac f1 34", ADDR_V6, &plain), 0);
	cr_assert_eq(decode("08 02 68 41 24 68 ac f1 35", ADDR_V6, &odd), 0);
	cr_expect_eq(memcmp(&plain, &odd, sizeof(plain)), 0);
}

/* A rule of so many octets: ports, two octets a term. */
static struct flowspec
rule_of_length(size_t len)
{
	uint8_t octets[2 + FLOWSPEC_OCTETS_MAX + 8] = {(uint8_t)(0xf0 | len >> 8), (uint8_t)len, FLOWSPEC_PORT};
	struct reader r = reader_init(octets, 2 + len);
	struct flowspec rule = {0};

	for (size_t i = 3; i < 2 + len; i += 2) {
		octets[i] = FLOWSPEC_EQ | (i + 2 >= 2 + len ? 0x80 : 0);
		octets[i + 1] = (uint8_t)i;
	}
	cr_assert_eq(flowspec_decode(&r, ADDR_V4, &rule), 0, "%zu octets", len);
	return rule;
}

Test(flowspec, writes_the_length_in_two_octets_from_240_on)
{
	static const struct {
		size_t len, encoded;
		uint8_t first, second;
	} rows[] = {{239, 240, 239, 4}, {241, 243, 0xf0, 0xf1}, {255, 257, 0xf0, 0xff}, {257, 259, 0xf1, 1}, {1019, 1021, 0xf3, 0xfb}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct flowspec rule = rule_of_length(rows[i].len), again = {0};
		uint8_t octets[1100];
		struct writer w = writer_init(octets, sizeof(octets));
		struct reader r;

		flowspec_encode(&rule, &w);
		cr_expect_eq(written_since(&w, octets), rows[i].encoded);
		cr_expect_eq(flowspec_encoded_len(&rule), rows[i].encoded);
		cr_expect_eq(octets[0], rows[i].first);
		cr_expect_eq(octets[1], rows[i].second);
		r = reader_init(octets, written_since(&w, octets));
		cr_assert_eq(flowspec_decode(&r, ADDR_V4, &again), 0);
		cr_expect_eq(memcmp(&again, &rule, sizeof(rule)), 0);
	}
}

Test(flowspec, skips_what_is_longer_than_a_value)
{
	uint8_t octets[2 + 1021 + 4] = {0xf3, 0xfd, FLOWSPEC_PORT};
	struct reader r = reader_init(octets, sizeof(octets));
	struct flowspec rule;

	memcpy(octets + 2 + 1021, "\x03\x03\x81\x06", 4);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), -ENOTSUP);
	cr_expect_eq(flowspec_decode(&r, ADDR_V4, &rule), 0);
}

Test(flowspec, does_not_write_beyond_the_room)
{
	struct flowspec rule = parsed("dst 192.0.2.1/32 proto udp");
	uint8_t octets[9];
	struct writer w = writer_init(octets, sizeof(octets));

	flowspec_encode(&rule, &w);
	cr_expect(w.failed);
}

/* In the order in which they hold. */
Test(flowspec, orders_rules_as_rfc_8955_5_1)
{
	static const char *const ordered[] = {
		"dst 192.0.2.0/24 src 10.0.0.0/8", "dst 192.0.2.0/24 proto tcp", "dst 192.0.2.0/24", "dst 192.0.3.0/25",
		"dst 192.0.3.0/24", "dst 192.0.0.0/16 proto tcp", "dst 192.0.0.0/16", "dst 203.0.113.0/24",
		"dst 0.0.0.0/0", "src 10.0.0.0/8", "proto 1,6", "proto tcp", "proto udp", "port 25",
		/* IPv6: the lower offset first */
		"dst 2001:db8::/32", "dst 2001:db8::/16-32 port 1", "dst 2001:db8::/16-32", "src 2001:db8::/32",
		"ipv6 proto tcp", "ipv6 flow-label 1",
	};

	for (size_t i = 0; i < ARRAY_LEN(ordered); i++) {
		struct flowspec a = parsed(ordered[i]);

		for (size_t k = 0; k < ARRAY_LEN(ordered); k++) {
			struct flowspec b = parsed(ordered[k]);
			int order = flowspec_compare(&a, &b);

			cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "\"%s\" and \"%s\": %d", ordered[i], ordered[k],
				     order);
		}
	}
}

static const struct {
	const char *text, *fault;
} bad_texts[] = {
	{"", "nothing to match"},
	{"ipv6", "nothing to match"},
	{"dst", "dst: of what?"},
	{"to 192.0.2.1", "\"to\" is no component"},
	{"dst 192.0.2.1 dst 192.0.2.2", "dst: twice"},
	{"dst 192.0.2", "dst: no address: \"192.0.2\""},
	{"dst 192.0.2.1/33", "dst: no length: \"33\""},
	{"dst 192.0.2.1/24", "dst: host bits are set: 192.0.2.1/24"},
	{"dst 192.0.2.0/8-24", "dst: no length: \"8-24\""},
	{"dst 2001:db8::/32-32", "dst: no length: \"32-32\""},
	{"dst 192.0.2.1 src 2001:db8::1", "IPv4 and IPv6 in one rule"},
	{"dst 192.0.2.1 flow-label 1", "flow-label is IPv6's"},
	{"sport 65536", "sport: no number up to 65535: \"65536\""},
	{"sport 5-4", "sport: no range: \"5-4\""},
	{"sport 5;4", "sport: what is \";4\"?"},
	{"sport 5,", "sport: no number up to 65535: \"\""},
	{"sport >=", "sport: no number up to 65535: \">=\""},
	{"tcp-flags syn+fun", "tcp-flags: no bits: \"syn+fun\""},
	{"fragment 16", "fragment: no bits: \"16\""},
};

Test(flowspec, tells_what_is_wrong_with_a_text)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_texts); i++) {
		char fault[FLOWSPEC_FAULT_MAX] = "";
		struct flowspec rule;

		cr_expect_eq(flowspec_parse(bad_texts[i].text, &rule, fault), -EINVAL, "%s", bad_texts[i].text);
		cr_expect_str_eq(fault, bad_texts[i].fault, "%s: %s", bad_texts[i].text, fault);
	}
}

Test(flowspec, takes_words_in_any_order_and_ranges)
{
	struct flowspec a = parsed("sport 1024-65535  proto 17 dst 192.0.2.1"), b;

	b = parsed("dst 192.0.2.1/32 proto udp sport >=1024&<=65535");
	cr_expect_eq(memcmp(&a, &b, sizeof(a)), 0);
}

Test(flowspec, cuts_a_text_at_the_room)
{
	struct flowspec rule = parsed("dst 192.0.2.1/32 proto udp sport 123");
	char text[20] = "";

	cr_expect_eq(flowspec_format(&rule, text, sizeof(text)), strlen("dst 192.0.2.1/32 proto udp sport 123"));
	cr_expect_str_eq(text, "dst 192.0.2.1/32 pr");
	cr_expect_eq(flowspec_format(&rule, NULL, 0), strlen("dst 192.0.2.1/32 proto udp sport 123"));
}

static uint32_t seed = 1;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static struct flowspec
drawn(enum addr_family family)
{
	uint8_t nlri[FLOWSPEC_OCTETS_MAX];
	struct writer w = writer_init(nlri, sizeof(nlri));
	struct flowspec rule = {0};
	struct reader r;

	write_u16(&w, 0);
	while (written_since(&w, nlri) == 2) {
		for (uint8_t type = 1; type < FLOWSPEC_TYPES - (family == ADDR_V4); type++) {
			unsigned max = family == ADDR_V4 ? 32 : 128, n = 1 + draw(4);
			struct flowspec_component c = {.type = type, .addr = {.family = (uint8_t)family}};

			if (draw(3) > 0)
				continue;
			write_u8(&w, type);
			if (type <= FLOWSPEC_SRC) {
				c.len = (uint8_t)draw(max + 1);
				c.offset = (uint8_t)(family == ADDR_V6 && c.len && draw(2) ? draw(c.len) : 0);
				for (size_t i = 0; i < max / 8; i++)
					c.addr.octets[i] = (uint8_t)draw(256);
				flowspec_prefix_write(&w, &c);
				continue;
			}
			for (unsigned i = 0; i < n; i++) {
				unsigned most = type == FLOWSPEC_DSCP || type == FLOWSPEC_FRAGMENT ? 1 : type == FLOWSPEC_TCP_FLAGS ? 2 : 4;
				struct flowspec_term term = {.op = (uint8_t)(draw(8) | (i ? draw(2) * FLOWSPEC_AND : 0)),
							     .octets = (uint8_t)(1 << draw(most)), .value = draw(1 << 24)};

				flowspec_term_write(&w, &term, i + 1 == n);
			}
		}
	}
	fill_u16(nlri, 0xf000 | (written_since(&w, nlri) - 2));
	r = reader_init(nlri, written_since(&w, nlri));
	cr_assert_eq(flowspec_decode(&r, family, &rule), 0);
	return rule;
}

Test(flowspec, is_the_same_after_encoding_and_decoding)
{
	struct flowspec before = {0};

	for (int i = 0; i < 20000; i++) {
		struct flowspec rule = drawn(i % 2 ? ADDR_V4 : ADDR_V6), again = {0}, of_text = {0};
		uint8_t octets[1100];
		struct writer w = writer_init(octets, sizeof(octets));
		char text[8192], text2[8192], fault[FLOWSPEC_FAULT_MAX];
		struct reader r;
		int order = flowspec_compare(&before, &rule);

		flowspec_encode(&rule, &w);
		r = reader_init(octets, written_since(&w, octets));
		cr_assert_eq(flowspec_decode(&r, rule.family, &again), 0);
		cr_assert_eq(reader_left(&r), 0);
		cr_assert_eq(memcmp(&again, &rule, sizeof(rule)), 0);
		cr_assert_eq(flowspec_compare(&again, &rule), 0);
		cr_assert(order == 0 || (order > 0) == (flowspec_compare(&rule, &before) < 0));
		/* What a text says stays, unless a value is none of its field. */
		flowspec_format(&rule, text, sizeof(text));
		if (flowspec_parse(text, &of_text, fault) == 0) {
			flowspec_format(&of_text, text2, sizeof(text2));
			cr_assert_str_eq(text2, text);
		}
		before = rule;
	}
}

static const struct {
	const char *what, *extended, *extended6;
	struct flowspec_action action;
} actions[] = {
	{"none: let through", "", "", {0}},
	{"drop", "8006 0000 00000000", "", {.has_bytes = true}},
	{"1 MB/s", "8006 fde9 49742400", "", {.has_bytes = true, .bytes_s = 1000000}},
	{"below 0 is 0 (RFC 8955 7.1)", "8006 0000 c9742400", "", {.has_bytes = true}},
	{"0.5 is no 0", "8006 0000 3f000000", "", {.has_bytes = true, .bytes_s = 1}},
	{"no number", "8006 0000 7fc00000", "", {.refused = "a rate that is no number"}},
	{"infinity: no limit", "8006 0000 7f800000", "", {0}},
	{"packets", "800c 0000 42c80000", "", {.has_packets = true, .packets_s = 100}},
	{"the lower one", "8006 0000 49742400 8006 0000 42c80000", "", {.has_bytes = true, .bytes_s = 100}},
	{"both kinds", "8006 0000 49742400 800c 0000 42c80000", "",
	 {.has_bytes = true, .bytes_s = 1000000, .has_packets = true, .packets_s = 100}},
	{"sample, go on", "8007 0000 00000003", "", {.sample = true, .goes_on = true}},
	{"sample", "8007 0000 00000002", "", {.sample = true}},
	{"redirect to a VRF", "8008 fde9 00000001", "", {.refused = "redirect"}},
	{"redirect to a VRF, by address", "8108 c000 02010001", "", {.refused = "redirect"}},
	{"redirect to a VRF, 4-octet AS", "8208 0001 00010001", "", {.refused = "redirect"}},
	{"redirect to a next hop", "0800 0000 00000000", "", {.refused = "redirect"}},
	{"redirect to an address", "010c c000 02010000", "", {.refused = "redirect"}},
	{"redirect, IPv6", "", "000d 20010db8000000000000000000000001 0001", {.refused = "redirect"}},
	{"mark", "8009 0000 0000002e", "", {.refused = "marking"}},
	{"a route target says nothing", "0002 fde9 00000001", "", {0}},
	{"cut short", "8006 0000 0000", "000d 2001", {0}},
};

Test(flowspec, reads_what_is_to_be_done)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		uint8_t extended[64], extended6[64];
		size_t len = unhex(actions[i].extended, extended, sizeof(extended));
		size_t len6 = unhex(actions[i].extended6, extended6, sizeof(extended6));
		struct flowspec_action a = flowspec_action_decode(extended, len, extended6, len6), want = actions[i].action;

		cr_expect_eq(a.has_bytes, want.has_bytes, "%s", actions[i].what);
		cr_expect_eq(a.bytes_s, want.bytes_s, "%s", actions[i].what);
		cr_expect_eq(a.has_packets, want.has_packets, "%s", actions[i].what);
		cr_expect_eq(a.packets_s, want.packets_s, "%s", actions[i].what);
		cr_expect_eq(a.sample, want.sample, "%s", actions[i].what);
		cr_expect_eq(a.goes_on, want.goes_on, "%s", actions[i].what);
		cr_expect_eq(!a.refused, !want.refused, "%s", actions[i].what);
		if (a.refused && want.refused)
			cr_expect_str_eq(a.refused, want.refused, "%s", actions[i].what);
	}
}

Test(flowspec, writes_what_is_to_be_done)
{
	cr_expect_eq(flowspec_rate_bytes(65001, 1000000), 0x8006fde949742400);
	cr_expect_eq(flowspec_rate_bytes(4200000000, 0), 0x8006000000000000);
	cr_expect_eq(flowspec_rate_packets(0, 100), 0x800c000042c80000);
	cr_expect_eq(flowspec_traffic_action(true, true), 0x8007000000000003);
}

Test(flowspec, tells_the_destination)
{
	struct flowspec rule = parsed("dst 192.0.2.0/24 proto udp");
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	cr_assert(flowspec_destination(&rule, &prefix));
	cr_expect_str_eq(prefix_format(&prefix, text), "192.0.2.0/24");
	rule = parsed("proto udp");
	cr_expect_not(flowspec_destination(&rule, &prefix));
	rule = parsed("dst 2001:db8::/16-32");
	cr_expect_not(flowspec_destination(&rule, &prefix));
}
