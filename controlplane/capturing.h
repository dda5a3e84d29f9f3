/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures for nearcastctl: has the dataplane copy packets, takes the copies out of its rings, and tells them to the
 * client as a pcapng file (abi/control.h). One at a time, bounded in packets, octets and time. A client that reads slowly
 * leaves the copies in the rings, where what finds no room is lost and counted. Event loop's thread.
 */
#ifndef CONTROLPLANE_CAPTURING_H
#define CONTROLPLANE_CAPTURING_H

#include "abi/records.h"
#include "controlplane/control.h"
#include "controlplane/program.h"

struct node;
struct capturing;

enum { CAPTURING_COUNT_MAX = 1000000, CAPTURING_OCTETS_MAX = 1 << 30 };

struct capturing_request {
	struct abi_capture record; /* limit: packets in all; type, op, token and n_insns are the callee's */
	struct program program;	   /* n 0: no expression */
};

struct capturing *capturing_new(struct node *node); /* NULL: no memory */
void capturing_free(struct capturing *capturing);   /* NULL is fine. No call is kept any more. */

/* Keeps the call, and answers it at the end. -EBUSY: one runs; -ENOTCONN: there is no dataplane. */
MUST_CHECK int capturing_start(struct capturing *capturing, struct control_call *call,
			       const struct capturing_request *request);
/* Ends the capture of the call's client; what was copied so far is still told. False: it has none. */
bool capturing_stop(struct capturing *capturing, const struct control_call *call);

/* The client of a kept call has gone; others' calls are none of its affairs. */
void capturing_gone(struct capturing *capturing, const struct control_call *call);
/* The dataplane has answered; it has gone, or hangs. */
void capturing_answered(struct capturing *capturing, const struct abi_captured *captured);
void capturing_lost(struct capturing *capturing);

#endif
