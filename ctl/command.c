/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/command.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/control.h"

enum {
	TIMEOUT_DEFAULT_S = 30,
	TIMEOUT_MAX_S = 86400,
	OPTION_FIRST = 256, /* above the letters */
};

static const char usage[] =
	"usage: nearcastctl [options] COMMAND\n"
	"  status | services | backends [POOL] | vips | bgp | bfd | workers | ports | drops | lists | signatures | filters |\n"
	"  imports                       what BGP peers asked the guard for, and why not\n"
	"  attacks [ID]                  that go on or are over; with ID or --verbose: who they came from\n"
	"  talkers [SERVICE]             who sends the most now\n"
	"  filter add EXPRESSION         drop (or --action count) what a tcpdump expression matches, with --service, --for;\n"
	"                                --object FILE [--section NAME] in place of the expression: an eBPF program\n"
	"  filter remove ID              one that was added by hand\n"
	"  backend drain POOL/NAME       new flows go elsewhere, running ones finish; undrain undoes it\n"
	"  node drain                    announce all VIPs as last choice, withdraw them when traffic has left, and wait until\n"
	"                                it is safe; undrain undoes it\n"
	"  capture                       copies of packets, as a pcapng file: --write FILE with --dropped, --passed, --reason,\n"
	"                                --service, --expr, --sampled, --one-in, --count, --seconds, --snap; ^C ends it\n"
	"  list add PREFIX ACTION        drop, allow or limit CLASS what comes from there, with --for and --comment\n"
	"  list remove PREFIX            an entry that was made by hand\n"
	"  bgp peers, bgp peer NAME      sessions; all of one: messages, capabilities, the last error\n"
	"  bgp listen                    where sessions may be opened, and what came of those who tried\n"
	"  bgp routes [PEER]             what each peer is told, with its attributes; --received: what it asks of the guard\n"
	"  bgp explain VIP               why it is or isn't announced to each peer\n"
	"  bgp announce PREFIX           a VIP's or an aggregate's, whatever its health, with --for; withdraw keeps it back;\n"
	"                                release leaves it to policy again\n"
	"  bgp flowspec                  rules that routers are asked for; announce RULE with --rate, --packets or --sample,\n"
	"                                --to, --for, --anyway: \"dst 192.0.2.1/32 proto udp sport 123\"; withdraw RULE\n"
	"  bgp blackhole                 prefixes that routers are asked to drop (RFC 7999); announce PREFIX with --to, --for,\n"
	"                                --community; withdraw PREFIX\n"
	"  bgp refresh PEER              ask for its routes again\n"
	"  bgp shutdown PEER             end its session with --reason, until bgp open PEER\n"
	"  bgp log                       what happened to sessions and routes; --follow goes on\n"
	"  bgp monitors                  BMP collectors and the MRT file: connected or not, sent, lost\n"
	"  reload                        read the configuration file again\n"
	"  wait CONDITION                dataplane, generation, settled, established, announced or drained\n"
	"options:\n"
	"  --socket PATH     of the control plane (" CONTROL_SOCKET_DEFAULT ")\n"
	"  --json            the result as it is\n"
	"  --watch           again each second\n"
	"  --all             drops: those that count nothing too\n"
	"  --verbose         attacks: all of each\n"
	"  --timeout TIME    wait, node drain: at most so long, as 500ms, 30s, 2m (30s; node drain: 60m)\n"
	"  --for TIME        list add, filter add, bgp announcements: 90s, 10m, 2h, 7d; else for good\n"
	"  --rate BYTES, --packets NUMBER, --sample   bgp flowspec announce: so much a second (0 drops), or one in some\n"
	"  --to PEER         bgp flowspec, bgp blackhole announce: ask this peer alone\n"
	"  --community LIST  bgp blackhole announce: besides blackhole and no-export, as 65000:666,65000:1:2\n"
	"  --anyway          bgp flowspec announce: a rule for what is not ours\n"
	"  --received        bgp routes: the other direction\n"
	"  --comment TEXT    list add: why\n"
	"  --service NAME    filter add, capture: of this service only\n"
	"  --action WORD     filter add: drop, count or sample (counted, and kept by captures)\n"
	"  --object FILE, --section NAME   filter add: an eBPF object, and where its program is\n"
	"  --no-wait         node drain: don't wait until traffic has gone\n"
	"  --now             node drain: withdraw at once, without saying goodbye (RFC 8326)\n"
	"  --reason TEXT     bgp shutdown: what the peer is told (RFC 9003); capture: a reason of `drops`\n"
	"  --follow          bgp log: go on as things happen\n"
	"  -w, --write FILE  capture: where to; - is the standard output: `... -w - | tcpdump -r -`\n"
	"  --dropped, --passed   capture: such packets only; neither or both: all, answered ones too\n"
	"  --sampled         capture: only what met a filter or signature with the action sample\n"
	"  --expr EXPRESSION capture: what a tcpdump expression matches\n"
	"  --one-in N        capture: one in so many\n"
	"  -c, --count N, --seconds S   capture: when to end (10000, 60)\n"
	"  --snap N          capture: octets of each packet (2048)\n"
	"  --version, --help\n"
	"exit: 0 done, 1 refused or not met in time, 2 usage, 3 no control plane there or it broke off\n";

