/* SPDX-License-Identifier: BSD-2-Clause */
/* Two cores that talk to each other through memory; the clock is a number. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/fsm.h"

struct heard {
	unsigned updates, markers[BGP_FAMILIES], begins, ends, downs;
	unsigned messages[2]; /* received, sent */
	bool was_withdrawal;
	size_t announced_len;
};

struct side {
	struct bgp_config config;
	struct fsm_shared shared;
	struct heard heard;
	struct fsm fsm;
};

static struct side a, b;
static uint64_t now_ns;

static void
on_update(void *context, const struct bgp_update *update)
{
	struct heard *heard = context;

	heard->updates++;
	heard->was_withdrawal = update->is_withdrawal;
	heard->announced_len = update->announced.len + update->reach.len;
}

static void
on_end_of_rib(void *context, enum bgp_family family)
{
	((struct heard *)context)->markers[family]++;
}

static void
on_refresh(void *context, enum bgp_family family, bool begins)
{
	struct heard *heard = context;

	(void)family;
	(*(begins ? &heard->begins : &heard->ends))++;
}

static void
on_family_down(void *context, enum bgp_family family)
{
	(void)family;
	((struct heard *)context)->downs++;
}

static void
on_message(void *context, bool sent, const uint8_t *octets, size_t len)
{
	cr_assert_geq(len, BGP_HEADER_LEN);
	cr_assert_eq(octets[0], 0xff);
	((struct heard *)context)->messages[sent]++;
}

static const struct bgp_session_events EVENTS = {.update = on_update, .end_of_rib = on_end_of_rib, .refresh = on_refresh,
						 .family_down = on_family_down, .message = on_message};

static void
side_init(struct side *side, uint32_t local_as, uint32_t peer_as, uint32_t id)
{
	memset(side, 0, sizeof(*side));
	side->config = (struct bgp_config){.local_as = local_as, .peer_as = peer_as, .router_id = id, .hold_s = 9,
					   .reconnect_s = 2, .role = BGP_ROLE_NONE};
	side->shared = (struct fsm_shared){.config = &side->config, .rib = rib_out_new()};
	fsm_init(&side->fsm, &side->shared, id);
	fsm_listen(&side->fsm, &EVENTS, &side->heard);
}

static void
setup(void)
{
	now_ns = CLOCK_NS_PER_S;
	side_init(&a, 65001, 4200000000, 1);
	side_init(&b, 4200000000, 65001, 2);
}

static void
teardown(void)
{
	rib_out_free(a.shared.rib);
	rib_out_free(b.shared.rib);
	tally_free(b.shared.tally);
}

/* What `a` has sent: the lengths of its UPDATEs, in order. */
static size_t updates[16];
static unsigned n_updates;

static void
note(const uint8_t *octets, size_t len)
{
	struct bgp_header header;
	struct bgp_error error;

	for (; len >= BGP_HEADER_LEN && bgp_header_decode(octets, true, &header, &error) == 0 && header.len <= len;
	     len -= header.len, octets += header.len) {
		if (header.type == BGP_UPDATE && n_updates < ARRAY_LEN(updates))
			updates[n_updates++] = header.len;
	}
}

static size_t
give(struct side *to, const uint8_t *octets, size_t len)
{
	unsigned budget = UINT32_MAX;

	return fsm_input(&to->fsm, now_ns, octets, len, &budget);
}

static size_t
carry(struct side *from, struct side *to)
{
	const uint8_t *octets = from->fsm.out.octets + from->fsm.out.at;
	size_t used = give(to, octets, from->fsm.out.len);

	if (from == &a)
		note(octets, used);
	fsm_taken(&from->fsm, used);
	return used;
}

static void
talk(void)
{
	while (carry(&a, &b) + carry(&b, &a) > 0)
		;
}

static void
tick(uint64_t by_ns)
{
	now_ns += by_ns;
	fsm_tick(&a.fsm, now_ns);
	fsm_tick(&b.fsm, now_ns);
}

