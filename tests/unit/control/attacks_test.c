/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of the dataplane in, attacks and talkers as people see them out. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/attacks.h"
#include "controlplane/compile.h"

static struct model_service services[] = {{.name = "web"}, {.name = "dns"}};
static struct model_reflector reflectors[] = {{.name = "ntp", .port = 123}};
static const struct model model = {.n_services = ARRAY_LEN(services),
				   .services = services,
				   .n_reflectors = ARRAY_LEN(reflectors),
				   .reflectors = reflectors};
static struct attacks *attacks;
static uint64_t web;

static void
setup(void)
{
	log_init("test", LOG_ERROR);
	attacks = attacks_new();
	cr_assert_not_null(attacks);
	web = compile_key("web");
}

static void
teardown(void)
{
	attacks_free(attacks);
}

TestSuite(attacks, .init = setup, .fini = teardown);

static void
event(uint32_t id, enum abi_attack_state state, enum abi_vector vector, uint16_t port)
{
	struct abi_attack e = {.type = ABI_ATTACK,
			       .state = (uint8_t)state,
			       .id = id,
			       .service = web,
			       .packets = 100,
			       .stopped = 99,
			       .duration_ms = 2000,
			       .vector = (uint8_t)vector,
			       .vector_port = port};

	attacks_take(attacks, &model, &e, 100 * CLOCK_NS_PER_S);
}

static struct abi_talker
number(uint32_t attack, enum abi_talker_of of, uint8_t rank, uint32_t value, uint64_t packets)
{
	return (struct abi_talker){.type = ABI_TALKER,
				   .of = (uint8_t)of,
				   .rank = rank,
				   .attack = attack,
				   .service = web,
				   .packets = packets,
				   .total = 100,
				   .error = 5,
				   .number = value};
}

static struct abi_talker
source(uint32_t attack, enum abi_talker_of of, const char *prefix, uint64_t packets)
{
	struct abi_talker t = number(attack, of, 0, 0, packets);
	struct prefix p;

	cr_assert_eq(prefix_parse(prefix, &p), 0);
	t.source.addr = p.addr;
	t.source.len = p.len;
	return t;
}

static void
take(struct abi_talker t)
{
	attacks_take_talker(attacks, &t);
}

Test(attacks, are_named_by_their_vector)
{
	static const struct {
		enum abi_vector vector;
		uint16_t port;
		const char *text;
	} rows[] = {
		{ABI_VECTOR_SYN, 0, "SYN flood"},
		{ABI_VECTOR_SYN_ACK, 443, "SYN-ACK reflection from port 443"},
		{ABI_VECTOR_UDP, 0, "UDP flood"},
		{ABI_VECTOR_UDP, 123, "UDP amplification, ntp (port 123)"},
		{ABI_VECTOR_UDP, 124, "UDP flood from port 124"},
		{ABI_VECTOR_FRAGMENTS, 123, "fragment flood from port 123"},
		{ABI_VECTOR_MIXED, 0, "mixed"},
		{ABI_VECTOR_UNKNOWN, 0, "unknown"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		event(i + 1, ABI_ATTACK_BEGIN, rows[i].vector, rows[i].port);
		cr_expect_str_eq(attacks_lookup(attacks, 0)->vector, rows[i].text);
	}
	cr_expect_eq(attacks_count(attacks), ARRAY_LEN(rows));
}

Test(attacks, go_on_until_they_are_over)
{
	const struct attack *a;

	event(7, ABI_ATTACK_BEGIN, ABI_VECTOR_UNKNOWN, 0);
	event(7, ABI_ATTACK_GOES_ON, ABI_VECTOR_SYN, 0);
	a = attacks_lookup(attacks, 0);
	cr_expect_str_eq(a->service, "web");
	cr_expect_str_eq(a->vector, "SYN flood");
	cr_expect_eq(a->begun_ns, 98 * CLOCK_NS_PER_S);
	cr_expect(attacks_is_armed(attacks, "web"));
	cr_expect_not(attacks_is_armed(attacks, "dns"));
	event(7, ABI_ATTACK_END, ABI_VECTOR_SYN, 0);
	cr_expect_not(attacks_is_armed(attacks, "web"));
	cr_expect_float_eq(attacks_stopped_percent(&a->last), 99, 0.01);
	event(7, ABI_ATTACK_BEGIN, ABI_VECTOR_SYN, 0); /* of another dataplane, which counts anew */
	cr_expect_neq(attacks_lookup(attacks, 0), a);
	cr_expect_null(attacks_lookup(attacks, 2));
}

Test(attacks, have_the_talkers_that_were_told_before_the_event)
{
	char text[TALKERS_SUMMARY_MAX];

	take(source(3, ABI_TALKER_SOURCE, "192.0.2.1", 9));
	take(source(3, ABI_TALKER_PREFIX, "192.0.2.0/24", 60));
	take(number(3, ABI_TALKER_PORT, 0, 123, 97));
	take(number(3, ABI_TALKER_PORT, 1, 53, 2));
	take(number(3, ABI_TALKER_PORT, 3, 54, 1)); /* the one before it was lost */
	take(number(0, ABI_TALKER_TTL, 0, 64, 50)); /* of no attack */
	cr_expect_null(attacks_lookup(attacks, 0));
	event(3, ABI_ATTACK_BEGIN, ABI_VECTOR_UDP, 123);
	cr_expect_eq(attacks_lookup(attacks, 0)->talkers.n[ABI_TALKER_PORT], 2);
	talkers_summary_format(&attacks_lookup(attacks, 0)->talkers, text);
	cr_expect_str_eq(text, "prefix 192.0.2.0/24 60%, port 123 97%", "%s", text);
	event(3, ABI_ATTACK_GOES_ON, ABI_VECTOR_UDP, 123);
	cr_expect_eq(attacks_lookup(attacks, 0)->talkers.n[ABI_TALKER_PORT], 2, "none were told: those before");
	take(number(4, ABI_TALKER_PORT, 0, 500, 97));
	event(3, ABI_ATTACK_GOES_ON, ABI_VECTOR_UDP, 123);
	cr_expect_eq(attacks_lookup(attacks, 0)->talkers.ranks[ABI_TALKER_PORT][0].number, 123, "not another attack's");
}

Test(attacks, leave_out_what_no_dataplane_says)
{
	struct abi_talker bad[] = {
		number(0, ABI_TALKERS, 0, 1, 50),
		number(0, ABI_TALKER_PORT, ABI_TALKER_RANKS, 1, 50),
		number(0, ABI_TALKER_PORT, 1, 1, 0),
		number(0, ABI_TALKER_PORT, 0, 65536, 50),
		number(0, ABI_TALKER_SOURCE, 0, 1, 50),
		source(0, ABI_TALKER_PREFIX, "192.0.2.0/24", 50),
		source(0, ABI_TALKER_PREFIX, "192.0.2.0/24", 50),
		number(0, ABI_TALKER_PORT, 0, 1, 50),
	};
	struct abi_attack e = {.state = ABI_ATTACK_END + 1, .id = 1};

	bad[5].source.len = 33;
	bad[6].source.len = 16;
	bad[6].source.addr.octets[3] = 1; /* a host bit */
	bad[7].service = 0;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_not(talkers_check(&bad[i]), "row %u", i);
		take(bad[i]);
	}
	cr_expect_null(talkers_lookup(attacks_talkers(attacks), web));
	attacks_take(attacks, &model, &e, 1);
	e = (struct abi_attack){.vector = ABI_VECTORS, .id = 1};
	attacks_take(attacks, &model, &e, 1);
	e = (struct abi_attack){.id = 0};
	attacks_take(attacks, &model, &e, 1);
	cr_expect_null(attacks_lookup(attacks, 0));
	/* Impossible sums are shown as what they mean at most. */
	e = (struct abi_attack){.type = ABI_ATTACK, .id = 1, .packets = 1, .stopped = 2, .duration_ms = UINT32_MAX};
	attacks_take(attacks, &model, &e, 1);
	cr_expect_eq(attacks_lookup(attacks, 0)->begun_ns, 0);
	cr_expect_float_eq(attacks_stopped_percent(&e), 100, 0);
}

