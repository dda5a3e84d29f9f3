/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * However a state was reached, the workers serve the same. Random states follow each other (by seed); one table gets
 * them as deltas, one as full transactions: all that a worker reads is equal, to the octet. A dataplane that knows the
 * last state only serves the same too, under indices of its own and without a past.
 */
#include <criterion/criterion.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/tables.h"
#include "transactions.h"

enum {
	VIPS = 3,
	SERVICES = 6,
	POOLS = 3,
	BACKENDS = 10,
	NEXTHOPS = 3,
	THINGS = VIPS + SERVICES + POOLS + BACKENDS + NEXTHOPS,
	SEEDS = 12,
	STEPS = 20,
	NOBODY = 99,
};

/* What is wanted, by the control plane's indices; type 0: nothing. */
struct state {
	union abi_record vips[VIPS], services[SERVICES], pools[POOLS], backends[BACKENDS], nexthops[NEXTHOPS];
	uint16_t owners[POOLS][ABI_SLOTS];
};

static uint64_t random_state;

/* splitmix64. */
static uint64_t
random64(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint16_t
below(unsigned n)
{
	return (uint16_t)(random64() % n);
}

/* A random backend of the pool, or none. */
static uint16_t
member(const struct state *s, unsigned pool)
{
	for (unsigned start = below(BACKENDS), i = 0; i < BACKENDS; i++) {
		unsigned at = (start + i) % BACKENDS;

		if (s->backends[at].type && s->backends[at].backend.pool == pool)
			return (uint16_t)at;
	}
	return ABI_OWNER_NONE;
}

/* One change. What it leaves without its other half is mended afterwards. */

static void
change_vip(struct state *s)
{
	uint16_t i = below(VIPS);

	s->vips[i] = below(3) ? vip_record(i, (uint8_t)(i + 1)) : (union abi_record){.type = 0};
	s->vips[i].vip.refuse = s->vips[i].type && below(2);
}

/* The port follows from the key, so that services overlap only when they are the same. */
static void
change_service(struct state *s)
{
	uint16_t i = below(SERVICES), key = below(8);
	union abi_record fresh = service_record(i, below(VIPS), below(POOLS), (uint16_t)(80 + 10 * key),
						(uint16_t)(80 + 10 * key + below(3)));

	fresh.service.key = 1000u + key;
	fresh.service.affinity = (uint8_t)below(3);
	fresh.service.hash_on = (uint8_t)below(2);
	for (unsigned k = 0; k < SERVICES; k++) {
		if (s->services[k].service.key == fresh.service.key)
			s->services[k].type = 0; /* it moves to another index */
	}
	s->services[i] = fresh;
	if (below(4) == 0)
		s->services[i].type = 0;
}

static void
change_pool(struct state *s)
{
	uint16_t i = below(POOLS), key = below(5);
	union abi_record fresh = pool_record(i, 50u + key);

	fresh.pool.seed = 7u + (below(4) == 0);
	fresh.pool.idle_s = 30u + below(60);
	fresh.pool.window_s = 1u + below(3);
	for (unsigned k = 0; k < POOLS; k++) {
		if (k != i && s->pools[k].type && s->pools[k].pool.key == fresh.pool.key)
			return;
	}
	s->pools[i] = fresh;
	if (below(6) == 0)
		s->pools[i].type = 0;
}

static void
change_backend(struct state *s)
{
	uint16_t i = below(BACKENDS), octet = (uint16_t)(1 + below(6)), pool = below(POOLS);
	union abi_record fresh = backend_record(i, pool, 2u * octet, (uint8_t)octet);

	if (below(3) == 0) {
		fresh.backend.encap = ABI_ENCAP_GRE;
		fresh.backend.source = addr_v4((const uint8_t[]){10, 77, 1, 1});
		fresh.backend.key++;
	}
	for (unsigned k = 0; k < BACKENDS; k++) {
		if (s->backends[k].type && s->backends[k].backend.pool == pool &&
		    s->backends[k].backend.key == fresh.backend.key)
			return;
	}
	fresh.backend.nexthop = below(NEXTHOPS + 1);
	s->backends[i] = fresh;
	if (below(4) == 0)
		s->backends[i].type = 0;
}

static void
change_nexthop(struct state *s)
{
	uint16_t i = below(NEXTHOPS);

	s->nexthops[i].nexthop = (struct abi_nexthop){.type = below(4) ? ABI_NEXTHOP : 0,
						      .index = i,
						      .mtu = (uint16_t)(1400 + below(100)),
						      .source_mac = {2, 1},
						      .destination_mac = {2, (uint8_t)below(9)}};
}

/* Two backends change their places, their slots with them: nothing that a packet could tell. */
static void
change_places(struct state *s)
{
	uint16_t a = below(BACKENDS), b = below(BACKENDS);
	union abi_record was = s->backends[a];

	s->backends[a] = s->backends[b];
	s->backends[b] = was;
	s->backends[a].backend.index = a;
	s->backends[b].backend.index = b;
	for (unsigned p = 0; p < POOLS; p++) {
		for (unsigned i = 0; i < ABI_SLOTS; i++) {
			uint16_t owner = s->owners[p][i];

			s->owners[p][i] = owner == a ? b : owner == b ? a : owner;
		}
	}
}

static void
change_slots(struct state *s)
{
	unsigned pool = below(POOLS), first = below(ABI_SLOTS), n = 1u + below(ABI_SLOTS / 4);
	uint16_t owner = below(8) ? member(s, pool) : ABI_OWNER_NONE;

	for (unsigned i = first; i < first + n && i < ABI_SLOTS; i++)
		s->owners[pool][i] = owner;
}

static void
erase_if(union abi_record *record, bool is_lost)
{
	if (record->type == 0 || is_lost)
		*record = (union abi_record){.type = 0};
}

/* Takes away what names something that isn't there, and gives orphaned slots to somebody. */
static void
mend(struct state *s)
{
	for (unsigned i = 0; i < VIPS; i++)
		erase_if(&s->vips[i], false);
	for (unsigned i = 0; i < NEXTHOPS; i++)
		erase_if(&s->nexthops[i], false);
	for (unsigned i = 0; i < POOLS; i++)
		erase_if(&s->pools[i], false);
	for (unsigned i = 0; i < SERVICES; i++)
		erase_if(&s->services[i],
			 !s->vips[s->services[i].service.vip].type || !s->pools[s->services[i].service.pool].type);
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct abi_backend *b = &s->backends[i].backend;

		erase_if(&s->backends[i], !s->pools[b->pool].type);
		if (b->type && (b->nexthop >= NEXTHOPS || !s->nexthops[b->nexthop].type))
			b->nexthop = ABI_NEXTHOP_NONE;
	}
	for (unsigned p = 0; p < POOLS; p++) {
		uint16_t heir = member(s, p);

		for (unsigned i = 0; i < ABI_SLOTS; i++) {
			uint16_t *owner = &s->owners[p][i];

			if (!s->pools[p].type)
				*owner = NOBODY;
			else if (*owner != ABI_OWNER_NONE &&
				 (*owner == NOBODY || !s->backends[*owner].type || s->backends[*owner].backend.pool != p))
				*owner = heir;
		}
	}
}

