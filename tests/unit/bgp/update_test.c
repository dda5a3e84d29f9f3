/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/update.h"
#include "hex.h"

#define O "40010100"		       /* ORIGIN */
#define P "4002060201" "0000fde9"     /* AS_PATH 65001 */
#define N "4003040a000002"	       /* NEXT_HOP */
#define L "40050400000064"	       /* LOCAL_PREF */
#define V4 "180a0100"		       /* 10.1.0.0/24 */
#define REACH "800e1a" "00020110" "20010db8000000000000000000000001" "00" "2020010db8"
#define UNREACH "800f08" "000201" "2020010db8"

/* In the order of RFC 7606, then of the RFCs that came later. */
static const struct {
	const char *rule;
	bool ibgp;
	const char *withdrawn, *attributes, *announced;
	enum bgp_outcome outcome;
	int subcode;	 /* of a reset */
	int type;	 /* of the attribute at fault */
} rows[] = {
	{"a plain route", false, "", O P N, V4, BGP_ACCEPT, 0, 0},
	{"a plain route from inside", true, "", O "400200" N L, V4, BGP_ACCEPT, 0, 0},
	{"of IPv6", false, "", REACH O P, "", BGP_ACCEPT, 0, 0},
	{"a withdrawal needs no attribute", false, V4, "", "", BGP_ACCEPT, 0, 0},
	{"a withdrawal of IPv6 neither", false, "", UNREACH, "", BGP_ACCEPT, 0, 0},
	{"an unknown optional attribute", false, "", O P N "c0fe01aa" "80fd00", V4, BGP_ACCEPT, 0, 0},
	{"an extended length where none is needed", false, "", "5001000100" P N, V4, BGP_ACCEPT, 0, 0},
	{"4271 6.3: an unknown well-known one", false, "", O P N "40fe01aa", V4, BGP_SESSION_RESET, 2, 0xfe},
	{"3(c): ORIGIN is optional", false, "", "c0010100" P N, V4, BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"3(c): MED is transitive", false, "", O P N "c0040400000001", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"4271 4.3: ORIGIN is partial", false, "", "60010100" P N, V4, BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"4271 4.3: COMMUNITIES may be", false, "", O P N "e00804fde90001", V4, BGP_ACCEPT, 0, 0},
	{"3(c): MP_REACH is transitive", false, "", "c00e1a" "00020110" "20010db8000000000000000000000001" "00" "2020010db8"
	 O P, "", BGP_TREAT_AS_WITHDRAW, 0, 14},
	{"3(d): no ORIGIN", false, "", P N, V4, BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"3(d): no AS_PATH", false, "", O N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"3(d): no NEXT_HOP", false, "", O P, V4, BGP_TREAT_AS_WITHDRAW, 0, 3},
	{"3(d): no LOCAL_PREF from inside", true, "", O "400200" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 5},
	{"3(d): IPv6 without ORIGIN", false, "", REACH P, "", BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"3(g): MP_REACH twice", false, "", REACH REACH O P, "", BGP_SESSION_RESET, 1, 14},
	{"3(g): MP_UNREACH twice", false, "", UNREACH UNREACH, "", BGP_SESSION_RESET, 1, 15},
	{"3(g): ORIGIN twice", false, "", O P N "40010102", V4, BGP_ATTRIBUTE_DISCARD, 0, 1},
	{"3(g): an unknown one twice", false, "", O P N "c0fe00" "c0fe00", V4, BGP_ATTRIBUTE_DISCARD, 0, 0xfe},
	{"3(g): even a malformed second", false, "", O P N "c00101ff", V4, BGP_ATTRIBUTE_DISCARD, 0, 1},
	{"3(h): the stronger wins", false, "", O P N "c00705000000fde9" "800400", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"4: the last is longer than the list", false, "", O P N "80040500000001", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"4: a head is cut", false, "", O P N "8004", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"4: an extended head is cut", false, "", O P N "900400", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"5.2: a fault, and no route", false, "", "40010103" P N, "", BGP_SESSION_RESET, 1, 1},
	{"5.2: the same beside a withdrawal", false, V4, "40010103" P N, "", BGP_SESSION_RESET, 1, 1},
	{"5.2: a discard is no reason", false, "", O P N "40060100", "", BGP_ATTRIBUTE_DISCARD, 0, 6},
	{"5.2: MP_REACH without a route", false, "", "800e15" "00020110" "20010db8000000000000000000000001" "00" "40010103" P,
	 "", BGP_SESSION_RESET, 1, 1},
	{"5.2: MP_UNREACH alone is well-specified", false, "", "c00f08" "000201" "2020010db8", "", BGP_TREAT_AS_WITHDRAW, 0, 15},
	{"5.3: 33 bits", false, "", O P N, "210a01000000", BGP_SESSION_RESET, 10, 0},
	{"5.3: withdrawn octets are missing", false, "180a01", "", "", BGP_SESSION_RESET, 10, 0},
	{"5.3: 129 bits", false, "", "800f15" "000201" "81" "20010db800000000000000000000000000", "", BGP_SESSION_RESET, 9, 15},
	{"5.4: an unknown family is skipped", false, "", "800e0b" "00194604" "0a000001" "00" "0203" O P, "", BGP_ACCEPT, 0, 0},
	{"7.1: ORIGIN 3", false, "", "40010103" P N, V4, BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"7.1: ORIGIN is empty", false, "", "400100" P N, V4, BGP_TREAT_AS_WITHDRAW, 0, 1},
	{"7.2: a segment of type 5", false, "", O "4002060501" "0000fde9" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.2: a segment without AS", false, "", O "40020202" "00" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.2: a segment is cut", false, "", O "4002060202" "0000fde9" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.2: half a segment's head", false, "", O "4002070201" "0000fde9" "02" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.2: another AS is first", false, "", O "4002060201" "0000fdea" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.2: an empty path from outside", false, "", O "400200" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"5065 5: a confederation's segment", false, "", O "40020c0301" "0000fdea" "0201" "0000fde9" N, V4,
	 BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7607 2: AS 0", false, "", O "40020a0202" "0000fde9" "00000000" N, V4, BGP_TREAT_AS_WITHDRAW, 0, 2},
	{"7.3: NEXT_HOP of 5 octets", false, "", O P "4003050a00000200", V4, BGP_TREAT_AS_WITHDRAW, 0, 3},
	{"4271 6.3: NEXT_HOP is multicast", false, "", O P "400304e0000001", V4, BGP_TREAT_AS_WITHDRAW, 0, 3},
	{"4760 3: which beside IPv6 means nothing", false, "", REACH O P "400304e0000001", "", BGP_ACCEPT, 0, 0},
	{"7.4: MED of 3", false, "", O P N "800403000001", V4, BGP_TREAT_AS_WITHDRAW, 0, 4},
	{"7.5: LOCAL_PREF from outside", false, "", O P N L, V4, BGP_ATTRIBUTE_DISCARD, 0, 5},
	{"7.5: LOCAL_PREF from outside, whatever it is", false, "", O P N "40050100", V4, BGP_ATTRIBUTE_DISCARD, 0, 5},
	{"7.5: LOCAL_PREF of 1 from inside", true, "", O "400200" N "40050100", V4, BGP_TREAT_AS_WITHDRAW, 0, 5},
	{"7.6: ATOMIC_AGGREGATE with octets", false, "", O P N "40060100", V4, BGP_ATTRIBUTE_DISCARD, 0, 6},
	{"7.7: AGGREGATOR of 6, for 4-octet AS numbers", false, "", O P N "c00706fde90a000001", V4, BGP_ATTRIBUTE_DISCARD,
	 0, 7},
	{"7607 2: AGGREGATOR of AS 0", false, "", O P N "c00708000000000a000001", V4, BGP_ATTRIBUTE_DISCARD, 0, 7},
	{"7.8: COMMUNITIES of 5", false, "", O P N "c00805fde9000100", V4, BGP_TREAT_AS_WITHDRAW, 0, 8},
	{"7.8: none", false, "", O P N "c00800", V4, BGP_TREAT_AS_WITHDRAW, 0, 8},
	{"7.9: ORIGINATOR_ID from outside", false, "", O P N "8009040a000001", V4, BGP_ATTRIBUTE_DISCARD, 0, 9},
	{"7.9: of 3 from inside", true, "", O "400200" N L "8009030a0000", V4, BGP_TREAT_AS_WITHDRAW, 0, 9},
	{"7.10: CLUSTER_LIST from outside", false, "", O P N "800a040a000001", V4, BGP_ATTRIBUTE_DISCARD, 0, 10},
	{"7.10: of 6 from inside", true, "", O "400200" N L "800a060a0000010a00", V4, BGP_TREAT_AS_WITHDRAW, 0, 10},
	{"7.11: MP_REACH's next hop of 15", false, "", "800e19" "0002010f" "20010db80000000000000000000001" "00" "2020010db8"
	 O P, "", BGP_AFISAFI_DISABLE, 0, 14},
	{"7.11: of 4 for IPv6", false, "", "800e0e" "00020104" "0a000001" "00" "2020010db8" O P, "", BGP_AFISAFI_DISABLE, 0,
	 14},
	{"8950: of 16 for IPv4, not negotiated", false, "", "800e19" "00010110" "20010db8000000000000000000000001" "00" V4
	 O P, "", BGP_AFISAFI_DISABLE, 0, 14},
	{"7.11: beyond the attribute", false, "", "800e08" "00020110" "20010db8" O P, "", BGP_SESSION_RESET, 9, 14},
	{"7.12: MP_UNREACH without a family", false, "", "800f020002", "", BGP_SESSION_RESET, 9, 15},
	{"7.14: EXTENDED_COMMUNITIES of 7", false, "", O P N "c0100700020000000000", V4, BGP_TREAT_AS_WITHDRAW, 0, 16},
	{"7.15: IPv6's of 8", false, "", O P N "c019080002000000000000", V4, BGP_TREAT_AS_WITHDRAW, 0, 25},
	{"8092 6: LARGE_COMMUNITIES of 8", false, "", O P N "c020080000fde900000001", V4, BGP_TREAT_AS_WITHDRAW, 0, 32},
	{"6793 4.1: AS4_PATH from a new speaker", false, "", O P N "c011060201" "0000fde9", V4, BGP_ATTRIBUTE_DISCARD, 0, 17},
	{"6793 4.1: and AS4_AGGREGATOR", false, "", O P N "c012080000fde90a000001", V4, BGP_ATTRIBUTE_DISCARD, 0, 18},
	{"9234 5: OTC of 3", false, "", O P N "c0230300fde9", V4, BGP_TREAT_AS_WITHDRAW, 0, 35},
	{"9234 5: OTC isn't transitive", false, "", O P N "8023040000fde9", V4, BGP_TREAT_AS_WITHDRAW, 0, 35},
	{"6514 5: PMSI of type 9", false, "", O P N "c0160500090000 00", V4, BGP_TREAT_AS_WITHDRAW, 0, 22},
	{"9012 13: a tunnel is cut", false, "", O P N "c0170400010001", V4, BGP_TREAT_AS_WITHDRAW, 0, 23},
	{"7311 3: AIGP is transitive", false, "", O P N "c01a0b01000b0000000000000001", V4, BGP_ATTRIBUTE_DISCARD, 0, 26},
	{"7311 3: AIGP", false, "", O P N "801a0b01000b0000000000000001", V4, BGP_ACCEPT, 0, 0},
	{"8669 6: a label index of 3", false, "", O P N "c02806010003000000", V4, BGP_ATTRIBUTE_DISCARD, 0, 40},
	{"8955 4.1: a flow that is cut", false, "", "800e0a" "00018500" "00" "05038106" "00" O P, "", BGP_SESSION_RESET, 9, 14},
	{"8955 4.1: a flow without components", false, "", "800e06" "00018500" "00" "00" O P, "", BGP_SESSION_RESET, 9, 14},
	{"8955 4.2: components out of order", false, "", "800e0c" "00018500" "00" "06" "048106" "038106" O P, "",
	 BGP_AFISAFI_DISABLE, 0, 14},
	{"8955 4.2: also when withdrawn", false, "", "800f0a" "000185" "06" "048106" "038106", "", BGP_AFISAFI_DISABLE, 0, 15},
	{"8955 4.2: a component that nobody knows", false, "", "800e09" "00018500" "00" "03fe8106" O P, "", BGP_AFISAFI_DISABLE,
	 0, 14},
	{"8955 4: FlowSpec's next hop is ignored", false, "", "800e0d" "00018504" "0a000001" "00" "03038106" O P, "",
	 BGP_ACCEPT, 0, 0},
};

static size_t
body_make(const char *withdrawn, const char *attributes, const char *announced, uint8_t body[static 4096])
{
	size_t at = 2 + unhex(withdrawn, body + 2, 1024);
	size_t len = unhex(attributes, body + at + 2, 1024);

	fill_u16(body, at - 2);
	fill_u16(body + at, len);
	at += 2 + len;
	return at + unhex(announced, body + at, 1024);
}

Test(update, judges_errors_by_rfc_7606)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct bgp_update_context context = {.as4 = true, .ibgp = rows[i].ibgp, .role = BGP_ROLE_NONE,
							   .peer_as = 65001};
		uint8_t body[4096];
		size_t len = body_make(rows[i].withdrawn, rows[i].attributes, rows[i].announced, body);
		struct bgp_update update;

		bgp_update_decode(body, len, &context, &update);
		cr_expect_eq(update.outcome, rows[i].outcome, "%s: %d (%s)", rows[i].rule, update.outcome,
			     update.fault ? update.fault : "-");
		cr_expect_eq(update.fault_type, rows[i].type, "%s: type %u", rows[i].rule, update.fault_type);
		cr_expect_eq(update.error.subcode, rows[i].subcode, "%s: 3/%u", rows[i].rule, update.error.subcode);
		cr_expect_eq(update.error.code, rows[i].subcode ? BGP_ERROR_UPDATE : 0, "%s", rows[i].rule);
		cr_expect_eq(!update.fault, rows[i].outcome == BGP_ACCEPT, "%s", rows[i].rule);
		cr_expect_eq(update.is_withdrawal, rows[i].outcome == BGP_TREAT_AS_WITHDRAW ||
			     (rows[i].outcome == BGP_SESSION_RESET && update.is_withdrawal), "%s", rows[i].rule);
	}
}

