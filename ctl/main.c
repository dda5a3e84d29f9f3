/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcastctl: one request to the control plane, and its reply as text or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/capture.h"
#include "ctl/client.h"
#include "ctl/command.h"

enum { DRAIN_TIMEOUT_S = 3600, ANSWER_S = 10, AGAIN_US = 100000 };

static void
show_detail(json_t *row, const char *member, const struct table_column *columns)
{
	json_t *list = json_incref(json_object_get(row, member));

	json_object_del(row, member);
	table_print_object(stdout, row);
	table_print(stdout, list, columns);
	json_decref(list);
}

/* Rows as what they are, each with the list that it has. */
static void
show_details(json_t *rows, const char *member, const struct table_column *columns)
{
	size_t i;
	json_t *row;

	if (json_is_object(rows))
		show_detail(rows, member, columns);
	else if (json_array_size(rows) == 0)
		puts("none");
	json_array_foreach(rows, i, row)
	{
		if (i > 0)
			putchar('\n');
		show_detail(row, member, columns);
	}
}

static void
show(const struct command *c, json_t *answer)
{
	const struct table_column *columns = command_columns(c), *details;
	const char *member;

	if (columns)
		command_narrow(c, answer);
	if (c->is_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
	} else if ((details = command_details(c, &member))) {
		show_details(answer, member, details);
	} else if (columns) {
		table_print(stdout, answer, columns);
	} else {
		table_print_object(stdout, answer);
	}
	fflush(stdout);
}

/* What to do about it, as far as the error tells. */
static const char *
advice(int err)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "is nearcast-controlplane running? --socket names another socket";
	case -EACCES:
	case -EPERM:
		return "run this as root, or as a member of the socket's group";
	case -EAGAIN:
		return "nearcast-controlplane listens there, but doesn't answer";
	default:
		return "--socket names another socket";
	}
}

struct call {
	int err; /* -errno: there was nobody to ask */
	enum client_outcome outcome;
	char text[4096];
	json_t *answer;
};

/* params are taken over. */
static void
call_make(const struct command *c, const char *method, json_t *params, struct call *call)
{
	double timeout_s = json_number_value(json_object_get(params, "timeout_s"));
	int fd = client_open(c->socket, timeout_s + ANSWER_S);

	*call = (struct call){.err = fd < 0 ? fd : 0};
	if (fd < 0) {
		json_decref(params);
		return;
	}
	call->outcome = client_call(fd, method, params, &call->answer, call->text, sizeof(call->text));
	close(fd);
}

/* The exit code, as what follows. */
static int
unreachable(const struct command *c, int err)
{
	fprintf(stderr, "nearcastctl: %s: %s: %s\n", c->socket, strerror(-err), advice(err));
	return COMMAND_UNREACHABLE;
}

static int
call_report(const struct command *c, const char *method, struct call *call)
{
	int status = 0;

	if (call->err)
		return unreachable(c, call->err);
	if (call->outcome != CLIENT_OK) {
		fprintf(stderr, "nearcastctl: %s\n", call->text);
		return call->outcome == CLIENT_REFUSED ? COMMAND_REFUSED : COMMAND_UNREACHABLE;
	}
	show(c, call->answer);
	if (strcmp(method, "wait") == 0 && !json_is_true(json_object_get(call->answer, "met")))
		status = COMMAND_REFUSED;
	json_decref(call->answer);
	return status;
}

static int
call_once(const struct command *c, const char *method, json_t *params)
{
	struct call call;

	call_make(c, method, params, &call);
	return call_report(c, method, &call);
}

/* It isn't there (yet), or went away: what is waited for may come with the next one. */
static bool
call_is_worth_another(const struct call *call)
{
	return call->err ? call->err == -ENOENT || call->err == -ECONNREFUSED || call->err == -EAGAIN
			 : call->outcome == CLIENT_LOST;
}

