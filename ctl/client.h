/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON-RPC over the control socket, blocking: one call, or its parts for what takes longer. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>

#include "base/types.h"

/* The descriptor, or -errno. patience_s: how long an answer may take. */
MUST_CHECK int client_open(const char *path, double patience_s);

enum client_outcome {
	CLIENT_OK,	/* *answer is the result (a new reference) */
	CLIENT_REFUSED, /* text says why */
	CLIENT_LOST,	/* the control plane went away, or spoke nonsense; text says which */
};

/* A request, whose id is 1, and a notification of no parameters. 0 or -errno. params: as in client_call. */
MUST_CHECK int client_send(int fd, const char *method, json_t *params);
MUST_CHECK int client_tell(int fd, const char *method);
/* What a message of the other side's says, which isn't taken over; NULL: it was none. As client_call. */
enum client_outcome client_judge(const json_t *reply, json_t **answer, char *text, size_t size);

/* params: a new reference or NULL; it is taken over. */
enum client_outcome client_call(int fd, const char *method, json_t *params, json_t **answer, char *text, size_t size);

#endif