static void
dial(void)
{
	struct addr local;

	cr_assert_eq(addr_parse("10.77.8.1", &local), 0);
	fsm_start(&a.fsm, now_ns);
	fsm_start(&b.fsm, now_ns);
	fsm_connected(&a.fsm, now_ns, &local);
	fsm_connected(&b.fsm, now_ns, &local);
}

static void
join(void)
{
	dial();
	talk();
}

static void
announce_with(const char *text, const struct path *path)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct prefix prefix;
	struct rib_nlri nlri;

	cr_assert_eq(prefix_parse(text, &prefix), 0);
	nlri = rib_nlri_of(&prefix, octets);
	cr_assert_eq(rib_out_announce(a.shared.rib, &nlri, path), 0);
}

static void
announce(const char *text)
{
	struct path path;

	path_init(&path);
	announce_with(text, &path);
}

static void
expect_error(const struct side *side, uint8_t code, uint8_t subcode, bool ours)
{
	const struct bgp_status *status = &side->fsm.status;

	cr_expect(status->last_error.code == code && status->last_error.subcode == subcode && status->last_error_ours == ours,
		  "%u/%u, %s", status->last_error.code, status->last_error.subcode, status->last_error_ours ? "ours" : "theirs");
}

TestSuite(fsm, .init = setup, .fini = teardown);

Test(fsm, establishes_and_announces)
{
	announce("10.99.0.1");
	join();
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
	cr_expect_eq(b.fsm.status.state, BGP_ESTABLISHED);
	cr_expect_eq(a.fsm.status.advertised, 1);
	cr_expect_eq(a.fsm.status.sent[BGP_UPDATE], 3); /* the prefix and a marker for each family */
	cr_expect_eq(a.fsm.status.hold_s, 9);
	cr_expect_eq(b.heard.updates, 1);
	cr_expect_eq(b.heard.announced_len, 5);
	cr_expect(b.heard.markers[BGP_V4] == 1 && b.heard.markers[BGP_V6] == 1);
	cr_expect_eq(b.heard.messages[false], a.heard.messages[true]);
	cr_expect_eq(a.heard.messages[true], 5); /* OPEN, KEEPALIVE, UPDATE, two markers */
}

/* RFC 4724 3 and 4.1: the R bit, then the routes, then an End-of-RIB for each family: 23 octets, and 30 in IPv6. */
Test(fsm, says_that_it_restarts_and_marks_the_end_of_its_routes)
{
	a.config.graceful_restart_s = 20;
	announce("10.99.0.1");
	join();
	cr_expect(b.fsm.peer_open.graceful_restart && b.fsm.peer_open.restarting);
	cr_expect_eq(b.fsm.peer_open.restart_s, 20);
	cr_expect_not(a.fsm.peer_open.graceful_restart);
	cr_assert_eq(n_updates, 3);
	cr_expect_gt(updates[0], 30);
	cr_expect(updates[1] + updates[2] == 53 && (updates[1] == 23 || updates[1] == 30), "%zu, %zu", updates[1],
		  updates[2]);
}

Test(fsm, stays_up_while_keepalives_flow_and_expires_without)
{
	join();
	for (int i = 0; i < 600; i++) {
		tick(CLOCK_NS_PER_S / 10);
		talk();
	}
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
	now_ns += 10 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_IDLE);
	expect_error(&a, BGP_ERROR_HOLD, 0, true);
	cr_expect_eq(a.fsm.status.flaps, 1);
	carry(&a, &b);
	expect_error(&b, BGP_ERROR_HOLD, 0, false);
	cr_expect_neq(fsm_deadline_ns(&a.fsm), UINT64_MAX, "it tries again");
}

/* RFC 4271 8.2.2, OpenConfirm: the negotiated hold time counts there already. */
Test(fsm, expires_in_open_confirm_too)
{
	dial();
	carry(&b, &a);
	cr_assert_eq(a.fsm.status.state, BGP_OPEN_CONFIRM);
	now_ns += 9 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_IDLE);
	expect_error(&a, BGP_ERROR_HOLD, 0, true);
}

