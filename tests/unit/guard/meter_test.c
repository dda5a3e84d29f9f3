/* SPDX-License-Identifier: BSD-2-Clause */
/* Arming and disarming by counters and time, both injected. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "dataplane/meter.h"

enum { SERVICE = 9, OTHER = 10, WORKERS = 2, EVENTS_MAX = 64 };

static struct region_counters counters;
static _Alignas(64) struct guard_shared shared;
static struct build_guard guards[ABI_SERVICES_MAX];
static struct meter *meter;
static struct sample_shared samples;
static struct talkers *talkers;
static struct abi_attack events[EVENTS_MAX];
static unsigned n_events;
static uint64_t now_ns;

static void
tell(void *context, const union abi_record *event)
{
	(void)context;
	if (event->type == ABI_TALKER)
		return;
	cr_assert_eq(event->type, ABI_ATTACK);
	cr_assert_lt(n_events, EVENTS_MAX);
	events[n_events++] = event->attack;
}

static void
setup(void)
{
	struct talkers_config of_talkers = {.shared = &samples, .tell = tell};
	struct meter_config config = {.counters = &counters, .guard = &shared, .tell = tell};

	config.talkers = talkers = talkers_new(&of_talkers);
	cr_assert_not_null(talkers);
	cr_assert_eq(region_counters_new(&counters, WORKERS), 0);
	cr_assert_eq(guard_shared_init(&shared, 0, 0), 0);
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++)
		guards[i] = (struct build_guard){.checker = SERVICE_NONE};
	guards[SERVICE] = (struct build_guard){
		.key = 1234,
		.checker = SERVICE_NONE,
		.record = {.type = ABI_GUARD, .hold_s = 5, .percent = 50, .thresholds = {1000, 8000, 100, 10}}};
	meter = meter_new(&config);
	cr_assert_not_null(meter);
	now_ns = 100 * CLOCK_NS_PER_S;
	meter_tick(meter, guards, now_ns, 100);
}

static void
teardown(void)
{
	meter_free(meter);
	talkers_free(talkers);
	guard_shared_fini(&shared);
	region_counters_free(&counters);
}

TestSuite(meter, .init = setup, .fini = teardown);

static void
count(unsigned worker, uint64_t packets, uint64_t bytes, uint64_t openings, uint64_t fragments)
{
	struct abi_service_counters *c = &region_worker_services(&counters, worker)[SERVICE];

	atomic_fetch_add(&c->packets, packets);
	atomic_fetch_add(&c->bytes, bytes);
	atomic_fetch_add(&c->openings, openings);
	atomic_fetch_add(&c->fragments, fragments);
}

static void
pass(uint64_t ms)
{
	now_ns += ms * CLOCK_NS_PER_MS;
	meter_tick(meter, guards, now_ns, (uint32_t)(now_ns / CLOCK_NS_PER_S));
}

static enum guard_mode
mode_of(unsigned service)
{
	return atomic_load(&shared.states[service]) & 3;
}

Test(meter, arms_a_service_by_any_of_its_meters)
{
	static const struct {
		const char *name;
		uint64_t packets, bytes, openings, fragments; /* in 100 ms */
		uint8_t meters;
	} rows[] = {
		{"packets", 101, 0, 0, 0, 1 << ABI_METER_PACKETS},
		{"bits", 1, 100001, 0, 0, 1 << ABI_METER_BITS},
		{"openings", 1, 0, 11, 0, 1 << ABI_METER_OPENINGS},
		{"fragments", 1, 0, 0, 2, 1 << ABI_METER_FRAGMENTS},
		{"at the threshold", 100, 100000, 10, 1, 0},
		{"all", 200, 200000, 20, 4, 15},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		teardown();
		n_events = 0;
		setup();
		count(0, rows[i].packets / 2, rows[i].bytes, rows[i].openings, 0);
		count(1, rows[i].packets - rows[i].packets / 2, 0, 0, rows[i].fragments);
		pass(100);
		cr_expect_eq(mode_of(SERVICE), rows[i].meters ? GUARD_ARMED : GUARD_PEACE, "%s", rows[i].name);
		cr_expect_eq(atomic_load(&shared.n_armed), rows[i].meters != 0, "%s", rows[i].name);
		cr_expect_eq(n_events, 0, "%s: nothing is known of it yet", rows[i].name);
		pass(METER_BEGIN_MS);
		cr_expect_eq(n_events, rows[i].meters != 0, "%s", rows[i].name);
		if (n_events)
			cr_expect_eq(events[0].meters, rows[i].meters, "%s", rows[i].name);
		cr_expect_eq(mode_of(OTHER), GUARD_PEACE, "a bystander");
	}
}

