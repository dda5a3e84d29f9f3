/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real kernel, in a network namespace of the test's own (each Criterion test is a process; needs CAP_NET_ADMIN):
 *
 *   this namespace: edge0 10.77.0.1/24, fd77::1/64 ── peer0 in a second one: 10.77.0.2, fd77::2
 *   10.77.9.0/24 via 10.77.0.2, with an MTU of 1300
 */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "controlplane/neighbour.h"

static struct event_base *base;
static struct neighbours *neighbours;
static unsigned n_changed;
static pid_t peer;

static void
on_changed(void *context)
{
	(void)context;
	n_changed++;
}

static void
run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

/* A process that does nothing but hold the second namespace. */
static void
peer_start(void)
{
	int ready[2];
	char octet;

	cr_assert_eq(pipe(ready), 0);
	peer = fork();
	if (peer == 0) {
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	cr_assert_eq(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static void
setup(void)
{
	char command[256];

	if (unshare(CLONE_NEWNET) != 0)
		cr_skip_test("needs CAP_NET_ADMIN");
	peer_start();
	snprintf(command, sizeof(command), "ip link add edge0 address 02:00:00:00:00:01 type veth peer name peer0 netns %d",
		 (int)peer);
	run(command);
	run("ip link set lo up && ip addr add 10.77.0.1/24 dev edge0 && ip addr add fd77::1/64 dev edge0 nodad && "
	    "ip link set edge0 up");
	snprintf(command, sizeof(command),
		 "nsenter -t %d -n sh -c 'ip link set peer0 address 02:00:00:00:00:02 && ip addr add 10.77.0.2/24 dev peer0 "
		 "&& ip addr add fd77::2/64 dev peer0 nodad && ip link set peer0 up'",
		 (int)peer);
	run(command);
	run("ip route add 10.77.9.0/24 via 10.77.0.2 mtu 1300");
	base = event_base_new();
	cr_assert_eq(neighbours_new(base, on_changed, NULL, &neighbours), 0);
}

static void
teardown(void)
{
	neighbours_free(neighbours);
	if (base)
		event_base_free(base);
	if (peer > 0) {
		kill(peer, SIGKILL);
		waitpid(peer, NULL, 0);
	}
}

TestSuite(neighbour, .timeout = 30);

static struct addr
addr(const char *text)
{
	struct addr out;

	cr_assert_eq(addr_parse(text, &out), 0);
	return out;
}

static bool
wait_for(const struct addr *at, bool known, struct neighbour *out)
{
	uint64_t end = clock_now_ns() + 10 * CLOCK_NS_PER_S;

	while (neighbours_lookup(neighbours, at, out) != known) {
		if (clock_now_ns() > end)
			return false;
		event_base_loop(base, EVLOOP_ONCE);
	}
	return true;
}

Test(neighbour, resolves_both_families_and_what_is_behind_a_router, .init = setup, .fini = teardown)
{
	const struct {
		const char *addr;
		uint16_t mtu;
		bool via_gateway;
	} rows[] = {{"10.77.0.2", 1500, false}, {"fd77::2", 1500, false}, {"10.77.9.9", 1300, true}};
	struct addr addrs[] = {addr("10.77.0.2"), addr("fd77::2"), addr("10.77.9.9")};
	struct neighbour got;

	cr_assert_eq(neighbours_watch(neighbours, addrs, 3), 0);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(wait_for(&addrs[i], true, &got), "%s", rows[i].addr);
		cr_expect_eq(got.mac[5], 2);
		cr_expect_eq(got.source[5], 1);
		cr_expect_eq(got.mtu, rows[i].mtu, "%s: %u", rows[i].addr, got.mtu);
		cr_expect_eq(got.via_gateway, rows[i].via_gateway);
	}
	cr_expect_gt(n_changed, 0);
}

Test(neighbour, refuses_local_addresses_and_ones_that_do_not_answer, .init = setup, .fini = teardown)
{
	struct addr addrs[] = {addr("10.77.0.1"), addr("127.0.0.1"), addr("10.77.0.77"), addr("10.78.0.1"),
			       addr("10.77.0.2")};
	struct neighbour got;

	cr_assert_eq(neighbours_watch(neighbours, addrs, 5), 0);
	cr_assert(wait_for(&addrs[4], true, &got));
	for (unsigned i = 0; i < 4; i++)
		cr_expect_not(neighbours_lookup(neighbours, &addrs[i], &got), "row %u", i);
}

Test(neighbour, follows_a_new_mac_and_the_end_of_the_route, .init = setup, .fini = teardown)
{
	struct addr at = addr("10.77.0.2");
	struct neighbour got;

	cr_assert_eq(neighbours_watch(neighbours, &at, 1), 0);
	cr_assert(wait_for(&at, true, &got));
	run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:99 nud permanent dev edge0");
	for (unsigned i = 0; i < 100 && got.mac[5] != 0x99; i++) {
		event_base_loop(base, EVLOOP_ONCE);
		cr_assert(neighbours_lookup(neighbours, &at, &got));
	}
	cr_expect_eq(got.mac[5], 0x99);
	run("ip link set edge0 down");
	cr_expect(wait_for(&at, false, &got));
}

/* Attributes that claim more than the message holds. */
Test(neighbour, finds_nothing_in_a_short_message)
{
	_Alignas(8) uint8_t bytes[64] = {0};
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)bytes;
	struct neighbour_route route;
	struct neighbour_entry entry;
	struct neighbour_link link;

	for (uint32_t len = 0; len <= sizeof(bytes); len++) {
		memset(bytes, 0xff, sizeof(bytes));
		message->nlmsg_len = len;
		cr_expect_not(neighbour_parse_route(message, &route));
		cr_expect_not(neighbour_parse_entry(message, &entry));
		cr_expect_not(neighbour_parse_link(message, &link));
	}
}
