/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers that connect over the loopback to a listener with real sessions behind it, on an event loop that runs until
 * what is waited for has happened. Each connection comes from an address of its own in 127.0.0.0/8.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <net/if.h>
#include <unistd.h>

#include "base/clock.h"
#include "bgp/tcp.h"
#include "controlplane/dynamic.h"
#include "controlplane/listener.h"
#include "controlplane/rate.h"

enum { PORT = 1179, TRIES = 5000, OPEN_AT = 18, OPEN = 1 };

static struct {
	struct event_base *base;
	struct peering *peering;
	struct listener *listener;
	struct model model;
	struct model_peer peers[2];
	struct model_dynamic ranges[2];
} t;

static struct addr
address(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static bool
may_start(void *context, const char *peer)
{
	(void)context;
	return strcmp(peer, "shut@127.0.2.9") != 0;
}

static void
sign(struct bgp_config *config, const char *key)
{
	config->auth = *key ? BGP_AUTH_MD5 : BGP_AUTH_NONE;
	memset(config->key, 0, sizeof(config->key));
	config->key_len = (uint8_t)strlen(key);
	memcpy(config->key, key, config->key_len);
}

static struct model_peer
peer(const char *name, const char *addr)
{
	struct model_peer peer = {.session = {.local_as = 65001,
					      .peer_as = 65002,
					      .router_id = 1,
					      .hold_s = 9,
					      .reconnect_s = 5,
					      .passive = true,
					      .role = BGP_ROLE_NONE}};

	strcpy(peer.session.name, name);
	if (addr)
		peer.session.peer = address(addr);
	return peer;
}

static struct model_dynamic
range(const char *name, const char *prefix, uint16_t max)
{
	struct model_dynamic range = {.peer = peer(name, NULL), .max = max};

	cr_assert_eq(prefix_parse(prefix, &range.range), 0);
	return range;
}

static void
apply(void)
{
	struct config_errors errors = {0};

	cr_assert_eq(listener_apply(t.listener, "t", &t.model, &errors), 0, "%s", errors.list[0].text);
	cr_assert_eq(peering_apply(t.peering, &t.model), 0);
}

static void
setup(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	cr_assert_eq(unshare(CLONE_NEWNET), 0, "needs root");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	t.base = event_base_new();
	t.peering = peering_new(t.base, may_start, NULL);
	t.listener = listener_new(t.base, t.peering);
	t.peers[0] = peer("r1", "127.0.1.1");
	t.peers[1] = peer("r2", "127.0.1.2");
	t.ranges[0] = range("rack", "127.0.2.0/29", 2);
	t.ranges[1] = range("shut", "127.0.2.8/29", 2);
	t.model = (struct model){.listen = {.enabled = true, .port = PORT, .n_addresses = 1, .addresses = {address("127.0.0.1")}},
				 .n_peers = 2,
				 .peers = t.peers,
				 .n_dynamic = 2,
				 .dynamic = t.ranges};
	apply();
	peering_start(t.peering);
	listener_start(t.listener);
}

static void
teardown(void)
{
	listener_free(t.listener);
	peering_free(t.peering);
	event_base_free(t.base);
}

TestSuite(listener, .init = setup, .fini = teardown);

static int
dial_signed(const char *from, const char *key, uint8_t hops)
{
	struct bgp_config config = {.peer = address("127.0.0.1"),
				    .local = address(from),
				    .port = PORT,
				    .local_as = 65002,
				    .peer_as = 65001,
				    .hops = hops};
	char why[TCP_WHY_MAX] = "";
	int fd = -1;

	sign(&config, key);
	cr_assert_eq(tcp_open(&config, &fd, why), 0, "%s", why);
	return fd;
}

static int
dial(const char *from)
{
	return dial_signed(from, "", 1);
}

/* Runs the loop until the far end has something to read: 'O' an OPEN, 'N' a NOTIFICATION, 'R' a reset. */
static char
answer(int fd)
{
	uint8_t message[64];

	for (int i = 0; i < TRIES; i++) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got;

		event_base_loop(t.base, EVLOOP_NONBLOCK);
		if (poll(&ready, 1, 1) != 1)
			continue;
		got = recv(fd, message, sizeof(message), MSG_DONTWAIT);
		if (got <= OPEN_AT)
			return got < 0 && errno == ECONNRESET ? 'R' : '?';
		return message[OPEN_AT] == OPEN ? 'O' : message[OPEN_AT] == 3 ? 'N' : '?';
	}
	return '-';
}

static void
expect_answer(const char *from, char expected)
{
	int fd = dial(from);

	cr_expect_eq(answer(fd), expected, "%s", from);
	close(fd);
}

static uint64_t
count(enum listener_result result)
{
	return listener_count(t.listener, result);
}

