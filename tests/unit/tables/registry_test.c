/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>

#include "dataplane/registry.h"

enum { POOL = 50, OTHER_POOL = 51, IDLE_NS = 1000 };

static struct abi_backend
backend(uint16_t index, uint64_t key, uint16_t host)
{
	return (struct abi_backend){.index = index,
				    .key = key,
				    .addr = addr_v4((const uint8_t[]){10, 77, (uint8_t)(host >> 8), (uint8_t)host})};
}

static int
put(struct registry *r, uint64_t pool, struct abi_backend b, uint64_t generation, uint64_t now_ns)
{
	return registry_backend(r, pool, &b, &(struct registry_time){generation, now_ns, IDLE_NS});
}

static void
seal(struct registry *r, uint64_t generation, uint64_t now_ns)
{
	registry_seal(r, &(struct registry_time){generation, now_ns, IDLE_NS});
}

Test(registry, knows_a_backend_by_pool_address_and_encapsulation)
{
	struct abi_backend tunnel = backend(1, 1, 1);
	struct registry r;

	cr_assert_eq(registry_init(&r), 0);
	tunnel.encap = ABI_ENCAP_GRE;
	cr_expect_eq(put(&r, POOL, backend(1, 1, 1), 1, 10), 0);
	cr_expect_eq(put(&r, POOL, backend(9, 1, 1), 2, 20), 0, "another index");
	cr_expect_eq(put(&r, POOL, backend(1, 7, 1), 3, 30), 0, "renamed");
	cr_expect_eq(r.backends.entries[0].key, 7);
	cr_expect_eq(put(&r, POOL, backend(1, 7, 2), 4, 40), 1, "another address");
	cr_expect_eq(put(&r, POOL, tunnel, 4, 40), 2, "another encapsulation");
	cr_expect_eq(put(&r, OTHER_POOL, backend(1, 7, 1), 4, 40), 3, "another pool");
	cr_expect_eq(registry_twin(&r, 0, NULL, 4), 3);
	seal(&r, 4, 40);
	cr_expect_neq(r.backends.entries[0].gone_ns, 0);
	cr_expect_eq(put(&r, POOL, backend(1, 7, 1), 5, 50), 0, "removed and back");
	cr_expect_eq(r.backends.entries[0].gone_ns, 0);
	registry_fini(&r);
}

Test(registry, gives_a_reserved_index_away_only_when_no_flow_can_name_it)
{
	struct registry r, copy;

	cr_assert_eq(registry_init(&r), 0);
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++)
		cr_assert_eq(put(&r, POOL, backend(0, i + 1, (uint16_t)i), 1, 10), (int)i);
	cr_expect_eq(put(&r, POOL, backend(0, 1, 60000), 2, 20), -ENOSPC, "all are there");
	for (unsigned i = 1; i < ABI_BACKENDS_MAX; i++)
		cr_assert_eq(put(&r, POOL, backend(0, i + 1, (uint16_t)i), 2, 20), (int)i);
	seal(&r, 2, 20);
	cr_expect_eq(put(&r, POOL, backend(0, 1, 60000), 3, 20 + IDLE_NS), -ENOSPC, "0 went, but not for long");
	cr_assert_eq(registry_copy(&copy, &r), 0);
	cr_expect_eq(put(&copy, POOL, backend(0, 1, 60000), 3, 21 + IDLE_NS), 0);
	cr_expect_neq(r.backends.entries[0].gone_ns, 0, "the copy is one");
	registry_fini(&copy);
	registry_fini(&r);
}