static void
step(struct state *s)
{
	static void (*const changes[])(struct state *) = {change_vip,	  change_service, change_pool, change_backend,
							  change_nexthop, change_places,  change_slots};

	for (unsigned n = 1u + below(6); n > 0; n--) {
		changes[below(ARRAY_LEN(changes))](s);
		mend(s);
	}
}

/* Transactions. */

static void
part_add(struct records *r, const uint16_t *owners, uint16_t pool, unsigned first)
{
	unsigned count = ABI_SLOTS - first < ABI_SLOTS_PER_PART ? ABI_SLOTS - first : ABI_SLOTS_PER_PART;
	union abi_record record = {
		.slots = {.type = ABI_SLOTS_PART, .pool = pool, .first = (uint16_t)first, .count = (uint16_t)count}};

	memcpy(record.slots.owner, owners + first, count * sizeof(*owners));
	records_add(r, record);
}

/* before: NULL for a full transaction. */
static void
slots_diff(struct records *r, const struct state *before, const struct state *now, uint16_t pool)
{
	bool is_kept = before && before->pools[pool].type && before->pools[pool].pool.key == now->pools[pool].pool.key;

	for (unsigned first = 0; now->pools[pool].type && first < ABI_SLOTS; first += ABI_SLOTS_PER_PART) {
		size_t len = (ABI_SLOTS - first < ABI_SLOTS_PER_PART ? ABI_SLOTS - first : ABI_SLOTS_PER_PART) *
			     sizeof(uint16_t);

		if (!is_kept || memcmp(before->owners[pool] + first, now->owners[pool] + first, len) != 0)
			part_add(r, now->owners[pool], pool, first);
	}
}

