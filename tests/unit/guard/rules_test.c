/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/rules.h"

static int
parse(const char *text, struct rules **rules, struct config_errors *errors)
{
	return rules_parse("r", text, strlen(text), rules, errors);
}

/* One rule whose lines begin at line 2; its pattern is in line 3. */
#define RULE(lines)	 "rules:\n  - name: a\n" lines
#define PATTERN(pattern) RULE("    pattern: '" pattern "'\n    action: drop\n")

Test(rules, reads_every_key)
{
	struct config_errors errors;
	struct rules *rules = NULL;
	const struct abi_signature *s;

	cr_assert_eq(parse("# signatures\nrules:\n"
			   "  - {name: all, protocol: tcp, source_port: 53, destination_port: [80, 8000-8099], "
			   "pattern: 'a\\x00b',"
			   " flags: mi, action: sample, source: RFC 1}\n"
			   "  - {name: few, source_port: any, pattern: '^b{3}', action: limit}\n",
			   &rules, &errors),
		     0, "%s", errors.list[0].text);
	cr_assert_eq(rules->n, 2);
	s = &rules->list[0].signature;
	cr_expect_str_eq(s->name, "all");
	cr_expect_eq(s->protocol, IPPROTO_TCP);
	cr_expect(s->n_src == 1 && s->src[0].first == 53 && s->src[0].last == 53);
	cr_expect(s->n_dst == 2 && s->dst[0].first == 80 && s->dst[1].first == 8000 && s->dst[1].last == 8099);
	cr_expect_str_eq(s->pattern, "a\\x00b");
	cr_expect_eq(s->flags, ABI_SIGNATURE_CASELESS | ABI_SIGNATURE_MULTILINE);
	cr_expect_eq(s->action, ABI_SIGNATURE_SAMPLE);
	cr_expect_str_eq(rules->list[0].source, "RFC 1");
	cr_expect_eq(rules->list[0].line, 3);
	s = &rules->list[1].signature;
	cr_expect_eq(s->protocol, 0);
	cr_expect(s->n_src == 1 && s->src[0].first == 0 && s->src[0].last == UINT16_MAX);
	cr_expect_eq(s->n_dst, 0);
	cr_expect_eq(s->action, ABI_SIGNATURE_LIMIT);
	cr_expect_str_eq(rules->list[1].source, "");
	cr_expect_eq(rules_lookup(rules, "few"), 1);
	cr_expect_eq(rules_lookup(rules, "none"), -1);
	rules_free(rules);
}

