/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A YAML text as a tree whose nodes know their places. Bounded: YAML_TEXT_MAX octets, YAML_DEPTH_MAX levels, one
 * document, no anchors, aliases, merge keys or tags, no NUL in a scalar. No state; any thread.
 */
#ifndef CONTROLPLANE_YAML_H
#define CONTROLPLANE_YAML_H

#include "base/types.h"

enum { YAML_TEXT_MAX = 4 << 20, YAML_DEPTH_MAX = 16 };
enum yaml_kind { YAML_KIND_SCALAR = 0, YAML_KIND_LIST, YAML_KIND_MAP };

struct yaml_tree {
	enum yaml_kind kind;
	unsigned line; /* from 1 */
	unsigned column;
	char *text;		 /* scalar */
	struct yaml_tree *first; /* list: items; map: key, value, key, value, ... */
	struct yaml_tree *last;
	struct yaml_tree *next;
	unsigned n; /* children */
};

struct yaml_fault {
	unsigned line;
	unsigned column;
	char text[160];
};

/* -EINVAL with the fault, or -ENOMEM; the root of an empty text is a fault. */
MUST_CHECK int yaml_tree_load(const char *text, size_t len, struct yaml_tree **root, struct yaml_fault *fault);
void yaml_tree_free(struct yaml_tree *tree); /* NULL is fine */

/* NULL when there is none; NULL in gives NULL. */
const struct yaml_tree *yaml_tree_get(const struct yaml_tree *map, const char *key);
const struct yaml_tree *yaml_tree_item(const struct yaml_tree *list, unsigned index);

#endif
