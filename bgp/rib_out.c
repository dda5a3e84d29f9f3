/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/rib_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct prefix prefix;
	bool wanted;
	bool told;
	bool again; /* told, but to be sent once more */
};

struct rib_out {
	struct entry *entries; /* ascending by prefix_compare */
	size_t count;
	size_t room;
	size_t pending[BGP_FAMILIES][RIB_CHANGES];
	uint32_t told;
};

struct rib_out *
rib_out_new(void)
{
	return calloc(1, sizeof(struct rib_out));
}

void
rib_out_free(struct rib_out *rib)
{
	if (!rib)
		return;
	free(rib->entries);
	free(rib);
}

static enum bgp_family
entry_family(const struct entry *e)
{
	return e->prefix.addr.family == ADDR_V4 ? BGP_V4 : BGP_V6;
}

static bool
entry_is_pending(const struct entry *e, enum rib_change change)
{
	return change == RIB_WITHDRAW ? e->told && !e->wanted : e->wanted && (!e->told || e->again);
}

/* Every change of an entry's facts goes through here, so that the counts hold. */
static void
entry_set(struct rib_out *rib, struct entry *e, bool wanted, bool told, bool again)
{
	size_t *pending = rib->pending[entry_family(e)];

	for (int i = 0; i < RIB_CHANGES; i++)
		pending[i] -= entry_is_pending(e, (enum rib_change)i);
	rib->told += (uint32_t)told - (uint32_t)e->told;
	e->wanted = wanted;
	e->told = told;
	e->again = again;
	for (int i = 0; i < RIB_CHANGES; i++)
		pending[i] += entry_is_pending(e, (enum rib_change)i);
}

/* The index of the prefix, or of the place where it belongs. */
static size_t
entry_index(const struct rib_out *rib, const struct prefix *prefix, bool *found)
{
	size_t low = 0;
	size_t high = rib->count;

	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = prefix_compare(prefix, &rib->entries[mid].prefix);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int
rib_grow(struct rib_out *rib)
{
	size_t room = rib->room ? rib->room * 2 : 64;
	struct entry *entries;

	if (rib->count == RIB_OUT_MAX)
		return -ENOSPC;
	if (rib->count < rib->room)
		return 0;
	entries = realloc(rib->entries, room * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	rib->entries = entries;
	rib->room = room;
	return 0;
}

int
rib_out_announce(struct rib_out *rib, const struct prefix *prefix)
{
	bool found;
	size_t at = entry_index(rib, prefix, &found);
	struct entry *e;
	int err;

	if (!found) {
		err = rib_grow(rib);
		if (err)
			return err;
		memmove(&rib->entries[at + 1], &rib->entries[at], (rib->count - at) * sizeof(*e));
		rib->entries[at] = (struct entry){.prefix = *prefix};
		rib->count++;
	}
	e = &rib->entries[at];
	entry_set(rib, e, true, e->told, e->again);
	return 0;
}

void
rib_out_withdraw(struct rib_out *rib, const struct prefix *prefix)
{
	bool found;
	size_t at = entry_index(rib, prefix, &found);
	struct entry *e;

	if (!found)
		return;
	e = &rib->entries[at];
	entry_set(rib, e, false, e->told, false);
	if (e->told)
		return;
	rib->count--;
	memmove(e, e + 1, (rib->count - at) * sizeof(*e));
}

/* Drops what is neither wanted nor told. */
static void
rib_compact(struct rib_out *rib)
{
	size_t kept = 0;

	for (size_t i = 0; i < rib->count; i++) {
		if (rib->entries[i].wanted || rib->entries[i].told)
			rib->entries[kept++] = rib->entries[i];
	}
	rib->count = kept;
}

void
rib_out_forget(struct rib_out *rib)
{
	for (size_t i = 0; i < rib->count; i++)
		entry_set(rib, &rib->entries[i], rib->entries[i].wanted, false, false);
	rib_compact(rib);
}

void
rib_out_refresh(struct rib_out *rib, enum bgp_family family)
{
	for (size_t i = 0; i < rib->count; i++) {
		struct entry *e = &rib->entries[i];

		if (entry_family(e) == family && e->told && e->wanted)
			entry_set(rib, e, true, true, true);
	}
}

size_t
rib_out_pending(const struct rib_out *rib, enum bgp_family family, enum rib_change change, struct prefix *out, size_t max)
{
	size_t count = 0;
	size_t left = rib->pending[family][change];

	for (size_t i = 0; count < max && count < left; i++) {
		const struct entry *e = &rib->entries[i];

		if (entry_family(e) == family && entry_is_pending(e, change))
			out[count++] = e->prefix;
	}
	return count;
}

void
rib_out_sent(struct rib_out *rib, enum bgp_family family, enum rib_change change, size_t count)
{
	bool told = change == RIB_ANNOUNCE;

	for (size_t i = 0; i < rib->count && count > 0; i++) {
		struct entry *e = &rib->entries[i];

		if (entry_family(e) != family || !entry_is_pending(e, change))
			continue;
		entry_set(rib, e, e->wanted, told, false);
		count--;
	}
	if (!told)
		rib_compact(rib);
}

uint32_t
rib_out_advertised(const struct rib_out *rib)
{
	return rib->told;
}
