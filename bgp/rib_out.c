/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes lie in an array and don't move, so that lists can link them by number. A route is in one list at most: those
 * to be withdrawn and those to be announced, for each family, those in flight, and those that this session can't carry.
 * Routes with an equal path stand next to each other among those to be announced (a stored path knows the last of its own), so that an UPDATE is the head of the
 * list. Every step is constant time but for walks.
 */
#include "bgp/rib_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/path_store.h"

enum { NOBODY = UINT32_MAX, NEAR_LEN = 24 };

enum list_name {
	NOWHERE,
	FLIGHT,
	DEFERRED,
	PENDING, /* + family * RIB_CHANGES + change */
	LISTS = PENDING + BGP_FAMILIES * RIB_CHANGES,
	UNUSED, /* the entry itself is free; `next` links those */
};

struct entry {
	uint8_t family;
	uint8_t list; /* enum list_name */
	bool again;   /* told, but to be sent once more */
	uint16_t len;
	union {
		uint8_t near[NEAR_LEN];
		uint8_t *far; /* an NLRI longer than that */
	} octets;
	uint32_t wanted; /* paths of the store; PATH_NONE: none */
	uint32_t told;
	uint32_t flying; /* in flight: what it is being told */
	uint32_t next;
	uint32_t prev;
};

struct list {
	uint32_t head;
	uint32_t tail;
};

struct rib_out {
	struct entry *entries;
	uint32_t count; /* of the array, unused ones included */
	uint32_t room;
	uint32_t unused;
	uint32_t used;
	uint32_t told;
	struct list lists[LISTS];
	struct hash_index index;
	struct path_store paths;
};

struct rib_out *
rib_out_new(void)
{
	struct rib_out *rib = calloc(1, sizeof(*rib));

	if (!rib)
		return NULL;
	rib->unused = NOBODY;
	for (int i = 0; i < LISTS; i++)
		rib->lists[i] = (struct list){NOBODY, NOBODY};
	return rib;
}

void
rib_out_free(struct rib_out *rib)
{
	if (!rib)
		return;
	for (uint32_t i = 0; i < rib->count; i++) {
		if (rib->entries[i].list != UNUSED && rib->entries[i].len > NEAR_LEN)
			free(rib->entries[i].octets.far);
	}
	free(rib->entries);
	hash_index_fini(&rib->index);
	path_store_fini(&rib->paths);
	free(rib);
}

struct rib_nlri
rib_nlri_of(const struct prefix *prefix, uint8_t octets[static RIB_PREFIX_LEN])
{
	size_t len = (prefix->len + 7U) / 8;

	octets[0] = prefix->len;
	memcpy(octets + 1, prefix->addr.octets, len);
	return (struct rib_nlri){.family = prefix->addr.family == ADDR_V4 ? BGP_V4 : BGP_V6,
				 .len = (uint16_t)(1 + len),
				 .octets = octets};
}

struct prefix
rib_prefix_of(const struct rib_nlri *nlri)
{
	struct prefix prefix = {.addr.family = nlri->family == BGP_V4 ? ADDR_V4 : ADDR_V6, .len = nlri->octets[0]};

	memcpy(prefix.addr.octets, nlri->octets + 1, nlri->len - 1U);
	return prefix;
}

static const uint8_t *
entry_octets(const struct entry *e)
{
	return e->len > NEAR_LEN ? e->octets.far : e->octets.near;
}

static void
list_remove(struct rib_out *rib, struct entry *e)
{
	struct list *list = &rib->lists[e->list];
	struct stored_path *path = e->wanted == PATH_NONE ? NULL : rib->paths.paths[e->wanted];
	uint32_t at = (uint32_t)(e - rib->entries);

	if (e->list == NOWHERE)
		return;
	if (path && path->last == at)
		path->last = e->prev != NOBODY && rib->entries[e->prev].wanted == e->wanted ? e->prev : NOBODY;
	*(e->prev == NOBODY ? &list->head : &rib->entries[e->prev].next) = e->next;
	*(e->next == NOBODY ? &list->tail : &rib->entries[e->next].prev) = e->prev;
	e->list = NOWHERE;
}

/* Behind `after`, or at the end. */
static void
list_insert(struct rib_out *rib, struct entry *e, unsigned name, uint32_t after)
{
	struct list *list = &rib->lists[name];
	uint32_t at = (uint32_t)(e - rib->entries);

	e->list = (uint8_t)name;
	e->prev = after == NOBODY ? list->tail : after;
	e->next = e->prev == NOBODY ? NOBODY : rib->entries[e->prev].next;
	*(e->prev == NOBODY ? &list->head : &rib->entries[e->prev].next) = at;
	*(e->next == NOBODY ? &list->tail : &rib->entries[e->next].prev) = at;
}

