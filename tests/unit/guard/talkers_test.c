/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples in, records of talkers and vectors of attacks out, by injected time. */
#include <criterion/criterion.h>

#include <string.h>

#include "base/clock.h"
#include "dataplane/talkers.h"

enum { SERVICE = 9, KEY = 1234, RECORDS_MAX = 1024, SHIFT = 4 };

static struct sample_shared shared;
static struct sample_ring *ring;
static struct talkers *talkers;
static struct abi_talker told[RECORDS_MAX];
static unsigned n_told;
static uint64_t now_ns;
static const struct abi_guard guard = {.type = ABI_GUARD, .prefix_v4_len = 24, .prefix_v6_len = 56};

static void
tell(void *context, const union abi_record *record)
{
	(void)context;
	cr_assert_eq(record->type, ABI_TALKER);
	cr_assert_lt(n_told, RECORDS_MAX);
	told[n_told++] = record->talker;
}

static void
setup(void)
{
	struct talkers_config config = {.shared = &shared, .tell = tell};

	talkers = talkers_new(&config);
	ring = sample_ring_new();
	cr_assert(talkers && ring);
	talkers_follow(talkers, SERVICE, KEY, &guard);
	now_ns = 100 * CLOCK_NS_PER_S;
	talkers_tick(talkers, now_ns);
	n_told = 0;
}

static void
teardown(void)
{
	talkers_free(talkers);
	sample_ring_free(ring);
}

TestSuite(talkers, .init = setup, .fini = teardown);

static struct sample
sample(uint8_t protocol, uint8_t tcp_flags, uint16_t src_port, uint8_t last)
{
	return (struct sample){.service = SERVICE,
			       .verdict = VERDICT_CHALLENGED,
			       .shift = SHIFT,
			       .protocol = protocol,
			       .tcp_flags = tcp_flags,
			       .ttl = 57,
			       .src_port = src_port,
			       .len = 40,
			       .source = {10, 77, 0, last}};
}

static void
put(struct sample s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		cr_assert(sample_ring_push(ring, &s));
		talkers_take(talkers, ring);
	}
}

/* NULL: it wasn't told, at last. */
static const struct abi_talker *
talker(enum abi_talker_of of, unsigned rank, uint32_t attack)
{
	const struct abi_talker *found = NULL;

	for (unsigned i = 0; i < n_told; i++) {
		if (told[i].of != of || told[i].attack != attack)
			continue;
		if (told[i].rank == 0)
			found = NULL;
		if (told[i].rank == rank && told[i].packets)
			found = &told[i];
	}
	return found;
}

static void
pass(uint64_t ms)
{
	now_ns += ms * CLOCK_NS_PER_MS;
	talkers_tick(talkers, now_ns);
}

Test(talkers, are_told_for_each_kind_with_what_the_estimate_may_be_off_by)
{
	struct sample six = sample(IPPROTO_UDP, 0, 53, 0);
	const struct abi_talker *t;

	put(sample(IPPROTO_UDP, 0, 123, 1), 600);
	put(sample(IPPROTO_UDP, 0, 123, 2), 300);
	six.flags = PACKET_V6;
	six.len = 1400;
	six.ttl = 3;
	six.payload_len = 4;
	memcpy(six.payload, "abcd", 4);
	memcpy(six.source, "\xfd\x77\0\0\0\0\x12\x34\0\0\0\0\0\0\0\x09", 16);
	put(six, 100);
	pass(2000);
	t = talker(ABI_TALKER_SOURCE, 0, 0);
	cr_assert_not_null(t);
	cr_expect_eq(t->service, KEY);
	cr_expect_eq(t->packets, 600 << SHIFT);
	cr_expect_eq(t->total, 1000 << SHIFT);
	cr_expect_eq(t->error, 2 * 391, "two roots of 9,600 packets that were seen by one in 16");
	cr_expect_eq(t->source.len, 32);
	cr_expect_arr_eq(t->source.addr.octets, "\x0a\x4d\0\x01", 4);
	t = talker(ABI_TALKER_PREFIX, 0, 0);
	cr_assert_not_null(t);
	cr_expect_eq(t->packets, 900 << SHIFT);
	cr_expect_eq(t->source.len, 24);
	cr_expect_eq(t->source.addr.octets[3], 0);
	t = talker(ABI_TALKER_PREFIX, 1, 0);
	cr_assert_not_null(t);
	cr_expect_eq(t->source.len, 56);
	cr_expect_arr_eq(t->source.addr.octets, "\xfd\x77\0\0\0\0\x12\0\0\0\0\0\0\0\0\0", 16);
	cr_expect_eq(talker(ABI_TALKER_PORT, 0, 0)->number, 123);
	cr_expect_eq(talker(ABI_TALKER_PORT, 1, 0)->number, 53);
	cr_expect_eq(talker(ABI_TALKER_LENGTH, 1, 0)->number, 1400);
	cr_expect_eq(talker(ABI_TALKER_TTL, 0, 0)->number, 57);
	t = talker(ABI_TALKER_PAYLOAD, 0, 0);
	cr_assert_not_null(t);
	cr_expect_eq(t->packets, 100 << SHIFT);
	cr_expect_neq(t->payload.hash, 0);
	cr_expect_arr_eq(t->payload.octets, "cd\0\0", 4);
	cr_expect_null(talker(ABI_TALKER_PAYLOAD, 1, 0));
}

