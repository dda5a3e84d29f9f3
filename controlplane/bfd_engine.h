/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BFD in a thread of its own, so that nothing the control plane does holds up a packet: sessions, their sockets and time.
 * The thread shares no memory with who owns it. Orders go to it and reports come back over a pair of connected sockets, each
 * a bounded queue: one that is full holds up the owner, never the thread, which then tells of a session's newest state
 * later. All calls are the owner's thread's.
 */
#ifndef CONTROLPLANE_BFD_ENGINE_H
#define CONTROLPLANE_BFD_ENGINE_H

#include "bgp/bfd_mux.h"

struct bfd_engine;

enum bfd_order_kind {
	BFD_WATCH,  /* a new session */
	BFD_CHANGE, /* other intervals or another multiplier */
	BFD_FORGET, /* the peer is told AdminDown */
};

struct bfd_order {
	enum bfd_order_kind kind;
	uint32_t id; /* the owner's name for the session: not 0, not used before */
	struct bfd_path path;	  /* BFD_WATCH */
	struct bfd_config config; /* BFD_WATCH, BFD_CHANGE */
};

/* Since the start, over all sessions. */
struct bfd_totals {
	uint64_t malformed;
	uint64_t unknown; /* packets of no session's peer */
	uint64_t too_far;
	uint64_t dropped; /* by the kernel: from too far away, or more than could be taken */
};

/* Each change of a session's state, and each second its figures. */
struct bfd_report {
	uint32_t id;
	struct bfd_status status;
	const char *trouble; /* what the system refuses, in words; NULL: nothing */
	int error;	     /* with errno's number */
	struct bfd_totals totals;
};

struct bfd_engine *bfd_engine_start(void); /* NULL: errno */
/*
 * Peers are told nothing: their BGP sessions have been told, and one that hears AdminDown before the Cease takes it for a
 * failure (BIRD 2.0 then waits for a minute). NULL is fine.
 */
void bfd_engine_stop(struct bfd_engine *engine);

MUST_CHECK int bfd_engine_order(struct bfd_engine *engine, const struct bfd_order *order); /* -errno */
int bfd_engine_fd(const struct bfd_engine *engine); /* readable: a report is there */
bool bfd_engine_report(struct bfd_engine *engine, struct bfd_report *out); /* false: none is there */

#endif
