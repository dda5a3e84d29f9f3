/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/base64.h"

/* RFC 4648 10, and the alphabet's end. */
static const struct {
	const char *octets, *text;
} pairs[] = {{"", ""},	       {"f", "Zg=="},	      {"fo", "Zm8="},	      {"foo", "Zm9v"},
	     {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "/+++"}};

Test(base64, writes_octets_as_text_and_reads_them_back)
{
	for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
		size_t len = strlen(pairs[i].octets);
		uint8_t out[8];
		char text[16];

		base64_encode((const uint8_t *)pairs[i].octets, len, text);
		cr_expect_str_eq(text, pairs[i].text);
		cr_expect_eq(base64_len(len), strlen(pairs[i].text));
		cr_expect_eq(base64_decode(text, out, sizeof(out)), (long)len);
		cr_expect_arr_eq(out, pairs[i].octets, len);
	}
}

Test(base64, refuses_what_is_none_or_too_long)
{
	static const char *const rows[] = {"Z",	   "Zg",   "Zg=",  "Zm9v\n",  "Zm9vYg",	 "Zm 9", "====", "Z===", "Zg==Zg==",
					   "Zm=v", "Zm9-", "Zm9_", "\x80m9v", "Zm9vYmFyZm9v"};
	uint8_t out[8] = "ffffffff";

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(base64_decode(rows[i], out, sizeof(out)), -EINVAL, "%s", rows[i]);
	cr_expect_eq(base64_decode("Zm9v", out, 3), 3);
	cr_expect_eq(base64_decode("Zm9v", out, 2), -EINVAL);
}
