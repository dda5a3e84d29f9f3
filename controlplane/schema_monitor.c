/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of who watches BGP: collectors that are told by BMP, and a file of MRT records. */
#include "controlplane/scalar.h"

enum { ROTATE_MIN = 1000000, ROTATE_DEFAULT = 64000000, AGE_MAX_S = 30 * 86400, KEEP_DEFAULT = 4, STATS_DEFAULT_S = 30 };

void
schema_bmp(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_collector, name), .required = true},
		{.name = "address", .parse = scalar_address, FIELD(model_collector, address), .required = true},
		{.name = "port", .parse = scalar_integer, FIELD(model_collector, port), .required = true, .min = 1,
		 .max = UINT16_MAX},
		{.name = "stats", .parse = scalar_seconds, FIELD(model_collector, stats_s), .max = UINT16_MAX},
	};
	struct model_collector *list = schema_list(r, value, key, sizeof(*list), &r->model->n_collectors);
	unsigned i = 0;

	(void)target;
	r->model->collectors = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++) {
		list[i].stats_s = STATS_DEFAULT_S;
		schema_map(r, item, "a collector", keys, ARRAY_LEN(keys), &list[i]);
	}
}

void
schema_mrt(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "file", .parse = scalar_string, FIELD(model_mrt, file), .required = true},
		{.name = "rotate", .parse = scalar_size, FIELD(model_mrt, rotate), .min = ROTATE_MIN,
		 .max = UINT32_MAX},
		{.name = "age", .parse = scalar_seconds, FIELD(model_mrt, age_s), .max = AGE_MAX_S},
		{.name = "keep", .parse = scalar_integer, FIELD(model_mrt, keep), .max = 99},
	};
	struct model_mrt *mrt = &r->model->mrt;

	(void)target;
	mrt->rotate = ROTATE_DEFAULT;
	mrt->keep = KEEP_DEFAULT;
	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), mrt);
	if (mrt->file[0] && mrt->file[0] != '/')
		reading_fail(r, yaml_tree_get(value, "file"), "file %s: give the whole path", mrt->file);
}
