/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the connections that peers open: finds out whose they are, hands them to the peer's session, makes peers of
 * those who come from a range, and forgets them when they are gone. Whoever is not known is closed at once; what a
 * known address may open is limited; a turn takes so many. One thread.
 */
#ifndef CONTROLPLANE_LISTENER_H
#define CONTROLPLANE_LISTENER_H

#include "controlplane/config.h"
#include "controlplane/peering.h"

enum { LISTENER_SOCKETS = MODEL_LISTEN_MAX };

/* What came of a connection. */
#define LISTENER_RESULTS_EACH(X)                                                                                       \
	X(ACCEPTED, "accepted", "handed to the peer's session")                                                        \
	X(UNKNOWN, "unknown", "from no peer's address and no range")                                                   \
	X(LIMITED, "limited", "more of them than an address may open")                                                 \
	X(FAR, "far", "from further away than GTSM allows")                                                            \
	X(FULL, "full", "the range has as many peers as it may")                                                       \
	X(FAILED, "failed", "the kernel refused what protects it, or no memory")

enum listener_result {
#define X(name, word, text) LISTENER_##name,
	LISTENER_RESULTS_EACH(X)
#undef X
		LISTENER_RESULTS
};

struct listener;

struct listener *listener_new(struct event_base *base, struct peering *peering); /* NULL: no memory */
void listener_free(struct listener *listener);

/* Sockets and keys as the model has them. On failure *errors has the reason, and all is as before. */
MUST_CHECK int listener_apply(struct listener *listener, const char *file, const struct model *model,
			      struct config_errors *errors);
/* From now on connections are taken. Before, they wait in the kernel, as sessions are not started yet either. */
void listener_start(struct listener *listener);
void listener_tick(struct listener *listener, uint64_t now_ns); /* each second */

uint64_t listener_count(const struct listener *listener, enum listener_result result);
const char *listener_result_name(enum listener_result result);
const char *listener_result_text(enum listener_result result);
/* false: no such socket. */
bool listener_socket(const struct listener *listener, unsigned index, struct addr *addr, uint16_t *port);

#endif
