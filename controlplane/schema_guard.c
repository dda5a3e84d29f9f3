/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard's part of the file: what holds for all (bogons, reflectors, defaults), and for one service. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/reflectors.h"
#include "controlplane/scalar.h"

static void
read_thresholds(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "packets", .parse = scalar_rate, .offset = ABI_METER_PACKETS * sizeof(uint32_t), .size = 4,
		 .max = UINT32_MAX},
		{.name = "bits", .parse = scalar_kbits, .offset = ABI_METER_BITS * sizeof(uint32_t), .size = 4,
		 .max = UINT32_MAX},
		{.name = "openings", .parse = scalar_rate, .offset = ABI_METER_OPENINGS * sizeof(uint32_t), .size = 4,
		 .max = UINT32_MAX},
		{.name = "fragments", .parse = scalar_rate, .offset = ABI_METER_FRAGMENTS * sizeof(uint32_t), .size = 4,
		 .max = UINT32_MAX},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

#define RATES(type, member)                                                                                               \
	{.name = "packets", .parse = scalar_rate, FIELD(type, member.packets), .max = UINT32_MAX},                       \
	{.name = "bits", .parse = scalar_kbits, FIELD(type, member.kbits), .max = UINT32_MAX},                           \
	{.name = "openings", .parse = scalar_rate, FIELD(type, member.openings), .max = UINT32_MAX}

static void
read_source(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {RATES(model_guard, source)};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

static void
read_prefix(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "ipv4", .parse = scalar_integer, FIELD(model_guard, prefix_v4_len), .min = 1, .max = 32},
		{.name = "ipv6", .parse = scalar_integer, FIELD(model_guard, prefix_v6_len), .min = 1, .max = 128},
		RATES(model_guard, prefix),
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

#define FILTER(key, member)                                                                                            \
	{.name = key, .parse = scalar_word, FIELD(model_guard, member),                                                \
	 .words = WORDS({"auto", MODEL_FILTER_AUTO}, {"off", MODEL_FILTER_OFF}, {"armed", MODEL_FILTER_ARMED},         \
			{"always", MODEL_FILTER_ALWAYS})}

void
schema_guard(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "mode", .parse = scalar_word, FIELD(model_guard, mode),
		 .words = WORDS({"off", MODEL_GUARD_OFF}, {"auto", MODEL_GUARD_AUTO}, {"always", MODEL_GUARD_ALWAYS})},
		{.name = "thresholds", .parse = read_thresholds, FIELD(model_guard, thresholds)},
		{.name = "hold", .parse = scalar_seconds, FIELD(model_guard, hold_s), .min = 1, .max = 36000},
		{.name = "release", .parse = scalar_percent, FIELD(model_guard, percent), .min = 1, .max = 100},
		FILTER("reflectors", reflectors),
		FILTER("not_client", not_client),
		FILTER("dns", dns),
		FILTER("signatures", signatures),
		{.name = "check", .parse = scalar_word, FIELD(model_guard, check),
		 .words = WORDS({"auto", MODEL_CHECK_SOURCE_AUTO}, {"none", MODEL_CHECK_SOURCE_NONE},
				{"syn", MODEL_CHECK_SOURCE_SYN}, {"syn_cookie", MODEL_CHECK_SOURCE_SYN_COOKIE},
				{"dns", MODEL_CHECK_SOURCE_DNS})},
		{.name = "source", .parse = read_source},
		{.name = "prefix", .parse = read_prefix},
		{.name = "burst", .parse = scalar_ms, FIELD(model_guard, burst_ms), .min = 1, .max = 60000},
		{.name = "unknown", .parse = scalar_rate, FIELD(model_guard, unknown), .max = UINT32_MAX},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

static void
read_bogons(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key item_key = {.name = "a bogon", .parse = scalar_prefix,
						   .size = sizeof(struct prefix)};
	struct prefix *bogons = schema_list(r, value, key, sizeof(*bogons), &r->model->n_bogons);
	unsigned i = 0;

	(void)target;
	r->model->bogons = bogons;
	for (const struct yaml_tree *item = value->first; bogons && item; item = item->next, i++) {
		unsigned before = r->errors->n;

		scalar_prefix(r, item, &item_key, &bogons[i]);
		for (unsigned k = 0; r->errors->n == before && k < i; k++) {
			if (bogons[k].len == bogons[i].len && addr_equal(&bogons[k].addr, &bogons[i].addr))
				reading_fail(r, item, "bogon %.64s is there twice", item->text);
		}
	}
}

static void
read_reflectors(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_reflector, name), .required = true},
		{.name = "port", .parse = scalar_integer, FIELD(model_reflector, port), .required = true, .min = 1,
		 .max = UINT16_MAX},
		{.name = "reason", .parse = scalar_string, FIELD(model_reflector, reason)},
	};
	struct model_reflector *list;
	unsigned i = 0, n = 0;

	(void)target;
	list = schema_list(r, value, key, sizeof(*list), &n);
	free(r->model->reflectors);
	r->model->reflectors = list;
	r->model->n_reflectors = n;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next)
		schema_map(r, item, "a reflector", keys, ARRAY_LEN(keys), &list[i++]);
}

