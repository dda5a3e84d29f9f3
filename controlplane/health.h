/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One backend's health in one pool: results of check rounds and the time in, a state out. Pure: no clock, no sockets;
 * the caller owns the struct and gives the time. The first result decides alone, so that a control plane that was
 * restarted knows its backends within one interval; after it, `rise` passes or `fall` failures in a row do.
 *
 * A backend that goes down `hold_flaps` times within `hold_window_s` is held: it counts as down for `hold_s` whatever
 * its checks say. Results go on being counted, so it is up at the hold's end when its last `rise` rounds passed.
 */
#ifndef CONTROLPLANE_HEALTH_H
#define CONTROLPLANE_HEALTH_H

#include "controlplane/model.h"

enum health_state { HEALTH_UNKNOWN = 0, HEALTH_DOWN, HEALTH_UP, HEALTH_HELD };

enum {
	HEALTH_REASON_MAX = 256,
	HEALTH_FLAPS_MAX = 32, /* changes to down that are remembered; a larger hold_flaps counts as this */
};

struct health {
	enum health_state state;
	unsigned passes; /* in a row; one of the two is zero */
	unsigned failures;
	unsigned n_flaps; /* changes to down since the last hold; the newest HEALTH_FLAPS_MAX are in flap_ns */
	uint64_t flap_ns[HEALTH_FLAPS_MAX];
	uint64_t since_ns; /* of the last change of state */
	uint64_t held_until_ns;
	char reason[HEALTH_REASON_MAX]; /* of the last failure; "" after a pass */
};

/* A pool without checks has backends that are always up. */
void health_init(struct health *health, const struct model_health *settings, uint64_t now_ns);

bool health_is_up(const struct health *health); /* only HEALTH_UP counts as up */
const char *health_state_name(enum health_state state);

/* Takes one round's result. True when the backend's verdict changed: up to down, down to up, or the first of all. */
bool health_result(struct health *health, const struct model_health *settings, uint64_t now_ns, bool passed,
		   const char *reason);

/* Ends a hold whose time is over. True when that made the backend up. Call it at least once an interval. */
bool health_tick(struct health *health, const struct model_health *settings, uint64_t now_ns);

/* When to start the first round: spread over one interval by the seed. */
uint64_t health_first_ns(const struct model_health *settings, uint64_t seed, uint64_t now_ns);

/* When to start the round after one that started at last_ns: an interval later, give or take the jitter. */
uint64_t health_next_ns(const struct model_health *settings, uint64_t seed, uint64_t round, uint64_t last_ns);

bool health_settings_equal(const struct model_health *a, const struct model_health *b);

#endif
