/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets against octets, written by hand from RFC 6396 3 and 4.4. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bgp/mrt.h"

static uint8_t out[65536 + 512];

static struct addr
addr(const char *text)
{
	struct addr a;

	cr_assert_eq(addr_parse(text, &a), 0);
	return a;
}

static void
expect(const struct writer *w, const char *hex)
{
	size_t n = 0;
	unsigned value;

	cr_assert(!w->failed);
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		cr_assert_eq(sscanf(hex++, "%2x", &value), 1);
		cr_assert_eq(out[n], value, "octet %zu is %02x, not %02x", n, out[n], value);
		n++;
	}
	cr_assert_eq(written_since(w, out), n, "%zu octets, not %zu", written_since(w, out), n);
}

static struct mrt_session
session(const char *peer, const char *local)
{
	return (struct mrt_session){.peer = addr(peer), .local = addr(local), .peer_as = 65002, .local_as = 4200000010,
				    .time_us = UINT64_C(0x65000001) * 1000000 + 123456};
}

#define V4 "0000 0001 0a4d0002 0a4d0001 "
#define V6 "0000 0002 fd770000000000000000000000000002 fd770000000000000000000000000001 "
#define BODY "0102030405"

Test(mrt, tells_sent_from_received_and_two_octets_from_four)
{
	static const struct {
		bool is_sent, is_as2, is_v6;
		const char *wanted;
	} rows[] = {
		{false, false, false, "65000001 0011 0004 0000001d 0001e240 0000fdea fa56ea0a " V4 BODY},
		{true, false, false, "65000001 0011 0007 0000001d 0001e240 0000fdea fa56ea0a " V4 BODY},
		{false, true, false, "65000001 0011 0001 00000019 0001e240 fdea 5ba0 " V4 BODY},
		{true, true, false, "65000001 0011 0006 00000019 0001e240 fdea 5ba0 " V4 BODY},
		{false, false, true, "65000001 0011 0004 00000035 0001e240 0000fdea fa56ea0a " V6 BODY},
		{true, true, true, "65000001 0011 0006 00000031 0001e240 fdea 5ba0 " V6 BODY},
	};
	static const uint8_t octets[] = {1, 2, 3, 4, 5};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mrt_session s = rows[i].is_v6 ? session("fd77::2", "fd77::1") : session("10.77.0.2", "10.77.0.1");
		struct writer w = writer_init(out, sizeof(out));

		s.is_as2 = rows[i].is_as2;
		mrt_message_encode(&w, &s, rows[i].is_sent, octets, sizeof(octets));
		expect(&w, rows[i].wanted);
	}
}

Test(mrt, counts_states_from_one)
{
	struct mrt_session s = session("10.77.0.2", "10.77.0.1");
	struct writer w = writer_init(out, sizeof(out));

	mrt_state_encode(&w, &s, BGP_IDLE, BGP_ESTABLISHED);
	expect(&w, "65000001 0011 0005 0000001c 0001e240 0000fdea fa56ea0a " V4 "0001 0006");
}

Test(mrt, writes_zeros_for_an_address_that_is_not_known)
{
	struct mrt_session s = session("10.77.0.2", "fd77::1");
	struct writer w = writer_init(out, sizeof(out));

	mrt_state_encode(&w, &s, BGP_CONNECT, BGP_ACTIVE);
	expect(&w, "65000001 0011 0005 0000001c 0001e240 0000fdea fa56ea0a 0000 0001 0a4d0002 00000000 0002 0003");
}

Test(mrt, takes_the_largest_message_of_bgp_and_fails_without_room)
{
	static uint8_t message[65535];
	struct mrt_session s = session("fd77::2", "fd77::1");
	struct writer w;

	for (size_t room = 0; room < sizeof(message) + MRT_MESSAGE_OVERHEAD; room += room < 64 ? 1 : 9973) {
		w = writer_init(out, room);
		mrt_message_encode(&w, &s, true, message, sizeof(message));
		cr_assert(w.failed, "in %zu octets", room);
	}
	w = writer_init(out, sizeof(message) + MRT_MESSAGE_OVERHEAD);
	mrt_message_encode(&w, &s, true, message, sizeof(message));
	cr_assert(!w.failed);
	cr_assert_eq(writer_left(&w), 0);
}
