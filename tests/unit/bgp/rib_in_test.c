/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/rib_in.h"

#define S UINT64_C(1000000000)

enum { US = 65001, PEER = 65002 };

static struct rib_in *rib;
static struct rib_in_config config;

static void
start(void)
{
	struct prefix ours[2];

	config = (struct rib_in_config){.takes = {true, true}, .max = {4, 2}, .local_as = US, .peer_as = PEER, .router_id = US};
	cr_assert_eq(prefix_parse("192.0.2.0/24", &ours[0]), 0);
	cr_assert_eq(prefix_parse("2001:db8::/64", &ours[1]), 0);
	rib = rib_in_new(&config);
	cr_assert_not_null(rib);
	cr_assert_eq(rib_in_ours(rib, ours, 2), 0);
}

static void
stop(void)
{
	rib_in_free(rib);
}

TestSuite(rib_in, .init = start, .fini = stop);

/* What an UPDATE says; NULL or 0: nothing of it. */
struct told {
	const char *flow;    /* a rule; withdrawn when is_withdrawn */
	const char *prefix;
	bool is_withdrawn;
	uint32_t path[4];    /* AS numbers up to a 0 */
	uint8_t segment;     /* 0: AS_SEQUENCE */
	bool has_no_path;
	uint32_t community[3];
	uint64_t extended;
	uint32_t originator; /* router identifier */
};

static void
tell(const struct told *t, uint64_t now_ns)
{
	uint8_t path[32] = {t->segment ? t->segment : BGP_AS_SEQUENCE}, communities[12], extended[8], nlri[1100];
	struct writer w = writer_init(path + 2, sizeof(path) - 2), c = writer_init(communities, sizeof(communities));
	struct writer x = writer_init(extended, sizeof(extended)), n = writer_init(nlri, sizeof(nlri));
	struct bgp_update u = {.outcome = BGP_ACCEPT};
	struct bgp_nlri view = {.octets = nlri, .is_known = true};
	char fault[FLOWSPEC_FAULT_MAX];
	struct flowspec rule;
	struct prefix prefix;
	const uint32_t *as = t->path[0] ? t->path : (const uint32_t[]){PEER, 0};

	for (; *as && !t->has_no_path; as++, path[1]++)
		write_u32(&w, *as);
	u.attributes.as_path = (struct bgp_as_path){
		.lead = {path, t->has_no_path ? 0 : 2 + written_since(&w, path + 2)}, .lead_hops = 255, .lead_width = 4};
	for (unsigned i = 0; i < 3 && t->community[i]; i++)
		write_u32(&c, t->community[i]);
	u.attributes.communities = (struct bgp_octets){communities, written_since(&c, communities)};
	write_u32(&x, (uint32_t)(t->extended >> 32));
	write_u32(&x, (uint32_t)t->extended);
	u.attributes.extended = (struct bgp_octets){extended, t->extended ? 8 : 0};
	u.attributes.originator_id = t->originator;
	u.attributes.present = UINT64_MAX;
	if (t->flow) {
		cr_assert_eq(flowspec_parse(t->flow, &rule, fault), 0, "%s: %s", t->flow, fault);
		flowspec_encode(&rule, &n);
		view.family = rule.family == ADDR_V4 ? BGP_FLOW4 : BGP_FLOW6;
	} else {
		cr_assert_eq(prefix_parse(t->prefix, &prefix), 0);
		write_u8(&n, prefix.len);
		write_bytes(&n, prefix.addr.octets, (prefix.len + 7U) / 8);
		view.family = prefix.addr.family == ADDR_V4 ? BGP_V4 : BGP_V6;
	}
	view.len = written_since(&n, nlri);
	*(t->is_withdrawn ? &u.unreach : &u.reach) = view;
	rib_in_update(rib, &u, now_ns);
}

#define TELL(...) tell(&(struct told){__VA_ARGS__}, S)

/* The only entry's reason; "-": it is used. */
static const char *
reason(void)
{
	cr_assert_eq(rib_in_count(rib), 1);
	return rib_in_at(rib, 0)->refused ? rib_in_at(rib, 0)->refused : "-";
}

