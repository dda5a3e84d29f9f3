/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/path_store.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cursor.h"

enum { HEAD = offsetof(struct path, communities) };

/* The three arrays of a path with the octets that are in use. */
struct part {
	void *at;
	size_t len;
};

static void
parts_of(const struct path *path, struct part out[static 3])
{
	out[0] = (struct part){(void *)path->communities, path->n_communities * sizeof(path->communities[0])};
	out[1] = (struct part){(void *)path->extended, path->n_extended * sizeof(path->extended[0])};
	out[2] = (struct part){(void *)path->large, path->n_large * sizeof(path->large[0])};
}

static size_t
pack(const struct path *path, uint8_t out[static sizeof(struct path)])
{
	struct writer w = writer_init(out, sizeof(*path));
	struct part part[3];

	parts_of(path, part);
	write_bytes(&w, path, HEAD);
	for (int i = 0; i < 3; i++)
		write_bytes(&w, part[i].at, part[i].len);
	return written_since(&w, out);
}

void
path_store_read(const struct path_store *store, uint32_t number, struct path *out)
{
	const struct stored_path *stored = store->paths[number];
	struct reader r = reader_init(stored->octets, stored->len);
	struct part part[3];

	memset(out, 0, sizeof(*out));
	memcpy(out, read_bytes(&r, HEAD), HEAD);
	parts_of(out, part);
	for (int i = 0; i < 3; i++) {
		if (part[i].len > 0)
			memcpy(part[i].at, read_bytes(&r, part[i].len), part[i].len);
	}
}

void
path_store_fini(struct path_store *store)
{
	for (uint32_t i = 0; i < store->count; i++)
		free(store->paths[i]);
	free(store->paths);
	free(store->free);
	hash_index_fini(&store->index);
}

static int
grow(struct path_store *store)
{
	uint32_t room = store->room ? store->room * 2 : 16;
	struct stored_path **paths;
	uint32_t *freed;

	if (store->n_free > 0 || store->count < store->room)
		return 0;
	paths = realloc(store->paths, room * sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	store->paths = paths;
	freed = realloc(store->free, room * sizeof(*freed));
	if (!freed)
		return -ENOMEM;
	store->free = freed;
	store->room = room;
	return 0;
}

static int
add(struct path_store *store, const struct stored_path *head, const uint8_t *octets, uint32_t *out)
{
	struct stored_path *stored = malloc(sizeof(*stored) + head->len);
	uint32_t number;
	int err;

	if (!stored)
		return -ENOMEM;
	err = grow(store);
	if (err)
		goto fail;
	number = store->n_free > 0 ? store->free[store->n_free - 1] : store->count;
	err = hash_index_add(&store->index, head->hash, number);
	if (err)
		goto fail;
	if (store->n_free > 0)
		store->n_free--;
	else
		store->count++;
	*stored = *head;
	memcpy(stored->octets, octets, head->len);
	store->paths[number] = stored;
	*out = number;
	return 0;
fail:
	free(stored);
	return err;
}

int
path_store_use(struct path_store *store, enum bgp_family family, const struct path *path, uint32_t *out)
{
	uint8_t octets[sizeof(struct path)];
	size_t len = pack(path, octets);
	struct stored_path head = {.uses = 1, .hash = hash_octets(octets, len, family), .last = UINT32_MAX,
				   .len = (uint16_t)len, .family = (uint8_t)family};
	size_t probe = 0;
	uint32_t number;

	while (hash_index_next(&store->index, head.hash, &probe, &number)) {
		struct stored_path *stored = store->paths[number];

		if (stored->family != family || stored->len != len || memcmp(stored->octets, octets, len) != 0)
			continue;
		stored->uses++;
		*out = number;
		return 0;
	}
	return add(store, &head, octets, out);
}

void
path_store_hold(struct path_store *store, uint32_t number)
{
	if (number != PATH_NONE)
		store->paths[number]->uses++;
}

void
path_store_leave(struct path_store *store, uint32_t number)
{
	struct stored_path *stored;

	if (number == PATH_NONE)
		return;
	stored = store->paths[number];
	if (--stored->uses > 0)
		return;
	hash_index_remove(&store->index, stored->hash, number);
	free(stored);
	store->paths[number] = NULL;
	store->free[store->n_free++] = number;
}
