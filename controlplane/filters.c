/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/filters.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flowhash.h"
#include "base/log.h"

struct filters {
	char path[160];
	uint32_t last_id;
	unsigned n;
	struct filter *list[MODEL_FILTERS_MAX]; /* the configuration's first */
	unsigned n_imported;
	struct filter *imported[MODEL_IMPORTED_MAX];
};

static int
compile(struct filter *f, char fault[static PROGRAM_FAULT_MAX])
{
	int err = f->section[0] ? program_load(f->text, f->section, &f->program, fault)
				: program_compile(f->text, &f->program, fault);

	if (err)
		return err;
	f->key = flowhash_bytes(f->id, f->name[0] ? f->name : f->text, strlen(f->name[0] ? f->name : f->text));
	f->key = f->key ? f->key : 1;
	return 0;
}

/* The state file: what was added by hand. */

static int
state_save(const struct filters *filters)
{
	char beside[sizeof(filters->path) + 8];
	json_t *list = json_array();
	int err = 0;

	for (unsigned i = 0; i < filters->n; i++) {
		const struct filter *f = filters->list[i];

		if (f->id)
			json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:i, s:I}", "id", (json_int_t)f->id, "text",
							      f->text, "section", f->section, "service", f->service,
							      "action", f->action, "until", (json_int_t)f->until_s));
	}
	snprintf(beside, sizeof(beside), "%s.new", filters->path);
	if (json_dump_file(list, beside, JSON_INDENT(1)) != 0 || rename(beside, filters->path) != 0)
		err = errno ? -errno : -EIO;
	json_decref(list);
	return err;
}

static bool
state_take(struct filters *filters, const json_t *item)
{
	struct filter *f = calloc(1, sizeof(*f));
	const char *text = json_string_value(json_object_get(item, "text"));
	const char *section = json_string_value(json_object_get(item, "section"));
	const char *service = json_string_value(json_object_get(item, "service"));
	json_int_t action = json_integer_value(json_object_get(item, "action"));
	char fault[PROGRAM_FAULT_MAX] = "not a filter";

	if (!f)
		return false;
	f->id = (uint32_t)json_integer_value(json_object_get(item, "id"));
	f->action = action == ABI_FILTER_COUNT || action == ABI_FILTER_SAMPLE ? (uint8_t)action : ABI_FILTER_DROP;
	f->until_s = (uint64_t)json_integer_value(json_object_get(item, "until"));
	snprintf(f->text, sizeof(f->text), "%s", text ? text : "");
	snprintf(f->section, sizeof(f->section), "%s", section ? section : "");
	snprintf(f->service, sizeof(f->service), "%s", service ? service : "");
	if (!f->id || filters->n == MODEL_FILTERS_MAX || compile(f, fault) != 0) {
		log_error("%s: filter %s is left out: %s", filters->path, f->text, fault);
		free(f);
		return true;
	}
	filters->last_id = f->id > filters->last_id ? f->id : filters->last_id;
	filters->list[filters->n++] = f;
	return true;
}

static void
state_load(struct filters *filters)
{
	json_error_t error;
	json_t *list = json_load_file(filters->path, JSON_REJECT_DUPLICATES, &error), *item;
	size_t i;

	if (!json_is_array(list)) {
		if (list || json_error_code(&error) != json_error_cannot_open_file)
			log_warning("%s:%d: not a state file; filters added by hand are not in force", filters->path,
				    list ? 1 : error.line);
		json_decref(list);
		return;
	}
	json_array_foreach(list, i, item)
	{
		if (!state_take(filters, item))
			break;
	}
	json_decref(list);
}

struct filters *
filters_new(const char *state_path)
{
	struct filters *filters = calloc(1, sizeof(*filters));

	if (!filters)
		return NULL;
	snprintf(filters->path, sizeof(filters->path), "%s", state_path);
	state_load(filters);
	return filters;
}

void
filters_free(struct filters *filters)
{
	if (!filters)
		return;
	for (unsigned i = 0; i < filters->n; i++)
		free(filters->list[i]);
	filters_import(filters, NULL, 0);
	free(filters);
}

static void
error_add(struct config_errors *errors, const char *name, const char *fault)
{
	struct config_error *error = &errors->list[errors->n < CONFIG_ERRORS_MAX ? errors->n : CONFIG_ERRORS_MAX - 1];

	if (errors->n++ < CONFIG_ERRORS_MAX)
		snprintf(error->text, sizeof(error->text), "filter %s: %s", name, fault);
}

