/* SPDX-License-Identifier: BSD-2-Clause */
/* The golden values come from another implementation of the definition in flowhash.h: nodes of a PoP must agree. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/addr.h"
#include "base/flowhash.h"

static struct addr
addr_of(const char *text)
{
	struct addr a;

	cr_assert_eq(addr_parse(text, &a), 0, "%s", text);
	return a;
}

Test(flowhash, gives_every_flow_the_same_value_on_every_machine)
{
	static const struct {
		uint64_t seed;
		const char *src, *dst;
		uint16_t src_port, dst_port;
		uint8_t protocol;
		uint64_t hash;
	} rows[] = {
		{0, "0.0.0.0", "0.0.0.0", 0, 0, 0, UINT64_C(0xa5506ff52926ac13)},
		{1, "192.0.2.1", "198.51.100.7", 49152, 443, 6, UINT64_C(0x33c84b70afae7695)},
		{UINT64_C(0xfeedfacecafebeef), "192.0.2.1", "198.51.100.7", 49152, 443, 17, UINT64_C(0xd4ae424022dbe032)},
		{1, "2001:db8::1", "2001:db8:1::53", 5353, 53, 17, UINT64_C(0x2adde1ae940bd8a7)},
		{UINT64_MAX, "::", "::", 0, 0, 0, UINT64_C(0xe05b1f91bca9659e)},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr src = addr_of(rows[i].src), dst = addr_of(rows[i].dst);
		uint32_t ports = (uint32_t)rows[i].src_port << 16 | rows[i].dst_port;
		uint64_t hash = src.family == ADDR_V4
					? flowhash_v4(rows[i].seed, src.octets, dst.octets, ports, rows[i].protocol)
					: flowhash_v6(rows[i].seed, src.octets, dst.octets, ports, rows[i].protocol);

		cr_expect_eq(hash, rows[i].hash, "%s: %016llx", rows[i].src, (unsigned long long)hash);
	}
}

Test(flowhash, of_a_source_ignores_all_but_the_address)
{
	struct addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");

	cr_expect_eq(flowhash_source(7, v4.octets, 4), UINT64_C(0x41e8d1f235c4fa7e));
	cr_expect_eq(flowhash_source(7, v6.octets, 16), UINT64_C(0x7338635f864cabd6));
}

Test(flowhash, of_octets_covers_their_length_and_seed)
{
	static const struct {
		uint64_t seed;
		const char *text;
		uint64_t hash;
	} rows[] = {
		{0, "", UINT64_C(0x96ebbe173ff72a30)},
		{0, "a", UINT64_C(0x56c48229c8dc6482)},
		{5, "0123456789abcdef", UINT64_C(0xcdbc7dd51d22bd8b)},
		{5, "0123456789abcdefg", UINT64_C(0x10d195a758aead06)},
		{5, "web/server-1.example.net/with a long name", UINT64_C(0xcb3cc4ee52c9c345)},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(flowhash_bytes(rows[i].seed, rows[i].text, strlen(rows[i].text)), rows[i].hash, "\"%s\"",
			     rows[i].text);
	cr_expect_neq(flowhash_bytes(0, "a", 1), flowhash_bytes(0, "a\0", 2));
}

/* 65,536 slots, sixteen flows each: were they thrown at random, chi-square were 65,535 with a deviation of 362. */
Test(flowhash, spreads_neighbouring_flows_over_the_slots)
{
	static uint16_t fill[65536];
	struct addr dst = addr_of("198.51.100.7");
	double chi_square = 0;

	for (uint32_t i = 0; i < 16 * 65536; i++) {
		uint8_t src[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};

		fill[flowhash_v4(99, src, dst.octets, (40000 + (i >> 16)) << 16 | 443, 6) >> 48]++;
	}
	for (unsigned i = 0; i < ARRAY_LEN(fill); i++)
		chi_square += (fill[i] - 16.0) * (fill[i] - 16.0) / 16.0;
	cr_expect(chi_square > 65535 - 6 * 362 && chi_square < 65535 + 6 * 362, "%f", chi_square);
}