static unsigned
list_of(unsigned family, enum rib_change change)
{
	return PENDING + family * RIB_CHANGES + change;
}

static uint32_t
entry_hash(const struct rib_nlri *nlri)
{
	return hash_octets(nlri->octets, nlri->len, nlri->family);
}

static void
entry_drop(struct rib_out *rib, struct entry *e)
{
	uint32_t at = (uint32_t)(e - rib->entries);

	hash_index_remove(&rib->index, hash_octets(entry_octets(e), e->len, e->family), at);
	if (e->len > NEAR_LEN)
		free(e->octets.far);
	*e = (struct entry){.list = UNUSED, .next = rib->unused};
	rib->unused = at;
	rib->used--;
}

/* Puts an entry where its facts say that it belongs; one in flight stays until that is confirmed. */
static void
entry_settle(struct rib_out *rib, struct entry *e)
{
	struct stored_path *path;

	if (e->list == FLIGHT)
		return;
	if (e->wanted == PATH_NONE && e->told == PATH_NONE) {
		entry_drop(rib, e);
	} else if (e->wanted == PATH_NONE) {
		list_insert(rib, e, list_of(e->family, RIB_WITHDRAW), NOBODY);
	} else if (e->wanted != e->told || e->again) {
		path = rib->paths.paths[e->wanted];
		list_insert(rib, e, list_of(e->family, RIB_ANNOUNCE), path->last);
		path->last = (uint32_t)(e - rib->entries);
	}
}

/* The only place where what the peer knows changes, so that the count holds. The use of the path passes to the entry. */
static void
entry_tell(struct rib_out *rib, struct entry *e, uint32_t path)
{
	rib->told += (path != PATH_NONE) - (uint32_t)(e->told != PATH_NONE);
	path_store_leave(&rib->paths, e->told);
	e->told = path;
}

static void
entry_want(struct rib_out *rib, struct entry *e, uint32_t path)
{
	if (e->list != FLIGHT)
		list_remove(rib, e);
	path_store_leave(&rib->paths, e->wanted);
	e->wanted = path;
	entry_settle(rib, e);
}

static struct entry *
entry_lookup(const struct rib_out *rib, const struct rib_nlri *nlri)
{
	size_t probe = 0;
	uint32_t at;

	while (hash_index_next(&rib->index, entry_hash(nlri), &probe, &at)) {
		struct entry *e = &rib->entries[at];

		if (e->family == nlri->family && e->len == nlri->len &&
		    memcmp(entry_octets(e), nlri->octets, e->len) == 0)
			return e;
	}
	return NULL;
}