Test(fsm, tells_who_the_peer_is_and_what_it_said_in_the_end)
{
	struct bgp_error error = bgp_error_shutdown(BGP_CEASE_SHUTDOWN, "kernel upgrade");
	uint8_t message[BGP_MESSAGE_MAX];
	size_t len = bgp_notification_encode(&error, message);
	const struct bgp_status *status = &a.fsm.status;

	join();
	cr_assert_eq(status->state, BGP_ESTABLISHED);
	cr_expect_eq(status->router_id, 2);
	cr_expect_eq(status->established_ns, now_ns);
	cr_expect_eq(status->last_message_ns, now_ns);
	cr_expect(status->negotiated.family[BGP_V4] && status->negotiated.family[BGP_V6] && status->negotiated.as4 &&
		  status->negotiated.refresh && status->negotiated.enhanced_refresh && status->negotiated.extended_message);
	cr_expect_not(status->negotiated.family[BGP_FLOW4]);
	cr_expect_eq(status->negotiated.peer_role, BGP_ROLE_NONE);
	cr_assert_eq(give(&a, message, len), len);
	cr_expect_str_eq(status->text, "kernel upgrade");
}

Test(fsm, refuses_the_wrong_as)
{
	a.config.peer_as = 65009;
	join();
	expect_error(&a, BGP_ERROR_OPEN, BGP_OPEN_PEER_AS, true);
	cr_expect_eq(b.fsm.status.state, BGP_IDLE);
}

