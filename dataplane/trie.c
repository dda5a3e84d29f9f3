/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trie is kept in its least form: a node holds two prefixes or more (itself or below), one alone is a leaf. So what a
 * set of prefixes takes doesn't depend on how it came about.
 */
#include "dataplane/trie.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* What one change can take at most: a block of 64 for the node that gets one more, and where two prefixes part
	 * late a node a level. */
	NODES_RESERVE = 128,
	VALUES_RESERVE = 64,
	DEPTH_MAX = 20,
	NODE_PREFIXES = 63,
};

static struct list_node *
node_at(const struct trie *t, uint32_t index)
{
	return arena_at(&t->nodes, index);
}

static bool
is_leaf(const struct list_node *node)
{
	return node->first_node == LIST_LEAF;
}

/* Only a root can be. */
static bool
is_empty(const struct list_node *node)
{
	return !is_leaf(node) && node->nodes == 0 && node->prefixes == 0;
}

static struct list_node
leaf_of(list_key rest, unsigned len, list_value value)
{
	return (struct list_node){
		.rest_high = (uint64_t)(rest >> 64),
		.rest_low = (uint64_t)rest,
		.first_node = LIST_LEAF,
		.values = len << 16 | value,
	};
}

static list_key
leaf_rest(const struct list_node *leaf)
{
	return (list_key)leaf->rest_high << 64 | leaf->rest_low;
}

static unsigned
leaf_len(const struct list_node *leaf)
{
	return leaf->values >> 16;
}

static unsigned
stride_of(list_key rest)
{
	return (unsigned)(rest >> (128 - LIST_STRIDE));
}

/* The bit of a prefix that ends in a node. len < LIST_STRIDE */
static unsigned
prefix_bit(list_key rest, unsigned len)
{
	return (1U << len) - 1 + (stride_of(rest) >> (LIST_STRIDE - len));
}

static void
values_read(const struct trie *t, const struct list_node *node, list_value values[static NODE_PREFIXES])
{
	unsigned n = list_count(node->prefixes);

	if (!(node->values & LIST_SAME))
		memcpy(values, arena_at(&t->values, node->values), n * sizeof(values[0]));
	else
		for (unsigned i = 0; i < n; i++)
			values[i] = (list_value)node->values;
}

static unsigned
values_units(unsigned n)
{
	return (n + LIST_VALUES - 1) / LIST_VALUES;
}

/* Gives the values of a node a new place, now that its prefixes are these. */
static void
values_write(struct trie *t, struct list_node *node, uint64_t prefixes, const list_value values[])
{
	unsigned n = list_count(prefixes), same = 1;

	if (!(node->values & LIST_SAME))
		arena_give(&t->values, node->values, values_units(list_count(node->prefixes)));
	node->prefixes = prefixes;
	while (same < n && values[same] == values[0])
		same++;
	if (n == 0 || same == n) {
		node->values = LIST_SAME | (n > 0 ? values[0] : 0);
		return;
	}
	node->values = arena_take(&t->values, values_units(n));
	memcpy(arena_at(&t->values, node->values), values, n * sizeof(values[0]));
}

/* True: the prefix is new. */
static bool
prefix_put(struct trie *t, struct list_node *node, unsigned bit, list_value value)
{
	list_value values[NODE_PREFIXES + 1];
	unsigned at = list_count(node->prefixes & ((UINT64_C(1) << bit) - 1)), n = list_count(node->prefixes);
	bool is_new = !(node->prefixes >> bit & 1);

	values_read(t, node, values);
	if (is_new)
		memmove(values + at + 1, values + at, (n - at) * sizeof(values[0]));
	values[at] = value;
	values_write(t, node, node->prefixes | UINT64_C(1) << bit, values);
	return is_new;
}

