/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BGP sessions of the node on the event loop: owns them, keeps them to the configuration, and tells those who watch
 * what comes from them. What is announced is the caller's to say, for each peer (controlplane/routes.h). One thread.
 */
#ifndef CONTROLPLANE_PEERING_H
#define CONTROLPLANE_PEERING_H

#include <event2/event.h>

#include "bgp/session.h"
#include "bgp/tcp.h"
#include "controlplane/model.h"

enum { PEERING_WATCHERS_MAX = 8 };

struct peering;

/*
 * The events of all sessions (bgp/session.h), with the session in front. Each may be NULL. A watcher may announce and
 * withdraw, but not apply a configuration. The configuration that a session has names it: bgp_session_config().
 */
struct peering_watcher {
	/* A session has been made, and not started yet; is about to be freed. */
	void (*joined)(void *context, const struct bgp_session *session);
	void (*left)(void *context, const struct bgp_session *session);
	void (*state)(void *context, const struct bgp_session *session, enum bgp_state old, enum bgp_state now);
	void (*update)(void *context, const struct bgp_session *session, const struct bgp_update *update);
	void (*end_of_rib)(void *context, const struct bgp_session *session, enum bgp_family family);
	void (*refresh)(void *context, const struct bgp_session *session, enum bgp_family family, bool begins);
	void (*family_down)(void *context, const struct bgp_session *session, enum bgp_family family);
	void (*message)(void *context, const struct bgp_session *session, bool sent, const uint8_t *octets, size_t len);
};

/* may_start: false: this peer was shut down by the operator, and stays so. */
struct peering *peering_new(struct event_base *base, bool (*may_start)(void *context, const char *peer), void *context);
/* Ends what peering_end() has not. */
void peering_free(struct peering *peering);
/* -ENOSPC: PEERING_WATCHERS_MAX are there. The watcher must outlive the peering. Before the first peering_apply(). */
MUST_CHECK int peering_watch(struct peering *peering, const struct peering_watcher *watcher, void *context);

/*
 * Sessions whose configuration is unchanged are left alone; others are stopped, new ones started. Peers that were added
 * stay when their range is still there and says the same of their sessions.
 */
MUST_CHECK int peering_apply(struct peering *peering, const struct model *model);

/*
 * From now on sessions are started. Not before it is known what to announce: a peer that kept our routes over a restart
 * of ours (RFC 4724) drops at our End-of-RIB what we have not announced by then.
 */
void peering_start(struct peering *peering);
/* Withdraws everything, since a peer may keep routes over the Cease that follows (RFC 8538), and ends all sessions. */
void peering_end(struct peering *peering, const char *text);

bool peering_is_started(const struct peering *peering);

/* A peer that came by itself (controlplane/dynamic.h): its index, or -ENOMEM. */
MUST_CHECK int peering_add(struct peering *peering, const struct model_peer *policy);
void peering_remove(struct peering *peering, unsigned index, const char *text);
/* When it was last established, or was made. */
uint64_t peering_last_up_ns(const struct peering *peering, unsigned index);
/* A socket that the peer opened (bgp_session_accept). */
void peering_accept(struct peering *peering, unsigned index, int fd);

unsigned peering_count(const struct peering *peering);
const struct bgp_session *peering_session(const struct peering *peering, unsigned index);
const struct model_peer *peering_policy(const struct peering *peering, unsigned index);
bool peering_is_shut(const struct peering *peering, unsigned index); /* by peering_shut() */
int peering_lookup(const struct peering *peering, const char *name); /* an index; -ENOENT */
int peering_at(const struct peering *peering, const struct tcp_peer *who); /* the same, by where the peer is */

/*
 * As bgp/session.h has it. From within a watcher, what changes goes out with the loop's next round; from elsewhere,
 * peering_flush() after some of these has the session's socket take at once what it can.
 */
MUST_CHECK int peering_announce(struct peering *peering, unsigned index, const struct prefix *prefix,
				const struct path *path);
void peering_withdraw(struct peering *peering, unsigned index, const struct prefix *prefix);

struct peering_nlri { /* of a FlowSpec rule, as on the wire */
	enum bgp_family family;
	const uint8_t *octets;
	size_t len;
};
MUST_CHECK int peering_announce_nlri(struct peering *peering, unsigned index, const struct peering_nlri *nlri,
				     const struct path *path);
void peering_withdraw_nlri(struct peering *peering, unsigned index, const struct peering_nlri *nlri);
void peering_flush(struct peering *peering, unsigned index);

/* Cease/administrative shutdown with the text (NULL: none), then Idle until it is opened again. */
void peering_shut(struct peering *peering, unsigned index, const char *text);
void peering_open(struct peering *peering, unsigned index);
MUST_CHECK int peering_refresh(struct peering *peering, unsigned index, enum bgp_family family);
void peering_bfd(struct peering *peering, unsigned index, bool up);

#endif
