/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/damping.h"

#include "base/clock.h"

/* Doubled for each hold before this one, as long as the longest. */
static uint64_t
hold_ns(const struct damping *damping, const struct model_damping *config)
{
	uint64_t hold_s = config->hold_s;

	for (unsigned i = 0; i < damping->holds && hold_s < config->hold_max_s; i++)
		hold_s *= 2;
	return (hold_s < config->hold_max_s ? hold_s : config->hold_max_s) * CLOCK_NS_PER_S;
}

static void
lose(struct damping *damping, const struct model_damping *config, uint64_t now_ns)
{
	uint64_t window_ns = config->window_s * CLOCK_NS_PER_S;

	damping->was_lost = true;
	if (damping->flaps == 0 || now_ns - damping->window_ns > window_ns) {
		damping->window_ns = now_ns;
		damping->flaps = 0;
	}
	damping->flaps++;
	if (config->flaps == 0 || damping->flaps < config->flaps)
		return;
	damping->held_until_ns = now_ns + hold_ns(damping, config);
	damping->holds++;
	damping->flaps = 0;
}

/* Well for as long as the window and the last hold: what was before is forgiven. */
static void
forgive(struct damping *damping, const struct model_damping *config, uint64_t now_ns)
{
	uint64_t from_ns = damping->well_since_ns > damping->held_until_ns ? damping->well_since_ns
									   : damping->held_until_ns;

	if (damping->holds && now_ns > from_ns && now_ns - from_ns >= config->window_s * CLOCK_NS_PER_S)
		damping->holds = 0;
}

enum damping_verdict
damping_judge(struct damping *damping, const struct model_damping *config, bool is_well, uint64_t now_ns,
	      uint64_t *again_ns)
{
	uint64_t risen_ns;

	*again_ns = UINT64_MAX;
	if (damping->is_well && !is_well) {
		forgive(damping, config, now_ns);
		lose(damping, config, now_ns);
	} else if (!damping->is_well && is_well) {
		damping->well_since_ns = now_ns;
	}
	damping->is_well = is_well;
	if (!is_well)
		return damping->held_until_ns > now_ns ? DAMPING_HELD : DAMPING_PASS;
	risen_ns = damping->was_lost ? damping->well_since_ns + config->rise_ms * CLOCK_NS_PER_MS : 0;
	*again_ns = risen_ns > damping->held_until_ns ? risen_ns : damping->held_until_ns;
	if (damping->held_until_ns > now_ns)
		return DAMPING_HELD;
	if (risen_ns > now_ns)
		return DAMPING_RISING;
	*again_ns = UINT64_MAX;
	return DAMPING_PASS;
}
