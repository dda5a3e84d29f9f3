/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection's BGP core without I/O (RFC 4271 8): octets, events and the time go in, octets and the wish for a
 * connection come out. The owner embeds the struct, moves octets between it and a socket, and calls fsm_tick() when
 * fsm_deadline_ns() has passed. It allocates nothing. One thread.
 */
#ifndef BGP_FSM_H
#define BGP_FSM_H

#include "bgp/open.h"
#include "bgp/rib_out.h"
#include "bgp/update.h"

enum { FSM_OUT_MAX = 4 * BGP_MESSAGE_MAX };

/* What the core wants of its connection. */
enum fsm_link {
	FSM_LINK_NONE,	  /* none; close what there is, after the output is flushed as far as it goes */
	FSM_LINK_WANTED, /* connect, then fsm_connected() or fsm_lost() */
	FSM_LINK_UP,
};

struct fsm {
	const struct bgp_config *config;
	struct rib_out *rib; /* used in Established only */
	struct bgp_status status;
	enum fsm_link link;
	bool running;	    /* started and not stopped */
	uint8_t penalty;    /* doublings of the idle time (RFC 4271 8.1.1 DampPeerOscillations) */
	uint64_t random;
	uint64_t retry_ns; /* deadlines; UINT64_MAX: not armed */
	uint64_t hold_ns;
	uint64_t keepalive_ns;
	struct addr local;
	struct bgp_open peer_open;
	struct bgp_route route[BGP_FAMILIES];
	bool family[BGP_FAMILIES]; /* both sides have it and there is a next hop */
	bool eor_due[BGP_FAMILIES];
	size_t flight; /* octets of the output up to the end of the last UPDATE with routes */
	size_t out_at;
	size_t out_len;
	uint8_t out[FSM_OUT_MAX]; /* what waits for the socket: from out_at, out_len octets */
};

void fsm_init(struct fsm *fsm, const struct bgp_config *config, struct rib_out *rib, uint64_t seed);
void fsm_start(struct fsm *fsm, uint64_t now_ns);
void fsm_stop(struct fsm *fsm, uint64_t now_ns, const struct bgp_error *cease);
/* The second connection with a peer (RFC 4271 6.8) begins like one whose connect has just succeeded. */
void fsm_start_accepted(struct fsm *fsm, uint64_t now_ns);
/*
 * The peer connects: may it? Not in Idle (RFC 4271 8.2.2), but for the wait after a single failure, which ends then: a
 * peer that has just restarted is ready before we try again. After failures in a row the wait protects both sides.
 */
MUST_CHECK bool fsm_awaken(struct fsm *fsm, uint64_t now_ns);
void fsm_connected(struct fsm *fsm, uint64_t now_ns, const struct addr *local);
void fsm_lost(struct fsm *fsm, uint64_t now_ns);     /* refused, reset, closed or timed out */
void fsm_collision(struct fsm *fsm, uint64_t now_ns); /* this connection is the one to go */
/* Takes whole messages off the front; the number of octets used. Less than len: more is needed, or the link is down. */
size_t fsm_input(struct fsm *fsm, uint64_t now_ns, const uint8_t *octets, size_t len);
void fsm_refresh(struct fsm *fsm, enum bgp_family family); /* asks the peer, in Established (RFC 2918) */
void fsm_fill(struct fsm *fsm); /* after a change of the rib, or when output was taken */
void fsm_taken(struct fsm *fsm, size_t len);
void fsm_tick(struct fsm *fsm, uint64_t now_ns);
uint64_t fsm_deadline_ns(const struct fsm *fsm);
/* RFC 4271 6.8, RFC 6286 2.3: does the connection that we opened stay, rather than the peer's? */
bool fsm_ours_stays(const struct bgp_config *config, const struct bgp_open *peer_open);

#endif
