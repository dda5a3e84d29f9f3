/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/world.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/flowhash.h"

enum { IDLE_S = 3600, WINDOW_S = 3600, OUTER_MTU = 9000 };

struct transaction {
	struct world *world;
	const struct wanted *served;
	uint32_t records;
	uint32_t crc;
};

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "bench: %s\n", what);
	exit(1);
}

/* The driver's part, left out of the measure: the mbufs stay the benchmark's. */
static uint16_t
transmit(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)queue;
	(void)mbufs;
	return n;
}

static uint16_t
transmit_collect(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	struct world_sent *sent = queue;

	memcpy(sent->mbufs + sent->n, mbufs, n * sizeof(*mbufs));
	sent->n += n;
	return n;
}

static void
port_open(struct world *world)
{
	static void *queues[1];

	queues[0] = &world->sent;
	rte_eth_fp_ops[0].tx_pkt_burst = world->spec.collects ? transmit_collect : transmit;
	rte_eth_fp_ops[0].txq.data = queues;
	world->ports.n = 1;
	world->ports.list[0] = (struct port){.n_tx = 1, .exception = PORT_NO_EXCEPTION};
}

struct addr
world_vip(bool is_v6, unsigned service)
{
	uint8_t high = (uint8_t)(service >> 8), low = (uint8_t)service;

	return is_v6 ? addr_v6((const uint8_t[]){0xfd, 0x99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low})
		     : addr_v4((const uint8_t[]){10, 99, high, low});
}

static struct addr
backend_addr(bool is_v6, unsigned backend)
{
	uint8_t high = (uint8_t)(backend >> 8), low = (uint8_t)backend;

	return is_v6 ? addr_v6((const uint8_t[]){0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, high, low})
		     : addr_v4((const uint8_t[]){10, 77, high, low});
}

static void
put(struct transaction *t, union abi_record record)
{
	struct abi_nak nak;

	if (staging_record(t->world->staging, &record, t->served, &nak) == STAGING_REFUSED)
		die(nak.text);
	t->records++;
	t->crc = crc32c(t->crc, &record, sizeof(record));
}

static unsigned
pools_of(const struct world_spec *spec)
{
	return (spec->services + WORLD_SERVICES_EACH - 1) / WORLD_SERVICES_EACH;
}

static void
put_services(struct transaction *t)
{
	const struct world_spec *spec = &t->world->spec;

	for (unsigned i = 0; i < spec->services; i++) {
		put(t, (union abi_record){.vip = {.type = ABI_VIP,
						  .index = (uint16_t)i,
						  .len = spec->is_v6 ? 128 : 32,
						  .key = i + 1,
						  .addr = world_vip(spec->is_v6, i)}});
		put(t, (union abi_record){.service = {.type = ABI_SERVICE,
						      .index = (uint16_t)i,
						      .vip = (uint16_t)i,
						      .pool = (uint16_t)(i / WORLD_SERVICES_EACH),
						      .key = i + 1,
						      .port_first = spec->port,
						      .port_last = spec->port,
						      .protocol = spec->is_udp ? IPPROTO_UDP : IPPROTO_TCP,
						      .affinity = (uint8_t)spec->affinity}});
	}
}

static void
put_guards(struct transaction *t)
{
	for (unsigned i = 0; t->world->guarded.type && i < t->world->spec.services; i++) {
		union abi_record record = {.guard = t->world->guarded};

		record.guard.index = (uint16_t)i;
		put(t, record);
	}
}

static void
put_backends(struct transaction *t, unsigned pools)
{
	const struct world_spec *spec = &t->world->spec;

	for (unsigned i = 0; i < spec->backends; i++) {
		put(t, (union abi_record){.nexthop = {.type = ABI_NEXTHOP,
						      .index = (uint16_t)i,
						      .mtu = OUTER_MTU,
						      .source_mac = {2, 0, 0, 0, 0, 1},
						      .destination_mac = {2, 0, 0, 1, (uint8_t)(i >> 8), (uint8_t)i}}});
		put(t, (union abi_record){.backend = {.type = ABI_BACKEND,
						      .index = (uint16_t)i,
						      .pool = (uint16_t)(i % pools),
						      .nexthop = (uint16_t)i,
						      .key = i + 1,
						      .addr = backend_addr(spec->is_v6, i),
						      .source = backend_addr(spec->is_v6, 0xfffe),
						      .gue_port = spec->encap == ABI_ENCAP_GUE ? 6080 : 0,
						      .encap = (uint8_t)spec->encap,
						      .gue_checksum = spec->has_checksum}});
	}
}