Test(fsm, takes_any_as_of_a_range_and_remembers_which)
{
	static const struct {
		uint32_t first, last;
		bool is_taken;
	} rows[] = {
		{4199999999, 4200000001, true}, {4200000000, 4200000001, true}, {4199999999, 4200000000, true},
		{4199999990, 4199999999, false}, {4200000001, 4200000009, false}, {4199999999, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bgp_config config = {.local_as = 65001, .peer_as = rows[i].first, .peer_as_last = rows[i].last,
					    .role = BGP_ROLE_NONE};
		struct bgp_open open = {.as2 = BGP_AS_TRANS, .has_as4 = true, .as4 = 4200000000, .role = BGP_ROLE_NONE};
		struct bgp_error error = negotiate_judge(&config, &open);
		struct bgp_negotiated negotiated = negotiate(&config, &open);

		cr_expect_eq(error.code, rows[i].is_taken ? 0 : BGP_ERROR_OPEN, "row %zu", i);
		cr_expect_eq(negotiated.peer_as, 4200000000);
		cr_expect_eq(negotiate_context(&config, &negotiated).peer_as, 4200000000);
	}
}

/* RFC 9234 4.2. */
Test(fsm, refuses_roles_that_do_not_fit)
{
	static const struct {
		enum bgp_role a, b;
		bool strict, fits;
	} rows[] = {
		{BGP_ROLE_CUSTOMER, BGP_ROLE_PROVIDER, false, true}, {BGP_ROLE_PEER, BGP_ROLE_PEER, true, true},
		{BGP_ROLE_RS_CLIENT, BGP_ROLE_RS, true, true},	     {BGP_ROLE_CUSTOMER, BGP_ROLE_CUSTOMER, false, false},
		{BGP_ROLE_CUSTOMER, BGP_ROLE_NONE, false, true},     {BGP_ROLE_CUSTOMER, BGP_ROLE_NONE, true, false},
		{BGP_ROLE_PEER, BGP_ROLE_PROVIDER, false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		teardown();
		setup();
		a.config.role = rows[i].a;
		b.config.role = rows[i].b;
		a.config.role_strict = rows[i].strict;
		join();
		cr_expect_eq(a.fsm.status.state == BGP_ESTABLISHED, rows[i].fits, "row %zu", i);
		if (!rows[i].fits)
			expect_error(&a, BGP_ERROR_OPEN, BGP_OPEN_ROLE, true);
	}
}

Test(fsm, stops_with_cease)
{
	struct bgp_error cease = bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN);

	join();
	fsm_stop(&a.fsm, now_ns, &cease);
	carry(&a, &b);
	expect_error(&b, BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN, false);
	cr_expect_eq(fsm_deadline_ns(&a.fsm), UINT64_MAX, "it stays stopped");
}

/* RFC 8538 3: the peer would keep our routes over a plain Cease. */
Test(fsm, stops_with_a_hard_reset_where_routes_would_be_kept)
{
	struct bgp_error cease = bgp_error_shutdown(BGP_CEASE_SHUTDOWN, "bye");

	a.config.graceful_restart_s = b.config.graceful_restart_s = 20;
	join();
	fsm_stop(&a.fsm, now_ns, &cease);
	carry(&a, &b);
	expect_error(&b, BGP_ERROR_CEASE, BGP_CEASE_HARD_RESET, false);
	cr_expect_str_eq(b.fsm.status.text, "bye");
	cr_expect_not(b.fsm.status.may_keep);
}

Test(fsm, tells_whether_a_helper_keeps_the_routes)
{
	a.config.graceful_restart_s = b.config.graceful_restart_s = 20;
	join();
	fsm_lost(&a.fsm, now_ns);
	cr_expect(a.fsm.status.may_keep, "RFC 4724 4.2");
	teardown();
	setup();
	join();
	fsm_lost(&a.fsm, now_ns);
	cr_expect_not(a.fsm.status.may_keep);
	teardown();
	setup();
	a.config.graceful_restart_s = b.config.graceful_restart_s = 20;
	join();
	now_ns += 10 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect(a.fsm.status.may_keep, "RFC 8538 3");
}

Test(fsm, answers_a_message_out_of_place_with_the_states_subcode)
{
	uint8_t message[BGP_MESSAGE_MAX];

	dial();
	give(&a, message, bgp_keepalive_encode(message));
	expect_error(&a, BGP_ERROR_FSM, BGP_FSM_OPEN_SENT, true);
	carry(&b, &b); /* OPEN */
	cr_assert_eq(b.fsm.status.state, BGP_IDLE, "its own AS is not the peer's");
}

Test(fsm, sends_a_family_again_on_request)
{
	uint8_t message[BGP_MESSAGE_MAX];

	announce("10.99.0.1");
	join();
	give(&a, message, bgp_refresh_encode(BGP_V4, BGP_REFRESH_REQUEST, message));
	talk();
	cr_expect_eq(a.fsm.status.sent[BGP_UPDATE], 4);
	cr_expect(b.heard.begins == 1 && b.heard.ends == 1, "RFC 7313: %u, %u", b.heard.begins, b.heard.ends);
	fsm_refresh(&b.fsm, BGP_V4);
	talk();
	cr_expect_eq(b.heard.updates, 3);
	give(&a, message, bgp_refresh_encode(BGP_FLOW4, BGP_REFRESH_REQUEST, message));
	talk();
	cr_expect_eq(b.heard.begins, 2, "a family that was not negotiated is not sent");
}

Test(fsm, keeps_the_connection_of_the_higher_identifier)
{
	struct bgp_open open = {.id = 5};
	struct bgp_config config = {.router_id = 6};

	cr_expect(negotiate_ours_stays(&config, &open));
	config.router_id = 4;
	cr_expect_not(negotiate_ours_stays(&config, &open));
	join();
	fsm_collision(&a.fsm, now_ns);
	expect_error(&a, BGP_ERROR_CEASE, BGP_CEASE_COLLISION, true);
}

/* RFC 4271 8.2.2: the OPEN is held back, and the state stays; the peer's makes ours go out at once. */
Test(fsm, delays_its_open)
{
	a.config.delay_open_s = 8;
	dial();
	cr_expect_eq(a.fsm.status.state, BGP_CONNECT);
	cr_expect_eq(a.fsm.out.len, 0);
	talk();
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
}

Test(fsm, sends_its_open_when_the_delay_is_over)
{
	a.config.delay_open_s = b.config.delay_open_s = 8;
	dial();
	talk();
	cr_expect_eq(a.fsm.status.state, BGP_CONNECT);
	now_ns += 8 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_OPEN_SENT);
	talk();
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
}