Test(attacks, tell_who_sends_now_until_the_dataplane_goes)
{
	const struct talkers_lists *lists;

	take(number(0, ABI_TALKER_TTL, 0, 64, 50));
	take(number(0, ABI_TALKER_TTL, 1, 63, 40));
	lists = talkers_lookup(attacks_talkers(attacks), web);
	cr_assert_not_null(lists);
	cr_expect_eq(lists->n[ABI_TALKER_TTL], 2);
	cr_expect_float_eq(talkers_share_percent(&lists->ranks[ABI_TALKER_TTL][1]), 40, 0.01);
	cr_expect_float_eq(talkers_error_percent(&lists->ranks[ABI_TALKER_TTL][1]), 5, 0.01);
	take(number(0, ABI_TALKER_TTL, 0, 0, 0));
	cr_expect_eq(lists->n[ABI_TALKER_TTL], 0, "nobody stands out any more");
	attacks_end_all(attacks, 1);
	cr_expect_null(talkers_lookup(attacks_talkers(attacks), web));
}

Test(attacks, name_the_reasons_that_count)
{
	struct abi_attack e = {.reasons = {VERDICT_REFLECTOR, VERDICT_DNS_MALFORMED, VERDICT_CHALLENGED}, .percents = {90, 9, 0}};
	char text[160];

	attacks_reasons_format(&e, text);
	cr_expect_str_eq(text, "reflector 90%, dns_malformed 9%");
}

Test(attacks, show_values_as_people_write_them)
{
	static const struct {
		enum abi_talker_of of;
		const char *prefix, *text;
	} rows[] = {
		{ABI_TALKER_SOURCE, "192.0.2.1", "192.0.2.1"},
		{ABI_TALKER_PREFIX, "2001:db8:1::/48", "2001:db8:1::/48"},
	};
	struct abi_talker payload = {.of = ABI_TALKER_PAYLOAD, .payload = {.hash = 0xabcdef, .octets = {1, 0xff}}};
	struct abi_talker port = number(0, ABI_TALKER_PORT, 0, 65535, 1);
	char text[TALKERS_VALUE_MAX];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_talker t = source(0, rows[i].of, rows[i].prefix, 1);

		talkers_value_format(&t, text);
		cr_expect_str_eq(text, rows[i].text);
	}
	talkers_value_format(&payload, text);
	cr_expect_str_eq(text, "0000000000abcdef 01ff000000000000");
	talkers_value_format(&port, text);
	cr_expect_str_eq(text, "65535");
}
