/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcastctl: one request to the control plane, and its reply as text or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/command.h"

enum { DRAIN_TIMEOUT_S = 3600, ANSWER_S = 10 };

static void
show(const struct command *c, json_t *answer)
{
	const struct table_column *columns = command_columns(c);

	if (columns)
		command_narrow(c, answer);
	if (c->is_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
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

static int
call_once(const struct command *c, const char *method, json_t *params)
{
	double timeout_s = json_number_value(json_object_get(params, "timeout_s"));
	int fd = client_open(c->socket, timeout_s + ANSWER_S);
	enum client_outcome outcome;
	char text[4096];
	json_t *answer = NULL;
	int status = 0;

	if (fd < 0) {
		fprintf(stderr, "nearcastctl: %s: %s: %s\n", c->socket, strerror(-fd), advice(fd));
		json_decref(params);
		return COMMAND_UNREACHABLE;
	}
	outcome = client_call(fd, method, params, &answer, text, sizeof(text));
	close(fd);
	if (outcome != CLIENT_OK) {
		fprintf(stderr, "nearcastctl: %s\n", text);
		return outcome == CLIENT_REFUSED ? COMMAND_REFUSED : COMMAND_UNREACHABLE;
	}
	show(c, answer);
	if (strcmp(method, "wait") == 0 && !json_is_true(json_object_get(answer, "met")))
		status = COMMAND_REFUSED;
	json_decref(answer);
	return status;
}

/* A drain of the node has gone through only when traffic has left. */
static int
wait_drained(const struct command *c)
{
	double timeout_s = c->timeout_s > 0 ? c->timeout_s : DRAIN_TIMEOUT_S;

	if (!c->is_json)
		puts("withdrawn; waiting until traffic has gone");
	fflush(stdout);
	return call_once(c, "wait", json_pack("{s:s, s:f}", "for", "drained", "timeout_s", timeout_s));
}

static int
run(const struct command *c, const char *method, json_t *params)
{
	int status = 0;

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
