/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures from the control plane's records to the copies in the ring: which packets, which octets, and when it ends. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "controlplane/program.h"
#include "dataplane/captures.h"
#include "tests/unit/stage/frames.h"

enum { SERVICE = 7, OTHER = 8, WORKER = 1, WORKERS = 2, TOKEN = 5 };

#define KEY  UINT64_C(0x77)
#define SYN  ETH4 IP4("0028", "0000", "06") TCP("02")
#define UDP4 ETH4 IP4("0020", "0000", "11") UDP("000c") "61626364"

static struct region_counters counters = {.memfd = -1};
static struct region_captures consumer = {.memfd = -1};
static struct captures *captures;
static struct capture_state state;
static struct burst burst;
static struct abi_capture_slot slot;
static unsigned n_graces;

static void
grace(void *context)
{
	(void)context;
	n_graces++;
}

static void
setup(void)
{
	frames_init();
	cr_assert_eq(region_counters_new(&counters, WORKERS), 0);
	atomic_store(&region_services(&counters)[SERVICE].key, KEY);
	captures = captures_new(&(struct captures_config){
		.counters = &counters, .n_workers = WORKERS, .tsc_hz = rte_get_tsc_hz(), .grace = grace});
	cr_assert_not_null(captures);
	cr_assert_eq(captures_open(captures), 0);
	cr_assert_eq(region_captures_map(&consumer, dup(captures_region(captures)->memfd), WORKERS), 0);
	state = (struct capture_state){.handle = captures_handle(captures), .worker = WORKER};
}

static void
teardown(void)
{
	frames_clear(&burst);
	captures_free(captures);
	region_captures_free(&consumer);
	region_counters_free(&counters);
	cr_expect_eq(frames_in_use(), 0);
}

TestSuite(capture, .init = setup, .fini = teardown);

/* Everything that has an end, whole. */
static struct abi_capture
everything(void)
{
	struct abi_capture r = {.type = ABI_CAPTURE, .op = ABI_CAPTURE_START, .token = TOKEN, .nth = 1, .limit = 1000,
				.duration_s = 10, .snap = ABI_CAPTURE_SNAP_MAX};

	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++)
		r.verdicts[v / 64] |= v == VERDICT_HELD ? 0 : UINT64_C(1) << v % 64;
	return r;
}

static struct abi_capture
only(enum abi_verdict verdict)
{
	struct abi_capture r = everything();

	memset(r.verdicts, 0, sizeof(r.verdicts));
	r.verdicts[verdict / 64] = UINT64_C(1) << verdict % 64;
	return r;
}

/* The answer's error. */
static int
tell(const struct abi_capture *capture)
{
	union abi_record record = {.capture = *capture};
	struct abi_captured answer = {0};

	cr_assert(captures_record(captures, &record, &answer));
	cr_expect_eq(answer.type, ABI_CAPTURED);
	cr_expect_eq(answer.token, capture->token);
	return answer.error;
}

static void
parts_tell(const uint64_t *insns, unsigned n)
{
	for (unsigned i = 0; i * ABI_FILTER_PART_INSNS < n; i++) {
		union abi_record record = {.filter_part = {.type = ABI_CAPTURE_PART, .index = (uint16_t)i}};
		struct abi_captured answer;

		memcpy(record.filter_part.insns, insns + i * ABI_FILTER_PART_INSNS, sizeof(record.filter_part.insns));
		cr_expect_not(captures_record(captures, &record, &answer), "a part has no answer");
	}
}

/* One packet's way: in, written over by some stage, settled. */
static void
pass(const char *hex, unsigned piece, uint16_t service, enum abi_verdict verdict, uint64_t mark)
{
	struct capture *capture = capture_load(&state);
	struct packet *p;

	frames_clear(&burst);
	burst.now_tsc = rte_rdtsc();
	burst.has_marks = false;
	p = frames_add_mbuf(&burst, frames_mbuf_in_pieces(hex, piece));
	p->service = service;
	p->rx_port = 2;
	if (!capture)
		return;
	capture_keep(&state, capture, &burst);
	memset(p->frame, 0xee, RTE_MIN(p->mbuf->data_len, CAPTURE_HEAD));
	cr_assert_not_null(rte_pktmbuf_prepend(p->mbuf, 20));
	p->verdict = (uint8_t)verdict;
	if (verdict != VERDICT_FORWARDED && service != SERVICE_NONE)
		p->service |= SERVICE_SETTLED;
	if (mark)
		packet_mark(&burst, 0, mark);
	capture_copy(&state, capture, &burst);
}

static bool
got(void)
{
	int popped = capture_ring_pop(&consumer.rings[WORKER], &slot);

	cr_assert_geq(popped, 0);
	return popped == 1;
}

Test(capture, costs_a_packet_nothing_while_none_runs)
{
	cr_expect_null(capture_load(&state));
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_not(got());
}

