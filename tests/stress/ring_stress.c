/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads, one ring, ThreadSanitizer: each record's octets are plain memory, so an index that is published too early
 * (or a place that is freed too early) is a data race, which it reports whether or not this machine shows it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ring.h"

enum { SIZE = 64, RECORDS = 500000 };

static void *
produce(void *shared)
{
	struct ring ring = ring_init(shared, SIZE);

	for (uint64_t i = 0; i < RECORDS; i++) {
		union abi_record record;

		memset(&record, (int)(i & 0xff), sizeof(record));
		record.ack.generation = i;
		while (!ring_push(&ring, &record))
			sched_yield();
	}
	return NULL;
}

static bool
is_record(const union abi_record *record, uint64_t i)
{
	union abi_record expected;

	memset(&expected, (int)(i & 0xff), sizeof(expected));
	expected.ack.generation = i;
	return memcmp(record, &expected, sizeof(expected)) == 0;
}

static int
consume(void *shared)
{
	struct ring ring = ring_init(shared, SIZE);
	union abi_record record;

	for (uint64_t i = 0; i < RECORDS;) {
		int got = ring_pop(&ring, &record);

		if (got == 0) {
			sched_yield();
			continue;
		}
		if (got < 0 || !is_record(&record, i)) {
			fprintf(stderr, "record %llu is wrong\n", (unsigned long long)i);
			return EXIT_FAILURE;
		}
		i++;
	}
	return EXIT_SUCCESS;
}

int
main(void)
{
	void *shared = aligned_alloc(64, ring_bytes(SIZE));
	pthread_t producer;
	int result;

	if (!shared)
		return EXIT_FAILURE;
	memset(shared, 0, ring_bytes(SIZE));
	if (pthread_create(&producer, NULL, produce, shared) != 0)
		return EXIT_FAILURE;
	result = consume(shared);
	if (result != EXIT_SUCCESS)
		_Exit(result);
	pthread_join(producer, NULL);
	free(shared);
	return result;
}
