/* SPDX-License-Identifier: BSD-2-Clause */
/* From what peers tell to the guard's filters, with several peers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/imports.h"

enum { US = 65001, PEER = 65002 };

static struct event_base *base;
static struct imports *imports;
static struct filters *filters;
static struct bgp_config peers[2];
static struct model_vip vips[2];
static struct model_aggregate sums[1];
static struct model model = {.n_vips = 2, .vips = vips, .aggregates = sums};
static unsigned changes, asked, tallied;
static char asked_of[32];
static struct imports_tally tallies[2];

static void
on_changed(void *context)
{
	(void)context;
	changes++;
	imports_fill(imports, filters);
}

static void
on_tallied(void *context, const char *peer, const struct imports_tally *now)
{
	(void)context;
	tallied++;
	tallies[peer[1] - '1'] = *now;
}

/* What has been told is worked off a moment later. */
static void
settle(void)
{
	event_base_loop(base, EVLOOP_ONCE);
}

static void
on_refresh(void *context, const char *peer, enum bgp_family family)
{
	(void)context;
	(void)family;
	asked++;
	snprintf(asked_of, sizeof(asked_of), "%s", peer);
}

static void
up(const char *peer, bool is_up, bool may_keep)
{
	static const struct rib_in_restart kept[BGP_FAMILIES] = {[BGP_FLOW4] = {.is_kept = true, .restart_ns = UINT64_C(100000000000)}};

	imports_state(imports, peer, is_up, is_up || may_keep ? kept : NULL);
}

static void
start(void)
{
	static const struct imports_events events = {
		.changed = on_changed, .tallied = on_tallied, .refresh = on_refresh};

	for (unsigned i = 0; i < 2; i++) {
		snprintf(peers[i].name, sizeof(peers[i].name), "p%u", i + 1);
		peers[i].local_as = US;
		peers[i].peer_as = PEER;
		peers[i].router_id = US;
		peers[i].flowspec = peers[i].import_blackhole = true;
	}
	cr_assert_eq(prefix_parse("192.0.2.0/24", &vips[0].prefix), 0);
	cr_assert_eq(prefix_parse("2001:db8::/64", &vips[1].prefix), 0);
	sums[0].prefix = vips[0].prefix;
	for (unsigned i = 0; i < MODEL_IMPORTS; i++)
		model.imports[i] = (struct model_import){.max = 300, .lifetime_s = 3600, .actions = MODEL_IMPORT_ACTIONS};
	base = event_base_new();
	filters = filters_new("/nonexistent/filters");
	imports = imports_new(base, &events);
	cr_assert(base && filters && imports);
	cr_assert_eq(imports_apply(imports, &model), 0);
	for (unsigned i = 0; i < 2; i++)
		imports_join(imports, &peers[i]);
	up("p1", true, false);
	up("p2", true, false);
	settle();
	changes = 0;
}

static void
stop(void)
{
	imports_free(imports);
	filters_free(filters);
	event_base_free(base);
}

TestSuite(imports, .init = start, .fini = stop);

static void
tell(const char *peer, const char *text, uint64_t community, bool is_withdrawn)
{
	uint8_t path[] = {BGP_AS_SEQUENCE, 1, 0, 0, PEER >> 8, PEER & 0xff}, extended[8], nlri[1100];
	struct writer n = writer_init(nlri, sizeof(nlri)), x = writer_init(extended, sizeof(extended));
	struct bgp_update u = {.outcome = BGP_ACCEPT};
	char fault[FLOWSPEC_FAULT_MAX];
	struct flowspec rule;
	struct bgp_nlri view;

	cr_assert_eq(flowspec_parse(text, &rule, fault), 0, "%s: %s", text, fault);
	flowspec_encode(&rule, &n);
	write_u32(&x, (uint32_t)(community >> 32));
	write_u32(&x, (uint32_t)community);
	u.attributes.present = UINT64_MAX;
	u.attributes.as_path = (struct bgp_as_path){.lead = {path, sizeof(path)}, .lead_hops = 255, .lead_width = 4};
	u.attributes.extended = (struct bgp_octets){extended, community ? 8 : 0};
	view = (struct bgp_nlri){.octets = nlri, .len = written_since(&n, nlri), .is_known = true,
				 .family = rule.family == ADDR_V4 ? BGP_FLOW4 : BGP_FLOW6};
	*(is_withdrawn ? &u.unreach : &u.reach) = view;
	imports_update(imports, peer, &u);
}

#define DROP UINT64_C(0x8006000000000000)

