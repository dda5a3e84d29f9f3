/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include <criterion/criterion.h>

#include <rte_eal.h>
#include <rte_memory.h>

#include "dataplane/stage/limit.h"

#define WRAP_NS	  (UINT64_C(1) << 37) /* the time of an entry wraps so often */
#define SECOND_NS UINT64_C(1000000000)
#define SEED	  UINT64_C(0x0123456789abcdef)

/* The EAL binds its caller, and with it the threads that a test starts, to one CPU: that is undone. */
static void
eal_init(void)
{
	cpu_set_t cpus;

	static char *args[] = {"test", "--no-huge", "--no-shconf",    "--no-pci",	   "-m", "16",
			       "-l",   "0",	    "--no-telemetry", "--log-level=error", NULL};

	cr_assert_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	cr_assert_geq(rte_eal_init((int)ARRAY_LEN(args) - 1, args), 0);
	cr_assert_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

TestSuite(limit, .init = eal_init);

static struct limit_rate
rate_of(uint64_t per_s, uint64_t burst)
{
	struct limit_rate rate = {0};

	cr_assert_eq(limit_rate_init(&rate, per_s, burst), 0);
	return rate;
}

/* The n-th source of a set, numbered in its top bits. */
static uint64_t
key_in_set(const struct limit_table *t, unsigned set, unsigned n)
{
	return (uint64_t)set << (64 - t->bits) | (n + 1);
}

static uint64_t
key_of(uint32_t source)
{
	uint8_t octets[4];

	memcpy(octets, &source, 4);
	return limit_key_v4(SEED, limit_scope(1, LIMIT_PACKETS), octets, 32);
}

static unsigned
take_n(struct limit_table *t, uint64_t key, const struct limit_rate *rate, unsigned n, uint64_t now_ns)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++)
		passed += limit_take(t, key, rate, 1, now_ns) == LIMIT_OK;
	return passed;
}

Test(limit, passes_the_burst_then_the_rate)
{
	static const struct {
		const char *name;
		uint64_t per_s, burst;
		uint32_t cost;
		uint64_t every_ns; /* at_once offers; about twice the limit */
		unsigned at_once, times;
	} rows[] = {
		{"1 a second, over several wraps", 1, 10, 1, 100000000, 1, 6000},
		{"7 a second", 7, 400, 1, 70000000, 1, 20000},
		{"1000 a second", 1000, 50, 1, 500000, 1, 20000},
		{"a million a second in bursts", 1000000, 4000, 1, 32000, 64, 4000},
		{"100 million a second", 100000000, 1000000, 1, 100000, 20000, 400},
		{"1 Tbit/s of runts", 1000000000000, 2000000000, 480, 100000, 416667, 80},
		{"1 Tbit/s of full frames", 1000000000000, 1000000000, 12000, 100000, 16667, 100},
		{"1 Tbit/s of the biggest packets", 1000000000000, 1000000000, 524280, 10000, 40, 4000},
		{"1 Mbit/s of frames", 1000000, 240000, 12000, 6000000, 1, 4000},
		{"10 kbit/s of packets above the burst", 10000, 12000, 524280, 100000000, 1, 100000},
	};

	for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
		struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
		struct limit_rate rate = rate_of(rows[r].per_s, rows[r].burst);
		uint64_t begin_ns = 5 * WRAP_NS - rows[r].every_ns * (rows[r].times / 3);
		double passed = 0, expected, seconds = (double)rows[r].every_ns * rows[r].times / 1e9;

		for (unsigned i = 0; i < rows[r].times; i++) {
			for (unsigned k = 0; k < rows[r].at_once; k++) {
				if (limit_take(t, key_of(r), &rate, rows[r].cost, begin_ns + i * rows[r].every_ns) ==
				    LIMIT_OK)
					passed += rows[r].cost;
			}
		}
		expected = seconds * (double)rows[r].per_s + (double)rows[r].burst;
		cr_expect_float_eq(passed, expected, expected / 100 + rows[r].cost, "%s: %.0f of %.0f", rows[r].name,
				   passed, expected);
		limit_table_free(t);
	}
}

