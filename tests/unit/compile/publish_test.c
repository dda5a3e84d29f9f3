/* SPDX-License-Identifier: BSD-2-Clause */
/* publish against a dataplane made of abi/ alone, in the same event loop. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "controlplane/publish.h"

enum { RECORDS_MAX = 40000 };

static struct {
	struct event_base *base;
	struct publish *publish;
	char directory[32];
	char path[64];
	int listener;
	int peer;
	struct region_rings rings;
	struct region_counters counters;
	struct region_captures captures;
	uint64_t generation;
	union abi_record records[RECORDS_MAX]; /* of the last transaction */
	unsigned n;
	unsigned n_connected, n_served, n_rejected, n_lost;
	uint64_t served_generation;
} t;

static uint64_t shift_ns;

/* In place of base's: time can jump. */
uint64_t
clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec + shift_ns;
}

static void
on_connected(void *context)
{
	(void)context;
	t.n_connected++;
}

static void
on_served(void *context, uint64_t generation, const struct compiled *image)
{
	(void)context;
	cr_expect_not_null(image);
	t.n_served++;
	t.served_generation = generation;
}

static void
on_rejected(void *context, const struct abi_nak *nak)
{
	(void)context;
	cr_expect_str_eq(nak->text, "no");
	t.n_rejected++;
}

static void
on_lost(void *context)
{
	(void)context;
	t.n_lost++;
}

static void
on_port_changed(void *context)
{
	(void)context;
}

static void
on_settled(void *context, uint64_t generation)
{
	(void)context;
	(void)generation;
}

static const struct publish_events events = {.connected = on_connected,
					     .served = on_served,
					     .rejected = on_rejected,
					     .lost = on_lost,
					     .port_changed = on_port_changed,
					     .settled = on_settled};

/* One pool of the given owner for each of n pools, and one backend. */
static struct compiled *
image_new(unsigned n_pools, uint16_t owner)
{
	struct compiled *image = calloc(1, sizeof(*image));

	image->n_pools = n_pools;
	image->n_backends = 1;
	image->pools = calloc(n_pools, sizeof(*image->pools));
	image->backends = calloc(1, sizeof(*image->backends));
	image->slots = malloc(n_pools * ABI_SLOTS * sizeof(*image->slots));
	for (unsigned i = 0; i < n_pools; i++)
		image->pools[i].pool = (struct abi_pool){.type = ABI_POOL, .index = (uint16_t)i, .key = i + 1};
	image->backends[0].backend = (struct abi_backend){.type = ABI_BACKEND, .key = 1};
	for (unsigned i = 0; i < n_pools * ABI_SLOTS; i++)
		image->slots[i] = owner;
	return image;
}

static void
setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(t.directory, "/tmp/publish-XXXXXX");
	cr_assert_not_null(mkdtemp(t.directory));
	snprintf(t.path, sizeof(t.path), "%s/socket", t.directory);
	strcpy(address.sun_path, t.path);
	t.listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	t.peer = -1;
	t.generation = 41;
	cr_assert_eq(bind(t.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(t.listener, 4), 0);
	t.base = event_base_new();
	cr_assert_eq(publish_new(t.base, t.path, &events, NULL, &t.publish), 0);
}

static void
hang_up(void)
{
	region_rings_free(&t.rings);
	region_counters_free(&t.counters);
	region_captures_free(&t.captures);
	close(t.peer);
	t.peer = -1;
}

static void
teardown(void)
{
	publish_free(t.publish);
	if (t.peer >= 0)
		hang_up();
	close(t.listener);
	unlink(t.path);
	rmdir(t.directory);
	event_base_free(t.base);
}

TestSuite(publish, .init = setup, .fini = teardown, .timeout = 20);

static void
turn(void)
{
	event_base_loop(t.base, EVLOOP_NONBLOCK);
}

