/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>

#include "controlplane/dns.h"

#define HEADER "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define QUESTION                                                                                                       \
	"\x03www\x07"                                                                                                  \
	"example\x03"                                                                                                  \
	"com\x00\x00\x01\x00\x01"
#define LABEL63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

Test(dns, encodes_a_question_octet_for_octet)
{
	static const char wanted[] = HEADER QUESTION;
	uint8_t query[DNS_QUERY_MAX];
	struct writer w = writer_init(query, sizeof(query));

	cr_assert_eq(dns_query_encode(&w, 0x1234, "www.example.com", 1), 0);
	cr_assert_eq(written_since(&w, query), sizeof(wanted) - 1);
	cr_expect_arr_eq(query, wanted, sizeof(wanted) - 1);
}

Test(dns, takes_names_or_refuses_them)
{
	static const struct {
		const char *name;
		int wanted;
		size_t len;
	} rows[] = {
		{".", 0, 12 + 1 + 4},
		{"a", 0, 12 + 3 + 4},
		{"a.", 0, 12 + 3 + 4},
		{"", -EINVAL, 0},
		{"..", -EINVAL, 0},
		{".a", -EINVAL, 0},
		{"a..b", -EINVAL, 0},
		{LABEL63, 0, 12 + 65 + 4},
		{LABEL63 "h", -EINVAL, 0},
		{LABEL63 "." LABEL63 "." LABEL63 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg", 0,
		 12 + 255 + 4},
		{LABEL63 "." LABEL63 "." LABEL63 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg",
		 -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t query[DNS_QUERY_MAX + 64];
		struct writer w = writer_init(query, sizeof(query));

		cr_expect_eq(dns_query_encode(&w, 1, rows[i].name, 1), rows[i].wanted, "%s", rows[i].name);
		if (rows[i].wanted == 0)
			cr_expect_eq(written_since(&w, query), rows[i].len, "%s", rows[i].name);
	}
}

Test(dns, says_when_there_is_no_room)
{
	uint8_t query[20];
	struct writer w = writer_init(query, sizeof(query));

	cr_expect_eq(dns_query_encode(&w, 1, "www.example.com", 1), -ENOBUFS);
}

Test(dns, takes_only_the_reply_to_its_query)
{
	static const char query[] = HEADER QUESTION;
	static const struct {
		const char *says;
		const char *reply;
		size_t len;
		int wanted;
	} rows[] = {
#define REPLY(text) text, sizeof(text) - 1
		{"no error", REPLY("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), 0},
		{"with more behind", REPLY("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" QUESTION "\xc0\x0c"), 0},
		{"NXDOMAIN", REPLY("\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), 3},
		{"other letter case",
		 REPLY("\x12\x34\x80\x05\x00\x01\x00\x00\x00\x00\x00\x00"
		       "\x03wWw\x07"
		       "EXAMPLE\x03"
		       "com\x00\x00\x01\x00\x01"),
		 5},
		{"other ID", REPLY("\x12\x35\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), -EBADMSG},
		{"a query", REPLY(HEADER QUESTION), -EBADMSG},
		{"other opcode", REPLY("\x12\x34\xa1\x80\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), -EBADMSG},
		{"two questions", REPLY("\x12\x34\x81\x80\x00\x02\x00\x00\x00\x00\x00\x00" QUESTION), -EBADMSG},
		{"other name",
		 REPLY("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"
		       "\x03wxw\x07"
		       "example\x03"
		       "com\x00\x00\x01\x00\x01"),
		 -EBADMSG},
		{"other type",
		 REPLY("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"
		       "\x03www\x07"
		       "example\x03"
		       "com\x00\x00\x1c\x00\x01"),
		 -EBADMSG},
		{"header only", REPLY("\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00"), -EBADMSG},
		{"nothing", "", 0, -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(dns_reply_rcode(rows[i].reply, rows[i].len, query, sizeof(query) - 1), rows[i].wanted,
			     "%s", rows[i].says);
}

Test(dns, refuses_a_reply_cut_anywhere)
{
	static const char query[] = HEADER QUESTION;
	static const char reply[] = "\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION;

	for (size_t len = 0; len < sizeof(reply) - 1; len++)
		cr_expect_eq(dns_reply_rcode(reply, len, query, sizeof(query) - 1), -EBADMSG, "%zu octets", len);
}