static void
things_diff(struct records *r, const union abi_record *before, const union abi_record *now, unsigned n, uint16_t type)
{
	for (uint16_t i = 0; i < n; i++) {
		bool was = before && before[i].type;

		if (now[i].type && !(was && memcmp(&before[i], &now[i], sizeof(*now)) == 0))
			records_add(r, now[i]);
		else if (was && !now[i].type)
			records_add(r, (union abi_record){.remove = {.type = ABI_REMOVE, .index = i, .of = type}});
	}
}

/* In any order. */
static void
shuffle(struct records *r)
{
	for (unsigned i = r->n; i > 1; i--) {
		unsigned k = below(i);
		union abi_record was = r->list[k];

		r->list[k] = r->list[i - 1];
		r->list[i - 1] = was;
	}
}

static void
diff(struct records *r, const struct state *before, const struct state *now)
{
	r->n = 0;
	things_diff(r, before ? before->vips : NULL, now->vips, VIPS, ABI_VIP);
	things_diff(r, before ? before->services : NULL, now->services, SERVICES, ABI_SERVICE);
	things_diff(r, before ? before->pools : NULL, now->pools, POOLS, ABI_POOL);
	things_diff(r, before ? before->backends : NULL, now->backends, BACKENDS, ABI_BACKEND);
	things_diff(r, before ? before->nexthops : NULL, now->nexthops, NEXTHOPS, ABI_NEXTHOP);
	for (uint16_t p = 0; p < POOLS; p++)
		slots_diff(r, before, now, p);
	shuffle(r);
}

/* A dataplane's half, without workers. */
struct side {
	struct region_counters counters;
	struct staging *staging;
	struct tables *tables;
};

static void
side_open(struct side *side)
{
	cr_assert_eq(region_counters_new(&side->counters, 1), 0);
	side->staging = staging_new(PORTS);
	side->tables = tables_new(&(struct tables_config){.counters = &side->counters});
	cr_assert(side->staging && side->tables);
}

static void
side_close(struct side *side)
{
	tables_free(side->tables);
	staging_free(side->staging);
	region_counters_free(&side->counters);
}

static void
side_publish(struct side *side, const struct state *before, const struct state *now, uint64_t generation, uint64_t now_ns)
{
	static struct records content;
	union abi_record begin =
		before ? begin_record(ABI_DELTA, generation, generation - 1) : begin_record(ABI_FULL, generation, 0);
	struct abi_nak nak = {0};

	diff(&content, before, now);
	cr_assert_eq(transaction_put(side->staging, begin, &content, tables_served(side->tables), &nak), STAGING_READY,
		     "generation %u, record %u: %s", (unsigned)generation, nak.record, nak.text);
	cr_assert_eq(tables_publish(side->tables, staging_take(side->staging), now_ns), 0);
}

/* Comparison. */

static const struct snapshot *
served(const struct side *side)
{
	return atomic_load(tables_current(side->tables));
}

enum { NO_VIP = SERVICE_NONE - 2, REFUSED = SERVICE_NONE - 1 };

/* The service's index, or from NO_VIP on. */
static uint16_t
service_of(const struct snapshot *s, unsigned vip, uint16_t port, uint8_t protocol)
{
	struct addr addr = vip_record(0, (uint8_t)(vip + 1)).vip.addr;
	uint16_t at, service;

	if (!classify_vip_lookup(s->classify, &addr, &at))
		return NO_VIP;
	service = classify_service_find(s->classify, at, protocol, true, port);
	return service == SERVICE_NONE && s->classify->rules[at].refuse ? REFUSED : service;
}

