/* SPDX-License-Identifier: BSD-2-Clause */
/* How the path to a peer is watched: the keys of its bfd. */
#include <string.h>

#include "controlplane/scalar.h"

enum { INTERVAL_MIN_MS = 10, INTERVAL_MAX_MS = 60000, US_PER_MS = 1000 };

static void
read_auth(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct auth {
		enum bfd_auth_type kind;
		uint8_t id;
		char key[BFD_KEY_MAX + 1];
	} auth = {0};
	static const struct schema_key keys[] = {
		{.name = "kind", .parse = scalar_word, FIELD(auth, kind), .required = true,
		 .words = WORDS({"password", BFD_AUTH_PASSWORD}, {"md5", BFD_AUTH_MD5},
				{"meticulous-md5", BFD_AUTH_METICULOUS_MD5}, {"sha1", BFD_AUTH_SHA1},
				{"meticulous-sha1", BFD_AUTH_METICULOUS_SHA1})},
		{.name = "id", .parse = scalar_integer, FIELD(auth, id), .required = true, .max = UINT8_MAX},
		{.name = "key", .parse = scalar_string, FIELD(auth, key), .required = true},
	};
	struct bfd_auth_config *config = target;

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), &auth);
	if (strlen(auth.key) > bfd_auth_key_max(auth.kind))
		reading_fail(r, yaml_tree_get(value, "key"), "key is longer than %zu octets",
			     bfd_auth_key_max(auth.kind));
	*config = (struct bfd_auth_config){.type = auth.kind, .key_id = auth.id, .key_len = (uint8_t)strlen(auth.key)};
	memcpy(config->key, auth.key, config->key_len);
}

void
schema_bfd(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct bfd {
		uint32_t interval_ms;
		struct model_bfd model;
	} bfd = {.interval_ms = 300, .model = {.enabled = true, .session.multiplier = 3}};
	static const struct schema_key keys[] = {
		{.name = "interval", .parse = scalar_ms, FIELD(bfd, interval_ms), .min = INTERVAL_MIN_MS,
		 .max = INTERVAL_MAX_MS},
		{.name = "multiplier", .parse = scalar_integer, FIELD(bfd, model.session.multiplier), .min = 1,
		 .max = UINT8_MAX},
		{.name = "multihop", .parse = scalar_bool, FIELD(bfd, model.is_multihop)},
		{.name = "min_ttl", .parse = scalar_integer, FIELD(bfd, model.ttl_min), .min = 1, .max = UINT8_MAX},
		{.name = "auth", .parse = read_auth, FIELD(bfd, model.session.auth)},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), &bfd);
	bfd.model.session.desired_us = bfd.model.session.required_us = bfd.interval_ms * US_PER_MS;
	*(struct model_bfd *)target = bfd.model;
}