Test(limit, fills_up_again_while_nothing_comes_and_not_above_the_burst)
{
	static const struct {
		uint64_t pause_ns;
		unsigned passed;
	} rows[] = {
		{0, 0},
		{9999999, 0},
		{10000000, 1},
		{105000000, 10},
		{5 * SECOND_NS, 50},
		{60 * SECOND_NS, 50},
		{3 * WRAP_NS / 2, 50},
	};
	struct limit_rate rate = rate_of(100, 50);

	for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
		for (unsigned lap = 0; lap < 2; lap++) {
			struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
			uint64_t begin_ns = lap ? WRAP_NS - 5 : 12345;

			cr_expect_eq(take_n(t, 7, &rate, 100, begin_ns), 50);
			cr_expect_eq(take_n(t, 7, &rate, 100, begin_ns + rows[r].pause_ns), rows[r].passed, "row %u",
				     r);
			limit_table_free(t);
		}
	}
}

Test(limit, gives_a_short_burst_a_millisecond)
{
	struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
	struct limit_rate rate = rate_of(1000000, 1);

	cr_expect_eq(take_n(t, 7, &rate, 5000, 1), 1000);
	limit_table_free(t);
}

Test(limit, refuses_rates_and_bursts_out_of_range)
{
	static const struct {
		uint64_t per_s, burst;
		int result;
	} rows[] = {
		{0, 1, -EINVAL},
		{1, 0, -EINVAL},
		{1, 60, 0},
		{1, 61, -ERANGE},
		{1000, 60001, -ERANGE},
		{UINT64_C(1000000000000), UINT64_C(60000000000000), 0},
		{UINT64_C(1000000000001), 1, -ERANGE},
		{UINT64_MAX, UINT64_MAX, -ERANGE},
		{1, UINT64_MAX, -ERANGE},
	};

	for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
		struct limit_rate rate = {.charge = 99};

		cr_expect_eq(limit_rate_init(&rate, rows[r].per_s, rows[r].burst), rows[r].result, "row %u", r);
		cr_expect_eq(rate.charge == 99, rows[r].result != 0, "row %u", r);
	}
}

Test(limit, charges_nothing_for_what_is_over)
{
	struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
	struct limit_rate rate = rate_of(1000, 1000);

	cr_expect_eq(limit_take(t, 7, &rate, 600, 1), LIMIT_OK);
	cr_expect_eq(limit_take(t, 7, &rate, 500, 1), LIMIT_OVER);
	cr_expect_eq(limit_take(t, 7, &rate, UINT32_MAX, 1), LIMIT_OVER);
	cr_expect_eq(limit_take(t, 7, &rate, 400, 1), LIMIT_OK);
	cr_expect_eq(limit_take(t, 7, &rate, 1, 1), LIMIT_OVER);
	limit_table_free(t);
}

Test(limit, says_when_a_set_is_full_and_takes_only_places_of_full_buckets)
{
	struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
	struct limit_rate rate = rate_of(1, 10);
	uint64_t now_ns = WRAP_NS - SECOND_NS;

	for (unsigned n = 0; n < LIMIT_WAYS; n++)
		cr_expect_eq(limit_take(t, key_in_set(t, 5, n), &rate, n == 3 ? 1 : 10, now_ns), LIMIT_OK);
	cr_expect_eq(limit_take(t, key_in_set(t, 5, 8), &rate, 1, now_ns + SECOND_NS - 1), LIMIT_FULL);
	cr_expect_eq(limit_take(t, key_in_set(t, 6, 8), &rate, 1, now_ns), LIMIT_OK);
	cr_expect_eq(limit_take(t, key_in_set(t, 5, 8), &rate, 10, now_ns + SECOND_NS), LIMIT_OK);
	/* It took the place of the one that owed nothing any more; the others still owe. */
	for (unsigned n = 0; n < LIMIT_WAYS; n++)
		cr_expect_eq(limit_take(t, key_in_set(t, 5, n), &rate, 10, now_ns + SECOND_NS + 1),
			     n == 3 ? LIMIT_FULL : LIMIT_OVER, "%u", n);
	limit_table_free(t);
}

