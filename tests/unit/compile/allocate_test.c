/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/flowhash.h"
#include "controlplane/allocate.h"

enum { MEMBERS_MAX = 1000, SEED = 7 };

static uint16_t table[ABI_SLOTS], other[ABI_SLOTS];
static struct allocate_backend members[MEMBERS_MAX];

/* Weights go 1, 1 + step, 1 + 2 step ... up to top, and from 1 again. */
static void
members_make(unsigned n, unsigned step, unsigned top)
{
	for (unsigned i = 0; i < n; i++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "pool/s%u", i);

		members[i] = (struct allocate_backend){
			.key = flowhash_bytes(0, name, (size_t)len), .weight = 1 + i * step % top, .index = (uint16_t)(i + 5)};
	}
}

static void
fill(enum model_hash hash, unsigned n, uint16_t *owner)
{
	cr_assert_eq(allocate(hash, SEED, members, n, owner), 0);
}

static unsigned
count_of(const uint16_t *owner, uint16_t index)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_SLOTS; i++)
		n += owner[i] == index;
	return n;
}

/* Slots that changed though their owner stays. */
static unsigned
needless(const uint16_t *before, const uint16_t *after, uint16_t gone)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_SLOTS; i++)
		n += before[i] != gone && after[i] != before[i];
	return n;
}

static const struct {
	enum model_hash hash;
	unsigned n, step, top;
	uint32_t crc; /* over the table as little-endian octets */
} golden[] = {
	{MODEL_HASH_STABLE, 1, 0, 1, 0xa88a9d4a},
	{MODEL_HASH_STABLE, 3, 0, 1, 0xf52f0590},
	{MODEL_HASH_STABLE, 100, 0, 1, 0x5eb5c2bd},
	{MODEL_HASH_STABLE, 100, 1, 255, 0x6a485dca},
	{MODEL_HASH_STABLE, 1000, 37, 255, 0xb66dd9e7},
	{MODEL_HASH_MAGLEV, 1, 0, 1, 0xa88a9d4a},
	{MODEL_HASH_MAGLEV, 3, 0, 1, 0xe494efba},
	{MODEL_HASH_MAGLEV, 100, 0, 1, 0x85b52978},
	{MODEL_HASH_MAGLEV, 100, 1, 255, 0x76ed81ad},
	{MODEL_HASH_MAGLEV, 1000, 37, 255, 0x7eed294c},
};

Test(allocate, gives_the_same_table_on_every_machine)
{
	for (unsigned i = 0; i < ARRAY_LEN(golden); i++) {
		uint32_t crc;

		members_make(golden[i].n, golden[i].step, golden[i].top);
		fill(golden[i].hash, golden[i].n, table);
		for (unsigned j = 0; j < ABI_SLOTS; j++)
			table[j] = htole16(table[j]);
		crc = crc32c(0, table, sizeof(table));
		cr_expect_eq(crc, golden[i].crc, "row %u: %#x", i, crc);
	}
}

Test(allocate, does_not_depend_on_the_order_of_the_members)
{
	for (enum model_hash hash = MODEL_HASH_STABLE; hash <= MODEL_HASH_MAGLEV; hash++) {
		members_make(100, 1, 255);
		fill(hash, 100, table);
		for (unsigned i = 0; i < 50; i++) {
			struct allocate_backend swapped = members[i];

			members[i] = members[99 - i];
			members[99 - i] = swapped;
		}
		fill(hash, 100, other);
		cr_expect_arr_eq(table, other, sizeof(table));
	}
}

