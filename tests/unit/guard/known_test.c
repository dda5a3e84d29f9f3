/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "dataplane/stage/known.h"

static struct known_table *table;

static void
setup(void)
{
	table = known_table_new(KNOWN_BITS_MIN);
	cr_assert_not_null(table);
}

static void
teardown(void)
{
	known_table_free(table);
}

TestSuite(known, .init = setup, .fini = teardown);

static uint64_t
key_in_set(unsigned set, unsigned n)
{
	return (uint64_t)set << (64 - table->bits) | (n + 1);
}

Test(known, tells_what_a_source_has_shown_and_since_when)
{
	cr_expect_not(known_lookup(table, key_in_set(3, 1), 100).is_seen);
	known_see(table, key_in_set(3, 1), 100);
	cr_expect(known_lookup(table, key_in_set(3, 1), 130).is_seen);
	cr_expect_not(known_lookup(table, key_in_set(3, 1), 130).is_passed);
	cr_expect_eq(known_lookup(table, key_in_set(3, 1), 130).age_s, 30);
	known_see(table, key_in_set(3, 1), 140);
	cr_expect_eq(known_lookup(table, key_in_set(3, 1), 150).age_s, 50, "since the first time");
	known_pass(table, key_in_set(3, 1), 150);
	cr_expect(known_lookup(table, key_in_set(3, 1), 151).is_passed);
	known_see(table, key_in_set(3, 1), 160);
	cr_expect(known_lookup(table, key_in_set(3, 1), 161).is_passed, "being seen takes no proof away");
	cr_expect_not(known_lookup(table, key_in_set(3, 2), 161).is_seen);
}

Test(known, forgets_a_source_after_its_time)
{
	known_pass(table, key_in_set(1, 1), 10);
	known_see(table, key_in_set(1, 2), 10);
	known_see(table, key_in_set(1, 2), 2000);
	cr_expect(known_lookup(table, key_in_set(1, 1), 10 + KNOWN_PASSED_S - 1).is_passed);
	cr_expect_not(known_lookup(table, key_in_set(1, 1), 10 + KNOWN_PASSED_S).is_seen);
	cr_expect(known_lookup(table, key_in_set(1, 2), 2000 + KNOWN_SEEN_S - 1).is_seen);
	cr_expect_not(known_lookup(table, key_in_set(1, 2), 2000 + KNOWN_SEEN_S).is_seen);
}

Test(known, counts_on_over_the_wrap_of_its_clock)
{
	known_pass(table, key_in_set(1, 1), 65500);
	cr_expect(known_lookup(table, key_in_set(1, 1), 65600).is_passed);
	cr_expect_eq(known_lookup(table, key_in_set(1, 1), 65600).age_s, 100);
	cr_expect_eq(known_sweep(table, 0, known_sets(table), 65600), 1);
	cr_expect_eq(known_sweep(table, 0, known_sets(table), 65500 + KNOWN_PASSED_S), 0);
	cr_expect_not(known_lookup(table, key_in_set(1, 1), 65536 + 65500).is_seen, "swept: it doesn't come back");
}

/* Whoever rotates sources fills a set with what was seen, and drives out nobody who has passed. */
Test(known, keeps_who_has_passed_whatever_else_is_seen)
{
	for (unsigned n = 0; n < 4; n++)
		known_pass(table, key_in_set(2, n), 10);
	for (unsigned n = 0; n < 10000; n++)
		known_see(table, key_in_set(2, 100 + n), 11);
	for (unsigned n = 0; n < 4; n++)
		cr_expect(known_lookup(table, key_in_set(2, n), 12).is_passed);
	for (unsigned n = 4; n < KNOWN_WAYS; n++)
		known_pass(table, key_in_set(2, n), 20 + n);
	for (unsigned n = 0; n < KNOWN_WAYS; n++)
		cr_expect(known_lookup(table, key_in_set(2, n), 30).is_passed, "%u", n);
	known_see(table, key_in_set(2, 50), 31);
	cr_expect_not(known_lookup(table, key_in_set(2, 50), 31).is_seen, "no room among those who have passed");
	known_pass(table, key_in_set(2, 51), 31);
	cr_expect(known_lookup(table, key_in_set(2, 51), 31).is_passed);
	cr_expect(known_lookup(table, key_in_set(2, 7), 31).is_passed, "the oldest proof gives way");
}

Test(known, takes_an_ipv6_link_for_one_source)
{
	static const uint8_t a[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 1}, b[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 2},
			     c[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 2, 1};

	cr_expect_eq(known_key(7, a, true), known_key(7, b, true));
	cr_expect_neq(known_key(7, a, true), known_key(7, c, true));
	cr_expect_neq(known_key(7, a, true), known_key(8, a, true));
	cr_expect_neq(known_key(7, a, false), known_key(7, a + 1, false));
}