Test(capture, says_what_became_of_a_packet_with_its_octets_as_they_came)
{
	struct abi_capture r = everything();
	struct rte_mbuf *as_it_came = frames_mbuf(SYN);
	struct timespec now;

	cr_assert_eq(tell(&r), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	pass(SYN, 4000, SERVICE, VERDICT_REFLECTOR, 99);
	cr_assert(got());
	cr_expect_eq(slot.token, TOKEN);
	cr_expect_eq(slot.service, SERVICE);
	cr_expect_eq(slot.port, 2);
	cr_expect_eq(slot.verdict, VERDICT_REFLECTOR);
	cr_expect_eq(slot.mark, 99);
	cr_expect_eq(slot.len, 54);
	cr_expect_eq(slot.held, 54);
	cr_expect_arr_eq(slot.octets, rte_pktmbuf_mtod(as_it_came, uint8_t *), 54);
	cr_expect_lt(llabs((long long)(slot.time_ns - (uint64_t)now.tv_sec * CLOCK_NS_PER_S - (uint64_t)now.tv_nsec)),
		     (long long)CLOCK_NS_PER_S);
	pass(UDP4, 4000, SERVICE_NONE, VERDICT_NO_SERVICE, 0);
	cr_assert(got());
	cr_expect_eq(slot.service, ABI_CAPTURE_NO_SERVICE);
	cr_expect_eq(slot.mark, 0);
	rte_pktmbuf_free(as_it_came);
}

/* A frame of 1,000 octets, whose headers a stage writes over, in one segment and in many. */
Test(capture, puts_a_long_packet_together_and_cuts_it_at_the_snap_length)
{
	static const struct {
		unsigned piece, snap, held;
		enum abi_verdict verdict;
	} rows[] = {
		{4000, ABI_CAPTURE_SNAP_MAX, 1000, VERDICT_FORWARDED}, {300, ABI_CAPTURE_SNAP_MAX, 1000, VERDICT_FORWARDED},
		{100, ABI_CAPTURE_SNAP_MAX, 1000, VERDICT_SIGNATURE},  {4000, 96, 96, VERDICT_FORWARDED},
		{300, 500, 500, VERDICT_FORWARDED},		       {4000, 257, 257, VERDICT_FORWARDED},
		{4000, ABI_CAPTURE_SNAP_MAX, CAPTURE_HEAD, VERDICT_CHALLENGED},
	};
	char hex[2001];

	for (unsigned i = 0; i < 1000; i++)
		snprintf(hex + 2 * i, 3, "%02x", i * 7 & 0xff);
	for (unsigned row = 0; row < ARRAY_LEN(rows); row++) {
		struct abi_capture r = everything();
		unsigned wrong = 0;

		r.snap = (uint16_t)rows[row].snap;
		cr_assert_eq(tell(&r), 0);
		pass(hex, rows[row].piece, SERVICE, rows[row].verdict, 0);
		cr_assert(got());
		cr_expect_eq(slot.len, 1000);
		cr_expect_eq(slot.held, rows[row].held, "row %u: %u", row, slot.held);
		for (unsigned i = 0; i < slot.held; i++)
			wrong += slot.octets[i] != (i * 7 & 0xff);
		cr_expect_eq(wrong, 0, "row %u", row);
	}
}

Test(capture, takes_only_what_is_asked_for)
{
	struct abi_capture r = only(VERDICT_REFLECTOR);

	r.service = KEY;
	cr_assert_eq(tell(&r), 0);
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	pass(SYN, 4000, SERVICE, VERDICT_SOURCE_LIMIT, 0);
	pass(SYN, 4000, OTHER, VERDICT_REFLECTOR, 0);
	pass(SYN, 4000, SERVICE_NONE, VERDICT_REFLECTOR, 0);
	pass(SYN, 4000, SERVICE, VERDICT_HELD, 0);
	frames_clear(&burst);
	rte_pktmbuf_free(burst.packets[0].mbuf); /* what is held is not the burst's */
	cr_expect_not(got());
	pass(SYN, 4000, SERVICE, VERDICT_REFLECTOR, 0);
	cr_expect(got());
	r = everything();
	r.only_marked = 1;
	cr_assert_eq(tell(&r), 0);
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_not(got());
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 3);
	cr_expect(got());
}

