/* SPDX-License-Identifier: BSD-2-Clause */
/* What Space-Saving promises, held against exact counts: in streams that are known, drawn, and made to hurt. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/flowhash.h"
#include "dataplane/sketch.h"

enum { KEYS = 200000 };

static struct sketch sketch;
static uint64_t truth[KEYS];
static uint64_t random_state;

static uint64_t
random64(void)
{
	return flowhash_mum(++random_state ^ FLOWHASH_K0, FLOWHASH_K1);
}

static void
setup(void)
{
	memset(&sketch, 0, sizeof(sketch));
	memset(truth, 0, sizeof(truth));
}

TestSuite(sketch, .init = setup);

static struct sketch_key
key_of(uint32_t n)
{
	struct sketch_key key = {0};

	memcpy(key.octets, &n, sizeof(n));
	return key;
}

static void
add(uint32_t n, uint64_t weight)
{
	struct sketch_key key = key_of(n);

	sketch_add(&sketch, &key, weight);
	truth[n] += weight;
}

static uint32_t
number_of(const struct sketch_counter *c)
{
	uint32_t n;

	memcpy(&n, c->key.octets, sizeof(n));
	return n;
}

/* The three promises of sketch.h; slack: what halving has rounded. */
static void
promises_hold(uint64_t slack, const char *stream)
{
	static bool has_counter[KEYS];
	uint64_t bound = sketch.total / SKETCH_COUNTERS + slack;

	memset(has_counter, 0, sizeof(has_counter));
	for (unsigned i = 0; i < SKETCH_COUNTERS; i++) {
		const struct sketch_counter *c = &sketch.counters[i];
		uint32_t n = number_of(c);

		if (!c->count)
			continue;
		cr_assert_not(has_counter[n], "%s: %u has two", stream, n);
		has_counter[n] = true;
		cr_expect_leq(truth[n], c->count + slack, "%s: %u", stream, n);
		cr_expect_leq(c->count, truth[n] + c->error + slack, "%s: %u", stream, n);
		cr_expect_leq(c->error, bound, "%s: %u", stream, n);
	}
	for (uint32_t n = 0; n < KEYS; n++)
		cr_expect(truth[n] <= bound || has_counter[n], "%s: %u weighs %llu of %llu and was lost", stream, n,
			  (unsigned long long)truth[n], (unsigned long long)sketch.total);
}

Test(sketch, counts_exactly_while_there_are_counters)
{
	const struct sketch_counter *top[3];

	for (uint32_t n = 0; n < SKETCH_COUNTERS; n++) {
		add(n, 10);
		add(n, n);
	}
	cr_assert_eq(sketch_top(&sketch, top, 3), 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(number_of(top[i]), SKETCH_COUNTERS - 1 - i);
		cr_expect_eq(top[i]->count, truth[SKETCH_COUNTERS - 1 - i]);
		cr_expect_eq(top[i]->error, 0);
	}
	cr_expect_eq(sketch.total, SKETCH_COUNTERS * 10 + SKETCH_COUNTERS * (SKETCH_COUNTERS - 1) / 2);
}

Test(sketch, gives_what_there_is)
{
	const struct sketch_counter *top[5];

	cr_expect_eq(sketch_top(&sketch, top, 5), 0);
	add(7, 1);
	add(9, 2);
	cr_assert_eq(sketch_top(&sketch, top, 5), 2);
	cr_expect_eq(number_of(top[0]), 9);
	cr_expect_eq(number_of(top[1]), 7);
}

/* Keys by Zipf's law, roughly; equally frequent ones; weights of all sizes. */
Test(sketch, keeps_its_promises_in_drawn_streams)
{
	static const struct {
		const char *name;
		uint32_t keys;
		unsigned skew; /* how many dice the least is taken of */
		unsigned weight_bits;
	} rows[] = {
		{"few keys", 50, 1, 0},		 {"skewed", 5000, 4, 0},
		{"very skewed", KEYS, 30, 0},	 {"even", 1000, 1, 0},
		{"even and many", KEYS, 1, 0},	 {"weighted", 5000, 4, 12},
		{"weighted, many", KEYS, 2, 16},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		setup();
		random_state = i;
		for (unsigned k = 0; k < 200000; k++) {
			uint32_t n = UINT32_MAX;

			for (unsigned d = 0; d < rows[i].skew; d++) {
				uint32_t dice = (uint32_t)(random64() % rows[i].keys);

				n = dice < n ? dice : n;
			}
			add(n, UINT64_C(1) << (rows[i].weight_bits ? random64() % rows[i].weight_bits : 0));
		}
		promises_hold(0, rows[i].name);
	}
}

/* One sends a little more than its share of a counter; the others never send twice, and know when it sends. */
Test(sketch, is_not_made_to_forget_by_who_rotates)
{
	static const struct {
		const char *name;
		unsigned first, between; /* others before it begins, and after each of its packets */
	} rows[] = {
		{"spread", 0, SKETCH_COUNTERS - 2},
		{"late", 20000, 10},
		{"bursts", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t other = 1;
		bool is_there = false;

		setup();
		while (other <= rows[i].first)
			add(other++, 1);
		for (unsigned k = 0; k < 1000; k++) {
			add(0, 1);
			for (unsigned n = 0; n < rows[i].between; n++)
				add(other++, 1);
		}
		while (rows[i].between == 0 && other < 1000 * (SKETCH_COUNTERS - 1))
			add(other++, 1);
		cr_assert_gt(truth[0] * SKETCH_COUNTERS, sketch.total, "%s", rows[i].name);
		for (unsigned k = 0; k < SKETCH_COUNTERS; k++)
			is_there = is_there || (number_of(&sketch.counters[k]) == 0 && sketch.counters[k].count);
		cr_expect(is_there, "%s", rows[i].name);
		promises_hold(0, rows[i].name);
	}
}

Test(sketch, forgets_by_halves)
{
	for (uint32_t n = 0; n < 10000; n++)
		add((uint32_t)(random64() % 300), 64);
	sketch_halve(&sketch);
	for (uint32_t n = 0; n < KEYS; n++)
		truth[n] /= 2;
	promises_hold(1, "halved");
	for (uint32_t n = 0; n < 20000; n++)
		add(500, 64);
	for (unsigned i = 0; i < 40; i++)
		sketch_halve(&sketch);
	cr_expect_eq(sketch.total, 0);
	for (unsigned i = 0; i < SKETCH_COUNTERS; i++)
		cr_expect_eq(sketch.counters[i].count, 0);
}

Test(sketch, tells_keys_apart_by_every_octet)
{
	const struct sketch_counter *top[SKETCH_KEY + 1];

	for (unsigned i = 0; i < SKETCH_KEY; i++) {
		struct sketch_key key = {0};

		key.octets[i] = 1;
		sketch_add(&sketch, &key, 1);
		sketch_add(&sketch, &key, 1);
	}
	cr_expect_eq(sketch_top(&sketch, top, SKETCH_KEY + 1), SKETCH_KEY);
}
