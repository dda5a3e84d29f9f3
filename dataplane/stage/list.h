/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list stage: the longest listed prefix that holds a packet's source address. Writes nothing to the packet: gives a
 * list_value for each.
 *
 * A table is a trie for each family. The first 16 bits of the address choose one of 65,536 root nodes; each node below
 * decides 6 bits more. Prefixes that end in a node are bits of `prefixes` (a prefix of n bits, 0..5, is bit 2^n - 1 +
 * its bits: of those that hold an address the longest is the highest), nodes below it are bits of `nodes`, and what the
 * bits stand for lies packed in the order of the bits. A subtree of one prefix is a leaf in place of a node. So a
 * million random host addresses take about 1.2 nodes each, and a random source mostly ends in the node that it began
 * with. Nothing is pushed down: what holds a removed prefix is found again by itself. Prefixes of less than 16 bits are
 * what a root begins with (`shorter`).
 *
 * A burst goes down level by level, so that the misses of its packets overlap; no step depends on a jump that can't be
 * foreseen. Nodes are 24 octets: two thirds of a cache line for two more would cost more misses than crossing lines.
 *
 * Tables belong to dataplane/lists.h. A worker loads the pointer once a burst, between quiescent states.
 */
#ifndef DATAPLANE_STAGE_LIST_H
#define DATAPLANE_STAGE_LIST_H

#include <stdatomic.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "abi/list.h"
#include "dataplane/packet.h"

enum {
	LIST_ROOT_BITS = 16,
	LIST_ROOTS = 1 << LIST_ROOT_BITS,
	LIST_STRIDE = 6,
	LIST_GROUP = 64, /* packets that go down together */
};

#define LIST_LEAF UINT32_MAX	      /* in first_node */
#define LIST_SAME UINT32_C(0x80000000) /* in values: all of the node's prefixes have the value in the low half */

/* An address or its rest, from the top; IPv4 is followed by zeros. */
typedef unsigned __int128 list_key;

/* Action << 8 | class; 0 is LIST_NONE. */
typedef uint16_t list_value;

struct list_node {
	union {
		uint64_t nodes; /* by 6 bits */
		uint64_t rest_high; /* leaf: what is left of the prefix behind the nodes above */
	};
	union {
		uint64_t prefixes;
		uint64_t rest_low;
	};
	uint32_t first_node; /* index of the nodes below; LIST_LEAF: a leaf */
	uint32_t values;     /* LIST_SAME | value, or index of the values; leaf: bits of the rest << 16 | value */
};
_Static_assert(sizeof(struct list_node) == 24, "struct list_node");

enum { LIST_VALUES = 4 };

struct list_values {
	list_value of[LIST_VALUES];
};

struct list_trie {
	const struct list_node *nodes;	 /* the first LIST_ROOTS are the roots; NULL: the family has no entry */
	const struct list_values *values;
	const list_value *shorter; /* by root */
};

/*
 * What most sources are told by from all entries, in one look or two: bits that are set when some entry may hold an
 * address. Entries that are IPv4 hosts have three bits of one word (a Bloom filter whose blocks are words: of a million
 * entries one stranger in a hundred seems to be one, where a bit for each would let six pass); the other IPv4 entries a bit
 * for each first 24 bits; IPv6 ones a bit by a hash of the first 48. NULL: there is no such entry.
 */
enum list_near { LIST_NEAR_HOST = 0, LIST_NEAR_V4, LIST_NEAR_V6, LIST_NEARS };

struct list_tables {
	struct list_trie v4;
	struct list_trie v6;
	const uint64_t *near[LIST_NEARS];
	bool is_near[2]; /* IPv4, IPv6: all addresses are to be looked up */
};

enum { LIST_NEAR_BITS = 24, LIST_NEAR_WORDS = 18 /* bits of a word's index */, LIST_NEAR_V6_LEN = 48 };

/* Addresses, of IPv6 the first 64 bits, are in host order. */

