/* SPDX-License-Identifier: BSD-2-Clause */
/* How a route is announced: path attributes, what is told when service is degraded, and what flapping is; the VIPs. */
#include "controlplane/schema_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/layout.h"
#include "bgp/community.h"

void
schema_communities(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct model_path *path = target;

	if (value->kind != YAML_KIND_LIST) {
		reading_fail(r, value, "%s must be a list", key->name);
		return;
	}
	for (const struct yaml_tree *item = value->first; item; item = item->next) {
		const char *text = scalar_text(r, item, "a community", "a text");
		int err = text ? community_parse(text, &path->path) : 0;

		if (err == -ENOSPC)
			reading_fail(r, item, "more than %d communities of a kind", PATH_COMMUNITIES_MAX);
		else if (err)
			reading_fail(r, item,
				     "community %.64s is none such as 65000:1, rt:65000:1, 65000:1:2 or no-export", text);
	}
}

void
schema_attribute(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct {
		const char *name;
		uint8_t mark;
		size_t offset, size;
	} attributes[] = {
		{"prepend", MODEL_PATH_PREPEND, FIELD(path, prepend)},
		{"med", MODEL_PATH_MED, FIELD(path, med)},
		{"local_pref", MODEL_PATH_LOCAL_PREF, FIELD(path, local_pref)},
	};
	struct model_path *path = target;
	unsigned i = 0;

	while (strcmp(attributes[i].name, key->name) != 0)
		i++;
	scalar_integer(r, value, &(struct schema_key){.name = key->name, .size = attributes[i].size, .max = key->max},
		       (char *)&path->path + attributes[i].offset);
	path->marks |= attributes[i].mark;
}

void
schema_origin(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct model_path *path = target;

	scalar_word(r, value,
		    &(struct schema_key){.name = key->name, .size = sizeof(path->path.origin),
					 .words = WORDS({"igp", 0}, {"egp", 1}, {"incomplete", 2})},
		    &path->path.origin);
	path->marks |= MODEL_PATH_ORIGIN;
}

/* "self", or an address of each family. */
void
schema_next_hop(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct model_path *path = target;

	_Static_assert(offsetof(struct model_path, next_hop_v6) ==
			       offsetof(struct model_path, next_hop_v4) + sizeof(struct addr), "pair");
	path->marks |= MODEL_PATH_NEXT_HOP;
	if (value->kind == YAML_KIND_MAP)
		schema_families(r, value, key, &path->next_hop_v4);
	else if (!value->text || strcmp(value->text, "self") != 0)
		reading_fail(r, value, "%s must be self or a mapping of ipv4 and ipv6", key->name);
}

void
schema_path(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct whole {
		struct model_path path;
	};
	static const struct schema_key keys[] = {PATH_KEYS(whole, path)};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

void
schema_degraded(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "below", .parse = scalar_percent, FIELD(model_degraded, below_percent), .max = 100},
		PATH_KEYS(model_degraded, path),
	};

	/* What is said here is all that is told: nothing is left of what a VIP began with. */
	memset(target, 0, sizeof(struct model_degraded));
	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

void
schema_damping(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "rise", .parse = scalar_ms, FIELD(model_damping, rise_ms), .max = 3600000},
		{.name = "flaps", .parse = scalar_integer, FIELD(model_damping, flaps), .max = UINT8_MAX},
		{.name = "within", .parse = scalar_seconds, FIELD(model_damping, window_s), .min = 1, .max = 86400},
		{.name = "for", .parse = scalar_seconds, FIELD(model_damping, hold_s), .min = 1, .max = 86400},
		{.name = "longest", .parse = scalar_seconds, FIELD(model_damping, hold_max_s), .min = 1, .max = 86400},
	};
	struct model_damping *damping = target;

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
	if (damping->hold_max_s < damping->hold_s)
		reading_fail(r, yaml_tree_get(value, "for"), "for %us is above longest %us", damping->hold_s,
			     damping->hold_max_s);
}

/* Names are of peers: config_check() looks them up. */
static void
read_vip_peers(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_vip_peer, name), .required = true},
		{.name = "announce", .parse = scalar_word, FIELD(model_vip_peer, never),
		 .words = WORDS({"yes", 0}, {"never", 1})},
		PATH_KEYS(model_vip_peer, path),
	};
	struct model_vip *vip = target;
	unsigned i = 0;

	if (vip->peers)
		return; /* the key is there twice, which is told */
	vip->peers = schema_list(r, value, key, sizeof(*vip->peers), &vip->n_peers);
	for (const struct yaml_tree *item = value->first; vip->peers && item; item = item->next)
		schema_map(r, item, "a peer of a vip", keys, ARRAY_LEN(keys), &vip->peers[i++]);
}

void
schema_vips(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_vip, name), .required = true},
		{.name = "prefix", .parse = scalar_prefix, FIELD(model_vip, prefix), .required = true},
		{.name = "unmatched", .parse = scalar_word, FIELD(model_vip, refuse),
		 .words = WORDS({"drop", 0}, {"refuse", 1})},
		{.name = "announce", .parse = scalar_word, FIELD(model_vip, announce),
		 .words = WORDS({"all", MODEL_ANNOUNCE_ALL}, {"any", MODEL_ANNOUNCE_ANY},
				{"always", MODEL_ANNOUNCE_ALWAYS},
				{"never", MODEL_ANNOUNCE_NEVER})},
		PATH_KEYS(model_vip, path),
		{.name = "degraded", .parse = schema_degraded, FIELD(model_vip, degraded)},
		{.name = "damping", .parse = schema_damping, FIELD(model_vip, damping)},
		{.name = "peers", .parse = read_vip_peers, .max = MODEL_PEERS_MAX},
	};
	struct model_vip *vips = schema_list(r, value, key, sizeof(*vips), &r->model->n_vips);
	unsigned i = 0;

	(void)target;
	r->model->vips = vips;
	for (const struct yaml_tree *item = value->first; vips && item; item = item->next, i++) {
		vips[i].degraded = r->model->degraded;
		vips[i].damping = r->model->damping;
		schema_map(r, item, "a vip", keys, ARRAY_LEN(keys), &vips[i]);
	}
}
