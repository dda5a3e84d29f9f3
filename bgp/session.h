/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One BGP session with its TCP socket: the only file of bgp/ that knows sockets and clocks. It never blocks and never
 * allocates after bgp_session_new. One thread.
 *
 * The owner's loop waits on bgp_session_fd() for bgp_session_events() until bgp_session_deadline_ns(), then calls
 * bgp_session_run(); all three may have changed after any call on the session.
 */
#ifndef BGP_SESSION_H
#define BGP_SESSION_H

#include "bgp/bgp.h"

struct bgp_session;

struct bgp_session *bgp_session_new(const struct bgp_config *config); /* NULL: no memory */
void bgp_session_free(struct bgp_session *session);		      /* sends Cease when established, closes */

void bgp_session_start(struct bgp_session *session);
/* Cease/administrative shutdown (RFC 4486), then Idle until started again. Withdrawal is implied by the session's end. */
void bgp_session_stop(struct bgp_session *session);

/* The set of prefixes to announce, by difference: repeated calls with what is there already send nothing. They hold
 * whether or not the session is up, and are sent whenever it comes up. -ENOSPC: more than 65,536 prefixes. */
MUST_CHECK int bgp_session_announce(struct bgp_session *session, const struct prefix *prefix);
void bgp_session_withdraw(struct bgp_session *session, const struct prefix *prefix);

int bgp_session_fd(const struct bgp_session *session);		    /* -1: none */
short bgp_session_events(const struct bgp_session *session);	    /* POLLIN | POLLOUT */
uint64_t bgp_session_deadline_ns(const struct bgp_session *session); /* base/clock.h; UINT64_MAX: none */
void bgp_session_run(struct bgp_session *session, short revents);   /* revents 0: the deadline passed */

/* A listener's accepted socket from this peer (RFC 4271 6.8 decides which connection stays). Takes the descriptor over. */
void bgp_session_accept(struct bgp_session *session, int fd);

const struct bgp_config *bgp_session_config(const struct bgp_session *session);
struct bgp_status bgp_session_status(const struct bgp_session *session);

#endif