static void
prefix_take(struct trie *t, struct list_node *node, unsigned bit)
{
	list_value values[NODE_PREFIXES];
	unsigned at = list_count(node->prefixes & ((UINT64_C(1) << bit) - 1)), n = list_count(node->prefixes);

	values_read(t, node, values);
	memmove(values + at, values + at + 1, (n - at - 1) * sizeof(values[0]));
	values_write(t, node, node->prefixes & ~(UINT64_C(1) << bit), values);
}

static uint32_t
child_index(const struct list_node *node, unsigned at)
{
	return node->first_node + list_count(node->nodes & ((UINT64_C(1) << at) - 1));
}

/* A node below `node` at the 6 bits at, where there is none. */
static void
child_put(struct trie *t, struct list_node *node, unsigned at, struct list_node child)
{
	unsigned n = list_count(node->nodes), before = list_count(node->nodes & ((UINT64_C(1) << at) - 1));
	uint32_t first = node->first_node;
	struct list_node *from, *to;

	if (n == 0 || arena_class(n + 1) != arena_class(n))
		first = arena_take(&t->nodes, n + 1);
	from = node_at(t, node->first_node);
	to = node_at(t, first);
	memmove(to + before + 1, from + before, (n - before) * sizeof(*to));
	if (to != from) {
		memcpy(to, from, before * sizeof(*to));
		if (n > 0)
			arena_give(&t->nodes, node->first_node, n);
	}
	to[before] = child;
	node->first_node = first;
	node->nodes |= UINT64_C(1) << at;
}

static void
child_take(struct trie *t, struct list_node *node, unsigned at)
{
	unsigned n = list_count(node->nodes), before = list_count(node->nodes & ((UINT64_C(1) << at) - 1));
	uint32_t first = node->first_node;
	struct list_node *from = node_at(t, first), *to = from;

	if (n > 1 && arena_class(n - 1) != arena_class(n)) {
		first = arena_take(&t->nodes, n - 1);
		to = node_at(t, first);
		memcpy(to, from, before * sizeof(*to));
	}
	memmove(to + before, from + before + 1, (n - before - 1) * sizeof(*to));
	if (n == 1 || to != from)
		arena_give(&t->nodes, node->first_node, n);
	node->first_node = n == 1 ? 0 : first;
	node->nodes &= ~(UINT64_C(1) << at);
}

/* A leaf becomes a node that holds it. */
static void
leaf_open(struct trie *t, struct list_node *node)
{
	struct list_node old = *node;
	unsigned len = leaf_len(&old);
	list_key rest = leaf_rest(&old);
	list_value value = (list_value)old.values;

	*node = (struct list_node){.values = LIST_SAME};
	if (len < LIST_STRIDE)
		prefix_put(t, node, prefix_bit(rest, len), value);
	else
		child_put(t, node, stride_of(rest), leaf_of(rest << LIST_STRIDE, len - LIST_STRIDE, value));
}

/* True: the prefix is new. rest, len: behind the root's bits. */
static bool
deep_set(struct trie *t, uint32_t at, list_key rest, unsigned len, list_value value)
{
	for (;;) {
		struct list_node *node = node_at(t, at);

		if (is_empty(node) ||
		    (is_leaf(node) && leaf_len(node) == len && leaf_rest(node) == rest)) {
			bool is_new = !is_leaf(node);

			*node = leaf_of(rest, len, value);
			return is_new;
		}
		if (is_leaf(node))
			leaf_open(t, node);
		if (len < LIST_STRIDE)
			return prefix_put(t, node, prefix_bit(rest, len), value);
		if (!(node->nodes >> stride_of(rest) & 1)) {
			child_put(t, node, stride_of(rest), leaf_of(rest << LIST_STRIDE, len - LIST_STRIDE, value));
			return true;
		}
		at = child_index(node, stride_of(rest));
		rest <<= LIST_STRIDE;
		len -= LIST_STRIDE;
	}
}

