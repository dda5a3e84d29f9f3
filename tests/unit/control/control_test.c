/* SPDX-License-Identifier: BSD-2-Clause */
/* The server over a real socket: the event loop turns in this process, between what the clients send and read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/control.h"

enum { BIG = 300000 };

static struct {
	struct event_base *base;
	struct control *control;
	struct sockaddr_un address;
	char directory[32];
	struct control_call *kept;
	unsigned n_gone;
	unsigned n_calls;
	char reply[4 << 20];
} t;

static int
call_echo(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	(void)context;
	(void)call;
	(void)error;
	t.n_calls++;
	*result = json_pack("{s:O?}", "got", json_object_get(params, "value"));
	return 0;
}

static int
call_refuse(void *context, struct control_call *call, const json_t *params, json_t **result,
	    struct control_error *error)
{
	(void)context;
	(void)call;
	(void)params;
	(void)result;
	return control_fail(error, CONTROL_REFUSED, "not today: \xc3");
}

static int
call_keep(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	(void)context;
	(void)params;
	(void)result;
	(void)error;
	t.kept = call;
	return CONTROL_LATER;
}

static int
call_big(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	char *text = malloc(BIG + 1);

	(void)context;
	(void)call;
	(void)params;
	(void)error;
	cr_assert_not_null(text);
	memset(text, 'x', BIG);
	text[BIG] = '\0';
	t.n_calls++;
	*result = json_string(text);
	free(text);
	return 0;
}

static const struct control_method methods[] = {
	{"echo", call_echo}, {"refuse", call_refuse}, {"keep", call_keep}, {"big", call_big}};

static void
on_gone(void *context, struct control_call *call)
{
	(void)context;
	cr_expect_eq(call, t.kept);
	t.kept = NULL;
	t.n_gone++;
}

static void
open_directory(void)
{
	strcpy(t.directory, "/tmp/control-XXXXXX");
	cr_assert_not_null(mkdtemp(t.directory));
	t.address.sun_family = AF_UNIX;
	snprintf(t.address.sun_path, sizeof(t.address.sun_path), "%s/socket", t.directory);
	t.base = event_base_new();
}

static struct control *
start(void)
{
	return control_new(t.base, t.address.sun_path, methods, ARRAY_LEN(methods), on_gone, NULL);
}

static void
setup(void)
{
	open_directory();
	t.control = start();
	cr_assert_not_null(t.control);
}

static void
teardown(void)
{
	control_free(t.control);
	event_base_free(t.base);
	unlink(t.address.sun_path);
	rmdir(t.directory);
}

TestSuite(control, .init = setup, .fini = teardown, .timeout = 20);
TestSuite(control_path, .init = open_directory, .fini = teardown, .timeout = 20);

static void
turn(void)
{
	event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static int
client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&t.address, sizeof(t.address)), 0);
	turn();
	return fd;
}

static void
put(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* All that comes within some turns of the loop. NULL: the server has closed, and nothing more came before that. */
static const char *
get(int fd)
{
	size_t len = 0;

	for (unsigned i = 0; i < 50; i++) {
		ssize_t n;

		turn();
		n = recv(fd, t.reply + len, sizeof(t.reply) - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
		else if ((n == 0 || errno == ECONNRESET) && len == 0)
			return NULL;
	}
	t.reply[len] = '\0';
	return t.reply;
}

#define ERROR(id, code, text) \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}\n"
#define SHAPE "a request is an object with jsonrpc \\\"2.0\\\", an id that is a number or a string, and a method"

Test(control, answers_by_the_codes_of_json_rpc)
{
	static const struct {
		const char *request;
		const char *reply;
	} rows[] = {
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":{\"value\":[1]}}",
		 "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"got\":[1]}}\n"},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"echo\"}",
		 "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"got\":null}}\n"},
		{"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\"}\r",
		 "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"got\":null}}\n"},
		{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\"}",
		 "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"got\":null}}\n"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}", ""},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"none\"}", ""},
		{"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"none\"}",
		 ERROR("8", "-32601", "there is no method \\\"none\\\"")},
		{"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"refuse\"}", ERROR("8", "1", "not today: ?")},
		{"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"echo\",\"params\":[1]}",
		 ERROR("8", "-32602", "params is an object of named values")},
		{"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"echo\",\"params\":null}",
		 ERROR("8", "-32602", "params is an object of named values")},
		{"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":9}", ERROR("8", "-32600", SHAPE)},
		{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":9}", ERROR("null", "-32600", SHAPE)},
		{"{\"id\":8,\"method\":\"echo\"}", ERROR("8", "-32600", SHAPE)},
		{"{\"jsonrpc\":2.0,\"id\":8,\"method\":\"echo\"}", ERROR("8", "-32600", SHAPE)},
		{"{}", ERROR("null", "-32600", SHAPE)},
		{"[]", ERROR("null", "-32600", SHAPE)},
		{"17", ERROR("null", "-32600", SHAPE)},
	};
	int fd = client();

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const char *reply;

		put(fd, rows[i].request);
		put(fd, "\n");
		reply = get(fd);
		cr_expect_not_null(reply, "row %u", i);
		cr_expect_str_eq(reply ? reply : "", rows[i].reply, "row %u: %s", i, reply);
	}
	close(fd);
}

Test(control, says_that_a_line_is_no_json)
{
	static const char *const rows[] = {"", "{", "nothing", "{\"a\":1,\"a\":2}", "\"\xff\"", "{}{}", "\"\\u0000\""};
	int fd = client();

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const char *reply;

		put(fd, rows[i]);
		put(fd, "\n");
		reply = get(fd);
		cr_assert_not_null(reply);
		cr_expect_not_null(strstr(reply,
					  "\"id\":null,\"error\":{\"code\":-32700,\"message\":\"not JSON at octet "),
				   "row %u: %s", i, reply);
	}
	close(fd);
}

