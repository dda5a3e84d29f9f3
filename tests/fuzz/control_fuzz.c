/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/control.c base/?*.c */
/* packages: libevent jansson */
/*
 * Any octets as a client of the control socket, in two pieces: every line but a notification has one answer, that is
 * JSON and has an id.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWERS_MAX = 1 << 20 };

static int
call_echo(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));

	(void)context;
	(void)call;
	if (name)
		return control_fail(error, CONTROL_INVALID_PARAMS, "there is no %.9s", name);
	*result = params ? json_deep_copy(params) : json_null();
	return 0;
}

static int
call_keep(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	(void)context;
	(void)call;
	(void)params;
	(void)result;
	(void)error;
	return CONTROL_LATER;
}

static const struct control_method methods[] = {{"echo", call_echo}, {"keep", call_keep}};

static void
on_gone(void *context, struct control_call *call)
{
	(void)context;
	(void)call;
}

static void
check_answers(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_t *answer = json_loads(line, 0, NULL);

		if (!json_object_get(answer, "id") ||
		    !json_object_get(answer, "result") == !json_object_get(answer, "error") ||
		    json_is_null(json_object_get(answer, "error")))
			abort();
		json_decref(answer);
	}
}

static void
converse(struct event_base *base, int fd, const uint8_t *data, size_t size)
{
	static char answers[ANSWERS_MAX];
	const size_t half = size / 2;
	size_t len = 0;
	ssize_t n;

	(void)!send(fd, data, half, MSG_NOSIGNAL);
	event_base_loop(base, EVLOOP_NONBLOCK);
	(void)!send(fd, data + half, size - half, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < 8; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		while (len < sizeof(answers) - 1 && (n = recv(fd, answers + len, sizeof(answers) - 1 - len, 0)) > 0)
			len += (size_t)n;
	}
	answers[len] = '\0';
	/* The last line may be cut here. */
	if (len < sizeof(answers) - 1)
		check_answers(answers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	static struct control *control;
	static struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (!base) {
		log_init("control_fuzz", LOG_ERROR);
		base = event_base_new();
		snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/control-fuzz-%d", (int)getpid());
		control = control_new(base, address.sun_path, methods, ARRAY_LEN(methods), on_gone, NULL);
		if (!control)
			abort();
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		abort();
	converse(base, fd, data, size);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	return 0;
}
