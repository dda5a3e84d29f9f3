/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the dataplane at the wanted image: connects (again and again), sends one transaction at a time, whole at first
 * and then what differs, and says what is served. The newest wanted image supersedes those that wait. One object, used
 * from its event loop's thread; callbacks come from the loop.
 */
#ifndef CONTROLPLANE_PUBLISH_H
#define CONTROLPLANE_PUBLISH_H

#include "abi/region.h"
#include "controlplane/compile.h"

struct event_base;
struct publish;

/* Each may call publish_want and the readers, not publish_free. All must be set. */
struct publish_events {
	void (*connected)(void *context); /* ports and counters can be read; what is wanted is sent next */
	void (*served)(void *context, uint64_t generation, const struct compiled *image); /* by all workers */
	/* also as a full transaction, and nothing newer is wanted; it is sent again some seconds later */
	void (*rejected)(void *context, const struct abi_nak *nak);
	void (*lost)(void *context); /* the dataplane has gone or hangs; nothing is known to be served */
	void (*port_changed)(void *context);
	void (*settled)(void *context, uint64_t generation);
	void (*attack)(void *context, const struct abi_attack *attack);
	void (*talker)(void *context, const struct abi_talker *talker);
	void (*captured)(void *context, const struct abi_captured *captured); /* a CAPTURE record is answered */
	void (*listed)(void *context, const struct abi_listed *listed); /* lists of prefixes are published, or why not */
};

MUST_CHECK int publish_new(struct event_base *base, const char *socket_path, const struct publish_events *events,
			   void *context, struct publish **out);
void publish_free(struct publish *publish); /* NULL is fine */

/* Takes ownership of the image. */
void publish_want(struct publish *publish, struct compiled *image);

/* A record that is no part of a transaction (LIST, CAPTURE and its parts), in the order of the calls. Without a
 * connection, or out of memory, it is lost: what isn't there can't be sent, and a new connection asks for all. */
void publish_beside(struct publish *publish, const union abi_record *record);

/* The rings of packets' copies, whose only reader the caller is; NULL as below. */
struct region_captures *publish_captures(const struct publish *publish);

/* For readers; NULL while there is no connection. Valid until the next callback `lost`. */
const struct region_counters *publish_counters(const struct publish *publish);
/* Copies at most max ports and returns their number; 0 without a connection. */
unsigned publish_ports(const struct publish *publish, struct abi_port *ports, unsigned max);
/* Served by all workers as far as is known; 0: none. */
uint64_t publish_generation(const struct publish *publish);
/* The newest wanted image is what the workers serve. */
bool publish_is_current(const struct publish *publish);
bool publish_is_connected(const struct publish *publish); /* and its heart beats */

#endif
