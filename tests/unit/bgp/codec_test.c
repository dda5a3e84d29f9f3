/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/codec.h"

static char *
hex(const uint8_t *octets, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", octets[i]);
	return text;
}

static size_t
unhex(const char *text, uint8_t *out, size_t room)
{
	size_t len = 0;
	unsigned value;

	while (len < room && sscanf(text + 2 * len, "%2x", &value) == 1)
		out[len++] = (uint8_t)value;
	return len;
}

static const struct {
	const char *prefix;
	uint32_t local_as;
	bool announce, ibgp, as4;
	const char *body; /* behind the marker */
} updates[] = {
	{"10.99.0.0/24", 65001, false, false, true, "001b02" "0004180a6300" "0000"},
	{"10.99.0.1/32", 65001, true, false, true,
	 "003002" "0000" "0014" "40010100" "4002060201" "0000fde9" "4003040a4d0801" "200a630001"},
	{"10.99.0.1/32", 4200000000, true, false, false,
	 "003702" "0000" "001b" "40010100" "4002040201" "5ba0" "4003040a4d0801" "c011060201fa56ea00" "200a630001"},
	{"10.99.0.1/32", 65001, true, true, true,
	 "003102" "0000" "0015" "40010100" "400200" "4003040a4d0801" "40050400000064" "200a630001"},
	{"fd99::/64", 65001, false, false, true, "002702" "0000" "0010" "900f000c" "000201" "40fd99000000000000"},
	{"fd99::/64", 65001, true, false, true,
	 "004602" "0000" "002f" "40010100" "4002060201" "0000fde9" "900e001e" "000201" "10"
	 "fd770008000000000000000000000001" "00" "40fd99000000000000"},
};

Test(codec, writes_updates_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
		struct bgp_route route = {.local_as = updates[i].local_as, .ibgp = updates[i].ibgp,
					  .peer_as4 = updates[i].as4};
		uint8_t message[BGP_MESSAGE_MAX];
		char text[2 * BGP_MESSAGE_MAX + 1];
		struct prefix prefix;
		enum bgp_family family;
		size_t taken;
		size_t len;

		cr_assert_eq(prefix_parse(updates[i].prefix, &prefix), 0);
		family = prefix.addr.family == ADDR_V4 ? BGP_V4 : BGP_V6;
		cr_assert_eq(addr_parse(family == BGP_V4 ? "10.77.8.1" : "fd77:8::1", &route.next_hop), 0);
		len = bgp_update_encode(updates[i].announce ? &route : NULL, family, &prefix, 1, &taken, message);
		cr_expect_str_eq(hex(message + 16, len - 16, text), updates[i].body, "row %zu: %s", i, text);
		cr_expect_eq(taken, 1);
	}
}

Test(codec, fills_a_message_and_no_more)
{
	static struct prefix prefixes[2000];
	uint8_t message[BGP_MESSAGE_MAX];
	struct bgp_error error;
	size_t taken;
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		uint8_t octets[4] = {10, 99, (uint8_t)(i >> 8), (uint8_t)i};
		struct addr addr = addr_v4(octets);

		prefixes[i] = prefix_of(&addr, 32);
	}
	len = bgp_update_encode(NULL, BGP_V4, prefixes, ARRAY_LEN(prefixes), &taken, message);
	cr_expect_eq(taken, (BGP_MESSAGE_MAX - 23) / 5);
	cr_expect_leq(len, BGP_MESSAGE_MAX);
	cr_expect_eq(bgp_update_check(message + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &error), 0);
}

static const struct {
	const char *body;
	int code, subcode; /* 0: sound */
} opens[] = {
	{"04fde900b40a4d080100", 0, 0},
	{"03fde900b40a4d080100", 2, 1},
	{"04000000b40a4d080100", 2, 2},
	{"04fde900b40000000000", 2, 3},
	{"04fde900020a4d080100", 2, 6},
	{"04fde900b40a4d08010302010100", 2, 0},
	{"04fde900b40a4d080104090200ff", 2, 4},
	{"04fde900b40a4d0801080206410400000001", 0, 0},
	{"04fde900b40a4d080102024600", 2, 0},
	{"04fde900b40a4d0801ffff0009020006410400000001", 0, 0}, /* RFC 9072 */
	{"04fde900b40a4d080106" "0204" "40020078", 0, 0}, /* RFC 4724 3: a helper, no family */
	{"04fde900b40a4d080105" "0203" "400180", 2, 0},	      /* half a restart time */
	{"04fde900b40a4d080109" "0207" "40058014" "000101", 2, 0}, /* a family without its flags */
};

Test(codec, judges_opens)
{
	for (size_t i = 0; i < ARRAY_LEN(opens); i++) {
		uint8_t body[128];
		size_t len = unhex(opens[i].body, body, sizeof(body));
		struct bgp_open open;
		struct bgp_error error = {0};
		int err = bgp_open_decode(body, len, &open, &error);

		cr_expect_eq(err != 0, opens[i].code != 0, "row %zu", i);
		cr_expect(error.code == opens[i].code && error.subcode == opens[i].subcode, "row %zu: %u/%u", i,
			  error.code, error.subcode);
	}
}