#define COLUMNS(...) ((const struct table_column[]){__VA_ARGS__, {0}})
#define PEERS                                                                                                                  \
	COLUMNS({"PEER", "peer"}, {"ADDRESS", "address"}, {"AS", "as"}, {"STATE", "state"}, {"SINCE", "since_s"},              \
		{"HOLD", "hold_s"}, {"ADVERTISED", "advertised"}, {"UPDATES", "updates_sent"}, {"FLAPS", "flaps"},             \
		{"LAST ERROR", "last_error"})

/* The commands that show a list. */
static const struct view {
	const char *name;
	const struct table_column *columns;
} views[] = {
	{"services", COLUMNS({"SERVICE", "name"}, {"VIP", "vip"}, {"PROTO", "protocol"}, {"PORT", "port"},
			     {"POOL", "pool"}, {"PACKETS", "packets"}, {"BYTES", "bytes"}, {"OPENINGS", "openings"},
			     {"DROPPED", "dropped"}, {"GUARD", "guard"}, {"ANNOUNCED", "announced"}, {"REASON", "reason"})},
	{"backends", COLUMNS({"POOL", "pool"}, {"BACKEND", "name"}, {"ADDRESS", "address"}, {"WEIGHT", "weight"},
			     {"SHARE%", "share_percent"}, {"HEALTH", "health"}, {"ADMIN", "admin"},
			     {"PACKETS", "packets"}, {"OPENINGS", "openings"}, {"REASON", "reason"})},
	{"vips", COLUMNS({"VIP", "name"}, {"PREFIX", "prefix"}, {"STATE", "state"}, {"REASON", "reason"})},
	{"bgp", PEERS},
	{"bgp peers", PEERS},
	{"bfd", COLUMNS({"PEER", "peer"}, {"ADDRESS", "address"}, {"KIND", "kind"}, {"STATE", "state"}, {"REMOTE", "remote_state"},
			{"SINCE", "since_s"}, {"TX ms", "transmit_ms"}, {"RX ms", "receive_ms"}, {"DETECT ms", "detection_ms"},
			{"SENT", "sent"}, {"RECEIVED", "received"}, {"REFUSED", "refused"}, {"AUTH", "auth"}, {"DOWNS", "downs"},
			{"REASON", "reason"})},
	{"bgp routes", COLUMNS({"PEER", "peer"}, {"PREFIX", "prefix"}, {"STATE", "state"}, {"NEXT HOP", "next_hop"},
			       {"PREPEND", "prepend"}, {"MED", "med"}, {"LOCAL PREF", "local_pref"},
			       {"COMMUNITIES", "communities"})},
	{"bgp flowspec", COLUMNS({"RULE", "rule"}, {"ACTION", "action"}, {"TO", "to"}, {"PEERS", "peers"}, {"TOLD", "told"},
				 {"LEFT s", "left_s"})},
	{"bgp blackhole", COLUMNS({"PREFIX", "prefix"}, {"TO", "to"}, {"PEERS", "peers"}, {"TOLD", "told"}, {"LEFT s", "left_s"},
				  {"COMMUNITIES", "communities"})},
	{"bgp log", COLUMNS({"ID", "id"}, {"TIME ms", "time_ms"}, {"KIND", "kind"}, {"OF", "subject"}, {"WHAT", "text"})},
	{"bgp monitors", COLUMNS({"MONITOR", "monitor"}, {"KIND", "kind"}, {"TO", "to"}, {"STATE", "state"}, {"SINCE", "since_s"},
				 {"QUEUE", "queue"}, {"SENT", "sent"}, {"BYTES", "bytes"}, {"DROPS", "drops"},
				 {"LOST", "lost"}, {"ROTATIONS", "rotations"}, {"ERROR", "error"})},
	{"workers", COLUMNS({"WORKER", "worker"}, {"BEAT ms", "heartbeat_ms"}, {"RX", "rx_packets"},
			    {"TX", "tx_packets"},
			    {"BURSTS", "bursts"}, {"SLEEPS", "sleeps"}, {"LOOKUPS", "flow_lookups"},
			    {"HITS", "flow_hits"}, {"INSERTS", "flow_inserts"}, {"EVICTIONS", "flow_evictions"})},
	{"ports", COLUMNS({"PORT", "port"}, {"INTERFACE", "interface"}, {"LINK", "link"}, {"MTU", "mtu"},
			  {"RX", "rx_packets"}, {"MISSED", "rx_missed"}, {"TX", "tx_packets"},
			  {"TO KERNEL", "kernel_unicast"}, {"MULTICAST", "kernel_multicast"},
			  {"BROADCAST", "kernel_broadcast"})},
	{"drops", COLUMNS({"REASON", "reason"}, {"PACKETS", "packets"}, {"SERVICES", "services"}, {"WHAT", "text"})},
	{"lists", COLUMNS({"PREFIX", "prefix"}, {"ACTION", "action"}, {"FROM", "source"}, {"IN FORCE", "in_force"},
			  {"LEFT s", "left_s"}, {"COMMENT", "comment"})},
	{"filters", COLUMNS({"ID", "id"}, {"ORIGIN", "origin"}, {"SERVICE", "service"}, {"ACTION", "action"}, {"HITS", "hits"},
			    {"LEFT s", "left_s"}, {"FILTER", "filter"})},
	{"imports", COLUMNS({"PEER", "peer"}, {"KIND", "kind"}, {"ACTION", "action"}, {"STATE", "state"}, {"HITS", "hits"},
			    {"TOLD s", "told_s"}, {"RULE", "rule"}, {"REASON", "reason"})},
	{"signatures", COLUMNS({"SIGNATURE", "name"}, {"PROTO", "protocol"}, {"ACTION", "action"}, {"HITS", "hits"},
			       {"KNOWN BY", "known_by"})},
	{"talkers", COLUMNS({"SERVICE", "service"}, {"WHAT", "of"}, {"VALUE", "value"}, {"SHARE%", "share_percent"},
			    {"+-%", "error_percent"})},
	{"attacks", COLUMNS({"ID", "id"}, {"SERVICE", "service"}, {"STATE", "state"}, {"VECTOR", "vector"}, {"BEGAN s", "begun_s"},
			    {"LASTED s", "lasted_s"}, {"OVER IN", "meters"}, {"PEAK pps", "peak_pps"},
			    {"kbit/s", "peak_kbps"}, {"PACKETS", "packets"}, {"STOPPED%", "stopped_percent"},
			    {"BY", "by"})},
};

