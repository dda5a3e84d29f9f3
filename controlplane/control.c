/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

struct client {
	struct control *control;
	struct bufferevent *stream;
	struct client *next;
	struct control_call *calls; /* kept */
};

struct control_call {
	struct client *client;
	json_t *id;
	struct control_call *next;
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	struct sockaddr_un address;
	const struct control_method *methods;
	size_t n_methods;
	void (*gone)(void *context, struct control_call *call);
	void *context;
	struct client *clients;
	unsigned n_clients;
};

int
control_fail(struct control_error *error, enum control_code code, const char *format, ...)
{
	va_list args;

	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

/* Calls. */

static void
call_free(struct control_call *call)
{
	struct control_call **at = &call->client->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	json_decref(call->id);
	free(call);
}

static struct control_call *
call_new(struct client *client, const json_t *id)
{
	struct control_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->client = client;
	call->id = id ? json_deep_copy(id) : json_null();
	call->next = client->calls;
	client->calls = call;
	return call;
}

/* Takes the reference to the answer. */
static void
answer(struct control_call *call, const char *member, json_t *value)
{
	json_t *reply = json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", call->id, member, value ? value : json_null());
	char *line = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

	if (line) {
		evbuffer_add_printf(bufferevent_get_output(call->client->stream), "%s\n", line);
		free(line);
	}
	json_decref(reply);
	call_free(call);
}

void
control_reply(struct control_call *call, json_t *result)
{
	answer(call, "result", result);
}

static void
answer_error(struct control_call *call, const struct control_error *error)
{
	answer(call, "error", json_pack("{s:i, s:s}", "code", error->code, "message", error->text));
}

/* Requests. */

static const struct control_method *
method_lookup(const struct control *control, const char *name)
{
	for (size_t i = 0; name && i < control->n_methods; i++) {
		if (strcmp(control->methods[i].name, name) == 0)
			return &control->methods[i];
	}
	return NULL;
}

static int
dispatch(struct control_call *call, const json_t *request, json_t **result, struct control_error *error)
{
	const struct control *control = call->client->control;
	const char *name = json_string_value(json_object_get(request, "method"));
	const json_t *params = json_object_get(request, "params");
	const struct control_method *method = method_lookup(control, name);

	if (!json_is_object(request) || !name)
		return control_fail(error, CONTROL_INVALID_REQUEST, "a request is an object with a method");
	if (params && !json_is_object(params))
		return control_fail(error, CONTROL_INVALID_PARAMS, "params is an object of named values");
	if (!method)
		return control_fail(error, CONTROL_NO_METHOD, "there is no method \"%.64s\"", name);
	return method->call(control->context, call, params, result, error);
}

static void
request(struct client *client, const char *line, size_t len)
{
	struct control_error error = {.code = CONTROL_INTERNAL, .text = "out of memory"};
	json_error_t where;
	json_t *parsed = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
	struct control_call *call = call_new(client, json_object_get(parsed, "id"));
	json_t *result = NULL;
	int done = -1;

	if (call && !parsed)
		control_fail(&error, CONTROL_PARSE_ERROR, "not JSON at octet %d: %s", where.position, where.text);
	else if (call)
		done = dispatch(call, parsed, &result, &error);
	if (call && done == 0)
		control_reply(call, result);
	else if (call && done < 0)
		answer_error(call, &error);
	json_decref(parsed);
}

/* Clients. */

static void
client_free(struct client *client)
{
	struct control *control = client->control;
	struct client **at = &control->clients;

	while (client->calls) {
		control->gone(control->context, client->calls);
		call_free(client->calls);
	}
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	control->n_clients--;
	bufferevent_free(client->stream);
	free(client);
}

static void
on_read(struct bufferevent *stream, void *context)
{
	struct client *client = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	size_t len;
	char *line;

	while ((line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF)) != NULL) {
		request(client, line, len);
		free(line);
	}
	if (evbuffer_get_length(input) >= CONTROL_LINE_MAX) {
		log_warning("control socket: a request is longer than %d octets; client closed", CONTROL_LINE_MAX);
		client_free(client);
	}
}

static void
on_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		client_free(context);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int len, void *context)
{
	static const struct timeval write_timeout = {.tv_sec = 10};
	struct control *control = context;
	struct client *client = control->n_clients < CONTROL_CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;

	(void)listener;
	(void)peer;
	(void)len;
	if (!client) {
		log_warning("control socket: %u clients already; one more is closed", control->n_clients);
		close(fd);
		return;
	}
	client->stream = bufferevent_socket_new(control->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream) {
		close(fd);
		free(client);
		return;
	}
	client->control = control;
	client->next = control->clients;
	control->clients = client;
	control->n_clients++;
	bufferevent_setwatermark(client->stream, EV_READ, 0, CONTROL_LINE_MAX);
	bufferevent_set_timeouts(client->stream, NULL, &write_timeout);
	bufferevent_setcb(client->stream, on_read, NULL, on_event, client);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* The socket. */

static int
remove_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
	return err;
}

static int
listen_on(const struct sockaddr_un *address)
{
	int err = remove_stale(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;

	if (fd < 0)
		return -errno;
	if (!err) {
		mask = umask(0117);
		err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ? -errno : 0;
		umask(mask);
	}
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

struct control *
control_new(struct event_base *base, const char *path, const struct control_method *methods, size_t n_methods,
	    void (*gone)(void *context, struct control_call *call), void *context)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd;

	if (!control)
		return NULL;
	*control = (struct control){.base = base, .methods = methods, .n_methods = n_methods, .gone = gone, .context = context};
	control->address.sun_family = AF_UNIX;
	snprintf(control->address.sun_path, sizeof(control->address.sun_path), "%s", path);
	fd = listen_on(&control->address);
	if (fd >= 0)
		control->listener = evconnlistener_new(base, on_accept, control, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						       16, fd);
	if (fd < 0 || !control->listener) {
		log_error("control socket %s: %s%s", path, strerror(fd < 0 ? -fd : ENOMEM),
			  fd == -EADDRINUSE ? ": another control plane listens there" : "");
		if (fd >= 0)
			close(fd);
		free(control);
		return NULL;
	}
	return control;
}

void
control_free(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		client_free(control->clients);
	evconnlistener_free(control->listener);
	unlink(control->address.sun_path);
	free(control);
}