static const struct {
	enum model_hash hash;
	unsigned n, step, top;
	double most; /* of slots for weight over the mean */
} balance[] = {
	{MODEL_HASH_STABLE, 1, 0, 1, 1.0},	{MODEL_HASH_STABLE, 10, 0, 1, 1.002},
	{MODEL_HASH_STABLE, 100, 0, 1, 1.002},	{MODEL_HASH_STABLE, 100, 1, 4, 1.002},
	{MODEL_HASH_STABLE, 100, 1, 255, 1.02}, {MODEL_HASH_STABLE, 1000, 0, 1, 1.0072}, /* 66 slots of 65.536 */
	{MODEL_HASH_MAGLEV, 100, 0, 1, 1.002},	{MODEL_HASH_MAGLEV, 100, 1, 4, 1.01},
};

Test(allocate, shares_by_weight)
{
	for (unsigned row = 0; row < ARRAY_LEN(balance); row++) {
		unsigned weights = 0;

		members_make(balance[row].n, balance[row].step, balance[row].top);
		fill(balance[row].hash, balance[row].n, table);
		for (unsigned i = 0; i < balance[row].n; i++)
			weights += members[i].weight;
		for (unsigned i = 0; i < balance[row].n; i++) {
			double share = (double)count_of(table, members[i].index) * weights / members[i].weight;

			cr_expect_leq(share / ABI_SLOTS, balance[row].most, "row %u, member %u: %f", row, i,
				      share / ABI_SLOTS);
		}
	}
}

Test(allocate, moves_little_but_the_slots_of_the_one_that_goes)
{
	unsigned moved[2] = {0};

	members_make(100, 0, 1);
	for (enum model_hash hash = MODEL_HASH_STABLE; hash <= MODEL_HASH_MAGLEV; hash++) {
		fill(hash, 100, table);
		for (unsigned gone = 0; gone < 100; gone += 10) {
			members[gone].weight = 0;
			fill(hash, 100, other);
			members[gone].weight = 1;
			moved[hash] += needless(table, other, members[gone].index);
			cr_expect_eq(count_of(other, members[gone].index), 0);
		}
	}
	cr_expect_leq(moved[MODEL_HASH_STABLE] * 10, moved[MODEL_HASH_MAGLEV] * 6, "%u, Maglev %u", moved[0], moved[1]);
	cr_expect_leq(moved[MODEL_HASH_STABLE], 10 * ABI_SLOTS * 4 / 1000);
}

Test(allocate, takes_a_member_of_weight_zero_as_absent)
{
	for (enum model_hash hash = MODEL_HASH_STABLE; hash <= MODEL_HASH_MAGLEV; hash++) {
		members_make(4, 0, 1);
		members[3].weight = 0;
		fill(hash, 4, table);
		fill(hash, 3, other);
		cr_expect_arr_eq(table, other, sizeof(table));
	}
}

Test(allocate, owns_no_slot_when_nobody_has_weight)
{
	members_make(2, 0, 1);
	members[0].weight = members[1].weight = 0;
	fill(MODEL_HASH_STABLE, 2, table);
	cr_expect_eq(count_of(table, ABI_OWNER_NONE), ABI_SLOTS);
	fill(MODEL_HASH_MAGLEV, 0, table);
	cr_expect_eq(count_of(table, ABI_OWNER_NONE), ABI_SLOTS);
}

Test(allocate, refuses_a_weight_out_of_range)
{
	members_make(1, 0, 1);
	members[0].weight = MODEL_WEIGHT_MAX + 1;
	cr_expect_eq(allocate(MODEL_HASH_STABLE, SEED, members, 1, table), -EINVAL);
}

Test(allocate, moves_a_share_only_when_a_weight_changes)
{
	unsigned moved;

	members_make(100, 0, 1);
	for (unsigned i = 0; i < 100; i++)
		members[i].weight = 100;
	fill(MODEL_HASH_STABLE, 100, table);
	members[0].weight = 200;
	fill(MODEL_HASH_STABLE, 100, other);
	moved = needless(table, other, ABI_OWNER_NONE);
	/* 1/101 of the slots must move; the rest is what keeps the others even. */
	cr_expect_leq(moved, 2 * ABI_SLOTS / 101, "%u", moved);
}
