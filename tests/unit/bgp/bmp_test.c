/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets against octets, written by hand from RFC 7854 4 and RFC 8671 4. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bgp/bmp.h"

static uint8_t out[65536 + 512];

static struct addr
addr(const char *text)
{
	struct addr a;

	cr_assert_eq(addr_parse(text, &a), 0);
	return a;
}

static size_t
unhex(const char *hex, uint8_t *octets)
{
	size_t n = 0;
	unsigned value;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		cr_assert_eq(sscanf(hex, "%2x", &value), 1);
		octets[n++] = (uint8_t)value;
		hex += 2;
	}
	return n;
}

static void
expect(const struct writer *w, const char *hex)
{
	uint8_t wanted[512];
	size_t n = unhex(hex, wanted);

	cr_assert(!w->failed);
	cr_assert_eq(written_since(w, out), n, "%zu octets, not %zu", written_since(w, out), n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(out[i], wanted[i], "octet %zu is %02x, not %02x", i, out[i], wanted[i]);
}

#define MARKER "ffffffffffffffffffffffffffffffff "
#define PEER_V4 "00 00 0000000000000000 000000000000000000000000 0a4d0002 0000fdea c0000201 65000001 0001e240 "
#define PEER_V6 "00 80 0000000000000000 fd770000000000000000000000000002 fa56ea0a c0000201 65000001 0001e240 "

static struct bmp_peer
peer_v4(void)
{
	return (struct bmp_peer){.address = addr("10.77.0.2"), .as = 65002, .router_id = 0xc0000201,
				 .time_us = UINT64_C(0x65000001) * 1000000 + 123456};
}

Test(bmp, begins_with_who_we_are_and_ends_with_why)
{
	struct writer w = writer_init(out, sizeof(out));

	bmp_initiation_encode(&w, "edge1", "nearcast");
	expect(&w, "03 0000001b 04 0001 0008 6e65617263617374 0002 0005 6564676531");
	w = writer_init(out, sizeof(out));
	bmp_termination_encode(&w, BMP_TERMINATED_BY_OPERATOR);
	expect(&w, "03 0000000c 05 0001 0002 0000");
}

Test(bmp, tells_of_a_peer_that_is_up_with_both_opens)
{
	static const uint8_t sent[] = {1, 2, 3}, received[] = {4, 5};
	struct bmp_peer peer = peer_v4();
	struct bmp_up up = {.local = addr("10.77.0.1"), .local_port = 40000, .peer_port = 179,
			    .sent_open = {sent, 3}, .received_open = {received, 2}, .name = "r1"};
	struct writer w = writer_init(out, sizeof(out));

	bmp_peer_up_encode(&w, &peer, &up);
	expect(&w, "03 0000004f 03 " PEER_V4 "000000000000000000000000 0a4d0001 9c40 00b3 010203 0405 0000 0002 7231");
	peer.address = addr("fd77::2");
	peer.as = 4200000010;
	up.local = addr("fd77::1");
	w = writer_init(out, sizeof(out));
	bmp_peer_up_encode(&w, &peer, &up);
	expect(&w, "03 0000004f 03 " PEER_V6 "fd770000000000000000000000000001 9c40 00b3 010203 0405 0000 0002 7231");
	up.local.family = ADDR_NONE;
	w = writer_init(out, sizeof(out));
	bmp_peer_up_encode(&w, &peer, &up);
	expect(&w, "03 0000004f 03 " PEER_V6 "00000000000000000000000000000000 9c40 00b3 010203 0405 0000 0002 7231");
}

Test(bmp, says_why_a_peer_is_down_as_its_reason_asks)
{
	static const struct {
		enum bmp_down reason;
		const char *wanted;
	} rows[] = {
		{BMP_DOWN_LOCAL_NOTIFICATION, "03 00000046 02 " PEER_V4 "01 " MARKER "0015 03 06 02"},
		{BMP_DOWN_LOCAL_EVENT, "03 00000033 02 " PEER_V4 "02 0012"},
		{BMP_DOWN_REMOTE_NOTIFICATION, "03 00000046 02 " PEER_V4 "03 " MARKER "0015 03 06 02"},
		{BMP_DOWN_REMOTE, "03 00000031 02 " PEER_V4 "04"},
		{BMP_DOWN_DECONFIGURED, "03 00000031 02 " PEER_V4 "05"},
	};
	struct bmp_peer peer = peer_v4();
	uint8_t octets[32];
	struct bmp_pdu notification = {octets, unhex(MARKER "0015 03 06 02", octets)};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct writer w = writer_init(out, sizeof(out));

		bmp_peer_down_encode(&w, &peer, rows[i].reason, &notification, 18);
		expect(&w, rows[i].wanted);
	}
}

Test(bmp, flags_routes_by_where_they_were_seen)
{
	static const struct {
		bool is_out, is_as2;
		const char *flags; /* V 80, L 40, A 20, O 10 */
	} rows[] = {{false, false, "00"}, {false, true, "20"}, {true, false, "50"}, {true, true, "70"}};
	uint8_t octets[32];
	struct bmp_pdu end_of_rib = {octets, unhex(MARKER "0017 02 0000 0000", octets)};
	char wanted[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bmp_peer peer = peer_v4();
		struct writer w = writer_init(out, sizeof(out));

		peer.is_out = rows[i].is_out;
		peer.is_as2 = rows[i].is_as2;
		bmp_route_monitoring_encode(&w, &peer, &end_of_rib);
		snprintf(wanted, sizeof(wanted), "03 00000047 00 00 %s %s" MARKER "0017 02 0000 0000", rows[i].flags,
			 &PEER_V4[strlen("00 00 ")]);
		expect(&w, wanted);
	}
}

Test(bmp, counts_with_gauges_of_64_bits_and_counters_of_32)
{
	static const struct bmp_count counts[] = {
		{BMP_STAT_ROUTES_OUT, UINT64_C(0x100000002)}, {BMP_STAT_TREATED_AS_WITHDRAW, 3}, {BMP_STAT_ROUTES_IN, 4}};
	struct bmp_peer peer = peer_v4();
	struct writer w = writer_init(out, sizeof(out));

	bmp_stats_encode(&w, &peer, counts, 3);
	expect(&w, "03 00000054 01 " PEER_V4 "00000003 000f 0008 0000000100000002 000b 0004 00000003 "
		   "0007 0008 0000000000000004");
}

Test(bmp, takes_the_largest_message_of_bgp_and_fails_without_room)
{
	static uint8_t update[65535];
	struct bmp_pdu pdu = {update, sizeof(update)};
	struct bmp_peer peer = peer_v4();
	struct writer w;

	for (size_t room = 0; room < sizeof(update) + BMP_UPDATE_OVERHEAD; room += room < 64 ? 1 : 9973) {
		w = writer_init(out, room);
		bmp_route_monitoring_encode(&w, &peer, &pdu);
		cr_assert(w.failed, "in %zu octets", room);
	}
	w = writer_init(out, sizeof(update) + BMP_UPDATE_OVERHEAD);
	bmp_route_monitoring_encode(&w, &peer, &pdu);
	cr_assert(!w.failed);
	cr_assert_eq(writer_left(&w), 0);
}

Test(bmp, cuts_a_text_that_its_length_can_not_say)
{
	char text[1000];
	struct writer w = writer_init(out, sizeof(out));

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	bmp_initiation_encode(&w, text, text);
	cr_assert_eq(written_since(&w, out), 6 + 2 * (4 + 255));
}
