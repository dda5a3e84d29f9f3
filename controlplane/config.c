/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/schema.h"

void
reading_fail(struct reading *r, const struct yaml_tree *at, const char *text, ...)
{
	struct config_errors *errors = r->errors;
	char message[150];
	va_list args;

	if (errors->n++ >= CONFIG_ERRORS_MAX)
		return;
	va_start(args, text);
	vsnprintf(message, sizeof(message), text, args);
	va_end(args);
	/* What the file says is shown to people: no control characters (terminal escapes) get through. */
	for (char *c = message; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	struct config_error *error = &errors->list[errors->n - 1];

	*error = (struct config_error){.line = at ? at->line : 0, .column = at ? at->column : 0};
	if (at)
		snprintf(error->text, sizeof(error->text), "%.300s:%u:%u: %s", r->name, at->line, at->column, message);
	else
		snprintf(error->text, sizeof(error->text), "%.300s: %s", r->name, message);
}

/* By line and column; faults of one place stay in the order in which they were found. */
static void
errors_sort(struct config_errors *errors)
{
	unsigned n = errors->n < CONFIG_ERRORS_MAX ? errors->n : CONFIG_ERRORS_MAX;

	for (unsigned i = 1; i < n; i++) {
		struct config_error error = errors->list[i];
		unsigned k = i;

		for (; k > 0; k--) {
			const struct config_error *before = &errors->list[k - 1];

			if (before->line < error.line || (before->line == error.line && before->column <= error.column))
				break;
			errors->list[k] = *before;
		}
		errors->list[k] = error;
	}
}

int
config_parse(const char *name, const char *text, size_t len, struct model **out, struct config_errors *errors)
{
	struct reading r = {.name = name, .errors = errors, .model = calloc(1, sizeof(*r.model))};
	struct yaml_fault fault = {0};
	struct yaml_tree *root = NULL;
	int err;

	*errors = (struct config_errors){0};
	if (!r.model)
		return -ENOMEM;
	err = yaml_tree_load(text, len, &root, &fault);
	if (err == -EINVAL)
		reading_fail(&r, &(struct yaml_tree){.line = fault.line, .column = fault.column}, "%s", fault.text);
	if (err == 0) {
		schema_read(&r, root);
		if (!r.no_memory)
			config_check(&r, root);
		errors_sort(errors);
		yaml_tree_free(root);
		if (errors->n > 0)
			err = -EINVAL;
		else if (r.no_memory)
			err = -ENOMEM;
	}
	if (err != 0) {
		model_free(r.model);
		return err;
	}
	*out = r.model;
	return 0;
}

int
config_load(const char *path, struct model **out, struct config_errors *errors)
{
	struct reading r = {.name = path, .errors = errors};
	FILE *file = fopen(path, "re");
	char *text;
	size_t len;
	int err;

	*errors = (struct config_errors){0};
	if (!file) {
		reading_fail(&r, NULL, "%s", strerror(errno));
		return -EINVAL;
	}
	text = malloc(YAML_TEXT_MAX + 1);
	if (!text) {
		fclose(file);
		return -ENOMEM;
	}
	errno = 0;
	len = fread(text, 1, YAML_TEXT_MAX + 1, file);
	if (ferror(file)) {
		reading_fail(&r, NULL, "%s", strerror(errno));
		err = -EINVAL;
	} else {
		err = config_parse(path, text, len, out, errors);
	}
	free(text);
	fclose(file);
	return err;
}

void
config_errors_add(struct config_errors *errors, const char *text, ...)
{
	struct config_error *error;
	va_list args;

	if (errors->n++ >= CONFIG_ERRORS_MAX)
		return;
	error = &errors->list[errors->n - 1];
	*error = (struct config_error){0};
	va_start(args, text);
	vsnprintf(error->text, sizeof(error->text), text, args);
	va_end(args);
}

void
config_errors_print(const struct config_errors *errors, FILE *file)
{
	for (unsigned i = 0; i < errors->n && i < CONFIG_ERRORS_MAX; i++)
		fprintf(file, "%s\n", errors->list[i].text);
	if (errors->n > CONFIG_ERRORS_MAX)
		fprintf(file, "and %u more\n", errors->n - CONFIG_ERRORS_MAX);
}

void
config_errors_format(const struct config_errors *errors, char *text, size_t size)
{
	size_t at = 0;

	if (size == 0)
		return;
	text[0] = '\0';
	for (unsigned i = 0; i < errors->n && i < CONFIG_ERRORS_MAX && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i > 0 ? "\n" : "", errors->list[i].text);
	if (errors->n > CONFIG_ERRORS_MAX && at < size)
		snprintf(text + at, size - at, "\nand %u more", errors->n - CONFIG_ERRORS_MAX);
}
