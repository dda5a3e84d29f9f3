/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer tells us over an Established session, on its way to the owner: families that were not negotiated, or that
 * an error disabled (RFC 7606 2), are taken out of it, and its routes counted against max_prefixes. Nothing is kept. One
 * thread.
 */
#ifndef BGP_ARRIVALS_H
#define BGP_ARRIVALS_H

#include "bgp/events.h"
#include "bgp/tally.h"
#include "bgp/update.h"

struct arrivals {
	const struct bgp_config *config;
	struct bgp_status *status;
	const struct bgp_session_events *events; /* NULL: nobody listens */
	void *context;
	struct tally *tally; /* NULL: no limit */
	bool disabled[BGP_FAMILIES];
};

void arrivals_clear(struct arrivals *a); /* the session ended */
/* For an UPDATE that is no reason for a reset. The error's code is 0, or Cease/1 when there are too many routes (RFC 4486 4). */
struct bgp_error arrivals_update(struct arrivals *a, struct bgp_update *update);
void arrivals_refresh(struct arrivals *a, const struct bgp_refresh *refresh); /* BoRR and EoRR (RFC 7313) */

#endif