/* The word's index is at the top of the hash, what chooses its bits behind. */
static inline uint64_t
list_near_host(uint32_t address)
{
	return address * UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint32_t
list_near_word(uint64_t hash)
{
	return (uint32_t)(hash >> (64 - LIST_NEAR_WORDS));
}

static inline uint64_t
list_near_mask(uint64_t hash)
{
	return UINT64_C(1) << (hash >> 40 & 63) | UINT64_C(1) << (hash >> 34 & 63) | UINT64_C(1) << (hash >> 28 & 63);
}

static inline uint32_t
list_near_v4(uint32_t address)
{
	return address >> (32 - LIST_NEAR_BITS);
}

static inline uint32_t
list_near_v6(uint64_t high)
{
	return (uint32_t)((high >> (64 - LIST_NEAR_V6_LEN)) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LIST_NEAR_BITS));
}

/* Where workers find the tables in force. Never NULL; lives as long as the lists. */
struct list_handle {
	_Atomic(const struct list_tables *) tables;
};

static inline const struct list_tables *
list_tables_load(const struct list_handle *handle)
{
	/* Pairs with the release in lists_publish. */
	return atomic_load_explicit(&handle->tables, memory_order_acquire);
}

static inline bool
list_tables_empty(const struct list_tables *tables)
{
	return !tables->v4.nodes && !tables->v6.nodes;
}

static inline enum abi_list_action
list_action(list_value value)
{
	return (enum abi_list_action)(value >> 8);
}

static inline uint8_t
list_class(list_value value)
{
	return (uint8_t)value;
}

static inline list_key
list_key_v4(const uint8_t *octets4)
{
	uint32_t value;

	memcpy(&value, octets4, 4);
	return (list_key)rte_be_to_cpu_32(value) << 96;
}

static inline list_key
list_key_v6(const uint8_t *octets16)
{
	uint64_t halves[2];

	memcpy(halves, octets16, 16);
	return (list_key)rte_be_to_cpu_64(halves[0]) << 64 | rte_be_to_cpu_64(halves[1]);
}

static inline unsigned
list_count(uint64_t bits)
{
	return (unsigned)__builtin_popcountll(bits);
}

/* The prefixes of a node that hold the 6 bits at: those of 0 to 5 bits. */
static inline uint64_t
list_holders(unsigned at)
{
	return UINT64_C(1) | UINT64_C(2) << (at >> 5) | UINT64_C(8) << (at >> 4) | UINT64_C(0x80) << (at >> 3) |
	       UINT64_C(0x8000) << (at >> 2) | UINT64_C(0x80000000) << (at >> 1);
}

/* Of IPv4 the rest is in the high half, with its 16 bits at most. */
static __rte_always_inline bool
list_leaf_holds(const struct list_node *leaf, uint64_t high, uint64_t low, bool is_v6)
{
	unsigned len = leaf->values >> 16;
	list_key differs = (list_key)(high ^ leaf->rest_high) << 64 | (low ^ leaf->rest_low);

	/* In two shifts, for one by the whole width is undefined; and for any len, as what is no leaf is asked as well. */
	if (!is_v6)
		return (high ^ leaf->rest_high) >> 1 >> ((63 - len) & 63) == 0;
	return differs >> 1 >> ((127 - len) & 127) == 0;
}

/* bits: the prefixes of the node that hold the address; the highest counts. */
static inline list_value
list_node_value(const struct list_trie *trie, const struct list_node *node, uint64_t bits)
{
	uint64_t longest = UINT64_C(1) << (63 - __builtin_clzll(bits));
	unsigned index = list_count(node->prefixes & (longest - 1));

	if (likely(node->values & LIST_SAME))
		return (list_value)node->values;
	return trie->values[node->values + index / LIST_VALUES].of[index % LIST_VALUES];
}

/* An address on its way down. */
struct list_walk {
	uint64_t high; /* what is left of it */
	uint64_t low;
	uint64_t match; /* of the node found */
	uint32_t node;
	uint32_t found;
	list_value value; /* if nothing is found in a node */
};

