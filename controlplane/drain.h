/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maintenance of the node, step by step: its routes are the last choice first, are withdrawn when traffic has left or it
 * takes too long, and when no packet comes any more, it is safe. Pure: the time and a counter in, the step out.
 */
#ifndef CONTROLPLANE_DRAIN_H
#define CONTROLPLANE_DRAIN_H

#include "base/types.h"

enum drain_step {
	DRAIN_NONE = 0,
	DRAIN_LEAVING,	 /* announced with GRACEFUL_SHUTDOWN (RFC 8326) */
	DRAIN_WITHDRAWN, /* packets may still be under way */
	DRAIN_SAFE,
};

struct drain {
	enum drain_step step;
	uint64_t since_ns;	 /* of the step */
	uint64_t sampled_ns;	 /* 0: not yet */
	uint64_t forwarded;	 /* packets, at that moment */
	uint64_t quiet_since_ns; /* traffic has been below DRAIN_QUIET_PPS since; 0: it is not */
};

enum { DRAIN_QUIET_PPS = 1, DRAIN_QUIET_S = 3 };

void drain_begin(struct drain *drain, enum drain_step step, uint64_t now_ns);

/*
 * Called once a second or more often with all packets forwarded so far. is_heard: some router knows our routes, so that
 * there is somebody to say goodbye to. True: the step is another than before.
 */
bool drain_tick(struct drain *drain, uint64_t forwarded, bool is_heard, uint64_t timeout_ns, uint64_t now_ns);

const char *drain_step_name(enum drain_step step); /* "none", "leaving", "withdrawn", "safe" */

#endif
