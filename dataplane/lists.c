/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The idle copy is what the live one is, plus the changes that aren't published. After a swap it lags by those changes:
 * they are done again from the log, or, when there were too many for it, the live copy is copied. Should memory be short
 * just then, it lags on, and the next change tries again before it does anything.
 */
#include "dataplane/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/trie.h"

enum { LOG_MAX = 1024 }; /* a change again costs less than a microsecond, a copy of a million entries 20 ms */

struct change {
	list_key key;
	list_value value; /* 0: removed */
	uint8_t len;
	bool is_v6;
};

struct copy {
	struct trie v4;
	struct trie v6;
	struct list_tables tables; /* the workers' view of them */
};

enum lag {
	LAG_NONE,
	LAG_LOG,  /* the idle copy lacks what the log says */
	LAG_COPY, /* the idle copy is worth nothing */
};

struct lists {
	int fault; /* of the first record since the last PUBLISH that failed; 0: none did */
	struct list_handle handle;
	struct lists_config config;
	struct copy copies[2];
	unsigned idle;	   /* index of the copy that no worker sees */
	bool is_changed;   /* the idle copy differs from the live one by what isn't published */
	enum lag lag;
	bool is_log_whole; /* the log has all changes since the last publication */
	uint64_t *near[LIST_NEARS]; /* of both copies: bits are set before they must be, and go when all entries have gone */
	bool is_near[2];	    /* an IPv6 entry was shorter than the bits tell, or there was no memory for them */
	unsigned n_log;
	struct change log[LOG_MAX];
};

enum { NEAR_HUGE = 2 << 20, NEAR_OCTETS = 1 << (LIST_NEAR_BITS - 3) };
_Static_assert(LIST_NEAR_WORDS + 6 == LIST_NEAR_BITS, "all have the same size");

static uint64_t *
near_new(void)
{
	uint64_t *bits = aligned_alloc(NEAR_HUGE, NEAR_OCTETS);

	if (bits) {
		madvise(bits, NEAR_OCTETS, MADV_HUGEPAGE); /* a wish: random access */
		memset(bits, 0, NEAR_OCTETS);
	}
	return bits;
}

/* n bits from first on; n is a power of two, and first a multiple of it. */
static void
near_set(uint64_t *bits, uint32_t first, uint32_t n)
{
	if (n < 64)
		__atomic_fetch_or(&bits[first / 64], ((UINT64_C(1) << n) - 1) << (first % 64), __ATOMIC_RELAXED);
	for (uint32_t at = first / 64; n >= 64 && at < (first + n) / 64; at++)
		__atomic_store_n(&bits[at], UINT64_MAX, __ATOMIC_RELAXED);
}

/* Before the entry can be seen. */
static void
near_note(struct lists *l, const struct change *change)
{
	enum list_near near = change->is_v6 ? LIST_NEAR_V6 : change->len == 32 ? LIST_NEAR_HOST : LIST_NEAR_V4;
	uint32_t address = (uint32_t)(change->key >> 96);

	if (!l->near[near])
		l->near[near] = near_new();
	if (!l->near[near] || (change->is_v6 && change->len < LIST_NEAR_V6_LEN))
		l->is_near[change->is_v6] = true;
	if (!l->near[near])
		return;
	if (near == LIST_NEAR_V6)
		near_set(l->near[near], list_near_v6((uint64_t)(change->key >> 64)), 1);
	else if (near == LIST_NEAR_V4)
		near_set(l->near[near], list_near_v4(address), UINT32_C(1) << (LIST_NEAR_BITS - RTE_MIN(change->len, LIST_NEAR_BITS)));
	else
		__atomic_fetch_or(&l->near[near][list_near_word(list_near_host(address))],
				  list_near_mask(list_near_host(address)), __ATOMIC_RELAXED);
}

static void
near_free(struct lists *l)
{
	for (unsigned i = 0; i < LIST_NEARS; i++) {
		free(l->near[i]);
		l->near[i] = NULL;
	}
	l->is_near[0] = l->is_near[1] = false;
}