Test(limit, sweeps_out_full_buckets_before_their_time_is_ambiguous)
{
	struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
	struct limit_rate rate = rate_of(1, 60);
	uint64_t now_ns = 77;

	cr_expect_eq(limit_sets(t), 1U << LIMIT_BITS_MIN);
	take_n(t, key_in_set(t, 0, 1), &rate, 60, now_ns);
	take_n(t, key_in_set(t, 63, 1), &rate, 20, now_ns);
	take_n(t, key_in_set(t, 63, 2), &rate, 60, now_ns);
	cr_expect_eq(limit_sweep(t, 0, UINT32_MAX, now_ns + 19 * SECOND_NS), 3);
	cr_expect_eq(limit_sweep(t, 0, 63, now_ns + 20 * SECOND_NS), 1);
	cr_expect_eq(limit_sweep(t, 63, 1, now_ns + 20 * SECOND_NS), 1);
	cr_expect_eq(limit_sweep(t, 64, 1, now_ns), 0);
	for (unsigned s = LIMIT_SWEEP_S; s <= 120; s += LIMIT_SWEEP_S)
		limit_sweep(t, 0, UINT32_MAX, now_ns + s * SECOND_NS);
	/* Unswept, they would owe again what they owed one wrap ago. */
	cr_expect_eq(take_n(t, key_in_set(t, 0, 1), &rate, 60, now_ns + WRAP_NS), 60);
	cr_expect_eq(take_n(t, key_in_set(t, 63, 1), &rate, 60, now_ns + WRAP_NS), 60);
	limit_table_free(t);
}

/* Every 500 us of time two clients send a packet and a thousand new sources one each, in a table of 8,192 places. */
Test(limit, lets_a_million_rotating_sources_neither_evict_nor_slow_a_client)
{
	enum { ROUNDS = 1000, NEW = 1000, FAST = 1000000000, SLOW };
	struct limit_table *t = limit_table_new(10, SOCKET_ID_ANY);
	struct limit_rate limit = rate_of(1000, 100), low = rate_of(2500, 100), flood = rate_of(1, 10);
	unsigned results[2][3] = {0}, full = 0, late[3] = {0};

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t now_ns = WRAP_NS - 250000000 + i * UINT64_C(500000);

		results[0][limit_take(t, key_of(FAST), &limit, 1, now_ns)]++;
		results[1][limit_take(t, key_of(SLOW), &low, 1, now_ns)]++;
		for (uint32_t n = 0; n < NEW; n++)
			full += limit_take(t, key_of(i * NEW + n), &flood, 1, now_ns) == LIMIT_FULL;
		late[limit_take(t, key_of(2000000000 + i), &limit, 1, now_ns)]++;
	}
	cr_expect_gt(full, ROUNDS * NEW / 2, "the table was never full: %u", full);
	/* Twice its limit: the burst, half a second's rate, and not once lost from the table. */
	cr_expect_float_eq((double)results[0][LIMIT_OK], 600.0, 6.0, "%u", results[0][LIMIT_OK]);
	cr_expect_eq(results[0][LIMIT_FULL], 0);
	/* Below its limit, and new ones: whether there is a place for them or not, none is over. */
	cr_expect_eq(results[1][LIMIT_OVER], 0);
	cr_expect_eq(late[LIMIT_OVER], 0);
	limit_table_free(t);
}

static uint64_t
key_of_text(uint32_t scope, const char *hex, unsigned prefix_length)
{
	uint8_t octets[16];
	unsigned n = (unsigned)strlen(hex) / 2;

	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(sscanf(hex + (size_t)2 * i, "%2hhx", &octets[i]), 1);
	return n == 4 ? limit_key_v4(SEED, scope, octets, prefix_length)
		      : limit_key_v6(SEED, scope, octets, prefix_length);
}

#define V6 "fd770000000100022345678900000001"

