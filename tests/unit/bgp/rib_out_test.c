/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "bgp/rib_out.h"

static struct rib_out *rib;

static void
setup(void)
{
	rib = rib_out_new();
}

static void
teardown(void)
{
	rib_out_free(rib);
}

TestSuite(rib_out, .init = setup, .fini = teardown);

static struct prefix
host(uint32_t i)
{
	uint8_t octets[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
	struct addr addr = addr_v4(octets);

	return prefix_of(&addr, 32);
}

static struct path
path_of(uint32_t community)
{
	struct path path;

	path_init(&path);
	if (community)
		cr_assert_eq(path_add_community(&path, community), 0);
	return path;
}

static int
announce(uint32_t i, uint32_t community)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct prefix prefix = host(i);
	struct rib_nlri nlri = rib_nlri_of(&prefix, octets);
	struct path path = path_of(community);

	return rib_out_announce(rib, &nlri, &path);
}

static void
withdraw(uint32_t i)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct prefix prefix = host(i);
	struct rib_nlri nlri = rib_nlri_of(&prefix, octets);

	rib_out_withdraw(rib, &nlri);
}

static bool
next(enum rib_change change, struct rib_nlri *out, uint32_t *path)
{
	return rib_out_next(rib, BGP_V4, change, out, path);
}

/* Is one pending? */
static size_t
pending(enum rib_change change)
{
	struct rib_nlri nlri;
	uint32_t path;

	return next(change, &nlri, &path);
}

static void
put(void)
{
	for (int i = 0; i < RIB_CHANGES; i++) {
		while (pending((enum rib_change)i))
			rib_out_sent(rib, BGP_V4, (enum rib_change)i);
	}
}

/* + announce, * announce with another path, - withdraw, p put all into messages, c confirm, f forget, r refresh, d defer. */
static const struct {
	const char *steps;
	size_t withdraws, announces;
	uint32_t advertised;
} rows[] = {
	{"+", 0, 1, 0},	     {"++", 0, 1, 0},	   {"+-", 0, 0, 0},	{"+pc", 0, 0, 1},    {"+pc+", 0, 0, 1},
	{"+pc-", 1, 0, 1},   {"+pc-+", 0, 0, 1},   {"+pc-pc", 0, 0, 0}, {"+pcf", 0, 1, 0},   {"+pc-f", 0, 0, 0},
	{"+pcr", 0, 1, 1},   {"+pcr-", 1, 0, 1},   {"+pcr-+", 0, 0, 1}, {"-", 0, 0, 0},	     {"+p", 0, 0, 0},
	{"+p-", 0, 0, 0},    {"+p-c", 1, 0, 1},	   {"+p-+c", 0, 0, 1},	{"+pc-p", 0, 0, 1},  {"+pc-p+", 0, 0, 1},
	{"+pc-p+c", 0, 1, 0}, {"+pc*", 0, 1, 1},    {"+pc*+", 0, 0, 1},	{"+pc*pc", 0, 0, 1}, {"+p*c", 0, 1, 1},
	{"+p*+c", 0, 0, 1},  {"+pr", 0, 0, 0},	   {"+prc", 0, 1, 1},	{"+pf", 0, 1, 0},    {"+p-f", 0, 0, 0},
	{"+pc*p", 0, 0, 1},  {"+pc*p-c", 1, 0, 1}, {"+pc*p-pc", 1, 0, 1},
	{"+d", 0, 0, 0},     {"+df", 0, 1, 0},	   {"+d-", 0, 0, 0},	{"+d*", 0, 1, 0},    {"+d+", 0, 0, 0},
	{"+pc*d", 1, 0, 1},  {"+pc*dpc", 0, 1, 0}, {"+pc*dpcd", 0, 0, 0}, {"+pc*d+", 0, 0, 1}, {"+dr", 0, 1, 0},
};

static void
step(char what)
{
	if (what == '+' || what == '*')
		cr_assert_eq(announce(1, what == '*' ? 1 : 0), 0);
	else if (what == '-')
		withdraw(1);
	else if (what == 'f')
		rib_out_forget(rib);
	else if (what == 'r')
		rib_out_refresh(rib, BGP_V4);
	else if (what == 'c')
		rib_out_confirm(rib);
	else if (what == 'd')
		rib_out_defer(rib, BGP_V4);
	else
		put();
}

