/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/signatures.h"
#include "datagram.h"

TestSuite(signature, .init = frames_init);

static struct burst burst;
static const struct signature_set all = {.words = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

/* The test's clock: what the next readings are. */
static uint64_t now_tsc, step_tsc;

static uint64_t
ticking(void)
{
	now_tsc += step_tsc;
	return now_tsc;
}

static struct signatures *
compiled(const struct abi_signature *rules, unsigned n, unsigned depth)
{
	struct signatures_spec spec = {.rules = rules, .n = n, .n_workers = 2, .depth = depth};
	struct signatures_fault fault = {0};
	struct signatures *t = NULL;

	cr_assert_eq(signatures_new(&spec, &t, &fault), 0, "%s", fault.text);
	return t;
}

static struct signature
unhurried(unsigned worker)
{
	return (struct signature){.worker = worker, .budget_tsc = UINT64_MAX, .nth = 1};
}

/* The rule that one datagram hits, on a worker of its own. */
static unsigned
hit(const struct signatures *t, const struct signature_set *enabled, const struct datagram *d)
{
	struct signature s = unhurried(0);
	struct signature_hit found;

	burst.n = 0;
	signature_begin(&s, 0);
	found = signature_packet(&s, t, enabled, datagram_add(&burst, d), ticking);
	cr_expect_eq(found.action, found.rule == SIGNATURE_NONE ? ABI_SIGNATURE_NONE : t->actions[found.rule]);
	frames_clear(&burst);
	return found.rule;
}

static struct datagram
datagram(uint8_t protocol, uint16_t src, uint16_t dst, const char *text)
{
	return (struct datagram){
		.protocol = protocol, .src = src, .dst = dst, .payload = text, .len = (unsigned)strlen(text)};
}

#define RULE(word, what, ...)                                                                                          \
	{                                                                                                              \
		.name = word, .pattern = what, .action = ABI_SIGNATURE_DROP, __VA_ARGS__                               \
	}
#define SRC(...) .src = {__VA_ARGS__}, .n_src = sizeof((struct abi_signature_ports[]){__VA_ARGS__}) / 4
#define DST(...) .dst = {__VA_ARGS__}, .n_dst = sizeof((struct abi_signature_ports[]){__VA_ARGS__}) / 4

Test(signature, fits_by_protocol_and_ports)
{
	static const struct abi_signature rules[] = {
		RULE("tcp", "x", .protocol = IPPROTO_TCP, DST({80, 80})),
		RULE("udp-list", "x", .protocol = IPPROTO_UDP, SRC({53, 53}, {100, 199}, {65535, 65535})),
		RULE("udp-both", "x", .protocol = IPPROTO_UDP, SRC({0, 9}), DST({7, 8})),
		RULE("either", "x", DST({9000, 9000})),
	};
	static const struct {
		uint8_t protocol;
		uint16_t src, dst;
		unsigned rule;
	} rows[] = {
		{IPPROTO_TCP, 5000, 80, 0},
		{IPPROTO_UDP, 5000, 80, SIGNATURE_NONE},
		{IPPROTO_TCP, 5000, 81, SIGNATURE_NONE},
		{IPPROTO_TCP, 5000, 79, SIGNATURE_NONE},
		{IPPROTO_TCP, 80, 5000, SIGNATURE_NONE},
		{IPPROTO_UDP, 53, 1, 1},
		{IPPROTO_UDP, 52, 1, SIGNATURE_NONE},
		{IPPROTO_UDP, 54, 1, SIGNATURE_NONE},
		{IPPROTO_UDP, 99, 1, SIGNATURE_NONE},
		{IPPROTO_UDP, 100, 1, 1},
		{IPPROTO_UDP, 199, 1, 1},
		{IPPROTO_UDP, 200, 1, SIGNATURE_NONE},
		{IPPROTO_UDP, 65535, 1, 1},
		{IPPROTO_UDP, 65534, 1, SIGNATURE_NONE},
		{IPPROTO_TCP, 53, 1, SIGNATURE_NONE},
		{IPPROTO_UDP, 0, 7, 2},
		{IPPROTO_UDP, 9, 8, 2},
		{IPPROTO_UDP, 10, 8, SIGNATURE_NONE},
		{IPPROTO_UDP, 9, 9, SIGNATURE_NONE},
		{IPPROTO_UDP, 5000, 9000, 3},
		{IPPROTO_TCP, 5000, 9000, 3},
	};
	struct signatures *t = compiled(rules, ARRAY_LEN(rules), 0);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct datagram d = datagram(rows[i].protocol, rows[i].src, rows[i].dst, "..x");

		cr_expect_eq(hit(t, &all, &d), rows[i].rule, "row %u", i);
	}
	signatures_free(t);
}