Test(update, refuses_lengths_beyond_the_message)
{
	static const char *const bodies[] = {"", "00", "0000", "000000", "00010000", "00000001", "ffff0000", "0000ffff"};
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		uint8_t body[8];
		struct bgp_update update;

		bgp_update_decode(body, unhex(bodies[i], body, sizeof(body)), &context, &update);
		cr_expect_eq(update.outcome, BGP_SESSION_RESET, "row %zu", i);
		cr_expect_eq(update.error.subcode, BGP_UPDATE_ATTRIBUTES, "row %zu", i);
	}
}

/* What is unreachable stays found although the rest is malformed (RFC 7606 2). */
Test(update, applies_the_withdrawals_of_an_update_that_is_treated_as_withdrawn)
{
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};
	uint8_t body[4096];
	size_t len = body_make("180a0200", "40010103" P N UNREACH, V4, body);
	struct bgp_update update;
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	bgp_update_decode(body, len, &context, &update);
	cr_assert(update.outcome == BGP_TREAT_AS_WITHDRAW && update.is_withdrawal);
	cr_assert(bgp_nlri_next(&update.withdrawn, &prefix));
	cr_expect_str_eq(prefix_format(&prefix, text), "10.2.0.0/24");
	cr_assert(bgp_nlri_next(&update.announced, &prefix));
	cr_expect_str_eq(prefix_format(&prefix, text), "10.1.0.0/24");
	cr_assert(bgp_nlri_next(&update.unreach, &prefix));
	cr_expect_str_eq(prefix_format(&prefix, text), "2001:db8::/32");
	cr_expect_not(bgp_nlri_next(&update.unreach, &prefix));
}