/* The commands that have words or results of their own. A word "" stands for any. */
static const struct {
	const char *words[COMMAND_WORDS_MAX];
	const char *method;
} forms[] = {
	{{"status"}, "status"},
	{{"reload"}, "reload"},
	{{"backends", ""}, "backends"},
	{{"attacks", ""}, "attacks"},
	{{"talkers", ""}, "talkers"},
	{{"backend", "drain", ""}, "backend.drain"},
	{{"backend", "undrain", ""}, "backend.undrain"},
	{{"node", "drain"}, "node.drain"},
	{{"node", "undrain"}, "node.undrain"},
	{{"wait", ""}, "wait"},
	{{"bgp", "peers"}, "bgp"},
	{{"bgp", "peer", ""}, "bgp.peer"},
	{{"bgp", "listen"}, "bgp.listen"},
	{{"bgp", "routes"}, "bgp.routes"},
	{{"bgp", "routes", ""}, "bgp.routes"},
	{{"bgp", "explain", ""}, "bgp.explain"},
	{{"bgp", "flowspec"}, "bgp.flowspec"},
	{{"bgp", "flowspec", "announce", ""}, "bgp.flowspec.announce"},
	{{"bgp", "flowspec", "withdraw", ""}, "bgp.flowspec.withdraw"},
	{{"bgp", "blackhole"}, "bgp.blackhole"},
	{{"bgp", "blackhole", "announce", ""}, "bgp.blackhole.announce"},
	{{"bgp", "blackhole", "withdraw", ""}, "bgp.blackhole.withdraw"},
	{{"bgp", "announce", ""}, "bgp.announce"},
	{{"bgp", "withdraw", ""}, "bgp.withdraw"},
	{{"bgp", "release", ""}, "bgp.release"},
	{{"bgp", "refresh", ""}, "bgp.refresh"},
	{{"bgp", "shutdown", ""}, "bgp.shutdown"},
	{{"bgp", "open", ""}, "bgp.open"},
	{{"bgp", "log"}, "bgp.log"},
	{{"bgp", "monitors"}, "bgp.monitors"},
	{{"capture"}, "capture"},
	{{"list", "add", "", ""}, "list.add"},
	{{"list", "add", "", "limit", ""}, "list.add"},
	{{"list", "remove", ""}, "list.remove"},
	{{"filter", "add", ""}, "filter.add"},
	{{"filter", "add"}, "filter.add"},
	{{"filter", "remove", ""}, "filter.remove"},
};