Test(fsm, waits_for_the_peer_when_passive)
{
	struct addr local = {0};

	a.config.passive = true;
	fsm_start(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_ACTIVE);
	cr_expect_eq(fsm_deadline_ns(&a.fsm), UINT64_MAX);
	fsm_connected(&a.fsm, now_ns, &local);
	fsm_lost(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_ACTIVE);
	cr_expect_eq(a.fsm.link, FSM_LINK_NONE);
}

Test(fsm, gives_up_a_connect_that_takes_too_long_and_tries_again)
{
	fsm_start(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.link, FSM_LINK_WANTED);
	now_ns += 2 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.link, FSM_LINK_NONE);
	cr_expect_leq(fsm_deadline_ns(&a.fsm), now_ns);
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.link, FSM_LINK_WANTED);
}

static uint64_t
wait_after_loss(void)
{
	struct addr local = {0};

	if (a.fsm.status.state == BGP_IDLE) {
		now_ns = fsm_deadline_ns(&a.fsm);
		fsm_tick(&a.fsm, now_ns);
	}
	fsm_connected(&a.fsm, now_ns, &local);
	give(&a, (const uint8_t[BGP_HEADER_LEN]){0}, BGP_HEADER_LEN); /* no marker: the session is over */
	cr_assert_eq(a.fsm.status.state, BGP_IDLE);
	return fsm_deadline_ns(&a.fsm) - now_ns;
}

Test(fsm, waits_longer_after_each_failure_up_to_sixteen_times)
{
	fsm_start(&a.fsm, now_ns);
	for (int i = 0; i < 8; i++) {
		uint64_t most_ns = 2 * CLOCK_NS_PER_S << (i < 4 ? i : 4);
		uint64_t ns = wait_after_loss();

		cr_expect(ns <= most_ns && ns >= most_ns * 3 / 4, "%d: %g s", i, (double)ns / 1e9);
		cr_expect_eq(fsm_awaken(&a.fsm, now_ns), i == 0, "only the first wait is short");
		if (i == 0)
			cr_expect_eq(a.fsm.status.state, BGP_ACTIVE);
	}
}

/* RFC 9687: what waits for the peer must move. */
Test(fsm, ends_a_session_whose_peer_takes_nothing)
{
	a.config.send_hold_s = 20;
	a.config.hold_s = 0; /* no other timer */
	join();
	for (int i = 0; i < 10; i++) {
		announce(i % 2 ? "10.99.0.1" : "10.99.0.2");
		fsm_fill(&a.fsm);
		fsm_unacknowledged(&a.fsm, now_ns, 0);
		talk();
		fsm_unacknowledged(&a.fsm, now_ns, 10);
		now_ns += 15 * CLOCK_NS_PER_S;
		fsm_unacknowledged(&a.fsm, now_ns, 0);
		fsm_tick(&a.fsm, now_ns);
	}
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
	fsm_unacknowledged(&a.fsm, now_ns, 10);
	now_ns += 20 * CLOCK_NS_PER_S;
	fsm_unacknowledged(&a.fsm, now_ns, 10);
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_IDLE);
	expect_error(&a, BGP_ERROR_SEND_HOLD, 0, true);
}

