/* SPDX-License-Identifier: BSD-2-Clause */
/* nearcast-controlplane: arguments and signals. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "controlplane/node.h"

static const char usage[] =
	"usage: nearcast-controlplane [options] FILE\n"
	"Checks backends, announces VIPs by BGP and gives the dataplane its tables, as FILE (YAML) says.\n"
	"  --check          validate FILE and exit: 0 valid, 1 not (each fault with its place)\n"
	"  --print          with --check: print the effective configuration, defaults filled in\n"
	"  --log-level L    error, warning, notice, info or debug (info)\n"
	"  --version        print the version and exit\n"
	"  --help           print this and exit\n"
	"Signals: SIGHUP reloads FILE, SIGTERM and SIGINT end BGP sessions and exit; the dataplane forwards on.\n";

struct options {
	const char *path;
	enum log_level level;
	bool check;
	bool print;
};

static int
level_parse(const char *text, enum log_level *out)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	fprintf(stderr, "nearcast-controlplane: --log-level %s: use error, warning, notice, info or debug\n", text);
	return -1;
}

/* 0: go on; 1: done, exit with success; -1: usage error, told. */
static int
options_parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{"check", no_argument, NULL, 'c'},   {"print", no_argument, NULL, 'p'},
		{"log-level", required_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},    {0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->check = true;
			break;
		case 'p':
			options->print = true;
			break;
		case 'l':
			if (level_parse(optarg, &options->level) != 0)
				return -1;
			break;
		case 'V':
			puts("nearcast-controlplane " NEARCAST_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs(usage, stderr);
			return -1;
		}
	}
	if (optind != argc - 1) {
		fputs(usage, stderr);
		return -1;
	}
	options->path = argv[optind];
	return 0;
}

static bool
filters_check(const struct model *model, struct config_errors *errors)
{
	struct filters *filters = filters_new("");
	int err = filters ? filters_adopt(filters, model, errors) : -ENOMEM;

	filters_free(filters);
	return err == 0;
}

/* The files that the configuration names. */
static bool
files_check(const struct model *model, struct config_errors *errors)
{
	struct rules *rules = NULL;

	if (model->signatures[0] && rules_load(model->signatures, &rules, errors) != 0)
		return false;
	rules_free(rules);
	if (!filters_check(model, errors))
		return false;
	for (unsigned i = 0; i < model->n_lists; i++) {
		struct listfile *file = NULL;

		if (listfile_load(model->lists[i].path, (uint64_t)time(NULL), &file, errors) != 0)
			return false;
		listfile_free(file);
	}
	return true;
}

static int
check(const struct options *options)
{
	struct config_errors errors = {0};
	struct model *model = NULL;

	if (config_load(options->path, &model, &errors) != 0 || !files_check(model, &errors)) {
		config_errors_print(&errors, stderr);
		model_free(model);
		return EXIT_FAILURE;
	}
	if (options->print)
		config_print(stdout, model);
	else
		printf("%s: valid: %u VIPs, %u services, %u pools, %u peers\n", options->path, model->n_vips,
		       model->n_services, model->n_pools, model->n_peers);
	model_free(model);
	return EXIT_SUCCESS;
}

static void
on_reload(evutil_socket_t signal, short what, void *context)
{
	struct node *node = context;

	(void)signal;
	(void)what;
	if (node_reload(node) != 0)
		log_error("reload refused, running configuration unchanged: %s", node->config_error);
}

static void
on_stop(evutil_socket_t signal, short what, void *context)
{
	struct event_base *base = context;

	(void)what;
	log_notice("%s: ending", strsignal(signal));
	event_base_loopbreak(base);
}

static int
run(const struct options *options)
{
	struct event_base *base = event_base_new();
	struct node node;
	struct event *signals[3];
	int err;

	if (!base)
		return EXIT_FAILURE;
	err = node_init(&node, base, options->path);
	if (err) {
		event_base_free(base);
		return EXIT_FAILURE;
	}
	signals[0] = evsignal_new(base, SIGHUP, on_reload, &node);
	signals[1] = evsignal_new(base, SIGTERM, on_stop, base);
	signals[2] = evsignal_new(base, SIGINT, on_stop, base);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		event_add(signals[i], NULL);
	event_base_dispatch(base);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		event_free(signals[i]);
	node_fini(&node);
	event_base_free(base);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct options options = {.level = LOG_INFO};
	int parsed = options_parse(argc, argv, &options);

	if (parsed != 0)
		return parsed > 0 ? EXIT_SUCCESS : 2;
	log_init("nearcast-controlplane", options.level);
	signal(SIGPIPE, SIG_IGN);
	return options.check ? check(&options) : run(&options);
}