/* What an option's value is. */
enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_TIME, OPTION_NUMBER };

static const struct choice {
	const char *name;
	char letter; /* 0: it has no short form */
	enum option_kind kind;
	size_t at; /* in struct command */
} choices[] = {
#define CHOICE(name, letter, kind, field) {name, letter, OPTION_##kind, offsetof(struct command, field)}
	CHOICE("socket", 0, TEXT, socket),     CHOICE("json", 0, FLAG, is_json),
	CHOICE("watch", 0, FLAG, is_watch),    CHOICE("all", 0, FLAG, is_all),
	CHOICE("verbose", 0, FLAG, is_verbose), CHOICE("timeout", 0, TIME, timeout_s),
	CHOICE("no-wait", 0, FLAG, no_wait),   CHOICE("for", 0, TEXT, lasts),
	CHOICE("comment", 0, TEXT, comment),   CHOICE("service", 0, TEXT, service),
	CHOICE("action", 0, TEXT, action),     CHOICE("object", 0, TEXT, object),
	CHOICE("section", 0, TEXT, section),   CHOICE("now", 0, FLAG, is_now),
	CHOICE("reason", 0, TEXT, reason),     CHOICE("follow", 0, FLAG, follows),
	CHOICE("dropped", 0, FLAG, is_dropped), CHOICE("passed", 0, FLAG, is_passed),
	CHOICE("sampled", 0, FLAG, only_sampled), CHOICE("expr", 0, TEXT, expression),
	CHOICE("one-in", 0, NUMBER, nth),      CHOICE("write", 'w', TEXT, write),
	CHOICE("count", 'c', NUMBER, count),   CHOICE("seconds", 0, NUMBER, seconds),
	CHOICE("rate", 0, TEXT, rate),	       CHOICE("packets", 0, TEXT, packets),
	CHOICE("sample", 0, FLAG, is_sampled), CHOICE("to", 0, TEXT, to),
	CHOICE("community", 0, TEXT, community), CHOICE("anyway", 0, FLAG, is_anyway),
	CHOICE("received", 0, FLAG, is_received),
	CHOICE("snap", 0, NUMBER, snap),       CHOICE("version", 0, FLAG, wants_version),
	CHOICE("help", 0, FLAG, wants_help),
#undef CHOICE
};

