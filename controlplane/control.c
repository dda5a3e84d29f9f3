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

/* A client with so much of its answers unread is not listened to until it has taken them all. */
enum { OUTPUT_MAX = 1 << 20 };

struct client {
	struct control *control;
	struct bufferevent *stream;
	struct client *next;
	struct control_call *calls; /* kept */
	bool is_ending;		    /* asks nothing more: freed when its answers have gone out */
};

struct control_call {
	struct client *client;
	json_t *id; /* NULL: a notification, which has no answer (JSON-RPC 2.0, 4.1) */
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

/* Takes the reference to the id. */
static struct control_call *
call_new(struct client *client, json_t *id)
{
	struct control_call *call = calloc(1, sizeof(*call));

	if (!call) {
		json_decref(id);
		return NULL;
	}
	*call = (struct control_call){.client = client, .id = id, .next = client->calls};
	client->calls = call;
	return call;
}

/* Takes the reference to the answer. */
static void
answer(struct control_call *call, const char *member, json_t *value)
{
	json_t *reply = json_pack("{s:s, s:O?, s:o}", "jsonrpc", "2.0", "id", call->id, member,
				  value ? value : json_null());
	char *line = reply && call->id ? json_dumps(reply, JSON_COMPACT) : NULL;

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

/* The text may quote what is no UTF-8, or be cut within a character: JSON takes neither. */
static void
answer_error(struct control_call *call, struct control_error *error)
{
	json_t *text = json_string(error->text);

	for (char *c = error->text; !text && *c; c++) {
		if ((unsigned char)*c > 0x7e)
			*c = '?';
	}
	answer(call, "error", json_pack("{s:i, s:o}", "code", error->code, "message",
					text ? text : json_string(error->text)));
}

void
control_refuse(struct control_call *call, struct control_error *error)
{
	answer_error(call, error);
}

void
control_tell(struct control_call *call, const char *method, json_t *params)
{
	json_t *told = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params", params);
	char *line = told ? json_dumps(told, JSON_COMPACT) : NULL;

	if (line)
		evbuffer_add_printf(bufferevent_get_output(call->client->stream), "%s\n", line);
	free(line);
	json_decref(told);
}

bool
control_is_same_client(const struct control_call *a, const struct control_call *b)
{
	return a->client == b->client;
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
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const char *name = json_string_value(json_object_get(request, "method"));
	const json_t *params = json_object_get(request, "params");
	const struct control_method *method = method_lookup(control, name);

	if (!version || strcmp(version, "2.0") != 0 || !name)
		return control_fail(error, CONTROL_INVALID_REQUEST,
				    "a request is an object with jsonrpc \"2.0\", an id "
				    "that is a number or a string, and a method");
	if (params && !json_is_object(params))
		return control_fail(error, CONTROL_INVALID_PARAMS, "params is an object of named values");
	if (!method)
		return control_fail(error, CONTROL_NO_METHOD, "there is no method \"%.64s\"", name);
	return method->call(control->context, call, params, result, error);
}

/* JSON-RPC 2.0, 5: where the id can't be told, the answer's is null. */
static json_t *
id_of(const json_t *request)
{
	json_t *id = json_object_get(request, "id");

	if (json_is_object(request) && !id && json_is_string(json_object_get(request, "method")))
		return NULL;
	return json_is_string(id) || json_is_number(id) ? json_incref(id) : json_null();
}

static void
request(struct client *client, const char *line, size_t len)
{
	struct control_error error = {.code = CONTROL_INTERNAL, .text = "out of memory"};
	json_error_t where;
	json_t *parsed = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	struct control_call *call = call_new(client, id_of(parsed));
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
calls_drop(struct client *client)
{
	struct control *control = client->control;

	while (client->calls) {
		control->gone(control->context, client->calls);
		call_free(client->calls);
	}
}

static void
client_free(struct client *client)
{
	struct control *control = client->control;
	struct client **at = &control->clients;

	calls_drop(client);
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	control->n_clients--;
	bufferevent_free(client->stream);
	free(client);
}

static size_t
unread(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream));
}

/* What is told stays below what stops the client from being listened to: it may want to end it. */
size_t
control_room(const struct control_call *call)
{
	size_t waits = unread(call->client);

	return waits < OUTPUT_MAX / 2 ? OUTPUT_MAX / 2 - waits : 0;
}

/* Answers line after line for as long as the client takes the answers; on_write goes on. */
static void
lines_take(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	char *line = NULL;
	size_t len;

	while (unread(client) < OUTPUT_MAX && (line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF)) != NULL) {
		request(client, line, len);
		free(line);
	}
	if (unread(client) >= OUTPUT_MAX) {
		bufferevent_disable(client->stream, EV_READ);
	} else if (evbuffer_get_length(input) >= CONTROL_LINE_MAX) {
		log_warning("control socket: a request is longer than %d octets; client closed", CONTROL_LINE_MAX);
		client_free(client);
	}
}

static void
on_read(struct bufferevent *stream, void *context)
{
	(void)stream;
	lines_take(context);
}

/* All that was to be sent has gone. */
static void
on_write(struct bufferevent *stream, void *context)
{
	struct client *client = context;

	if (client->is_ending) {
		client_free(client);
		return;
	}
	bufferevent_enable(stream, EV_READ);
	lines_take(client);
}

/*
 * A client that ends its own direction still gets the answers that are due, but none that it would have to wait for:
 * whether it is still there to read one can't be told.
 */
static void
on_event(struct bufferevent *stream, short what, void *context)
{
	struct client *client = context;

	if ((what & BEV_EVENT_EOF) && !(what & BEV_EVENT_WRITING) && !client->is_ending && unread(client) > 0) {
		client->is_ending = true;
		calls_drop(client);
		bufferevent_disable(stream, EV_READ);
	} else if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
		client_free(client);
	}
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
	bufferevent_setcb(client->stream, on_read, on_write, on_event, client);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* The socket. */

/*
 * Only a socket is ever removed: connect() refuses any other file in the same words. It doesn't wait, for the other
 * side may hang with a full backlog (EAGAIN), and is there all the same.
 */
static int
remove_stale(const struct sockaddr_un *address)
{
	struct stat file;
	int fd, err = 0;

	if (lstat(address->sun_path, &file) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		err = unlink(address->sun_path) != 0 ? -errno : 0;
	else
		err = -errno;
	close(fd);
	return err;
}

static int
listen_on(const struct sockaddr_un *address)
{
	int err = remove_stale(address);
	mode_t mask;
	int fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0117);
	err = bind(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ? -errno : 0;
	umask(mask);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static const char *
hint(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return ": another control plane listens there";
	case -EEXIST:
		return ": it is no socket, and is left alone";
	case -ENOENT:
		return ": its directory is not there";
	default:
		return "";
	}
}

struct control *
control_new(struct event_base *base, const char *path, const struct control_method *methods, size_t n_methods,
	    void (*gone)(void *context, struct control_call *call), void *context)
{
	struct control *control = calloc(1, sizeof(*control));
	int fd = -ENAMETOOLONG;

	if (!control)
		return NULL;
	*control = (struct control){.base = base, .methods = methods, .n_methods = n_methods, .gone = gone,
				    .context = context, .address = {.sun_family = AF_UNIX}};
	if (strlen(path) < sizeof(control->address.sun_path)) {
		strcpy(control->address.sun_path, path);
		fd = listen_on(&control->address);
	}
	if (fd >= 0)
		control->listener = evconnlistener_new(base, on_accept, control,
						       LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
	if (!control->listener) {
		log_error("control socket %s: %s%s", path, strerror(fd < 0 ? -fd : ENOMEM), hint(fd));
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
