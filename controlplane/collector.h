/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to one BMP collector: dials, dials again with back-off (RFC 7854 3.2), and holds what waits for the
 * socket, COLLECTOR_QUEUE_MAX octets at most. A collector that doesn't keep up, or takes nothing for COLLECTOR_STALL_S,
 * is dropped and dialled again: a stream with a gap would tell it lies. On the event loop's thread.
 */
#ifndef CONTROLPLANE_COLLECTOR_H
#define CONTROLPLANE_COLLECTOR_H

#include "controlplane/model.h"

struct event_base;
struct collector;

enum {
	COLLECTOR_QUEUE_MAX = 16 << 20,
	COLLECTOR_QUEUE_LOW = 1 << 20, /* one peer's routes, told in one go, find room above it */
	COLLECTOR_STALL_S = 30,
	COLLECTOR_RETRY_MIN_S = 1,
	COLLECTOR_RETRY_MAX_S = 720,
	COLLECTOR_STEADY_S = 300, /* a connection that held for so long starts the back-off anew */
};

struct collector_events {
	void (*connected)(void *context, struct collector *collector); /* nothing was told over this connection yet */
	void (*drained)(void *context, struct collector *collector);   /* the queue is down to COLLECTOR_QUEUE_LOW */
};

struct collector_status {
	bool is_connected;
	uint64_t since_ns; /* of that, either way */
	size_t queue;	   /* octets */
	uint64_t messages; /* that were put in the queue, over all connections */
	uint64_t octets;
	uint32_t drops;	 /* connections that ended, with what was in the queue */
	char error[64]; /* of the last of them or of the last try; "": all is well */
};

/* Dials at once. NULL: no memory. */
struct collector *collector_new(struct event_base *base, const struct model_collector *config,
				const struct collector_events *events, void *context);
/* What waits, and this last message behind it, goes out as far as the socket takes it at once. NULL is fine. */
void collector_free(struct collector *collector, const uint8_t *last, size_t len);

/* A whole message; one that finds no room drops the connection. Passed over while there is none. */
void collector_push(struct collector *collector, const uint8_t *message, size_t len);
bool collector_is_connected(const struct collector *collector);
bool collector_is_ready(const struct collector *collector); /* connected, with COLLECTOR_QUEUE_LOW or less in its queue */

const struct model_collector *collector_config(const struct collector *collector);
struct collector_status collector_status(const struct collector *collector);

#endif