/* The message cuts a name after 64 octets, here in the middle of a character. */
Test(control, quotes_a_cut_name_as_text)
{
	char request[256];
	const char *reply;
	int fd = client();

	snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%063d\xc3\xa9\xc3\xa9\"}\n", 0);
	put(fd, request);
	reply = get(fd);
	cr_assert_not_null(reply);
	cr_expect_not_null(strstr(reply, "\"message\":\"there is no method \\\"000"), "%s", reply);
	close(fd);
}

Test(control, takes_requests_in_pieces_and_several_at_once)
{
	int fd = client();

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,");
	cr_expect_str_eq(get(fd), "");
	put(fd, "\"method\":\"echo\"}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"echo\"}\n{\"jsonrpc\"");
	cr_expect_str_eq(get(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"got\":null}}\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"got\":null}}\n");
	close(fd);
}

Test(control, closes_on_a_line_that_is_too_long)
{
	char piece[65537];
	int fd = client();

	memset(piece, 'x', sizeof(piece) - 1);
	piece[sizeof(piece) - 1] = '\0';
	for (unsigned sent = 0; sent < CONTROL_LINE_MAX; turn()) {
		ssize_t n = send(fd, piece, sizeof(piece) - 1, MSG_NOSIGNAL);

		if (n > 0)
			sent += (unsigned)n;
		else
			cr_assert_eq(errno, EAGAIN);
	}
	cr_expect_null(get(fd));
	close(fd);
}

Test(control, takes_as_many_clients_as_it_promises)
{
	int fds[CONTROL_CLIENTS_MAX], more;

	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client();
	more = client();
	cr_expect_null(get(more));
	close(more);
	close(fds[3]);
	turn();
	fds[3] = client();
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		put(fds[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}\n");
		cr_expect_not_null(get(fds[i]), "client %u", i);
		close(fds[i]);
	}
}

/* More than the socket's buffers hold, so that the answer is still on its way when the end is seen. */
Test(control, answers_a_client_that_has_ended_its_own_direction)
{
	size_t len = 0;
	int fd = client();

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"keep\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\"}\n");
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < 50; i++)
		turn();
	cr_expect_eq(t.n_gone, 1);
	for (const char *reply; (reply = get(fd)) != NULL;)
		len += strlen(reply);
	cr_expect_gt(len, BIG, "and then closes; %zu octets came", len);
	close(fd);
}

Test(control, answers_kept_calls_later_and_drops_those_of_clients_that_left)
{
	int fd = client();

	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"keep\"}\n");
	cr_expect_str_eq(get(fd), "");
	cr_assert_not_null(t.kept);
	control_reply(t.kept, json_true());
	cr_expect_str_eq(get(fd), "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":true}\n");
	put(fd, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"keep\"}\n");
	cr_expect_str_eq(get(fd), "");
	close(fd);
	turn();
	turn();
	cr_expect_eq(t.n_gone, 1);
	cr_expect_null(t.kept);
}

/* 100 answers of 300 kB are asked for: no more are made than fit the bound, and all come in the end. */
Test(control, makes_no_answers_for_a_client_that_does_not_read)
{
	enum { N = 100 };
	unsigned lines = 0;
	int fd = client();

	for (unsigned i = 0; i < N; i++)
		put(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\"}\n");
	for (unsigned i = 0; i < 50; i++)
		turn();
	cr_expect_leq(t.n_calls, 6, "%u answers are held", t.n_calls);
	for (unsigned i = 0; i < 100000 && lines < N; i++) {
		ssize_t n = recv(fd, t.reply, sizeof(t.reply), 0);

		for (ssize_t k = 0; k < n; k++)
			lines += t.reply[k] == '\n';
		turn();
	}
	cr_expect_eq(lines, N);
	close(fd);
}

Test(control, opens_the_socket_to_owner_and_group_only)
{
	struct stat file;

	cr_assert_eq(stat(t.address.sun_path, &file), 0);
	cr_expect_eq(file.st_mode & 0777, 0660);
}

/* A process that was stopped: it listens, its backlog is full, and a connect() that waits would wait for ever. */
Test(control_path, does_not_wait_for_one_that_hangs)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), waiting[8];

	cr_assert_eq(bind(listener, (const struct sockaddr *)&t.address, sizeof(t.address)), 0);
	cr_assert_eq(listen(listener, 0), 0);
	for (unsigned i = 0; i < ARRAY_LEN(waiting); i++) {
		waiting[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(waiting[i], (const struct sockaddr *)&t.address, sizeof(t.address));
	}
	cr_expect_null(start());
	cr_expect_eq(access(t.address.sun_path, F_OK), 0, "the other one's socket stays");
	for (unsigned i = 0; i < ARRAY_LEN(waiting); i++)
		close(waiting[i]);
	close(listener);
}

Test(control_path, replaces_a_socket_that_nobody_listens_on)
{
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_eq(bind(dead, (const struct sockaddr *)&t.address, sizeof(t.address)), 0);
	close(dead);
	t.control = start();
	cr_expect_not_null(t.control);
}

Test(control_path, leaves_a_file_alone_that_is_no_socket)
{
	int file = open(t.address.sun_path, O_CREAT | O_WRONLY, 0600);

	cr_assert_geq(file, 0);
	close(file);
	cr_expect_null(start());
	cr_expect_eq(access(t.address.sun_path, F_OK), 0);
}

Test(control_path, refuses_a_path_that_is_too_long_for_an_address)
{
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect_null(control_new(t.base, path, methods, ARRAY_LEN(methods), on_gone, NULL));
}
