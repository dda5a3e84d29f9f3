/* SPDX-License-Identifier: BSD-2-Clause */
/* Open addressing with linear probing, at most half full; a removal moves up what follows, so there are no tombstones. */
#include "bgp/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

struct tally {
	uint64_t key[2];
	uint32_t limit;
	uint32_t count;
	size_t mask;
	uint64_t slots[]; /* 0: free */
};

struct tally *
tally_new(uint32_t limit, uint64_t seed)
{
	size_t room = 64;
	struct tally *tally;

	while (room < (size_t)limit * 2)
		room *= 2;
	tally = calloc(1, sizeof(*tally) + room * sizeof(tally->slots[0]));
	if (!tally)
		return NULL;
	tally->key[0] = seed;
	tally->key[1] = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	tally->limit = limit;
	tally->mask = room - 1;
	return tally;
}

void
tally_free(struct tally *tally)
{
	free(tally);
}

void
tally_clear(struct tally *tally)
{
	if (tally->count > 0)
		memset(tally->slots, 0, (tally->mask + 1) * sizeof(tally->slots[0]));
	tally->count = 0;
}

/* Chained over blocks, since a FlowSpec rule may be long. */
static uint64_t
fingerprint(const struct tally *tally, enum bgp_family family, const uint8_t *octets, size_t len)
{
	uint64_t words[8] = {(uint64_t)family << 32 | len};
	uint64_t hash = 0;

	do {
		size_t part = len < 48 ? len : 48;

		memset(&words[1], 0, sizeof(words) - sizeof(words[0]));
		words[1] = hash;
		memcpy(&words[2], octets, part);
		hash = siphash(tally->key, words, ARRAY_LEN(words), SIPHASH_QUICK_WORD, SIPHASH_QUICK_END);
		octets += part;
		len -= part;
	} while (len > 0);
	return hash ? hash : 1;
}

/* The slot that has it, or the free one where it belongs. */
static size_t
slot_of(const struct tally *tally, uint64_t print)
{
	size_t at = print & tally->mask;

	while (tally->slots[at] != 0 && tally->slots[at] != print)
		at = (at + 1) & tally->mask;
	return at;
}

bool
tally_add(struct tally *tally, enum bgp_family family, const void *octets, size_t len)
{
	uint64_t print = fingerprint(tally, family, octets, len);
	size_t at = slot_of(tally, print);

	if (tally->slots[at] != 0)
		return true;
	if (tally->count >= tally->limit)
		return false;
	tally->slots[at] = print;
	tally->count++;
	return true;
}

void
tally_remove(struct tally *tally, enum bgp_family family, const void *octets, size_t len)
{
	size_t gap = slot_of(tally, fingerprint(tally, family, octets, len));

	if (tally->slots[gap] == 0)
		return;
	tally->count--;
	for (size_t at = (gap + 1) & tally->mask; tally->slots[at] != 0; at = (at + 1) & tally->mask) {
		size_t home = tally->slots[at] & tally->mask;

		if (((at - home) & tally->mask) < ((at - gap) & tally->mask))
			continue;
		tally->slots[gap] = tally->slots[at];
		gap = at;
	}
	tally->slots[gap] = 0;
}

uint32_t
tally_count(const struct tally *tally)
{
	return tally->count;
}
