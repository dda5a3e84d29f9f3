/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/flowhash.h"

void
health_init(struct health *health, const struct model_health *settings, uint64_t now_ns)
{
	*health = (struct health){
		.state = settings->n_checks == 0 ? HEALTH_UP : HEALTH_UNKNOWN,
		.since_ns = now_ns,
	};
}

bool
health_is_up(const struct health *health)
{
	return health->state == HEALTH_UP;
}

const char *
health_state_name(enum health_state state)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_DOWN] = "down",
		[HEALTH_UP] = "up",
		[HEALTH_HELD] = "held",
	};

	return (size_t)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

static void
enter(struct health *health, enum health_state state, uint64_t now_ns)
{
	health->state = state;
	health->since_ns = now_ns;
}

/* Notes a change to down. True when it is the one that fills the window. */
static bool
flaps_too_often(struct health *health, const struct model_health *settings, uint64_t now_ns)
{
	unsigned limit = settings->hold_flaps < HEALTH_FLAPS_MAX ? settings->hold_flaps : HEALTH_FLAPS_MAX;
	uint64_t oldest;

	health->flap_ns[health->n_flaps % HEALTH_FLAPS_MAX] = now_ns;
	health->n_flaps++;
	if (limit == 0 || health->n_flaps < limit)
		return false;
	oldest = health->flap_ns[(health->n_flaps - limit) % HEALTH_FLAPS_MAX];
	return now_ns - oldest <= settings->hold_window_s * CLOCK_NS_PER_S;
}

static void
go_down(struct health *health, const struct model_health *settings, uint64_t now_ns)
{
	if (!flaps_too_often(health, settings, now_ns)) {
		enter(health, HEALTH_DOWN, now_ns);
		return;
	}
	health->n_flaps = 0;
	health->held_until_ns = now_ns + settings->hold_s * CLOCK_NS_PER_S;
	enter(health, HEALTH_HELD, now_ns);
}

static void
count(struct health *health, bool passed, const char *reason)
{
	if (passed) {
		health->passes += health->passes < UINT8_MAX;
		health->failures = 0;
		health->reason[0] = '\0';
		return;
	}
	health->failures += health->failures < UINT8_MAX;
	health->passes = 0;
	snprintf(health->reason, sizeof(health->reason), "%s", reason ? reason : "failed");
}

bool
health_result(struct health *health, const struct model_health *settings, uint64_t now_ns, bool passed,
	      const char *reason)
{
	count(health, passed, reason);
	switch (health->state) {
	case HEALTH_UNKNOWN:
		enter(health, passed ? HEALTH_UP : HEALTH_DOWN, now_ns);
		return true;
	case HEALTH_DOWN:
		if (health->passes < settings->rise || !passed)
			return false;
		enter(health, HEALTH_UP, now_ns);
		return true;
	case HEALTH_UP:
		if (health->failures < settings->fall || passed)
			return false;
		go_down(health, settings, now_ns);
		return true;
	case HEALTH_HELD:
		return health_tick(health, settings, now_ns);
	}
	return false;
}

bool
health_tick(struct health *health, const struct model_health *settings, uint64_t now_ns)
{
	bool is_up = health->passes >= settings->rise;

	if (health->state != HEALTH_HELD || now_ns < health->held_until_ns)
		return false;
	enter(health, is_up ? HEALTH_UP : HEALTH_DOWN, now_ns);
	return is_up;
}

/* 0..bound-1, the same for the same seed and round. */
static uint64_t
pick(uint64_t seed, uint64_t round, uint64_t bound)
{
	uint64_t mixed = flowhash_mum(flowhash_mum(seed ^ FLOWHASH_K0, round ^ FLOWHASH_K1), FLOWHASH_K2);

	return bound > 0 ? mixed % bound : 0;
}

uint64_t
health_first_ns(const struct model_health *settings, uint64_t seed, uint64_t now_ns)
{
	return now_ns + pick(seed, 0, settings->interval_ms * CLOCK_NS_PER_MS);
}

uint64_t
health_next_ns(const struct model_health *settings, uint64_t seed, uint64_t round, uint64_t last_ns)
{
	uint64_t interval_ns = settings->interval_ms * CLOCK_NS_PER_MS;
	uint64_t jitter_ns = interval_ns / 100 * settings->jitter_percent;

	return last_ns + interval_ns - jitter_ns + pick(seed, round, 2 * jitter_ns + 1);
}

static bool
check_equal(const struct model_check *a, const struct model_check *b)
{
	return a->kind == b->kind && a->port == b->port && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->host, b->host) == 0 && a->status_min == b->status_min && a->status_max == b->status_max &&
	       strcmp(a->match, b->match) == 0 && a->tls_verify == b->tls_verify && strcmp(a->query, b->query) == 0 &&
	       a->query_type == b->query_type && a->rcode == b->rcode;
}

bool
health_settings_equal(const struct model_health *a, const struct model_health *b)
{
	if (a->interval_ms != b->interval_ms || a->timeout_ms != b->timeout_ms || a->rise != b->rise ||
	    a->fall != b->fall || a->jitter_percent != b->jitter_percent || a->hold_flaps != b->hold_flaps ||
	    a->hold_window_s != b->hold_window_s || a->hold_s != b->hold_s || a->n_checks != b->n_checks)
		return false;
	for (unsigned i = 0; i < a->n_checks; i++) {
		if (!check_equal(&a->checks[i], &b->checks[i]))
			return false;
	}
	return true;
}
