/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file: YAML in, checked model out, or a list of all that is wrong with it, each with its place.
 * First the shape (keys, types, ranges) is looked at, then what the values mean together; what is wrong by its shape is
 * passed over then.
 */
#ifndef CONTROLPLANE_CONFIG_H
#define CONTROLPLANE_CONFIG_H

#include <stdio.h>

#include "controlplane/model.h"

enum { CONFIG_ERRORS_MAX = 20 };

struct config_errors {
	unsigned n; /* may be above CONFIG_ERRORS_MAX: the list holds the first found, by their place */
	struct config_error {
		unsigned line;
		unsigned column;
		char text[480]; /* FILE:LINE:COL: message */
	} list[CONFIG_ERRORS_MAX];
};

/* -EINVAL with at least one error in the list (a file that can't be read is one too), or -ENOMEM. */
MUST_CHECK int config_load(const char *path, struct model **out, struct config_errors *errors);
MUST_CHECK int config_parse(const char *name, const char *text, size_t len, struct model **out,
			    struct config_errors *errors);

void config_errors_add(struct config_errors *errors, const char *text, ...) PRINTF_LIKE(2, 3);
void config_errors_print(const struct config_errors *errors, FILE *file);
/* Lines joined by newlines, cut at size. */
void config_errors_format(const struct config_errors *errors, char *text, size_t size);

/* The effective configuration, all defaults filled in, as YAML that gives the same model when parsed. */
void config_print(FILE *file, const struct model *model);

#endif