Test(signature, the_lowest_enabled_rule_decides)
{
	static const struct abi_signature rules[] = {
		RULE("late", "c$"),
		RULE("first", "^a"),
		RULE("port", "b", SRC({9, 9})),
		RULE("any", "[abc]"),
	};
	static const struct {
		uint64_t enabled;
		const char *text;
		unsigned rule;
	} rows[] = {
		{0xf, "abc", 0},
		{0xe, "abc", 1},
		{0xc, "abc", 3},
		{0xf, "ab", 1},
		{0xf, "b", 3},
		{0xf, "x", SIGNATURE_NONE},
		{0x7, "b", SIGNATURE_NONE},
		{0, "abc", SIGNATURE_NONE},
		{0x8, "abc", 3},
		{~UINT64_C(0xf), "abc", SIGNATURE_NONE},
	};
	struct signatures *t = compiled(rules, ARRAY_LEN(rules), 0);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct signature_set enabled = {.words = {rows[i].enabled}};
		struct datagram d = datagram(IPPROTO_UDP, 10, 1, rows[i].text);

		cr_expect_eq(hit(t, &enabled, &d), rows[i].rule, "row %u", i);
	}
	cr_expect_eq(signatures_hits(t, 0), 1);
	cr_expect_eq(signatures_hits(t, 1), 2);
	cr_expect_eq(signatures_hits(t, 2), 0);
	cr_expect_eq(signatures_hits(t, 3), 3);
	signatures_free(t);
}

Test(signature, a_full_set_of_rules_keeps_their_order)
{
	static struct abi_signature rules[ABI_SIGNATURES_MAX];
	struct signatures *t;

	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		rules[i] = (struct abi_signature){.action = ABI_SIGNATURE_COUNT,
						  .n_src = 1,
						  .src = {{(uint16_t)(200 * i), (uint16_t)(200 * i + 250)}}};
		snprintf(rules[i].name, sizeof(rules[i].name), "r%u", i);
		snprintf(rules[i].pattern, sizeof(rules[i].pattern), "^a{%u}", i % 5 + 1);
	}
	t = compiled(rules, ARRAY_LEN(rules), 0);
	for (unsigned i = 1; i < ARRAY_LEN(rules); i++) {
		struct datagram d = datagram(IPPROTO_TCP, (uint16_t)(200 * i + 20), 1, "aaaaa");

		/* The range before reaches 50 ports into this one. */
		cr_expect_eq(hit(t, &all, &d), i - 1, "rule %u", i);
		d.src = (uint16_t)(200 * i + 120);
		cr_expect_eq(hit(t, &all, &d), i, "rule %u", i);
	}
	signatures_free(t);
}

