/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <string.h>

#include "base/crc32c.h"

Test(crc32c, gives_the_known_sums)
{
	uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
	const struct {
		const char *name;
		const void *octets;
		size_t len;
		uint32_t sum;
	} rows[] = {
		{"nothing", "", 0, 0},
		{"the check string", "123456789", 9, 0xe3069283},
		/* RFC 3720 B.4, whose octets are in wire order. */
		{"32 octets of 0", zeros, 32, 0x8a9136aa},
		{"32 octets of 255", ones, 32, 0x62a8ab43},
		{"0 to 31", up, 32, 0x46dd794e},
		{"31 to 0", down, 32, 0x113fdb5c},
	};

	memset(ones, 0xff, sizeof(ones));
	for (unsigned i = 0; i < sizeof(up); i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(crc32c(0, rows[i].octets, rows[i].len), rows[i].sum, "%s", rows[i].name);
}

/* The definition, bit by bit: what runs is mostly the processor's instruction, eight octets at a time. */
static uint32_t
by_definition(const uint8_t *octets, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len * 8; i++) {
		uint32_t bit = (crc ^ octets[i / 8] >> i % 8) & 1;

		crc = crc >> 1 ^ (bit ? 0x82f63b78U : 0);
	}
	return ~crc;
}

Test(crc32c, is_its_definition_at_every_length_and_alignment)
{
	uint8_t octets[80];

	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 151 + 7);
	for (size_t at = 0; at < 8; at++) {
		for (size_t len = 0; len <= 72; len++)
			cr_assert_eq(crc32c(0, octets + at, len), by_definition(octets + at, len), "%zu at %zu", len, at);
	}
}

Test(crc32c, of_parts_is_that_of_the_whole)
{
	static const char text[] = "the rings carry records of 64 octets each";

	for (size_t cut = 0; cut <= sizeof(text); cut++) {
		uint32_t head = crc32c(0, text, cut);

		cr_expect_eq(crc32c(head, text + cut, sizeof(text) - cut), crc32c(0, text, sizeof(text)), "at %zu", cut);
	}
}