/* Takes publish's connection: the dataplane's side of the hand-over. */
static void
welcome(void)
{
	struct abi_hello hello;
	struct abi_welcome answer = {.magic = ABI_MAGIC, .version = ABI_VERSION, .generation = t.generation};
	unsigned before = t.n_connected;
	int fds[ABI_WELCOME_FDS];
	struct timeval patience = {.tv_sec = 5};

	setsockopt(t.listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	event_base_loop(t.base, EVLOOP_ONCE); /* the timer of the reconnection */
	t.peer = accept(t.listener, NULL, NULL);
	cr_assert_geq(t.peer, 0);
	cr_assert_eq(region_recv_hello(t.peer, &hello), 0);
	cr_assert_eq(region_rings_new(&t.rings), 0);
	cr_assert_eq(region_counters_new(&t.counters, 1), 0);
	cr_assert_eq(region_captures_new(&t.captures, 1), 0);
	fds[0] = t.rings.memfd;
	fds[1] = t.counters.memfd;
	fds[2] = t.captures.memfd;
	fds[3] = t.rings.command_event;
	fds[4] = t.rings.reply_event;
	cr_assert_eq(region_send_welcome(t.peer, &answer, fds), 0);
	while (t.n_connected == before)
		turn();
}

static void
wake(void)
{
	const uint64_t one = 1;

	cr_assert_eq(write(t.rings.reply_event, &one, sizeof(one)), sizeof(one));
	turn();
}

/* Takes commands up to COMMIT, and checks its count and sum. False: the ring ran empty before it. */
static bool
take(void)
{
	union abi_record record;

	while (ring_pop(&t.rings.commands, &record) == 1) {
		cr_assert_lt(t.n, RECORDS_MAX);
		if (record.type == ABI_BEGIN)
			t.n = 0;
		t.records[t.n++] = record;
		if (record.type != ABI_COMMIT)
			continue;
		cr_expect_eq(record.commit.records, t.n - 2);
		cr_expect_eq(record.commit.crc, crc32c(0, &t.records[1], (t.n - 2) * sizeof(record)));
		cr_expect_eq(record.commit.generation, t.records[0].begin.generation);
		return true;
	}
	return false;
}

static void
receive(void)
{
	for (unsigned i = 0; i < 100; i++) {
		turn();
		if (take())
			return;
		wake();
	}
	cr_assert_fail("no COMMIT");
}

static void
ack(void)
{
	union abi_record reply = {.ack = {.type = ABI_ACK, .generation = t.records[0].begin.generation}};

	cr_assert(ring_push(&t.rings.replies, &reply));
	t.generation = reply.ack.generation;
	wake();
}

static void
nak(void)
{
	union abi_record reply = {.nak = {.type = ABI_NAK,
					  .reason = ABI_NAK_CRC,
					  .generation = t.records[0].begin.generation,
					  .text = "no"}};

	cr_assert(ring_push(&t.rings.replies, &reply));
	wake();
}

Test(publish, sends_all_at_first_and_then_what_differs)
{
	struct compiled *next = image_new(1, 0);

	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	cr_expect_eq(t.records[0].begin.generation, 42);
	cr_expect_eq(t.n, 2 + 2 + (ABI_SLOTS + ABI_SLOTS_PER_PART - 1) / ABI_SLOTS_PER_PART);
	cr_expect_eq(t.n_served, 0);
	ack();
	cr_expect_eq(t.served_generation, 42);

	next->slots[100] = 5;
	next->slots[103] = 6;
	next->backends[0].type = 0;
	publish_want(t.publish, next);
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_DELTA);
	cr_expect_eq(t.records[0].begin.base, 42);
	cr_expect_eq(t.records[0].begin.generation, 43);
	cr_assert_eq(t.n, 4);
	cr_expect_eq(t.records[1].remove.type, ABI_REMOVE);
	cr_expect_eq(t.records[1].remove.of, ABI_BACKEND);
	cr_expect_eq(t.records[2].slots.first, 100);
	cr_expect_eq(t.records[2].slots.count, 4);
	cr_expect_eq(t.records[2].slots.owner[3], 6);
	ack();
	cr_expect_eq(t.n_served, 2);
	cr_expect_eq(publish_generation(t.publish), 43);
}

Test(publish, waits_while_the_ring_is_full)
{
	publish_want(t.publish, image_new(10, 0));
	welcome();
	turn();
	cr_expect_not(take());
	cr_expect_eq(t.n, ABI_COMMANDS);
	receive();
	cr_expect_gt(t.n, ABI_COMMANDS);
	ack();
	cr_expect_eq(t.n_served, 1);
}

Test(publish, sends_only_the_newest_of_what_waits)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	publish_want(t.publish, image_new(1, 1));
	publish_want(t.publish, image_new(1, 2));
	turn();
	cr_expect_not(take(), "one transaction at a time");
	ack();
	receive();
	cr_expect_eq(t.records[2].slots.owner[0], 2);
	ack();
	cr_expect_eq(t.n_served, 2);
	cr_expect_eq(t.served_generation, 43);
}

