/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages that wait for a connection's socket, as octets. Whole messages are put in; the socket takes what it can.
 * One thread.
 */
#ifndef BGP_OUTPUT_H
#define BGP_OUTPUT_H

#include "bgp/codec.h"
#include "bgp/events.h"

enum {
	OUTPUT_MAX = 2 * 65536,
	/* Room that UPDATEs leave for messages that can't wait: NOTIFICATION, KEEPALIVE, ROUTE-REFRESH. */
	OUTPUT_RESERVE = 1024,
};

struct output {
	const struct bgp_session_events *events; /* NULL: nobody listens */
	void *context;
	uint64_t *counts; /* of messages, by type */
	uint64_t taken;	  /* octets that the transport ever took */
	size_t at;
	size_t len;    /* octets that wait, from at */
	size_t flight; /* of them, up to the end of the last message with routes; 0: no route is in flight */
	uint8_t octets[OUTPUT_MAX];
};

void output_clear(struct output *out);
/* Where the next message may be written, and how long it may be; then output_put() with its length. */
uint8_t *output_room(struct output *out, size_t *room);
void output_put(struct output *out, size_t len);
/* A message made elsewhere. One that has no room is dropped: the send hold timer is running out then. */
void output_message(struct output *out, const uint8_t *message, size_t len);
void output_taken(struct output *out, size_t len);

#endif
