/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is gained and lost in turn: a VIP that was lost must be well for a while before it is announced again, and one
 * that is lost too often is held, each time for twice as long. Pure: a fact and the time in, what holds out.
 */
#ifndef CONTROLPLANE_DAMPING_H
#define CONTROLPLANE_DAMPING_H

#include "controlplane/model.h"

enum { DAMPING_FLAPS_MAX = UINT8_MAX };

enum damping_verdict {
	DAMPING_PASS,
	DAMPING_RISING, /* well, but not for long enough yet */
	DAMPING_HELD,	/* it flapped */
};

struct damping {
	bool was_lost;	       /* once at least: the first gain is not delayed */
	bool is_well;
	uint64_t well_since_ns;
	uint64_t held_until_ns; /* 0: not held */
	unsigned holds;	       /* in a row: each doubles the next */
	unsigned flaps;	       /* within the window */
	uint64_t window_ns;    /* when the window began */
};

/* *again_ns: when the verdict may be another without a new fact; UINT64_MAX: never. */
enum damping_verdict damping_judge(struct damping *damping, const struct model_damping *config, bool is_well,
				   uint64_t now_ns, uint64_t *again_ns);

#endif