/* RFC 7606 3(h): a family that ends is no reason to take IPv4's routes away, a malformed attribute is. */
Test(update, disables_a_family_and_keeps_the_other)
{
	static const char bad_reach[] = "800e0e" "00020104" "0a000001" "00" "2020010db8" UNREACH;
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};
	uint8_t body[4096];
	char attributes[512];
	struct bgp_update update;

	for (int malformed = 0; malformed < 2; malformed++) {
		snprintf(attributes, sizeof(attributes), "%s%s", bad_reach, malformed ? "40010103" P N : O P N);
		bgp_update_decode(body, body_make("", attributes, V4, body), &context, &update);
		cr_expect_eq(update.outcome, BGP_AFISAFI_DISABLE);
		cr_expect(update.disabled.is_known && update.disabled.family == BGP_V6);
		cr_expect(update.reach.len == 0 && update.unreach.len == 0 && update.announced.len == 4);
		cr_expect_eq(update.is_withdrawal, malformed);
	}
}

static const struct {
	const char *withdrawn, *attributes, *announced;
	bool is_end;
	int family; /* -1: none of ours */
} ends[] = {
	{"", "", "", true, BGP_V4},
	{"", "800f03000201", "", true, BGP_V6},
	{"", "900f0003000185", "", true, BGP_FLOW4},
	{"", "800f03000285", "", true, BGP_FLOW6},
	{"", "800f03000101", "", true, BGP_V4},
	{"", "800f03001946", "", true, -1},
	{V4, "", "", false, 0},
	{V4, "800f03000201", "", false, 0},
	{"", UNREACH, "", false, 0},
	{"", O "800f03000201", "", false, 0},
	{"", O P N, V4, false, 0},
};