static const struct {
	const char *what;
	struct told told;
	bool ibgp, no_validation;
	const char *reason; /* NULL: nothing is kept */
} rows[] = {
	{"a rule for a VIP", {.flow = "dst 192.0.2.1/32 proto udp"}, .reason = "-"},
	{"for the VIP's whole prefix", {.flow = "dst 192.0.2.0/24"}, .reason = "-"},
	{"IPv6", {.flow = "dst 2001:db8::1/128"}, .reason = "-"},
	{"wider than the VIP", {.flow = "dst 192.0.0.0/16"}, .reason = "not for a VIP of ours (RFC 9117)"},
	{"somebody else's", {.flow = "dst 198.51.100.1/32"}, .reason = "not for a VIP of ours (RFC 9117)"},
	{"without destination", {.flow = "proto udp"}, .reason = "no destination (RFC 9117)"},
	{"destination with an offset", {.flow = "dst ::1/64-128"}, .reason = "no destination (RFC 9117)"},
	{"of a controller", {.flow = "proto udp"}, .no_validation = true, .reason = "-"},
	{"through the neighbour", {.flow = "dst 192.0.2.1/32", .path = {PEER, 65003}}, .reason = "-"},
	{"another AS leads", {.flow = "dst 192.0.2.1/32", .path = {65003, PEER}},
	 .reason = "the path doesn't begin with the neighbour's AS (RFC 9117)"},
	{"a set leads", {.flow = "dst 192.0.2.1/32", .segment = BGP_AS_SET},
	 .reason = "the path doesn't begin with the neighbour's AS (RFC 9117)"},
	{"eBGP without a path", {.flow = "dst 192.0.2.1/32", .has_no_path = true},
	 .reason = "the path doesn't begin with the neighbour's AS (RFC 9117)"},
	{"iBGP without a path", {.flow = "dst 192.0.2.1/32", .has_no_path = true}, .ibgp = true, .reason = "-"},
	{"iBGP, confederation", {.flow = "dst 192.0.2.1/32", .segment = BGP_CONFED_SEQUENCE}, .ibgp = true, .reason = "-"},
	{"iBGP from outside", {.flow = "dst 192.0.2.1/32"}, .ibgp = true,
	 .reason = "the path doesn't begin with the neighbour's AS (RFC 9117)"},
	{"our AS", {.flow = "dst 192.0.2.1/32", .path = {PEER, US}}, .reason = "it comes from us"},
	{"redirect", {.flow = "dst 192.0.2.1/32", .extended = 0x8008fde900000001}, .reason = "redirect"},
	{"marking", {.flow = "dst 192.0.2.1/32", .extended = 0x800900000000002e}, .reason = "marking"},
	{"redirect of a controller", {.flow = "proto udp", .extended = 0x8008fde900000001}, .no_validation = true,
	 .reason = "redirect"},
	{"a blackhole", {.prefix = "192.0.2.1/32", .community = {BGP_BLACKHOLE}}, .reason = "-"},
	{"IPv6 blackhole", {.prefix = "2001:db8::1/128", .community = {0x00010002, BGP_BLACKHOLE}}, .reason = "-"},
	{"somebody else's blackhole", {.prefix = "198.51.100.1/32", .community = {BGP_BLACKHOLE}},
	 .reason = "not for a VIP of ours (RFC 9117)"},
	{"a controller's too", {.prefix = "198.51.100.1/32", .community = {BGP_BLACKHOLE}}, .no_validation = true,
	 .reason = "not for a VIP of ours (RFC 9117)"},
	{"a network's", {.prefix = "192.0.2.0/25", .community = {BGP_BLACKHOLE}}, .reason = "-"},
	{"reflected to its originator", {.flow = "dst 192.0.2.1/32", .has_no_path = true, .originator = US}, .ibgp = true,
	 .reason = "it comes from us"},
	{"reflected", {.flow = "dst 192.0.2.1/32", .has_no_path = true, .originator = PEER}, .ibgp = true, .reason = "-"},
	{"no BLACKHOLE", {.prefix = "192.0.2.1/32", .community = {BGP_NO_EXPORT}}, .reason = NULL},
};

Test(rib_in, takes_what_is_for_us_and_tells_why_not)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rib_in_free(rib);
		start();
		stop();
		config.ibgp = rows[i].ibgp;
		config.no_validation = rows[i].no_validation;
		rib = rib_in_new(&config);
		cr_assert_not_null(rib);
		cr_assert_eq(rib_in_ours(rib, (struct prefix[]){prefix_of(&(struct addr){.family = ADDR_V4, .octets = {192, 0, 2}}, 24),
								prefix_of(&(struct addr){.family = ADDR_V6, .octets = {0x20, 1, 0x0d, 0xb8}}, 64)}, 2), 0);
		tell(&rows[i].told, S);
		cr_assert_eq(rib_in_count(rib), rows[i].reason != NULL, "%s", rows[i].what);
		if (rows[i].reason)
			cr_expect_str_eq(reason(), rows[i].reason, "%s: %s", rows[i].what, reason());
	}
}

