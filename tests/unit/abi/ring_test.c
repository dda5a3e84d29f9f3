/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ring.h"

enum { SIZE = 8 };

struct pair {
	struct ring_shared *shared;
	struct ring producer;
	struct ring consumer;
};

/* Both sides of one ring whose indices begin at `start`. */
static struct pair
pair_new(uint32_t start)
{
	struct pair p = {.shared = aligned_alloc(64, ring_bytes(SIZE))};

	cr_assert_not_null(p.shared);
	memset(p.shared, 0, ring_bytes(SIZE));
	atomic_store(&p.shared->head, start);
	atomic_store(&p.shared->tail, start);
	p.producer = p.consumer = ring_init(p.shared, SIZE);
	p.producer.own = p.producer.other = p.consumer.own = p.consumer.other = start;
	return p;
}

static bool
push(struct pair *p, uint64_t value)
{
	union abi_record record = {.ack = {.type = ABI_ACK, .generation = value}};

	return ring_push(&p->producer, &record);
}

/* What a record carried; 0: empty; UINT64_MAX: the ring is unusable. */
static uint64_t
pop(struct pair *p)
{
	union abi_record record;
	int got = ring_pop(&p->consumer, &record);

	return got < 0 ? UINT64_MAX : got == 0 ? 0 : record.ack.generation;
}

Test(ring, gives_back_what_was_put_in_in_order_over_the_wrap_of_its_indices)
{
	static const uint32_t starts[] = {0, 5, UINT32_MAX - 3, UINT32_MAX};

	for (unsigned i = 0; i < ARRAY_LEN(starts); i++) {
		struct pair p = pair_new(starts[i]);

		for (uint64_t round = 0; round < 5; round++) {
			for (uint64_t k = 1; k <= SIZE; k++)
				cr_assert(push(&p, round * SIZE + k));
			for (uint64_t k = 1; k <= SIZE; k++)
				cr_assert_eq(pop(&p), round * SIZE + k);
			cr_assert_eq(pop(&p), 0);
		}
		free(p.shared);
	}
}

Test(ring, refuses_a_record_when_it_is_full_until_one_is_taken)
{
	struct pair p = pair_new(UINT32_MAX - 2);
	uint32_t space = 99;

	for (uint64_t k = 1; k <= SIZE; k++)
		cr_assert(push(&p, k));
	cr_expect_not(push(&p, 100));
	cr_expect_eq(ring_space(&p.producer, &space), 0);
	cr_expect_eq(space, 0);
	cr_expect_eq(pop(&p), 1);
	cr_expect_eq(ring_space(&p.producer, &space), 0);
	cr_expect_eq(space, 1);
	cr_expect(push(&p, 9));
	cr_expect_not(push(&p, 10));
	for (uint64_t k = 2; k <= SIZE + 1; k++)
		cr_expect_eq(pop(&p), k);
	free(p.shared);
}

Test(ring, is_unusable_to_a_consumer_whose_producer_gives_an_impossible_index)
{
	static const struct {
		uint32_t head;
		bool is_possible;
	} rows[] = {{SIZE, true}, {SIZE + 1, false}, {UINT32_MAX, false}, {UINT32_C(1) << 31, false}};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p = pair_new(0);
		union abi_record record = {.type = 77};

		atomic_store(&p.shared->head, rows[i].head);
		cr_expect_eq(ring_pop(&p.consumer, &record), rows[i].is_possible ? 1 : -EBADMSG, "%u", rows[i].head);
		cr_expect_eq(record.type, rows[i].is_possible ? 0 : 77, "a failed pop leaves the record as it was");
		free(p.shared);
	}
}

Test(ring, is_unusable_to_a_producer_whose_consumer_gives_an_impossible_index)
{
	struct pair p = pair_new(0);
	uint32_t space = 99;

	for (uint64_t k = 1; k <= SIZE; k++)
		cr_assert(push(&p, k));
	atomic_store(&p.shared->tail, SIZE + 1);
	cr_expect_eq(ring_space(&p.producer, &space), -EBADMSG);
	cr_expect_eq(space, 99, "the output stays as it was");
	cr_expect_not(push(&p, 9));
	free(p.shared);
}

Test(ring, stays_within_its_records_whatever_the_other_side_writes)
{
	struct pair p = pair_new(0);
	uint32_t noise = 1;

	for (unsigned i = 0; i < 100000; i++) {
		union abi_record record;

		noise = noise * 1664525 + 1013904223;
		atomic_store(&p.shared->tail, noise);
		(void)push(&p, i);
		noise = noise * 1664525 + 1013904223;
		atomic_store(&p.shared->head, i % 2 ? noise : p.consumer.own + noise % (SIZE + 1));
		if (ring_pop(&p.consumer, &record) < 0)
			p.consumer.other = p.consumer.own;
	}
	free(p.shared);
}