Test(update, knows_the_end_of_rib)
{
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		uint8_t body[4096];
		struct bgp_update update;

		bgp_update_decode(body, body_make(ends[i].withdrawn, ends[i].attributes, ends[i].announced, body), &context,
				  &update);
		cr_expect_eq(update.is_end_of_rib, ends[i].is_end, "row %zu", i);
		if (!update.is_end_of_rib)
			continue;
		cr_expect_eq(update.unreach.is_known, ends[i].family >= 0, "row %zu", i);
		if (update.unreach.is_known)
			cr_expect_eq(update.unreach.family, (enum bgp_family)ends[i].family, "row %zu", i);
	}
}

static const struct {
	const char *path, *as4_path, *aggregator, *as4_aggregator;
	const char *merged; /* sets in braces */
	unsigned length;
	uint32_t aggregated_by;
} merges[] = {
	{"0202 fde9 fdea", "", "", "", "65001 65002", 2, 0},
	{"0203 fde9 5ba0 5ba0", "0202 00010001 00010002", "", "", "65001 65537 65538", 3, 0},
	{"0202 5ba0 5ba0", "0202 00010001 00010002", "", "", "65537 65538", 2, 0},
	{"0201 fde9", "0202 00010001 00010002", "", "", "65001", 1, 0}, /* RFC 6793 4.2.3: longer is ignored */
	{"0201 fde9 0102 fdea fdeb 0201 5ba0", "0201 00010001", "", "", "65001 {65002 65003} 65537", 3, 0},
	{"0202 fde9 5ba0 0102 5ba0 5ba0", "0201 00010001 0102 00010002 00010003", "", "", "65001 65537 {65538 65539}", 3, 0},
	{"0202 fde9 5ba0", "0301 0000fdf0 0201 00010001", "", "", "65001 65537", 2, 0}, /* 6: a confederation's is skipped */
	{"0201 5ba0", "0201 00010001", "5ba0 0a000001", "00010001 0a000001", "65537", 1, 65537},
	{"0201 5ba0", "0201 00010001", "fdea 0a000001", "00010001 0a000001", "23456", 1, 65002}, /* an old one aggregated */
	{"0201 5ba0", "0200", "", "", "23456", 1, 0},		 /* 6: malformed, so discarded */
	{"0201 5ba0", "0501 00010001", "", "", "23456", 1, 0},
};

