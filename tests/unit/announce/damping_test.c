/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "controlplane/damping.h"

static const struct model_damping config = {
	.rise_ms = 5000, .flaps = 3, .window_s = 60, .hold_s = 30, .hold_max_s = 100};

/* Each second told, in turn; what holds at the end of it. */
static enum damping_verdict
tell(struct damping *damping, bool is_well, unsigned *now_s, unsigned seconds)
{
	enum damping_verdict verdict = DAMPING_PASS;
	uint64_t again_ns;

	for (unsigned i = 0; i < seconds; i++)
		verdict = damping_judge(damping, &config, is_well, ++*now_s * CLOCK_NS_PER_S, &again_ns);
	return verdict;
}

Test(damping, delays_no_first_gain_and_each_that_follows_a_loss)
{
	struct damping damping = {0};
	unsigned now_s = 1000;

	cr_expect_eq(tell(&damping, true, &now_s, 1), DAMPING_PASS);
	cr_expect_eq(tell(&damping, false, &now_s, 1), DAMPING_PASS, "a loss is believed at once");
	cr_expect_eq(tell(&damping, true, &now_s, 5), DAMPING_RISING);
	cr_expect_eq(tell(&damping, true, &now_s, 1), DAMPING_PASS);
}

Test(damping, says_when_to_look_again)
{
	struct damping damping = {0};
	uint64_t again_ns;

	damping_judge(&damping, &config, true, CLOCK_NS_PER_S, &again_ns);
	cr_expect_eq(again_ns, UINT64_MAX);
	damping_judge(&damping, &config, false, 2 * CLOCK_NS_PER_S, &again_ns);
	cr_expect_eq(again_ns, UINT64_MAX);
	damping_judge(&damping, &config, true, 3 * CLOCK_NS_PER_S, &again_ns);
	cr_expect_eq(again_ns, 8 * CLOCK_NS_PER_S);
}

/* Lost three times within the window, one second well in between. */
static void
flap(struct damping *damping, unsigned *now_s)
{
	for (unsigned i = 0; i < 3; i++) {
		tell(damping, true, now_s, 1);
		tell(damping, false, now_s, 1);
	}
}

Test(damping, holds_what_flaps_twice_as_long_each_time_up_to_the_longest)
{
	static const unsigned holds_s[] = {30, 60, 100, 100};
	struct damping damping = {0};
	unsigned now_s = 1000;

	for (unsigned i = 0; i < ARRAY_LEN(holds_s); i++) {
		flap(&damping, &now_s);
		cr_expect_eq(tell(&damping, true, &now_s, holds_s[i] - 1), DAMPING_HELD, "hold %u", i);
		cr_expect_eq(tell(&damping, true, &now_s, 1), DAMPING_PASS, "hold %u", i);
	}
}

Test(damping, forgives_who_was_well_for_a_window)
{
	struct damping damping = {0};
	unsigned now_s = 1000;

	flap(&damping, &now_s);
	tell(&damping, true, &now_s, 30 + 60 + 1);
	flap(&damping, &now_s);
	cr_expect_eq(tell(&damping, true, &now_s, 29), DAMPING_HELD);
	cr_expect_eq(tell(&damping, true, &now_s, 1), DAMPING_PASS, "30 s again, not 60");
}