/* Nobody of a flood from everywhere sends much of it. */
Test(talkers, are_not_told_where_nobody_stands_out)
{
	for (unsigned i = 0; i < 5000; i++) {
		struct sample s = sample(IPPROTO_TCP, 2, (uint16_t)(1024 + i), 0);

		memcpy(s.source, &i, sizeof(i));
		s.source[3] = 16;
		put(s, 1);
	}
	pass(2000);
	cr_expect_null(talker(ABI_TALKER_SOURCE, 0, 0));
	cr_expect_null(talker(ABI_TALKER_PORT, 0, 0));
	cr_expect_not_null(talker(ABI_TALKER_TTL, 0, 0));
}

Test(talkers, of_long_ago_are_forgotten)
{
	put(sample(IPPROTO_TCP, 2, 1, 1), 1000);
	pass(2000);
	cr_expect_eq(talker(ABI_TALKER_SOURCE, 0, 0)->source.addr.octets[3], 1);
	for (unsigned i = 0; i < 8; i++) {
		put(sample(IPPROTO_TCP, 2, 1, 2), 100);
		pass(TALKERS_HALF_S * 1000);
	}
	cr_expect_eq(talker(ABI_TALKER_SOURCE, 0, 0)->source.addr.octets[3], 2);
	for (unsigned i = 0; i < 20; i++)
		pass(TALKERS_HALF_S * 1000);
	cr_expect_null(talker(ABI_TALKER_SOURCE, 0, 0), "nothing has come for a while");
	n_told = 0;
	pass(TALKERS_HALF_S * 1000);
	cr_expect_eq(n_told, 0, "nor is it told again");
}

Test(talkers, of_an_attack_are_those_since_its_begin)
{
	struct abi_attack event = {.id = 3, .state = ABI_ATTACK_GOES_ON};

	put(sample(IPPROTO_TCP, 0x10, 999, 1), 1000);
	talkers_attack_begin(talkers, SERVICE, 3);
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(event.vector, ABI_VECTOR_UNKNOWN, "no samples yet");
	put(sample(IPPROTO_TCP, 0x02, 1000, 2), 100);
	for (unsigned i = 0; i < 10; i++)
		pass(TALKERS_HALF_S * 1000);
	put(sample(IPPROTO_TCP, 0x02, 1000, 3), 60);
	event.state = ABI_ATTACK_END;
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(event.vector, ABI_VECTOR_SYN);
	cr_expect_eq(event.vector_percent, 100);
	cr_expect_eq(talker(ABI_TALKER_SOURCE, 0, 3)->packets, 100 << SHIFT, "nothing of it is forgotten");
	cr_expect_eq(talker(ABI_TALKER_SOURCE, 0, 3)->total, 160 << SHIFT);
	cr_expect_eq(talker(ABI_TALKER_SOURCE, 1, 3)->source.addr.octets[3], 3);
	n_told = 0;
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(n_told, 0, "it is over");
}

Test(talkers, say_what_an_attack_is)
{
	static const struct {
		const char *name;
		uint8_t flags, protocol, tcp_flags;
		enum abi_vector vector;
	} rows[] = {
		{"SYN", PACKET_OPENS, IPPROTO_TCP, 0x02, ABI_VECTOR_SYN},
		{"SYN and ACK", 0, IPPROTO_TCP, 0x12, ABI_VECTOR_SYN_ACK},
		{"ACK", 0, IPPROTO_TCP, 0x10, ABI_VECTOR_ACK},
		{"push", 0, IPPROTO_TCP, 0x18, ABI_VECTOR_ACK},
		{"end of a connection", 0, IPPROTO_TCP, 0x11, ABI_VECTOR_ACK},
		{"reset", 0, IPPROTO_TCP, 0x14, ABI_VECTOR_RST},
		{"no flags", 0, IPPROTO_TCP, 0, ABI_VECTOR_TCP_FLAGS},
		{"UDP", 0, IPPROTO_UDP, 0, ABI_VECTOR_UDP},
		{"fragments of UDP", PACKET_FRAGMENT, IPPROTO_UDP, 0, ABI_VECTOR_FRAGMENTS},
		{"ICMP errors", PACKET_ICMP_ERROR, IPPROTO_UDP, 0, ABI_VECTOR_ICMP_ERRORS},
		{"GRE", 0, IPPROTO_GRE, 0, ABI_VECTOR_OTHER},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_attack event = {.id = (uint32_t)i + 1, .state = ABI_ATTACK_END};
		struct sample s = sample(rows[i].protocol, rows[i].tcp_flags, 500, 1);
		struct sample good = sample(IPPROTO_TCP, 0x10, 5000, 2);

		s.flags = rows[i].flags;
		good.verdict = VERDICT_FORWARDED;
		talkers_attack_begin(talkers, SERVICE, event.id);
		put(s, 60);
		put(good, 400); /* more of it, but it went through */
		talkers_attack_tell(talkers, SERVICE, &event);
		cr_expect_eq(event.vector, rows[i].vector, "%s: %u", rows[i].name, event.vector);
		cr_expect_eq(event.vector_percent, 100, "%s", rows[i].name);
		cr_expect_eq(event.vector_port, 500, "%s: not the port that most of all is from", rows[i].name);
	}
}

