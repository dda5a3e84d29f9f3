/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcast-backend: arguments and signals of the decapsulator on a server. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/attach.h"

static const char usage[] =
	"usage: nearcast-backend --interface NAME --source PREFIX... --vip PREFIX... [options]\n"
	"       nearcast-backend --interface NAME --show\n"
	"Takes the outer headers off what nearcast's edges send to this server: IP in IP, GRE, GUE. Runs until it is ended.\n"
	"  --interface NAME  the NIC that the tunnels come in on\n"
	"  --source PREFIX   outer sources that are believed: the edges' addresses; can be repeated\n"
	"  --vip PREFIX      inner destinations that are taken in; can be repeated\n"
	"  --mode MODE       auto, native (XDP in the driver), generic (XDP in the stack) or tc (auto)\n"
	"  --gue-port PORT   UDP port of GUE (6080)\n"
	"  --show            print what the running one has counted, and exit\n"
	"  --version         print the version and exit\n"
	"  --help            print this and exit\n"
	"exit: 0 ended by SIGINT or SIGTERM, or shown; 1 it can't be done; 2 usage\n";

struct options {
	char interface[IF_NAMESIZE];
	struct prefix sources[DECAP_PREFIXES_MAX];
	struct prefix vips[DECAP_PREFIXES_MAX];
	unsigned n_sources;
	unsigned n_vips;
	enum attach_mode mode;
	uint16_t gue_port;
	bool show;
};

static int
refuse(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "nearcast-backend: --%s %s: %s\n", option, value, why);
	return -1;
}

static int
prefix_take(const char *option, const char *text, struct prefix *list, unsigned *n)
{
	if (*n == DECAP_PREFIXES_MAX)
		return refuse(option, text, "too many: 1,024 can be given");
	if (prefix_parse(text, &list[*n]) != 0)
		return refuse(option, text, "not a prefix: give ADDRESS/LENGTH without host bits, as 10.77.1.0/24 or fd77:1::/64");
	(*n)++;
	return 0;
}

static int
mode_take(const char *text, enum attach_mode *out)
{
	for (enum attach_mode mode = ATTACH_AUTO; mode < ATTACH_MODES; mode++) {
		if (strcmp(text, attach_mode_name(mode)) == 0) {
			*out = mode;
			return 0;
		}
	}
	return refuse("mode", text, "use auto, native, generic or tc");
}

static int
port_take(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || port == 0 || port > UINT16_MAX)
		return refuse("gue-port", text, "not a port: 1 to 65535");
	*out = (uint16_t)port;
	return 0;
}

static int
interface_take(const char *text, char out[IF_NAMESIZE])
{
	if (strlen(text) >= IF_NAMESIZE || if_nametoindex(text) == 0)
		return refuse("interface", text, "there is no such interface (ip link lists them)");
	strcpy(out, text);
	return 0;
}

static int
option_take(struct options *o, int option)
{
	switch (option) {
	case 'i':
		return interface_take(optarg, o->interface);
	case 's':
		return prefix_take("source", optarg, o->sources, &o->n_sources);
	case 'v':
		return prefix_take("vip", optarg, o->vips, &o->n_vips);
	case 'm':
		return mode_take(optarg, &o->mode);
	case 'g':
		return port_take(optarg, &o->gue_port);
	case 'S':
		o->show = true;
		return 0;
	case 'V':
		puts("nearcast-backend " NEARCAST_VERSION);
		return 1;
	case 'h':
		fputs(usage, stdout);
		return 1;
	default:
		return -1;
	}
}

/* 0: go on; 1: done; -1: usage error, told. */
static int
options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"interface", required_argument, NULL, 'i'}, {"source", required_argument, NULL, 's'},
		{"vip", required_argument, NULL, 'v'},	     {"mode", required_argument, NULL, 'm'},
		{"gue-port", required_argument, NULL, 'g'},  {"show", no_argument, NULL, 'S'},
		{"version", no_argument, NULL, 'V'},	     {"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		int done = option_take(o, option);

		if (done)
			return done;
	}
	if (optind < argc) {
		fprintf(stderr, "nearcast-backend: %s: arguments without an option are not taken\n", argv[optind]);
		return -1;
	}
	if (!o->interface[0] || (!o->show && (o->n_sources == 0 || o->n_vips == 0))) {
		fputs("nearcast-backend: --interface, and at least one --source and one --vip are needed\n", stderr);
		return -1;
	}
	return 0;
}

static int
show(const struct options *o)
{
	static const struct {
		const char *name;
		const char *what;
	} rows[DECAP_COUNTER_COUNT] = {
#define ROW(name, text, what) [DECAP_##name] = {text, what},
		DECAP_COUNTERS(ROW)};
	uint64_t counters[DECAP_COUNTER_COUNT];
	enum attach_mode mode;
	int err = attach_read(if_nametoindex(o->interface), &mode, counters);

	if (err == -ENOENT) {
		fprintf(stderr, "nearcast-backend: none runs on %s\n", o->interface);
		return EXIT_FAILURE;
	}
	if (err) {
		fprintf(stderr, "nearcast-backend: %s: %s\n", o->interface, strerror(-err));
		return EXIT_FAILURE;
	}
	printf("%s, mode %s\n%-8s %12s  %s\n", o->interface, attach_mode_name(mode), "COUNTER", "PACKETS", "WHAT");
	for (unsigned c = 0; c < DECAP_COUNTER_COUNT; c++)
		printf("%-8s %12" PRIu64 "  %s\n", rows[c].name, counters[c], rows[c].what);
	return EXIT_SUCCESS;
}

static const char *
advice(int err)
{
	switch (err) {
	case -EBUSY:
		return ": a program is there already: end it, or use --mode tc";
	case -EPERM:
		return ": run as root, or with CAP_BPF and CAP_NET_ADMIN";
	case -EOPNOTSUPP:
		return ": the driver can't: use --mode generic or tc";
	default:
		return "";
	}
}

static int
run(const struct options *o)
{
	struct attach_rules rules = {.sources = o->sources,
				     .vips = o->vips,
				     .n_sources = o->n_sources,
				     .n_vips = o->n_vips,
				     .gue_port = o->gue_port};
	struct attach *attach;
	sigset_t ends;
	int err, number;

	/* Blocked before anything is hooked, so that no signal comes between the hook and its removal. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	err = attach_open(&attach, if_nametoindex(o->interface), o->mode, &rules);
	if (err) {
		fprintf(stderr, "nearcast-backend: %s, mode %s: %s%s\n", o->interface, attach_mode_name(o->mode),
			strerror(-err), advice(err));
		return EXIT_FAILURE;
	}
	printf("nearcast-backend: takes tunnels on %s, mode %s\n", o->interface, attach_mode_name(attach_mode_of(attach)));
	fflush(stdout);
	sigwait(&ends, &number);
	attach_close(attach);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	static struct options options = {.gue_port = DECAP_GUE_PORT};
	int done = options_parse(argc, argv, &options);

	if (done < 0) {
		fputs("Try nearcast-backend --help.\n", stderr);
		return 2;
	}
	if (done > 0)
		return EXIT_SUCCESS;
	return options.show ? show(&options) : run(&options);
}
