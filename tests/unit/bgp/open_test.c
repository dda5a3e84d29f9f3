/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/open.h"
#include "hex.h"

static const struct {
	const char *body;
	int code, subcode; /* 0: sound */
} opens[] = {
	{"04fde900b40a4d080100", 0, 0},
	{"04fde900b40a4d0801", 2, 0}, /* without the parameters' length */
	{"03fde900b40a4d080100", 2, 1},
	{"04000000b40a4d080100", 2, 2},
	{"04fde900b40000000000", 2, 3},
	{"04fde900020a4d080100", 2, 6},
	{"04fde900000a4d080100", 0, 0}, /* no keepalives */
	{"04fde900b40a4d08010302010100", 2, 0},
	{"04fde900b40a4d080104090200ff", 2, 4},
	{"04fde900b40a4d0801080206410400000001", 0, 0},
	{"04fde900b40a4d0801080206410400000000", 2, 2}, /* RFC 7607 2 */
	{"04fde900b40a4d080102024600", 2, 0},
	{"04fde900b40a4d0801ffff0009020006410400000001", 0, 0}, /* RFC 9072 */
	{"04fde900b40a4d080104ff0009020006410400000001", 0, 0}, /* its first length may be anything but 0 */
	{"04fde900b40a4d0801ffff000a020006410400000001", 2, 0},
	{"04fde900b40a4d0801ffff0000", 0, 0},
	{"04fde900b40a4d080106" "0204" "40020078", 0, 0}, /* RFC 4724 3: a helper, no family */
	{"04fde900b40a4d080105" "0203" "400180", 2, 0},	      /* half a restart time */
	{"04fde900b40a4d080109" "0207" "40058014" "000101", 2, 0}, /* a family without its flags */
	{"04fde900b40a4d080105" "0203" "020100", 2, 0},	      /* RFC 2918: has no value */
	{"04fde900b40a4d080105" "0203" "060100", 2, 0},	      /* RFC 8654 */
	{"04fde900b40a4d080105" "0203" "090103", 0, 0},	      /* RFC 9234 */
	{"04fde900b40a4d080104" "0202" "0900", 2, 0},
	{"04fde900b40a4d080108" "0206" "090103" "090103", 0, 0},
	{"04fde900b40a4d080108" "0206" "090103" "090104", 2, 11}, /* RFC 9234 4.2 */
	{"04fde900b40a4d08010a" "0208" "0506" "000100010002", 0, 0}, /* RFC 8950 */
	{"04fde900b40a4d080109" "0207" "0505" "0001000100", 2, 0},
	{"04fde900b40a4d08010b" "0209" "4707" "00010100000e10", 0, 0}, /* RFC 9494 */
	{"04fde900b40a4d08010a" "0208" "4706" "00010100000e", 2, 0},
	{"04fde900b40a4d080107" "0205" "8503616263", 0, 0}, /* unknown */
	{"04fde900b40a4d080106" "0204" "85036162", 2, 0},   /* and longer than its parameter */
};

Test(open, judges_opens)
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

/* RFC 4271 4.2 with every capability, in one parameter (RFC 5492 4). */
Test(open, writes_an_open_octet_for_octet)
{
	static const char body[] = "006401" "04fde900090a4d0801" "47" "0245"
				   "010400010001" "010400020001" "010400010085" "0200" "0506000100010002" "0600" "090103"
				   "400ac014" "00010180" "00020100" "41040000fde9" "4600" "470e" "00010180000e10"
				   "00018500000001";
	struct bgp_open open;
	uint8_t message[BGP_MESSAGE_MAX];
	char text[2 * BGP_MESSAGE_MAX + 1];
	size_t len;

	bgp_open_init(&open);
	open.as2 = 65001;
	open.hold_s = 9;
	open.id = 0x0a4d0801;
	open.as4 = 65001;
	open.has_as4 = open.has_mp = open.route_refresh = open.enhanced_refresh = open.extended_message = true;
	open.extended_next_hop = open.graceful_restart = open.restarting = open.gr_notification = open.llgr = true;
	open.family[BGP_V4] = open.family[BGP_V6] = open.family[BGP_FLOW4] = true;
	open.role = BGP_ROLE_CUSTOMER;
	open.restart_s = 20;
	open.restart[BGP_V4] = (struct bgp_open_restart){true, true, true, true, 3600};
	open.restart[BGP_V6].is_listed = true;
	open.restart[BGP_FLOW4] = (struct bgp_open_restart){.is_long_lived = true, .llgr_s = 1};
	len = bgp_open_encode(&open, message);
	cr_expect_str_eq(hex(message + 16, len - 16, text), body, "%s", text);
}

