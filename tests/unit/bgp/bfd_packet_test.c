/* SPDX-License-Identifier: BSD-2-Clause */
/* BFD packets as octets: RFC 5880 6.8.6 as far as the packet alone tells, 6.7, and which session a packet is for. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/bfd_mux.h"

static const struct bfd_packet PACKET = {
	.state = BFD_UP,
	.diag = BFD_DIAG_NEIGHBOR_DOWN,
	.multiplier = 3,
	.my_discriminator = 0x01020304,
	.your_discriminator = 0x05060708,
	.desired_us = 50000,
	.required_us = 60000,
	.echo_us = 7,
};

Test(bfd_packet, is_laid_out_as_the_rfc_draws_it)
{
	static const uint8_t drawn[BFD_HEADER_LEN] = {0x23, 0xc0, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0xc3, 0x50,
						      0, 0, 0xea, 0x60, 0, 0, 0, 7};
	uint8_t octets[BFD_HEADER_LEN];

	bfd_packet_encode(&PACKET, 0, octets);
	cr_assert_eq(memcmp(octets, drawn, sizeof(drawn)), 0);
}

Test(bfd_packet, is_the_same_after_a_round_trip)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		struct bfd_packet in = PACKET, out;
		uint8_t octets[BFD_HEADER_LEN];

		in.state = flags & 3;
		in.poll = flags & 4;
		in.final = flags & 8;
		in.independent = flags & 16;
		in.demand = flags & 32;
		in.diag = (flags >> 3) & 31;
		bfd_packet_encode(&in, 0, octets);
		cr_assert_null(bfd_packet_decode(octets, sizeof(octets), &out));
		cr_assert(out.octets == octets && out.len == sizeof(octets));
		out.octets = NULL;
		out.len = 0;
		cr_assert_eq(memcmp(&in, &out, sizeof(in)), 0, "flags %u", flags);
	}
}

/* One octet of a good packet is changed, or the payload cut. */
Test(bfd_packet, is_refused_by_each_rule_that_it_breaks)
{
	static const struct {
		const char *what;
		unsigned at;
		uint8_t value;
		size_t len;
		const char *fault; /* NULL: taken */
	} rows[] = {
		{"as it is", 0, 0x20, 24, NULL},
		{"octets behind it", 0, 0x20, 30, NULL},
		{"version 0", 0, 0x00, 24, "version is not 1"},
		{"version 2", 0, 0x40, 24, "version is not 1"},
		{"Length 23", 3, 23, 24, "Length is below the least"},
		{"Length 0", 3, 0, 24, "Length is below the least"},
		{"A set, Length 25", 1, 0xc4, 24, "Length is below the least"},
		{"Length 25 of 24", 3, 25, 24, "Length is above the payload's"},
		{"Length 255", 3, 255, 30, "Length is above the payload's"},
		{"Detect Mult 0", 2, 0, 24, "Detect Mult is zero"},
		{"Multipoint", 1, 0xc1, 24, "Multipoint is set"},
		{"cut short", 0, 0x20, 23, "shorter than a control packet"},
		{"empty", 0, 0x20, 0, "shorter than a control packet"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet out;
		uint8_t octets[30] = {0};
		const char *fault;

		bfd_packet_encode(&PACKET, 0, octets);
		octets[rows[i].at] = rows[i].value;
		fault = bfd_packet_decode(octets, rows[i].len, &out);
		cr_expect(rows[i].fault ? fault && strcmp(fault, rows[i].fault) == 0 : !fault, "%s: %s", rows[i].what,
			  fault ? fault : "taken");
	}
}

Test(bfd_packet, says_whom_it_is_from_and_for)
{
	static const struct {
		uint32_t my, your;
		enum bfd_state state;
		bool is_taken;
	} rows[] = {
		{0, 2, BFD_UP, false},
		{1, 2, BFD_UP, true},
		{1, 0, BFD_UP, false},
		{1, 0, BFD_INIT, false},
		{1, 0, BFD_DOWN, true},
		{1, 0, BFD_ADMIN_DOWN, true},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet packet = PACKET, out;
		uint8_t octets[BFD_HEADER_LEN];

		packet.my_discriminator = rows[i].my;
		packet.your_discriminator = rows[i].your;
		packet.state = (uint8_t)rows[i].state;
		bfd_packet_encode(&packet, 0, octets);
		cr_expect_eq(bfd_packet_decode(octets, sizeof(octets), &out) == NULL, rows[i].is_taken, "row %u", i);
	}
}

static struct bfd_auth
auth_of(enum bfd_auth_type type, const char *key)
{
	struct bfd_auth auth = {.config = {.type = type, .key_id = 7, .key_len = (uint8_t)strlen(key)}};

	memcpy(auth.config.key, key, strlen(key));
	return auth;
}

/* A signed packet, decoded again from the octets. */
static struct bfd_packet
signed_packet(struct bfd_auth *auth, uint8_t octets[static BFD_PACKET_MAX])
{
	struct bfd_packet packet = PACKET, out = {0};
	size_t len = bfd_auth_len(&auth->config);

	packet.has_auth = len > 0;
	bfd_packet_encode(&packet, len, octets);
	bfd_auth_sign(auth, octets);
	cr_assert_null(bfd_packet_decode(octets, BFD_HEADER_LEN + len, &out));
	return out;
}

Test(bfd_auth, believes_the_peer_and_nobody_who_changes_a_bit)
{
	for (unsigned type = BFD_AUTH_NONE; type < BFD_AUTH_TYPES; type++) {
		struct bfd_auth sender = auth_of(type, "a key"), receiver = auth_of(type, "a key");
		uint8_t octets[BFD_PACKET_MAX];
		struct bfd_packet packet = signed_packet(&sender, octets);

		cr_expect_null(bfd_auth_check(&receiver, &packet), "type %u", type);
		/* A password covers nothing but itself. */
		for (size_t bit = type <= BFD_AUTH_PASSWORD ? 8 * BFD_HEADER_LEN : 0; bit < 8 * packet.len; bit++) {
			struct bfd_auth fresh = auth_of(type, "a key");
			struct bfd_packet forged;

			octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* Octet 27 of a digest's section is reserved, but the digest covers it. */
			if (!bfd_packet_decode(octets, packet.len, &forged))
				cr_expect(bfd_auth_check(&fresh, &forged), "type %u, bit %zu", type, bit);
			cr_expect_not(fresh.is_sequence_known);
			octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

Test(bfd_auth, has_the_lengths_of_the_rfc)
{
	static const struct {
		enum bfd_auth_type type;
		size_t len, key_max;
	} rows[] = {
		{BFD_AUTH_NONE, 0, 0},	{BFD_AUTH_PASSWORD, 8, 16},	    {BFD_AUTH_MD5, 24, 16},
		{BFD_AUTH_SHA1, 28, 20}, {BFD_AUTH_METICULOUS_MD5, 24, 16}, {BFD_AUTH_METICULOUS_SHA1, 28, 20},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_auth auth = auth_of(rows[i].type, "a key");

		cr_expect_eq(bfd_auth_len(&auth.config), rows[i].len);
		cr_expect_eq(bfd_auth_key_max(rows[i].type), rows[i].key_max);
	}
}

/* The digests are those of Python's hashlib over the packet with the key in the digest's place. */
Test(bfd_auth, signs_as_others_do)
{
	static const uint8_t md5[16] = {0xc4, 0x23, 0x5c, 0x9c, 0x69, 0x3a, 0xab, 0xe1, 0xc0, 0xa7,
					 0x4d, 0x31, 0x04, 0x91, 0x65, 0xe2};
	static const uint8_t sha1[20] = {0x97, 0x20, 0x7b, 0x75, 0x11, 0x17, 0x4e, 0xe7, 0xee, 0x92,
					 0x33, 0x56, 0x0b, 0xc5, 0xa3, 0x23, 0x5b, 0x96, 0x62, 0xc5};
	struct bfd_auth a = auth_of(BFD_AUTH_METICULOUS_MD5, "a key"), b = auth_of(BFD_AUTH_SHA1, "a key");
	uint8_t octets[BFD_PACKET_MAX];

	a.sent_sequence = b.sent_sequence = 0x0a0b0c0d;
	signed_packet(&a, octets);
	cr_expect_eq(memcmp(octets + 32, md5, sizeof(md5)), 0);
	signed_packet(&b, octets);
	cr_expect_eq(memcmp(octets + 32, sha1, sizeof(sha1)), 0);
}

Test(bfd_auth, wants_the_type_key_and_id_that_are_configured)
{
	static const struct {
		const char *what;
		enum bfd_auth_type sent, expected;
		const char *key;
		uint8_t key_id;
		const char *fault; /* NULL: taken */
	} rows[] = {
		{"none for none", BFD_AUTH_NONE, BFD_AUTH_NONE, "", 7, NULL},
		{"none for SHA1", BFD_AUTH_NONE, BFD_AUTH_SHA1, "", 7, "not authenticated"},
		{"SHA1 for none", BFD_AUTH_SHA1, BFD_AUTH_NONE, "k", 7,
		 "authenticated, but no authentication is configured"},
		{"SHA1 for meticulous", BFD_AUTH_SHA1, BFD_AUTH_METICULOUS_SHA1, "k", 7, "another authentication type"},
		{"MD5 for SHA1", BFD_AUTH_MD5, BFD_AUTH_SHA1, "k", 7, "another authentication type"},
		{"another key ID", BFD_AUTH_SHA1, BFD_AUTH_SHA1, "k", 8, "unknown key ID"},
		{"another key", BFD_AUTH_SHA1, BFD_AUTH_SHA1, "l", 7, "wrong digest"},
		{"a longer key", BFD_AUTH_MD5, BFD_AUTH_MD5, "kk", 7, "wrong digest"},
		{"another password", BFD_AUTH_PASSWORD, BFD_AUTH_PASSWORD, "l", 7, "wrong password"},
		{"a longer password", BFD_AUTH_PASSWORD, BFD_AUTH_PASSWORD, "kk", 7, "wrong password"},
		{"the password", BFD_AUTH_PASSWORD, BFD_AUTH_PASSWORD, "k", 7, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_auth sender = auth_of(rows[i].sent, rows[i].key), receiver = auth_of(rows[i].expected, "k");
		uint8_t octets[BFD_PACKET_MAX];
		struct bfd_packet packet;
		const char *fault;

		sender.config.key_id = rows[i].key_id;
		packet = signed_packet(&sender, octets);
		fault = bfd_auth_check(&receiver, &packet);
		cr_expect(rows[i].fault ? fault && strcmp(fault, rows[i].fault) == 0 : !fault, "%s: %s", rows[i].what,
			  fault ? fault : "taken");
	}
}

/* RFC 5880 6.7.3: after number 100, with Detect Mult 3. */
Test(bfd_auth, takes_numbers_in_the_window_only)
{
	static const struct {
		enum bfd_auth_type type;
		uint32_t known, next;
		bool is_taken;
	} rows[] = {
		{BFD_AUTH_MD5, 100, 100, true},		     {BFD_AUTH_MD5, 100, 99, false},
		{BFD_AUTH_MD5, 100, 109, true},		     {BFD_AUTH_MD5, 100, 110, false},
		{BFD_AUTH_METICULOUS_MD5, 100, 100, false},  {BFD_AUTH_METICULOUS_MD5, 100, 101, true},
		{BFD_AUTH_METICULOUS_SHA1, 100, 109, true},  {BFD_AUTH_METICULOUS_SHA1, 100, 110, false},
		{BFD_AUTH_METICULOUS_SHA1, UINT32_MAX, 0, true}, {BFD_AUTH_SHA1, UINT32_MAX - 1, 7, true},
		{BFD_AUTH_SHA1, 0, UINT32_MAX, false},	     {BFD_AUTH_SHA1, UINT32_MAX, 9, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_auth sender = auth_of(rows[i].type, "k"), receiver = auth_of(rows[i].type, "k");
		uint8_t octets[BFD_PACKET_MAX];
		struct bfd_packet packet;

		sender.sent_sequence = rows[i].known;
		packet = signed_packet(&sender, octets);
		cr_assert_null(bfd_auth_check(&receiver, &packet), "the first may be any");
		sender.sent_sequence = rows[i].next;
		packet = signed_packet(&sender, octets);
		cr_expect_eq(bfd_auth_check(&receiver, &packet) == NULL, rows[i].is_taken, "row %u", i);
	}
}

static struct addr
addr_of(const char *text)
{
	struct addr addr = {0};

	if (text)
		cr_assert_eq(addr_parse(text, &addr), 0);
	return addr;
}

static struct bfd_mux mux;
static const struct bfd_config CONFIG = {.desired_us = 50000, .required_us = 50000, .multiplier = 3};

static int
mux_add(const char *peer, const char *local, bool is_multihop)
{
	struct bfd_path path = {.peer = addr_of(peer), .local = addr_of(local), .is_multihop = is_multihop,
				.ttl_min = is_multihop ? 7 : 0};

	return bfd_mux_add(&mux, &path, &CONFIG, 1);
}

Test(bfd_mux, gives_a_packet_to_the_session_it_is_for)
{
	static const struct {
		const char *what, *from, *to;
		bool is_multihop;
		uint8_t ttl;
		int of; /* whose discriminator; -1: 0; -2: nobody's */
		int expected; /* -1: nobody's, -2: too far */
	} rows[] = {
		{"the first packet", "192.0.2.1", "192.0.2.9", false, 255, -1, 0},
		{"by its discriminator", "192.0.2.1", "192.0.2.9", false, 255, 0, 0},
		{"from an address that is nobody's", "192.0.2.3", "192.0.2.9", false, 255, -1, -1},
		{"with another session's discriminator", "192.0.2.1", "192.0.2.9", false, 255, 1, -1},
		{"with a discriminator that is nobody's", "192.0.2.1", "192.0.2.9", false, 255, -2, -1},
		{"a hop away", "192.0.2.1", "192.0.2.9", false, 254, 0, -2},
		{"many hops away", "192.0.2.1", "192.0.2.9", false, 1, -1, -2},
		{"a neighbour at the multihop port", "192.0.2.1", "192.0.2.9", true, 255, -1, -1},
		{"a multihop peer", "192.0.2.2", "192.0.2.9", true, 7, -1, 1},
		{"a multihop peer that is too far away", "192.0.2.2", "192.0.2.9", true, 6, -1, -2},
		{"a multihop peer at another address of ours", "192.0.2.2", "192.0.2.8", true, 7, -1, -1},
		{"a multihop peer at the single-hop port", "192.0.2.2", "192.0.2.9", false, 255, 1, -1},
		{"over IPv6", "2001:db8::1", "2001:db8::9", false, 255, -1, 2},
	};

	bfd_mux_init(&mux, 42);
	cr_assert_eq(mux_add("192.0.2.1", NULL, false), 0);
	cr_assert_eq(mux_add("192.0.2.2", "192.0.2.9", true), 1);
	cr_assert_eq(mux_add("2001:db8::1", NULL, false), 2);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet packet = {.state = BFD_DOWN, .multiplier = 3, .my_discriminator = 9};
		struct bfd_arrival arrival = {.from = addr_of(rows[i].from), .to = addr_of(rows[i].to),
					      .ttl = rows[i].ttl, .is_multihop = rows[i].is_multihop};
		uint64_t too_far = mux.too_far, unknown = mux.unknown;
		uint8_t octets[BFD_HEADER_LEN];

		if (rows[i].of >= 0)
			packet.your_discriminator = mux.members[rows[i].of].session.status.discriminator;
		else if (rows[i].of == -2)
			packet.your_discriminator = mux.members[0].session.status.discriminator ^ 0x100;
		bfd_packet_encode(&packet, 0, octets);
		cr_expect_eq(bfd_mux_input(&mux, &arrival, octets, sizeof(octets), 2),
			     rows[i].expected < 0 ? -ENOENT : rows[i].expected, "%s", rows[i].what);
		cr_expect_eq(mux.too_far - too_far, rows[i].expected == -2, "%s", rows[i].what);
		cr_expect_eq(mux.unknown - unknown, rows[i].expected == -1, "%s", rows[i].what);
	}
}

/* RFC 4007 6: the same address on two links is two peers. */
Test(bfd_mux, tells_link_local_peers_apart_by_their_interface)
{
	struct bfd_packet packet = {.state = BFD_DOWN, .multiplier = 3, .my_discriminator = 9};
	struct bfd_path path = {.peer = addr_of("fe80::1"), .scope = 3};
	struct bfd_arrival arrival = {.from = addr_of("fe80::1"), .to = addr_of("fe80::2"), .ttl = 255};
	uint8_t octets[BFD_HEADER_LEN];

	bfd_mux_init(&mux, 42);
	bfd_packet_encode(&packet, 0, octets);
	cr_assert_eq(bfd_mux_add(&mux, &path, &CONFIG, 1), 0);
	path.scope = 4;
	cr_assert_eq(bfd_mux_add(&mux, &path, &CONFIG, 1), 1);
	cr_assert_eq(bfd_mux_add(&mux, &path, &CONFIG, 1), -EEXIST);
	for (uint32_t scope = 2; scope <= 4; scope++) {
		arrival.scope = scope;
		cr_expect_eq(bfd_mux_input(&mux, &arrival, octets, sizeof(octets), 2), scope == 2 ? -ENOENT : (int)scope - 3);
	}
}

Test(bfd_mux, counts_what_is_no_packet)
{
	struct bfd_arrival arrival = {.from = addr_of("192.0.2.1"), .ttl = 255};

	bfd_mux_init(&mux, 42);
	cr_expect_eq(bfd_mux_input(&mux, &arrival, (const uint8_t *)"x", 1, 2), -ENOENT);
	cr_expect_eq(mux.malformed, 1);
}

Test(bfd_mux, has_room_for_so_many_and_gives_each_its_own_discriminator)
{
	uint32_t first;

	bfd_mux_init(&mux, 0);
	for (int i = 0; i < BFD_SESSIONS_MAX; i++) {
		char peer[16];

		snprintf(peer, sizeof(peer), "10.0.1.%d", i);
		cr_assert_eq(mux_add(peer, NULL, false), i);
		cr_assert_neq(mux.members[i].session.status.discriminator, 0);
		for (int k = 0; k < i; k++)
			cr_assert_neq(mux.members[i].session.status.discriminator,
				      mux.members[k].session.status.discriminator);
	}
	cr_expect_eq(mux_add("10.0.2.1", NULL, false), -ENOSPC);
	cr_expect_eq(mux_add("10.0.1.7", NULL, false), -EEXIST);
	first = mux.members[7].session.status.discriminator;
	bfd_mux_remove(&mux, 7);
	cr_expect_eq(mux_add("10.0.2.1", NULL, false), 7);
	cr_expect_neq(mux.members[7].session.status.discriminator, first);
}