Test(publish, says_at_once_that_an_equal_image_is_served)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	publish_want(t.publish, image_new(1, 0));
	turn();
	cr_expect_not(take());
	cr_expect_eq(t.n_served, 2);
	cr_expect_eq(t.served_generation, 42);
}

/* Time jumps, with the heart beating: the beat's next look is due within half a second. */
static void
jump(uint64_t seconds)
{
	shift_ns += seconds * CLOCK_NS_PER_S;
	atomic_store(&region_header(&t.counters)->heartbeat_ns, clock_now_ns());
	for (uint64_t end = clock_now_ns() + CLOCK_NS_PER_S; clock_now_ns() < end && t.n_lost == 0;)
		event_base_loop(t.base, EVLOOP_ONCE);
}

Test(publish, tries_a_refused_delta_as_a_whole_and_then_something_else)
{
	struct compiled *next = image_new(1, 0);

	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	next->slots[0] = 1;
	publish_want(t.publish, next);
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_DELTA);
	nak();
	cr_expect_eq(t.n_rejected, 0);
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	nak();
	cr_expect_eq(t.n_rejected, 1);
	turn();
	cr_expect_not(take());
	publish_want(t.publish, image_new(1, 3));
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	ack();
	cr_expect_eq(t.n_served, 2);
}

/* Memory, or room in the XDP map: it may be there later. Nothing is announced by tables that were refused. */
Test(publish, tries_what_was_refused_as_a_whole_again_later)
{
	publish_want(t.publish, image_new(1, 7));
	welcome();
	receive();
	nak();
	cr_expect_eq(t.n_rejected, 1);
	cr_expect_not(publish_is_current(t.publish));
	jump(5);
	cr_expect_not(take(), "not yet");
	jump(5);
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	cr_expect_eq(t.records[3].slots.owner[0], 7);
	cr_expect_eq(t.n_served, 0);
	ack();
	cr_expect_eq(t.n_served, 1);
	cr_expect(publish_is_current(t.publish));
}

Test(publish, tells_the_loss_and_sends_all_again_to_the_next_one)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	hang_up();
	turn();
	cr_expect_eq(t.n_lost, 1);
	cr_expect_null(publish_counters(t.publish));
	cr_expect_eq(publish_generation(t.publish), 0);
	t.generation = 0; /* a new dataplane */
	welcome();
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	cr_expect_gt(t.records[0].begin.generation, 42);
	ack();
	cr_expect_eq(t.n_served, 2);
}

Test(publish, hangs_up_on_an_acknowledgement_of_what_was_not_sent)
{
	union abi_record reply = {.ack = {.type = ABI_ACK, .generation = 99}};

	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	cr_assert(ring_push(&t.rings.replies, &reply));
	wake();
	cr_expect_eq(t.n_lost, 1);
	cr_expect_eq(t.n_served, 0);
}

Test(publish, takes_a_heart_that_stands_still_as_a_loss_until_it_beats_again)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	while (t.n_lost == 0)
		event_base_loop(t.base, EVLOOP_ONCE);
	cr_expect_not(publish_is_connected(t.publish));
	atomic_store(&region_header(&t.counters)->heartbeat_ns, clock_now_ns());
	while (t.n_served == 1)
		event_base_loop(t.base, EVLOOP_ONCE);
	cr_expect(publish_is_connected(t.publish));
	cr_expect_eq(t.served_generation, 42);
}

Test(publish, hangs_up_on_a_transaction_that_is_never_answered_and_sends_all_again)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	publish_want(t.publish, image_new(1, 3));
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_DELTA);
	jump(8);
	cr_expect_eq(t.n_lost, 0, "not yet");
	jump(2);
	cr_expect_eq(t.n_lost, 1);
	hang_up();
	welcome();
	receive();
	cr_expect_eq(t.records[0].begin.kind, ABI_FULL);
	cr_expect_eq(t.records[3].slots.owner[0], 3);
	ack();
	cr_expect_eq(t.n_served, 2);
}

/* It beats, but takes nothing off the ring. */
Test(publish, hangs_up_when_the_ring_stays_full)
{
	publish_want(t.publish, image_new(10, 0));
	welcome();
	turn();
	jump(11);
	cr_expect_eq(t.n_lost, 1);
}

Test(publish, waits_for_no_answer_while_nothing_is_in_flight)
{
	publish_want(t.publish, image_new(1, 0));
	welcome();
	receive();
	ack();
	jump(60);
	cr_expect_eq(t.n_lost, 0);
}
