/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection's BGP core without I/O (RFC 4271 8): octets, events and the time go in, octets and the wish for a
 * connection come out. The owner embeds the struct, moves octets between it and a socket, and calls fsm_tick() when
 * fsm_deadline_ns() has passed. It allocates nothing. One thread.
 */
#ifndef BGP_FSM_H
#define BGP_FSM_H

#include "bgp/advertise.h"
#include "bgp/arrivals.h"

/* What the core wants of its connection. */
enum fsm_link {
	FSM_LINK_NONE,	 /* none; close what there is, after the output is flushed as far as it goes */
	FSM_LINK_WANTED, /* connect, then fsm_connected() or fsm_lost() */
	FSM_LINK_UP,
};

/* RFC 4271 8.1.3 and 10, RFC 9687. */
enum fsm_timer {
	FSM_CONNECT_RETRY,
	FSM_HOLD,
	FSM_KEEPALIVE,
	FSM_DELAY_OPEN,
	FSM_IDLE_HOLD,
	FSM_SEND_HOLD,
	FSM_TIMERS,
};

struct fsm {
	const struct bgp_config *config;
	struct bgp_status status;
	enum fsm_link link;
	bool running;	 /* started and not stopped */
	uint8_t penalty; /* doublings of the idle time (RFC 4271 8.1.1 DampPeerOscillations) */
	uint64_t random;
	uint64_t due_ns[FSM_TIMERS]; /* UINT64_MAX: not armed */
	uint64_t acked;		     /* octets that the peer is known to have taken */
	struct addr local;
	struct bgp_open peer_open; /* from OpenConfirm on */
	struct advertise advertise;
	struct arrivals arrivals;
	struct output out; /* what waits for the socket */
};

/* What the two cores of a session share; all outlive them. The rib and the tally are used in Established only. */
struct fsm_shared {
	const struct bgp_config *config;
	struct rib_out *rib;
	struct tally *tally; /* of config->max_prefixes; NULL: no limit */
};

/* Nothing in it may move afterwards: its parts point to each other. */
void fsm_init(struct fsm *fsm, const struct fsm_shared *shared, uint64_t seed);
void fsm_listen(struct fsm *fsm, const struct bgp_session_events *events, void *context); /* NULL: nobody */
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
/*
 * Takes whole messages off the front, *budget at most, which falls by as many; the number of octets used. Less than len
 * with budget left: more octets are needed, or the link is down. The message that establishes the session uses the budget
 * up, so that the owner hears of that first.
 */
size_t fsm_input(struct fsm *fsm, uint64_t now_ns, const uint8_t *octets, size_t len, unsigned *budget);
void fsm_refresh(struct fsm *fsm, enum bgp_family family); /* asks the peer, in Established (RFC 2918) */
void fsm_fill(struct fsm *fsm); /* after a change of the rib, or when output was taken */
void fsm_taken(struct fsm *fsm, size_t len); /* the transport has these octets */
/* How many of them the peer has not acknowledged: what waits while nothing moves lets the send hold timer run out. */
void fsm_unacknowledged(struct fsm *fsm, uint64_t now_ns, size_t len);
void fsm_tick(struct fsm *fsm, uint64_t now_ns);
uint64_t fsm_deadline_ns(const struct fsm *fsm);

#endif
