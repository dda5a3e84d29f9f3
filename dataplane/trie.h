/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer's side of one trie of dataplane/stage/list.h: a set of prefixes with values, changed in place. Main lcore;
 * no worker may look at the trie while it is changed. Plain memory, none before the first entry, and none after the
 * last; a call that fails has changed nothing.
 */
#ifndef DATAPLANE_TRIE_H
#define DATAPLANE_TRIE_H

#include "dataplane/arena.h"
#include "dataplane/stage/list.h"

struct trie {
	struct arena nodes;
	struct arena values;
	list_value *shorter; /* by root: the longest prefix of less than LIST_ROOT_BITS that holds it */
	list_value *short_prefixes; /* the prefix of n bits is 2^n + its bits */
	uint32_t count;
};

/* A zeroed trie is an empty one. */
void trie_clear(struct trie *trie);
/* Replaces. value != 0; host bits are zero. -ENOMEM */
MUST_CHECK int trie_set(struct trie *trie, list_key key, unsigned len, list_value value);
/* -ENOENT */
MUST_CHECK int trie_remove(struct trie *trie, list_key key, unsigned len);
bool trie_has(const struct trie *trie, list_key key, unsigned len);
/* Makes `to` what `from` is. -ENOMEM: `to` is empty. */
MUST_CHECK int trie_copy(struct trie *to, const struct trie *from);
struct list_trie trie_view(const struct trie *trie);
size_t trie_octets(const struct trie *trie); /* of memory held */

#endif
