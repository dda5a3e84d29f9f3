/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BGP sessions of the node on the event loop: owns them, and tells each the same set of prefixes. The node dials; it
 * doesn't listen. One thread.
 */
#ifndef CONTROLPLANE_PEERING_H
#define CONTROLPLANE_PEERING_H

#include <event2/event.h>

#include "bgp/session.h"
#include "controlplane/model.h"

struct peering;

struct peering *peering_new(struct event_base *base);
/* Ends every session with Cease (a peer that keeps routes over a lost session lets them go). */
void peering_free(struct peering *peering);

/* Sessions whose configuration is unchanged are left alone; others are stopped, new ones started. */
MUST_CHECK int peering_apply(struct peering *peering, const struct model *model);

/*
 * From now on sessions are started. Not before it is known what to announce: a peer that kept our routes over a restart
 * of ours (RFC 4724) drops at our End-of-RIB what we have not announced by then.
 */
void peering_start(struct peering *peering);

/* The whole set that is to be announced, sorted by prefix_compare; what is there already causes no message. */
void peering_announce(struct peering *peering, const struct prefix *prefixes, unsigned n);

unsigned peering_count(const struct peering *peering);
const struct bgp_session *peering_session(const struct peering *peering, unsigned index);

#endif
