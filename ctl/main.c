/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcastctl: words to one request, the reply to text or JSON. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/control.h"
#include "ctl/client.h"
#include "ctl/table.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };
enum { WORDS_MAX = 3, DRAIN_TIMEOUT_S = 3600 };

static const char usage[] =
	"usage: nearcastctl [options] COMMAND\n"
	"  status | services | backends [POOL] | vips | bgp | workers | ports | drops\n"
	"  backend drain POOL/NAME       new flows go elsewhere, running ones finish; undrain undoes it\n"
	"  node drain                    withdraw all VIPs and wait until traffic has gone; undrain undoes it\n"
	"  reload                        read the configuration file again\n"
	"  wait CONDITION                dataplane, generation, settled, established, announced or drained\n"
	"options:\n"
	"  --socket PATH     of the control plane (" CONTROL_SOCKET_DEFAULT ")\n"
	"  --json            the result as it is\n"
	"  --watch           again each second\n"
	"  --all             drops: those that count nothing too\n"
	"  --timeout TIME    wait, node drain: at most so long, as 500ms, 30s, 2m (30s; node drain: 60m)\n"
	"  --no-wait         node drain: only withdraw\n"
	"  --version, --help\n"
	"exit: 0 done, 1 refused or not met in time, 2 usage, 3 no control plane there\n";

struct request {
	const char *socket;
	bool is_json;
	bool is_watch;
	bool is_all;
	bool no_wait;
	double timeout_s; /* 0: not given */
	unsigned n_words;
	const char *words[WORDS_MAX];
};

#define COLUMNS(...) ((const struct table_column[]){__VA_ARGS__, {0}})

/* The commands that show a list. */
static const struct view {
	const char *name;
	const struct table_column *columns;
} views[] = {
	{"services", COLUMNS({"SERVICE", "name"}, {"VIP", "vip"}, {"PROTO", "protocol"}, {"PORT", "port"},
			     {"POOL", "pool"}, {"PACKETS", "packets"}, {"BYTES", "bytes"}, {"OPENINGS", "openings"},
			     {"DROPPED", "dropped"}, {"ANNOUNCED", "announced"})},
	{"backends", COLUMNS({"POOL", "pool"}, {"BACKEND", "name"}, {"ADDRESS", "address"}, {"WEIGHT", "weight"},
			     {"SHARE%", "share_percent"}, {"HEALTH", "health"}, {"ADMIN", "admin"},
			     {"PACKETS", "packets"}, {"OPENINGS", "openings"}, {"REASON", "reason"})},
	{"vips", COLUMNS({"VIP", "name"}, {"PREFIX", "prefix"}, {"STATE", "state"}, {"REASON", "reason"})},
	{"bgp", COLUMNS({"PEER", "peer"}, {"ADDRESS", "address"}, {"AS", "as"}, {"STATE", "state"}, {"SINCE", "since_s"},
			{"HOLD", "hold_s"}, {"ADVERTISED", "advertised"}, {"UPDATES", "updates_sent"},
			{"FLAPS", "flaps"}, {"LAST ERROR", "last_error"})},
	{"workers", COLUMNS({"WORKER", "worker"}, {"BEAT ms", "heartbeat_ms"}, {"RX", "rx_packets"}, {"TX", "tx_packets"},
			    {"BURSTS", "bursts"}, {"SLEEPS", "sleeps"}, {"LOOKUPS", "flow_lookups"},
			    {"HITS", "flow_hits"}, {"INSERTS", "flow_inserts"}, {"EVICTIONS", "flow_evictions"})},
	{"ports", COLUMNS({"PORT", "port"}, {"INTERFACE", "interface"}, {"LINK", "link"}, {"MTU", "mtu"},
			  {"RX", "rx_packets"}, {"MISSED", "rx_missed"}, {"TX", "tx_packets"},
			  {"TO KERNEL", "kernel_unicast"}, {"MULTICAST", "kernel_multicast"},
			  {"BROADCAST", "kernel_broadcast"})},
	{"drops", COLUMNS({"REASON", "reason"}, {"PACKETS", "packets"}, {"WHAT", "text"})},
};

static int
seconds_parse(const char *text, double *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || value < 0 || value > 1e6)
		return -1;
	if (strcmp(end, "ms") == 0)
		value /= 1000;
	else if (strcmp(end, "m") == 0)
		value *= 60;
	else if (strcmp(end, "s") != 0)
		return -1;
	*out = value;
	return 0;
}

/* 0: go on; below: usage error; above: done. */
static int
request_parse(int argc, char **argv, struct request *r)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"watch", no_argument, NULL, 'w'},	  {"all", no_argument, NULL, 'a'},
		{"timeout", required_argument, NULL, 't'}, {"no-wait", no_argument, NULL, 'n'},
		{"version", no_argument, NULL, 'V'},	  {"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			r->socket = optarg;
			break;
		case 'j':
			r->is_json = true;
			break;
		case 'w':
			r->is_watch = true;
			break;
		case 'a':
			r->is_all = true;
			break;
		case 'n':
			r->no_wait = true;
			break;
		case 't':
			if (seconds_parse(optarg, &r->timeout_s) == 0)
				break;
			fprintf(stderr, "nearcastctl: --timeout %s: write a time as 500ms, 30s or 2m\n", optarg);
			return -1;
		case 'V':
			puts("nearcastctl " NEARCAST_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			return -1;
		}
	}
	for (; optind < argc && r->n_words < WORDS_MAX; optind++)
		r->words[r->n_words++] = argv[optind];
	return optind < argc || r->n_words == 0 ? -1 : 0;
}