/* RFC 4271 4.2 with RFC 4760, 2918, 4724 and 6793, in one parameter (RFC 5492 4). */
Test(codec, writes_an_open_octet_for_octet_and_reads_it_back)
{
	static const char body[] = "003f01" "04fde900090a4d0801" "22" "0220" "010400010001" "010400020001" "0200"
				   "400a8014" "00010180" "00020180" "41040000fde9";
	const struct bgp_open open = {.version = 4,
				      .as2 = 65001,
				      .hold_s = 9,
				      .id = 0x0a4d0801,
				      .as4 = 65001,
				      .has_as4 = true,
				      .has_mp = true,
				      .family = {true, true},
				      .route_refresh = true,
				      .graceful_restart = true,
				      .restarting = true,
				      .restart_s = 20};
	uint8_t message[BGP_MESSAGE_MAX];
	char text[2 * BGP_MESSAGE_MAX + 1];
	size_t len = bgp_open_encode(&open, message);
	struct bgp_error error;
	struct bgp_open read;

	cr_expect_str_eq(hex(message + 16, len - 16, text), body, "%s", text);
	cr_assert_eq(bgp_open_decode(message + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &read, &error), 0);
	cr_expect(read.graceful_restart && read.restarting && read.restart_s == 20);
	cr_expect(read.family[BGP_V4] && read.family[BGP_V6] && read.route_refresh);
	cr_expect_eq(read.as4, 65001);
}

/* Decodes a heap copy of exactly len octets, so that a sanitizer sees a read past the end. */
static bool
message_is_sound(const uint8_t *octets, size_t len)
{
	struct bgp_error error = {0};
	struct bgp_header header;
	struct bgp_open open;
	enum bgp_family family;
	bool known;
	uint8_t *copy = malloc(len + 1);
	uint8_t *exact = copy + 1;
	int err = -1;

	memcpy(exact, octets, len);
	if (len >= BGP_HEADER_LEN && bgp_header_decode(exact, &header, &error) == 0 && header.len == len) {
		size_t body_len = len - BGP_HEADER_LEN;

		err = 0;
		if (header.type == BGP_OPEN)
			err = bgp_open_decode(exact + BGP_HEADER_LEN, body_len, &open, &error);
		else if (header.type == BGP_UPDATE)
			err = bgp_update_check(exact + BGP_HEADER_LEN, body_len, &error);
		else if (header.type == BGP_NOTIFICATION)
			bgp_notification_decode(exact + BGP_HEADER_LEN, body_len, &error);
		else if (header.type == BGP_ROUTE_REFRESH)
			err = bgp_route_refresh_decode(exact + BGP_HEADER_LEN, body_len, &family, &known, &error);
	}
	/* Whatever the declared length says, a body of this length is read within its bounds. */
	if (len >= BGP_HEADER_LEN) {
		struct bgp_error ignored;

		(void)!bgp_open_decode(exact + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &open, &ignored);
		(void)!bgp_update_check(exact + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &ignored);
		bgp_notification_decode(exact + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &ignored);
	}
	free(copy);
	return err == 0;
}

/* Sound by the RFCs that their speakers follow, not by those that this codec does. */
static const char *const not_ours[] = {
	"c9158e59b1c9", /* RFC 6286: an identifier that is no unicast address */
	"b93965149f78", "e02b177f95e3", /* RFC 5291: a ROUTE-REFRESH with outbound route filters */
};

static bool
is_ours(const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(not_ours); i++) {
		if (strstr(line, not_ours[i]))
			return false;
	}
	return true;
}

Test(codec, reads_foreign_messages_whole_and_cut)
{
	const char *folder = getenv("NEARCAST_SHARED");
	char path[4096];
	static char line[65536];
	unsigned valid = 0;
	unsigned refused = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/bgp/messages.jsonl", folder ? folder : SHARED_DEFAULT);
	file = fopen(path, "r");
	if (!file)
		cr_skip_test("no test data at %s", path);
	while (fgets(line, sizeof(line), file)) {
		static uint8_t octets[32768];
		const char *at = strstr(line, "\"hex\":\"");
		size_t len = at ? unhex(at + 7, octets, sizeof(octets)) : 0;
		bool sound = message_is_sound(octets, len);

		for (size_t cut = 0; cut < len; cut++)
			(void)message_is_sound(octets, cut);
		if (!is_ours(line) || !strstr(line, "\"expect\":\"valid\"") || !strstr(line, "\"in_scope\":true") ||
		    !strstr(line, "\"framed\":true") || strstr(line, "\"addpath\":true"))
			continue;
		valid++;
		if (!sound && ++refused <= 10)
			printf("refused: %.200s\n", line);
	}
	fclose(file);
	cr_expect_gt(valid, 0);
	cr_expect_eq(refused, 0, "%u of %u valid messages refused", refused, valid);
}