struct lists *
lists_new(const struct lists_config *config)
{
	struct lists *l = aligned_alloc(_Alignof(struct lists), sizeof(*l));

	if (!l)
		return NULL;
	memset(l, 0, sizeof(*l));
	l->config = *config;
	if (l->config.entries_max == 0)
		l->config.entries_max = LIST_ENTRIES_MAX;
	l->idle = 1;
	l->is_log_whole = true;
	atomic_init(&l->handle.tables, &l->copies[0].tables);
	return l;
}

static void
copy_clear(struct copy *c)
{
	trie_clear(&c->v4);
	trie_clear(&c->v6);
}

void
lists_free(struct lists *l)
{
	if (!l)
		return;
	copy_clear(&l->copies[0]);
	copy_clear(&l->copies[1]);
	near_free(l);
	free(l);
}

const struct list_handle *
lists_handle(const struct lists *l)
{
	return &l->handle;
}

static struct trie *
change_trie(struct copy *c, const struct change *change)
{
	return change->is_v6 ? &c->v6 : &c->v4;
}

static int
change_do(struct copy *c, const struct change *change)
{
	struct trie *trie = change_trie(c, change);

	return change->value ? trie_set(trie, change->key, change->len, change->value)
			     : trie_remove(trie, change->key, change->len);
}

static int
copy_live(struct lists *l)
{
	struct copy *to = &l->copies[l->idle], *from = &l->copies[!l->idle];

	if (trie_copy(&to->v4, &from->v4) == 0 && trie_copy(&to->v6, &from->v6) == 0)
		return 0;
	copy_clear(to);
	return -ENOMEM;
}

/* -ENOMEM: the idle copy lags still. */
static int
catch_up(struct lists *l)
{
	for (unsigned i = 0; l->lag == LAG_LOG && i < l->n_log; i++) {
		if (change_do(&l->copies[l->idle], &l->log[i]) != 0)
			l->lag = LAG_COPY;
	}
	if (l->lag == LAG_COPY && copy_live(l) != 0)
		return -ENOMEM;
	if (l->lag != LAG_NONE) {
		l->n_log = 0;
		l->is_log_whole = true;
		l->is_changed = false;
	}
	l->lag = LAG_NONE;
	return 0;
}

static bool
change_of(const struct prefix *prefix, list_value value, struct change *change)
{
	unsigned bits = addr_bits(&prefix->addr);
	struct prefix clean;

	if (bits == 0 || prefix->len > bits)
		return false;
	clean = prefix_of(&prefix->addr, prefix->len);
	if (!addr_equal(&clean.addr, &prefix->addr))
		return false;
	*change = (struct change){
		.key = bits == 128 ? list_key_v6(prefix->addr.octets) : list_key_v4(prefix->addr.octets),
		.value = value,
		.len = prefix->len,
		.is_v6 = bits == 128,
	};
	return true;
}

static int
change_make(struct lists *l, const struct change *change)
{
	int err = catch_up(l);

	if (!err)
		err = change_do(&l->copies[l->idle], change);
	if (err)
		return err;
	l->is_changed = true;
	if (l->n_log < LOG_MAX)
		l->log[l->n_log++] = *change;
	else
		l->is_log_whole = false;
	return 0;
}

int
lists_set(struct lists *l, const struct prefix *prefix, enum abi_list_action action, uint8_t class)
{
	struct change change;

	if (action < LIST_DROP || action > LIST_LIMIT || (class != 0 && action != LIST_LIMIT) ||
	    !change_of(prefix, (list_value)(action << 8 | class), &change))
		return -EINVAL;
	if (lists_count(l) >= l->config.entries_max) {
		struct copy *c = &l->copies[l->lag == LAG_NONE ? l->idle : !l->idle];

		if (!trie_has(change_trie(c, &change), change.key, change.len))
			return -ENOSPC;
	}
	near_note(l, &change);
	return change_make(l, &change);
}

int
lists_remove(struct lists *l, const struct prefix *prefix)
{
	struct change change;

	return change_of(prefix, 0, &change) ? change_make(l, &change) : -EINVAL;
}

