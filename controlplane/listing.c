/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

struct listing {
	char path[160];
	struct lists *lists;
	struct publish *publish; /* NULL: nobody to tell yet */
	bool is_changed;	 /* since the last publication */
	uint64_t token;
};

static void
record_send(struct listing *l, const struct abi_list *record)
{
	union abi_record r = {.list = *record};

	r.list.type = ABI_LIST;
	if (l->publish)
		publish_beside(l->publish, &r);
}

static void
on_changed(void *context, const struct list_change *change)
{
	struct listing *l = context;
	struct abi_list record = {.op = change->action == LIST_NONE ? ABI_LIST_REMOVE : ABI_LIST_SET,
				  .action = change->action,
				  .class = change->class,
				  .len = change->prefix.len,
				  .addr = change->prefix.addr};

	l->is_changed = true;
	record_send(l, &record);
}

static void
publication_ask(struct listing *l)
{
	struct abi_list record = {.op = ABI_LIST_PUBLISH, .token = ++l->token};

	if (!l->is_changed)
		return;
	l->is_changed = false;
	record_send(l, &record);
}

static void
send_one(void *context, unsigned source, const struct list_entry *entry, bool is_in_force)
{
	struct listing *l = context;
	struct list_change change = {.prefix = entry->prefix, .action = entry->action, .class = entry->class};

	(void)source;
	if (is_in_force)
		on_changed(l, &change);
}

void
listing_send(struct listing *l)
{
	struct abi_list reset = {.op = ABI_LIST_RESET};

	record_send(l, &reset);
	l->is_changed = true;
	lists_each(l->lists, send_one, l);
	publication_ask(l);
}

void
listing_attach(struct listing *l, struct publish *publish)
{
	l->publish = publish;
}

static uint64_t
now_s(void)
{
	return (uint64_t)time(NULL);
}

/* The state file. */

static void
state_load(struct listing *l)
{
	struct config_errors errors = {0};
	struct listfile *file = NULL;

	if (access(l->path, F_OK) != 0)
		return;
	if (listfile_load(l->path, now_s(), &file, &errors) != 0 || lists_replace(l->lists, LISTS_MANUAL, file) != 0)
		log_error("%s: not read: %s; entries made by hand are not in force", l->path,
			  errors.n ? errors.list[0].text : "no memory");
	listfile_free(file);
}

static void
state_write_one(void *context, unsigned source, const struct list_entry *e, bool is_in_force)
{
	static const char *const actions[] = {[LIST_DROP] = "drop", [LIST_ALLOW] = "allow", [LIST_LIMIT] = "limit"};
	FILE *file = context;
	char text[PREFIX_TEXT_MAX];

	(void)is_in_force;
	if (source != LISTS_MANUAL)
		return;
	fprintf(file, "%s %s", prefix_format(&e->prefix, text), actions[e->action]);
	if (e->action == LIST_LIMIT)
		fprintf(file, " %u", e->class);
	if (e->until_s)
		fprintf(file, " until %llu", (unsigned long long)e->until_s);
	if (e->comment)
		fprintf(file, " # %s", e->comment);
	fputc('\n', file);
}

/* Written beside and renamed: a crash leaves the old file or the new one. */
static int
state_save(const struct listing *l)
{
	char beside[sizeof(l->path) + 8];
	FILE *file;
	int err = 0;

	snprintf(beside, sizeof(beside), "%s.new", l->path);
	file = fopen(beside, "we");
	if (!file)
		return -errno;
	lists_each(l->lists, state_write_one, file);
	if (fflush(file) != 0 || fsync(fileno(file)) != 0)
		err = -errno;
	fclose(file);
	if (!err && rename(beside, l->path) != 0)
		err = -errno;
	return err;
}

struct listing *
listing_new(const char *state_path)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct lists_config config = {.changed = on_changed, .context = l};

	if (!l || getrandom(&config.seed, sizeof(config.seed), 0) != sizeof(config.seed) ||
	    !(l->lists = lists_new(&config))) {
		free(l);
		return NULL;
	}
	snprintf(l->path, sizeof(l->path), "%s", state_path);
	state_load(l);
	return l;
}

void
listing_free(struct listing *l)
{
	if (!l)
		return;
	lists_free(l->lists);
	free(l);
}

/* Files. */

static void
files_free(struct listfile **files, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		listfile_free(files[i]);
	free(files);
}

static bool
model_has(const struct model *model, const char *name)
{
	for (unsigned i = 0; i < model->n_lists; i++) {
		if (strcmp(model->lists[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Sources that the model has no file for any more lose their entries. */
static int
sources_clear(struct listing *l, const struct model *model)
{
	const char *name;

	for (unsigned source = LISTS_MANUAL + 1; (name = lists_source_name(l->lists, source)); source++) {
		int err = model_has(model, name) ? 0 : lists_replace(l->lists, source, NULL);

		if (err)
			return err;
	}
	return 0;
}

int
listing_adopt(struct listing *l, const struct model *model, struct config_errors *errors)
{
	struct listfile **files = calloc(model->n_lists + (size_t)1, sizeof(*files));
	int err = files ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && i < model->n_lists; i++)
		err = listfile_load(model->lists[i].path, now_s(), &files[i], errors);
	if (!err)
		err = sources_clear(l, model);
	for (unsigned i = 0; !err && i < model->n_lists; i++) {
		int source = lists_source(l->lists, model->lists[i].name);

		err = source < 0 ? source : lists_replace(l->lists, (unsigned)source, files[i]);
	}
	if (files)
		files_free(files, model->n_lists);
	publication_ask(l);
	return err;
}

/* By hand. */

int
listing_add(struct listing *l, const struct list_entry *entry)
{
	int err = lists_set(l->lists, LISTS_MANUAL, entry);

	publication_ask(l);
	return err ? err : state_save(l);
}

int
listing_remove(struct listing *l, const struct prefix *prefix)
{
	int err = lists_remove(l->lists, LISTS_MANUAL, prefix);

	publication_ask(l);
	return err ? err : state_save(l);
}

void
listing_tick(struct listing *l, uint64_t at_s)
{
	uint64_t next = lists_next_expiry(l->lists);
	unsigned n;

	if (!next || next > at_s)
		return;
	n = lists_expire(l->lists, at_s);
	log_notice("lists: %u entries have had their time", n);
	publication_ask(l);
	if (state_save(l) != 0)
		log_warning("%s: not written: %s", l->path, strerror(errno));
}

const struct lists *
listing_lists(const struct listing *l)
{
	return l->lists;
}