enum { WITH_PAST, WITHOUT_PAST };

static void
expect_slots_equal(const struct snapshot *a, const struct snapshot *b, uint16_t at_a, uint16_t at_b, int past)
{
	const struct steer_service *x = &a->services[at_a], *y = &b->services[at_b];

	cr_assert(x->seed == y->seed && x->idle_s == y->idle_s && x->affinity == y->affinity && x->hash_on == y->hash_on);
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		uint16_t p = slot_owner(x->slots[i]), q = slot_owner(y->slots[i]);

		cr_assert(past == WITHOUT_PAST || x->slots[i] == y->slots[i], "slot %u: %08x %08x", i, x->slots[i],
			  y->slots[i]);
		cr_assert_eq(a->alive[p], b->alive[q], "slot %u", i);
		cr_assert_eq(memcmp(&a->targets[p], &b->targets[q], sizeof(a->targets[p])), 0, "slot %u", i);
	}
}

/* As packets see it: every address and port, with the service's counters under the same key. */
static void
expect_served_equal(const struct side *left, const struct side *right, int past)
{
	const struct snapshot *a = served(left), *b = served(right);

	for (unsigned vip = 0; vip < VIPS; vip++) {
		for (uint16_t port = 79; port < 165; port++) {
			uint16_t p = service_of(a, vip, port, IPPROTO_TCP), q = service_of(b, vip, port, IPPROTO_TCP);

			if (p >= NO_VIP || q >= NO_VIP) {
				cr_assert_eq(p, q, "VIP %u, port %u", vip, port);
				continue;
			}
			cr_assert_eq(atomic_load(&region_services(&left->counters)[p].key),
				     atomic_load(&region_services(&right->counters)[q].key));
			expect_slots_equal(a, b, p, q, past);
		}
	}
}

static void
expect_identical(const struct side *left, const struct side *right)
{
	const struct snapshot *a = served(left), *b = served(right);

	cr_assert_eq(a->generation, b->generation);
	cr_assert_eq(memcmp(a->alive, b->alive, ABI_BACKENDS_MAX + 1), 0);
	cr_assert_eq(memcmp(a->targets, b->targets, (ABI_BACKENDS_MAX + 1) * sizeof(*a->targets)), 0);
	cr_assert_eq(memcmp(region_backends(&left->counters), region_backends(&right->counters),
			    ABI_BACKENDS_MAX * sizeof(struct abi_directory_entry)),
		     0);
	cr_assert_eq(tables_slots(left->tables).moving, tables_slots(right->tables).moving);
	cr_assert_eq(tables_slots(left->tables).settling, tables_slots(right->tables).settling);
	expect_served_equal(left, right, WITH_PAST);
}

static void
run(uint64_t seed)
{
	static struct state before, now;
	static const struct state nothing;
	struct side deltas, fulls, fresh;
	uint64_t start_ns;

	random_state = seed;
	now = nothing;
	mend(&now);
	side_open(&deltas);
	side_open(&fulls);
	start_ns = clock_now_ns() + CLOCK_NS_PER_S / 2;
	for (unsigned g = 1; g <= STEPS; g++) {
		uint64_t now_ns = start_ns + g * CLOCK_NS_PER_S;

		before = now;
		step(&now);
		side_publish(&deltas, g == 1 ? NULL : &before, &now, g, now_ns);
		side_publish(&fulls, NULL, &now, g, now_ns);
		expect_identical(&deltas, &fulls);
		tables_tick(deltas.tables, now_ns, g);
		tables_tick(fulls.tables, now_ns, g);
		expect_identical(&deltas, &fulls);
	}
	side_open(&fresh);
	side_publish(&fresh, NULL, &now, STEPS, clock_now_ns());
	expect_served_equal(&deltas, &fresh, WITHOUT_PAST);
	side_close(&fresh);
	side_close(&fulls);
	side_close(&deltas);
}

Test(equality, of_tables_reached_by_deltas_and_at_once)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		cr_log_info("seed %u", (unsigned)seed);
		run(seed);
	}
}