/* One level down. True: there is a node below, w->node, which is being fetched. */
static __rte_always_inline bool
list_step(const struct list_node *nodes, struct list_walk *w, bool is_v6)
{
	const struct list_node *node = &nodes[w->node];
	unsigned at = (unsigned)(w->high >> (64 - LIST_STRIDE));
	bool is_leaf = node->first_node == LIST_LEAF;
	uint64_t match = is_leaf ? 0 : node->prefixes & list_holders(at);
	uint64_t bit = UINT64_C(1) << at;
	bool goes_on = !is_leaf & ((node->nodes & bit) != 0);
	bool holds = is_leaf & list_leaf_holds(node, w->high, w->low, is_v6);

	w->found = match ? w->node : w->found;
	w->match = match ? match : w->match;
	/* A leaf is deeper than any match before it. */
	w->value = holds ? (list_value)node->values : w->value;
	w->match = holds ? 0 : w->match;
	w->node = goes_on ? node->first_node + list_count(node->nodes & (bit - 1)) : 0;
	w->high = w->high << LIST_STRIDE | (is_v6 ? w->low >> (64 - LIST_STRIDE) : 0);
	if (is_v6)
		w->low <<= LIST_STRIDE;
	rte_prefetch0(&nodes[w->node]);
	return goes_on;
}

/* n <= LIST_GROUP keys of one family, whose trie is there. */
static __rte_always_inline void
list_lookup_family(const struct list_trie *trie, const list_key keys[], list_value values[], unsigned n, bool is_v6)
{
	struct list_walk walks[LIST_GROUP];
	uint8_t going[LIST_GROUP];
	unsigned left = n;

	for (unsigned i = 0; i < n; i++) {
		uint32_t root = (uint32_t)(keys[i] >> (128 - LIST_ROOT_BITS));

		rte_prefetch0(&trie->nodes[root]);
		rte_prefetch0(&trie->shorter[root]);
		walks[i].high = (uint64_t)(keys[i] << LIST_ROOT_BITS >> 64);
		walks[i].low = (uint64_t)(keys[i] << LIST_ROOT_BITS);
		walks[i].match = 0;
		walks[i].node = walks[i].found = root;
		going[i] = (uint8_t)i;
	}
	for (unsigned i = 0; i < n; i++)
		walks[i].value = trie->shorter[walks[i].node];
	while (left > 0) {
		unsigned still = 0;

		for (unsigned k = 0; k < left; k++) {
			uint8_t i = going[k];

			going[still] = i;
			still += list_step(trie->nodes, &walks[i], is_v6);
		}
		left = still;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct list_walk *w = &walks[i];

		values[i] = w->match ? list_node_value(trie, &trie->nodes[w->found], w->match) : w->value;
	}
}

static inline void
list_lookup_group(const struct list_trie *trie, const list_key keys[], list_value values[], unsigned n, bool is_v6)
{
	if (is_v6)
		list_lookup_family(trie, keys, values, n, true);
	else
		list_lookup_family(trie, keys, values, n, false);
}

/* Keys of one family, by its trie. n is any. */
static inline void
list_lookup_bulk(const struct list_tables *tables, const list_key keys[], list_value values[], unsigned n, bool is_v6)
{
	const struct list_trie *trie = is_v6 ? &tables->v6 : &tables->v4;

	if (!trie->nodes) {
		memset(values, 0, n * sizeof(values[0]));
		return;
	}
	for (unsigned i = 0; i < n; i += LIST_GROUP)
		list_lookup_group(trie, keys + i, values + i, RTE_MIN(n - i, (unsigned)LIST_GROUP), is_v6);
}

/* Relaxed: the main lcore sets the bits of an entry before it publishes the entry. */
static inline unsigned
list_near_has(const uint64_t *bits, uint32_t at)
{
	return (unsigned)(__atomic_load_n(&bits[at / 64], __ATOMIC_RELAXED) >> (at % 64)) & 1;
}

static inline unsigned
list_near_has_host(const uint64_t *words, uint32_t address)
{
	uint64_t hash = list_near_host(address), mask = list_near_mask(hash);

	return (__atomic_load_n(&words[list_near_word(hash)], __ATOMIC_RELAXED) & mask) == mask;
}

/* A group's packets: who is asked about, and where they stand in the burst. */
struct list_gather {
	unsigned n;
	uint8_t at[LIST_GROUP];
	uint64_t first[LIST_GROUP]; /* the address, of IPv6 its first 64 bits; in host order */
};