/* Brings a node that may hold one prefix only to its least form. False: it was in it. */
static bool
node_shrink(struct trie *t, struct list_node *node)
{
	unsigned n = list_count(node->prefixes);

	if (n + list_count(node->nodes) != 1)
		return false;
	if (n == 1) {
		unsigned bit = (unsigned)__builtin_ctzll(node->prefixes);
		unsigned len = 31 - (unsigned)__builtin_clz(bit + 1);
		list_key rest = (list_key)(bit + 1 - (1U << len)) << (127 - len) << 1;

		*node = leaf_of(len > 0 ? rest : 0, len, (list_value)node->values);
		return true;
	}
	struct list_node child = *node_at(t, node->first_node);
	unsigned at = (unsigned)__builtin_ctzll(node->nodes);

	if (!is_leaf(&child))
		return false;
	child_take(t, node, at);
	*node = leaf_of(leaf_rest(&child) >> LIST_STRIDE | (list_key)at << (128 - LIST_STRIDE),
			leaf_len(&child) + LIST_STRIDE, (list_value)child.values);
	return true;
}

static int
deep_remove(struct trie *t, uint32_t root, list_key rest, unsigned len)
{
	struct list_node *path[DEPTH_MAX], *node = node_at(t, root);
	unsigned depth = 0, at = 0;

	/* One below another; taking a leaf moves only what is below the last one of the path. */
	while (!is_leaf(node) && len >= LIST_STRIDE) {
		at = stride_of(rest);
		if (!(node->nodes >> at & 1))
			return -ENOENT;
		path[depth++] = node;
		node = node_at(t, child_index(node, at));
		rest <<= LIST_STRIDE;
		len -= LIST_STRIDE;
	}
	if (is_leaf(node)) {
		if (leaf_len(node) != len || leaf_rest(node) != rest)
			return -ENOENT;
		if (depth == 0)
			*node = (struct list_node){.values = LIST_SAME};
		else
			child_take(t, path[depth - 1], at);
	} else {
		if (!(node->prefixes >> prefix_bit(rest, len) & 1))
			return -ENOENT;
		prefix_take(t, node, prefix_bit(rest, len));
		if (!node_shrink(t, node))
			return 0;
	}
	while (depth > 0 && node_shrink(t, path[--depth]))
		;
	return 0;
}

/* The roots under a prefix that is shorter than a root's begin anew. */
static void
shorter_update(struct trie *t, unsigned first, unsigned len)
{
	for (unsigned root = first; root < first + (LIST_ROOTS >> len); root++) {
		unsigned at = (LIST_ROOTS | root) >> 1;

		while (at > 1 && t->short_prefixes[at] == 0)
			at >>= 1;
		t->shorter[root] = t->short_prefixes[at];
	}
}

static int
shorter_set(struct trie *t, list_key key, unsigned len, list_value value)
{
	unsigned root = (unsigned)(key >> (128 - LIST_ROOT_BITS));
	list_value *at = &t->short_prefixes[(LIST_ROOTS | root) >> (LIST_ROOT_BITS - len)];

	if (*at == 0 && value == 0)
		return -ENOENT;
	if (value == 0)
		t->count--;
	else if (*at == 0)
		t->count++;
	*at = value;
	shorter_update(t, root, len);
	return 0;
}

void
trie_clear(struct trie *t)
{
	arena_free_all(&t->nodes);
	arena_free_all(&t->values);
	free(t->shorter);
	*t = (struct trie){0};
}

/* The roots are written, so that workers don't meet pages that aren't there yet. */
static int
trie_begin(struct trie *t)
{
	list_value *both = calloc(2 * LIST_ROOTS, sizeof(*both));

	t->nodes.unit = sizeof(struct list_node);
	t->values.unit = sizeof(struct list_values);
	if (!both || arena_reserve(&t->nodes, LIST_ROOTS + NODES_RESERVE) != 0) {
		free(both);
		*t = (struct trie){0};
		return -ENOMEM;
	}
	memset(both, 0, 2 * LIST_ROOTS * sizeof(*both));
	t->shorter = both;
	t->short_prefixes = both + LIST_ROOTS;
	t->nodes.used = LIST_ROOTS;
	for (uint32_t i = 0; i < LIST_ROOTS; i++)
		*node_at(t, i) = (struct list_node){.values = LIST_SAME};
	return 0;
}

