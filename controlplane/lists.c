/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table of chained entries by prefix, in which those of one prefix are in one chain; and a binary heap of those
 * that end, by when, each of which knows its place in it. A bulk replacement first gets all memory that it can need, so
 * that it can't stop in the middle.
 */
#include "controlplane/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/flowhash.h"

enum { BUCKETS_MIN = 1024 };

struct item {
	struct list_entry entry;
	struct item *next;  /* in the chain */
	uint32_t hash;
	uint32_t heap_at;   /* 1 + index; 0: for good */
	uint32_t round;	    /* of the replacement that brought it */
	uint8_t source;
};

struct lists {
	struct lists_config config;
	char *names[LISTS_SOURCES_MAX];
	struct item **buckets;
	size_t n_buckets; /* a power of two */
	unsigned n;
	uint32_t round;
	struct item **heap;
	size_t n_heap;
	size_t heap_size;
};

struct lists *
lists_new(const struct lists_config *config)
{
	struct lists *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->config = *config;
	l->n_buckets = BUCKETS_MIN;
	l->buckets = calloc(l->n_buckets, sizeof(*l->buckets));
	l->names[LISTS_MANUAL] = strdup("manual");
	if (!l->buckets || !l->names[LISTS_MANUAL]) {
		lists_free(l);
		return NULL;
	}
	return l;
}

static void
item_free(struct item *item)
{
	free(item->entry.comment);
	free(item);
}

void
lists_free(struct lists *l)
{
	if (!l)
		return;
	for (size_t i = 0; l->buckets && i < l->n_buckets; i++) {
		for (struct item *item = l->buckets[i], *next; item; item = next) {
			next = item->next;
			item_free(item);
		}
	}
	for (unsigned i = 0; i < LISTS_SOURCES_MAX; i++)
		free(l->names[i]);
	free(l->buckets);
	free(l->heap);
	free(l);
}

int
lists_source(struct lists *l, const char *name)
{
	for (unsigned i = LISTS_MANUAL + 1; i < LISTS_SOURCES_MAX; i++) {
		if (!l->names[i])
			l->names[i] = strdup(name);
		if (!l->names[i])
			return -ENOMEM;
		if (strcmp(l->names[i], name) == 0)
			return (int)i;
	}
	return -ENOSPC;
}

const char *
lists_source_name(const struct lists *l, unsigned source)
{
	return source < LISTS_SOURCES_MAX ? l->names[source] : NULL;
}

static uint32_t
hash_of(const struct lists *l, const struct prefix *prefix)
{
	uint64_t rest = (uint64_t)prefix->addr.family << 8 | prefix->len;
	uint64_t octets = flowhash_mum(flowhash_load(prefix->addr.octets) ^ FLOWHASH_K0 ^ l->config.seed,
				       flowhash_load(prefix->addr.octets + 8) ^ FLOWHASH_K1);

	return (uint32_t)flowhash_mum(octets ^ l->config.seed, rest ^ FLOWHASH_K2);
}

static bool
item_is_of(const struct item *item, uint32_t hash, const struct prefix *prefix)
{
	return item->hash == hash && prefix_equal(&item->entry.prefix, prefix);
}

/* The link that leads to the source's entry, or NULL. */
static struct item **
item_find(const struct lists *l, unsigned source, uint32_t hash, const struct prefix *prefix)
{
	for (struct item **at = &l->buckets[hash & (l->n_buckets - 1)]; *at; at = &(*at)->next) {
		if ((*at)->source == source && item_is_of(*at, hash, prefix))
			return at;
	}
	return NULL;
}

/* The smaller wins: see the header. */
static uint32_t
item_order(const struct item *item)
{
	static const uint8_t order[] = {[LIST_DROP] = 0, [LIST_LIMIT] = 1, [LIST_ALLOW] = 2};
	uint32_t is_file = item->source != LISTS_MANUAL;

	return is_file << 24 | (uint32_t)order[item->entry.action] << 16 | (uint32_t)item->entry.class << 8 |
	       item->source;
}

static const struct item *
item_in_force(const struct lists *l, uint32_t hash, const struct prefix *prefix)
{
	const struct item *best = NULL;

	for (const struct item *item = l->buckets[hash & (l->n_buckets - 1)]; item; item = item->next) {
		if (item_is_of(item, hash, prefix) && (!best || item_order(item) < item_order(best)))
			best = item;
	}
	return best;
}

