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
static struct flowtable *flows;
static struct tables *tables;
static struct staging *staging;

static void
tables_init(void)
{
	struct tables_config config = {.counters = &counters, .n_workers = 1, .flows = &flows};

	cr_assert_eq(region_counters_new(&counters, 1), 0);
	flows = flowtable_new(FLOWTABLE_BITS_MIN, SOCKET_ID_ANY);
	cr_assert_not_null(flows);
	tables = tables_new(&config);
	staging = staging_new(PORTS);
	cr_assert(tables && staging);
}

static void
tables_fini(void)
{
	tables_free(tables);
	flowtable_free(flows);
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

Test(tables, forget_a_pool_whose_backends_are_all_others_now)
{
	const struct snapshot *s;

	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	pop_add(&content, 0, 1);
	content.list[3] = backend_record(0, 0, 1, 3); /* the names stay */
	content.list[4] = backend_record(1, 0, 2, 4);
	publish(begin_record(ABI_FULL, 2, 0));
	cr_expect_eq(slot(0), slot_make(2, 2, SLOT_STABLE));
	cr_expect_eq(slot(1), slot_make(3, 3, SLOT_STABLE));
	records_add(&content, backend_record(0, 0, 1, 5));
	records_add(&content, backend_record(1, 0, 2, 6));
	publish(begin_record(ABI_DELTA, 3, 2));
	cr_expect_eq(slot(0), slot_make(4, 4, SLOT_STABLE), "the same indices, other servers");
	cr_expect_eq(slot(1), slot_make(5, 5, SLOT_STABLE));
	cr_expect_eq(tables_slots(tables).moving + tables_slots(tables).settling, 0, "no flow is left to remember");
	s = atomic_load(tables_current(tables));
	for (unsigned i = 0; i < 6; i++)
		cr_expect_eq(s->alive[i], i >= 4, "backend %u", i);
}

Test(tables, know_the_previous_owner_by_its_address_and_encapsulation)
{
	union abi_record tunnel = backend_record(0, 0, 3, 2);

	pop_add(&content, 0, 1);
	publish(begin_record(ABI_FULL, 1, 0));
	records_add(&content, backend_record(0, 0, 2, 2));
	records_add(&content, backend_record(1, 0, 1, 1));
	publish(begin_record(ABI_DELTA, 2, 1));
	cr_expect_eq(slot(0), slot_make(1, 0, SLOT_MOVING), "index 0 is another's now");
	cr_expect_eq(slot(1), slot_make(0, 1, SLOT_MOVING));
	cr_expect_eq(tables_slots(tables).moving, ABI_SLOTS);
	tunnel.backend.encap = ABI_ENCAP_GRE;
	tunnel.backend.source = addr_v4((const uint8_t[]){10, 77, 1, 1});
	records_add(&content, tunnel);
	publish(begin_record(ABI_DELTA, 3, 2));
	cr_expect_eq(slot(0), slot_make(2, 0, SLOT_MOVING), "through a tunnel it is another; the oldest lives");
	cr_expect_eq(slot(1), slot_make(0, 0, SLOT_SETTLING), "the previous owner is gone");
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

/* One VIP with every service that there is room for; the last two arguments say what one index holds instead. */
static struct wanted *
wanted_crowded(uint64_t generation, unsigned index, bool is_there, uint8_t net)
{
	struct wanted *w = wanted_full(generation, 77);

	w->vips[0] = vip_record(0, 1);
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++)
		w->services[i] = service_record((uint16_t)i, 0, 0, (uint16_t)(i + 1), (uint16_t)(i + 1));
	w->backends[index].backend.addr.octets[1] = net;
	w->backends[index].backend.key = 100000u + net;
	w->services[index].service.key = 100000u + net;
	if (!is_there)
		w->backends[index].type = w->services[index].type = 0;
	return w;
}

static void
count(unsigned index)
{
	struct abi_backend_counters *b = &region_worker_backends(&counters, 0)[index];
	struct abi_service_counters *s = &region_worker_services(&counters, 0)[index];

	atomic_store(&b->packets, 90);
	atomic_store(&b->bytes, 91);
	atomic_store(&b->openings, 92);
	atomic_store(&b->icmp, 93);
	atomic_store(&s->packets, 94);
	atomic_store(&s->bytes, 95);
	atomic_store(&s->openings, 96);
	atomic_store(&s->dropped, 97);
}

static uint64_t
counted(unsigned index)
{
	const struct abi_backend_counters *b = &region_worker_backends(&counters, 0)[index];
	const struct abi_service_counters *s = &region_worker_services(&counters, 0)[index];

	return atomic_load(&b->packets) + atomic_load(&b->bytes) + atomic_load(&b->openings) + atomic_load(&b->icmp) +
	       atomic_load(&s->packets) + atomic_load(&s->bytes) + atomic_load(&s->openings) + atomic_load(&s->dropped);
}

Test(tables, give_an_index_to_another_when_no_flow_can_name_it_with_its_counters_at_zero)
{
	enum { REUSED = 5, KEPT = 6, ALL = 90 + 91 + 92 + 93 + 94 + 95 + 96 + 97 };
	/* The pools' idle time and what whole seconds hide. */
	uint64_t now_ns = clock_now_ns(), reserve_ns = (60 + FLOWTABLE_SKEW_S) * CLOCK_NS_PER_S;
	struct wanted *early = wanted_crowded(3, REUSED, true, 78);

	cr_assert_eq(tables_publish(tables, wanted_crowded(1, REUSED, true, 77), now_ns), 0);
	count(REUSED);
	count(KEPT);
	cr_assert_eq(tables_publish(tables, wanted_crowded(2, REUSED, false, 77), now_ns), 0);
	cr_expect_eq(counted(REUSED), ALL, "gone, and still to be read");
	cr_expect_eq(tables_publish(tables, early, now_ns + reserve_ns), -ENOSPC, "a flow may name it");
	cr_expect_eq(counted(REUSED), ALL, "a generation that failed changes nothing");
	wanted_free(early);
	cr_assert_eq(tables_publish(tables, wanted_crowded(3, REUSED, true, 78), now_ns + reserve_ns + 1), 0);
	cr_expect_eq(atomic_load(&region_backends(&counters)[REUSED].key), 100078);
	cr_expect_eq(atomic_load(&region_services(&counters)[REUSED].key), 100078);
	cr_expect_eq(counted(REUSED), 0, "another's");
	cr_expect_eq(counted(KEPT), ALL);
	count(REUSED);
	cr_assert_eq(tables_publish(tables, wanted_crowded(4, REUSED, true, 78), now_ns + reserve_ns + 2), 0);
	cr_expect_eq(counted(REUSED), ALL, "the same goes on");
}
