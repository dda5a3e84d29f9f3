/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks octet by octet (draft-ietf-opsawg-pcapng), and a copy's comment. */
#include <criterion/criterion.h>
#include <string.h>

#include "abi/counters.h"
#include "controlplane/capture_block.h"

static uint8_t out[CAPTURE_BLOCK_MAX];

static void
expect(size_t len, const uint8_t *octets, size_t expected)
{
	cr_assert_eq(len, expected, "%zu octets, not %zu", len, expected);
	for (size_t i = 0; i < len; i++)
		cr_expect_eq(out[i], octets[i], "octet %zu: %02x, not %02x", i, out[i], octets[i]);
}

Test(pcapng, a_section_names_its_application)
{
	static const uint8_t octets[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 44, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,	    /* type, length, order, 1.0 */
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 5, 0, 'n', 'e', 'a', 'r', 's', 0, 0, 0, /* shb_userappl */
		0, 0, 0, 0, 44, 0, 0, 0};

	expect(pcapng_section_encode(out, "nears"), octets, sizeof(octets));
}

Test(pcapng, an_interface_is_ethernet_in_nanoseconds)
{
	static const uint8_t octets[] = {1, 0,	0, 0, 40,  0,	0,   0,	  1, 0, 0, 0, 0, 8, 0, 0,	    /* Ethernet, 2048 */
					 2, 0,	4, 0, 'e', 't', 'h', '0', 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, /* if_name, if_tsresol */
					 40, 0, 0, 0};

	expect(pcapng_interface_encode(out, "eth0", 2048), octets, sizeof(octets));
}

Test(pcapng, a_packet_has_its_comment_and_came_in)
{
	static const uint8_t octets[] = {6, 0, 0, 0, 60, 0, 0, 0, 3, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, /* interface, time */
					 5, 0, 0, 0, 60, 0, 0, 0, 'f', 'r', 'a', 'm', 'e', 0, 0, 0,
					 1, 0, 3, 0, 'w', 'h', 'y', 0, 2, 0, 4, 0, 1, 0, 0, 0, /* opt_comment, epb_flags */
					 0, 0, 0, 0, 60, 0, 0, 0};
	const struct pcapng_packet packet = {.interface = 3, .time_ns = UINT64_C(0x0506070801020304), .len = 60, .held = 5,
					     .octets = (const uint8_t *)"frame", .comment = "why"};

	expect(pcapng_packet_encode(out, &packet), octets, sizeof(octets));
}

Test(pcapng, what_is_too_long_is_cut_and_fits)
{
	char text[2 * PCAPNG_COMMENT_MAX];
	struct pcapng_packet packet = {.len = 9000, .held = ABI_CAPTURE_SNAP_MAX - 1, .comment = text};
	uint8_t octets[ABI_CAPTURE_SNAP_MAX] = {0};

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	packet.octets = octets;
	cr_expect_leq(pcapng_packet_encode(out, &packet), PCAPNG_PACKET_MAX + packet.held);
	cr_expect_leq(pcapng_section_encode(out, text), PCAPNG_HEAD_MAX);
	cr_expect_leq(pcapng_interface_encode(out, text, 1), PCAPNG_HEAD_MAX);
}

Test(pcapng, a_comment_says_what_became_of_the_packet)
{
	static const struct {
		enum abi_verdict verdict;
		uint64_t mark;
		struct capture_names names;
		const char *comment;
	} rows[] = {
		{VERDICT_REFLECTOR, 0, {.service = "dns4"}, "dropped: reflector, service dns4"},
		{VERDICT_SOURCE_BOGON, 0, {0}, "dropped: source_bogon"},
		{VERDICT_FORWARDED, 7, {"web", "filter 3"}, "passed: forwarded, service web, sampled by filter 3"},
		{VERDICT_FORWARDED, 7, {0}, "passed: forwarded, sampled by a rule that has gone"},
		{VERDICT_KERNEL_UNICAST, 0, {0}, "passed: kernel_unicast"},
		{VERDICT_CHALLENGED, 0, {.service = "web"}, "answered: challenged, service web"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		static struct abi_capture_slot slot;
		size_t len;

		slot.verdict = (uint8_t)rows[i].verdict;
		slot.mark = rows[i].mark;
		len = capture_block_encode(out, &slot, &rows[i].names);
		cr_assert_gt(len, 32);
		cr_expect_eq(out[30], strlen(rows[i].comment));
		cr_expect_eq(memcmp(out + 32, rows[i].comment, strlen(rows[i].comment)), 0, "%.60s", (const char *)out + 32);
	}
}
