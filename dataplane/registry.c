/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
registry_init(struct registry *r)
{
	*r = (struct registry){.services = calloc(ABI_SERVICES_MAX, sizeof(*r->services)),
			       .backends = calloc(ABI_BACKENDS_MAX, sizeof(*r->backends))};
	if (r->services && r->backends)
		return 0;
	registry_fini(r);
	return -ENOMEM;
}

void
registry_fini(struct registry *r)
{
	free(r->services);
	free(r->backends);
	*r = (struct registry){0};
}

struct registry_target
registry_target_of(const struct abi_backend *backend)
{
	return (struct registry_target){.addr = backend->addr,
					.gue_port = backend->encap == ABI_ENCAP_GUE ? backend->gue_port : 0,
					.encap = backend->encap};
}

bool
registry_target_equal(const struct registry_target *a, const struct registry_target *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool
is_same(const struct registry_entry *a, const struct registry_entry *b)
{
	return a->key == b->key && a->pool == b->pool && registry_target_equal(&a->target, &b->target);
}

/* Nothing in a flow table is that old: the entry's index may get a new owner. */
static bool
is_reusable(const struct registry_entry *entry, uint64_t now_ns, uint64_t idle_ns)
{
	return entry->gone_ns != 0 && now_ns - entry->gone_ns > idle_ns;
}

static int
find(struct registry_entry *entries, unsigned *used, unsigned max, const struct registry_entry *wanted,
     uint64_t now_ns, uint64_t idle_ns)
{
	int reusable = -ENOSPC;

	for (unsigned i = 0; i < *used; i++) {
		if (is_same(&entries[i], wanted)) {
			entries[i].generation = wanted->generation;
			entries[i].gone_ns = 0;
			return (int)i;
		}
		if (reusable < 0 && is_reusable(&entries[i], now_ns, idle_ns))
			reusable = (int)i;
	}
	if (*used < max)
		reusable = (int)(*used)++;
	if (reusable >= 0)
		entries[reusable] = *wanted;
	return reusable;
}

int
registry_service(struct registry *r, uint64_t key, uint64_t generation, uint64_t now_ns, uint64_t idle_ns)
{
	struct registry_entry wanted = {.key = key, .generation = generation};

	return find(r->services, &r->n_services, ABI_SERVICES_MAX, &wanted, now_ns, idle_ns);
}

int
registry_backend(struct registry *r, uint64_t pool, const struct abi_backend *backend, uint64_t generation,
		 uint64_t now_ns, uint64_t idle_ns)
{
	struct registry_entry wanted = {
		.key = backend->key, .pool = pool, .target = registry_target_of(backend), .generation = generation};

	return find(r->backends, &r->n_backends, ABI_BACKENDS_MAX, &wanted, now_ns, idle_ns);
}

static void
seal(struct registry_entry *entries, unsigned n, uint64_t generation, uint64_t now_ns)
{
	for (unsigned i = 0; i < n; i++) {
		if (entries[i].generation != generation && entries[i].gone_ns == 0)
			entries[i].gone_ns = now_ns;
	}
}

void
registry_seal(struct registry *r, uint64_t generation, uint64_t now_ns)
{
	seal(r->services, r->n_services, generation, now_ns);
	seal(r->backends, r->n_backends, generation, now_ns);
}
