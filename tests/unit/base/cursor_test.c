/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "base/cursor.h"

static const uint8_t OCTETS[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07};

Test(reader, takes_big_endian_integers_in_turn)
{
	struct reader r = reader_init(OCTETS, sizeof(OCTETS));

	cr_expect_eq(read_u8(&r), 0x01);
	cr_expect_eq(read_u16(&r), 0x0203);
	cr_expect_eq(read_u32(&r), 0x04050607);
	cr_expect_eq(reader_left(&r), 0);
	cr_expect_not(r.failed);
}

Test(reader, stays_failed_after_a_read_past_the_end_and_gives_zeros)
{
	struct reader r = reader_init(OCTETS, 3);

	cr_expect_eq(read_u32(&r), 0);
	cr_expect(r.failed);
	cr_expect_eq(read_u8(&r), 0, "an octet is there, but the cursor has failed");
	cr_expect_null(read_bytes(&r, 0));
	cr_expect_eq(reader_left(&r), 0);
}

Test(reader, of_nothing_gives_no_octet)
{
	struct reader r = reader_init(OCTETS, 0);

	cr_expect_not_null(read_bytes(&r, 0));
	cr_expect_not(r.failed);
	cr_expect_eq(read_u8(&r), 0);
	cr_expect(r.failed);
}

Test(reader, keeps_a_sub_message_inside_of_its_length)
{
	struct reader r = reader_init(OCTETS, sizeof(OCTETS));
	struct reader sub = read_sub(&r, 2);

	cr_expect_eq(read_u32(&sub), 0);
	cr_expect(sub.failed);
	cr_expect_not(r.failed, "the outer one goes on");
	cr_expect_eq(read_u8(&r), 0x03);
}

Test(reader, fails_with_its_sub_message_when_the_length_reaches_outside)
{
	struct reader r = reader_init(OCTETS, sizeof(OCTETS));
	struct reader sub = read_sub(&r, SIZE_MAX);

	cr_expect(sub.failed);
	cr_expect(r.failed);
	cr_expect_null(read_bytes(&sub, 1));
}

Test(writer, writes_big_endian_and_fills_in_a_length_left_open)
{
	static const uint8_t expected[] = {0x00, 0x07, 0x09, 0x01, 0x02, 0x03, 0x04};
	uint8_t octets[8] = {0};
	struct writer w = writer_init(octets, sizeof(octets));
	uint8_t *mark = w.at, *length = write_room(&w, 2);

	write_u8(&w, 9);
	write_u32(&w, 0x01020304);
	fill_u16(length, written_since(&w, mark));
	cr_expect_not(w.failed);
	cr_expect_eq(writer_left(&w), 1);
	cr_expect_arr_eq(octets, expected, sizeof(expected));
}

Test(writer, stays_failed_and_writes_nothing_more_when_it_is_full)
{
	uint8_t octets[4] = {0};
	struct writer w = writer_init(octets, 3);

	write_u16(&w, 0x0102);
	write_u16(&w, 0x0304);
	cr_expect(w.failed);
	write_u8(&w, 5);
	write_bytes(&w, OCTETS, 1);
	fill_u16(write_room(&w, 2), 7);
	cr_expect_eq(octets[2], 0, "room for one, but the cursor has failed");
	cr_expect_eq(octets[3], 0);
}
