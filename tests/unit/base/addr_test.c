/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "base/addr.h"

static struct prefix
prefix_from(const char *text)
{
	struct prefix p;

	cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
	return p;
}

Test(addr, parses_what_it_prints)
{
	static const struct {
		const char *text;
		int err;
		unsigned bits;
		const char *printed;
	} rows[] = {
		{"192.0.2.1", 0, 32, "192.0.2.1"},
		{"0.0.0.0", 0, 32, "0.0.0.0"},
		{"2001:DB8:0:0::1", 0, 128, "2001:db8::1"},
		{"::", 0, 128, "::"},
		{"::ffff:192.0.2.1", 0, 128, "::ffff:192.0.2.1"},
		{"", -EINVAL, 0, NULL},
		{"192.0.2", -EINVAL, 0, NULL},
		{"192.0.2.256", -EINVAL, 0, NULL},
		{"192.0.2.1/32", -EINVAL, 0, NULL},
		{" 192.0.2.1", -EINVAL, 0, NULL},
		{"2001:db8::1::2", -EINVAL, 0, NULL},
		{"fe80::1%eth0", -EINVAL, 0, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a = {.family = 99};

		cr_expect_eq(addr_parse(rows[i].text, &a), rows[i].err, "%s", rows[i].text);
		if (rows[i].err) {
			cr_expect_eq(a.family, 99, "%s: the output stays as it was", rows[i].text);
			continue;
		}
		cr_expect_eq(addr_bits(&a), rows[i].bits);
		cr_expect_eq(addr_len(&a) * 8, rows[i].bits);
		cr_expect_str_eq(addr_format(&a, text), rows[i].printed);
	}
}

Test(addr, orders_by_family_then_octets)
{
	struct addr low, high, v6, none = {0};
	char text[ADDR_TEXT_MAX];

	cr_assert_eq(addr_parse("10.0.0.1", &low), 0);
	cr_assert_eq(addr_parse("200.0.0.1", &high), 0);
	cr_assert_eq(addr_parse("::1", &v6), 0);
	cr_expect_lt(addr_compare(&low, &high), 0);
	cr_expect_gt(addr_compare(&v6, &high), 0);
	cr_expect_eq(addr_compare(&v6, &v6), 0);
	cr_expect_not(addr_equal(&low, &high));
	cr_expect_eq(addr_bits(&none), 0);
	cr_expect_str_eq(addr_format(&none, text), "-");
}

Test(prefix, parses_what_it_prints_and_tells_the_errors_apart)
{
	static const struct {
		const char *text;
		int err;
		const char *printed;
	} rows[] = {
		{"192.0.2.0/24", 0, "192.0.2.0/24"},
		{"192.0.2.1", 0, "192.0.2.1/32"},
		{"0.0.0.0/0", 0, "0.0.0.0/0"},
		{"2001:db8::/33", 0, "2001:db8::/33"},
		{"2001:db8::1", 0, "2001:db8::1/128"},
		{"192.0.2.0/33", -ERANGE, NULL},
		{"2001:db8::/129", -ERANGE, NULL},
		{"192.0.2.1/24", -EDOM, NULL},
		{"2001:db8::1/64", -EDOM, NULL},
		{"192.0.2.128/24", -EDOM, NULL},
		{"192.0.2.0/", -EINVAL, NULL},
		{"192.0.2.0/-1", -EINVAL, NULL},
		{"192.0.2.0/ 8", -EINVAL, NULL},
		{"192.0.2.0/0024", -EINVAL, NULL},
		{"192.0.2.0/24/24", -EINVAL, NULL},
		{"/24", -EINVAL, NULL},
		{"1111111111111111111111111111111111111111111111/24", -EINVAL, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char text[PREFIX_TEXT_MAX];
		struct prefix p;

		cr_expect_eq(prefix_parse(rows[i].text, &p), rows[i].err, "%s", rows[i].text);
		if (rows[i].err == 0)
			cr_expect_str_eq(prefix_format(&p, text), rows[i].printed);
	}
}

Test(prefix, clears_the_host_bits_and_cuts_the_length)
{
	static const uint8_t octets[4] = {255, 255, 255, 255};
	struct addr a = addr_v4(octets);
	char text[PREFIX_TEXT_MAX];
	struct prefix p = prefix_of(&a, 200);

	cr_expect_str_eq(prefix_format(&p, text), "255.255.255.255/32");
	p = prefix_of(&a, 9);
	cr_expect_str_eq(prefix_format(&p, text), "255.128.0.0/9");
	p = prefix_of(&a, 0);
	cr_expect_str_eq(prefix_format(&p, text), "0.0.0.0/0");
}

Test(prefix, contains_and_overlaps)
{
	static const struct {
		const char *a, *b;
		bool contains, overlaps;
	} rows[] = {
		{"192.0.2.0/24", "192.0.2.255", true, true},
		{"192.0.2.0/24", "192.0.3.0", false, false},
		{"192.0.2.1", "192.0.2.0/24", false, true},
		{"0.0.0.0/0", "203.0.113.9", true, true},
		{"0.0.0.0/0", "::1", false, false},
		{"2001:db8::/33", "2001:db8:7fff::1", true, true},
		{"2001:db8::/33", "2001:db8:8000::1", false, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct prefix a = prefix_from(rows[i].a), b = prefix_from(rows[i].b);

		cr_expect_eq(prefix_contains(&a, &b.addr) && a.len <= b.len, rows[i].contains, "%s %s", rows[i].a,
			     rows[i].b);
		cr_expect_eq(prefix_overlaps(&a, &b), rows[i].overlaps, "%s %s", rows[i].a, rows[i].b);
		cr_expect_eq(prefix_overlaps(&b, &a), rows[i].overlaps);
	}
}

Test(prefix, orders_by_address_then_length)
{
	struct prefix wide = prefix_from("10.0.0.0/8"), narrow = prefix_from("10.0.0.0/16"), next = prefix_from("10.1.0.0/16");

	cr_expect_lt(prefix_compare(&wide, &narrow), 0);
	cr_expect_lt(prefix_compare(&narrow, &next), 0);
	cr_expect_eq(prefix_compare(&next, &next), 0);
	cr_expect_not(prefix_equal(&wide, &narrow));
}