int
trie_set(struct trie *t, list_key key, unsigned len, list_value value)
{
	if (!t->nodes.units && trie_begin(t) != 0)
		return -ENOMEM;
	if (arena_reserve(&t->nodes, NODES_RESERVE) != 0 || arena_reserve(&t->values, VALUES_RESERVE) != 0) {
		if (t->count == 0)
			trie_clear(t);
		return -ENOMEM;
	}
	if (len < LIST_ROOT_BITS)
		return shorter_set(t, key, len, value);
	t->count += deep_set(t, (uint32_t)(key >> (128 - LIST_ROOT_BITS)), key << LIST_ROOT_BITS, len - LIST_ROOT_BITS,
			     value);
	return 0;
}

int
trie_remove(struct trie *t, list_key key, unsigned len)
{
	int err;

	if (!t->nodes.units)
		return -ENOENT;
	/* Fewer nodes may take a smaller block, which isn't always there. */
	if (arena_reserve(&t->nodes, NODES_RESERVE) != 0 || arena_reserve(&t->values, VALUES_RESERVE) != 0)
		return -ENOMEM;
	if (len < LIST_ROOT_BITS) {
		err = shorter_set(t, key, len, 0);
	} else {
		err = deep_remove(t, (uint32_t)(key >> (128 - LIST_ROOT_BITS)), key << LIST_ROOT_BITS,
				  len - LIST_ROOT_BITS);
		t->count -= err == 0;
	}
	if (err == 0 && t->count == 0)
		trie_clear(t);
	return err;
}

bool
trie_has(const struct trie *t, list_key key, unsigned len)
{
	uint32_t root = (uint32_t)(key >> (128 - LIST_ROOT_BITS));
	list_key rest = key << LIST_ROOT_BITS;
	const struct list_node *node;

	if (!t->nodes.units)
		return false;
	if (len < LIST_ROOT_BITS)
		return t->short_prefixes[(LIST_ROOTS | root) >> (LIST_ROOT_BITS - len)] != 0;
	len -= LIST_ROOT_BITS;
	node = node_at(t, root);
	while (!is_leaf(node) && len >= LIST_STRIDE) {
		if (!(node->nodes >> stride_of(rest) & 1))
			return false;
		node = node_at(t, child_index(node, stride_of(rest)));
		rest <<= LIST_STRIDE;
		len -= LIST_STRIDE;
	}
	if (is_leaf(node))
		return leaf_len(node) == len && leaf_rest(node) == rest;
	return node->prefixes >> prefix_bit(rest, len) & 1;
}

int
trie_copy(struct trie *to, const struct trie *from)
{
	size_t octets = 2 * LIST_ROOTS * sizeof(*to->shorter);

	if (!from->nodes.units) {
		trie_clear(to);
		return 0;
	}
	if (!to->shorter)
		to->shorter = malloc(octets);
	if (!to->shorter || arena_copy(&to->nodes, &from->nodes) != 0 ||
	    arena_copy(&to->values, &from->values) != 0) {
		trie_clear(to);
		return -ENOMEM;
	}
	memcpy(to->shorter, from->shorter, octets);
	to->short_prefixes = to->shorter + LIST_ROOTS;
	to->count = from->count;
	return 0;
}

struct list_trie
trie_view(const struct trie *t)
{
	return (struct list_trie){.nodes = t->nodes.units, .values = t->values.units, .shorter = t->shorter};
}

size_t
trie_octets(const struct trie *t)
{
	return arena_octets(&t->nodes) + arena_octets(&t->values) +
	       (t->shorter ? 2 * LIST_ROOTS * sizeof(*t->shorter) : 0);
}
