/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "controlplane/drain.h"

/* Seconds in a row with so many packets each; the step at their end. */
static enum drain_step
go(struct drain *drain, unsigned *now_s, uint64_t *forwarded, unsigned seconds, uint64_t pps, bool is_heard)
{
	for (unsigned i = 0; i < seconds; i++) {
		*forwarded += pps;
		(void)drain_tick(drain, *forwarded, is_heard, 60 * CLOCK_NS_PER_S, ++*now_s * CLOCK_NS_PER_S);
	}
	return drain->step;
}

Test(drain, leaves_withdraws_and_is_safe_when_traffic_has_gone)
{
	struct drain drain;
	unsigned now_s = 100;
	uint64_t forwarded = 5000;

	drain_begin(&drain, DRAIN_LEAVING, now_s * CLOCK_NS_PER_S);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 10, 1000, true), DRAIN_LEAVING);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 3, 0, true), DRAIN_WITHDRAWN);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 5, 50, true), DRAIN_WITHDRAWN, "packets are still under way");
	cr_expect_eq(go(&drain, &now_s, &forwarded, 5, 0, true), DRAIN_SAFE);
}

Test(drain, withdraws_after_its_time_whatever_comes)
{
	struct drain drain;
	unsigned now_s = 100;
	uint64_t forwarded = 0;

	drain_begin(&drain, DRAIN_LEAVING, now_s * CLOCK_NS_PER_S);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 59, 1000, true), DRAIN_LEAVING);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 1, 1000, true), DRAIN_WITHDRAWN);
}

Test(drain, says_goodbye_to_nobody_who_isnt_there)
{
	struct drain drain;
	unsigned now_s = 100;
	uint64_t forwarded = 0;

	drain_begin(&drain, DRAIN_LEAVING, now_s * CLOCK_NS_PER_S);
	cr_expect_eq(go(&drain, &now_s, &forwarded, 1, 1000, false), DRAIN_WITHDRAWN);
}