Test(listener, takes_a_connection_of_a_peer_and_resets_a_strangers)
{
	expect_answer("127.0.1.1", 'O');
	cr_expect_eq(count(LISTENER_ACCEPTED), 1);
	expect_answer("127.0.3.1", 'R');
	cr_expect_eq(count(LISTENER_UNKNOWN), 1);
	cr_expect_eq(peering_count(t.peering), 2);
}

Test(listener, limits_what_one_address_opens_and_leaves_others_their_turn)
{
	int fds[40];

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial("127.0.1.1");
	expect_answer("127.0.1.2", 'O');
	cr_expect_gt(count(LISTENER_LIMITED), 20);
	cr_expect_eq(count(LISTENER_LIMITED) + count(LISTENER_ACCEPTED), ARRAY_LEN(fds) + 1);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

Test(listener, takes_so_many_in_a_turn)
{
	int fds[40];

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial("127.0.3.1");
	while (count(LISTENER_UNKNOWN) == 0)
		event_base_loop(t.base, EVLOOP_ONCE);
	cr_expect_eq(count(LISTENER_UNKNOWN), 16);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		cr_expect_eq(answer(fds[i]), 'R');
		close(fds[i]);
	}
	cr_expect_eq(count(LISTENER_UNKNOWN), ARRAY_LEN(fds));
}

Test(listener, makes_peers_of_a_range_up_to_its_number_and_forgets_those_that_are_gone)
{
	int first = dial("127.0.2.1"), second;
	const struct bgp_config *config;

	cr_expect_eq(answer(first), 'O');
	cr_assert_eq(peering_count(t.peering), 3);
	config = bgp_session_config(peering_session(t.peering, 2));
	cr_expect_str_eq(config->name, "rack@127.0.2.1");
	cr_expect(dynamic_is_one(config));
	cr_expect_eq(config->peer_as, 65002);
	cr_expect_str_eq(peering_policy(t.peering, 2)->group, "rack");
	second = dial("127.0.2.2");
	cr_expect_eq(answer(second), 'O');
	expect_answer("127.0.2.3", 'R');
	cr_expect_eq(count(LISTENER_FULL), 1);
	/* One whose connection is gone gives way. */
	close(first);
	while (bgp_session_status(peering_session(t.peering, 2)).state >= BGP_OPEN_SENT)
		event_base_loop(t.base, EVLOOP_ONCE);
	expect_answer("127.0.2.4", 'O');
	cr_expect_eq(peering_lookup(t.peering, "rack@127.0.2.1"), -ENOENT);
	cr_expect_eq(peering_count(t.peering), 4);
	listener_tick(t.listener, clock_now_ns() + 50 * CLOCK_NS_PER_S);
	cr_expect_eq(peering_count(t.peering), 4);
	listener_tick(t.listener, clock_now_ns() + 61 * CLOCK_NS_PER_S);
	cr_expect_eq(peering_count(t.peering), 2);
	close(second);
}

Test(listener, refuses_a_peer_of_a_range_that_the_operator_shut_down)
{
	expect_answer("127.0.2.9", 'N');
	cr_expect_eq(bgp_session_status(peering_session(t.peering, 2)).state, BGP_IDLE);
}

Test(listener, refuses_what_comes_from_too_far_away)
{
	int fd;

	t.peers[0].session.gtsm = true;
	t.peers[0].session.hops = 2;
	apply();
	fd = dial_signed("127.0.1.1", "", 253);
	cr_expect_eq(answer(fd), 'R');
	cr_expect_eq(count(LISTENER_FAR), 1);
	close(fd);
	fd = dial_signed("127.0.1.1", "", 254);
	cr_expect_eq(answer(fd), 'O');
	close(fd);
}

Test(listener, asks_for_keys_and_changes_them_live)
{
	int old, fd = dial_signed("127.0.1.1", "new", 1);
	struct addr addr;
	uint16_t port;

	sign(&t.peers[0].session, "old");
	sign(&t.ranges[0].peer.session, "rack");
	apply();
	old = dial_signed("127.0.1.1", "old", 1);
	cr_expect_eq(answer(old), 'O');
	sign(&t.peers[0].session, "new");
	apply();
	cr_expect(listener_socket(t.listener, 0, &addr, &port) && port == PORT);
	/* The one that waited since before there was a key dials again by itself. */
	cr_expect_eq(answer(fd), 'O');
	close(fd);
	fd = dial_signed("127.0.2.1", "rack", 1);
	cr_expect_eq(answer(fd), 'O');
	close(fd);
	/* Others need none. */
	expect_answer("127.0.1.2", 'O');
	sign(&t.peers[0].session, "");
	apply();
	expect_answer("127.0.1.1", 'O');
	close(old);
}