Test(fsm, reads_no_more_than_its_budget)
{
	uint8_t octets[10 * BGP_HEADER_LEN];
	uint8_t message[BGP_MESSAGE_MAX];
	unsigned budget = 4;

	join();
	for (int i = 0; i < 10; i++)
		memcpy(octets + i * BGP_HEADER_LEN, message, bgp_keepalive_encode(message));
	cr_expect_eq(fsm_input(&a.fsm, now_ns, octets, sizeof(octets), &budget), 4 * BGP_HEADER_LEN);
	cr_expect_eq(budget, 0);
	budget = 100;
	cr_expect_eq(fsm_input(&a.fsm, now_ns, octets, sizeof(octets) - 1, &budget), 9 * BGP_HEADER_LEN);
	cr_expect_eq(budget, 91);
}

/* A body that follows the header; the length is filled in. */
static size_t
update_of(const void *body, size_t len, uint8_t out[static BGP_MESSAGE_MAX])
{
	memset(out, 0xff, 16);
	out[16] = (uint8_t)((BGP_HEADER_LEN + len) >> 8);
	out[17] = (uint8_t)(BGP_HEADER_LEN + len);
	out[18] = BGP_UPDATE;
	memcpy(out + BGP_HEADER_LEN, body, len);
	return BGP_HEADER_LEN + len;
}

Test(fsm, lets_its_owner_hear_of_the_session_before_of_its_routes)
{
	static const uint8_t body[] = {0, 4, 24, 10, 1, 2, 0, 0};
	uint8_t octets[2 * BGP_MESSAGE_MAX];
	unsigned budget = 100;
	size_t len;

	dial();
	carry(&a, &b);
	cr_assert_eq(b.fsm.status.state, BGP_OPEN_CONFIRM);
	len = bgp_keepalive_encode(octets);
	len += update_of(body, sizeof(body), octets + len);
	cr_expect_eq(fsm_input(&b.fsm, now_ns, octets, len, &budget), BGP_HEADER_LEN);
	cr_expect(budget == 0 && b.fsm.status.state == BGP_ESTABLISHED && b.heard.updates == 0);
	give(&b, octets + BGP_HEADER_LEN, len - BGP_HEADER_LEN);
	cr_expect_eq(b.heard.updates, 1);
}

/* RFC 7606 7.1: an ORIGIN of 9 makes the routes withdrawn; the session goes on. */
Test(fsm, outlives_a_malformed_attribute)
{
	static const uint8_t body[] = {0, 0, 0, 20, 0x40, 1, 1, 9, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 10, 0, 0, 1, 24, 10, 1, 2};
	uint8_t message[BGP_MESSAGE_MAX];

	join();
	give(&b, message, update_of(body, sizeof(body), message));
	cr_expect_eq(b.fsm.status.state, BGP_ESTABLISHED);
	cr_expect(b.heard.updates == 1 && b.heard.was_withdrawal);
	cr_expect_eq(b.fsm.status.faults, 1);
	cr_expect_eq(b.fsm.status.fault_type, BGP_ORIGIN);
	cr_expect_not_null(b.fsm.status.fault);
}

/* RFC 7606 5.3: then the family is of no more use, and what comes of it is passed over. */
Test(fsm, disables_a_family_beyond_repair)
{
	/* An MP_REACH_NLRI of FlowSpec whose rule has a component type 99. */
	static const uint8_t body[] = {0, 0, 0, 24, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x80, 14, 8, 0, 1, 133, 0, 0, 2, 99, 1};
	uint8_t message[BGP_MESSAGE_MAX];

	a.config.flowspec = b.config.flowspec = true;
	join();
	cr_assert(b.fsm.status.negotiated.family[BGP_FLOW4]);
	give(&b, message, update_of(body, sizeof(body), message));
	give(&b, message, update_of(body, sizeof(body), message));
	cr_expect_eq(b.heard.downs, 1);
	cr_expect_eq(b.heard.announced_len, 0);
	cr_expect_eq(b.fsm.status.state, BGP_ESTABLISHED);
}

