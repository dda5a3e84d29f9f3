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
	snprintf(command, sizeof(command),
		 "ip link add edge0 address 02:00:00:00:00:01 type veth peer name peer0 netns %d",
		 (int)peer);
	run(command);
	run("ip link set lo up && ip addr add 10.77.0.1/24 dev edge0 && ip addr add fd77::1/64 dev edge0 nodad && "
	    "ip link set edge0 up");
	snprintf(command, sizeof(command),
		 "nsenter -t %d -n sh -c 'ip link set peer0 address 02:00:00:00:00:02 && "
		 "ip addr add 10.77.0.2/24 dev peer0 && ip addr add fd77::2/64 dev peer0 nodad && ip link set peer0 up'",
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

/* The peer falls silent. What the kernel asks anew keeps its MAC; what didn't answer has none. */
Test(neighbour, believes_an_old_mac_until_a_probe_failed, .init = setup, .fini = teardown)
{
	static const char *const states[] = {"reachable", "stale", "delay", "probe"};
	struct addr at = addr("10.77.0.2");
	struct neighbour got = {0};
	char command[128];

	cr_assert_eq(neighbours_watch(neighbours, &at, 1), 0);
	cr_assert(wait_for(&at, true, &got));
	snprintf(command, sizeof(command), "nsenter -t %d -n ip addr del 10.77.0.2/24 dev peer0", (int)peer);
	run(command);
	for (uint8_t i = 0; i < ARRAY_LEN(states); i++) {
		uint64_t end = clock_now_ns() + 10 * CLOCK_NS_PER_S;

		/* A MAC of its own for each, so that it is seen when the state has been looked at. */
		snprintf(command, sizeof(command), "ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:%02x nud %s dev edge0",
			 0x20 + i, states[i]);
		run(command);
		while (got.mac[5] != 0x20 + i && clock_now_ns() < end) {
			event_base_loop(base, EVLOOP_ONCE);
			cr_assert(neighbours_lookup(neighbours, &at, &got), "%s", states[i]);
		}
		cr_expect_eq(got.mac[5], 0x20 + i, "%s", states[i]);
	}
	cr_expect(wait_for(&at, false, &got), "the probe has failed");
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

/*
 * RTM_NEWLINK as the kernel's dump has it: header, ifinfomsg, then attributes (length and type in the machine's order).
 * eth0.7: index 5 on index 2, IFLA_LINKINFO {KIND "vlan", DATA {PROTOCOL 81 00, ID 7}}.
 */
static const uint16_t vlan_link[] = {
	96,	0, 16, 0, 1, 0, 0, 0,		/* nlmsghdr: length 96, RTM_NEWLINK, sequence 1 */
	0,	1, 5, 0, 0x1043, 1, 0, 0,	/* ifinfomsg: Ethernet, index 5, up */
	10,	1, 0x0002, 0, 0x0100, 0,	/* IFLA_ADDRESS 02:00:00:00:00:01, padded */
	8,	4, 1500, 0,			/* IFLA_MTU */
	8,	5, 2, 0,			/* IFLA_LINK */
	36,	18,				/* IFLA_LINKINFO */
	9,	1, 0x6c76, 0x6e61, 0, 0,	/*   IFLA_INFO_KIND "vlan" */
	20,	2,				/*   IFLA_INFO_DATA */
	6,	5, 0x0081, 0,			/*     IFLA_VLAN_PROTOCOL, big-endian */
	6,	1, 7, 0,			/*     IFLA_VLAN_ID */
};
enum { AT_KIND = 34, AT_DATA = 39, AT_PROTOCOL = 42, AT_ID = 46, AT_LINK = 28 };

Test(neighbour, reads_the_tag_of_a_vlan_device)
{
	static const struct {
		const char *what;
		unsigned at;
		uint16_t value;
		bool is_usable;
		uint16_t vlan;
	} rows[] = {
		{"as it is", AT_ID, 7, true, 7},
		{"the highest tag", AT_ID, 4094, true, 4094},
		{"the reserved tag", AT_ID, 4095, false, 0},
		{"tag 0", AT_ID, 0, false, 0},
		{"802.1ad", AT_PROTOCOL, 0xa888, false, 0},
		{"no carrier", AT_LINK, 0, false, 0},
		{"another kind", AT_KIND, 0x6c77, true, 0},
		{"data of another type", AT_DATA, 9, false, 0},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		_Alignas(8) uint16_t bytes[ARRAY_LEN(vlan_link)];
		struct neighbour_link link;

		memcpy(bytes, vlan_link, sizeof(vlan_link));
		bytes[rows[i].at] = rows[i].value;
		cr_assert(neighbour_parse_link((const struct nlmsghdr *)(const void *)bytes, &link), "%s",
			  rows[i].what);
		cr_expect_eq(link.is_usable, rows[i].is_usable, "%s", rows[i].what);
		if (!rows[i].is_usable)
			continue;
		cr_expect_eq(link.vlan, rows[i].vlan, "%s: %u", rows[i].what, link.vlan);
		cr_expect_eq(link.carrier, rows[i].vlan ? 2 : 0, "%s", rows[i].what);
		cr_expect_eq(link.ifindex, 5);
	}
}
