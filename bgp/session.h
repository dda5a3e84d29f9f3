/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One BGP session with its TCP socket: the only file of bgp/ that knows sockets and clocks. It never blocks, and
 * allocates after bgp_session_new for what the owner announces only. One thread.
 *
 * The owner's loop waits on bgp_session_fd() for bgp_session_events() until bgp_session_deadline_ns(), then calls
 * bgp_session_run(); all three may have changed after any call on the session.
 */
#ifndef BGP_SESSION_H
#define BGP_SESSION_H

#include "bgp/events.h"

struct bgp_session;

struct bgp_session *bgp_session_new(const struct bgp_config *config); /* NULL: no memory */
void bgp_session_free(struct bgp_session *session);		      /* sends Cease when established, closes */
/* NULL: nobody. */
void bgp_session_listen(struct bgp_session *session, const struct bgp_session_events *events, void *context);

void bgp_session_start(struct bgp_session *session);
/* Cease with this subcode (RFC 4486) and text (RFC 9003; NULL or up to BGP_TEXT_MAX octets), then Idle until started
 * again. Withdrawal is implied by the session's end. */
void bgp_session_stop(struct bgp_session *session, uint8_t subcode, const char *text);
/* The path to the peer is down: Cease at once (RFC 9384) and Idle; up: goes on. */
void bgp_session_bfd(struct bgp_session *session, bool up);

/*
 * The routes to announce, by difference: repeated calls with what is there already send nothing, another path replaces.
 * They hold whether or not the session is up, and are sent whenever it comes up. -ENOSPC: more than 65,536 routes.
 */
MUST_CHECK int bgp_session_announce(struct bgp_session *session, const struct prefix *prefix, const struct path *path);
void bgp_session_withdraw(struct bgp_session *session, const struct prefix *prefix);
/* The same of a FlowSpec rule by the octets of its NLRI, as on the wire (RFC 8955 4). */
MUST_CHECK int bgp_session_announce_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets,
					 size_t len, const struct path *path);
void bgp_session_withdraw_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets, size_t len);
/* Every route, in no order, until the function says false; gives how many there are. */
size_t bgp_session_routes(const struct bgp_session *session, bgp_route_visit *visit, void *context);

/* Asks the peer for all it has of a family (RFC 2918). -ENOTCONN: not established; -EOPNOTSUPP: it can't. */
MUST_CHECK int bgp_session_refresh(struct bgp_session *session, enum bgp_family family);

int bgp_session_fd(const struct bgp_session *session);		    /* -1: none */
short bgp_session_events(const struct bgp_session *session);	    /* POLLIN | POLLOUT */
uint64_t bgp_session_deadline_ns(const struct bgp_session *session); /* base/clock.h; UINT64_MAX: none */
void bgp_session_run(struct bgp_session *session, short revents);   /* revents 0: the deadline passed */

/* A listener's accepted socket from this peer (RFC 4271 6.8 decides which connection stays). Takes the descriptor over. */
void bgp_session_accept(struct bgp_session *session, int fd);

const struct bgp_config *bgp_session_config(const struct bgp_session *session);
struct bgp_status bgp_session_status(const struct bgp_session *session);

#endif
