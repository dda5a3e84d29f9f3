/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole wanted state held against itself: what no single record can show. */
#include <stdlib.h>
#include <string.h>

#include "dataplane/staging.h"

struct key {
	uint64_t value;
	uint64_t more; /* tells apart what may share a value */
};

static int
key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key));
}

/* Sorts and looks at neighbours. Out of memory counts as a duplicate would: the state isn't taken. */
static bool
has_duplicates(struct key *keys, unsigned n)
{
	qsort(keys, n, sizeof(*keys), key_compare);
	for (unsigned i = 1; i < n; i++) {
		if (memcmp(&keys[i - 1], &keys[i], sizeof(*keys)) == 0)
			return true;
	}
	return false;
}

static unsigned
check_keys(const struct wanted *w, struct key *keys)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		if (w->services[i].type)
			keys[n++] = (struct key){w->services[i].service.key, 0};
	}
	if (has_duplicates(keys, n))
		return ABI_NAK_DUPLICATE;
	n = 0;
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++) {
		if (w->pools[i].type)
			keys[n++] = (struct key){w->pools[i].pool.key, 0};
	}
	if (has_duplicates(keys, n))
		return ABI_NAK_DUPLICATE;
	n = 0;
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		if (w->backends[i].type)
			keys[n++] = (struct key){w->backends[i].backend.key, w->backends[i].backend.pool};
	}
	return has_duplicates(keys, n) ? ABI_NAK_DUPLICATE : 0;
}

static unsigned
check_prefixes(const struct wanted *w)
{
	for (unsigned i = 0; i < ABI_VIPS_MAX; i++) {
		for (unsigned k = i + 1; w->vips[i].type && k < ABI_VIPS_MAX; k++) {
			if (w->vips[k].type && w->vips[k].vip.len == w->vips[i].vip.len &&
			    addr_equal(&w->vips[k].vip.addr, &w->vips[i].vip.addr))
				return ABI_NAK_DUPLICATE;
		}
	}
	return 0;
}

static unsigned
check_services(const struct wanted *w, struct key *keys)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *s = &w->services[i].service;

		if (!w->services[i].type)
			continue;
		if (!w->vips[s->vip].type || !w->pools[s->pool].type)
			return ABI_NAK_REFERENCE;
		keys[n++] = (struct key){(uint64_t)s->vip << 40 | (uint64_t)s->protocol << 32 |
						 (uint64_t)s->port_first << 16 | s->port_last, 0};
	}
	return has_duplicates(keys, n) ? ABI_NAK_DUPLICATE : 0;
}

static unsigned
check_backends(const struct wanted *w)
{
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		const struct abi_backend *b = &w->backends[i].backend;

		if (!w->backends[i].type)
			continue;
		if (!w->pools[b->pool].type || (b->nexthop != ABI_NEXTHOP_NONE && !w->nexthops[b->nexthop].type))
			return ABI_NAK_REFERENCE;
	}
	return 0;
}

static unsigned
check_slots(const struct wanted *w, unsigned pool)
{
	const uint16_t *owners = w->owners[pool];

	if (!w->pools[pool].type)
		return owners ? ABI_NAK_REFERENCE : 0;
	if (!owners)
		return ABI_NAK_INCOMPLETE;
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		if (owners[i] == STAGING_UNSET)
			return ABI_NAK_INCOMPLETE;
		if (owners[i] != ABI_OWNER_NONE &&
		    (!w->backends[owners[i]].type || w->backends[owners[i]].backend.pool != pool))
			return ABI_NAK_REFERENCE;
	}
	return 0;
}

static unsigned
check_pools(const struct wanted *w, const char **text)
{
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++) {
		unsigned reason = check_slots(w, i);

		if (reason) {
			*text = reason == ABI_NAK_INCOMPLETE ? "a pool's slots are not all there"
							     : "a slot's owner is not of its pool";
			return reason;
		}
	}
	return 0;
}

unsigned
wanted_check(const struct wanted *w, const char **text)
{
	struct key *keys = malloc(ABI_BACKENDS_MAX * sizeof(*keys));
	unsigned reason = ABI_NAK_MEMORY;

	if (!keys)
		return reason;
	reason = check_keys(w, keys);
	if (!reason && (reason = check_prefixes(w)) != 0)
		*text = "two VIPs have the same prefix";
	if (!reason && (reason = check_services(w, keys)) == ABI_NAK_REFERENCE)
		*text = "a service's VIP or pool isn't there";
	if (!reason && (reason = check_backends(w)) != 0)
		*text = "a backend's pool or next hop isn't there";
	if (!reason)
		reason = check_pools(w, text);
	free(keys);
	return reason;
}
