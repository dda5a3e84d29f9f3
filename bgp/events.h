/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the owner of a session hears of, from within the calls that it makes; each may be NULL. They may announce, withdraw
 * and ask for a refresh, but not start, stop or free the session. What a peer tells us is kept nowhere in the session: who
 * imports it does so from `update`.
 */
#ifndef BGP_EVENTS_H
#define BGP_EVENTS_H

#include "bgp/bgp.h"

struct bgp_update; /* bgp/update.h: a view into the message, good for the call */

struct bgp_session_events {
	void (*state)(void *context, enum bgp_state old, enum bgp_state now); /* the status has the new one */
	/* An UPDATE that the session outlives; its outcome says what may be used (RFC 7606 2). Families that were not
	 * negotiated, or that are disabled, are taken out of it. */
	void (*update)(void *context, const struct bgp_update *update);
	void (*end_of_rib)(void *context, enum bgp_family family);
	/* RFC 7313: the peer begins to send a family again (what is not repeated is gone), or has done so. */
	void (*refresh)(void *context, enum bgp_family family, bool begins);
	/* A message of this family is beyond repair (RFC 7606 2): its routes are to be forgotten, and no more come. */
	void (*family_down)(void *context, enum bgp_family family);
	/* Every message whole, its header included, for BMP and MRT; one sent has just been put in line for the socket. */
	void (*message)(void *context, bool sent, const uint8_t *octets, size_t len);
};

#endif
