/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/admin.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct admin {
	char path[128];
	/* {"node_draining": bool, "node_withdrawn": bool, "drained": {"POOL/NAME": true}, "shut": {PEER: REASON},
	 *  "hands": {PREFIX: {"announce": bool, "until": seconds}}}; all but the first and third may be missing */
	json_t *state;
};

static json_t *
state_load(const char *path)
{
	json_error_t error;
	json_t *state = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (state && json_is_object(json_object_get(state, "drained")))
		return state;
	if (state || json_error_code(&error) != json_error_cannot_open_file)
		log_warning("%s:%d: not a state file; nothing is drained", path, state ? 1 : error.line);
	json_decref(state);
	return json_pack("{s:b, s:{}}", "node_draining", 0, "drained");
}

struct admin *
admin_open(const char *path)
{
	struct admin *admin = calloc(1, sizeof(*admin));

	if (!admin)
		return NULL;
	snprintf(admin->path, sizeof(admin->path), "%s", path);
	admin->state = state_load(path);
	if (!admin->state) {
		free(admin);
		return NULL;
	}
	return admin;
}

void
admin_close(struct admin *admin)
{
	if (!admin)
		return;
	json_decref(admin->state);
	free(admin);
}

/* Written beside and renamed: a crash leaves the old state or the new one. */
static int
state_save(const char *path, const json_t *state)
{
	char beside[160];

	snprintf(beside, sizeof(beside), "%s.new", path);
	if (json_dump_file(state, beside, JSON_INDENT(2) | JSON_SORT_KEYS) != 0)
		return errno ? -errno : -EIO;
	return rename(beside, path) == 0 ? 0 : -errno;
}

static int
admin_replace(struct admin *admin, json_t *fresh)
{
	int err = fresh ? state_save(admin->path, fresh) : -ENOMEM;

	if (err) {
		json_decref(fresh);
		return err;
	}
	json_decref(admin->state);
	admin->state = fresh;
	return 0;
}

int
admin_set_backend(struct admin *admin, const char *name, bool drained)
{
	json_t *fresh = json_deep_copy(admin->state);
	json_t *set = json_object_get(fresh, "drained");

	if (drained)
		json_object_set_new(set, name, json_true());
	else
		json_object_del(set, name);
	return admin_replace(admin, fresh);
}

int
admin_set_node(struct admin *admin, bool draining)
{
	json_t *fresh = json_deep_copy(admin->state);

	json_object_set_new(fresh, "node_draining", json_boolean(draining));
	json_object_del(fresh, "node_withdrawn");
	return admin_replace(admin, fresh);
}

int
admin_set_withdrawn(struct admin *admin)
{
	json_t *fresh = json_deep_copy(admin->state);

	json_object_set_new(fresh, "node_withdrawn", json_true());
	return admin_replace(admin, fresh);
}

/* The member of the state that is an object; made when it is missing or something else. */
static json_t *
member(json_t *state, const char *name)
{
	json_t *object = json_object_get(state, name);

	if (!json_is_object(object)) {
		json_object_set_new(state, name, json_object());
		object = json_object_get(state, name);
	}
	return object;
}

int
admin_set_shut(struct admin *admin, const char *peer, const char *reason)
{
	json_t *fresh = json_deep_copy(admin->state);

	if (reason)
		json_object_set_new(member(fresh, "shut"), peer, json_string(reason));
	else
		json_object_del(member(fresh, "shut"), peer);
	return admin_replace(admin, fresh);
}

int
admin_set_hand(struct admin *admin, const char *prefix, enum admin_hand hand, uint64_t until_s)
{
	json_t *fresh = json_deep_copy(admin->state);

	if (hand == ADMIN_HAND_NONE)
		json_object_del(member(fresh, "hands"), prefix);
	else
		json_object_set_new(member(fresh, "hands"), prefix,
				    json_pack("{s:b, s:I}", "announce", hand == ADMIN_HAND_ANNOUNCE, "until",
					      (json_int_t)until_s));
	return admin_replace(admin, fresh);
}

enum admin_hand
admin_hand(const struct admin *admin, const char *prefix, uint64_t *until_s)
{
	const json_t *hand = json_object_get(json_object_get(admin->state, "hands"), prefix);

	if (!json_is_object(hand))
		return ADMIN_HAND_NONE;
	*until_s = (uint64_t)json_integer_value(json_object_get(hand, "until"));
	return json_is_true(json_object_get(hand, "announce")) ? ADMIN_HAND_ANNOUNCE : ADMIN_HAND_WITHDRAW;
}

bool
admin_has_hands(const struct admin *admin)
{
	return json_object_size(json_object_get(admin->state, "hands")) > 0;
}

bool
admin_expire_hands(struct admin *admin, uint64_t now_s)
{
	json_t *hands = json_object_get(admin->state, "hands"), *hand;
	const char *prefix;
	bool expired = false;
	void *next;

	json_object_foreach_safe(hands, next, prefix, hand) {
		json_int_t until = json_integer_value(json_object_get(hand, "until"));

		if (until == 0 || (uint64_t)until > now_s)
			continue;
		log_notice("%s: what was said by hand has expired", prefix);
		json_object_del(hands, prefix);
		expired = true;
	}
	/* One that is found in the file again has expired all the same. */
	if (expired && state_save(admin->path, admin->state) != 0)
		log_warning("%s: can't be written", admin->path);
	return expired;
}

const char *
admin_shut(const struct admin *admin, const char *peer)
{
	return json_string_value(json_object_get(json_object_get(admin->state, "shut"), peer));
}

bool
admin_node_withdrawn(const struct admin *admin)
{
	return json_is_true(json_object_get(admin->state, "node_withdrawn"));
}

bool
admin_backend_drained(const struct admin *admin, const char *name)
{
	return json_object_get(json_object_get(admin->state, "drained"), name) != NULL;
}

bool
admin_node_draining(const struct admin *admin)
{
	return json_is_true(json_object_get(admin->state, "node_draining"));
}
