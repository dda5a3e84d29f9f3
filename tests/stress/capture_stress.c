/* SPDX-License-Identifier: BSD-2-Clause */
/* As ring_stress.c, of the ring of packets' copies: a producer that never waits, so what it lost is not expected. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/capture.h"
#include "abi/counters.h"

enum { SIZE = 16, COPIES = 100000, HELD = 512 };

static void *
produce(void *shared)
{
	struct capture_ring ring = capture_ring_init(shared, SIZE);

	for (uint64_t i = 0; i < COPIES;) {
		struct abi_capture_slot *slot = capture_ring_claim(&ring);

		if (!slot) {
			sched_yield();
			continue;
		}
		memset(slot->octets, (int)(i & 0xff), HELD);
		slot->time_ns = i;
		slot->len = slot->held = HELD;
		slot->verdict = VERDICT_FORWARDED;
		capture_ring_push(&ring);
		i++;
	}
	return NULL;
}

static int
consume(void *shared)
{
	struct capture_ring ring = capture_ring_init(shared, SIZE);
	static struct abi_capture_slot slot;
	uint8_t expected[HELD];

	for (uint64_t i = 0; i < COPIES;) {
		int got = capture_ring_pop(&ring, &slot);

		if (got == 0) {
			sched_yield();
			continue;
		}
		memset(expected, (int)(i & 0xff), HELD);
		if (got < 0 || slot.time_ns != i || memcmp(slot.octets, expected, HELD) != 0) {
			fprintf(stderr, "copy %llu is wrong\n", (unsigned long long)i);
			return EXIT_FAILURE;
		}
		i++;
	}
	return EXIT_SUCCESS;
}

int
main(void)
{
	void *shared = aligned_alloc(64, capture_ring_bytes(SIZE));
	pthread_t producer;
	int result;

	if (!shared)
		return EXIT_FAILURE;
	memset(shared, 0, capture_ring_bytes(SIZE));
	if (pthread_create(&producer, NULL, produce, shared) != 0)
		return EXIT_FAILURE;
	result = consume(shared);
	if (result != EXIT_SUCCESS)
		_Exit(result);
	pthread_join(producer, NULL);
	free(shared);
	return result;
}
