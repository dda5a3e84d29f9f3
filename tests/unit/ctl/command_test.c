/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/control.h"
#include "ctl/command.h"

enum { ARGS_MAX = 16 };

/* The words of a line, cut at spaces, as main() gets them. */
struct line {
	char text[256];
	char *argv[ARGS_MAX];
	int argc;
};

static void
split(struct line *line, const char *text)
{
	char *save = NULL;

	*line = (struct line){.argv = {"nearcastctl"}, .argc = 1};
	snprintf(line->text, sizeof(line->text), "%s", text);
	for (char *word = strtok_r(line->text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		line->argv[line->argc++] = word;
}

Test(command, makes_one_request_of_words)
{
	static const struct {
		const char *line;
		const char *method; /* NULL: there is no such command */
		const char *params;
	} rows[] = {
		{"status", "status", NULL},
		{"services", "services", NULL},
		{"backends", "backends", NULL},
		{"backends web", "backends", NULL},
		{"vips", "vips", NULL},
		{"bgp", "bgp", NULL},
		{"bgp peers", "bgp", "{}"},
		{"bgp peer r1", "bgp.peer", "{\"peer\": \"r1\"}"},
		{"bgp listen", "bgp.listen", "{}"},
		{"bgp routes", "bgp.routes", "{}"},
		{"bgp routes r1", "bgp.routes", "{\"peer\": \"r1\"}"},
		{"bgp routes --received", "bgp.routes", "{\"received\": true}"},
		{"bgp flowspec", "bgp.flowspec", "{}"},
		{"bgp flowspec announce proto --rate 0 --to r1 --for 10m", "bgp.flowspec.announce",
		 "{\"rule\": \"proto\", \"bytes_s\": 0, \"to\": \"r1\", \"for\": \"10m\"}"},
		{"bgp flowspec announce proto --packets 1k --anyway", "bgp.flowspec.announce",
		 "{\"rule\": \"proto\", \"packets_s\": -1, \"anyway\": true}"},
		{"bgp flowspec announce proto --sample", "bgp.flowspec.announce", "{\"rule\": \"proto\", \"sample\": true}"},
		{"bgp flowspec withdraw proto", "bgp.flowspec.withdraw", "{\"rule\": \"proto\"}"},
		{"bgp flowspec announce", NULL, NULL},
		{"bgp blackhole announce 192.0.2.1/32 --community 1:2,3:4", "bgp.blackhole.announce",
		 "{\"prefix\": \"192.0.2.1/32\", \"communities\": \"1:2,3:4\"}"},
		{"bgp blackhole withdraw 192.0.2.1/32", "bgp.blackhole.withdraw", "{\"prefix\": \"192.0.2.1/32\"}"},
		{"bgp explain web", "bgp.explain", "{\"vip\": \"web\"}"},
		{"bgp announce 192.0.2.1/32 --for 10m", "bgp.announce", "{\"prefix\": \"192.0.2.1/32\", \"for\": \"10m\"}"},
		{"bgp withdraw 192.0.2.1/32", "bgp.withdraw", "{\"prefix\": \"192.0.2.1/32\"}"},
		{"bgp release 192.0.2.1/32", "bgp.release", "{\"prefix\": \"192.0.2.1/32\"}"},
		{"bgp refresh r1", "bgp.refresh", "{\"peer\": \"r1\"}"},
		{"bgp shutdown r1 --reason upgrade", "bgp.shutdown", "{\"peer\": \"r1\", \"reason\": \"upgrade\"}"},
		{"bgp open r1", "bgp.open", "{\"peer\": \"r1\"}"},
		{"bgp log", "bgp.log", "{}"},
		{"bgp monitors", "bgp.monitors", "{}"},
		{"bgp peer", NULL, NULL},
		{"bgp explode", NULL, NULL},
		{"workers", "workers", NULL},
		{"ports", "ports", NULL},
		{"drops", "drops", NULL},
		{"attacks", "attacks", NULL},
		{"attacks 3", "attacks", NULL},
		{"attacks --verbose", "attacks", NULL},
		{"talkers", "talkers", NULL},
		{"talkers dns4", "talkers", "{\"service\": \"dns4\"}"},
		{"reload", "reload", NULL},
		{"capture -w -", "capture", "{\"sampled\": false}"},
		{"capture -w x --dropped --reason land --service web --expr udp -c 9", "capture",
		 "{\"sampled\": false, \"ends\": \"dropped\", \"reason\": \"land\", \"service\": \"web\", "
		 "\"expression\": \"udp\", \"count\": 9}"},
		{"capture --passed --sampled --one-in 100 --count=7 --seconds 5 --snap 96 --write x", "capture",
		 "{\"sampled\": true, \"ends\": \"passed\", \"count\": 7, \"seconds\": 5, \"sample\": 100, \"snap\": 96}"},
		{"capture --dropped --passed", "capture", "{\"sampled\": false}"},
		{"capture file", NULL, NULL},
		{"backend drain web/s1", "backend.drain", "{\"backend\": \"web/s1\"}"},
		{"backend undrain web/s1", "backend.undrain", "{\"backend\": \"web/s1\"}"},
		{"node drain", "node.drain", "{\"now\": false}"},
		{"node drain --now", "node.drain", "{\"now\": true}"},
		{"node undrain", "node.undrain", "{\"now\": false}"},
		{"wait announced", "wait", "{\"for\": \"announced\", \"timeout_s\": 30.0}"},
		{"wait announced --timeout 500ms", "wait", "{\"for\": \"announced\", \"timeout_s\": 0.5}"},
		{"--timeout 2m wait announced", "wait", "{\"for\": \"announced\", \"timeout_s\": 120.0}"},
		{"wait --timeout=7s announced", "wait", "{\"for\": \"announced\", \"timeout_s\": 7.0}"},
		{"stat", NULL, NULL},
		{"status now", NULL, NULL},
		{"backend", NULL, NULL},
		{"backend drain", NULL, NULL},
		{"backend web/s1 drain", NULL, NULL},
		{"node", NULL, NULL},
		{"node explode", NULL, NULL},
		{"wait", NULL, NULL},
		{"reload it", NULL, NULL},
		{"backends web s1", NULL, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char fault[COMMAND_FAULT_MAX] = "";
		struct command command;
		struct line line;
		const char *method;
		json_t *params;
		char *text;

		split(&line, rows[i].line);
		cr_assert_eq(command_parse(line.argc, line.argv, &command, fault), 0, "%s: %s", rows[i].line, fault);
		method = command_method(&command, &params);
		cr_expect(!method == !rows[i].method && (!method || strcmp(method, rows[i].method) == 0), "%s: %s",
			  rows[i].line, method ? method : "none");
		text = params ? json_dumps(params, JSON_REAL_PRECISION(3)) : NULL;
		cr_expect(!text == !rows[i].params && (!text || strcmp(text, rows[i].params) == 0), "%s: %s",
			  rows[i].line,
			  text ? text : "none");
		free(text);
		json_decref(params);
	}
}

Test(command, says_what_is_wrong_with_a_line)
{
	static const struct {
		const char *line;
		const char *fault;
	} rows[] = {
		{"", "a command is missing"},
		{"--json", "a command is missing"},
		{"backend drain web/s1 web/s2 web/s3 web/s4", "too many words"},
		{"status --bogus", "--bogus: unknown option, or its value is missing"},
		{"status -x", "-x: unknown option, or its value is missing"},
		{"status --socket", "--socket: unknown option, or its value is missing"},
		{"capture -w", "-w: unknown option, or its value is missing"},
		{"capture -c 0", "--count 0: write a number from 1"},
		{"capture --count -5", "--count -5: write a number from 1"},
		{"capture --seconds 5s", "--seconds 5s: write a number from 1"},
		{"capture --snap 4294967297", "--snap 4294967297: write a number from 1"},
		{"capture --one-in 1/100", "--one-in 1/100: write a number from 1"},
		{"wait drained --timeout 5", "--timeout 5: write a time as 500ms, 30s or 2m, a day at most"},
		{"wait drained --timeout s", "--timeout s: write a time as 500ms, 30s or 2m, a day at most"},
		{"wait drained --timeout -1s", "--timeout -1s: write a time as 500ms, 30s or 2m, a day at most"},
		{"wait drained --timeout 0s", "--timeout 0s: write a time as 500ms, 30s or 2m, a day at most"},
		{"wait drained --timeout nans", "--timeout nans: write a time as 500ms, 30s or 2m, a day at most"},
		{"wait drained --timeout 86401s", "--timeout 86401s: write a time as 500ms, 30s or 2m, a day at most"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char fault[COMMAND_FAULT_MAX] = "";
		struct command command;
		struct line line;

		split(&line, rows[i].line);
		cr_expect_eq(command_parse(line.argc, line.argv, &command, fault), -EINVAL, "%s", rows[i].line);
		cr_expect_str_eq(fault, rows[i].fault, "%s: %s", rows[i].line, fault);
	}
}

Test(command, takes_options_anywhere)
{
	char fault[COMMAND_FAULT_MAX];
	struct command command;
	struct line line;

	split(&line, "--json node --no-wait drain --socket /run/x");
	cr_assert_eq(command_parse(line.argc, line.argv, &command, fault), 0);
	cr_expect(command.is_json && command.no_wait && !command.is_all && !command.is_watch);
	cr_expect_str_eq(command.socket, "/run/x");
	split(&line, "status");
	cr_assert_eq(command_parse(line.argc, line.argv, &command, fault), 0);
	cr_expect_str_eq(command.socket, CONTROL_SOCKET_DEFAULT);
	split(&line, "--help");
	cr_assert_eq(command_parse(line.argc, line.argv, &command, fault), 0);
	cr_expect(command.wants_help);
}

Test(command, leaves_out_what_was_not_asked_for)
{
	static const struct {
		const char *line;
		size_t left;
	} rows[] = {{"backends", 3},	  {"backends web", 2}, {"backends none", 0}, {"--json backends web", 2},
		    {"drops", 1},	  {"drops --all", 3},  {"drops --json", 3},  {"services", 3}};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *list = json_loads("[{\"pool\":\"web\",\"packets\":0},{\"pool\":\"dns\",\"packets\":1},"
					  "{\"pool\":\"web\",\"packets\":0}]", 0, NULL);
		char fault[COMMAND_FAULT_MAX];
		struct command command;
		struct line line;

		split(&line, rows[i].line);
		cr_assert_eq(command_parse(line.argc, line.argv, &command, fault), 0);
		command_narrow(&command, list);
		cr_expect_eq(json_array_size(list), rows[i].left, "%s: %zu", rows[i].line, json_array_size(list));
		json_decref(list);
	}
}