Test(imports, makes_filters_of_rules_in_their_order)
{
	const struct filter *f;

	tell("p1", "dst 192.0.2.0/24", 0x8006000049742400, false); /* 1,000,000 octets a second */
	tell("p2", "dst 192.0.2.1/32 proto udp", DROP, false);
	tell("p1", "dst 192.0.2.1/32", 0x8007000000000001, false);
	tell("p1", "dst 192.0.2.0/25", 0x8007000000000002, false);
	settle();
	cr_assert_eq(filters_count(filters), 4);
	f = filters_at(filters, 0);
	cr_expect_str_eq(f->text, "dst 192.0.2.1/32 proto udp");
	cr_expect_str_eq(f->origin, "bgp/p2");
	cr_expect(f->action == ABI_FILTER_DROP && f->is_last && f->program.kind == ABI_FILTER_MATCH);
	f = filters_at(filters, 1);
	cr_expect(f->action == ABI_FILTER_COUNT && !f->is_last);
	f = filters_at(filters, 2);
	cr_expect(f->action == ABI_FILTER_SAMPLE && f->is_last);
	f = filters_at(filters, 3);
	cr_expect(f->action == ABI_FILTER_LIMIT && f->is_last && f->bytes_s == 1000000 && f->packets_s == 0);
	cr_expect_eq(f->dst.len, 24);
}

Test(imports, says_when_something_has_changed_and_only_then)
{
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	tell("p1", "dst 192.0.2.2/32", DROP, false);
	settle();
	cr_expect_eq(changes, 1, "once for all of a moment");
	cr_expect(tallied == 1 && tallies[0].used == 2 && tallies[0].refused == 0);
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	settle();
	cr_expect(changes == 1 && tallied == 1, "the same again");
	tell("p1", "dst 198.51.100.1/32", DROP, false);
	tell("p1", "proto udp", DROP, false);
	settle();
	cr_expect_eq(changes, 1, "refused");
	cr_expect(tallied == 2 && tallies[0].used == 2 && tallies[0].refused == 2);
	cr_expect_eq(rib_in_count(imports_rib(imports, 0)), 4);
	tell("p3", "dst 192.0.2.1/32", DROP, false);
	tell("p1", "dst 192.0.2.1/32", DROP, true);
	tell("p1", "dst 192.0.2.2/32", DROP, true);
	settle();
	cr_expect_eq(changes, 2);
	cr_expect_eq(filters_count(filters), 0);
}

Test(imports, takes_nothing_of_a_peer_without_it)
{
	struct bgp_config plain = {.name = "p3", .local_as = US, .peer_as = PEER};

	imports_join(imports, &plain);
	cr_expect_eq(imports_count(imports), 2);
	tell("p3", "dst 192.0.2.1/32", DROP, false);
	tell("p1", "dst 192.0.2.2/32", DROP, false);
	settle();
	cr_expect_eq(filters_count(filters), 1);
}

Test(imports, takes_one_rule_of_two_peers_once)
{
	static const struct rib_in_restart long_lived[BGP_FAMILIES] = {
		[BGP_FLOW4] = {.is_kept = true, .long_lived_ns = UINT64_C(100000000000)}};

	tell("p2", "dst 192.0.2.1/32", 0x8006000049742400, false);
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	settle();
	cr_assert_eq(filters_count(filters), 1);
	cr_expect_str_eq(filters_at(filters, 0)->origin, "bgp/p1", "the first of the configuration");
	cr_expect_str_eq(rib_in_at(imports_rib(imports, 1), 0)->held, "another peer says it too");
	cr_expect(tallies[1].used == 0 && tallies[1].held == 1);
	up("p1", false, true);
	settle();
	cr_expect_str_eq(filters_at(filters, 0)->origin, "bgp/p1", "RFC 4724 4.2: stale makes no difference");
	up("p1", true, true);
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	imports_state(imports, "p1", false, long_lived);
	settle();
	cr_assert_eq(filters_count(filters), 1);
	cr_expect_str_eq(filters_at(filters, 0)->origin, "bgp/p2", "what is long-lived stale gives way");
}

Test(imports, forgets_a_lost_peer_unless_it_restarts_gracefully)
{
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	tell("p2", "dst 192.0.2.2/32", DROP, false);
	up("p1", false, false);
	settle();
	cr_assert_eq(filters_count(filters), 1);
	cr_expect_str_eq(filters_at(filters, 0)->origin, "bgp/p2");
	up("p2", false, true);
	settle();
	cr_expect_eq(filters_count(filters), 1, "kept for the restart time");
	up("p2", true, false);
	settle();
	cr_expect_eq(filters_count(filters), 1);
	imports_end_of_rib(imports, "p2", BGP_FLOW4);
	settle();
	cr_expect_eq(filters_count(filters), 0, "it didn't tell it again");
	cr_expect(tallies[0].used == 0 && tallies[1].used == 0);
}

