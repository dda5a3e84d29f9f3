/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/drain.h"

#include "base/clock.h"

void
drain_begin(struct drain *drain, enum drain_step step, uint64_t now_ns)
{
	*drain = (struct drain){.step = step, .since_ns = now_ns};
}

static void
sample(struct drain *drain, uint64_t forwarded, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - drain->sampled_ns;

	if (drain->sampled_ns != 0 && since_ns < CLOCK_NS_PER_S)
		return;
	/* A counter that runs backwards is another dataplane's: nothing is known of the time between. */
	if (drain->sampled_ns == 0 || forwarded < drain->forwarded ||
	    forwarded - drain->forwarded > DRAIN_QUIET_PPS * (since_ns / CLOCK_NS_PER_S))
		drain->quiet_since_ns = 0;
	else if (drain->quiet_since_ns == 0)
		drain->quiet_since_ns = drain->sampled_ns;
	drain->forwarded = forwarded;
	drain->sampled_ns = now_ns;
}

static void
step_to(struct drain *drain, enum drain_step step, uint64_t now_ns)
{
	drain->step = step;
	drain->since_ns = now_ns;
}

bool
drain_tick(struct drain *drain, uint64_t forwarded, bool is_heard, uint64_t timeout_ns, uint64_t now_ns)
{
	enum drain_step before = drain->step;
	bool is_quiet;

	if (drain->step == DRAIN_NONE)
		return false;
	sample(drain, forwarded, now_ns);
	is_quiet = drain->quiet_since_ns != 0 && now_ns - drain->quiet_since_ns >= DRAIN_QUIET_S * CLOCK_NS_PER_S;
	if (drain->step == DRAIN_LEAVING && (!is_heard || is_quiet || now_ns - drain->since_ns >= timeout_ns))
		step_to(drain, DRAIN_WITHDRAWN, now_ns);
	/* A router needs a moment for the withdrawal, and may send until then what it did not before. */
	else if (drain->step == DRAIN_WITHDRAWN && is_quiet && now_ns - drain->since_ns >= CLOCK_NS_PER_S)
		step_to(drain, DRAIN_SAFE, now_ns);
	return drain->step != before;
}

const char *
drain_step_name(enum drain_step step)
{
	static const char *const names[] = {"none", "leaving", "withdrawn", "safe"};

	return names[step];
}
