/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All BMP collectors (RFC 7854, and RFC 8671 for what we send): each is told of every session from its Peer Up on. One
 * that connects later is caught up with: of each session that is up it hears Peer Up, the routes that we told the peer, and
 * then what the peer says anew, since it is asked to (RFC 2918): what peers say is kept nowhere. On the event loop's thread.
 */
#ifndef CONTROLPLANE_COLLECTORS_H
#define CONTROLPLANE_COLLECTORS_H

#include "controlplane/collector.h"
#include "controlplane/peering.h"
#include "controlplane/watched.h"

struct collectors;

/* The sessions are the caller's, who says what happens to them. NULL: no memory. */
struct collectors *collectors_new(struct event_base *base, struct peering *peering, const struct watch_list *sessions);
void collectors_free(struct collectors *collectors); /* NULL is fine */
/* Those whose configuration is unchanged are left alone. What finds no memory is left out and logged. */
void collectors_apply(struct collectors *collectors, const struct model *model);

/* The session is Established; or is no longer. */
void collectors_session_up(struct collectors *collectors, struct watched *session);
void collectors_session_down(struct collectors *collectors, struct watched *session);
/* A message of its, header included. */
void collectors_update(struct collectors *collectors, const struct watched *session, bool is_sent, const uint8_t *message,
		       size_t len);
/* What the peer has said so are no routes of its any more (RFC 7606 2), though its message, which they have, says otherwise. */
void collectors_withdraw(struct collectors *collectors, const struct watched *session, const struct bgp_update *update);
/* The peer has said all it has of a family. */
void collectors_end_of_rib(struct collectors *collectors, const struct watched *session, enum bgp_family family);

/* index below MODEL_COLLECTORS_MAX; NULL: there is none. */
const struct collector *collectors_at(const struct collectors *collectors, unsigned index);

#endif
