/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to the dataplane: dials again and again, takes over rings and counters, watches the heart. What goes
 * through the rings is publish's affair, the only caller. One object, used from its event loop's thread.
 */
#ifndef CONTROLPLANE_CONNECTION_H
#define CONTROLPLANE_CONNECTION_H

#include "abi/region.h"

struct event_base;
struct connection;

/* All must be set. Each may call every function here but connection_free. */
struct connection_events {
	void (*up)(void *context, uint64_t generation); /* that the dataplane serves; rings and counters are there */
	void (*down)(void *context, bool was_alive);	/* the counters are still mapped; they go when this returns */
	void (*alive)(void *context, bool is_alive);	/* its heart stands still, or beats again */
	void (*look)(void *context); /* the dataplane rang, somebody asked, or half a second has passed: see to the rings */
};

MUST_CHECK int connection_new(struct event_base *base, const char *socket_path, const struct connection_events *events,
			      void *context, struct connection **out);
void connection_free(struct connection *connection); /* NULL is fine; no callback */

bool connection_is_up(const struct connection *connection);
bool connection_is_alive(const struct connection *connection); /* up, and its heart beats */
/* While up, and within `down`. */
struct region_rings *connection_rings(struct connection *connection);
struct region_captures *connection_captures(struct connection *connection);
const struct region_counters *connection_counters(const struct connection *connection);

/* Has the loop's next round call `look`; nothing while it isn't up. */
void connection_look(struct connection *connection);
/* Tells the dataplane that the command ring holds something. */
void connection_ring(const struct connection *connection);
/* Hangs up, and dials again a little later. `why` is for the log. */
void connection_drop(struct connection *connection, const char *why);

#endif