static int
wait_for(const struct command *c, json_t *params)
{
	double timeout_s = json_number_value(json_object_get(params, "timeout_s"));
	uint64_t end_ns = clock_now_ns() + (uint64_t)(timeout_s * (double)CLOCK_NS_PER_S);
	struct call call;

	for (;;) {
		uint64_t now_ns = clock_now_ns();
		double left_s = now_ns < end_ns ? (double)(end_ns - now_ns) / (double)CLOCK_NS_PER_S : 0;

		json_object_set_new(params, "timeout_s", json_real(left_s));
		call_make(c, "wait", json_incref(params), &call);
		if (left_s <= 0 || !call_is_worth_another(&call))
			break;
		usleep(AGAIN_US);
	}
	json_decref(params);
	return call_report(c, "wait", &call);
}

/* A drain of the node has gone through only when traffic has left. */
static int
wait_drained(const struct command *c)
{
	double timeout_s = c->timeout_s > 0 ? c->timeout_s : DRAIN_TIMEOUT_S;

	if (!c->is_json)
		puts("draining; waiting until traffic has gone");
	fflush(stdout);
	return wait_for(c, json_pack("{s:s, s:f}", "for", "drained", "timeout_s", timeout_s));
}

/* A line each, from what there is on. */
static void
follow_show(const json_t *entries, json_int_t *last)
{
	size_t i;
	json_t *entry;

	json_array_foreach(entries, i, entry)
	{
		json_int_t ms = json_integer_value(json_object_get(entry, "time_ms"));
		time_t time_s = (time_t)(ms / 1000);
		char when[32];
		struct tm tm;

		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&time_s, &tm));
		printf("%s.%03d %-8s %-20s %s\n", when, (int)(ms % 1000),
		       json_string_value(json_object_get(entry, "kind")), json_string_value(json_object_get(entry, "subject")),
		       json_string_value(json_object_get(entry, "text")));
		*last = json_integer_value(json_object_get(entry, "id"));
	}
	fflush(stdout);
}

static int
follow(const struct command *c, const char *method)
{
	json_int_t last = 0;
	struct call call;

	for (;;) {
		call_make(c, method, json_pack("{s:I}", "after", last), &call);
		if (call.err || call.outcome != CLIENT_OK)
			return call_report(c, method, &call);
		follow_show(call.answer, &last);
		json_decref(call.answer);
		sleep(1);
	}
}

static int
capture(const struct command *c, json_t *params)
{
	int fd = client_open(c->socket, ANSWER_S), status;

	if (fd < 0) {
		json_decref(params);
		return unreachable(c, fd);
	}
	status = capture_run(fd, c, params);
	close(fd);
	return status;
}

static int
run(const struct command *c, const char *method, json_t *params)
{
	int status = 0;

	if (strcmp(method, "capture") == 0)
		return capture(c, params);
	if (c->follows && strcmp(method, "bgp.log") == 0) {
		json_decref(params);
		return follow(c, method);
	}

	while (c->is_watch) {
		fputs("\033[H\033[2J", stdout);
		status = call_once(c, method, json_incref(params));
		if (status)
			break;
		sleep(1);
	}
	if (c->is_watch) {
		json_decref(params);
		return status;
	}
	if (strcmp(method, "wait") == 0)
		return wait_for(c, params);
	status = call_once(c, method, params);
	if (status == 0 && strcmp(method, "node.drain") == 0 && !c->no_wait)
		status = wait_drained(c);
	return status;
}

int
main(int argc, char **argv)
{
	char fault[COMMAND_FAULT_MAX];
	struct command command;
	json_t *params = NULL;
	const char *method;

	if (command_parse(argc, argv, &command, fault) != 0) {
		fprintf(stderr, "nearcastctl: %s\n%s", fault, command_usage());
		return COMMAND_USAGE;
	}
	if (command.wants_version || command.wants_help) {
		fputs(command.wants_version ? "nearcastctl " NEARCAST_VERSION "\n" : command_usage(), stdout);
		return EXIT_SUCCESS;
	}
	method = command_method(&command, &params);
	if (!method) {
		fprintf(stderr, "nearcastctl: %s: no such command\n%s", command.words[0], command_usage());
		return COMMAND_USAGE;
	}
	return run(&command, method, params);
}