/* Each pool has every pools-th backend. Owners are drawn at random; `turn` moves every slot to the next one. */
static void
put_pool(struct transaction *t, unsigned pool, unsigned pools, unsigned turn)
{
	unsigned members = (t->world->spec.backends - pool + pools - 1) / pools;

	put(t, (union abi_record){.pool = {.type = ABI_POOL,
					   .index = (uint16_t)pool,
					   .window_s = WINDOW_S,
					   .key = pool + 1,
					   .seed = pool * FLOWHASH_K1,
					   .idle_s = IDLE_S}});
	for (unsigned first = 0; first < ABI_SLOTS; first += ABI_SLOTS_PER_PART) {
		union abi_record part = {.slots = {.type = ABI_SLOTS_PART,
						   .pool = (uint16_t)pool,
						   .first = (uint16_t)first,
						   .count = (uint16_t)RTE_MIN((unsigned)ABI_SLOTS_PER_PART,
									      ABI_SLOTS - first)}};

		for (unsigned i = 0; i < part.slots.count; i++) {
			uint64_t draw = flowhash_mum((first + i) ^ FLOWHASH_K0, FLOWHASH_K2);

			part.slots.owner[i] = (uint16_t)(pool + (draw + turn) % members * pools);
		}
		put(t, part);
	}
}

void
world_publish(struct world *world, unsigned turn)
{
	uint64_t start_ns = clock_now_ns();
	struct transaction t = {.world = world, .served = tables_served(world->tables)};
	union abi_record begin = {.begin = {.type = ABI_BEGIN, .kind = ABI_FULL, .generation = ++world->generation}};
	unsigned pools = pools_of(&world->spec);
	union abi_record commit;
	struct abi_nak nak;

	if (staging_record(world->staging, &begin, t.served, &nak) != STAGING_MORE)
		die(nak.text);
	put_services(&t);
	put_guards(&t);
	put_backends(&t, pools);
	for (unsigned i = 0; i < pools; i++)
		put_pool(&t, i, pools, turn);
	commit = (union abi_record){.commit = {.type = ABI_COMMIT,
					       .records = t.records,
					       .generation = world->generation,
					       .crc = t.crc}};
	if (staging_record(world->staging, &commit, t.served, &nak) != STAGING_READY)
		die(nak.text);
	world->records = t.records;
	world->staging_ns = clock_now_ns() - start_ns;
	start_ns = clock_now_ns();
	if (tables_publish(world->tables, staging_take(world->staging), start_ns) != 0)
		die("no memory for the tables");
	world->publish_ns = clock_now_ns() - start_ns;
}

void
world_guard(struct world *world, const struct abi_guard *guard)
{
	world->guarded = *guard;
}

void
world_arm(struct world *world, enum guard_mode mode)
{
	uint32_t now_s = worker_now_s(&world->shared, rte_rdtsc());

	for (unsigned i = 0; i < world->spec.services; i++)
		atomic_store_explicit(&world->guard.states[i], guard_state(mode, now_s), memory_order_relaxed);
	atomic_store_explicit(&world->guard.n_armed, mode == GUARD_PEACE ? 0 : world->spec.services,
			      memory_order_relaxed);
	atomic_store_explicit(&world->shared.samples.stride, mode == GUARD_PEACE ? 0 : 4, memory_order_relaxed);
}

static unsigned
flow_bits(unsigned flows)
{
	unsigned bits = FLOWTABLE_BITS_MIN;

	while (bits < FLOWTABLE_BITS_MAX && (UINT64_C(1) << bits) * FLOWTABLE_WAYS < flows * UINT64_C(2))
		bits++;
	return bits;
}

struct world *
world_new(const struct world_spec *spec)
{
	struct world *world = aligned_alloc(64, sizeof(*world));

	if (!world)
		die("no memory");
	memset(world, 0, sizeof(*world));
	if (region_counters_new(&world->counters, 1) != 0 ||
	    guard_shared_init(&world->guard, LIMIT_BITS_DEFAULT, KNOWN_BITS_DEFAULT) != 0)
		die("no memory");
	world->spec = *spec;
	world->code = worker_code(spec->code);
	if (!world->code)
		die("this CPU has no such --code: base or x86-64-v3");
	world->flows = flowtable_new(flow_bits(spec->flows), SOCKET_ID_ANY);
	world->rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(1), RTE_CACHE_LINE_SIZE);
	if (!world->rcu || rte_rcu_qsbr_init(world->rcu, 1) != 0)
		die("no memory");
	world->tables = tables_new(&(struct tables_config){
		.n_workers = 1, .counters = &world->counters, .rcu = world->rcu, .flows = &world->flows});
	world->staging = staging_new(1);
	if (!world->flows || !world->tables || !world->staging)
		die("no memory");
	port_open(world);
	world->shared = (struct worker_shared){
		.ports = &world->ports,
		.counters = &world->counters,
		.rcu = world->rcu,
		.current = tables_current(world->tables),
		.flows = &world->flows,
		.guard = &world->guard,
		.n_workers = 1,
		.start_tsc = rte_rdtsc(),
		.start_ns = clock_now_ns(),
	};
	world->worker = worker_new(&world->shared, 0);
	if (!world->worker)
		die("no memory");
	world_publish(world, 0);
	return world;
}

void
world_free(struct world *world)
{
	worker_free(world->worker);
	tables_free(world->tables);
	staging_free(world->staging);
	flowtable_free(world->flows);
	guard_shared_fini(&world->guard);
	region_counters_free(&world->counters);
	rte_free(world->rcu);
	free(world);
}

uint64_t
world_verdict(const struct world *world, enum abi_verdict verdict)
{
	return atomic_load_explicit(&world->worker->tx.block->verdicts[verdict], memory_order_relaxed);
}