void
lists_reset(struct lists *l)
{
	copy_clear(&l->copies[l->idle]);
	l->lag = LAG_NONE;
	l->is_changed = true;
	l->is_log_whole = false;
}

void
lists_abandon(struct lists *l)
{
	if (!l->is_changed || l->lag != LAG_NONE)
		return;
	copy_clear(&l->copies[l->idle]);
	l->lag = LAG_COPY;
	/* A failure leaves the lag, and the next change tries again. */
	if (catch_up(l) != 0)
		return;
}

void
lists_publish(struct lists *l)
{
	struct copy *next = &l->copies[l->idle];
	bool is_empty = next->v4.count + next->v6.count == 0;

	if (!l->is_changed || l->lag != LAG_NONE)
		return;
	next->tables = (struct list_tables){.v4 = trie_view(&next->v4), .v6 = trie_view(&next->v6)};
	if (!is_empty) {
		memcpy(next->tables.near, l->near, sizeof(l->near));
		memcpy(next->tables.is_near, l->is_near, sizeof(l->is_near));
	}
	/* Pairs with the acquire in list_tables_load: who sees the pointer sees all of what it leads to. */
	atomic_store_explicit(&l->handle.tables, &next->tables, memory_order_release);
	l->idle = !l->idle;
	if (l->config.grace)
		l->config.grace(l->config.context);
	if (is_empty)
		near_free(l);
	l->is_changed = false;
	l->lag = l->is_log_whole ? LAG_LOG : LAG_COPY;
	if (l->lag == LAG_COPY)
		copy_clear(&l->copies[l->idle]);
	if (catch_up(l) != 0)
		return; /* as in lists_abandon */
}

uint32_t
lists_count(const struct lists *l)
{
	/* A copy that lags is to become what the live one is. */
	const struct copy *c = &l->copies[l->lag == LAG_NONE ? l->idle : !l->idle];

	return c->v4.count + c->v6.count;
}

size_t
lists_octets(const struct lists *l)
{
	size_t octets = 0;

	for (unsigned i = 0; i < 2; i++)
		octets += trie_octets(&l->copies[i].v4) + trie_octets(&l->copies[i].v6);
	for (unsigned i = 0; i < LIST_NEARS; i++)
		octets += l->near[i] ? NEAR_OCTETS : 0;
	return octets;
}

/* What a record asks for; -EINVAL: it is not well-formed. */
static int
record_apply(struct lists *l, const struct abi_list *r)
{
	struct prefix prefix = prefix_of(&r->addr, r->len);

	switch (r->op) {
	case ABI_LIST_RESET:
		lists_reset(l);
		return 0;
	case ABI_LIST_SET:
	case ABI_LIST_REMOVE:
		break;
	default:
		return -EINVAL;
	}
	if (addr_len(&r->addr) == 0 || r->len > addr_bits(&r->addr) || !addr_equal(&prefix.addr, &r->addr))
		return -EINVAL;
	if (r->op == ABI_LIST_SET) {
		if (r->action < LIST_DROP || r->action > LIST_LIMIT || (r->class && r->action != LIST_LIMIT))
			return -EINVAL;
		return lists_set(l, &prefix, (enum abi_list_action)r->action, r->class);
	}
	/* Of one that isn't there: the control plane has lost count, and has what it wants. */
	return lists_remove(l, &prefix) == -ENOMEM ? -ENOMEM : 0;
}

bool
lists_record(struct lists *l, const struct abi_list *r, struct abi_listed *reply)
{
	if (r->op != ABI_LIST_PUBLISH) {
		int err = l->fault ? 0 : record_apply(l, r);

		if (err)
			l->fault = err;
		return false;
	}
	if (l->fault)
		lists_abandon(l);
	else
		lists_publish(l);
	*reply = (struct abi_listed){.type = ABI_LISTED,
				     .error = (uint16_t)-l->fault,
				     .entries = lists_count(l),
				     .token = r->token};
	l->fault = 0;
	return true;
}
