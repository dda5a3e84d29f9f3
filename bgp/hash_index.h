/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers found again by a hash: open addressing with linear probing, at most half full. The owner keeps the things
 * that the numbers stand for, and tells equal hashes apart. One thread.
 */
#ifndef BGP_HASH_INDEX_H
#define BGP_HASH_INDEX_H

#include "base/types.h"

struct hash_slot {
	uint32_t hash;
	uint32_t number; /* 0: free, else the number plus one */
};

struct hash_index {
	struct hash_slot *slots; /* NULL: nothing was added yet */
	size_t room;		 /* a power of two */
	size_t count;
};

void hash_index_fini(struct hash_index *index);
MUST_CHECK int hash_index_add(struct hash_index *index, uint32_t hash, uint32_t number); /* -ENOMEM */
void hash_index_remove(struct hash_index *index, uint32_t hash, uint32_t number);
/* The next number with this hash; *probe starts at zero. */
bool hash_index_next(const struct hash_index *index, uint32_t hash, size_t *probe, uint32_t *number);

uint32_t hash_octets(const void *octets, size_t len, uint32_t seed);

#endif