Test(signature, flags_and_dots)
{
	static const struct abi_signature rules[] = {
		RULE("caseless", "^AbC", .flags = ABI_SIGNATURE_CASELESS, DST({1, 1})),
		RULE("case", "^AbC", DST({2, 2})),
		RULE("lines", "^b", .flags = ABI_SIGNATURE_MULTILINE, DST({3, 3})),
		RULE("start", "^b", DST({4, 4})),
		RULE("dot", "^a.b", DST({5, 5})),
	};
	static const bool hits[] = {true, false, true, false, true};
	static const char *const texts[] = {"aBc", "aBc", "a\nb", "a\nb", "a\nb"};
	struct signatures *t = compiled(rules, ARRAY_LEN(rules), 0);

	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		struct datagram d = datagram(IPPROTO_UDP, 1000, (uint16_t)(i + 1), texts[i]);

		cr_expect_eq(hit(t, &all, &d) != SIGNATURE_NONE, hits[i], "%s", rules[i].name);
	}
	signatures_free(t);
}

Test(signature, looks_no_deeper_than_depth_and_the_first_segment)
{
	static const struct abi_signature rules[] = {RULE("x", "x")};
	static const struct {
		const char *name;
		unsigned at, piece, depth; /* where x is in 1300 octets; the headers take 42 */
		bool found, cut;
	} rows[] = {
		{"the last octet of depth", 99, 0, 100, true, false},
		{"behind depth", 100, 0, 100, false, false},
		{"the payload's last", 1299, 0, 2000, true, false},
		/* Beyond what parse makes contiguous. */
		{"in the first segment", 1099, 42 + 1100, 1200, true, true},
		{"in the second", 1100, 42 + 1100, 1200, false, true},
		{"depth ends with the segment", 1099, 42 + 1100, 1100, true, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct signatures *t = compiled(rules, 1, rows[i].depth);
		struct signature s = unhurried(1);
		char text[1300];
		struct datagram d = {.protocol = IPPROTO_UDP,
				     .src = 1,
				     .dst = 2,
				     .payload = text,
				     .len = sizeof(text),
				     .piece = rows[i].piece};

		memset(text, '.', sizeof(text));
		text[rows[i].at] = 'x';
		burst.n = 0;
		signature_begin(&s, 0);
		cr_expect_eq(signature_packet(&s, t, &all, datagram_add(&burst, &d), ticking).rule,
			     rows[i].found ? 0 : SIGNATURE_NONE, "%s", rows[i].name);
		cr_expect_eq(s.counters.scanned, 1);
		cr_expect_eq(s.counters.cut, rows[i].cut, "%s", rows[i].name);
		frames_clear(&burst);
		signatures_free(t);
	}
}

/* Each row spoils one field of a TCP segment or datagram; an x is sought in its payload. */
Test(signature, believes_no_length)
{
	static const struct abi_signature rules[] = {RULE("x", "x")};
	static const struct {
		const char *name;
		uint8_t protocol;
		uint8_t data_offset;
		int ip_len, flags, set_protocol;
		bool found;
		const char *payload;
	} rows[] = {
		{"tcp", IPPROTO_TCP, 0x50, 0, 0, -1, true, "x.."},
		{"tcp with options over the payload", IPPROTO_TCP, 0x60, 0, 0, -1, false, "x.."},
		{"tcp with an offset beyond the frame", IPPROTO_TCP, 0xf0, 0, 0, -1, false, "x.."},
		{"tcp with an offset that is too small", IPPROTO_TCP, 0x00, 0, 0, -1, true, "x.."},
		{"udp", IPPROTO_UDP, 0, 0, 0, -1, true, "x.."},
		{"udp that IP ends before", IPPROTO_UDP, 0, -3, 0, -1, false, "x.."},
		{"udp whose last octet IP ends before", IPPROTO_UDP, 0, -1, 0, -1, false, "..x"},
		{"udp whose last octet IP ends with", IPPROTO_UDP, 0, 0, 0, -1, true, "..x"},
		{"udp that IP ends within the header", IPPROTO_UDP, 0, -9, 0, -1, false, "x.."},
		{"tcp that IP ends within the header", IPPROTO_TCP, 0x50, -20, 0, -1, false, "x.."},
		{"udp whose IP is longer than the frame", IPPROTO_UDP, 0, 1000, 0, -1, true, "x.."},
		{"later fragment", IPPROTO_UDP, 0, 0, PACKET_FRAGMENT | PACKET_FRAGMENT_LATER, -1, false, "x.."},
		{"ICMP error", IPPROTO_UDP, 0, 0, PACKET_ICMP_ERROR, -1, false, "x.."},
		{"another protocol", IPPROTO_UDP, 0, 0, 0, IPPROTO_SCTP, false, "x.."},
	};
	struct signatures *t = compiled(rules, 1, 0);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct datagram d = datagram(rows[i].protocol, 1, 2, rows[i].payload);
		struct signature s = unhurried(0);
		struct packet *p;

		burst.n = 0;
		p = datagram_add(&burst, &d);
		if (rows[i].protocol == IPPROTO_TCP)
			*packet_at(p, (uint16_t)(p->l4_at + 12)) = rows[i].data_offset;
		p->ip_len = (uint16_t)(p->ip_len + rows[i].ip_len);
		p->flags |= (uint8_t)rows[i].flags;
		if (rows[i].set_protocol >= 0)
			p->protocol = (uint8_t)rows[i].set_protocol;
		signature_begin(&s, 0);
		cr_expect_eq(signature_packet(&s, t, &all, p, ticking).rule, rows[i].found ? 0 : SIGNATURE_NONE, "%s",
			     rows[i].name);
		cr_expect_eq(s.counters.failed, 0);
		frames_clear(&burst);
	}
	signatures_free(t);
}

