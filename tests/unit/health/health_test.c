/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "controlplane/health.h"

/* One letter a second: 'p' passes, 'f' fails, '.' is a tick. The wanted state after each: u(p), d(own), h(eld). */
struct row {
	const char *says;
	uint8_t rise, fall, hold_flaps;
	const char *results;
	const char *states;
};

static const struct row rows[] = {
	{"the first pass is up at once", 3, 3, 0, "p", "u"},
	{"the first failure is down at once", 3, 3, 0, "f", "d"},
	{"falls after three in a row", 2, 3, 0, "pfff", "uuud"},
	{"a pass between failures starts the count anew", 2, 3, 0, "pffpfff", "uuuuuud"},
	{"rises after two in a row", 2, 1, 0, "fpp", "ddu"},
	{"a failure between passes starts the count anew", 2, 1, 0, "fpfpp", "ddddu"},
	{"one of each is enough at rise 1 and fall 1", 1, 1, 0, "pfpf", "udud"},
	{"holds at the second change to down", 1, 1, 2, "pfpfpppp", "uduhhhhh"},
	{"a hold ends up when the last rounds passed", 1, 1, 2, "pfpfppppp.", "uduhhhhhuu"},
	{"a hold ends down when the last round failed", 1, 1, 2, "pfpfppppf", "uduhhhhhd"},
	{"a tick ends a hold too", 1, 1, 2, "pfpfp....", "uduhhhhhu"},
	{"the first failure of all is no flap", 1, 1, 2, "fpfpf", "duduh"},
	{"flaps just a window apart still hold", 1, 1, 2, "pf........pf", "uddddddddduh"},
};

static const char letters[] = {[HEALTH_UNKNOWN] = '?', [HEALTH_DOWN] = 'd', [HEALTH_UP] = 'u', [HEALTH_HELD] = 'h'};

static struct model_health
settings_of(const struct row *row, uint32_t window_s)
{
	return (struct model_health){
		.interval_ms = 1000,
		.timeout_ms = 500,
		.rise = row->rise,
		.fall = row->fall,
		.hold_flaps = row->hold_flaps,
		.hold_window_s = window_s,
		.hold_s = 5,
		.n_checks = 1,
	};
}

static void
run_row(const struct row *row, uint32_t window_s, const char *states)
{
	struct model_health settings = settings_of(row, window_s);
	struct health health;
	uint64_t now_ns = CLOCK_NS_PER_S;

	health_init(&health, &settings, now_ns);
	cr_expect_eq(health.state, HEALTH_UNKNOWN);
	for (size_t i = 0; row->results[i]; i++, now_ns += CLOCK_NS_PER_S) {
		bool was_up = health_is_up(&health), was_unknown = health.state == HEALTH_UNKNOWN, changed;

		if (row->results[i] == '.')
			changed = health_tick(&health, &settings, now_ns);
		else
			changed = health_result(&health, &settings, now_ns, row->results[i] == 'p', "no");
		cr_expect_eq(letters[health.state], states[i], "%s: step %zu is %c", row->says, i,
			     letters[health.state]);
		cr_expect_eq(changed, was_unknown || was_up != health_is_up(&health), "%s: step %zu", row->says, i);
	}
}

Test(health, follows_its_table)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		run_row(&rows[i], 10, rows[i].states);
}

Test(health, flaps_outside_the_window_hold_nothing)
{
	static const struct row row = {"narrow window", 1, 1, 2, "pf.....pf", ""};

	run_row(&row, 3, "uddddddud");
	run_row(&row, 10, "udddddduh");
}

Test(health, a_pool_without_checks_is_up)
{
	struct model_health settings = {.n_checks = 0};
	struct health health;

	health_init(&health, &settings, 1);
	cr_expect(health_is_up(&health));
}

Test(health, keeps_the_reason_of_the_last_failure)
{
	struct model_health settings = {.rise = 1, .fall = 1, .n_checks = 1};
	struct health health;

	health_init(&health, &settings, 1);
	cr_expect(health_result(&health, &settings, 2, false, "tcp 80: connection refused"));
	cr_expect_str_eq(health.reason, "tcp 80: connection refused");
	cr_expect_eq(health.since_ns, 2);
	cr_expect(health_result(&health, &settings, 3, true, ""));
	cr_expect_str_eq(health.reason, "");
	cr_expect_eq(health.since_ns, 3);
}

Test(health, jitter_stays_within_its_share_and_repeats)
{
	struct model_health settings = {.interval_ms = 1000, .jitter_percent = 10};
	uint64_t least = UINT64_MAX, most = 0;

	for (uint64_t round = 0; round < 10000; round++) {
		uint64_t next = health_next_ns(&settings, 42, round, 5 * CLOCK_NS_PER_S) - 5 * CLOCK_NS_PER_S;

		cr_expect_eq(next + 5 * CLOCK_NS_PER_S, health_next_ns(&settings, 42, round, 5 * CLOCK_NS_PER_S));
		least = next < least ? next : least;
		most = next > most ? next : most;
	}
	cr_expect_geq(least, 900 * CLOCK_NS_PER_MS);
	cr_expect_leq(most, 1100 * CLOCK_NS_PER_MS);
	cr_expect_lt(least, 905 * CLOCK_NS_PER_MS);
	cr_expect_gt(most, 1095 * CLOCK_NS_PER_MS);
}

Test(health, no_jitter_is_the_interval)
{
	struct model_health settings = {.interval_ms = 250};

	cr_expect_eq(health_next_ns(&settings, 1, 9, 100), 100 + 250 * CLOCK_NS_PER_MS);
}

Test(health, first_rounds_spread_over_the_interval)
{
	struct model_health settings = {.interval_ms = 1000};
	unsigned quarters[4] = {0};

	for (uint64_t seed = 0; seed < 4000; seed++) {
		uint64_t first = health_first_ns(&settings, seed, 7) - 7;

		cr_assert_lt(first, CLOCK_NS_PER_S);
		quarters[first / (CLOCK_NS_PER_S / 4)]++;
	}
	for (int i = 0; i < 4; i++)
		cr_expect(quarters[i] > 850 && quarters[i] < 1150, "quarter %d has %u", i, quarters[i]);
}

Test(health, settings_differ_by_any_check)
{
	struct model_health a = {.interval_ms = 1, .n_checks = 1, .checks = {{.kind = MODEL_CHECK_TCP, .port = 80}}};
	struct model_health b = a;

	cr_expect(health_settings_equal(&a, &b));
	b.checks[0].port = 81;
	cr_expect_not(health_settings_equal(&a, &b));
}