/* RFC 4486 4: the tenth route of nine is one too many, however often a sound peer repeats and withdraws. */
Test(fsm, counts_what_a_peer_tells)
{
	char text[32];

	b.config.max_prefixes = 9;
	b.shared.tally = tally_new(9, 7);
	fsm_init(&b.fsm, &b.shared, 2);
	for (int i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "10.99.0.%d", i);
		announce(text);
	}
	join();
	for (int i = 0; i < 5; i++) {
		rib_out_refresh(a.shared.rib, BGP_V4);
		fsm_fill(&a.fsm);
		talk();
	}
	cr_expect_eq(b.fsm.status.prefixes, 9);
	cr_expect_eq(b.fsm.status.state, BGP_ESTABLISHED);
	announce("2001:db8::1");
	a.config.next_hop_v6 = (struct addr){.family = ADDR_V6, .octets = {0x20, 1, [15] = 1}};
	fsm_fill(&a.fsm);
	talk();
	cr_expect_eq(b.fsm.status.state, BGP_IDLE);
	expect_error(&b, BGP_ERROR_CEASE, BGP_CEASE_PREFIXES, true);
	cr_expect_eq(b.fsm.status.last_error.data_len, 7);
	cr_expect_eq(b.fsm.status.last_error.data[1], 2);
	cr_expect_eq(b.fsm.status.last_error.data[6], 9);
	cr_expect_eq(b.fsm.status.prefixes, 0);
}

/* An IPv6 route over IPv4 without a next hop for it waits, and doesn't hold up what stands behind it. */
Test(fsm, passes_over_routes_that_the_session_cannot_carry)
{
	struct path path;

	announce("2001:db8::1");
	path_init(&path);
	cr_assert_eq(addr_parse("2001:db8::99", &path.next_hop), 0);
	announce_with("2001:db8::2", &path);
	join();
	cr_expect_eq(b.heard.updates, 1);
	cr_expect_eq(a.fsm.status.advertised, 1);
	cr_expect_eq(b.heard.markers[BGP_V6], 1);
}

/* RFC 8950: with the capability on both sides an IPv4 route has an IPv6 next hop. */
Test(fsm, uses_an_ipv6_next_hop_for_ipv4_when_both_have_it)
{
	for (int i = 0; i < 2; i++) {
		struct addr local = {.family = ADDR_V6, .octets = {0x20, 1, [15] = 1}};

		teardown();
		setup();
		a.config.extended_next_hop = true;
		b.config.extended_next_hop = i;
		announce("10.99.0.1");
		fsm_start(&a.fsm, now_ns);
		fsm_start(&b.fsm, now_ns);
		fsm_connected(&a.fsm, now_ns, &local);
		fsm_connected(&b.fsm, now_ns, &local);
		talk();
		cr_expect_eq(a.fsm.status.advertised, (unsigned)i);
		cr_expect_eq(b.heard.updates, (unsigned)i);
		cr_expect_eq(b.fsm.status.faults, 0);
	}
}

Test(fsm, announces_rules_as_they_are)
{
	/* The 240-octet form (RFC 8955 4.1), of a rule with many ports. */
	uint8_t octets[2 + 241] = {0xf0, 241, 1, 32, 10, 99, 0, 1, 4};
	struct rib_nlri nlri = {.family = BGP_FLOW4, .len = sizeof(octets), .octets = octets};
	struct path path;

	for (size_t i = 9; i < sizeof(octets); i += 2) {
		octets[i] = 0x01; /* == */
		octets[i + 1] = (uint8_t)i;
	}
	octets[sizeof(octets) - 2] |= 0x80;
	a.config.flowspec = b.config.flowspec = true;
	path_init(&path);
	cr_assert_eq(rib_out_announce(a.shared.rib, &nlri, &path), 0);
	join();
	cr_expect_eq(b.fsm.status.faults, 0);
	cr_expect_eq(b.heard.updates, 1);
	cr_expect_eq(b.heard.announced_len, sizeof(octets));
	cr_expect_eq(a.fsm.status.advertised, 1);
}