Test(rib_in, takes_nothing_that_it_was_not_asked_to)
{
	rib_in_free(rib);
	config.takes[RIB_IN_BLACKHOLE] = false;
	rib = rib_in_new(&config);
	TELL(.prefix = "192.0.2.1/32", .community = {BGP_BLACKHOLE});
	cr_expect_eq(rib_in_count(rib), 0);
	TELL(.flow = "dst 192.0.2.1/32");
	cr_expect_eq(rib_in_count(rib), 1);
}

Test(rib_in, keeps_the_order_of_the_rules)
{
	TELL(.flow = "dst 192.0.2.0/24");
	TELL(.prefix = "192.0.2.9/32", .community = {BGP_BLACKHOLE});
	TELL(.flow = "dst 192.0.2.0/24 proto udp");
	TELL(.flow = "dst 192.0.2.1/32");
	for (unsigned i = 0; i + 1 < 3; i++)
		cr_expect_lt(flowspec_compare(&rib_in_at(rib, i)->rule, &rib_in_at(rib, i + 1)->rule), 0);
	cr_expect_eq(rib_in_at(rib, 3)->kind, RIB_IN_BLACKHOLE);
}

Test(rib_in, replaces_and_withdraws)
{
	uint64_t version;

	TELL(.flow = "dst 192.0.2.1/32", .extended = 0x8006000000000000);
	version = rib_in_version(rib);
	TELL(.flow = "dst 192.0.2.1/32", .extended = 0x8006000000000000);
	cr_expect_eq(rib_in_version(rib), version, "the same again");
	TELL(.flow = "dst 192.0.2.1/32", .extended = 0x800c000042c80000);
	cr_expect_gt(rib_in_version(rib), version);
	cr_expect_eq(rib_in_at(rib, 0)->action.packets_s, 100);
	TELL(.flow = "dst 192.0.2.2/32", .is_withdrawn = true);
	cr_expect_eq(rib_in_count(rib), 1);
	TELL(.flow = "dst 192.0.2.1/32", .is_withdrawn = true);
	cr_expect_eq(rib_in_count(rib), 0);
	TELL(.prefix = "192.0.2.1/32", .community = {BGP_BLACKHOLE});
	TELL(.prefix = "192.0.2.1/32");
	cr_expect_eq(rib_in_count(rib), 0, "without BLACKHOLE it is no blackhole any more");
}

/* RFC 7606 2: what is treated as withdrawn is gone, even though it was announced. */
Test(rib_in, a_faulty_route_is_a_withdrawn_one)
{
	uint8_t nlri[] = {6, 1, 0x20, 192, 0, 2, 1};
	struct bgp_update u = {.outcome = BGP_TREAT_AS_WITHDRAW, .is_withdrawal = true,
			       .reach = {.octets = nlri, .len = sizeof(nlri), .family = BGP_FLOW4, .is_known = true}};

	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_update(rib, &u, S);
	cr_expect_eq(rib_in_count(rib), 0);
	TELL(.flow = "dst 192.0.2.1/32");
	u = (struct bgp_update){.outcome = BGP_AFISAFI_DISABLE, .disabled = {.family = BGP_FLOW4, .is_known = true}};
	rib_in_update(rib, &u, S);
	cr_expect_eq(rib_in_count(rib), 0);
}

Test(rib_in, refuses_the_newest_over_the_cap)
{
	char text[32];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "dst 192.0.2.%u/32", i % 250);
		TELL(.flow = text);
	}
	cr_expect_eq(rib_in_count(rib), 4);
	cr_expect_eq(rib_in_over(rib, RIB_IN_FLOWSPEC), 1000 - 4 * 4);
	TELL(.prefix = "192.0.2.1/32", .community = {BGP_BLACKHOLE});
	cr_expect_eq(rib_in_count(rib), 5, "the other kind has its own");
	TELL(.flow = "dst 192.0.2.0/32", .is_withdrawn = true);
	cr_expect(rib_in_has_gap(rib, RIB_IN_FLOWSPEC) && !rib_in_has_gap(rib, RIB_IN_BLACKHOLE));
	rib_in_asks(rib, RIB_IN_FLOWSPEC);
	cr_expect_not(rib_in_has_gap(rib, RIB_IN_FLOWSPEC));
	TELL(.flow = "dst 192.0.2.99/32");
	cr_expect_eq(rib_in_count(rib), 5);
}

