/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/originate.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bgp/community.h"

struct originate {
	char path[160];
	unsigned n;
	struct origin *list[ORIGINATE_MAX];
};

int
originate_rule(const struct originate *originate, const struct flowspec *rule)
{
	for (unsigned i = 0; i < originate->n; i++) {
		const struct origin *o = originate->list[i];

		if (o->kind == ORIGINATE_FLOWSPEC && flowspec_compare(&o->rule, rule) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int
originate_blackhole(const struct originate *originate, const struct prefix *prefix)
{
	for (unsigned i = 0; i < originate->n; i++) {
		const struct origin *o = originate->list[i];

		if (o->kind == ORIGINATE_BLACKHOLE && prefix_equal(&o->prefix, prefix))
			return (int)i;
	}
	return -ENOENT;
}

static int
lookup(const struct originate *originate, const struct origin *like)
{
	return like->kind == ORIGINATE_FLOWSPEC ? originate_rule(originate, &like->rule)
						: originate_blackhole(originate, &like->prefix);
}

int
originate_due(const struct originate *originate, uint64_t now_s)
{
	for (unsigned i = 0; i < originate->n; i++) {
		if (originate->list[i]->until_s && originate->list[i]->until_s <= now_s)
			return (int)i;
	}
	return -ENOENT;
}

void
originate_format(const struct origin *origin, char *text, size_t room)
{
	char prefix[PREFIX_TEXT_MAX];

	if (origin->kind == ORIGINATE_FLOWSPEC)
		flowspec_format(&origin->rule, text, room);
	else
		snprintf(text, room, "%s", prefix_format(&origin->prefix, prefix));
}

int
originate_path(const struct origin *origin, uint32_t local_as, struct path *out)
{
	const struct flowspec_action *a = &origin->action;
	struct path path;
	int err = 0;

	path_init(&path);
	if (origin->kind == ORIGINATE_BLACKHOLE) {
		/* RFC 7999 3.2: it is the neighbour's alone. */
		err = path_add_community(&path, BGP_BLACKHOLE);
		if (!err)
			err = path_add_community(&path, BGP_NO_EXPORT);
	}
	for (unsigned i = 0; !err && i < origin->n_communities; i++)
		err = community_parse(origin->communities[i], &path);
	if (!err && a->has_bytes)
		err = path_add_extended(&path, flowspec_rate_bytes(local_as, a->bytes_s));
	if (!err && a->has_packets)
		err = path_add_extended(&path, flowspec_rate_packets(local_as, a->packets_s));
	if (!err && (a->sample || a->goes_on))
		err = path_add_extended(&path, flowspec_traffic_action(a->sample, a->goes_on));
	if (!err)
		*out = path;
	return err;
}

/* The state file. */

static json_t *
rate_pack(bool has, uint64_t rate)
{
	return has ? json_integer((json_int_t)rate) : json_null();
}

static json_t *
origin_pack(const struct origin *o)
{
	char text[ORIGINATE_TEXT_MAX];
	json_t *communities = json_array();

	originate_format(o, text, sizeof(text));
	for (unsigned i = 0; i < o->n_communities; i++)
		json_array_append_new(communities, json_string(o->communities[i]));
	return json_pack("{s:s, s:s, s:I, s:o, s:o, s:b, s:b, s:o}",
			 o->kind == ORIGINATE_FLOWSPEC ? "flowspec" : "blackhole", text, "peer", o->peer, "until",
			 (json_int_t)o->until_s, "bytes_s", rate_pack(o->action.has_bytes, o->action.bytes_s), "packets_s",
			 rate_pack(o->action.has_packets, o->action.packets_s), "sample", o->action.sample, "goes_on",
			 o->action.goes_on, "communities", communities);
}

/* Written beside and renamed: a crash leaves the old state or the new one. */
static int
state_save(const struct originate *originate)
{
	char beside[sizeof(originate->path) + 8];
	json_t *list = json_array();
	int err = 0;

	for (unsigned i = 0; i < originate->n; i++)
		json_array_append_new(list, origin_pack(originate->list[i]));
	snprintf(beside, sizeof(beside), "%s.new", originate->path);
	if (json_dump_file(list, beside, JSON_INDENT(1)) != 0 || rename(beside, originate->path) != 0)
		err = errno ? -errno : -EIO;
	json_decref(list);
	return err;
}

static bool
rate_take(const json_t *item, const char *name, uint64_t *rate)
{
	const json_t *value = json_object_get(item, name);

	*rate = (uint64_t)json_integer_value(value);
	return json_is_integer(value);
}

static void
communities_take(const json_t *item, struct origin *o)
{
	const json_t *list = json_object_get(item, "communities"), *text;
	size_t i;

	json_array_foreach(list, i, text)
	{
		if (!json_is_string(text) || o->n_communities == ORIGINATE_COMMUNITIES_MAX)
			continue;
		snprintf(o->communities[o->n_communities], sizeof(*o->communities), "%s", json_string_value(text));
		o->n_communities++;
	}
}

/* -EINVAL: it makes no sense. */
static int
origin_take(const json_t *item, struct origin *o)
{
	const char *rule = json_string_value(json_object_get(item, "flowspec"));
	const char *prefix = json_string_value(json_object_get(item, "blackhole"));
	const char *peer = json_string_value(json_object_get(item, "peer"));
	char fault[FLOWSPEC_FAULT_MAX];
	struct path path;

	*o = (struct origin){.kind = rule ? ORIGINATE_FLOWSPEC : ORIGINATE_BLACKHOLE};
	if (rule ? flowspec_parse(rule, &o->rule, fault) != 0 : !prefix || prefix_parse(prefix, &o->prefix) != 0)
		return -EINVAL;
	snprintf(o->peer, sizeof(o->peer), "%s", peer ? peer : "");
	o->until_s = (uint64_t)json_integer_value(json_object_get(item, "until"));
	o->action.has_bytes = rate_take(item, "bytes_s", &o->action.bytes_s);
	o->action.has_packets = rate_take(item, "packets_s", &o->action.packets_s);
	o->action.sample = json_is_true(json_object_get(item, "sample"));
	o->action.goes_on = json_is_true(json_object_get(item, "goes_on"));
	communities_take(item, o);
	return originate_path(o, 1, &path);
}

static int
append(struct originate *originate, const struct origin *origin)
{
	struct origin *copy = originate->n < ORIGINATE_MAX ? malloc(sizeof(*copy)) : NULL;

	if (!copy)
		return originate->n < ORIGINATE_MAX ? -ENOMEM : -ENOSPC;
	*copy = *origin;
	originate->list[originate->n++] = copy;
	return 0;
}

static void
state_load(struct originate *originate)
{
	json_error_t error;
	json_t *list = json_load_file(originate->path, JSON_REJECT_DUPLICATES, &error), *item;
	struct origin origin;
	size_t i;

	if (!json_is_array(list) && (list || json_error_code(&error) != json_error_cannot_open_file))
		log_warning("%s:%d: not a state file; nothing in it is announced", originate->path, list ? 1 : error.line);
	json_array_foreach(list, i, item)
	{
		if (origin_take(item, &origin) != 0 || lookup(originate, &origin) >= 0 ||
		    append(originate, &origin) != 0)
			log_warning("%s: entry %zu is left out", originate->path, i + 1);
	}
	json_decref(list);
}

struct originate *
originate_new(const char *state_path)
{
	struct originate *originate = calloc(1, sizeof(*originate));

	if (!originate)
		return NULL;
	snprintf(originate->path, sizeof(originate->path), "%s", state_path);
	state_load(originate);
	return originate;
}

void
originate_free(struct originate *originate)
{
	if (!originate)
		return;
	for (unsigned i = 0; i < originate->n; i++)
		free(originate->list[i]);
	free(originate);
}

/* Nothing has changed when the file can't be written. */
int
originate_set(struct originate *originate, const struct origin *origin)
{
	int at = lookup(originate, origin), err = 0;
	struct origin before;

	if (at < 0) {
		err = append(originate, origin);
		if (err)
			return err;
		err = state_save(originate);
		if (err)
			free(originate->list[--originate->n]);
		return err;
	}
	before = *originate->list[at];
	*originate->list[at] = *origin;
	err = state_save(originate);
	if (err)
		*originate->list[at] = before;
	return err;
}

void
originate_remove(struct originate *originate, unsigned index)
{
	free(originate->list[index]);
	originate->n--;
	memmove(&originate->list[index], &originate->list[index + 1], (originate->n - index) * sizeof(*originate->list));
	if (state_save(originate) != 0)
		log_warning("%s: not written: a restart announces again what was withdrawn", originate->path);
}

unsigned
originate_count(const struct originate *originate)
{
	return originate->n;
}

const struct origin *
originate_at(const struct originate *originate, unsigned index)
{
	return originate->list[index];
}
