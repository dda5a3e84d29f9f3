/* SPDX-License-Identifier: BSD-2-Clause */
/* One JSON-RPC call over the control socket, blocking. */
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

/* params: a new reference or NULL; it is taken over. */
enum client_outcome client_call(int fd, const char *method, json_t *params, json_t **answer, char *text, size_t size);

#endif
