/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Publication under readers (RCU). The linker puts this file's free and nanosleep in the place of libc's: the first tells
 * when a part of a generation is freed, the second is where the main lcore waits for its readers, so that what has to
 * hold meanwhile is looked at there, without a race.
 */
#include <criterion/criterion.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "dataplane/tables.h"
#include "transactions.h"

enum { READERS = 3, WATCHED = 6, MTU = 1000, GENERATIONS = 40, SLOT_STEP = 509 };

static struct region_counters counters = {.memfd = -1};
static struct rte_rcu_qsbr *rcu;
static struct tables *tables;

static struct {
	const void *list[WATCHED];
	unsigned freed;
} watched;

static unsigned naps;
static void (*on_nap)(void);

void __real_free(void *memory);
void __wrap_free(void *memory);
int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

void
__wrap_free(void *memory)
{
	for (unsigned i = 0; memory && i < WATCHED; i++)
		watched.freed += watched.list[i] == memory;
	__real_free(memory);
}

int
__wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
	naps++;
	if (!on_nap)
		return __real_nanosleep(wanted, left);
	on_nap();
	return 0;
}

static void
publication_init(void)
{
	size_t size = (rte_rcu_qsbr_get_memsize(READERS) + 63) & ~(size_t)63;

	cr_assert_eq(region_counters_new(&counters, 1), 0);
	cr_assert_not_null(rcu = aligned_alloc(64, size));
	cr_assert_eq(rte_rcu_qsbr_init(rcu, READERS), 0);
	tables = tables_new(&(struct tables_config){.counters = &counters, .rcu = rcu});
	cr_assert_not_null(tables);
}

static void
publication_fini(void)
{
	tables_free(tables);
	free(rcu);
	region_counters_free(&counters);
}

TestSuite(publication, .init = publication_init, .fini = publication_fini);

/* Every part says which generation it is of: the pool's seed, the way's MTU, the owners' addresses. */
static struct wanted *
generation_of(unsigned g)
{
	struct wanted *w = calloc(1, sizeof(*w));

	cr_assert_not_null(w);
	w->generation = g;
	w->vips[0] = vip_record(0, 1);
	w->services[0] = service_record(0, 0, 0, 80, 80);
	w->pools[0] = pool_record(0, 50);
	w->pools[0].pool.seed = g;
	w->nexthops[0].nexthop = (struct abi_nexthop){.type = ABI_NEXTHOP, .mtu = (uint16_t)(MTU + g)};
	for (uint16_t i = 0; i < 2; i++) {
		w->backends[i] = backend_record(i, 0, 1000 * g + i + 1, (uint8_t)(2 * g + i));
		w->backends[i].backend.nexthop = 0;
	}
	w->owners[0] = malloc(ABI_SLOTS * sizeof(uint16_t));
	cr_assert_not_null(w->owners[0]);
	for (unsigned i = 0; i < ABI_SLOTS; i++)
		w->owners[0][i] = i % 2;
	return w;
}

static void
publish(unsigned g)
{
	cr_assert_eq(tables_publish(tables, generation_of(g), clock_now_ns()), 0);
}

static struct snapshot *
current(void)
{
	return atomic_load_explicit(tables_current(tables), memory_order_acquire);
}

static void
watch(const struct snapshot *s)
{
	const void *parts[WATCHED] = {s, s->classify, s->services, s->alive, s->targets, s->services[0].slots};

	memcpy(watched.list, parts, sizeof(parts));
	watched.freed = 0;
}

static uint32_t
crc_of(const struct snapshot *s)
{
	uint32_t crc = crc32c(0, &s->generation, sizeof(s->generation));

	crc = crc32c(crc, s->services, ABI_SERVICES_MAX * sizeof(*s->services));
	crc = crc32c(crc, s->alive, ABI_BACKENDS_MAX + 1);
	crc = crc32c(crc, s->targets, (ABI_BACKENDS_MAX + 1) * sizeof(*s->targets));
	return crc32c(crc, s->services[0].slots, ABI_SLOTS * sizeof(slot_word));
}

static struct {
	const struct snapshot *snapshot;
	uint32_t crc;
} held;

