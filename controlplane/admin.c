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
	json_t *state; /* {"node_draining": bool, "drained": {"POOL/NAME": true}} */
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
	return admin_replace(admin, fresh);
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
