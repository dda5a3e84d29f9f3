/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of config: the file's shape (schema.c), what its values mean together (config_check.c). */
#ifndef CONTROLPLANE_SCHEMA_H
#define CONTROLPLANE_SCHEMA_H

#include "controlplane/config.h"
#include "controlplane/yaml.h"

struct reading {
	const char *name; /* of the file */
	struct config_errors *errors;
	struct model *model;
	bool no_memory;
};

/* at NULL: the file as a whole. */
void reading_fail(struct reading *r, const struct yaml_tree *at, const char *text, ...) PRINTF_LIKE(3, 4);

void schema_guard_section(struct reading *r, const struct yaml_tree *root); /* both before the rest */
void schema_import_defaults(struct model *model);
void schema_bgp_section(struct reading *r, const struct yaml_tree *root);
void schema_read(struct reading *r, const struct yaml_tree *root);
void config_check(struct reading *r, const struct yaml_tree *root);

#endif
