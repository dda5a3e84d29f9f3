/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

static int
list_init(struct registry_list *list, unsigned max)
{
	*list = (struct registry_list){.entries = calloc(max, sizeof(*list->entries)),
				       .chains = malloc(REGISTRY_CHAINS * sizeof(*list->chains)),
				       .max = max};
	if (!list->entries || !list->chains)
		return -ENOMEM;
	memset(list->chains, 0xff, REGISTRY_CHAINS * sizeof(*list->chains)); /* REGISTRY_NONE */
	return 0;
}

int
registry_init(struct registry *r)
{
	int err;

	*r = (struct registry){0};
	err = list_init(&r->services, ABI_SERVICES_MAX);
	if (!err)
		err = list_init(&r->backends, ABI_BACKENDS_MAX);
	if (err)
		registry_fini(r);
	return err;
}

static void
list_copy(struct registry_list *to, const struct registry_list *from)
{
	memcpy(to->entries, from->entries, from->n * sizeof(*to->entries));
	memcpy(to->chains, from->chains, REGISTRY_CHAINS * sizeof(*to->chains));
	to->n = from->n;
}

int
registry_copy(struct registry *to, const struct registry *from)
{
	int err = registry_init(to);

	if (err)
		return err;
	list_copy(&to->services, &from->services);
	list_copy(&to->backends, &from->backends);
	return 0;
}

void
registry_fini(struct registry *r)
{
	free(r->services.entries);
	free(r->services.chains);
	free(r->backends.entries);
	free(r->backends.chains);
	*r = (struct registry){0};
}

static bool
target_equal(const struct registry_target *a, const struct registry_target *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool
registry_is_reused(const struct registry_list *before, const struct registry_list *now, unsigned index)
{
	const struct registry_entry *was = &before->entries[index], *is = &now->entries[index];

	return index < before->n && (was->scope != is->scope || !target_equal(&was->target, &is->target));
}

/* Services have no target to be told apart by. */
static uint16_t *
chain_of(const struct registry_list *list, const struct registry_entry *e)
{
	uint32_t hash = e->target.addr.family == ADDR_NONE ? crc32c(0, &e->scope, sizeof(e->scope))
							   : crc32c(0, &e->target, sizeof(e->target));

	return &list->chains[hash % REGISTRY_CHAINS];
}

/* Is the target there, under this index or (in another pool) another? Then flow tables may name any of them. */
static bool
is_alive(const struct registry_list *list, const struct registry_entry *e)
{
	if (e->gone_ns == 0)
		return true;
	if (e->target.addr.family == ADDR_NONE)
		return false;
	for (uint16_t i = *chain_of(list, e); i != REGISTRY_NONE; i = list->entries[i].next) {
		if (list->entries[i].gone_ns == 0 && target_equal(&list->entries[i].target, &e->target))
			return true;
	}
	return false;
}

/* An index whose owner has been gone for so long that nothing in a flow table is that old. */
static int
reusable(const struct registry_list *list, const struct registry_time *time)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct registry_entry *e = &list->entries[i];

		if (e->gone_ns != 0 && time->now_ns - e->gone_ns > time->idle_ns && !is_alive(list, e))
			return (int)i;
	}
	return -ENOSPC;
}

static void
unlink_entry(struct registry_list *list, uint16_t index)
{
	uint16_t *at = chain_of(list, &list->entries[index]);

	while (*at != index)
		at = &list->entries[*at].next;
	*at = list->entries[index].next;
}

static int
add(struct registry_list *list, const struct registry_entry *wanted, const struct registry_time *time)
{
	uint16_t *chain = chain_of(list, wanted);
	int index;

	if (list->n < list->max) {
		index = (int)list->n++;
	} else {
		index = reusable(list, time);
		if (index < 0)
			return index;
		unlink_entry(list, (uint16_t)index);
	}
	list->entries[index] = *wanted;
	list->entries[index].next = *chain;
	*chain = (uint16_t)index;
	return index;
}

static int
find(struct registry_list *list, const struct registry_entry *wanted, const struct registry_time *time)
{
	for (uint16_t i = *chain_of(list, wanted); i != REGISTRY_NONE; i = list->entries[i].next) {
		struct registry_entry *e = &list->entries[i];

		if (e->scope != wanted->scope || !target_equal(&e->target, &wanted->target))
			continue;
		e->key = wanted->key;
		e->generation = wanted->generation;
		e->gone_ns = 0;
		return i;
	}
	return add(list, wanted, time);
}

int
registry_service(struct registry *r, uint64_t key, const struct registry_time *time)
{
	struct registry_entry wanted = {.key = key, .scope = key, .generation = time->generation};

	return find(&r->services, &wanted, time);
}

int
registry_backend(struct registry *r, uint64_t pool, const struct abi_backend *b, const struct registry_time *time)
{
	struct registry_entry wanted = {.key = b->key,
					.scope = pool,
					.target = {.addr = b->addr,
						   .gue_port = b->encap == ABI_ENCAP_GUE ? b->gue_port : 0,
						   .encap = b->encap},
					.generation = time->generation};

	return find(&r->backends, &wanted, time);
}

/* What went, but lived on under another index until now, went now at the earliest. */
static void
seal(struct registry_list *list, const struct registry_time *time)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (list->entries[i].gone_ns != 0 && is_alive(list, &list->entries[i]))
			list->entries[i].gone_ns = time->now_ns;
	}
	for (unsigned i = 0; i < list->n; i++) {
		if (list->entries[i].generation != time->generation && list->entries[i].gone_ns == 0)
			list->entries[i].gone_ns = time->now_ns;
	}
}

void
registry_seal(struct registry *r, const struct registry_time *time)
{
	seal(&r->services, time);
	seal(&r->backends, time);
}

uint16_t
registry_twin(const struct registry *r, unsigned backend, const uint64_t *pool, uint64_t generation)
{
	const struct registry_entry *of = &r->backends.entries[backend];

	for (uint16_t i = *chain_of(&r->backends, of); i != REGISTRY_NONE; i = r->backends.entries[i].next) {
		const struct registry_entry *e = &r->backends.entries[i];

		if (e->generation == generation && target_equal(&e->target, &of->target) && (!pool || e->scope == *pool))
			return i;
	}
	return REGISTRY_NONE;
}
