/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "bgp/path.h"

Test(path, is_the_same_whatever_the_order_in_which_it_was_made)
{
	struct path a, b;

	path_init(&a);
	path_init(&b);
	for (uint32_t i = 0; i < 3; i++) {
		cr_assert_eq(path_add_community(&a, 65001U << 16 | i), 0);
		cr_assert_eq(path_add_community(&b, 65001U << 16 | (2 - i)), 0);
		cr_assert_eq(path_add_extended(&a, 7ULL << 40 | i), 0);
		cr_assert_eq(path_add_extended(&b, 7ULL << 40 | (2 - i)), 0);
		cr_assert_eq(path_add_large(&a, &(struct path_large){1, i, 9 - i}), 0);
		cr_assert_eq(path_add_large(&b, &(struct path_large){1, 2 - i, 7 + i}), 0);
	}
	cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0);
	cr_assert(a.n_communities == 3 && a.n_extended == 3 && a.n_large == 3);
}

Test(path, holds_each_community_once_and_no_more_than_there_is_room_for)
{
	struct path path;

	path_init(&path);
	for (uint32_t i = 0; i < PATH_COMMUNITIES_MAX; i++) {
		cr_assert_eq(path_add_community(&path, i), 0);
		cr_assert_eq(path_add_community(&path, i), 0);
	}
	cr_assert_eq(path_add_community(&path, 1000), -ENOSPC);
	cr_assert_eq(path_add_community(&path, 5), 0, "one that is there needs no room");
	cr_assert_eq(path.n_communities, PATH_COMMUNITIES_MAX);
}