static int
rib_grow(struct rib_out *rib)
{
	uint32_t room = rib->room ? rib->room * 2 : 64;
	struct entry *entries;

	if (rib->used == RIB_OUT_MAX)
		return -ENOSPC;
	if (rib->unused != NOBODY || rib->count < rib->room)
		return 0;
	entries = realloc(rib->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	rib->entries = entries;
	rib->room = room;
	return 0;
}

static int
entry_make(struct rib_out *rib, const struct rib_nlri *nlri, struct entry **out)
{
	int err = nlri->len > RIB_NLRI_MAX ? -EMSGSIZE : rib_grow(rib);
	uint8_t *far = NULL;
	uint32_t at;
	struct entry *e;

	if (err)
		return err;
	if (nlri->len > NEAR_LEN && !(far = malloc(nlri->len)))
		return -ENOMEM;
	at = rib->unused != NOBODY ? rib->unused : rib->count;
	err = hash_index_add(&rib->index, entry_hash(nlri), at);
	if (err) {
		free(far);
		return err;
	}
	e = &rib->entries[at];
	if (rib->unused != NOBODY)
		rib->unused = e->next;
	else
		rib->count++;
	rib->used++;
	*e = (struct entry){.family = (uint8_t)nlri->family, .len = nlri->len, .wanted = PATH_NONE,
			    .told = PATH_NONE, .flying = PATH_NONE};
	if (far)
		e->octets.far = far;
	memcpy(far ? far : e->octets.near, nlri->octets, nlri->len);
	*out = e;
	return 0;
}

int
rib_out_announce(struct rib_out *rib, const struct rib_nlri *nlri, const struct path *path)
{
	struct entry *e = entry_lookup(rib, nlri);
	uint32_t wanted;
	int err = path_store_use(&rib->paths, nlri->family, path, &wanted);

	if (err)
		return err;
	if (!e)
		err = entry_make(rib, nlri, &e);
	if (err) {
		path_store_leave(&rib->paths, wanted);
		return err;
	}
	if (e->wanted == wanted)
		path_store_leave(&rib->paths, wanted);
	else
		entry_want(rib, e, wanted);
	return 0;
}

void
rib_out_withdraw(struct rib_out *rib, const struct rib_nlri *nlri)
{
	struct entry *e = entry_lookup(rib, nlri);

	if (!e || e->wanted == PATH_NONE)
		return;
	e->again = false;
	entry_want(rib, e, PATH_NONE);
}

void
rib_out_forget(struct rib_out *rib)
{
	for (uint32_t i = 0; i < rib->count; i++) {
		struct entry *e = &rib->entries[i];

		if (e->list == UNUSED)
			continue;
		list_remove(rib, e);
		path_store_leave(&rib->paths, e->flying);
		e->flying = PATH_NONE;
		e->again = false;
		entry_tell(rib, e, PATH_NONE);
		entry_settle(rib, e);
	}
}

void
rib_out_refresh(struct rib_out *rib, enum bgp_family family)
{
	for (uint32_t i = 0; i < rib->count; i++) {
		struct entry *e = &rib->entries[i];

		if (e->list == UNUSED || e->family != family || e->wanted == PATH_NONE)
			continue;
		if (e->list != FLIGHT)
			list_remove(rib, e);
		e->again = true;
		entry_settle(rib, e);
	}
}

bool
rib_out_next(const struct rib_out *rib, enum bgp_family family, enum rib_change change, struct rib_nlri *out,
	     uint32_t *path)
{
	uint32_t first = rib->lists[list_of(family, change)].head;
	const struct entry *e;

	if (first == NOBODY)
		return false;
	e = &rib->entries[first];
	*out = (struct rib_nlri){.family = family, .len = e->len, .octets = entry_octets(e)};
	*path = e->wanted;
	return true;
}

void
rib_out_path(const struct rib_out *rib, uint32_t number, struct path *out)
{
	path_store_read(&rib->paths, number, out);
}

void
rib_out_sent(struct rib_out *rib, enum bgp_family family, enum rib_change change)
{
	struct entry *e = &rib->entries[rib->lists[list_of(family, change)].head];

	list_remove(rib, e);
	e->again = false;
	e->flying = change == RIB_ANNOUNCE ? e->wanted : PATH_NONE;
	path_store_hold(&rib->paths, e->flying);
	list_insert(rib, e, FLIGHT, NOBODY);
}

void
rib_out_defer(struct rib_out *rib, enum bgp_family family)
{
	struct entry *e = &rib->entries[rib->lists[list_of(family, RIB_ANNOUNCE)].head];

	list_remove(rib, e);
	e->again = false;
	list_insert(rib, e, e->told == PATH_NONE ? DEFERRED : list_of(family, RIB_WITHDRAW), NOBODY);
}

void
rib_out_confirm(struct rib_out *rib)
{
	while (rib->lists[FLIGHT].head != NOBODY) {
		struct entry *e = &rib->entries[rib->lists[FLIGHT].head];
		uint32_t told = e->flying;

		list_remove(rib, e);
		e->flying = PATH_NONE;
		entry_tell(rib, e, told);
		entry_settle(rib, e);
	}
}

uint32_t
rib_out_advertised(const struct rib_out *rib)
{
	return rib->told;
}

/* What it should be told, or else what it was told, or is being told. */
static uint32_t
entry_path(const struct entry *e)
{
	if (e->wanted != PATH_NONE)
		return e->wanted;
	return e->told != PATH_NONE ? e->told : e->flying;
}

static enum bgp_route_state
entry_state(const struct entry *e)
{
	if (e->wanted == PATH_NONE)
		return BGP_ROUTE_LEAVING;
	return e->told == e->wanted ? BGP_ROUTE_TOLD : BGP_ROUTE_PENDING;
}

size_t
rib_out_walk(const struct rib_out *rib, bgp_route_visit *visit, void *context)
{
	for (uint32_t i = 0; i < rib->count; i++) {
		const struct entry *e = &rib->entries[i];
		struct rib_nlri nlri = {.family = (enum bgp_family)e->family, .len = e->len, .octets = entry_octets(e)};
		struct path path;
		struct bgp_route_view view = {.family = nlri.family, .nlri = nlri.octets, .nlri_len = e->len, .path = &path};

		if (e->list == UNUSED)
			continue;
		view.state = entry_state(e);
		if (nlri.family == BGP_V4 || nlri.family == BGP_V6)
			view.prefix = rib_prefix_of(&nlri);
		path_store_read(&rib->paths, entry_path(e), &path);
		if (!visit(context, &view))
			break;
	}
	return rib->used;
}