static int
time_parse(const char *text, double *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !isfinite(value) || value <= 0)
		return -EINVAL;
	if (strcmp(end, "ms") == 0)
		value /= 1000;
	else if (strcmp(end, "m") == 0)
		value *= 60;
	else if (strcmp(end, "s") != 0)
		return -EINVAL;
	if (value > TIMEOUT_MAX_S)
		return -EINVAL;
	*out = value;
	return 0;
}

static int
number_parse(const char *text, unsigned *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > INT32_MAX)
		return -EINVAL;
	*out = (unsigned)value;
	return 0;
}

/* NULL, or what the value has to be. */
static const char *
option_take(struct command *c, const struct choice *choice, const char *value)
{
	void *at = (char *)c + choice->at;

	switch (choice->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return NULL;
	case OPTION_TEXT:
		*(const char **)at = value;
		return NULL;
	case OPTION_TIME:
		return time_parse(value, at) == 0 ? NULL : "write a time as 500ms, 30s or 2m, a day at most";
	case OPTION_NUMBER:
		return number_parse(value, at) == 0 ? NULL : "write a number from 1";
	}
	return NULL;
}

/* The index of a choice that getopt_long gave by its place or its letter; -1: '?'. */
static int
choice_lookup(int option)
{
	for (unsigned i = 0; i < ARRAY_LEN(choices); i++) {
		if (option == OPTION_FIRST + (int)i || (choices[i].letter && option == choices[i].letter))
			return (int)i;
	}
	return -1;
}

static int
options_parse(int argc, char **argv, struct command *c, char fault[static COMMAND_FAULT_MAX])
{
	struct option longs[ARRAY_LEN(choices) + 1] = {0};
	int option;

	for (unsigned i = 0; i < ARRAY_LEN(choices); i++)
		longs[i] = (struct option){choices[i].name, choices[i].kind == OPTION_FLAG ? no_argument : required_argument,
					   NULL, OPTION_FIRST + (int)i};
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "w:c:", longs, NULL)) != -1) {
		int at = choice_lookup(option);
		const char *wrong = "unknown option, or its value is missing";

		if (at >= 0)
			wrong = option_take(c, &choices[at], optarg);
		if (!wrong)
			continue;
		snprintf(fault, COMMAND_FAULT_MAX, at < 0 ? "%s%.60s: %s" : "--%s %.40s: %s", at < 0 ? "" : choices[at].name,
			 at < 0 ? argv[optind - 1] : optarg, wrong);
		return -EINVAL;
	}
	return 0;
}

int
command_parse(int argc, char **argv, struct command *command, char fault[static COMMAND_FAULT_MAX])
{
	struct command c = {.socket = CONTROL_SOCKET_DEFAULT};

	if (options_parse(argc, argv, &c, fault) != 0)
		return -EINVAL;
	for (; optind < argc && c.n_words < COMMAND_WORDS_MAX; optind++)
		c.words[c.n_words++] = argv[optind];
	snprintf(fault, COMMAND_FAULT_MAX, "%s", c.n_words == 0 ? "a command is missing" : "too many words");
	if (!c.wants_help && !c.wants_version && (optind < argc || c.n_words == 0))
		return -EINVAL;
	*command = c;
	return 0;
}