static void
read_lists(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_list, name), .required = true},
		{.name = "file", .parse = scalar_string, FIELD(model_list, path), .required = true},
	};
	struct model_list *list = schema_list(r, value, key, sizeof(*list), &r->model->n_lists);
	unsigned i = 0;

	(void)target;
	r->model->lists = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++) {
		schema_map(r, item, "a list", keys, ARRAY_LEN(keys), &list[i]);
		for (unsigned k = 0; k < i; k++) {
			if (list[i].name[0] && strcmp(list[k].name, list[i].name) == 0)
				reading_fail(r, item, "list %s is there twice", list[i].name);
		}
	}
}

static void
read_filters(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_filter_entry, name), .required = true},
		{.name = "expression", .parse = scalar_string, FIELD(model_filter_entry, expression)},
		{.name = "object", .parse = scalar_string, FIELD(model_filter_entry, object)},
		{.name = "section", .parse = scalar_string, FIELD(model_filter_entry, section)},
		{.name = "service", .parse = scalar_name, FIELD(model_filter_entry, service)},
		{.name = "action", .parse = scalar_word, FIELD(model_filter_entry, action),
		 .words = WORDS({"drop", ABI_FILTER_DROP}, {"count", ABI_FILTER_COUNT}, {"sample", ABI_FILTER_SAMPLE})},
	};
	struct model_filter_entry *list = schema_list(r, value, key, sizeof(*list), &r->model->n_filters);
	unsigned i = 0;

	(void)target;
	r->model->filters = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++) {
		unsigned before = r->errors->n;

		memcpy(list[i].section, "filter", sizeof("filter"));
		schema_map(r, item, "a filter", keys, ARRAY_LEN(keys), &list[i]);
		if (r->errors->n == before && !list[i].expression[0] == !list[i].object[0])
			reading_fail(r, item, "filter %s must have either an expression or an object", list[i].name);
		for (unsigned k = 0; r->errors->n == before && k < i; k++) {
			if (strcmp(list[k].name, list[i].name) == 0)
				reading_fail(r, item, "filter %s is there twice", list[i].name);
		}
	}
}

static void
read_list_classes(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "class", .parse = scalar_integer, FIELD(model_list_class, class), .required = true,
		 .max = ABI_LIST_CLASSES - 1},
		{.name = "burst", .parse = scalar_ms, FIELD(model_list_class, burst_ms), .min = 1, .max = 60000},
		RATES(model_list_class, rates),
	};
	struct model_list_class *list = schema_list(r, value, key, sizeof(*list), &r->model->n_list_classes);
	unsigned i = 0;

	(void)target;
	r->model->list_classes = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++) {
		unsigned before = r->errors->n;

		list[i].burst_ms = 1000;
		schema_map(r, item, "a class", keys, ARRAY_LEN(keys), &list[i]);
		for (unsigned k = 0; r->errors->n == before && k < i; k++) {
			if (list[k].class == list[i].class)
				reading_fail(r, item, "class %u is there twice", list[i].class);
		}
	}
}

/* What a service is guarded by when nothing is said. */
static const struct model_guard guard_default = {
	.mode = MODEL_GUARD_AUTO,
	.thresholds = {[ABI_METER_PACKETS] = 500000,
		       [ABI_METER_BITS] = 5000000,
		       [ABI_METER_OPENINGS] = 20000,
		       [ABI_METER_FRAGMENTS] = 10000},
	.hold_s = 60,
	.percent = 50,
	.prefix_v4_len = 24,
	.prefix_v6_len = 56,
	.burst_ms = 1000,
	.source = {.packets = 10000, .openings = 1000},
	.prefix = {.packets = 50000, .openings = 5000},
	.unknown = 2000,
};

void
schema_guard_section(struct reading *r, const struct yaml_tree *root)
{
	static const struct schema_key keys[] = {
		{.name = "bogons", .parse = read_bogons, .max = ABI_BOGONS_MAX},
		{.name = "reflectors", .parse = read_reflectors, .max = ABI_REFLECTORS_MAX},
		{.name = "signatures", .parse = scalar_string, FIELD(model, signatures)},
		{.name = "lists", .parse = read_lists, .max = 63},
		{.name = "filters", .parse = read_filters, .max = MODEL_FILTERS_MAX},
		{.name = "classes", .parse = read_list_classes, .max = ABI_LIST_CLASSES},
		{.name = "defaults", .parse = schema_guard, FIELD(model, guard)},
	};
	const struct yaml_tree *section = yaml_tree_get(root, "guard");

	r->model->guard = guard_default;
	r->model->reflectors = calloc(reflectors_n, sizeof(*r->model->reflectors));
	if (!r->model->reflectors) {
		r->no_memory = true;
		return;
	}
	r->model->n_reflectors = reflectors_n;
	memcpy(r->model->reflectors, reflectors_default, reflectors_n * sizeof(*reflectors_default));
	if (section)
		schema_map(r, section, "guard", keys, ARRAY_LEN(keys), r->model);
}
