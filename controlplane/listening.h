/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets that BGP listens on, and the keys that they ask of peers. A change of the
 * configuration touches what it changes: sockets stay open, keys are replaced in place. One thread.
 */
#ifndef CONTROLPLANE_LISTENING_H
#define CONTROLPLANE_LISTENING_H

#include "bgp/tcp.h"
#include "controlplane/model.h"

enum { LISTENING_SOCKETS = MODEL_LISTEN_MAX, LISTENING_WHY_MAX = TCP_WHY_MAX + BGP_NAME_MAX };

struct listening_key;

struct listening_plan {
	bool is_any; /* of what families there are */
	unsigned n_addrs;
	struct addr addrs[LISTENING_SOCKETS];
	uint16_t port;
	unsigned n_keys;
	struct listening_key *keys;
};

struct listening {
	struct listening_plan plan; /* what is in force */
	int fds[LISTENING_SOCKETS]; /* of plan.addrs; -1: this machine has no such family */
};

void listening_init(struct listening *listening);
void listening_fini(struct listening *listening);

/* On failure, with the reason, the plan before is in force again. */
MUST_CHECK int listening_apply(struct listening *listening, const struct model *model,
			       char why[static LISTENING_WHY_MAX]);

#endif
