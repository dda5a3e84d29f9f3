/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0 */
/* Objects for the tests: a filter that reads the view, one that reads beyond it, one that needs a map, one that has a loop. */
#include <linux/types.h>

struct view {
	__u32 len;
	__u32 zero;
	__u8 octets[256];
};

__attribute__((section("filter"), used)) int
udp_from_123(const struct view *view)
{
	return view->len > 400 && view->octets[12] == 8 && view->octets[23] == 17 && view->octets[34] == 0 &&
	       view->octets[35] == 123;
}

__attribute__((section("beyond"), used)) int
program_beyond(const struct view *view)
{
	return ((const volatile __u8 *)view)[300];
}

static __u64 counter;

__attribute__((section("map"), used)) int
program_map(const struct view *view)
{
	counter += view->len;
	return counter > 1;
}

__attribute__((section("loop"), used)) int
program_loop(const struct view *view)
{
	volatile __u32 n = view->len;

	while (n != 1)
		n = n & 1 ? 3 * n + 1 : n / 2;
	return 1;
}
