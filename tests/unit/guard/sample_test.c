/* SPDX-License-Identifier: BSD-2-Clause */
/* Which packets become samples, what is in them, and what becomes of them. */
#include <criterion/criterion.h>

#include <string.h>

#include "dataplane/stage/sample.h"
#include "tests/unit/stage/frames.h"

enum { SERVICE = 7 };

static struct burst burst;
static struct sample_state state;
static struct sample_shared shared;
static struct sample_ring *ring;
static _Atomic uint64_t counters[WORKER_COUNTER_COUNT];

static void
setup(void)
{
	frames_init();
	ring = sample_ring_new();
	cr_assert_not_null(ring);
	sample_init(&state, &shared, ring, counters, 0);
}

static void
teardown(void)
{
	frames_clear(&burst);
	sample_ring_free(ring);
	cr_expect_eq(frames_in_use(), 0);
}

TestSuite(sample, .init = setup, .fini = teardown);

/* A look at the burst's only packet, of which the service keeps every one. */
static struct sample
sample_of(const char *hex, enum abi_verdict verdict)
{
	struct sample out = {.zero = 1};
	struct packet *p;

	frames_clear(&burst);
	p = frames_add(&burst, hex);
	frames_parse(&burst);
	p->service = SERVICE;
	shared.shifts[SERVICE] = 1;
	state.left = 0;
	sample_burst(&state, &burst);
	p->verdict = (uint8_t)verdict;
	p->service |= SERVICE_SETTLED;
	memset(packet_at(p, 0), 0xee, p->mbuf->data_len); /* an answer was made of it */
	sample_settle(&state, &burst);
	if (!sample_ring_pop(ring, &out))
		out.zero = 2;
	return out;
}