/* Of bgp's commands two words are the name. */
static const struct view *
view_lookup(const struct command *c)
{
	char name[64];

	snprintf(name, sizeof(name), "%.24s%s%.24s", c->words[0], c->n_words > 1 && strcmp(c->words[0], "bgp") == 0 ? " " : "",
		 c->n_words > 1 && strcmp(c->words[0], "bgp") == 0 ? c->words[1] : "");
	for (unsigned i = 0; i < ARRAY_LEN(views); i++) {
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	}
	return NULL;
}

static bool
form_fits(const struct command *c, const char *const words[COMMAND_WORDS_MAX])
{
	for (unsigned i = 0; i < COMMAND_WORDS_MAX; i++) {
		const char *word = i < c->n_words ? c->words[i] : NULL;

		if (!word != !words[i] || (word && *words[i] && strcmp(word, words[i]) != 0))
			return false;
	}
	return true;
}

static void
param_add(json_t *params, const char *name, const char *value)
{
	if (value)
		json_object_set_new(params, name, json_string(value));
}

static json_t *
list_params(const struct command *c)
{
	json_t *params = json_pack("{s:s}", "prefix", c->words[2]);
	char *end;
	long class;

	if (c->n_words > 3)
		json_object_set_new(params, "action", json_string(c->words[3]));
	if (c->n_words > 4) {
		class = strtol(c->words[4], &end, 10);
		json_object_set_new(params, "class", json_integer(*end ? -1 : class)); /* -1: refused with the range */
	}
	param_add(params, "for", c->lasts);
	param_add(params, "comment", c->comment);
	return params;
}

static json_t *
filter_params(const struct command *c)
{
	json_t *params = json_object();

	if (strcmp(c->words[1], "remove") == 0) {
		json_object_set_new(params, "id", json_integer(strtol(c->words[2], NULL, 10)));
		return params;
	}
	param_add(params, "expression", c->n_words > 2 ? c->words[2] : NULL);
	param_add(params, "object", c->object);
	param_add(params, "section", c->section);
	param_add(params, "service", c->service);
	param_add(params, "action", c->action);
	param_add(params, "for", c->lasts);
	return params;
}

/* What is no number is refused with the range. */
static void
number_add(json_t *params, const char *name, const char *text)
{
	char *end;
	long long value;

	if (!text)
		return;
	value = strtoll(text, &end, 10);
	json_object_set_new(params, name, json_integer(end == text || *end ? -1 : value));
}

static json_t *
originate_params(const struct command *c)
{
	json_t *params = json_object();

	if (c->n_words < 4)
		return params;
	param_add(params, strcmp(c->words[1], "flowspec") == 0 ? "rule" : "prefix", c->words[3]);
	number_add(params, "bytes_s", c->rate);
	number_add(params, "packets_s", c->packets);
	if (c->is_sampled)
		json_object_set_new(params, "sample", json_true());
	if (c->is_anyway)
		json_object_set_new(params, "anyway", json_true());
	param_add(params, "to", c->to);
	param_add(params, "for", c->lasts);
	param_add(params, "communities", c->community);
	return params;
}

static json_t *
capture_params(const struct command *c)
{
	const struct {
		const char *name;
		unsigned value;
	} numbers[] = {{"count", c->count}, {"seconds", c->seconds}, {"sample", c->nth}, {"snap", c->snap}};
	json_t *params = json_pack("{s:b}", "sampled", c->only_sampled);

	if (c->is_dropped != c->is_passed)
		param_add(params, "ends", c->is_dropped ? "dropped" : "passed");
	param_add(params, "reason", c->reason);
	param_add(params, "service", c->service);
	param_add(params, "expression", c->expression);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		if (numbers[i].value)
			json_object_set_new(params, numbers[i].name, json_integer(numbers[i].value));
	}
	return params;
}

static json_t *
session_params(const struct command *c)
{
	const char *what = c->words[1], *of = c->n_words > 2 ? c->words[2] : NULL;
	bool is_prefix = strcmp(what, "announce") == 0 || strcmp(what, "withdraw") == 0 || strcmp(what, "release") == 0;
	json_t *params = json_object();

	param_add(params, strcmp(what, "explain") == 0 ? "vip" : is_prefix ? "prefix" : "peer", of);
	param_add(params, "for", c->lasts);
	param_add(params, "reason", c->reason);
	if (c->is_received)
		json_object_set_new(params, "received", json_true());
	return params;
}