Test(listener, keeps_sessions_of_a_range_that_stays_and_ends_those_of_one_that_changes)
{
	int fd = dial("127.0.2.1");

	cr_expect_eq(answer(fd), 'O');
	t.peers[1].session.hold_s = 30;
	t.ranges[0].max = 5;
	t.ranges[0].peer.longest_v4 = 24;
	apply();
	cr_assert_eq(peering_count(t.peering), 3);
	cr_expect_eq(bgp_session_status(peering_session(t.peering, 2)).state, BGP_OPEN_SENT);
	cr_expect_eq(peering_policy(t.peering, 2)->longest_v4, 24);
	t.ranges[0].peer.session.hold_s = 30;
	apply();
	cr_expect_eq(peering_count(t.peering), 2);
	cr_expect_eq(answer(fd), 'N');
	close(fd);
	fd = dial("127.0.2.1");
	cr_expect_eq(answer(fd), 'O');
	/* Now somebody configures it. */
	t.peers[1] = peer("r2", "127.0.2.1");
	apply();
	cr_expect_eq(peering_count(t.peering), 2);
	close(fd);
}

Test(listener, says_who_has_the_port_and_listens_on_as_before)
{
	struct config_errors errors = {0};
	struct addr other = address("127.0.0.2"), addr;
	char why[TCP_WHY_MAX];
	uint16_t port;
	int taken;

	cr_assert_eq(tcp_listen(&other, PORT + 1, &taken, why), 0);
	t.model.listen.addresses[0] = other;
	t.model.listen.port = PORT + 1;
	cr_expect_eq(listener_apply(t.listener, "edge.yaml", &t.model, &errors), -EADDRINUSE);
	cr_expect_str_eq(errors.list[0].text,
			 "edge.yaml: bgp: listen: bind to 127.0.0.2 port 1180: Address already in use: "
			 "does another BGP speaker run here?");
	expect_answer("127.0.1.1", 'O');
	cr_assert(listener_socket(t.listener, 0, &addr, &port));
	cr_expect_eq(port, PORT);
	/* An address that the one before is a part of. */
	t.model.listen = (struct model_listen){.enabled = true, .port = PORT};
	apply();
	cr_expect(listener_socket(t.listener, 1, &addr, &port) && addr.family == ADDR_V6);
	expect_answer("127.0.1.1", 'O');
	t.model.listen.enabled = false;
	apply();
	cr_expect_not(listener_socket(t.listener, 0, &addr, &port));
	close(taken);
}

Test(rate, gives_a_burst_and_then_one_a_period_and_forgets_who_owes_least)
{
	static const uint64_t key[2] = {1, 2};
	struct rate rate;
	struct addr first = address("192.0.2.1"), other = address("2001:db8::1"), flood = address("10.0.0.0");
	unsigned taken = 0;

	rate_init(&rate, 100, 3, key);
	for (unsigned i = 0; i < 5; i++)
		taken += rate_take(&rate, &first, 1000);
	cr_expect_eq(taken, 3);
	cr_expect(rate_take(&rate, &other, 1000));
	cr_expect_not(rate_take(&rate, &first, 1099));
	cr_expect(rate_take(&rate, &first, 1100));
	cr_expect_not(rate_take(&rate, &first, 1100));
	for (unsigned i = 0; i < 3; i++)
		cr_expect(rate_take(&rate, &first, 9999));
	/* A hundred times more addresses than there is room for, each once: each gets its turn, and who owes most is
	 * remembered. */
	for (unsigned i = 0; i < 100 * RATE_SETS * RATE_WAYS; i++) {
		flood.octets[1] = (uint8_t)(i >> 16);
		flood.octets[2] = (uint8_t)(i >> 8);
		flood.octets[3] = (uint8_t)i;
		cr_assert(rate_take(&rate, &flood, 9999));
	}
	cr_expect_not(rate_take(&rate, &first, 9999));
}

Test(dynamic, makes_a_peer_by_the_ranges_pattern)
{
	struct model_dynamic ranges[] = {range("rack", "10.1.0.0/16", 4), range("six", "2001:db8::/64", 4)};
	struct model_peer peers[] = {peer("r1", "10.1.0.1")}, made, again;
	struct model model = {.n_peers = 1, .peers = peers, .n_dynamic = 2, .dynamic = ranges};
	struct addr addr = address("2001:db8::ffff:ffff:ffff:ffff"), outside = address("10.2.0.1");

	cr_expect_null(dynamic_lookup(ranges, 2, &outside));
	cr_assert_eq(dynamic_lookup(ranges, 2, &addr), &ranges[1]);
	made = dynamic_peer(&ranges[1], &addr);
	cr_expect_str_eq(made.session.name, "six@2001:db8::ffff:ffff:ffff:ffff");
	cr_expect_str_eq(made.group, "six");
	cr_expect(dynamic_renew(&model, &made, &again));
	cr_expect_eq(memcmp(&made.session, &again.session, sizeof(made.session)), 0);
	made.session.peer = peers[0].session.peer; /* somebody configured it */
	cr_expect_not(dynamic_renew(&model, &made, &again));
	made.session.peer = outside;
	cr_expect_not(dynamic_renew(&model, &made, &again));
}
