/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>

#include "bgp/rib_out.h"

static struct prefix
host(uint32_t i)
{
	uint8_t octets[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
	struct addr addr = addr_v4(octets);

	return prefix_of(&addr, 32);
}

/* + announce, - withdraw, s send all, f forget, r refresh; one prefix. */
static const struct {
	const char *steps;
	size_t withdraws, announces;
	uint32_t advertised;
} rows[] = {
	{"+", 0, 1, 0},	  {"++", 0, 1, 0},  {"+-", 0, 0, 0},   {"+s", 0, 0, 1},	  {"+s-", 1, 0, 1},
	{"+s-+", 0, 0, 1}, {"+s-s", 0, 0, 0}, {"+sf", 0, 1, 0}, {"+s-f", 0, 0, 0}, {"+sr", 0, 1, 1},
	{"+sr-", 1, 0, 1}, {"+sr-+", 0, 0, 1}, {"-", 0, 0, 0},
};

static void
step(struct rib_out *rib, char what)
{
	struct prefix prefix = host(1);

	if (what == '+')
		cr_assert_eq(rib_out_announce(rib, &prefix), 0);
	else if (what == '-')
		rib_out_withdraw(rib, &prefix);
	else if (what == 'f')
		rib_out_forget(rib);
	else if (what == 'r')
		rib_out_refresh(rib, BGP_V4);
	else
		for (int i = 0; i < RIB_CHANGES; i++)
			rib_out_sent(rib, BGP_V4, (enum rib_change)i,
				     rib_out_pending(rib, BGP_V4, (enum rib_change)i, &prefix, 1));
}

Test(rib_out, sends_the_difference_only)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rib_out *rib = rib_out_new();
		struct prefix out[4];

		for (const char *s = rows[i].steps; *s; s++)
			step(rib, *s);
		cr_expect_eq(rib_out_pending(rib, BGP_V4, RIB_WITHDRAW, out, 4), rows[i].withdraws, "%s", rows[i].steps);
		cr_expect_eq(rib_out_pending(rib, BGP_V4, RIB_ANNOUNCE, out, 4), rows[i].announces, "%s", rows[i].steps);
		cr_expect_eq(rib_out_advertised(rib), rows[i].advertised, "%s", rows[i].steps);
		rib_out_free(rib);
	}
}

Test(rib_out, holds_65536_prefixes_and_refuses_the_next)
{
	struct rib_out *rib = rib_out_new();
	struct prefix prefix;

	for (uint32_t i = 0; i < RIB_OUT_MAX; i++) {
		prefix = host(i);
		cr_assert_eq(rib_out_announce(rib, &prefix), 0);
	}
	prefix = host(RIB_OUT_MAX);
	cr_expect_eq(rib_out_announce(rib, &prefix), -ENOSPC);
	prefix = host(0);
	rib_out_withdraw(rib, &prefix);
	cr_expect_eq(rib_out_announce(rib, &prefix), 0);
	rib_out_free(rib);
}