static struct filter *
filter_of_model(const struct model_filter_entry *entry, struct config_errors *errors)
{
	struct filter *f = calloc(1, sizeof(*f));
	char fault[PROGRAM_FAULT_MAX];

	if (!f)
		return NULL;
	snprintf(f->name, sizeof(f->name), "%s", entry->name);
	snprintf(f->text, sizeof(f->text), "%s", entry->object[0] ? entry->object : entry->expression);
	snprintf(f->section, sizeof(f->section), "%s", entry->object[0] ? entry->section : "");
	snprintf(f->service, sizeof(f->service), "%s", entry->service);
	f->action = entry->action;
	if (compile(f, fault) != 0)
		error_add(errors, entry->name, fault);
	return f;
}

int
filters_adopt(struct filters *filters, const struct model *model, struct config_errors *errors)
{
	struct filter *list[MODEL_FILTERS_MAX];
	unsigned n = 0, by_hand = 0;
	int err = 0;

	for (unsigned i = 0; i < filters->n; i++)
		by_hand += filters->list[i]->id != 0;
	if (model->n_filters + by_hand > MODEL_FILTERS_MAX)
		return -ENOSPC;
	for (; !err && n < model->n_filters; n += !err) {
		list[n] = filter_of_model(&model->filters[n], errors);
		err = list[n] ? 0 : -ENOMEM;
	}
	if (!err && errors->n)
		err = -EINVAL;
	if (err) {
		while (n > 0)
			free(list[--n]);
		return err;
	}
	for (unsigned i = 0; i < filters->n; i++) {
		if (filters->list[i]->id)
			list[n++] = filters->list[i];
		else
			free(filters->list[i]);
	}
	memcpy(filters->list, list, n * sizeof(*list));
	filters->n = n;
	return 0;
}

int
filters_add(struct filters *filters, const struct filter *like, uint32_t *id, char fault[static PROGRAM_FAULT_MAX])
{
	struct filter *f;
	int err;

	if (filters->n == MODEL_FILTERS_MAX) {
		snprintf(fault, PROGRAM_FAULT_MAX, "there are %d filters already", MODEL_FILTERS_MAX);
		return -ENOSPC;
	}
	f = malloc(sizeof(*f));
	snprintf(fault, PROGRAM_FAULT_MAX, "out of memory");
	if (!f)
		return -ENOMEM;
	*f = *like;
	f->id = filters->last_id + 1;
	f->name[0] = '\0';
	err = compile(f, fault);
	if (err) {
		free(f);
		return err;
	}
	filters->list[filters->n++] = f;
	filters->last_id = *id = f->id;
	err = state_save(filters);
	if (err)
		snprintf(fault, PROGRAM_FAULT_MAX, "in force, but not kept over a restart: %s: %s", filters->path,
			 strerror(-err));
	return err;
}

static void
take_away(struct filters *filters, unsigned index)
{
	free(filters->list[index]);
	filters->n--;
	memmove(&filters->list[index], &filters->list[index + 1], (filters->n - index) * sizeof(*filters->list));
}

int
filters_remove(struct filters *filters, uint32_t id)
{
	for (unsigned i = 0; id && i < filters->n; i++) {
		if (filters->list[i]->id != id)
			continue;
		take_away(filters, i);
		return state_save(filters);
	}
	return -ENOENT;
}

unsigned
filters_expire(struct filters *filters, uint64_t now_s)
{
	unsigned n = 0;

	for (unsigned i = filters->n; i-- > 0;) {
		if (!filters->list[i]->until_s || filters->list[i]->until_s > now_s)
			continue;
		log_notice("filter %u has had its time: %s", filters->list[i]->id, filters->list[i]->text);
		take_away(filters, i);
		n++;
	}
	if (n && state_save(filters) != 0)
		log_warning("%s: not written", filters->path);
	return n;
}

void
filters_import(struct filters *filters, struct filter *const *list, unsigned n)
{
	for (unsigned i = 0; i < filters->n_imported; i++)
		free(filters->imported[i]);
	for (unsigned i = 0; i < n; i++)
		filters->imported[i] = list[i];
	filters->n_imported = n;
}

unsigned
filters_count(const struct filters *filters)
{
	return filters->n + filters->n_imported;
}

const struct filter *
filters_at(const struct filters *filters, unsigned index)
{
	return index < filters->n ? filters->list[index] : filters->imported[index - filters->n];
}
