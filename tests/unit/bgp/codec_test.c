/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/codec.h"
#include "hex.h"

static const struct {
	const char *header; /* behind the marker */
	bool extended;
	int subcode; /* 0: sound */
	const char *data;
} headers[] = {
	{"001304", false, 0, ""},
	{"001204", false, 2, "0012"}, /* shorter than a header */
	{"001404", false, 2, "0014"}, /* RFC 4271 6.1: a KEEPALIVE has 19 */
	{"001c01", false, 2, "001c"},
	{"001d01", false, 0, ""},
	{"001602", false, 2, "0016"},
	{"001702", false, 0, ""},
	{"001403", false, 2, "0014"},
	{"001503", false, 0, ""},
	{"001705", false, 0, ""},
	{"001300", false, 3, "00"},
	{"001306", false, 3, "06"},
	{"100002", false, 0, ""}, /* 4,096 */
	{"100102", false, 2, "1001"},
	{"100102", true, 0, ""}, /* RFC 8654 */
	{"ffff02", true, 0, ""},
	{"ffff03", true, 0, ""},
	{"ffff05", true, 0, ""},
	{"100001", true, 0, ""},
	{"100101", true, 2, "1001"}, /* RFC 8654 4: an OPEN is never extended */
	{"100104", true, 2, "1001"},
};

Test(codec, judges_headers)
{
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		uint8_t octets[BGP_HEADER_LEN];
		char data[2 * BGP_DATA_MAX + 1];
		struct bgp_header header;
		struct bgp_error error = {0};
		int err;

		memset(octets, 0xff, 16);
		unhex(headers[i].header, octets + 16, 3);
		err = bgp_header_decode(octets, headers[i].extended, &header, &error);
		cr_expect_eq(err != 0, headers[i].subcode != 0, "row %zu", i);
		cr_expect_eq(error.subcode, headers[i].subcode, "row %zu", i);
		cr_expect_eq(error.code, headers[i].subcode ? BGP_ERROR_HEADER : 0, "row %zu", i);
		cr_expect_str_eq(hex(error.data, error.data_len, data), headers[i].data, "row %zu", i);
	}
}

Test(codec, wants_every_octet_of_the_marker)
{
	for (size_t i = 0; i < 16; i++) {
		uint8_t message[BGP_MESSAGE_MAX];
		struct bgp_header header;
		struct bgp_error error = {0};

		bgp_keepalive_encode(message);
		message[i] ^= 0x10;
		cr_assert_neq(bgp_header_decode(message, false, &header, &error), 0);
		cr_expect(error.code == BGP_ERROR_HEADER && error.subcode == BGP_HEADER_MARKER);
	}
}

Test(codec, reads_notifications_back)
{
	uint8_t data[300];

	for (size_t len = 0; len <= sizeof(data); len++) {
		uint8_t message[BGP_MESSAGE_MAX];
		struct bgp_error error;
		struct bgp_error read;
		size_t kept = len < BGP_DATA_MAX ? len : BGP_DATA_MAX;
		size_t encoded;

		memset(data, (int)len, sizeof(data));
		error = bgp_error_with(6, (uint8_t)len, data, len);
		encoded = bgp_notification_encode(&error, message);
		cr_assert_eq(encoded, BGP_HEADER_LEN + 2 + kept);
		bgp_notification_decode(message + BGP_HEADER_LEN, encoded - BGP_HEADER_LEN, &read);
		cr_expect_eq(memcmp(&read, &error, sizeof(read)), 0, "%zu octets", len);
	}
}

static const struct {
	const char *body;
	int family;  /* -1: none of ours */
	int subtype; /* -1: an error */
} refreshes[] = {
	{"00010001", BGP_V4, 0},
	{"00020001", BGP_V6, 0},
	{"00010085", BGP_FLOW4, 0},
	{"00020085", BGP_FLOW6, 0},
	{"00010101", BGP_V4, 1},
	{"00010201", BGP_V4, 2},
	{"00010301", -1, 0}, /* RFC 7313 5: ignored */
	{"00190046", -1, 0}, /* EVPN */
	{"000100", -1, -1},
	{"", -1, -1},
	{"0001010100", -1, -1},
	{"00010001 0180000000", BGP_V4, 0}, /* with a filter (RFC 5291), which is not looked at */
};

Test(codec, reads_route_refreshes)
{
	for (size_t i = 0; i < ARRAY_LEN(refreshes); i++) {
		uint8_t body[64];
		size_t len = unhex(refreshes[i].body, body, sizeof(body));
		struct bgp_refresh refresh = {0};
		struct bgp_error error = {0};
		int err = bgp_refresh_decode(body, len, &refresh, &error);

		cr_expect_eq(err != 0, refreshes[i].subtype < 0, "row %zu", i);
		if (err) {
			/* RFC 7313 5: the data is the whole message. */
			cr_expect(error.code == BGP_ERROR_REFRESH && error.subcode == 1, "row %zu", i);
			cr_expect(error.data_len == BGP_HEADER_LEN + len && error.data[18] == BGP_ROUTE_REFRESH, "row %zu", i);
			cr_expect_eq(memcmp(error.data + BGP_HEADER_LEN, body, len), 0, "row %zu", i);
			continue;
		}
		cr_expect_eq(refresh.is_known, refreshes[i].family >= 0, "row %zu", i);
		if (refresh.is_known)
			cr_expect(refresh.family == (enum bgp_family)refreshes[i].family &&
					  refresh.subtype == (enum bgp_refresh_subtype)refreshes[i].subtype,
				  "row %zu", i);
	}
}