Test(limit, knows_sources_by_service_kind_and_prefix)
{
	static const struct {
		const char *name;
		uint16_t services[2];
		enum limit_kind kinds[2];
		const char *sources[2];
		unsigned lengths[2];
		bool same;
	} rows[] = {
		{"itself", {1, 1}, {0, 0}, {"0a4d0009", "0a4d0009"}, {32, 32}, true},
		{"another address", {1, 1}, {0, 0}, {"0a4d0009", "0a4d0008"}, {32, 32}, false},
		{"another service", {1, 2}, {0, 0}, {"0a4d0009", "0a4d0009"}, {32, 32}, false},
		{"another kind", {1, 1}, {LIMIT_PACKETS, LIMIT_BITS}, {"0a4d0009", "0a4d0009"}, {32, 32}, false},
		{"service is not kind", {1, 0}, {0, 1}, {"0a4d0009", "0a4d0009"}, {32, 32}, false},
		{"one /24", {1, 1}, {0, 0}, {"0a4d0009", "0a4d00ff"}, {24, 24}, true},
		{"another /24", {1, 1}, {0, 0}, {"0a4d0009", "0a4d0109"}, {24, 24}, false},
		{"/24 and its first address", {1, 1}, {0, 0}, {"0a4d0000", "0a4d0000"}, {24, 32}, false},
		{"one /31", {1, 1}, {0, 0}, {"0a4d0008", "0a4d0009"}, {31, 31}, true},
		{"all of IPv4", {1, 1}, {0, 0}, {"0a4d0009", "ffffffff"}, {0, 0}, true},
		{"IPv6 itself", {1, 1}, {0, 0}, {V6, V6}, {128, 128}, true},
		{"last bit", {1, 1}, {0, 0}, {V6, "fd770000000100022345678900000000"}, {128, 128}, false},
		{"one /127", {1, 1}, {0, 0}, {V6, "fd770000000100022345678900000000"}, {127, 127}, true},
		{"one /64", {1, 1}, {0, 0}, {V6, "fd770000000100020000000000000001"}, {64, 64}, true},
		{"another /64", {1, 1}, {0, 0}, {V6, "fd770000000100032345678900000001"}, {64, 64}, false},
		{"above /64", {1, 1}, {0, 0}, {V6, "fd770000000100022345678900000001"}, {96, 96}, true},
		{"another /65", {1, 1}, {0, 0}, {V6, "fd77000000010002a345678900000001"}, {65, 65}, false},
		{"one /48", {1, 1}, {0, 0}, {V6, "fd77000000010003ffff678900000001"}, {48, 48}, true},
		{"another /48", {1, 1}, {0, 0}, {V6, "fd770000000000022345678900000001"}, {48, 48}, false},
		{"/48 and /64",
		 {1, 1},
		 {0, 0},
		 {"fd770000000100000000000000000000", "fd770000000100000000000000000000"},
		 {48, 64},
		 false},
		{"all of IPv6", {1, 1}, {0, 0}, {V6, "00000000000000000000000000000000"}, {0, 0}, true},
		{"all of IPv6 and its first address",
		 {1, 1},
		 {0, 0},
		 {"00000000000000000000000000000000", "00000000000000000000000000000000"},
		 {0, 128},
		 false},
		{"all of IPv4 and of IPv6", {1, 1}, {0, 0}, {V6, "00000000"}, {0, 0}, false},
	};

	for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
		struct limit_table *t = limit_table_new(0, SOCKET_ID_ANY);
		struct limit_rate rate = rate_of(1000, 20);
		uint64_t keys[2];

		for (unsigned i = 0; i < 2; i++)
			keys[i] = key_of_text(limit_scope(rows[r].services[i], rows[r].kinds[i]), rows[r].sources[i],
					      rows[r].lengths[i]);
		cr_expect_eq(keys[0] == keys[1], rows[r].same, "%s", rows[r].name);
		cr_expect_eq(take_n(t, keys[0], &rate, 30, 1), 20);
		cr_expect_eq(take_n(t, keys[1], &rate, 30, 1), rows[r].same ? 0 : 20, "%s", rows[r].name);
		limit_table_free(t);
	}
}