static struct list_change
change_of(const struct lists *l, uint32_t hash, const struct prefix *prefix)
{
	const struct item *item = item_in_force(l, hash, prefix);

	return (struct list_change){
		.prefix = *prefix,
		.action = item ? item->entry.action : LIST_NONE,
		.class = item ? item->entry.class : 0,
	};
}

static void
feed(const struct lists *l, const struct list_change *before, uint32_t hash)
{
	struct list_change now = change_of(l, hash, &before->prefix);

	if (l->config.changed && (now.action != before->action || now.class != before->class))
		l->config.changed(l->config.context, &now);
}

static void
heap_put(struct lists *l, size_t at, struct item *item)
{
	l->heap[at] = item;
	item->heap_at = (uint32_t)at + 1;
}

/* Puts the item where it belongs, beginning at a place that is free. */
static void
heap_sift(struct lists *l, size_t at, struct item *item)
{
	while (at > 0 && l->heap[(at - 1) / 2]->entry.until_s > item->entry.until_s) {
		heap_put(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (size_t child = 2 * at + 1; child < l->n_heap; child = 2 * at + 1) {
		if (child + 1 < l->n_heap && l->heap[child + 1]->entry.until_s < l->heap[child]->entry.until_s)
			child++;
		if (l->heap[child]->entry.until_s >= item->entry.until_s)
			break;
		heap_put(l, at, l->heap[child]);
		at = child;
	}
	heap_put(l, at, item);
}

static void
heap_remove(struct lists *l, struct item *item)
{
	size_t at = item->heap_at;
	struct item *last;

	if (at == 0)
		return;
	item->heap_at = 0;
	last = l->heap[--l->n_heap];
	if (last != item)
		heap_sift(l, at - 1, last);
}

static int
heap_reserve(struct lists *l, size_t n)
{
	size_t size = l->heap_size ? l->heap_size : 64;
	struct item **heap;

	while (size < l->n_heap + n)
		size *= 2;
	if (size == l->heap_size)
		return 0;
	heap = reallocarray(l->heap, size, sizeof(struct item *));
	if (!heap)
		return -ENOMEM;
	l->heap = heap;
	l->heap_size = size;
	return 0;
}

static int
buckets_reserve(struct lists *l, size_t n)
{
	size_t size = l->n_buckets;
	struct item **buckets;

	while (size < l->n + n)
		size *= 2;
	if (size == l->n_buckets)
		return 0;
	buckets = calloc(size, sizeof(struct item *));
	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < l->n_buckets; i++) {
		for (struct item *item = l->buckets[i], *next; item; item = next) {
			next = item->next;
			item->next = buckets[item->hash & (size - 1)];
			buckets[item->hash & (size - 1)] = item;
		}
	}
	free(l->buckets);
	l->buckets = buckets;
	l->n_buckets = size;
	return 0;
}

static struct item *
item_new(const struct lists *l, unsigned source, const struct list_entry *entry)
{
	struct item *item = calloc(1, sizeof(*item));

	if (item) {
		item->entry = *entry;
		item->source = (uint8_t)source;
		item->hash = hash_of(l, &entry->prefix);
	}
	return item;
}

static void
item_unlink(struct lists *l, struct item **at)
{
	struct item *item = *at;

	*at = item->next;
	heap_remove(l, item);
	l->n--;
	item_free(item);
}

static void
item_link(struct lists *l, struct item *item)
{
	struct item **bucket = &l->buckets[item->hash & (l->n_buckets - 1)], **old;
	struct list_change before = change_of(l, item->hash, &item->entry.prefix);

	old = item_find(l, item->source, item->hash, &item->entry.prefix);
	if (old)
		item_unlink(l, old);
	item->next = *bucket;
	*bucket = item;
	l->n++;
	if (item->entry.until_s != 0)
		heap_sift(l, l->n_heap++, item);
	feed(l, &before, item->hash);
}

static void
item_remove(struct lists *l, struct item **at)
{
	uint32_t hash = (*at)->hash;
	struct list_change before = change_of(l, hash, &(*at)->entry.prefix);

	item_unlink(l, at);
	feed(l, &before, hash);
}

static bool
is_entry(const struct lists *l, unsigned source, const struct list_entry *entry)
{
	return lists_source_name(l, source) && entry->action >= LIST_DROP && entry->action <= LIST_LIMIT &&
	       (entry->class == 0 || entry->action == LIST_LIMIT) && entry->prefix.addr.family != ADDR_NONE;
}

int
lists_set(struct lists *l, unsigned source, const struct list_entry *entry)
{
	struct item *item;

	if (!is_entry(l, source, entry))
		return -EINVAL;
	if (l->n >= LIST_ENTRIES_MAX && !item_find(l, source, hash_of(l, &entry->prefix), &entry->prefix))
		return -ENOSPC;
	if (buckets_reserve(l, 1) != 0 || heap_reserve(l, 1) != 0)
		return -ENOMEM;
	item = item_new(l, source, entry);
	if (!item)
		return -ENOMEM;
	item->entry.comment = entry->comment ? strndup(entry->comment, LIST_COMMENT_MAX) : NULL;
	if (entry->comment && !item->entry.comment) {
		free(item);
		return -ENOMEM;
	}
	item_link(l, item);
	return 0;
}

int
lists_remove(struct lists *l, unsigned source, const struct prefix *prefix)
{
	struct item **at = item_find(l, source, hash_of(l, prefix), prefix);

	if (!at)
		return -ENOENT;
	item_remove(l, at);
	return 0;
}

static void
chain_free(struct item *first)
{
	for (struct item *item = first, *next; item; item = next) {
		next = item->next;
		free(item); /* its comment is still the file's */
	}
}

/* The file's entries as a chain, in order. */
static int
chain_of(struct lists *l, unsigned source, const struct listfile *file, struct item **out)
{
	struct item *first = NULL, **at = &first;

	for (unsigned i = 0; i < file->n; i++, at = &(*at)->next) {
		*at = is_entry(l, source, &file->entries[i]) ? item_new(l, source, &file->entries[i]) : NULL;
		if (!*at) {
			chain_free(first);
			return is_entry(l, source, &file->entries[i]) ? -ENOMEM : -EINVAL;
		}
	}
	*out = first;
	return 0;
}

static unsigned
source_count(const struct lists *l, unsigned source)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n_buckets; i++) {
		for (const struct item *item = l->buckets[i]; item; item = item->next)
			n += item->source == source;
	}
	return n;
}

