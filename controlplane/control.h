/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of the control socket (abi/control.h): lines in, one method call each, lines out. It knows no method but
 * those of the table that it is given. One thread, on the event loop.
 */
#ifndef CONTROLPLANE_CONTROL_H
#define CONTROLPLANE_CONTROL_H

#include <event2/event.h>
#include <jansson.h>

#include "abi/control.h"
#include "base/types.h"

struct control;
struct control_call; /* a request that waits for its answer */

struct control_error {
	enum control_code code;
	char text[1024];
};

/* A method's answer comes later, by control_reply. */
enum { CONTROL_LATER = 1 };

/*
 * 0: *result is the answer (a new reference). CONTROL_LATER: the method has kept `call`. Below 0: *error says why
 * (control_fail fills it in); a method that leaves it empty gives CONTROL_INTERNAL.
 */
struct control_method {
	const char *name;
	int (*call)(void *context, struct control_call *call, const json_t *params, json_t **result,
		    struct control_error *error);
};

/*
 * Mode 0660. A socket file that nobody listens on is replaced, any other file stays. gone: the client of a kept call
 * has left or ended its direction; the call must not be used any more. The method table must outlive the server. NULL:
 * can't listen, logged.
 */
struct control *control_new(struct event_base *base, const char *path, const struct control_method *methods,
			    size_t n_methods, void (*gone)(void *context, struct control_call *call), void *context);
void control_free(struct control *control); /* NULL is fine; kept calls are gone without a word */

/* Answers a kept call and ends it. Takes the reference. */
void control_reply(struct control_call *call, json_t *result);

/* Refuses a kept call and ends it. */
void control_refuse(struct control_call *call, struct control_error *error);

/* A notification to a kept call's client (JSON-RPC 2.0, 4.1). Takes the reference. */
void control_tell(struct control_call *call, const char *method, json_t *params);
/* Octets that its client may still be told without having to read first; 0: it is slow. */
size_t control_room(const struct control_call *call);
bool control_is_same_client(const struct control_call *a, const struct control_call *b);

/* Always -1. */
int control_fail(struct control_error *error, enum control_code code, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