Test(rib_out, sends_the_difference_only)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (const char *s = rows[i].steps; *s; s++)
			step(*s);
		cr_expect_eq(pending(RIB_WITHDRAW), rows[i].withdraws, "%s", rows[i].steps);
		cr_expect_eq(pending(RIB_ANNOUNCE), rows[i].announces, "%s", rows[i].steps);
		cr_expect_eq(rib_out_advertised(rib), rows[i].advertised, "%s", rows[i].steps);
		rib_out_free(rib);
		rib = rib_out_new();
	}
}

Test(rib_out, holds_65536_routes_and_refuses_the_next)
{
	for (uint32_t i = 0; i < RIB_OUT_MAX; i++)
		cr_assert_eq(announce(i, 0), 0);
	cr_expect_eq(announce(RIB_OUT_MAX, 0), -ENOSPC);
	withdraw(0);
	cr_expect_eq(announce(0, 0), 0);
}

/* Three paths, taken in turns by 30 routes, make three batches. */
Test(rib_out, groups_routes_of_equal_path)
{
	for (uint32_t i = 0; i < 30; i++)
		cr_assert_eq(announce(i, 1 + i % 3), 0);
	withdraw(4); /* the second of its group, and then the last of another */
	withdraw(29);
	cr_assert_eq(announce(4, 2), 0);
	for (uint32_t group = 1; group <= 3; group++) {
		struct path path, expected = path_of(group);
		struct rib_nlri out;
		uint32_t first, number;
		unsigned n = 0;

		cr_assert(next(RIB_ANNOUNCE, &out, &first));
		rib_out_path(rib, first, &path);
		cr_expect_eq(memcmp(&path, &expected, sizeof(path)), 0);
		for (; next(RIB_ANNOUNCE, &out, &number) && number == first; n++) {
			cr_expect_eq(rib_prefix_of(&out).addr.octets[3] % 3, group - 1);
			rib_out_sent(rib, BGP_V4, RIB_ANNOUNCE);
		}
		cr_expect_eq(n, group == 3 ? 9 : 10, "group %u: %u", group, n);
	}
	cr_expect_eq(pending(RIB_ANNOUNCE), 0);
	rib_out_confirm(rib);
	cr_expect_eq(rib_out_advertised(rib), 29);
}

/* 1,000 VIPs towards 100 peers, each with a path of its own and four communities: some 20 MB in all. */
Test(rib_out, costs_little_for_each_route)
{
	size_t before = mallinfo2().uordblks;

	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t octets[RIB_PREFIX_LEN];
		struct prefix prefix = host(i);
		struct rib_nlri nlri = rib_nlri_of(&prefix, octets);
		struct path path = path_of(i + 1);

		for (uint32_t c = 0; c < 3; c++)
			cr_assert_eq(path_add_community(&path, 0x10000 + c), 0);
		cr_assert_eq(rib_out_announce(rib, &nlri, &path), 0);
	}
	cr_expect_lt(mallinfo2().uordblks - before, 250 * 1000);
}

static bool
collect(void *context, const struct bgp_route_view *route)
{
	uint32_t *seen = context;

	seen[route->state]++;
	return true;
}

/* A rule longer than what lies in the entry itself comes back octet for octet; a walk says how far each route is. */
Test(rib_out, keeps_long_rules_and_tells_how_far_each_route_is)
{
	uint8_t octets[240] = {0xf0, 0xee, 1, 2, 3};
	struct rib_nlri rule = {.family = BGP_FLOW4, .len = sizeof(octets), .octets = octets}, out;
	struct path path = path_of(7);
	uint32_t seen[3] = {0};
	uint32_t number;

	cr_assert_eq(rib_out_announce(rib, &rule, &path), 0);
	cr_assert(rib_out_next(rib, BGP_FLOW4, RIB_ANNOUNCE, &out, &number));
	cr_assert_eq(out.len, sizeof(octets));
	cr_expect_eq(memcmp(out.octets, octets, sizeof(octets)), 0);
	cr_assert_eq(announce(1, 0) + announce(2, 0), 0);
	put();
	rib_out_confirm(rib);
	withdraw(2);
	cr_expect_eq(rib_out_walk(rib, collect, seen), 3);
	cr_expect(seen[BGP_ROUTE_PENDING] == 1 && seen[BGP_ROUTE_TOLD] == 1 && seen[BGP_ROUTE_LEAVING] == 1);
	rib_out_withdraw(rib, &rule);
	cr_expect_not(rib_out_next(rib, BGP_FLOW4, RIB_ANNOUNCE, &out, &number));
}