static void
attribute_add(char *out, const char *head, const char *value)
{
	uint8_t octets[256];
	size_t len = unhex(value, octets, sizeof(octets));

	if (len > 0)
		sprintf(out + strlen(out), "%s%02zx%s", head, len, value);
}

static char *
path_text(const struct bgp_as_path *path, char *text)
{
	struct bgp_as_walk walk = bgp_as_path_walk(path);
	bool in_set = false;
	uint32_t as;

	text[0] = '\0';
	while (bgp_as_walk_next(&walk, &as)) {
		bool is_set = walk.type == BGP_AS_SET;

		sprintf(text + strlen(text), "%s%s%s%u", in_set && !is_set ? "}" : "", text[0] ? " " : "",
			is_set && !in_set ? "{" : "", as);
		in_set = is_set;
	}
	return in_set ? strcat(text, "}") : text;
}

Test(update, merges_the_paths_of_old_speakers)
{
	const struct bgp_update_context context = {.role = BGP_ROLE_NONE};

	for (size_t i = 0; i < ARRAY_LEN(merges); i++) {
		char attributes[512] = O N;
		char text[512];
		uint8_t body[4096];
		struct bgp_update update;
		const struct bgp_as_path *path = &update.attributes.as_path;

		attribute_add(attributes, "4002", merges[i].path);
		attribute_add(attributes, "c011", merges[i].as4_path);
		attribute_add(attributes, "c007", merges[i].aggregator);
		attribute_add(attributes, "c012", merges[i].as4_aggregator);
		bgp_update_decode(body, body_make("", attributes, V4, body), &context, &update);
		cr_expect_leq(update.outcome, BGP_ATTRIBUTE_DISCARD, "row %zu", i);
		cr_expect_str_eq(path_text(path, text), merges[i].merged, "row %zu: %s", i, text);
		cr_expect_eq(bgp_as_path_length(path), merges[i].length, "row %zu: %u", i, bgp_as_path_length(path));
		cr_expect_eq(update.attributes.aggregator.as, merges[i].aggregated_by, "row %zu", i);
	}
}