Test(signature, over_the_budget_samples_and_counts_the_rest)
{
	static const struct abi_signature rules[] = {RULE("x", "x", SRC({53, 53}))};
	/* Each burst scans 20 packets, a reading of the clock comes 10 cycles after the one before. */
	static const struct {
		uint64_t budget_tsc;
		unsigned nth, scanned, unscanned, over;
	} rows[] = {
		{1000, 4, 20, 0, 0}, {200, 4, 20, 0, 1}, {100, 4, 12, 8, 1}, {100, 5, 12, 8, 1}, {100, 1, 20, 0, 1},
		{100, 0, 10, 10, 1}, {10, 19, 2, 18, 1}, {10, 20, 1, 19, 1}, {0, 4, 5, 15, 0},	 {0, 0, 0, 20, 0},
	};
	struct signatures *t = compiled(rules, 1, 0);

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct signature s = {.budget_tsc = rows[i].budget_tsc, .nth = rows[i].nth};
		struct datagram d = datagram(IPPROTO_UDP, 53, 2, "x");
		struct packet *p;
		unsigned hits = 0;

		burst.n = 0;
		p = datagram_add(&burst, &d);
		now_tsc = 5000;
		step_tsc = 10;
		signature_begin(&s, now_tsc);
		for (unsigned k = 0; k < 20; k++)
			hits += signature_packet(&s, t, &all, p, ticking).rule == 0;
		cr_expect_eq(s.counters.scanned, rows[i].scanned, "row %u: %u", i, (unsigned)s.counters.scanned);
		cr_expect_eq(s.counters.unscanned, rows[i].unscanned, "row %u", i);
		cr_expect_eq(s.counters.over, rows[i].over, "row %u", i);
		cr_expect_eq(hits, rows[i].scanned, "row %u", i);
		/* The next burst has its own budget; what no rule fits spends none and isn't missed. */
		signature_begin(&s, now_tsc);
		p->src_port = 54;
		cr_expect_eq(signature_packet(&s, t, &all, p, ticking).rule, SIGNATURE_NONE);
		cr_expect_eq(s.counters.unscanned, rows[i].unscanned, "row %u", i);
		p->src_port = 53;
		cr_expect_eq(signature_packet(&s, t, &all, p, ticking).rule, rows[i].budget_tsc ? 0 : SIGNATURE_NONE,
			     "row %u", i);
		frames_clear(&burst);
	}
	signatures_free(t);
}