static inline void
list_gather_v4(struct list_gather *g, const struct list_tables *tables, const struct packet *p, unsigned at)
{
	uint32_t address;

	memcpy(&address, packet_at(p, p->src_at), sizeof(address));
	address = rte_be_to_cpu_32(address);
	if (tables->near[LIST_NEAR_HOST])
		rte_prefetch0(&tables->near[LIST_NEAR_HOST][list_near_word(list_near_host(address))]);
	if (tables->near[LIST_NEAR_V4])
		rte_prefetch0(&tables->near[LIST_NEAR_V4][list_near_v4(address) / 64]);
	g->at[g->n] = (uint8_t)at;
	g->first[g->n++] = address;
}

static inline void
list_gather_v6(struct list_gather *g, const struct list_tables *tables, const struct packet *p, unsigned at)
{
	uint64_t high;

	memcpy(&high, packet_at(p, p->src_at), sizeof(high));
	high = rte_be_to_cpu_64(high);
	if (tables->near[LIST_NEAR_V6])
		rte_prefetch0(&tables->near[LIST_NEAR_V6][list_near_v6(high) / 64]);
	g->at[g->n] = (uint8_t)at;
	g->first[g->n++] = high;
}

/* Leaves out whom no entry is near. */
static inline void
list_near_keep(struct list_gather *g, const struct list_tables *tables, bool is_v6)
{
	const uint64_t *hosts = tables->near[LIST_NEAR_HOST], *v4 = tables->near[LIST_NEAR_V4];
	const uint64_t *v6 = tables->near[LIST_NEAR_V6];
	unsigned n = 0;

	for (unsigned i = 0; i < g->n; i++) {
		uint64_t first = g->first[i];
		unsigned is_near = 0;

		if (is_v6) {
			is_near = v6 ? list_near_has(v6, list_near_v6(first)) : 0;
		} else {
			is_near |= hosts ? list_near_has_host(hosts, (uint32_t)first) : 0;
			is_near |= v4 ? list_near_has(v4, list_near_v4((uint32_t)first)) : 0;
		}
		g->first[n] = first;
		g->at[n] = g->at[i];
		n += is_near;
	}
	g->n = n;
}

/* Those that are left go down the trie. */
static __rte_noinline void
list_gather_lookup(const struct list_gather *g, const struct list_trie *trie, const struct packet *packets,
		   list_value values[], bool is_v6)
{
	list_key keys[LIST_GROUP];
	list_value got[LIST_GROUP];

	for (unsigned i = 0; i < g->n; i++) {
		const struct packet *p = &packets[g->at[i]];

		keys[i] = is_v6 ? list_key_v6(packet_at(p, p->src_at)) : list_key_v4(packet_at(p, p->src_at));
	}
	list_lookup_group(trie, keys, got, g->n, is_v6);
	for (unsigned i = 0; i < g->n; i++)
		values[g->at[i]] = got[i];
}

static inline void
list_family(struct list_gather *g, const struct list_tables *tables, const struct packet *packets, list_value values[],
	    bool is_v6)
{
	const struct list_trie *trie = is_v6 ? &tables->v6 : &tables->v4;

	if (!trie->nodes || g->n == 0)
		return;
	if (!tables->is_near[is_v6])
		list_near_keep(g, tables, is_v6);
	if (g->n > 0)
		list_gather_lookup(g, trie, packets, values, is_v6);
}

static inline void
list_group(const struct list_tables *tables, const struct packet *packets, unsigned n, list_value values[])
{
	struct list_gather v4, v6;

	v4.n = v6.n = 0;
	memset(values, 0, n * sizeof(values[0]));
	for (unsigned i = 0; i < n; i++) {
		const struct packet *p = &packets[i];

		if (unlikely(p->service == SERVICE_NONE || !packet_is_open(p)))
			continue;
		if (p->flags & PACKET_V6)
			list_gather_v6(&v6, tables, p, i);
		else
			list_gather_v4(&v4, tables, p, i);
	}
	list_family(&v4, tables, packets, values, false);
	list_family(&v6, tables, packets, values, true);
}

/* values has room for b->n. Packets for no service and settled ones get 0. */
static inline void
list_burst(const struct list_tables *tables, const struct burst *b, list_value values[])
{
	if (list_tables_empty(tables)) {
		memset(values, 0, b->n * sizeof(values[0]));
		return;
	}
	for (unsigned i = 0; i < b->n; i += LIST_GROUP)
		list_group(tables, b->packets + i, RTE_MIN((unsigned)b->n - i, (unsigned)LIST_GROUP), values + i);
}

#endif
