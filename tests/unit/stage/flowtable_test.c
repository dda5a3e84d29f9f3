/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "dataplane/stage/flowtable.h"
#include "frames.h"

TestSuite(flowtable, .init = frames_init);

enum { IDLE_S = 100 };

static uint64_t
key_of(unsigned slot, unsigned flow)
{
	return flowtable_key((uint16_t)slot, 0x1000 + flow);
}

static void
record(struct flowtable *t, uint64_t key, uint16_t backend, uint32_t now_s)
{
	flowtable_insert(t, key, flowtable_word(key, backend, false, now_s), IDLE_S);
}

Test(flowtable, finds_what_it_recorded_until_it_is_idle)
{
	struct flowtable *t = flowtable_new(FLOWTABLE_BITS_DEFAULT, SOCKET_ID_ANY);
	static const struct {
		const char *name;
		uint32_t recorded_s, now_s;
		bool found;
	} rows[] = {
		{"at once", 5, 5, true},
		{"in time", 5, 105, true},
		{"late", 5, 106, false},
		{"over the wrap", 65530, 65540, true},
		{"late over the wrap", 65530, 65631, false},
		{"stamped by a faster clock", 20, 10, true},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t key = key_of(7, i);
		struct flowtable_entry entry;

		record(t, key, 16382, rows[i].recorded_s);
		entry = flowtable_lookup(t, key, rows[i].now_s, IDLE_S);
		cr_expect_eq(entry.at != NULL, rows[i].found, "%s", rows[i].name);
		if (entry.at)
			cr_expect_eq(flowtable_backend(entry.word), 16382);
	}
	cr_expect_null(flowtable_lookup(t, key_of(8, 0), 5, IDLE_S).at);
	flowtable_free(t);
}

Test(flowtable, gives_up_the_expired_then_the_oldest_unconfirmed_then_the_oldest)
{
	struct flowtable *t = flowtable_new(0, SOCKET_ID_ANY);

	cr_expect_eq(flowtable_buckets(t), 65536);
	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++)
		record(t, key_of(1, i), (uint16_t)i, 1000 + i);
	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++) {
		if (i != 3 && i != 5)
			flowtable_touch(flowtable_lookup(t, key_of(1, i), 1010, IDLE_S), 1010 + i, true);
	}
	/* 3 is the oldest unconfirmed, 5 the next; then 0 is the oldest of the confirmed. */
	static const unsigned order[] = {3, 5, 20, 21};

	for (unsigned n = 0; n < 2; n++) {
		uint64_t key = key_of(1, 20 + n);

		cr_expect(flowtable_insert(t, key, flowtable_word(key, 9, true, 1020), IDLE_S));
		cr_expect_null(flowtable_lookup(t, key_of(1, order[n]), 1020, IDLE_S).at);
		flowtable_touch(flowtable_lookup(t, key, 1020, IDLE_S), 1020 + n, true);
	}
	cr_expect(flowtable_insert(t, key_of(1, 30), flowtable_word(key_of(1, 30), 9, true, 1030), IDLE_S));
	cr_expect_null(flowtable_lookup(t, key_of(1, 0), 1030, IDLE_S).at);
	/* 1 was seen at 1011: expired at 1112, before the unconfirmed 30. */
	cr_expect_not(flowtable_insert(t, key_of(1, 31), flowtable_word(key_of(1, 31), 9, true, 1112), IDLE_S));
	cr_expect_not_null(flowtable_lookup(t, key_of(1, 30), 1112, IDLE_S).at);
	flowtable_free(t);
}

Test(flowtable, records_a_flow_once)
{
	struct flowtable *t = flowtable_new(0, SOCKET_ID_ANY);
	struct flowtable_sweep sweep = {.now_s = 1, .idle_s = IDLE_S};

	for (uint16_t backend = 0; backend < 20; backend++)
		record(t, key_of(1, 1), backend, 1);
	cr_expect_eq(flowtable_backend(flowtable_lookup(t, key_of(1, 1), 1, IDLE_S).word), 19);
	cr_expect_eq(flowtable_sweep(t, 0, UINT32_MAX, &sweep), 1);
	flowtable_free(t);
}

struct seen {
	unsigned n;
	uint16_t slot, backend;
};

static void
note(void *context, uint16_t slot, uint16_t backend)
{
	struct seen *seen = context;

	*seen = (struct seen){.n = seen->n + 1, .slot = slot, .backend = backend};
}

Test(flowtable, sweeps_out_the_expired_and_names_the_slots_of_the_rest)
{
	for (unsigned bits = FLOWTABLE_BITS_MIN; bits < FLOWTABLE_BITS_MIN + 3; bits++) {
		struct flowtable *t = flowtable_new(bits, SOCKET_ID_ANY);
		struct seen seen = {0};
		struct flowtable_sweep sweep = {.now_s = 200, .idle_s = IDLE_S, .visit = note, .context = &seen};

		record(t, key_of(65535, 1), 3, 50);
		record(t, flowtable_key(40000, UINT64_MAX), 4, 150);
		cr_expect_eq(flowtable_sweep(t, 0, flowtable_buckets(t) / 2, &sweep), 0);
		cr_expect_eq(flowtable_sweep(t, flowtable_buckets(t) / 2, UINT32_MAX, &sweep), 1);
		cr_expect_eq(seen.n, 1);
		cr_expect_eq(seen.slot, 40000);
		cr_expect_eq(seen.backend, 4);
		cr_expect_null(flowtable_lookup(t, key_of(65535, 1), 50, IDLE_S).at);
		flowtable_free(t);
	}
}