static json_t *
bgp_params(const struct command *c)
{
	if (c->n_words > 1 && (strcmp(c->words[1], "flowspec") == 0 || strcmp(c->words[1], "blackhole") == 0))
		return originate_params(c);
	return session_params(c);
}

static json_t *
params_of(const struct command *c)
{
	double timeout_s = c->timeout_s > 0 ? c->timeout_s : TIMEOUT_DEFAULT_S;

	if (strcmp(c->words[0], "list") == 0)
		return list_params(c);
	if (strcmp(c->words[0], "filter") == 0)
		return filter_params(c);
	if (strcmp(c->words[0], "bgp") == 0)
		return bgp_params(c);
	if (strcmp(c->words[0], "capture") == 0)
		return capture_params(c);
	if (strcmp(c->words[0], "node") == 0)
		return json_pack("{s:b}", "now", c->is_now);
	if (strcmp(c->words[0], "talkers") == 0)
		return json_pack("{s:s}", "service", c->words[1]);
	if (strcmp(c->words[0], "backend") == 0)
		return json_pack("{s:s}", "backend", c->words[2]);
	if (strcmp(c->words[0], "wait") == 0)
		return json_pack("{s:s, s:f}", "for", c->words[1], "timeout_s", timeout_s);
	return NULL;
}

const char *
command_method(const struct command *command, json_t **params)
{
	*params = NULL;
	if (command->n_words == 1 && view_lookup(command))
		return command->words[0];
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		if (!form_fits(command, forms[i].words))
			continue;
		*params = params_of(command);
		return forms[i].method;
	}
	return NULL;
}

const struct table_column *
command_columns(const struct command *command)
{
	static const struct command imports = {.n_words = 1, .words = {"imports"}};
	const struct view *view = view_lookup(command->is_received ? &imports : command);

	return view ? view->columns : NULL;
}

const struct table_column *
command_details(const struct command *command, const char **member)
{
	static const struct table_column talkers[] = {{"WHAT", "of"},	       {"VALUE", "value"},     {"PACKETS", "packets"},
						      {"SHARE%", "share_percent"}, {"+-%", "error_percent"}, {0}};
	static const struct table_column peers[] = {{"PEER", "peer"},	       {"ANNOUNCED", "announced"}, {"REASON", "reason"},
						    {"NEXT HOP", "next_hop"}, {"PREPEND", "prepend"},	  {"MED", "med"},
						    {"LOCAL PREF", "local_pref"}, {"COMMUNITIES", "communities"}, {0}};

	*member = "peers";
	if (command->n_words == 3 && strcmp(command->words[0], "bgp") == 0 && strcmp(command->words[1], "explain") == 0)
		return peers;
	*member = "talkers";
	return strcmp(command->words[0], "attacks") == 0 && (command->is_verbose || command->n_words == 2) ? talkers : NULL;
}

/* Is the row one of those that the command's second word asks for? */
static bool
row_is_asked_for(const struct command *command, const json_t *row)
{
	const char *pool = json_string_value(json_object_get(row, "pool"));
	char id[24];

	if (command->n_words != 2)
		return true;
	if (strcmp(command->words[0], "backends") == 0)
		return pool && strcmp(pool, command->words[1]) == 0;
	if (strcmp(command->words[0], "attacks") != 0)
		return true;
	snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_object_get(row, "id")));
	return strcmp(id, command->words[1]) == 0;
}

void
command_narrow(const struct command *command, json_t *list)
{
	bool no_zeros = strcmp(command->words[0], "drops") == 0 && !command->is_all && !command->is_json;

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *row = json_array_get(list, i);

		if (!row_is_asked_for(command, row) ||
		    (no_zeros && json_integer_value(json_object_get(row, "packets")) == 0))
			json_array_remove(list, i);
	}
}

const char *
command_usage(void)
{
	return usage;
}