/* By the sets' number and by the tag. */
Test(limit, spreads_neighbouring_sources_evenly)
{
	enum { SETS = 1024, SOURCES = 64 * SETS };
	static const unsigned lengths[] = {24, 32, 48, 64, 128};

	for (unsigned r = 0; r < ARRAY_LEN(lengths); r++) {
		unsigned counts[SETS] = {0}, tags[SETS] = {0};
		double chi[2] = {0};

		for (unsigned n = 0; n < SOURCES; n++) {
			uint8_t octets[16] = {0};
			be32 be = htobe32(n);
			bool is_v6 = lengths[r] > 32;
			unsigned end = lengths[r] / 8;
			uint64_t key;

			memcpy(octets + end - (end < 4 ? 3 : 4), (uint8_t *)&be + (end < 4 ? 1 : 0), end < 4 ? 3 : 4);
			key = is_v6 ? limit_key_v6(SEED, 1, octets, lengths[r])
				    : limit_key_v4(SEED, 1, octets, lengths[r]);
			counts[key >> 54]++;
			tags[limit_tag(key) % SETS]++;
		}
		for (unsigned s = 0; s < SETS; s++) {
			chi[0] += (counts[s] - 64.0) * (counts[s] - 64.0) / 64;
			chi[1] += (tags[s] - 64.0) * (tags[s] - 64.0) / 64;
		}
		/* Mean 1023, standard deviation 45. */
		cr_expect_lt(chi[0], 1250, "/%u: %.0f", lengths[r], chi[0]);
		cr_expect_lt(chi[1], 1250, "/%u: %.0f", lengths[r], chi[1]);
	}
}

enum { THREADS_MAX = 4, TAKES = 400000, STEP_NS = 250, SOURCES = 20000 };

struct crowd {
	struct limit_table *table;
	struct limit_rate rate;
	unsigned threads;
	pthread_barrier_t start;
	_Atomic uint64_t now_ns;
	_Atomic unsigned passed;
};

/* Together four offers a microsecond of time, which goes on with each. */
static void *
share_one_source(void *context)
{
	struct crowd *c = context;
	unsigned passed = 0;

	pthread_barrier_wait(&c->start);
	for (unsigned i = 0; i < TAKES / c->threads; i++) {
		uint64_t now_ns = atomic_fetch_add_explicit(&c->now_ns, STEP_NS, memory_order_relaxed);

		passed += limit_take(c->table, 7, &c->rate, 1, now_ns) == LIMIT_OK;
	}
	atomic_fetch_add(&c->passed, passed);
	return NULL;
}

/* The time stands still. */
static void *
share_new_sources(void *context)
{
	struct crowd *c = context;
	unsigned passed = 0;

	pthread_barrier_wait(&c->start);
	for (uint32_t n = 0; n < SOURCES; n++)
		passed += take_n(c->table, key_of(n), &c->rate, 8, 1);
	atomic_fetch_add(&c->passed, passed);
	return NULL;
}

static unsigned
crowd_run(struct crowd *c, void *(*body)(void *))
{
	pthread_t threads[THREADS_MAX];

	c->table = limit_table_new(14, SOCKET_ID_ANY);
	c->now_ns = WRAP_NS - SECOND_NS / 20;
	cr_assert_eq(pthread_barrier_init(&c->start, NULL, c->threads), 0);
	for (unsigned i = 0; i < c->threads; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, body, c), 0);
	for (unsigned i = 0; i < c->threads; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&c->start);
	limit_table_free(c->table);
	return c->passed;
}

Test(limit, holds_for_all_threads_that_share_a_source)
{
	for (unsigned threads = 2; threads <= THREADS_MAX; threads += 2) {
		struct crowd c = {.rate = rate_of(1000000, 1000), .threads = threads};
		double expected = TAKES * STEP_NS / 1000.0 + 1000, passed = crowd_run(&c, share_one_source);

		cr_expect_float_eq(passed, expected, expected / 10, "%u threads: %.0f of %.0f", threads, passed,
				   expected);
	}
}

Test(limit, counts_every_new_source_once_whoever_meets_it_first)
{
	for (unsigned threads = 2; threads <= THREADS_MAX; threads += 2) {
		struct crowd c = {.rate = rate_of(1000, 10), .threads = threads};

		cr_expect_eq(crowd_run(&c, share_new_sources), 10 * SOURCES, "%u threads: %u", threads, c.passed);
	}
}
