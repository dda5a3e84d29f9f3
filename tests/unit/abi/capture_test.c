/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of packets' copies: what goes in comes out, what finds no room is counted, and a hostile side is caught. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/capture.h"
#include "abi/layout.h"

enum { SIZE = 4 };

static struct capture_ring_shared *shared;
static struct capture_ring producer, consumer;
static struct abi_capture_slot out;

static void
setup(void)
{
	shared = aligned_alloc(64, capture_ring_bytes(SIZE));
	memset(shared, 0, capture_ring_bytes(SIZE));
	producer = capture_ring_init(shared, SIZE);
	consumer = capture_ring_init(shared, SIZE);
	memset(&out, 0xaa, sizeof(out));
}

static void
teardown(void)
{
	free(shared);
}

TestSuite(capture, .init = setup, .fini = teardown);

static bool
push(uint32_t token)
{
	struct abi_capture_slot *slot = capture_ring_claim(&producer);

	if (!slot)
		return false;
	*slot = (struct abi_capture_slot){.token = token, .len = 60, .held = 4, .verdict = VERDICT_FORWARDED,
					  .service = ABI_CAPTURE_NO_SERVICE, .octets = {1, 2, 3, (uint8_t)token}};
	capture_ring_push(&producer);
	return true;
}

Test(capture, gives_what_was_put_in_in_its_order_over_the_wrap)
{
	cr_expect_eq(capture_ring_pop(&consumer, &out), 0);
	for (uint32_t i = 0; i < 3 * SIZE; i++) {
		cr_assert(push(i));
		cr_assert_eq(capture_ring_pop(&consumer, &out), 1);
		cr_expect_eq(out.token, i);
		cr_expect_eq(out.octets[3], i);
		cr_expect_eq(out.octets[4], 0xaa, "only what the slot holds is copied");
	}
	cr_expect_eq(capture_ring_pop(&consumer, &out), 0);
}

Test(capture, loses_and_counts_what_finds_no_room_and_waits_for_nobody)
{
	for (uint32_t i = 0; i < SIZE + 3; i++)
		cr_expect_eq(push(i), i < SIZE);
	cr_expect_eq(capture_ring_lost(&consumer), 3);
	cr_assert_eq(capture_ring_pop(&consumer, &out), 1);
	cr_expect_eq(out.token, 0, "what was there stays");
	cr_expect(push(9));
	cr_expect_eq(capture_ring_lost(&consumer), 3);
}

Test(capture, a_consumer_that_lies_is_a_full_ring)
{
	for (uint32_t i = 0; i < SIZE; i++)
		cr_assert(push(i));
	atomic_store(&shared->tail, 1000);
	cr_expect_not(push(9));
	cr_expect_eq(capture_ring_lost(&consumer), 1);
}

Test(capture, refuses_an_impossible_index_or_slot)
{
	static const struct {
		const char *name;
		uint32_t head;
		struct abi_capture_slot slot;
	} rows[] = {
		{"head beyond the ring", SIZE + 1, {.len = 60, .held = 60, .verdict = VERDICT_FORWARDED}},
		{"head behind", UINT32_MAX, {.len = 60, .held = 60, .verdict = VERDICT_FORWARDED}},
		{"more than a slot holds", 1, {.len = 9000, .held = ABI_CAPTURE_SNAP_MAX + 1, .verdict = VERDICT_FORWARDED}},
		{"more than there was", 1, {.len = 59, .held = 60, .verdict = VERDICT_FORWARDED}},
		{"no verdict", 1, {.len = 60, .held = 60, .verdict = VERDICT_OPEN}},
		{"a verdict that there isn't", 1, {.len = 60, .held = 60, .verdict = VERDICT_COUNT}},
		{"port", 1, {.len = 60, .held = 60, .verdict = VERDICT_FORWARDED, .port = ABI_PORTS_MAX}},
		{"service", 1, {.len = 60, .held = 60, .verdict = VERDICT_FORWARDED, .service = ABI_SERVICES_MAX}},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		consumer = capture_ring_init(shared, SIZE);
		memcpy(&shared->slots[0], &rows[i].slot, sizeof(rows[i].slot));
		atomic_store(&shared->head, rows[i].head);
		cr_expect_eq(capture_ring_pop(&consumer, &out), -EBADMSG, "%s", rows[i].name);
	}
}