Test(update, knows_a_paths_ends)
{
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};
	uint8_t body[4096];
	struct bgp_update update;

	bgp_update_decode(body, body_make("", O "40020e0203" "000000010000000200000003" N, V4, body), &context, &update);
	cr_expect_eq(bgp_as_path_neighbour(&update.attributes.as_path), 1);
	cr_expect_eq(bgp_as_path_origin(&update.attributes.as_path), 3);
	cr_expect(bgp_as_path_contains(&update.attributes.as_path, 2));
	cr_expect_not(bgp_as_path_contains(&update.attributes.as_path, 4));
	bgp_update_decode(body, body_make("", O "40020c0201" "00000001" "0101" "00000002" N, V4, body), &context, &update);
	cr_expect_eq(bgp_as_path_neighbour(&update.attributes.as_path), 1);
	cr_expect_eq(bgp_as_path_origin(&update.attributes.as_path), 0, "it ends in a set");
	bgp_update_decode(body, body_make("", O "400200" N, V4, body), &context, &update);
	cr_expect_eq(bgp_as_path_neighbour(&update.attributes.as_path), 0);
	cr_expect_eq(bgp_as_path_origin(&update.attributes.as_path), 0);
	cr_expect_eq(bgp_as_path_length(&update.attributes.as_path), 0);
}