Test(sample, has_what_tells_a_packet)
{
	static const struct {
		const char *name, *hex;
		uint8_t flags, protocol, tcp_flags, ttl, payload_len;
		uint16_t src_port, dst_port, len;
		const char *source, *payload;
	} rows[] = {
		{"SYN", ETH4 IP4("0028", "0000", "06") TCP("02"), PACKET_OPENS | PACKET_HAS_PORTS, IPPROTO_TCP, 2, 64,
		 0, 5000, 443, 40, "\x0a\x4d\0\x09", ""},
		{"UDP", ETH4 IP4("001f", "0000", "11") UDP("000b") "616263", PACKET_HAS_PORTS, IPPROTO_UDP, 0, 64, 3,
		 5000, 53, 31, "\x0a\x4d\0\x09", "abc"},
		{"padded", ETH4 IP4("001d", "0000", "11") UDP("0009") "61 000000", PACKET_HAS_PORTS, IPPROTO_UDP, 0, 64,
		 1, 5000, 53, 29, "\x0a\x4d\0\x09", "a"},
		{"TCP with options",
		 ETH4 IP4("0035", "0000",
			  "06") "138801bb 00000001 00000000 8018ffff 00000000 0101080a 00000000 00000000 78",
		 PACKET_HAS_PORTS, IPPROTO_TCP, 0x18, 64, 1, 5000, 443, 53, "\x0a\x4d\0\x09", "x"},
		{"IPv6", ETH6 IP6("000c", "11") UDP("000c") "61626364",
		 PACKET_V6 | PACKET_HAS_PORTS | PACKET_DONT_FRAGMENT, IPPROTO_UDP, 0, 64, 4, 5000, 53, 52,
		 "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x09", "abcd"},
		{"fragment", ETH4 IP4("001c", "0010", "11") "00000000 00000000",
		 PACKET_FRAGMENT | PACKET_FRAGMENT_LATER, IPPROTO_UDP, 0, 64, 0, 0, 0, 28, "\x0a\x4d\0\x09", ""},
		{"ICMP error",
		 ETH4 "45000038 12340000 40010000 0a4d0109" VIP4
		      "03030000 00000000" QUOTED4("0040", "0000", "11") "01bb1388 002c 0000",
		 PACKET_ICMP_ERROR | PACKET_HAS_PORTS, IPPROTO_UDP, 0, 64, 0, 5000, 443, 56, "\x0a\x4d\x01\x09", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sample s = sample_of(rows[i].hex, VERDICT_SOURCE_LIMIT);

		cr_assert_eq(s.zero, 0, "%s", rows[i].name);
		cr_expect_eq(s.service, SERVICE, "%s", rows[i].name);
		cr_expect_eq(s.verdict, VERDICT_SOURCE_LIMIT, "%s", rows[i].name);
		cr_expect_eq(s.shift, SAMPLE_STRIDE_DEFAULT, "%s", rows[i].name);
		cr_expect_eq(s.flags, rows[i].flags, "%s: flags %x", rows[i].name, s.flags);
		cr_expect_eq(s.protocol, rows[i].protocol, "%s", rows[i].name);
		cr_expect_eq(s.tcp_flags, rows[i].tcp_flags, "%s: TCP flags %x", rows[i].name, s.tcp_flags);
		cr_expect_eq(s.ttl, rows[i].ttl, "%s", rows[i].name);
		cr_expect_eq(s.src_port, rows[i].src_port, "%s: from %u", rows[i].name, s.src_port);
		cr_expect_eq(s.dst_port, rows[i].dst_port, "%s", rows[i].name);
		cr_expect_eq(s.len, rows[i].len, "%s: %u octets", rows[i].name, s.len);
		cr_expect_eq(s.payload_len, rows[i].payload_len, "%s: %u of payload", rows[i].name, s.payload_len);
		cr_expect_arr_eq(s.payload, rows[i].payload, rows[i].payload_len, "%s", rows[i].name);
		cr_expect_arr_eq(s.source, rows[i].source, rows[i].flags & PACKET_V6 ? 16 : 4, "%s", rows[i].name);
	}
}

Test(sample, is_of_a_service_and_of_what_has_ended)
{
	struct sample out;

	cr_expect_eq(sample_of(ETH4 IP4("0028", "0000", "06") TCP("02"), VERDICT_HELD).zero, 2,
		     "a fragment that waits comes again");
	frames_clear(&burst);
	frames_add(&burst, ETH4 IP4("0028", "0000", "06") TCP("02"));
	frames_parse(&burst);
	state.left = 0;
	sample_burst(&state, &burst);
	sample_settle(&state, &burst);
	cr_expect_not(sample_ring_pop(ring, &out), "no service");
	cr_expect_eq(atomic_load(&counters[WORKER_SAMPLES]), 0);
}

/* Bursts of n packets of the same kind up to so many in all; the samples, the ring being emptied each time. */
static uint64_t
samples_of(unsigned burst_n, uint64_t packets, uint64_t *weight)
{
	struct sample out;
	uint64_t n = 0;

	frames_clear(&burst);
	for (unsigned i = 0; i < burst_n; i++)
		frames_add(&burst, ETH4 IP4("0028", "0000", "06") TCP("02"));
	frames_parse(&burst);
	for (unsigned i = 0; i < burst_n; i++)
		burst.packets[i].service = SERVICE;
	*weight = 0;
	for (uint64_t done = 0; done < packets; done += burst_n) {
		sample_burst(&state, &burst);
		sample_settle(&state, &burst);
		for (; sample_ring_pop(ring, &out); n++)
			*weight += UINT64_C(1) << out.shift;
	}
	return n;
}

/* What samples stand for is what came, within what chance allows (five standard deviations). */
Test(sample, is_one_in_as_many_as_the_main_lcore_says)
{
	static const struct {
		uint8_t stride, shift, told;
	} rows[] = {{0, 0, SAMPLE_SHIFT_DEFAULT}, {6, 6, 6}, {6, 12, 12}, {6, 3, 6}, {4, 3, 4}, {4, 8, 8}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t packets = UINT64_C(4000) << rows[i].told, weight, n;

		shared.stride = rows[i].stride;
		shared.shifts[SERVICE] = rows[i].shift;
		for (unsigned burst_n = 1; burst_n <= 64; burst_n = burst_n * 7 + 1) {
			n = samples_of(burst_n, packets, &weight);
			cr_expect_eq(weight, n << rows[i].told);
			cr_expect_float_eq((double)n, 4000, 320, "row %zu, bursts of %u: %llu", i, burst_n,
					   (unsigned long long)n);
		}
	}
}

Test(sample, is_lost_and_counted_when_the_ring_is_full)
{
	struct sample out;
	unsigned n = 0;

	frames_clear(&burst);
	for (unsigned i = 0; i < 64; i++)
		frames_add(&burst, ETH4 IP4("0028", "0000", "06") TCP("02"));
	frames_parse(&burst);
	for (unsigned i = 0; i < 64; i++)
		burst.packets[i].service = SERVICE;
	shared.stride = 4;
	shared.shifts[SERVICE] = 1;
	while (atomic_load(&counters[WORKER_SAMPLES_LOST]) < 10) {
		sample_burst(&state, &burst);
		sample_settle(&state, &burst);
	}
	cr_expect_eq(atomic_load(&counters[WORKER_SAMPLES]), SAMPLE_RING);
	while (sample_ring_pop(ring, &out))
		n++;
	cr_expect_eq(n, SAMPLE_RING);
}