/* At the n-th nap reader n - 1 lets go. */
static void
readers_let_go(void)
{
	cr_assert_leq(naps, 2, "nobody holds it any more");
	cr_expect_eq(watched.freed, 0, "nap %u: freed under a reader", naps);
	cr_expect_eq(crc_of(held.snapshot), held.crc, "nap %u: changed under a reader", naps);
	cr_expect_eq(current()->generation, 2, "nap %u: the next reader gets the new one", naps);
	rte_rcu_qsbr_quiescent(rcu, naps - 1);
}

Test(publication, frees_a_generation_after_the_last_reader_let_go_and_not_before)
{
	publish(1);
	for (unsigned i = 0; i < READERS; i++)
		cr_assert_eq(rte_rcu_qsbr_thread_register(rcu, i), 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	rte_rcu_qsbr_thread_online(rcu, 1); /* and 2 sleeps: nobody waits for it */
	held.snapshot = current();
	held.crc = crc_of(held.snapshot);
	watch(held.snapshot);
	on_nap = readers_let_go;
	publish(2);
	cr_expect_eq(naps, 2);
	cr_expect_eq(watched.freed, WATCHED, "%u parts of the old generation are freed", watched.freed);
}

/* The reader of the generation before lets go as soon as it is waited for. */
static void
reader_follows(void)
{
	cr_assert_eq(watched.freed, 0);
	rte_rcu_qsbr_quiescent(rcu, 0);
}

Test(publication, keeps_no_generation_but_the_newest)
{
	publish(1);
	cr_assert_eq(rte_rcu_qsbr_thread_register(rcu, 0), 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	on_nap = reader_follows;
	for (unsigned g = 2; g < 8; g++) {
		watch(current());
		publish(g);
		cr_expect_eq(watched.freed, WATCHED, "generation %u", g - 1);
		cr_expect_eq(naps, g - 1);
	}
}

struct reader {
	_Atomic unsigned seen; /* bursts served from whole generations */
	unsigned broken;
	unsigned backwards;
	uint64_t last;
	atomic_bool stop;
};

static bool
is_whole(const struct snapshot *s)
{
	uint64_t g = s->generation;
	const struct steer_service *service = &s->services[0];

	if (service->seed != g)
		return false;
	for (unsigned i = 0; i < ABI_SLOTS; i += SLOT_STEP) {
		uint16_t owner = slot_owner(__atomic_load_n(&service->slots[i], __ATOMIC_RELAXED));

		if (owner >= ABI_BACKENDS_MAX || !s->alive[owner] ||
		    s->targets[owner].too_long != MTU + g + 1 - s->targets[owner].outer_len)
			return false;
	}
	return s->generation == g;
}

static void *
read_on(void *context)
{
	struct reader *r = context;

	rte_rcu_qsbr_thread_register(rcu, 0);
	rte_rcu_qsbr_thread_online(rcu, 0);
	while (!atomic_load_explicit(&r->stop, memory_order_relaxed)) {
		const struct snapshot *s = current();

		r->broken += !is_whole(s);
		r->backwards += s->generation < r->last;
		r->last = s->generation;
		atomic_fetch_add_explicit(&r->seen, 1, memory_order_relaxed);
		rte_rcu_qsbr_quiescent(rcu, 0);
	}
	rte_rcu_qsbr_thread_offline(rcu, 0);
	rte_rcu_qsbr_thread_unregister(rcu, 0);
	return NULL;
}

Test(publication, shows_a_reader_one_whole_generation_at_a_time)
{
	struct reader reader = {.last = 0};
	pthread_t thread;

	publish(1);
	cr_assert_eq(pthread_create(&thread, NULL, read_on, &reader), 0);
	for (unsigned g = 2; g <= GENERATIONS; g++) {
		unsigned before = atomic_load(&reader.seen);

		while (atomic_load(&reader.seen) < before + 2)
			sched_yield();
		publish(g);
	}
	for (unsigned before = atomic_load(&reader.seen); atomic_load(&reader.seen) < before + 2;)
		sched_yield();
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	cr_expect_eq(reader.broken, 0);
	cr_expect_eq(reader.backwards, 0);
	cr_expect_eq(reader.last, GENERATIONS);
}