Test(meter, stands_down_when_all_has_been_quiet_for_its_time)
{
	count(0, 200, 0, 0, 0);
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_ARMED);
	for (unsigned i = 0; i < 100; i++) { /* between the bounds: neither a new attack nor its end */
		count(0, 60, 0, 0, 0);
		pass(100);
		cr_expect_eq(mode_of(SERVICE), GUARD_ARMED);
	}
	for (unsigned i = 0; i < 49; i++) {
		count(0, 40, 0, 0, 0);
		pass(100);
		cr_expect_eq(mode_of(SERVICE), GUARD_ARMED, "%u", i);
	}
	count(0, 40, 0, 0, 0);
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_PEACE);
	cr_expect_eq(atomic_load(&shared.n_armed), 0);
	cr_expect_eq(events[n_events - 1].state, ABI_ATTACK_END);
	cr_expect_eq(events[n_events - 1].duration_ms, 15000);
}

Test(meter, sums_an_attack_up)
{
	_Atomic uint64_t *reasons = region_worker_reasons(&counters, 1)[SERVICE].verdicts;

	atomic_store(&reasons[VERDICT_NO_BACKEND], 500); /* before it */
	count(0, 50, 0, 0, 0);
	pass(100);
	count(0, 1000, 64000, 0, 0);
	pass(100);
	pass(METER_BEGIN_MS);
	cr_assert_eq(n_events, 1);
	cr_expect_eq(events[0].state, ABI_ATTACK_BEGIN);
	cr_expect_eq(events[0].id, 1);
	cr_expect_eq(events[0].service, 1234);
	cr_expect_eq(events[0].peak_pps, 10000);
	cr_expect_eq(events[0].peak_bps, 5120000);
	cr_expect_eq(events[0].packets, 0, "since it is armed");
	for (unsigned i = 0; i < METER_TELL_S * 10; i++) {
		count(1, 500, 0, 0, 0);
		atomic_fetch_add(&reasons[VERDICT_SOURCE_LIMIT], 360);
		atomic_fetch_add(&reasons[VERDICT_CHALLENGED], 40);
		pass(100);
	}
	cr_assert_eq(n_events, 2);
	cr_expect_eq(events[1].state, ABI_ATTACK_GOES_ON);
	cr_expect_eq(events[1].id, 1);
	cr_expect_eq(events[1].peak_pps, 10000, "the highest");
	cr_expect_eq(events[1].packets, METER_TELL_S * 5000);
	cr_expect_eq(events[1].stopped, METER_TELL_S * 4000);
	cr_expect_eq(events[1].reasons[0], VERDICT_SOURCE_LIMIT);
	cr_expect_eq(events[1].percents[0], 90);
	cr_expect_eq(events[1].reasons[1], VERDICT_CHALLENGED);
	cr_expect_eq(events[1].percents[1], 10);
	cr_expect_eq(events[1].reasons[2], 0);
}

Test(meter, forgets_a_service_whose_index_another_one_has_now)
{
	count(0, 200, 0, 0, 0);
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_ARMED);
	guards[SERVICE].key = 77;
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_PEACE);
	cr_expect_eq(events[n_events - 1].state, ABI_ATTACK_END);
	cr_expect_eq(events[n_events - 1].service, 1234);
	guards[SERVICE].record.type = 0;
	count(0, 10000, 0, 0, 0);
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_PEACE, "not guarded");
}

Test(meter, arms_for_good_what_is_to_be_armed_always_and_tells_of_no_attack)
{
	guards[SERVICE].record.mode = ABI_GUARD_ALWAYS;
	pass(100);
	cr_expect_eq(mode_of(SERVICE), GUARD_ARMED);
	cr_expect_eq(n_events, 0);
}

Test(meter, has_sources_prove_themselves_where_the_service_says)
{
	guards[SERVICE].checker = OTHER;
	count(0, 200, 0, 0, 0);
	pass(100);
	cr_expect_eq(mode_of(OTHER), GUARD_CHECKING);
	cr_expect_eq(atomic_load(&shared.n_armed), 2);
	for (unsigned i = 0; i < 60; i++)
		pass(100);
	cr_expect_eq(mode_of(OTHER), GUARD_PEACE);
}

/* An hour of traffic that comes and goes at nine tenths of every threshold. */
Test(meter, stays_in_peace_through_an_hour_of_what_is_allowed)
{
	for (unsigned i = 0; i < 36000; i++) {
		uint64_t share = i % 90 + 1;

		count(i % WORKERS, share, share * 1000, share / 10, i % 20 == 0);
		pass(100 + i % 7);
		cr_assert_eq(mode_of(SERVICE), GUARD_PEACE, "%u", i);
	}
	cr_expect_eq(n_events, 0);
}

Test(meter, looks_no_more_often_than_its_period)
{
	count(0, METER_PERIOD_MS * 9 / 10, 0, 0, 0);
	pass(METER_PERIOD_MS / 2);
	cr_expect_eq(mode_of(SERVICE), GUARD_PEACE, "what half a period had is no rate yet");
	pass(METER_PERIOD_MS / 2);
	cr_expect_eq(mode_of(SERVICE), GUARD_PEACE);
}