Test(imports, holds_no_more_than_there_is_room_for)
{
	char text[64];

	for (unsigned i = 0; i < 2 * 250; i++) {
		snprintf(text, sizeof(text), "dst 192.0.2.%u/32 proto %u", i % 250, i / 250);
		tell(i % 2 ? "p1" : "p2", text, DROP, false);
	}
	settle();
	cr_expect_eq(filters_count(filters), MODEL_IMPORTED_MAX);
	cr_expect_eq(tallies[0].used + tallies[1].used, MODEL_IMPORTED_MAX);
	cr_expect_eq(tallies[0].held + tallies[1].held, 2 * 250 - MODEL_IMPORTED_MAX, "told of, not lost");
	for (unsigned i = 0; i < 2 * 250; i += 2) {
		snprintf(text, sizeof(text), "dst 192.0.2.%u/32 proto %u", i % 250, i / 250);
		tell("p2", text, DROP, true);
	}
	settle();
	cr_expect(filters_count(filters) == 250 && tallies[0].held == 0, "they move up");
}

/* With a cap of its own that is full, and free again: it is asked once, not each time. */
Test(imports, asks_for_what_it_had_no_room_for)
{
	model.imports[MODEL_IMPORT_FLOWSPEC].max = 1;
	cr_assert_eq(imports_apply(imports, &model), 0);
	settle();
	asked = 0;
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	tell("p1", "dst 192.0.2.2/32", DROP, false);
	settle();
	cr_expect(asked == 0 && tallies[0].used == 1 && tallies[0].over == 1);
	tell("p1", "dst 192.0.2.1/32", DROP, true);
	settle();
	cr_expect_eq(asked, 2, "both families");
	tell("p1", "dst 192.0.2.2/32", DROP, false);
	settle();
	cr_expect(asked == 2 && tallies[0].used == 1);
}

Test(imports, holds_to_the_operators_filter)
{
	model.imports[MODEL_IMPORT_FLOWSPEC].actions = 1U << ABI_FILTER_DROP;
	model.imports[MODEL_IMPORT_FLOWSPEC].n_within = 1;
	model.imports[MODEL_IMPORT_FLOWSPEC].shortest_v4 = 30;
	cr_assert_eq(prefix_parse("192.0.2.0/28", &model.imports[MODEL_IMPORT_FLOWSPEC].within[0]), 0);
	cr_assert_eq(imports_apply(imports, &model), 0);
	cr_expect_eq(asked, 8, "the sessions stay, and are asked to tell all again");
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	tell("p1", "dst 192.0.2.2/32", 0, false);
	tell("p1", "dst 192.0.2.99/32", DROP, false);
	tell("p1", "dst 192.0.2.0/29", DROP, false);
	settle();
	cr_assert_eq(filters_count(filters), 1);
	cr_expect_str_eq(filters_at(filters, 0)->text, "dst 192.0.2.1/32");
	cr_expect_str_eq(rib_in_at(imports_rib(imports, 0), 1)->refused, "not one of bgp.import's actions");
	cr_expect_str_eq(rib_in_at(imports_rib(imports, 0), 2)->refused, "wider than bgp.import's shortest");
	cr_expect_str_eq(rib_in_at(imports_rib(imports, 0), 3)->refused, "not in bgp.import's within");
}

Test(imports, looks_at_the_vips_again_and_forgets_who_leaves)
{
	tell("p1", "dst 192.0.2.1/32", DROP, false);
	tell("p2", "dst 192.0.2.2/32", DROP, false);
	cr_assert_eq(imports_apply(imports, &model), 0);
	settle();
	cr_expect_eq(asked, 0, "nothing has changed");
	cr_expect_eq(filters_count(filters), 2);
	imports_leave(imports, "p2");
	settle();
	cr_expect_eq(imports_count(imports), 1);
	cr_expect_eq(filters_count(filters), 1);
	model.n_vips = 0;
	cr_assert_eq(imports_apply(imports, &model), 0);
	settle();
	cr_expect_eq(filters_count(filters), 0);
	model.n_aggregates = 1;
	cr_assert_eq(imports_apply(imports, &model), 0);
	settle();
	cr_expect_eq(filters_count(filters), 1, "an aggregate is ours too");
}

/* In real time, as the event loop has it. */
Test(imports, asks_again_at_half_a_lifetime_and_lets_die_what_is_not_told)
{
	model.imports[MODEL_IMPORT_FLOWSPEC].lifetime_s = 1;
	cr_assert_eq(imports_apply(imports, &model), 0);
	settle();
	asked = 0;
	tell("p2", "dst 192.0.2.1/32", DROP, false);
	while (asked == 0)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_str_eq(asked_of, "p2");
	cr_expect_eq(filters_count(filters), 1);
	while (filters_count(filters) > 0)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_eq(rib_in_count(imports_rib(imports, 1)), 0);
}
