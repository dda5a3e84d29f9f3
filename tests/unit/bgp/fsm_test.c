/* SPDX-License-Identifier: BSD-2-Clause */
/* Two cores that talk to each other through memory; the clock is a number. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/fsm.h"

struct side {
	struct bgp_config config;
	struct rib_out *rib;
	struct fsm fsm;
};

static struct side a, b;
static uint64_t now_ns;

static void
side_init(struct side *side, uint32_t local_as, uint32_t peer_as, uint32_t id)
{
	side->config = (struct bgp_config){.local_as = local_as, .peer_as = peer_as, .router_id = id, .hold_s = 9,
					   .reconnect_s = 2};
	side->rib = rib_out_new();
	fsm_init(&side->fsm, &side->config, side->rib, id);
	fsm_start(&side->fsm, now_ns);
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
	rib_out_free(a.rib);
	rib_out_free(b.rib);
}

/* What `a` has sent: the lengths of its UPDATEs, in order. */
static size_t updates[16];
static unsigned n_updates;

static void
note(const uint8_t *octets, size_t len)
{
	struct bgp_header header;
	struct bgp_error error;

	for (; len >= BGP_HEADER_LEN && bgp_header_decode(octets, false, &header, &error) == 0 && header.len <= len;
	     len -= header.len, octets += header.len) {
		if (header.type == BGP_UPDATE && n_updates < ARRAY_LEN(updates))
			updates[n_updates++] = header.len;
	}
}

static size_t
carry(struct side *from, struct side *to)
{
	size_t used = fsm_input(&to->fsm, now_ns, from->fsm.out + from->fsm.out_at, from->fsm.out_len);

	if (from == &a)
		note(from->fsm.out + from->fsm.out_at, used);
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
join(void)
{
	struct addr local;

	cr_assert_eq(addr_parse("10.77.8.1", &local), 0);
	fsm_connected(&a.fsm, now_ns, &local);
	fsm_connected(&b.fsm, now_ns, &local);
	talk();
}

static void
announce(const char *text)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct prefix prefix;
	struct rib_nlri nlri;
	struct path path;

	path_init(&path);
	cr_assert_eq(prefix_parse(text, &prefix), 0);
	nlri = rib_nlri_of(&prefix, octets);
	cr_assert_eq(rib_out_announce(a.rib, &nlri, &path), 0);
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
		now_ns += CLOCK_NS_PER_S / 10;
		fsm_tick(&a.fsm, now_ns);
		fsm_tick(&b.fsm, now_ns);
		talk();
	}
	cr_expect_eq(a.fsm.status.state, BGP_ESTABLISHED);
	now_ns += 10 * CLOCK_NS_PER_S;
	fsm_tick(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.state, BGP_IDLE);
	cr_expect_eq(a.fsm.status.last_error.code, BGP_ERROR_HOLD);
	cr_expect_eq(a.fsm.status.flaps, 1);
	carry(&a, &b);
	cr_expect_eq(b.fsm.status.last_error.code, BGP_ERROR_HOLD);
	cr_expect_not(b.fsm.status.last_error_ours);
	cr_expect_neq(fsm_deadline_ns(&a.fsm), UINT64_MAX, "it tries again");
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
		  status->negotiated.refresh);
	cr_expect_eq(status->negotiated.peer_role, BGP_ROLE_NONE);
	cr_assert_eq(fsm_input(&a.fsm, now_ns, message, len), len);
	cr_expect_str_eq(status->text, "kernel upgrade");
}

Test(fsm, refuses_the_wrong_as)
{
	a.config.peer_as = 65009;
	join();
	cr_expect_eq(a.fsm.status.last_error.code, BGP_ERROR_OPEN);
	cr_expect_eq(a.fsm.status.last_error.subcode, BGP_OPEN_PEER_AS);
	cr_expect_eq(b.fsm.status.state, BGP_IDLE);
}

Test(fsm, stops_with_cease)
{
	struct bgp_error cease = bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN);

	join();
	fsm_stop(&a.fsm, now_ns, &cease);
	carry(&a, &b);
	cr_expect_eq(b.fsm.status.last_error.code, BGP_ERROR_CEASE);
	cr_expect_eq(b.fsm.status.last_error.subcode, BGP_CEASE_SHUTDOWN);
	cr_expect_eq(fsm_deadline_ns(&a.fsm), UINT64_MAX, "it stays stopped");
}

Test(fsm, answers_a_message_out_of_place_with_the_states_subcode)
{
	struct addr local = {0};
	uint8_t message[BGP_MESSAGE_MAX];

	fsm_connected(&a.fsm, now_ns, &local);
	fsm_input(&a.fsm, now_ns, message, bgp_keepalive_encode(message));
	cr_expect_eq(a.fsm.status.last_error.code, BGP_ERROR_FSM);
	cr_expect_eq(a.fsm.status.last_error.subcode, BGP_FSM_OPEN_SENT);
}

Test(fsm, sends_a_family_again_on_request)
{
	uint8_t message[BGP_MESSAGE_MAX];

	announce("10.99.0.1");
	join();
	fsm_input(&a.fsm, now_ns, message, bgp_refresh_encode(BGP_V4, BGP_REFRESH_REQUEST, message));
	cr_expect_eq(a.fsm.status.sent[BGP_UPDATE], 4);
}

Test(fsm, keeps_the_connection_of_the_higher_identifier)
{
	struct bgp_open open = {.id = 5};
	struct bgp_config config = {.router_id = 6};

	cr_expect(fsm_ours_stays(&config, &open));
	config.router_id = 4;
	cr_expect_not(fsm_ours_stays(&config, &open));
	join();
	fsm_collision(&a.fsm, now_ns);
	cr_expect_eq(a.fsm.status.last_error.subcode, BGP_CEASE_COLLISION);
}
