/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line as a value: words to one request of abi/control.h, and how its result is shown. No I/O. */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <jansson.h>

#include "ctl/table.h"

enum { COMMAND_WORDS_MAX = 5, COMMAND_FAULT_MAX = 160 };

/* Exit codes; --help tells them. */
enum { COMMAND_REFUSED = 1, COMMAND_USAGE = 2, COMMAND_UNREACHABLE = 3 };

struct command {
	const char *socket;
	bool is_json;
	bool is_watch;
	bool is_all;
	bool is_verbose;
	bool no_wait;
	bool is_now;
	bool follows;
	bool is_received;
	bool is_sampled;
	bool is_anyway;
	bool wants_help;
	bool wants_version;
	double timeout_s; /* 0: not given */
	const char *lasts;   /* --for; NULL: not given */
	const char *comment; /* NULL: not given, as those that follow */
	const char *service;
	const char *action;
	const char *object;
	const char *section;
	const char *reason;
	const char *rate;
	const char *packets;
	const char *to;
	const char *community;
	const char *write;	/* a capture's file; "-": the standard output */
	const char *expression;
	bool is_dropped;
	bool is_passed;
	bool only_sampled;
	unsigned nth;	  /* --one-in N; 0: not given, as those that follow */
	unsigned count;
	unsigned seconds;
	unsigned snap;
	unsigned n_words;
	const char *words[COMMAND_WORDS_MAX];
};

/* -EINVAL with the fault; the command points into argv, whose order getopt changes. */
MUST_CHECK int command_parse(int argc, char **argv, struct command *command, char fault[static COMMAND_FAULT_MAX]);

/* The request's method and parameters (a new reference, or NULL: none). NULL: the words are no command. */
const char *command_method(const struct command *command, json_t **params);

/* The columns of a command that shows a list; NULL: it shows an object. */
const struct table_column *command_columns(const struct command *command);

/* What is shown one by one, an object or the rows of a list, each with a list of its own: its member and columns; else NULL. */
const struct table_column *command_details(const struct command *command, const char **member);

/* Leaves out of a list what wasn't asked for: other pools' backends, other attacks, drops that count nothing. */
void command_narrow(const struct command *command, json_t *list);

const char *command_usage(void);

#endif