/* Removes the source's entries that this round didn't bring. */
static void
source_sweep(struct lists *l, unsigned source)
{
	for (size_t i = 0; i < l->n_buckets; i++) {
		for (struct item **at = &l->buckets[i]; *at;) {
			if ((*at)->source == source && (*at)->round != l->round)
				item_remove(l, at);
			else
				at = &(*at)->next;
		}
	}
}

int
lists_replace(struct lists *l, unsigned source, struct listfile *file)
{
	static const struct listfile nothing;
	const struct listfile *from = file ? file : &nothing;
	struct item *chain = NULL;
	int err;

	if (!lists_source_name(l, source))
		return -EINVAL;
	if (l->n - source_count(l, source) + from->n > LIST_ENTRIES_MAX)
		return -ENOSPC;
	if (buckets_reserve(l, from->n) != 0 || heap_reserve(l, from->n) != 0)
		return -ENOMEM;
	err = chain_of(l, source, from, &chain);
	if (err)
		return err;
	l->round++;
	for (struct item *item = chain, *next; item; item = next) {
		next = item->next;
		item->round = l->round;
		item_link(l, item);
	}
	for (unsigned i = 0; i < from->n; i++)
		file->entries[i].comment = NULL;
	source_sweep(l, source);
	return 0;
}

unsigned
lists_expire(struct lists *l, uint64_t now_s)
{
	unsigned n = 0;

	for (; l->n_heap > 0 && l->heap[0]->entry.until_s <= now_s; n++) {
		const struct item *due = l->heap[0];

		item_remove(l, item_find(l, due->source, due->hash, &due->entry.prefix));
	}
	return n;
}

uint64_t
lists_next_expiry(const struct lists *l)
{
	return l->n_heap > 0 ? l->heap[0]->entry.until_s : 0;
}

unsigned
lists_count(const struct lists *l)
{
	return l->n;
}

const struct list_entry *
lists_lookup(const struct lists *l, const struct prefix *prefix)
{
	const struct item *item = item_in_force(l, hash_of(l, prefix), prefix);

	return item ? &item->entry : NULL;
}

void
lists_each(const struct lists *l, lists_visit *visit, void *context)
{
	for (size_t i = 0; i < l->n_buckets; i++) {
		for (const struct item *item = l->buckets[i]; item; item = item->next)
			visit(context, item->source, &item->entry,
			      item == item_in_force(l, item->hash, &item->entry.prefix));
	}
}
