/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/hash_index.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

void
hash_index_fini(struct hash_index *index)
{
	free(index->slots);
	*index = (struct hash_index){0};
}

static void
place(struct hash_index *index, struct hash_slot slot)
{
	size_t at = slot.hash & (index->room - 1);

	while (index->slots[at].number != 0)
		at = (at + 1) & (index->room - 1);
	index->slots[at] = slot;
}

static int
grow(struct hash_index *index)
{
	struct hash_index larger = {.room = index->room ? index->room * 2 : FIRST_ROOM, .count = index->count};

	larger.slots = calloc(larger.room, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < index->room; i++) {
		if (index->slots[i].number != 0)
			place(&larger, index->slots[i]);
	}
	free(index->slots);
	*index = larger;
	return 0;
}

int
hash_index_add(struct hash_index *index, uint32_t hash, uint32_t number)
{
	int err = index->count * 2 >= index->room ? grow(index) : 0;

	if (err)
		return err;
	place(index, (struct hash_slot){.hash = hash, .number = number + 1});
	index->count++;
	return 0;
}

/* What follows in the run moves up unless that would put it before its own place: no tombstones. */
static void
close_gap(struct hash_index *index, size_t gap)
{
	size_t mask = index->room - 1;

	for (size_t at = (gap + 1) & mask; index->slots[at].number != 0; at = (at + 1) & mask) {
		size_t home = index->slots[at].hash & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue;
		index->slots[gap] = index->slots[at];
		gap = at;
	}
	index->slots[gap] = (struct hash_slot){0};
}

void
hash_index_remove(struct hash_index *index, uint32_t hash, uint32_t number)
{
	size_t mask = index->room - 1;
	size_t at = hash & mask;

	if (index->room == 0)
		return;
	for (; index->slots[at].number != 0; at = (at + 1) & mask) {
		if (index->slots[at].number != number + 1)
			continue;
		close_gap(index, at);
		index->count--;
		return;
	}
}

bool
hash_index_next(const struct hash_index *index, uint32_t hash, size_t *probe, uint32_t *number)
{
	if (index->room == 0)
		return false;
	for (;;) {
		const struct hash_slot *slot = &index->slots[(hash + *probe) & (index->room - 1)];

		(*probe)++;
		if (slot->number == 0)
			return false;
		if (slot->hash != hash)
			continue;
		*number = slot->number - 1;
		return true;
	}
}

/* FNV-1a, stirred so that the low bits tell: the index takes those. */
uint32_t
hash_octets(const void *octets, size_t len, uint32_t seed)
{
	const uint8_t *at = octets;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash ^ hash >> 29 ^ hash >> 47);
}