Test(talkers, name_the_port_that_an_attack_comes_from_and_mixtures)
{
	struct abi_attack event = {.id = 1, .state = ABI_ATTACK_GOES_ON};

	talkers_attack_begin(talkers, SERVICE, 1);
	put(sample(IPPROTO_UDP, 0, 500, 1), 60);
	put(sample(IPPROTO_UDP, 0, 4500, 1), 40);
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(event.vector, ABI_VECTOR_UDP);
	cr_expect_eq(event.vector_port, 500);
	put(sample(IPPROTO_TCP, 0x02, 1000, 1), 70);
	put(sample(IPPROTO_TCP, 0x10, 1000, 1), 60);
	event.vector_port = 0;
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(event.vector, ABI_VECTOR_MIXED);
	cr_expect_eq(event.vector_percent, 43);
	cr_expect_eq(event.vector_port, 0);
}

Test(talkers, begin_anew_with_another_service_or_other_prefixes)
{
	struct abi_guard other = guard;
	struct abi_attack event = {.id = 1};

	put(sample(IPPROTO_TCP, 2, 1, 1), 100);
	other.prefix_v4_len = 16;
	talkers_follow(talkers, SERVICE, KEY, &other);
	put(sample(IPPROTO_TCP, 2, 1, 1), 10);
	pass(2000);
	cr_expect_eq(talker(ABI_TALKER_PREFIX, 0, 0)->packets, 10 << SHIFT);
	cr_expect_eq(talker(ABI_TALKER_PREFIX, 0, 0)->source.len, 16);
	talkers_follow(talkers, SERVICE, 0, NULL);
	put(sample(IPPROTO_TCP, 2, 1, 1), 10);
	n_told = 0;
	pass(4000);
	talkers_attack_begin(talkers, SERVICE, 1);
	talkers_attack_tell(talkers, SERVICE, &event);
	cr_expect_eq(n_told, 0, "not guarded");
}

Test(talkers, ask_for_more_samples_the_less_comes_and_under_attack)
{
	static const struct {
		uint64_t pps;
		bool is_armed;
		uint8_t shift;
	} rows[] = {{0, false, 1},	   {1000, false, 1},   {1 << 20, false, 12},
		    {10000000, false, 15}, {1 << 20, true, 9}, {10000000, true, 12}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		talkers_rate(talkers, SERVICE, rows[i].pps, rows[i].is_armed);
		cr_expect_eq(shared.shifts[SERVICE], rows[i].shift, "%llu: %u", (unsigned long long)rows[i].pps,
			     shared.shifts[SERVICE]);
	}
	talkers_stride(talkers, false);
	cr_expect_eq(shared.stride, SAMPLE_STRIDE_DEFAULT);
	talkers_rate(talkers, SERVICE, TALKERS_QUIET_PPS - 1, false);
	talkers_stride(talkers, false);
	cr_expect_eq(shared.stride, TALKERS_STRIDE_QUIET);
	talkers_stride(talkers, true);
	cr_expect_eq(shared.stride, TALKERS_STRIDE_ARMED);
}

/* A thousand services that all have news: none waits for long, and no tick tells more than the ring takes. */
Test(talkers, take_turns)
{
	bool was_told[1000] = {false};

	for (unsigned i = 0; i < ARRAY_LEN(was_told); i++) {
		struct sample s = sample(IPPROTO_TCP, 2, 1, 1);

		talkers_follow(talkers, i, i + 1, &guard);
		s.service = (uint16_t)i;
		put(s, 10);
	}
	for (unsigned i = 0; i < 300; i++) {
		n_told = 0;
		pass(50);
		cr_assert_leq(n_told, 4 * ABI_TALKERS * ABI_TALKER_RANKS);
		for (unsigned k = 0; k < n_told; k++)
			was_told[told[k].service - 1] = true;
	}
	for (unsigned i = 0; i < ARRAY_LEN(was_told); i++)
		cr_expect(was_told[i], "%u", i);
}