/* RFC 9234 5, from a peer of AS 65001 to us in each role. */
static const struct {
	enum bgp_role role;
	uint32_t otc; /* 0: none came */
	bool is_leak;
	uint32_t after;
} roles[] = {
	{BGP_ROLE_PROVIDER, 0, false, 0},
	{BGP_ROLE_PROVIDER, 65001, true, 65001},
	{BGP_ROLE_RS, 0, false, 0},
	{BGP_ROLE_RS, 64999, true, 64999},
	{BGP_ROLE_RS_CLIENT, 0, false, 65001},
	{BGP_ROLE_RS_CLIENT, 64999, false, 64999},
	{BGP_ROLE_CUSTOMER, 0, false, 65001},
	{BGP_ROLE_CUSTOMER, 64999, false, 64999},
	{BGP_ROLE_PEER, 0, false, 65001},
	{BGP_ROLE_PEER, 65001, false, 65001},
	{BGP_ROLE_PEER, 64999, true, 64999},
	{BGP_ROLE_NONE, 0, false, 0},
	{BGP_ROLE_NONE, 64999, false, 64999},
};

Test(update, finds_leaks_by_role)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		const struct bgp_update_context context = {.as4 = true, .role = roles[i].role, .peer_as = 65001};
		char attributes[256] = O P N;
		uint8_t body[4096];
		struct bgp_update update;

		if (roles[i].otc)
			sprintf(attributes + strlen(attributes), "c02304%08x", roles[i].otc);
		bgp_update_decode(body, body_make("", attributes, V4, body), &context, &update);
		cr_expect_eq(update.outcome, BGP_ACCEPT);
		cr_expect(update.is_leak == roles[i].is_leak && update.is_withdrawal == roles[i].is_leak, "row %zu", i);
		cr_expect_eq(bgp_has(&update.attributes, BGP_OTC) ? update.attributes.otc : 0, roles[i].after, "row %zu", i);
	}
}

Test(update, reads_next_hops_of_every_length)
{
	static const char hop[] = "20010db8000000000000000000000001" "fe800000000000000000000000000002";
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE, .extended_next_hop = true};
	char attributes[512];
	char text[ADDR_TEXT_MAX];
	uint8_t body[4096];
	struct bgp_update update;

	for (unsigned afi = 1; afi <= 2; afi++) {
		for (int octets = 16; octets <= 32; octets += 16) {
			sprintf(attributes, "800e%02x%04x01%02x%.*s0018200100" O P, octets + 9, afi, octets, 2 * octets, hop);
			bgp_update_decode(body, body_make("", attributes, "", body), &context, &update);
			cr_assert_eq(update.outcome, BGP_ACCEPT, "%s", update.fault);
			cr_expect_str_eq(addr_format(&update.reach_next_hop, text), "2001:db8::1");
			cr_expect_eq(update.reach_link_local.family, octets == 32 ? ADDR_V6 : ADDR_NONE);
		}
	}
}

Test(update, walks_flows_of_both_length_forms)
{
	const struct bgp_update_context context = {.as4 = true, .role = BGP_ROLE_NONE};
	char attributes[2048];
	uint8_t body[4096];
	struct bgp_update update;
	struct bgp_octets flow;

	/* 241 octets of protocol terms, behind three. */
	sprintf(attributes, "900e00fc" "00018500" "00" "03038106" "f0f1" "03");
	for (int i = 0; i < 120; i++)
		sprintf(attributes + strlen(attributes), "%02x06", i == 119 ? 0x81 : 0x01);
	strcat(attributes, O P);
	bgp_update_decode(body, body_make("", attributes, "", body), &context, &update);
	cr_assert_eq(update.outcome, BGP_ACCEPT, "%s", update.fault);
	cr_assert(bgp_nlri_next_flow(&update.reach, &flow));
	cr_expect_eq(flow.len, 3);
	cr_assert(bgp_nlri_next_flow(&update.reach, &flow));
	cr_expect_eq(flow.len, 241);
	cr_expect_not(bgp_nlri_next_flow(&update.reach, &flow));
}