Test(codec, reads_back_the_route_refreshes_that_it_writes)
{
	for (int family = 0; family < BGP_FAMILIES; family++) {
		for (int subtype = BGP_REFRESH_REQUEST; subtype <= BGP_REFRESH_END; subtype++) {
			uint8_t message[BGP_MESSAGE_MAX];
			struct bgp_refresh refresh;
			struct bgp_error error;
			size_t len = bgp_refresh_encode((enum bgp_family)family, (enum bgp_refresh_subtype)subtype, message);

			cr_assert_eq(len, 23);
			cr_assert_eq(bgp_refresh_decode(message + BGP_HEADER_LEN, 4, &refresh, &error), 0);
			cr_expect(refresh.is_known && refresh.family == (enum bgp_family)family &&
				  refresh.subtype == (enum bgp_refresh_subtype)subtype);
		}
	}
}

static const struct {
	uint8_t subcode;
	const char *data;
	const char *text;
} shutdowns[] = {
	{2, "", ""},
	{2, "00", ""},
	{2, "05 68656c6c6f", "hello"},
	{4, "05 68656c6c6f", "hello"},
	{3, "05 68656c6c6f", ""},	    /* RFC 9003 2: of a shutdown or a reset only */
	{2, "06 68656c6c6f", ""},	    /* its length is wrong */
	{2, "04 68656c6c6f", "hell"},	    /* what is behind it is not looked at */
	{2, "03 e282ac", "\xe2\x82\xac"},   /* a euro sign */
	{2, "04 f09f9880", "\xf0\x9f\x98\x80"},
	{2, "05 610a1b5b62", "a??[b"},	    /* a line's end, and an escape that a terminal would follow */
	{2, "02 c285", "??"},		    /* C1: NEL */
	{2, "03 e280ae", "???"},	    /* turns the direction of the text */
	{2, "02 617f", "a?"},
	{2, "03 610062", "a?b"},
	{2, "02 c0af", "??"},		    /* RFC 3629 3: not the shortest form */
	{2, "03 eda080", "???"},	    /* a surrogate */
	{2, "04 f4908080", "????"},	    /* beyond Unicode */
	{2, "02 e282", "??"},		    /* cut */
	{2, "03 ff6162", "?ab"},
	{9, "0602 05 68656c6c6f", "hello"}, /* RFC 8538 3: in a Hard Reset */
	{9, "0603 05 68656c6c6f", ""},
	{9, "06", ""},
};

Test(codec, makes_shutdown_texts_harmless)
{
	for (size_t i = 0; i < ARRAY_LEN(shutdowns); i++) {
		struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, shutdowns[i].subcode);
		char text[BGP_TEXT_MAX + 1];

		error.data_len = (uint16_t)unhex(shutdowns[i].data, error.data, sizeof(error.data));
		cr_expect_str_eq(bgp_shutdown_text(&error, text), shutdowns[i].text, "row %zu: %s", i, text);
	}
}

Test(codec, reads_back_the_texts_that_it_writes_and_cuts_them_between_characters)
{
	char text[BGP_TEXT_MAX + 1];
	char read[BGP_TEXT_MAX + 1];
	char longer[400];
	struct bgp_error error = bgp_error_shutdown(BGP_CEASE_SHUTDOWN, "maintenance \xc3\xa9");
	struct bgp_error hard = bgp_error_hard_reset(&error);

	cr_expect_str_eq(bgp_shutdown_text(&error, text), "maintenance \xc3\xa9");
	cr_expect_eq(hard.subcode, BGP_CEASE_HARD_RESET);
	cr_expect_str_eq(bgp_shutdown_text(&hard, read), text);
	for (size_t i = 0; i < sizeof(longer) - 1; i += 3)
		memcpy(longer + i, "\xe2\x82\xac", 3);
	longer[399] = '\0';
	for (size_t shift = 0; shift < 3; shift++) {
		memset(longer, 'x', shift);
		memcpy(longer + shift, "\xe2\x82\xac", 3);
		for (size_t i = shift; i + 3 < sizeof(longer); i += 3)
			memcpy(longer + i, "\xe2\x82\xac", 3);
		error = bgp_error_shutdown(BGP_CEASE_SHUTDOWN, longer);
		cr_expect_eq(error.data[0], (BGP_TEXT_MAX - shift) / 3 * 3 + shift);
		bgp_shutdown_text(&error, text);
		cr_expect_null(strchr(text, '?'), "%s", text);
	}
	error = bgp_error_shutdown(BGP_CEASE_RESET, NULL);
	cr_expect_eq(error.data_len, 0);
}