Test(open, counts_capabilities_that_it_does_not_have)
{
	uint8_t body[64];
	size_t len = unhex("04fde900b40a4d0801 0a 0208 8501ff 4500 490161", body, sizeof(body));
	struct bgp_open open;
	struct bgp_error error;

	cr_assert_eq(bgp_open_decode(body, len, &open, &error), 0);
	cr_expect_eq(open.unknown, 3);
	cr_expect(open.family[BGP_V4] && !open.family[BGP_V6] && !open.has_mp, "RFC 4760 8: IPv4 unless told otherwise");
}

Test(open, takes_the_last_of_several_restart_capabilities)
{
	uint8_t body[64];
	size_t len = unhex("04fde900b40a4d0801 12 0210 4006 8014 00010180 4006 0078 00020100", body, sizeof(body));
	struct bgp_open open;
	struct bgp_error error;

	cr_assert_eq(bgp_open_decode(body, len, &open, &error), 0);
	cr_expect(!open.restarting && open.restart_s == 120);
	cr_expect(!open.restart[BGP_V4].is_listed && open.restart[BGP_V6].is_listed);
}

static uint32_t
draw(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*state >> 33);
}

static void
open_draw(uint64_t *state, struct bgp_open *open)
{
	memset(open, 0, sizeof(*open));
	bgp_open_init(open);
	open->as2 = (uint16_t)(1 + draw(state) % 65535);
	open->hold_s = (uint16_t)(3 + draw(state) % 65533);
	open->id = 1 + draw(state);
	open->has_as4 = draw(state) % 2;
	open->as4 = open->has_as4 ? 1 + draw(state) : 0;
	open->has_mp = draw(state) % 2;
	open->extended_parameters = draw(state) % 2;
	open->extended_next_hop = draw(state) % 2;
	open->route_refresh = draw(state) % 2;
	open->enhanced_refresh = draw(state) % 2;
	open->extended_message = draw(state) % 2;
	open->role = draw(state) % 2 ? BGP_ROLE_NONE : (enum bgp_role)(draw(state) % 5);
	open->graceful_restart = draw(state) % 2;
	open->llgr = draw(state) % 2;
	if (open->graceful_restart) {
		open->restarting = draw(state) % 2;
		open->gr_notification = draw(state) % 2;
		open->restart_s = draw(state) % 4096;
	}
	for (int i = 0; i < BGP_FAMILIES; i++) {
		struct bgp_open_restart *restart = &open->restart[i];

		open->family[i] = open->has_mp ? draw(state) % 2 : i == BGP_V4;
		restart->is_listed = open->graceful_restart && draw(state) % 2;
		restart->forwarding = restart->is_listed && draw(state) % 2;
		restart->is_long_lived = open->llgr && draw(state) % 2;
		restart->llgr_forwarding = restart->is_long_lived && draw(state) % 2;
		restart->llgr_s = restart->is_long_lived ? draw(state) & 0xffffff : 0;
	}
	/* Without any family, the capability can't be there, and IPv4 is meant. */
	if (open->has_mp && !open->family[0] && !open->family[1] && !open->family[2])
		open->family[BGP_FLOW6] = true;
}

Test(open, reads_back_what_it_writes)
{
	uint64_t state = 1;

	for (int round = 0; round < 20000; round++) {
		uint8_t message[BGP_MESSAGE_MAX];
		uint8_t again[BGP_MESSAGE_MAX];
		struct bgp_open open;
		struct bgp_open read;
		struct bgp_header header;
		struct bgp_error error = {0};
		size_t len;

		open_draw(&state, &open);
		len = bgp_open_encode(&open, message);
		cr_assert_eq(bgp_header_decode(message, false, &header, &error), 0);
		cr_assert_eq(header.len, len);
		cr_assert_eq(bgp_open_decode(message + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &read, &error), 0, "%u/%u",
			     error.code, error.subcode);
		cr_assert_eq(bgp_open_encode(&read, again), len);
		cr_assert_eq(memcmp(again, message, len), 0, "round %d", round);
		cr_assert(read.restart_s == open.restart_s && read.role == open.role && read.as4 == open.as4 &&
			  read.extended_parameters == open.extended_parameters &&
			  memcmp(read.family, open.family, sizeof(open.family)) == 0);
	}
}