Test(signature, workers_count_their_own)
{
	static const struct abi_signature rules[] = {RULE("x", "x")};
	struct signatures *t = compiled(rules, 1, 0);
	struct datagram d = datagram(IPPROTO_UDP, 53, 2, "x");

	for (unsigned worker = 0; worker < 2; worker++) {
		struct signature s = unhurried(worker);

		burst.n = 0;
		signature_begin(&s, 0);
		cr_expect_eq(signature_packet(&s, t, &all, datagram_add(&burst, &d), ticking).rule, 0);
		frames_clear(&burst);
		cr_expect_eq(t->workers[worker].hits[0], 1);
	}
	cr_expect_eq(signatures_hits(t, 0), 2);
	signatures_free(t);
}

Test(signature, no_rules_match_nothing)
{
	struct signatures *t = compiled(NULL, 0, 0);
	struct datagram d = datagram(IPPROTO_UDP, 53, 2, "x");

	cr_expect_eq(hit(t, &all, &d), SIGNATURE_NONE);
	signatures_free(t);
	signatures_free(NULL);
}

Test(signature, refuses_rules_that_are_not_sound_by_name)
{
	static const struct {
		struct abi_signature rule;
		const char *text;
	} rows[] = {
		{RULE("", "a"), "rule  has no sound name"},
		{RULE("\x1b[", "a"), "rule \x1b[ has no sound name"},
		{RULE("p", "a", .protocol = 1), "rule p has a protocol that is neither TCP nor UDP"},
		{{.name = "n", .pattern = "a"}, "rule n has an unknown action"},
		{{.name = "n", .pattern = "a", .action = ABI_SIGNATURE_ACTIONS}, "rule n has an unknown action"},
		{RULE("f", "a", .flags = 4), "rule f has unknown flags"},
		{RULE("s", "a", .n_src = 17), "rule s has ports that are no ranges"},
		{RULE("d", "a", .n_dst = 1, .dst = {{2, 1}}), "rule d has ports that are no ranges"},
		{RULE("e", ""), "rule e has a pattern that is empty, too long or not in printable ASCII"},
		{RULE("b", "a\n"), "rule b has a pattern that is empty, too long or not in printable ASCII"},
		{RULE("l", "(a{99}){99}"), "rule l has a pattern that is too large with its repeats written out"},
		{RULE("h", "a("), "rule h: Hyperscan: Missing close parenthesis"},
		{RULE("v", "a*"), "rule v: Hyperscan: Pattern matches empty buffer"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_signature rules[] = {RULE("good", "a"), rows[i].rule};
		struct signatures_spec spec = {.rules = rules, .n = 2, .n_workers = 1};
		struct signatures_fault fault = {0};
		struct signatures *t = NULL;

		cr_expect_eq(signatures_new(&spec, &t, &fault), -EINVAL, "row %u", i);
		cr_expect_null(t);
		cr_expect_eq(fault.rule, 1, "row %u", i);
		cr_expect_eq(strncmp(fault.text, rows[i].text, strlen(rows[i].text)), 0, "row %u: %s", i, fault.text);
	}
}

Test(signature, refuses_texts_without_an_end)
{
	struct abi_signature rule = RULE("n", "a");
	struct signatures_spec spec = {.rules = &rule, .n = 1, .n_workers = 1};
	struct signatures_fault fault = {0};
	struct signatures *t = NULL;

	memset(rule.pattern, 'a', sizeof(rule.pattern));
	cr_expect_eq(signatures_new(&spec, &t, &fault), -EINVAL);
	rule = (struct abi_signature)RULE("n", "a");
	memset(rule.name, 'n', sizeof(rule.name));
	cr_expect_eq(signatures_new(&spec, &t, &fault), -EINVAL);
	spec.n_workers = 0;
	cr_expect_eq(signatures_new(&spec, &t, &fault), -EINVAL);
	spec = (struct signatures_spec){.rules = &rule, .n = ABI_SIGNATURES_MAX + 1, .n_workers = 1};
	cr_expect_eq(signatures_new(&spec, &t, &fault), -EINVAL);
	cr_expect_eq(fault.rule, SIGNATURE_NONE);
}
