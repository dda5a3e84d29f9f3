/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of what is imported from BGP peers (controlplane/imports.h). */
#include <stdlib.h>
#include <string.h>

#include "controlplane/scalar.h"

enum { FLOWSPEC_DEFAULT = 128, BLACKHOLE_DEFAULT = 64, LIFETIME_DEFAULT_S = 3600, LIFETIME_MAX_S = 30 * 86400 };

void
schema_import_defaults(struct model *model)
{
	for (unsigned i = 0; i < MODEL_IMPORTS; i++)
		model->imports[i] = (struct model_import){.lifetime_s = LIFETIME_DEFAULT_S, .actions = MODEL_IMPORT_ACTIONS};
	model->imports[MODEL_IMPORT_FLOWSPEC].max = FLOWSPEC_DEFAULT;
	model->imports[MODEL_IMPORT_BLACKHOLE].max = BLACKHOLE_DEFAULT;
	/* RFC 7999 3.3: hosts. */
	model->imports[MODEL_IMPORT_BLACKHOLE].shortest_v4 = 32;
	model->imports[MODEL_IMPORT_BLACKHOLE].shortest_v6 = 128;
}

static void
read_actions(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key item_key = {
		.name = "an action", .size = sizeof(uint8_t),
		.words = WORDS({"drop", ABI_FILTER_DROP}, {"count", ABI_FILTER_COUNT}, {"limit", ABI_FILTER_LIMIT},
			       {"sample", ABI_FILTER_SAMPLE})};
	uint8_t *actions = target, action = 0;

	if (value->kind != YAML_KIND_LIST) {
		reading_fail(r, value, "%s must be a list", key->name);
		return;
	}
	*actions = 0;
	for (const struct yaml_tree *item = value->first; item; item = item->next) {
		scalar_word(r, item, &item_key, &action);
		*actions |= (uint8_t)(1U << action);
	}
}

static void
read_within(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key item_key = {.name = "within", .parse = scalar_prefix, .size = sizeof(struct prefix)};
	struct model_import *import = target;
	struct prefix *list = schema_list(r, value, key, sizeof(*list), &import->n_within);
	unsigned i = 0;

	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++)
		scalar_prefix(r, item, &item_key, &list[i]);
	if (list)
		memcpy(import->within, list, import->n_within * sizeof(*list));
	free(list);
}

static void
read_shortest(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "ipv4", .parse = scalar_integer, FIELD(model_import, shortest_v4), .max = 32},
		{.name = "ipv6", .parse = scalar_integer, FIELD(model_import, shortest_v6), .max = 128},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

static void
read_kind(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "max", .parse = scalar_integer, FIELD(model_import, max), .max = MODEL_IMPORTED_MAX},
		{.name = "lifetime", .parse = scalar_seconds, FIELD(model_import, lifetime_s), .max = LIFETIME_MAX_S},
		{.name = "within", .parse = read_within, .max = MODEL_WITHIN_MAX},
		{.name = "shortest", .parse = read_shortest},
		{.name = "actions", .parse = read_actions, FIELD(model_import, actions)},
	};

	/* A blackhole has one action. */
	schema_map(r, value, key->name, keys, key->max ? ARRAY_LEN(keys) : ARRAY_LEN(keys) - 1, target);
}

void
schema_import(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "flowspec", .parse = read_kind, .offset = MODEL_IMPORT_FLOWSPEC * sizeof(struct model_import), .max = 1},
		{.name = "blackhole", .parse = read_kind, .offset = MODEL_IMPORT_BLACKHOLE * sizeof(struct model_import)},
	};

	(void)target;
	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), r->model->imports);
}