Test(rib_in, counts_what_is_no_rule_and_goes_on)
{
	uint8_t nlri[] = {3, 14, 0x81, 1, 6, 1, 0x20, 192, 0, 2, 1, 9, 1};
	struct bgp_update u = {.reach = {.octets = nlri, .len = sizeof(nlri), .family = BGP_FLOW4, .is_known = true}};

	rib_in_update(rib, &u, S);
	cr_expect_eq(rib_in_count(rib), 1);
	cr_expect_eq(rib_in_unusable(rib), 2);
}

Test(rib_in, looks_again_when_what_we_announce_changes)
{
	struct prefix other;
	uint64_t version;

	TELL(.flow = "dst 192.0.2.1/32");
	version = rib_in_version(rib);
	cr_assert_eq(prefix_parse("198.51.100.0/24", &other), 0);
	cr_assert_eq(rib_in_ours(rib, &other, 1), 0);
	cr_expect_str_eq(reason(), "not for a VIP of ours (RFC 9117)");
	cr_expect_gt(rib_in_version(rib), version);
}

static const char *
no_udp(void *context, const struct rib_in_entry *entry)
{
	char text[128];

	flowspec_format(&entry->rule, text, sizeof(text));
	return strstr(text, context) ? "filtered" : NULL;
}

Test(rib_in, asks_the_operators_filter_last)
{
	rib_in_filter_set(rib, no_udp, "udp");
	TELL(.flow = "dst 192.0.2.1/32 proto udp");
	cr_expect_str_eq(reason(), "filtered");
	TELL(.flow = "dst 192.0.2.1/32 proto udp", .is_withdrawn = true);
	TELL(.flow = "dst 192.0.2.1/32 proto tcp");
	cr_expect_str_eq(reason(), "-");
}

Test(rib_in, an_entry_that_is_not_told_again_dies)
{
	rib_in_free(rib);
	config.lifetime_ns[RIB_IN_FLOWSPEC] = 100 * S;
	rib = rib_in_new(&config);
	tell(&(struct told){.flow = "dst 192.0.2.1/32"}, 10 * S);
	tell(&(struct told){.flow = "dst 192.0.2.2/32"}, 50 * S);
	cr_expect_eq(rib_in_deadline_ns(rib), 110 * S);
	cr_expect_eq(rib_in_oldest_ns(rib, BGP_FLOW4), 10 * S);
	cr_expect_eq(rib_in_oldest_ns(rib, BGP_FLOW6), UINT64_MAX);
	tell(&(struct told){.flow = "dst 192.0.2.1/32"}, 60 * S);
	rib_in_expire(rib, 149 * S);
	cr_expect_eq(rib_in_count(rib), 2);
	rib_in_expire(rib, 150 * S);
	cr_expect_eq(rib_in_count(rib), 1);
	rib_in_expire(rib, 160 * S);
	cr_expect_eq(rib_in_count(rib), 0);
	cr_expect_eq(rib_in_deadline_ns(rib), UINT64_MAX);
}

static struct rib_in_restart kept[BGP_FAMILIES] = {[BGP_FLOW4] = {.is_kept = true, .ends = true, .restart_ns = 120 * S}};

Test(rib_in, forgets_a_peer_that_is_lost)
{
	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, NULL, 2 * S);
	cr_expect_eq(rib_in_count(rib), 0);
}

/* RFC 4724 4.2 */
Test(rib_in, keeps_what_a_restarting_peer_told_until_end_of_rib)
{
	TELL(.flow = "dst 192.0.2.1/32");
	TELL(.flow = "dst 192.0.2.2/32");
	TELL(.flow = "dst 2001:db8::1/128");
	rib_in_lost(rib, kept, 10 * S);
	cr_expect_eq(rib_in_count(rib), 2, "IPv6 is not kept");
	cr_expect_eq(rib_in_deadline_ns(rib), 130 * S);
	rib_in_up(rib, kept, 20 * S);
	cr_expect_eq(rib_in_deadline_ns(rib), 20 * S + RIB_IN_RESEND_NS);
	tell(&(struct told){.flow = "dst 192.0.2.2/32"}, 21 * S);
	rib_in_refresh(rib, BGP_FLOW4, true, 22 * S);
	rib_in_refresh(rib, BGP_FLOW4, false, 23 * S);
	cr_expect_eq(rib_in_count(rib), 2, "before End-of-RIB a refresh means nothing (RFC 7313 4)");
	rib_in_end_of_rib(rib, BGP_FLOW6);
	cr_expect_eq(rib_in_count(rib), 2);
	rib_in_end_of_rib(rib, BGP_FLOW4);
	cr_expect_eq(rib_in_count(rib), 1);
	cr_expect_eq(rib_in_at(rib, 0)->told_ns, 21 * S);
}