static const struct {
	const char *text;
	const char *error; /* the first */
} bad[] = {
	{"", "r:1:1: "},
	{"rules: {}\n", "r:1:8: rules must be a list"},
	{"other: []\n", "r:1:1: unknown key other"},
	{"rules:\n  - a\n", "r:2:5: a rule must be a mapping"},
	{"rules:\n  - {name: a, action: drop}\n", "r:2:5: a rule lacks the key pattern"},
	{"rules:\n  - {name: a, pattern: b}\n", "r:2:5: a rule lacks the key action"},
	{"rules:\n  - {patern: b, name: a, action: drop}\n", "r:2:6: unknown key patern; did you mean pattern?"},
	{"rules:\n  - {name: a/b, pattern: b, action: drop}\n", "r:2:12: name a/b may hold letters"},
	{"rules:\n  - {name: a, name: b, pattern: b, action: drop}\n", "r:2:15: key name is there twice"},
	{"rules:\n  - {name: a, pattern: b, action: drop}\n  - {name: a, pattern: c, action: drop}\n",
	 "r:3:12: rule a is there twice, first in line 2"},
	{RULE("    pattern: b\n    action: refuse\n"), "r:4:13: action refuse is not drop, limit, count or sample"},
	{RULE("    pattern: b\n    protocol: icmp\n    action: drop\n"),
	 "r:4:15: protocol icmp is not tcp, udp or any"},
	{RULE("    pattern: b\n    flags: is\n    action: drop\n"), "r:4:12: flags is may hold i and m only"},
	{RULE("    pattern: b\n    source_port: 70000\n    action: drop\n"), "r:4:18: source_port 70000 is not any"},
	{RULE("    pattern: b\n    source_port: [1, 9-3]\n    action: drop\n"), "r:4:22: source_port 9-3 is not any"},
	{RULE("    pattern: b\n    source_port: [1, [2]]\n    action: drop\n"),
	 "r:4:22: source_port must be a port, not a list"},
	{RULE("    pattern: b\n    destination_port: []\n    action: drop\n"),
	 "r:4:23: destination_port is an empty list"},
	{RULE("    pattern: b\n    source_port: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n    action: drop\n"),
	 "r:4:18: source_port has 17 entries, above 16"},
	{RULE("    pattern: \"a\\u00e9\"\n    action: drop\n"), "r:3:14: pattern a"},
	{PATTERN(""), "r:3:14: pattern must be a text, not nothing"},
	{PATTERN("a("), "r:3:14: pattern is not taken by Hyperscan: Missing close parenthesis"},
	{PATTERN("a)"), "r:3:14: pattern is not taken by Hyperscan: "},
	{PATTERN("[a"), "r:3:14: pattern is not taken by Hyperscan: Unterminated character class"},
	{PATTERN("(a)\\1"), "r:3:14: pattern is not taken by Hyperscan: "},
	{PATTERN("a(?=b)"), "r:3:14: pattern is not taken by Hyperscan: "},
	{PATTERN("a\\"), "r:3:14: pattern is not taken by Hyperscan: "},
	{PATTERN("a*"), "r:3:14: pattern matches the empty payload"},
	{PATTERN("^"), "r:3:14: pattern matches the empty payload"},
	{PATTERN("$"), "r:3:14: pattern matches the empty payload"},
	{PATTERN("a|"), "r:3:14: pattern matches the empty payload"},
	{PATTERN(".{2049}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("((a{50}b){50}c){50}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("(a{40}){10}{10}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("(a\\x{41}[](]{30}){99}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("(a{,99}){99}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("(ab{99999999999999999999}"), "r:3:14: rule a has a pattern that is too large"},
	{PATTERN("((((((((((((((((((a))))))))))))))))))"),
	 "r:3:14: rule a has groups in its pattern that nest too deep"},
	{PATTERN("(a(?#()b){9}"), "r:3:14: rule a has a comment"},
	{PATTERN("(?ix:a b)"), "r:3:14: rule a has the extended syntax"},
	{PATTERN("\\Q(\\E"), "r:3:14: rule a has a quotation"},
	{"rules: &a []\n", "r:1:8: anchors are not taken"},
};

Test(rules, refuses_a_bad_file_with_its_place)
{
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_errors errors;
		struct rules *rules = NULL;

		cr_expect_eq(parse(bad[i].text, &rules, &errors), -EINVAL, "row %u: %s", i, bad[i].text);
		cr_expect_null(rules);
		cr_assert_gt(errors.n, 0, "row %u", i);
		cr_expect_eq(strncmp(errors.list[0].text, bad[i].error, strlen(bad[i].error)), 0, "row %u: %s\nnot: %s",
			     i, errors.list[0].text, bad[i].error);
	}
}

Test(rules, names_all_that_is_wrong)
{
	struct config_errors errors;
	struct rules *rules = NULL;

	cr_expect_eq(
		parse("rules:\n  - {name: a, pattern: 'a(', action: drop}\n  - {name: b, pattern: b, action: drop}\n"
		      "  - {name: c, pattern: 'c*', action: drop}\n",
		      &rules, &errors),
		-EINVAL);
	cr_assert_eq(errors.n, 2);
	cr_expect_eq(errors.list[0].line, 2);
	cr_expect_eq(errors.list[1].line, 4);
}

Test(rules, takes_a_pattern_as_large_as_can_be)
{
	static const char *const good[] = {
		PATTERN("^.{2047}"), PATTERN("a{1}b{0,3}"),   PATTERN("[{]{3}"),       PATTERN("\\{{2}x{"),
		PATTERN("[^]a]"),    PATTERN("[[:alpha:]]x"), PATTERN("(?:a|b){200}"), PATTERN("(?i)a"),
	};
	struct config_errors errors;

	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		struct rules *rules = NULL;

		cr_expect_eq(parse(good[i], &rules, &errors), 0, "row %u: %s", i, errors.list[0].text);
		rules_free(rules);
	}
}

Test(rules, takes_as_many_rules_as_a_set_has_bits)
{
	for (unsigned n = ABI_SIGNATURES_MAX; n <= ABI_SIGNATURES_MAX + 1; n++) {
		struct config_errors errors;
		struct rules *rules = NULL;
		char *text = NULL;
		size_t len = 0;
		FILE *file = open_memstream(&text, &len);

		fprintf(file, "rules:\n");
		for (unsigned i = 0; i < n; i++)
			fprintf(file, "  - {name: r%u, pattern: ab%u, action: drop}\n", i, i);
		fclose(file);
		if (n > ABI_SIGNATURES_MAX) {
			cr_expect_eq(parse(text, &rules, &errors), -EINVAL);
			cr_expect_str_eq(errors.list[0].text, "r:2:3: rules has 257 entries, above 256");
		} else {
			cr_expect_eq(parse(text, &rules, &errors), 0);
			rules_free(rules);
		}
		free(text);
	}
}
