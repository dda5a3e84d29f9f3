/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said again, read as a peer would read it, against what the session was told to announce. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "bgp/replay.h"

enum { ROUTES_MAX = 4000 };

static struct {
	struct bgp_config config;
	struct bgp_status status;
	struct bgp_session *session;
	unsigned n_updates;
	unsigned n_announced[BGP_FAMILIES];
	unsigned n_withdrawn[BGP_FAMILIES];
	struct addr next_hop;
	uint32_t med[ROUTES_MAX]; /* of 10.0.N.0/24 by N; 0: not announced */
} t;

static struct addr
addr(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0);
	return addr;
}

static void
begin(void)
{
	t.config = (struct bgp_config){.name = "r", .peer = addr("10.0.0.2"), .local_as = 65001, .peer_as = 65002};
	t.status = (struct bgp_status){.state = BGP_ESTABLISHED, .local = addr("10.0.0.1"), .negotiated = {.as4 = true}};
	t.status.negotiated.family[BGP_V4] = t.status.negotiated.family[BGP_V6] = true;
	t.session = bgp_session_new(&t.config);
	cr_assert(t.session);
}

static void
end(void)
{
	bgp_session_free(t.session);
}

TestSuite(replay, .init = begin, .fini = end);

static unsigned
count(struct bgp_nlri routes, const struct bgp_update *update)
{
	struct bgp_octets flow;
	struct prefix prefix;
	unsigned n = 0;

	if (routes.family == BGP_FLOW4 || routes.family == BGP_FLOW6) {
		while (bgp_nlri_next_flow(&routes, &flow))
			n++;
		return n;
	}
	for (; bgp_nlri_next(&routes, &prefix); n++) {
		if (update && prefix.addr.family == ADDR_V4)
			t.med[(prefix.addr.octets[1] << 8 | prefix.addr.octets[2]) % ROUTES_MAX] = update->attributes.med + 1;
	}
	return n;
}

static void
take(void *context, const uint8_t *message, size_t len)
{
	const struct bgp_update_context as = {.as4 = true, .peer_as = 65001};
	struct bgp_update update;

	(void)context;
	cr_assert(len > 19 && len <= BGP_MESSAGE_MAX && message[18] == BGP_UPDATE);
	bgp_update_decode(message + 19, len - 19, &as, &update);
	cr_assert_eq(update.outcome, BGP_ACCEPT, "%s", update.fault ? update.fault : "");
	t.n_updates++;
	t.n_announced[BGP_V4] += count(update.announced, &update);
	if (update.reach.is_known)
		t.n_announced[update.reach.family] += count(update.reach, &update);
	t.n_withdrawn[BGP_V4] += count(update.withdrawn, NULL);
	if (update.unreach.is_known)
		t.n_withdrawn[update.unreach.family] += count(update.unreach, NULL);
	if (update.announced.len > 0)
		t.next_hop = update.attributes.next_hop;
}

static void
announce(const char *text, uint32_t med)
{
	struct prefix prefix;
	struct path path;

	path_init(&path);
	path.has_med = true;
	path.med = med;
	cr_assert_eq(prefix_parse(text, &prefix), 0);
	cr_assert_eq(bgp_session_announce(t.session, &prefix, &path), 0);
}

static void
announce_many(unsigned n, uint32_t (*med)(unsigned))
{
	char text[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i >> 8, i & 255);
		announce(text, med(i));
	}
}

static uint32_t
med_of_all(unsigned i)
{
	(void)i;
	return 7;
}

static uint32_t
med_of_each(unsigned i)
{
	return i;
}

Test(replay, says_every_route_once_and_fills_messages)
{
	announce_many(ROUTES_MAX, med_of_all);
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect_eq(t.n_announced[BGP_V4], ROUTES_MAX);
	cr_expect_eq(t.n_updates, 4, "some thousand octets each, not %u messages", t.n_updates);
	for (unsigned i = 0; i < ROUTES_MAX; i++)
		cr_assert_eq(t.med[i], 8, "route %u", i);
}

Test(replay, keeps_paths_apart)
{
	announce_many(100, med_of_each);
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect_eq(t.n_updates, 100);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(t.med[i], i + 1, "route %u", i);
}

Test(replay, says_what_the_peer_can_take)
{
	announce("10.0.0.0/24", 0);
	announce("2001:db8::/32", 0);
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect(t.n_announced[BGP_V4] == 1 && t.n_announced[BGP_V6] == 0, "IPv6 has no next hop of ours here");
	cr_expect(addr_equal(&t.next_hop, &t.status.local));
	t.status.local = addr("2001:db8::1");
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect(t.n_announced[BGP_V4] == 1 && t.n_announced[BGP_V6] == 1);
	t.status.negotiated.family[BGP_V6] = false;
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect(t.n_announced[BGP_V4] == 1 && t.n_announced[BGP_V6] == 1);
}

Test(replay, says_flowspec_rules_as_they_are)
{
	static const uint8_t rule[] = {5, 1, 24, 192, 0, 2};
	struct path path;

	path_init(&path);
	t.status.negotiated.family[BGP_FLOW4] = true;
	cr_assert_eq(bgp_session_announce_nlri(t.session, BGP_FLOW4, rule, sizeof(rule), &path), 0);
	bgp_replay_routes(t.session, &t.status, take, NULL);
	cr_expect_eq(t.n_announced[BGP_FLOW4], 1);
}

Test(replay, withdraws_what_another_message_announced)
{
	static const uint8_t prefixes[] = {24, 192, 0, 2, 0, 32, 10, 0, 0, 1}, flows[] = {5, 1, 24, 192, 0, 2};
	static const uint8_t prefix_v6[] = {32, 0x20, 0x01, 0x0d, 0xb8};
	const struct bgp_nlri v4 = {prefixes, sizeof(prefixes), BGP_V4, true, 1, 1};
	const struct bgp_nlri v6 = {prefix_v6, sizeof(prefix_v6), BGP_V6, true, 2, 1};
	const struct bgp_nlri flow = {flows, sizeof(flows), BGP_FLOW4, true, 1, 133};
	const struct bgp_nlri unknown = {prefixes, sizeof(prefixes), BGP_V4, false, 25, 65}, none = {0};

	bgp_replay_withdrawal(&v4, take, NULL);
	bgp_replay_withdrawal(&v6, take, NULL);
	bgp_replay_withdrawal(&flow, take, NULL);
	bgp_replay_withdrawal(&unknown, take, NULL);
	bgp_replay_withdrawal(&none, take, NULL);
	cr_expect(t.n_withdrawn[BGP_V4] == 3 && t.n_withdrawn[BGP_V6] == 1 && t.n_withdrawn[BGP_FLOW4] == 1);
	cr_expect_eq(t.n_updates, 3);
}

/* An extended message (RFC 8654) has more than one of 4,096 octets can take back. */
Test(replay, withdraws_in_as_many_messages_as_it_takes)
{
	static uint8_t octets[4 * 12000];
	const struct bgp_nlri v4 = {octets, sizeof(octets), BGP_V4, true, 1, 1};

	for (unsigned i = 0; i < 12000; i++) {
		octets[4 * i] = 24;
		octets[4 * i + 1] = 10;
		octets[4 * i + 2] = (uint8_t)(i >> 8);
		octets[4 * i + 3] = (uint8_t)i;
	}
	bgp_replay_withdrawal(&v4, take, NULL);
	cr_expect_eq(t.n_withdrawn[BGP_V4], 12000);
	cr_expect_eq(t.n_updates, 12);
}