Test(rib_in, keeps_it_no_longer_than_the_restart_time)
{
	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, kept, 10 * S);
	rib_in_expire(rib, 130 * S - 1);
	cr_expect_eq(rib_in_count(rib), 1);
	rib_in_expire(rib, 130 * S);
	cr_expect_eq(rib_in_count(rib), 0);
}

Test(rib_in, a_restart_without_forwarding_or_again_keeps_nothing)
{
	static const struct rib_in_restart none[BGP_FAMILIES];

	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, kept, 10 * S);
	rib_in_up(rib, none, 20 * S);
	cr_expect_eq(rib_in_count(rib), 0);
	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, kept, 30 * S);
	rib_in_up(rib, kept, 40 * S);
	rib_in_lost(rib, kept, 50 * S);
	cr_expect_eq(rib_in_count(rib), 0, "it was stale already");
}

/* RFC 9494 4.2, 4.3 */
Test(rib_in, keeps_long_lived_ones_as_a_last_choice)
{
	static const struct rib_in_restart long_lived[BGP_FAMILIES] = {
		[BGP_FLOW4] = {.is_kept = true, .restart_ns = 120 * S, .long_lived_ns = 1000 * S}};

	TELL(.flow = "dst 192.0.2.1/32");
	TELL(.flow = "dst 192.0.2.2/32", .community = {BGP_NO_LLGR});
	TELL(.flow = "dst 192.0.2.3/32", .community = {BGP_LLGR_STALE});
	cr_expect(rib_in_at(rib, 2)->is_long_lived);
	rib_in_lost(rib, long_lived, 10 * S);
	cr_expect_not(rib_in_at(rib, 0)->is_long_lived);
	rib_in_expire(rib, 130 * S);
	cr_expect_eq(rib_in_count(rib), 1);
	cr_expect(rib_in_at(rib, 0)->is_long_lived);
	cr_expect_eq(rib_in_deadline_ns(rib), 1130 * S);
	rib_in_expire(rib, 1130 * S);
	cr_expect_eq(rib_in_count(rib), 0);
}

Test(rib_in, a_long_lived_one_is_as_before_once_it_is_told_again)
{
	static const struct rib_in_restart long_lived[BGP_FAMILIES] = {
		[BGP_FLOW4] = {.is_kept = true, .long_lived_ns = 1000 * S}};

	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, long_lived, 10 * S);
	cr_expect(rib_in_at(rib, 0)->is_long_lived, "at once: the restart time is 0");
	rib_in_up(rib, long_lived, 20 * S);
	tell(&(struct told){.flow = "dst 192.0.2.1/32"}, 21 * S);
	cr_expect_not(rib_in_at(rib, 0)->is_long_lived);
	rib_in_end_of_rib(rib, BGP_FLOW4);
	cr_expect_eq(rib_in_count(rib), 1);
}

/* RFC 9494 4.2: a session that comes and goes again doesn't begin the time anew. */
Test(rib_in, a_long_lived_time_runs_on)
{
	static const struct rib_in_restart long_lived[BGP_FAMILIES] = {
		[BGP_FLOW4] = {.is_kept = true, .long_lived_ns = 1000 * S}};

	TELL(.flow = "dst 192.0.2.1/32");
	rib_in_lost(rib, long_lived, 10 * S);
	rib_in_up(rib, long_lived, 500 * S);
	rib_in_lost(rib, long_lived, 600 * S);
	cr_assert_eq(rib_in_count(rib), 1);
	cr_expect_eq(rib_in_deadline_ns(rib), 1010 * S);
	rib_in_lost(rib, kept, 700 * S);
	cr_expect_eq(rib_in_count(rib), 0, "not long-lived any more, and stale already");
}

/* RFC 7313 4 */
Test(rib_in, sweeps_what_a_refresh_does_not_repeat)
{
	TELL(.flow = "dst 192.0.2.1/32");
	TELL(.flow = "dst 192.0.2.2/32");
	rib_in_refresh(rib, BGP_FLOW4, true, 10 * S);
	cr_expect_null(rib_in_at(rib, 0)->refused, "in force meanwhile");
	tell(&(struct told){.flow = "dst 192.0.2.1/32"}, 11 * S);
	rib_in_refresh(rib, BGP_FLOW4, false, 12 * S);
	cr_expect_eq(rib_in_count(rib), 1);
	rib_in_refresh(rib, BGP_FLOW4, true, 20 * S);
	rib_in_expire(rib, 320 * S);
	cr_expect_eq(rib_in_count(rib), 0, "an end that never comes");
}
