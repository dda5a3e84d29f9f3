/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sessions that are watched, each with what a collector has to be told of it later: the OPENs and the NOTIFICATION
 * that went over it. A table by the session's address. One thread.
 */
#ifndef CONTROLPLANE_WATCHED_H
#define CONTROLPLANE_WATCHED_H

#include "bgp/session.h"

/* A message of BGP that is kept; octets NULL: none is. */
struct kept {
	uint8_t *octets;
	size_t len;
};

struct watched {
	const struct bgp_session *session;
	bool is_up;	    /* Established */
	bool has_missed;    /* UPDATEs have gone by before that was known */
	uint32_t told;	    /* a bit for each collector that knows that it is up */
	uint32_t errors;    /* the status's, when it came up */
	uint32_t withdrawn; /* UPDATEs that were taken as withdrawals (RFC 7606 2) */
	struct kept sent_open;
	struct kept received_open;
	struct kept notification; /* if that was the last message */
	bool notified_by_us;
};

struct watch_list {
	struct watched **list; /* by the session's address */
	unsigned n;
};

/* NULL: no memory. */
struct watched *watch_list_add(struct watch_list *list, const struct bgp_session *session);
struct watched *watch_list_find(const struct watch_list *list, const struct bgp_session *session); /* NULL: there is none */
void watch_list_remove(struct watch_list *list, const struct bgp_session *session);
void watch_list_fini(struct watch_list *list);

/* A message of the session, header included; when memory is out, what should be kept of it isn't. */
void watched_note(struct watched *watched, bool is_sent, const uint8_t *message, size_t len);

static inline uint8_t
watched_type(const uint8_t *message)
{
	return message[18]; /* RFC 4271 4.1 */
}

#endif
