/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/tables.h"
#include "transactions.h"

static struct records content;
static struct region_counters counters = {.memfd = -1};
static struct tables *tables;
static struct staging *staging;

static void
tables_init(void)
{
	struct tables_config config = {.counters = &counters};

	cr_assert_eq(region_counters_new(&counters, 1), 0);
	tables = tables_new(&config);
	staging = staging_new(PORTS);
	cr_assert(tables && staging);
}

static void
tables_fini(void)
{
	tables_free(tables);
	staging_free(staging);
	region_counters_free(&counters);
}

TestSuite(tables, .init = tables_init, .fini = tables_fini);

static void
publish(union abi_record begin)
{
	struct abi_nak nak = {0};

	cr_assert_eq(transaction_put(staging, begin, &content, tables_served(tables), &nak), STAGING_READY, "%s", nak.text);
	cr_assert_eq(tables_publish(tables, staging_take(staging), clock_now_ns()), 0);
	content.n = 0;
}

static slot_word
slot(unsigned i)
{
	struct snapshot *s = atomic_load(tables_current(tables));

	return s->services[0].slots[i];
}

Test(tables, move_nothing_for_a_restarted_control_plane)
{
	const slot_word *before;

	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	before = atomic_load(tables_current(tables))->services[0].slots;
	pop_add(&content, 900, 30);
	publish(begin_record(ABI_FULL, 2, 0));
	cr_expect_eq(atomic_load(tables_current(tables))->services[0].slots, before);
	pop_add(&content, 0, 1);
	content.list[3].backend.key = 77;
	publish(begin_record(ABI_FULL, 3, 0));
	cr_expect_eq(atomic_load(tables_current(tables))->services[0].slots, before, "renamed");
	cr_expect_eq(atomic_load(&region_backends(&counters)[0].key), 77);
	cr_expect_eq(tables_slots(tables).moving, 0);
}

Test(tables, move_what_a_delta_says_and_no_more)
{
	union abi_record part = {.slots = {.type = ABI_SLOTS_PART, .first = 10, .count = 2, .owner = {1, 1}}};
	uint64_t now_ns;

	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	records_add(&content, part);
	publish(begin_record(ABI_DELTA, 2, 1));
	cr_expect_eq(slot(10), slot_make(1, 0, SLOT_MOVING));
	cr_expect_eq(slot(11), slot_make(1, 1, SLOT_STABLE));
	cr_expect_eq(tables_slots(tables).moving, 1);
	now_ns = clock_now_ns() + 11 * CLOCK_NS_PER_S;
	cr_expect_not(tables_tick(tables, now_ns, 11));
	cr_expect_eq(slot(10), slot_make(1, 1, SLOT_SETTLING));
	tables_tick(tables, now_ns + CLOCK_NS_PER_S, 12);
	tables_tick(tables, now_ns + 2 * CLOCK_NS_PER_S, 13);
	cr_expect_eq(slot(10), slot_make(1, 1, SLOT_STABLE));
}

Test(tables, forget_a_dead_backend_though_another_pool_has_it)
{
	pop_add(&content, 0, 1);
	records_add(&content, pool_record(1, 51));
	records_add(&content, backend_record(2, 1, 3, 1));
	slots_add(&content, 1, 2, 2);
	publish(begin_record(ABI_FULL, 1, 0));
	records_add(&content, (union abi_record){.remove = {.type = ABI_REMOVE, .index = 0, .of = ABI_BACKEND}});
	slots_add(&content, 0, 1, 1);
	publish(begin_record(ABI_DELTA, 2, 1));
	cr_expect_eq(slot(0), slot_make(1, 1, SLOT_STABLE));
}

Test(tables, carry_a_service_over_to_a_pool_of_another_name)
{
	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	pop_add(&content, 0, 1);
	content.list[2].pool.key = 60;
	publish(begin_record(ABI_FULL, 2, 0));
	cr_expect_eq(tables_slots(tables).moving, 0, "the same servers");
}

static struct wanted *
wanted_full(uint64_t generation, uint8_t net)
{
	struct wanted *w = calloc(1, sizeof(*w));

	w->generation = generation;
	w->pools[0] = pool_record(0, 50);
	w->owners[0] = calloc(ABI_SLOTS, sizeof(uint16_t));
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		w->backends[i] = backend_record((uint16_t)i, 0, i + 1, 0);
		memcpy(w->backends[i].backend.addr.octets,
		       (const uint8_t[]){10, net, (uint8_t)(i >> 8), (uint8_t)i}, 4);
	}
	return w;
}

Test(tables, change_nothing_when_a_publication_fails)
{
	struct wanted *second = wanted_full(2, 78);

	cr_assert_eq(tables_publish(tables, wanted_full(1, 77), clock_now_ns()), 0);
	cr_expect_eq(tables_publish(tables, second, clock_now_ns()), -ENOSPC);
	wanted_free(second);
	cr_expect_eq(tables_served(tables)->generation, 1);
	cr_expect_eq(atomic_load(tables_current(tables))->generation, 1);
	cr_expect_eq(atomic_load(&region_backends(&counters)[5].generation), 1);
	cr_assert_eq(tables_publish(tables, wanted_full(2, 77), clock_now_ns()), 0);
	cr_expect_eq(tables_slots(tables).moving, 0);
}

/* The XDP map as a list of what is in it; it refuses the last octet `full`. */
static struct {
	uint8_t octets[8];
	unsigned n;
	uint8_t full;
} map;

static int
map_add(void *context, const struct prefix *prefix)
{
	(void)context;
	if (prefix->addr.octets[3] == map.full)
		return -ENOSPC;
	map.octets[map.n++] = prefix->addr.octets[3];
	return 0;
}

static void
map_remove(void *context, const struct prefix *prefix)
{
	(void)context;
	for (unsigned i = 0; i < map.n; i++) {
		if (map.octets[i] == prefix->addr.octets[3])
			map.octets[i] = map.octets[--map.n];
	}
}

Test(tables, change_nothing_when_a_vip_finds_no_room)
{
	struct tables_config config = {.counters = &counters, .hooks = {NULL, map_add, map_remove}};
	const struct snapshot *before;
	struct abi_nak nak;
	struct wanted *wanted;

	tables_free(tables);
	tables = tables_new(&config);
	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	cr_expect(map.n == 1 && map.octets[0] == 1);
	before = atomic_load(tables_current(tables));

	map.full = 3;
	pop_add(&content, 0, 1);
	content.list[0] = vip_record(0, 2); /* in place of the first */
	records_add(&content, vip_record(1, 3));
	cr_assert_eq(transaction_put(staging, begin_record(ABI_FULL, 2, 0), &content, tables_served(tables), &nak),
		     STAGING_READY);
	wanted = staging_take(staging);
	cr_expect_eq(tables_publish(tables, wanted, clock_now_ns()), -ENOSPC);
	cr_expect_eq(atomic_load(tables_current(tables)), before);
	cr_expect(map.n == 1 && map.octets[0] == 1, "what was put in is out again");

	map.full = 0;
	cr_expect_eq(tables_publish(tables, wanted, clock_now_ns()), 0);
	cr_expect(map.n == 2 && map.octets[0] + map.octets[1] == 5);
	content.n = 0;
}