static bool
words_are(const struct request *r, const char *first, const char *second)
{
	return strcmp(r->words[0], first) == 0 && r->n_words > 1 && strcmp(r->words[1], second) == 0;
}

static const struct view *
view_lookup(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(views); i++) {
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	}
	return NULL;
}

/* The request's method and parameters (a new reference or NULL). NULL: no such command. */
static const char *
method_of(const struct request *r, json_t **params)
{
	double timeout_s = r->timeout_s > 0 ? r->timeout_s : 30;

	*params = NULL;
	if (r->n_words == 3 && strcmp(r->words[0], "backend") == 0) {
		*params = json_pack("{s:s}", "backend", r->words[2]);
		if (words_are(r, "backend", "drain"))
			return "backend.drain";
		return words_are(r, "backend", "undrain") ? "backend.undrain" : NULL;
	}
	if (r->n_words == 2 && strcmp(r->words[0], "wait") == 0) {
		*params = json_pack("{s:s, s:f}", "for", r->words[1], "timeout_s", timeout_s);
		return "wait";
	}
	if (r->n_words == 2 && words_are(r, "node", "drain"))
		return "node.drain";
	if (r->n_words == 2 && words_are(r, "node", "undrain"))
		return "node.undrain";
	if (r->n_words == 2 && strcmp(r->words[0], "backends") == 0)
		return "backends";
	if (r->n_words != 1)
		return NULL;
	if (strcmp(r->words[0], "status") == 0 || strcmp(r->words[0], "reload") == 0 || view_lookup(r->words[0]))
		return r->words[0];
	return NULL;
}

/* Leaves out what wasn't asked for: other pools' backends, drops that count nothing. */
static void
narrow(const struct request *r, json_t *list)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *row = json_array_get(list, i);
		const char *pool = json_string_value(json_object_get(row, "pool"));

		if ((strcmp(r->words[0], "backends") == 0 && r->n_words == 2 && (!pool || strcmp(pool, r->words[1]) != 0)) ||
		    (strcmp(r->words[0], "drops") == 0 && !r->is_all &&
		     json_integer_value(json_object_get(row, "packets")) == 0))
			json_array_remove(list, i);
	}
}

static void
show(const struct request *r, json_t *answer)
{
	const struct view *view = view_lookup(r->words[0]);

	if (view && !r->is_json)
		narrow(r, answer);
	if (r->is_json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (view) {
		table_print(stdout, answer, view->columns);
	} else {
		table_print_object(stdout, answer);
	}
	fflush(stdout);
}

static int
call_once(const struct request *r, const char *method, json_t *params)
{
	int fd = client_open(r->socket);
	enum client_outcome outcome;
	char text[4096];
	json_t *answer = NULL;
	int status = 0;

	if (fd < 0) {
		fprintf(stderr, "nearcastctl: %s: %s: is nearcast-controlplane running? (--socket names another)\n",
			r->socket, strerror(-fd));
		json_decref(params);
		return EXIT_UNREACHABLE;
	}
	outcome = client_call(fd, method, params, &answer, text, sizeof(text));
	close(fd);
	if (outcome != CLIENT_OK) {
		fprintf(stderr, "nearcastctl: %s\n", text);
		return outcome == CLIENT_REFUSED ? EXIT_REFUSED : EXIT_UNREACHABLE;
	}
	show(r, answer);
	if (strcmp(method, "wait") == 0 && !json_is_true(json_object_get(answer, "met")))
		status = EXIT_REFUSED;
	json_decref(answer);
	return status;
}

/* A drain of the node has gone through only when traffic has left. */
static int
wait_drained(const struct request *r)
{
	double timeout_s = r->timeout_s > 0 ? r->timeout_s : DRAIN_TIMEOUT_S;

	if (!r->is_json)
		puts("withdrawn; waiting until traffic has gone");
	fflush(stdout);
	return call_once(r, "wait", json_pack("{s:s, s:f}", "for", "drained", "timeout_s", timeout_s));
}

int
main(int argc, char **argv)
{
	struct request r = {.socket = CONTROL_SOCKET_DEFAULT};
	int parsed = request_parse(argc, argv, &r);
	json_t *params = NULL;
	const char *method = parsed == 0 ? method_of(&r, &params) : NULL;
	int status;

	if (parsed > 0)
		return EXIT_SUCCESS;
	if (!method) {
		json_decref(params);
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	while (r.is_watch) {
		fputs("\033[H\033[2J", stdout);
		status = call_once(&r, method, json_incref(params));
		if (status)
			return status;
		sleep(1);
	}
	status = call_once(&r, method, params);
	if (status == 0 && strcmp(method, "node.drain") == 0 && !r.no_wait)
		status = wait_drained(&r);
	return status;
}