Test(capture, takes_what_the_expression_matches)
{
	struct program program;
	char fault[PROGRAM_FAULT_MAX];
	struct abi_capture r = everything();

	cr_assert_eq(program_compile("udp and src port 5000 and src net 10.77.0.0/16", &program, fault), 0);
	r.n_insns = program.n;
	cr_expect_eq(tell(&r), EINVAL, "its parts are missing");
	cr_expect_null(capture_load(&state));
	parts_tell(program.insns, program.n);
	cr_assert_eq(tell(&r), 0);
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_not(got());
	pass(UDP4, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect(got());
	program.insns[program.n - 1] = UINT64_MAX;
	parts_tell(program.insns, program.n);
	cr_expect_eq(tell(&r), EINVAL, "not a program");
	cr_expect_null(capture_load(&state));
}

Test(capture, takes_one_in_so_many_and_no_more_than_the_limit)
{
	struct abi_capture r = everything();
	unsigned n = 0;

	r.nth = 10;
	r.limit = 7;
	cr_assert_eq(tell(&r), 0);
	for (unsigned i = 0; i < 65; i++) {
		pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
		n += got();
	}
	cr_expect_eq(n, 7);
	pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_not(got());
	for (unsigned i = 0; i < 20; i++)
		pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_not(got());
	cr_expect_eq(capture_ring_lost(&consumer.rings[WORKER]), 0);
}

Test(capture, counts_as_lost_what_a_full_ring_has_no_room_for)
{
	struct abi_capture r = everything();
	unsigned n = 0;

	cr_assert_eq(tell(&r), 0);
	for (unsigned i = 0; i < ABI_CAPTURE_SLOTS + 9; i++)
		pass(SYN, 4000, SERVICE, VERDICT_FORWARDED, 0);
	cr_expect_eq(capture_ring_lost(&consumer.rings[WORKER]), 9);
	while (got())
		n++;
	cr_expect_eq(n, ABI_CAPTURE_SLOTS);
}

Test(capture, ends_when_it_is_stopped_or_its_time_is_over_or_another_begins)
{
	struct abi_capture r = everything(), end = {.type = ABI_CAPTURE, .op = ABI_CAPTURE_STOP, .token = TOKEN};

	cr_assert_eq(tell(&r), 0);
	cr_expect_eq(tell(&end), 0);
	cr_expect_null(capture_load(&state));
	cr_expect_eq(n_graces, 1);
	cr_expect_eq(tell(&end), 0, "there is none");
	cr_assert_eq(tell(&r), 0);
	captures_tick(captures, clock_now_ns() + 9 * CLOCK_NS_PER_S);
	cr_expect_not_null(capture_load(&state));
	captures_tick(captures, clock_now_ns() + 10 * CLOCK_NS_PER_S);
	cr_expect_null(capture_load(&state));
	cr_assert_eq(tell(&r), 0);
	r.token = 6;
	cr_assert_eq(tell(&r), 0);
	cr_expect_eq(n_graces, 3);
	cr_expect_eq(capture_load(&state)->spec.token, 6);
	captures_close(captures);
	cr_expect_null(capture_load(&state));
}

Test(capture, refuses_what_is_not_sound_and_stops_all_the_same)
{
	struct abi_capture rows[12], good = everything();

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = good;
	rows[0].nth = 0;
	rows[1].limit = 0;
	rows[2].duration_s = 0;
	rows[3].duration_s = ABI_CAPTURE_DURATION_MAX_S + 1;
	rows[4].snap = 0;
	rows[5].snap = ABI_CAPTURE_SNAP_MAX + 1;
	rows[6].n_insns = ABI_FILTER_INSNS_MAX + 1;
	rows[7].only_marked = 2;
	rows[8].zero[15] = 1;
	memset(rows[9].verdicts, 0, sizeof(rows[9].verdicts));
	rows[10].verdicts[0] |= UINT64_C(1) << VERDICT_OPEN;
	rows[11].op = 2;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert_eq(tell(&good), 0);
		cr_expect_eq(tell(&rows[i]), EINVAL, "row %u", i);
		cr_expect_null(capture_load(&state), "row %u", i);
	}
	good.service = KEY + 1;
	cr_expect_eq(tell(&good), ENOENT, "nobody's key");
}

Test(capture, tells_of_fragments_that_waited_in_vain)
{
	struct rte_mbuf *mbuf = frames_mbuf(ETH4 IP4("0024", "2000", "11") UDP("001c") "6162636465666768");
	struct abi_capture r = only(VERDICT_FRAGMENT_ORPHAN);

	mbuf->port = 3;
	capture_ended(&state, &mbuf, 1, VERDICT_FRAGMENT_ORPHAN, rte_rdtsc());
	cr_expect_not(got(), "no capture runs");
	cr_assert_eq(tell(&r), 0);
	capture_ended(&state, &mbuf, 1, VERDICT_FRAGMENT_ORPHAN, rte_rdtsc());
	cr_assert(got());
	cr_expect_eq(slot.port, 3);
	cr_expect_eq(slot.verdict, VERDICT_FRAGMENT_ORPHAN);
	cr_expect_eq(slot.held, rte_pktmbuf_pkt_len(mbuf));
	rte_pktmbuf_free(mbuf);
}
