/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What BGP peers ask the guard for: owns a rib_in of each peer that something is taken from, and makes filters of all of
 * them together. Nothing of it outlives the process. The sessions' owner passes on what they hear; peers are known by
 * name. One event loop, one thread.
 */
#ifndef CONTROLPLANE_IMPORTS_H
#define CONTROLPLANE_IMPORTS_H

#include <event2/event.h>

#include "bgp/rib_in.h"
#include "controlplane/filters.h"

struct imports;

/* What has come of a peer's entries. */
struct imports_tally {
	unsigned used;	  /* filters are made of them */
	unsigned refused; /* by validation, or by the operator's filter */
	unsigned held;	  /* there is no room, or another peer says the same */
	uint64_t over;	  /* refused for want of room since the session came up, and not kept */
};

/* All come from the event loop, a moment after what they tell of, and once for all changes of that moment. */
struct imports_events {
	void (*changed)(void *context); /* imports_fill() has something else to say */
	void (*tallied)(void *context, const char *peer, const struct imports_tally *now); /* after it; others than before */
	/* Half of a lifetime is over, or there is room for what was refused: the peer is to be asked for all it has. */
	void (*refresh)(void *context, const char *peer, enum bgp_family family);
	void *context;
};

struct imports *imports_new(struct event_base *base, const struct imports_events *events); /* NULL: no memory */
void imports_free(struct imports *imports);						    /* NULL is fine */

/* Limits and VIPs. Under other limits than before, peers are asked to tell all again. -ENOMEM: some tell nothing now. */
MUST_CHECK int imports_apply(struct imports *imports, const struct model *model);

/* A session has been made, or goes. */
void imports_join(struct imports *imports, const struct bgp_config *config);
void imports_leave(struct imports *imports, const char *peer);
/* As struct bgp_session_events has them. Of peers that nothing is taken from they are passed over. */
void imports_update(struct imports *imports, const char *peer, const struct bgp_update *update);
void imports_end_of_rib(struct imports *imports, const char *peer, enum bgp_family family);
void imports_refresh(struct imports *imports, const char *peer, enum bgp_family family, bool begins);
void imports_family_down(struct imports *imports, const char *peer, enum bgp_family family);
/* The session came up, or was lost; restarts: what is kept then (rib_in_up, rib_in_lost), NULL: nothing. */
void imports_state(struct imports *imports, const char *peer, bool is_up,
		   const struct rib_in_restart restarts[BGP_FAMILIES]);

/* The filters of all that is used, in the order of RFC 8955 5.1, blackholes first; at most MODEL_IMPORTED_MAX. */
void imports_fill(struct imports *imports, struct filters *filters);

unsigned imports_count(const struct imports *imports);
const char *imports_peer(const struct imports *imports, unsigned index);
const struct rib_in *imports_rib(const struct imports *imports, unsigned index);
struct imports_tally imports_tally(const struct imports *imports, unsigned index);
uint64_t imports_key(const struct rib_in_entry *entry); /* that its filter has */

#endif
