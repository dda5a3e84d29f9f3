/* SPDX-License-Identifier: BSD-2-Clause */
/* BFD sessions that talk through memory, or to packets that the test makes; the clock is a number. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/bfd.h"

#define MS CLOCK_NS_PER_MS
#define START_NS (1000 * CLOCK_NS_PER_S)

static const struct bfd_config CONFIG = {.desired_us = 50000, .required_us = 60000, .multiplier = 3};

static struct bfd_session a, b;
static uint64_t now_ns;

static void
setup(void)
{
	now_ns = START_NS;
	bfd_session_init(&a, &CONFIG, 0xa, 1, now_ns);
	bfd_session_init(&b, &CONFIG, 0xb, 2, now_ns);
}

TestSuite(bfd, .init = setup);

/* What `a` says now; false: nothing. */
static bool
says(struct bfd_packet *packet)
{
	static uint8_t octets[BFD_PACKET_MAX];
	size_t len = bfd_session_output(&a, now_ns, octets);

	return len > 0 && bfd_packet_decode(octets, len, packet) == NULL;
}

/* Time goes on to the next packet of `a`. */
static struct bfd_packet
next_packet(void)
{
	struct bfd_packet packet = {0};

	while (!says(&packet)) {
		uint64_t deadline_ns = bfd_session_deadline_ns(&a);

		cr_assert(deadline_ns > now_ns && deadline_ns != UINT64_MAX, "it would never send");
		now_ns = deadline_ns;
	}
	return packet;
}

/* A packet to `a` from a peer that is like CONFIG; what differs is set by the caller. */
static struct bfd_packet
heard(enum bfd_state state)
{
	return (struct bfd_packet){.state = (uint8_t)state, .multiplier = 3, .my_discriminator = 0xb,
				   .your_discriminator = 0xa, .desired_us = 50000, .required_us = 50000};
}

static void
hear(enum bfd_state state)
{
	struct bfd_packet packet = heard(state);

	cr_assert(bfd_session_input(&a, &packet, now_ns));
}

/* Up, with the poll for the quick pace answered, and nothing that waits. */
static void
bring_up(void)
{
	struct bfd_packet final = heard(BFD_UP);

	final.final = true;
	hear(BFD_DOWN);
	hear(BFD_INIT);
	cr_assert(bfd_session_input(&a, &final, now_ns));
	cr_assert(bfd_session_input(&a, &final, now_ns)); /* the poll of going down was not answered yet */
	for (unsigned i = 0; i < 3; i++) {
		hear(BFD_UP);
		next_packet();
	}
	hear(BFD_UP);
	cr_assert(a.status.state == BFD_UP && !a.status.is_polling);
}

/* Carries packets both ways until the given time; `lose` says which are lost. */
static void
talk(uint64_t until_ns, bool (*lose)(void))
{
	struct bfd_session *sides[] = {&a, &b};

	while (now_ns < until_ns) {
		uint64_t next_ns = until_ns;

		for (unsigned i = 0; i < 2; i++) {
			uint8_t octets[BFD_PACKET_MAX];
			struct bfd_packet packet;
			size_t len = bfd_session_output(sides[i], now_ns, octets);

			if (len > 0 && !(lose && lose())) {
				cr_assert_null(bfd_packet_decode(octets, len, &packet));
				bfd_session_input(sides[!i], &packet, now_ns);
			}
		}
		for (unsigned i = 0; i < 2; i++) {
			if (bfd_session_deadline_ns(sides[i]) < next_ns)
				next_ns = bfd_session_deadline_ns(sides[i]);
		}
		now_ns = next_ns;
	}
}

/* RFC 5880 6.2 and 6.8.6. */
Test(bfd, moves_between_states_as_the_rfc_says)
{
	static const struct {
		enum bfd_state from, heard, to;
		uint8_t diag;
	} rows[] = {
		{BFD_DOWN, BFD_ADMIN_DOWN, BFD_DOWN, 0},
		{BFD_DOWN, BFD_DOWN, BFD_INIT, 0},
		{BFD_DOWN, BFD_INIT, BFD_UP, 0},
		{BFD_DOWN, BFD_UP, BFD_DOWN, 0},
		{BFD_INIT, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
		{BFD_INIT, BFD_DOWN, BFD_INIT, 0},
		{BFD_INIT, BFD_INIT, BFD_UP, 0},
		{BFD_INIT, BFD_UP, BFD_UP, 0},
		{BFD_UP, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
		{BFD_UP, BFD_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN},
		{BFD_UP, BFD_INIT, BFD_UP, 0},
		{BFD_UP, BFD_UP, BFD_UP, 0},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_packet packet = heard(rows[i].heard);

		bfd_session_init(&a, &CONFIG, 0xa, 1, now_ns);
		a.status.state = rows[i].from;
		cr_expect(bfd_session_input(&a, &packet, now_ns));
		cr_expect(a.status.state == rows[i].to && a.status.diag == rows[i].diag, "row %u: %s, %s", i,
			  bfd_state_name(a.status.state), bfd_diag_name(a.status.diag));
	}
}

Test(bfd, takes_what_the_peer_says_of_itself)
{
	struct bfd_packet packet = {.state = BFD_DOWN, .diag = BFD_DIAG_PATH_DOWN, .multiplier = 5,
				    .my_discriminator = 77, .desired_us = 200000, .required_us = 2000000};

	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_expect_eq(a.status.remote_discriminator, 77);
	cr_expect_eq(a.status.remote_state, BFD_DOWN);
	cr_expect_eq(a.status.remote_diag, BFD_DIAG_PATH_DOWN);
	cr_expect_eq(a.status.transmit_us, 2000000, "no faster than it can receive");
	cr_expect_eq(a.status.receive_us, 200000, "no faster than it sends");
	cr_expect_eq(a.status.detection_us, 5 * 200000);
	packet = next_packet();
	cr_expect_eq(packet.your_discriminator, 77);
}

/* RFC 5880 6.8.3 and 6.8.7. */
Test(bfd, is_slow_until_it_is_up)
{
	struct bfd_packet packet = next_packet();

	cr_expect(packet.state == BFD_DOWN && packet.desired_us == 1000000 && packet.required_us == 60000);
	cr_expect(packet.multiplier == 3 && packet.echo_us == 0 && !packet.demand && !packet.independent);
	for (unsigned i = 0; i < 50; i++) {
		uint64_t before_ns = now_ns;

		next_packet();
		cr_expect(now_ns - before_ns >= 750 * MS && now_ns - before_ns <= 1000 * MS);
	}
	hear(BFD_DOWN);
	packet = next_packet();
	cr_expect(packet.state == BFD_INIT && packet.desired_us == 1000000);
	hear(BFD_INIT);
	packet = next_packet();
	cr_expect(packet.state == BFD_UP && packet.desired_us == 50000 && packet.poll);
}

Test(bfd, shortens_intervals_by_chance)
{
	static const struct {
		uint8_t multiplier;
		uint64_t least_ms, most_us;
	} rows[] = {{3, 37, 50000}, {2, 37, 50000}, {1, 37, 45000}};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_config config = CONFIG;
		uint64_t least_ns = UINT64_MAX, most_ns = 0;

		config.multiplier = rows[i].multiplier;
		bfd_session_init(&a, &config, 0xa, 99, now_ns);
		bring_up();
		for (unsigned k = 0; k < 1000; k++) {
			uint64_t before_ns = now_ns;

			next_packet();
			least_ns = now_ns - before_ns < least_ns ? now_ns - before_ns : least_ns;
			most_ns = now_ns - before_ns > most_ns ? now_ns - before_ns : most_ns;
			hear(BFD_UP);
		}
		cr_expect(least_ns >= 37500000 && least_ns < 38 * MS, "least %lu", least_ns);
		cr_expect(most_ns <= rows[i].most_us * 1000 && most_ns > rows[i].most_us * 985, "most %lu", most_ns);
	}
}

Test(bfd, answers_a_poll_at_once_and_never_with_both_flags)
{
	struct bfd_packet packet = heard(BFD_UP);

	bring_up();
	now_ns += 10 * MS;
	packet.poll = true;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_assert(says(&packet));
	cr_expect(packet.final && !packet.poll);
	cr_expect_not(says(&packet), "once");

	/* While we poll too, one follows the other. */
	bfd_session_configure(&a, &(struct bfd_config){.desired_us = 40000, .required_us = 60000, .multiplier = 3}, now_ns);
	packet = heard(BFD_UP);
	packet.poll = true;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	packet = next_packet();
	cr_expect(packet.final && !packet.poll);
	packet = next_packet();
	cr_expect(packet.poll && !packet.final);
}

Test(bfd, is_not_made_louder_by_who_polls_faster)
{
	unsigned sent = 0;
	struct bfd_packet packet, poll = heard(BFD_UP);

	bring_up();
	poll.poll = true;
	for (uint64_t end_ns = now_ns + 100 * MS; now_ns < end_ns; now_ns += 10000) {
		cr_assert(bfd_session_input(&a, &poll, now_ns));
		sent += says(&packet);
	}
	cr_expect(sent >= 90 && sent <= 101, "10,000 polls, %u answers", sent);
}

/* RFC 5880 6.5, 6.8.3. */
Test(bfd, slows_down_only_when_the_peer_has_heard_of_it)
{
	struct bfd_config slower = CONFIG, quicker = CONFIG;
	struct bfd_packet packet;

	bring_up();
	slower.desired_us = 300000;
	bfd_session_configure(&a, &slower, now_ns);
	packet = next_packet();
	cr_expect(packet.poll && packet.desired_us == 300000);
	cr_expect_eq(a.status.transmit_us, 50000, "the peer still expects it so often");
	packet = heard(BFD_UP);
	packet.final = true;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_expect_eq(a.status.transmit_us, 300000);
	cr_expect_not(a.status.is_polling);

	quicker.required_us = 20000;
	quicker.desired_us = 100000;
	bfd_session_configure(&a, &quicker, now_ns);
	cr_expect_eq(a.status.transmit_us, 100000, "a quicker pace needs no consent");
	cr_expect_eq(a.status.receive_us, 60000, "it may send by the old value yet");
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_expect_eq(a.status.receive_us, 50000, "its own wish is what is left");
}

/* RFC 5880 6.8.3: the slow pace of a session that isn't up waits for nobody's consent. */
Test(bfd, is_slow_once_down_whatever_it_polls_for)
{
	struct bfd_config slower = CONFIG;

	bring_up();
	slower.desired_us = 1200000;
	bfd_session_configure(&a, &slower, now_ns);
	cr_expect_eq(a.status.transmit_us, 50000);
	hear(BFD_DOWN);
	cr_expect_eq(a.status.transmit_us, 1200000);
}

Test(bfd, polls_again_when_values_change_during_a_poll)
{
	struct bfd_config config = CONFIG;
	struct bfd_packet final = heard(BFD_UP);

	bring_up();
	final.final = true;
	config.desired_us = 200000;
	bfd_session_configure(&a, &config, now_ns);
	config.desired_us = 300000;
	bfd_session_configure(&a, &config, now_ns);
	cr_assert(bfd_session_input(&a, &final, now_ns));
	cr_expect(a.status.is_polling);
	cr_expect_eq(a.status.transmit_us, 50000);
	cr_assert(bfd_session_input(&a, &final, now_ns));
	cr_expect_not(a.status.is_polling);
	cr_expect_eq(a.status.transmit_us, 300000);
}

/* RFC 5880 6.8.3: no longer than the new interval after the packet before. */
Test(bfd, honours_at_once_that_the_peer_can_hear_faster)
{
	struct bfd_packet packet = heard(BFD_UP);
	uint64_t before_ns;

	bring_up();
	packet.required_us = 10000000;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	before_ns = a.sent_ns;
	now_ns += 500 * MS;
	packet.desired_us = 1000000; /* so that `a` does not expire meanwhile */
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_expect_gt(bfd_session_deadline_ns(&a), before_ns + 1000 * MS);
	packet.required_us = 50000;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	cr_expect(says(&packet), "the new interval is over already");
}

Test(bfd, sends_nothing_periodic_to_who_wants_nothing)
{
	struct bfd_packet packet = heard(BFD_UP);

	bring_up();
	packet.required_us = 0;
	packet.desired_us = 1000000;
	cr_assert(bfd_session_input(&a, &packet, now_ns));
	for (uint64_t end_ns = now_ns + 2500 * MS; now_ns < end_ns; now_ns += MS)
		cr_assert_not(says(&packet));
	cr_expect_eq(a.status.transmit_us, 0);
	now_ns += 1000 * MS;
	cr_assert(says(&packet), "but that it is dead");
	cr_expect(packet.state == BFD_DOWN && packet.diag == BFD_DIAG_EXPIRED);
	next_packet();
}

/* RFC 5880 6.6: obeyed, not asked for. */
Test(bfd, is_quiet_for_a_peer_in_demand_mode_and_answers_its_polls)
{
	struct bfd_packet demand = heard(BFD_UP), packet;

	bring_up();
	demand.demand = true;
	for (unsigned i = 0; i < 100; i++) {
		now_ns += 50 * MS;
		cr_assert(bfd_session_input(&a, &demand, now_ns));
		cr_assert_not(says(&packet));
	}
	cr_expect_eq(a.status.state, BFD_UP);
	demand.poll = true;
	cr_assert(bfd_session_input(&a, &demand, now_ns));
	packet = next_packet();
	cr_expect(packet.final && !packet.demand);
	hear(BFD_UP);
	cr_expect_leq(bfd_session_deadline_ns(&a), now_ns + 50 * MS, "it wants them again");
}

Test(bfd, detects_silence_in_time)
{
	struct bfd_packet packet;
	uint64_t silent_ns;

	bring_up(); /* 3 packets of max(60 ms that we can, 50 ms that it wants) */
	now_ns += 180 * MS - 1;
	says(&packet);
	cr_expect_eq(a.status.state, BFD_UP);
	silent_ns = ++now_ns;
	packet = next_packet();
	cr_expect_leq(now_ns - silent_ns, 1 * MS, "it says so at once");
	cr_expect(packet.state == BFD_DOWN && packet.diag == BFD_DIAG_EXPIRED && packet.desired_us == 1000000);
	cr_expect_eq(packet.your_discriminator, 0, "RFC 5880 6.8.1 RemoteDiscr");
	cr_expect_eq(a.status.health, BFD_FAILED);
	cr_expect(a.status.failures == 1 && a.status.downs == 1 && a.status.ups == 1);
}

Test(bfd, gives_up_in_init_too_but_that_is_no_failure)
{
	hear(BFD_DOWN);
	now_ns += 180 * MS;
	next_packet();
	cr_expect(a.status.state == BFD_DOWN && a.status.diag == BFD_DIAG_EXPIRED);
	cr_expect(a.status.health == BFD_UNKNOWN && a.status.failures == 0);
}

/* RFC 5882 3.2; the neighbour's Down means that it doesn't hear us. */
Test(bfd, tells_failures_from_the_operators_will)
{
	bring_up();
	cr_expect_eq(a.status.health, BFD_ALIVE);
	hear(BFD_ADMIN_DOWN);
	cr_expect(a.status.state == BFD_DOWN && a.status.health == BFD_UNKNOWN && a.status.failures == 0);
	bring_up();
	hear(BFD_DOWN);
	cr_expect(a.status.health == BFD_FAILED && a.status.failures == 1);
	cr_expect_eq(a.status.diag, BFD_DIAG_NEIGHBOR_DOWN);
	hear(BFD_ADMIN_DOWN);
	cr_expect_eq(a.status.health, BFD_UNKNOWN, "taken down after it had failed");
	bring_up();
	cr_expect(a.status.health == BFD_ALIVE && a.status.diag == BFD_DIAG_NONE);
	bfd_session_disable(&a, now_ns);
	cr_expect(a.status.health == BFD_UNKNOWN && a.status.state == BFD_ADMIN_DOWN && a.status.failures == 1);
}

Test(bfd, lets_go_of_a_failure_when_the_peer_has_bfd_no_more)
{
	bring_up();
	hear(BFD_DOWN);
	for (unsigned i = 0; i < 40; i++) {
		now_ns += CLOCK_NS_PER_S;
		hear(BFD_UP); /* it talks, but not about us */
		next_packet();
	}
	cr_expect_eq(a.status.health, BFD_FAILED);
	for (uint64_t end_ns = now_ns + 29 * CLOCK_NS_PER_S; now_ns < end_ns;)
		next_packet();
	cr_expect_eq(a.status.health, BFD_FAILED);
	for (uint64_t end_ns = now_ns + 3 * CLOCK_NS_PER_S; now_ns < end_ns;)
		next_packet();
	cr_expect_eq(a.status.health, BFD_UNKNOWN);
	cr_expect_eq(a.status.failures, 1);
}

/* RFC 5880 6.8.16 and the last but one rule of 6.8.6. */
Test(bfd, is_deaf_while_it_is_disabled_and_says_so)
{
	struct bfd_packet packet = heard(BFD_UP);

	bring_up();
	bfd_session_disable(&a, now_ns);
	packet = next_packet();
	cr_expect(packet.state == BFD_ADMIN_DOWN && packet.diag == BFD_DIAG_ADMIN_DOWN);
	packet = heard(BFD_DOWN);
	packet.poll = true;
	cr_expect_not(bfd_session_input(&a, &packet, now_ns));
	cr_expect_eq(a.status.state, BFD_ADMIN_DOWN);
	packet = next_packet();
	cr_expect(packet.state == BFD_ADMIN_DOWN && !packet.final);
	bfd_session_enable(&a, now_ns);
	cr_expect_eq(a.status.state, BFD_DOWN);
	hear(BFD_DOWN);
	cr_expect_eq(a.status.state, BFD_INIT);
}

Test(bfd, survives_the_extremes_of_every_field)
{
	static const uint32_t values[] = {0, 1, 1000, UINT32_MAX - 1, UINT32_MAX};

	for (unsigned i = 0; i < ARRAY_LEN(values) * ARRAY_LEN(values) * 4; i++) {
		struct bfd_packet packet = heard(BFD_UP), said;

		setup();
		bring_up();
		packet.desired_us = values[i % ARRAY_LEN(values)];
		packet.required_us = values[i / 4 / ARRAY_LEN(values)];
		packet.multiplier = i % 2 ? 255 : 1;
		packet.poll = i % 4 > 1;
		cr_assert(bfd_session_input(&a, &packet, now_ns));
		says(&said);
		cr_expect_eq(a.status.state, BFD_UP);
		cr_expect_gt(bfd_session_deadline_ns(&a), now_ns);
		cr_expect(a.status.transmit_us >= 50000 || packet.required_us == 0);
		cr_expect_geq(a.status.detection_us, 60000);
	}
}

static bool
lose_a_third(void)
{
	static unsigned i;

	return i++ % 3 == 0;
}

static bool
lose_all(void)
{
	return true;
}

Test(bfd, comes_up_and_settles_on_the_quick_pace)
{
	talk(now_ns + 3 * CLOCK_NS_PER_S, NULL);
	cr_expect(a.status.state == BFD_UP && b.status.state == BFD_UP);
	cr_expect(a.status.transmit_us == 60000 && b.status.transmit_us == 60000);
	cr_expect(a.status.detection_us == 180000 && b.status.detection_us == 180000);
	cr_expect(!a.status.is_polling && !b.status.is_polling);
	talk(now_ns + 60 * CLOCK_NS_PER_S, NULL);
	cr_expect(a.status.downs == 0 && b.status.downs == 0);
	cr_expect(a.status.sent > 1000 && a.status.sent < 1400, "%lu", a.status.sent);
}

Test(bfd, bears_losses_and_not_silence)
{
	talk(now_ns + 60 * CLOCK_NS_PER_S, lose_a_third);
	cr_expect(a.status.state == BFD_UP && a.status.downs == 0 && !a.status.is_polling);
	cr_expect(b.status.state == BFD_UP && b.status.downs == 0 && !b.status.is_polling);
	talk(now_ns + 200 * MS, lose_all);
	cr_expect(a.status.health == BFD_FAILED && b.status.health == BFD_FAILED);
	talk(now_ns + 5 * CLOCK_NS_PER_S, NULL);
	cr_expect(a.status.health == BFD_ALIVE && b.status.health == BFD_ALIVE);
	cr_expect(a.status.ups == 2 && b.status.ups == 2 && a.status.transmit_us == 60000);
}

Test(bfd, notices_a_peer_that_began_anew)
{
	talk(now_ns + 3 * CLOCK_NS_PER_S, NULL);
	bfd_session_init(&b, &CONFIG, 0xbb, 3, now_ns);
	talk(now_ns + 1 * MS, NULL);
	cr_expect_eq(a.status.health, BFD_FAILED);
	talk(now_ns + 3 * CLOCK_NS_PER_S, NULL);
	cr_expect(a.status.state == BFD_UP && b.status.state == BFD_UP && a.status.remote_discriminator == 0xbb);
}

/* RFC 5880 6.8.1 AuthSeqKnown: after twice the detection time, a peer may count from anywhere. */
Test(bfd, authenticates_through_losses_and_restarts)
{
	for (unsigned type = BFD_AUTH_PASSWORD; type < BFD_AUTH_TYPES; type++) {
		struct bfd_config config = CONFIG;

		config.auth = (struct bfd_auth_config){.type = type, .key_id = 3, .key_len = 6, .key = "secret"};
		bfd_session_init(&a, &config, 0xa, 1, now_ns);
		bfd_session_init(&b, &config, 0xb, 2, now_ns);
		talk(now_ns + 60 * CLOCK_NS_PER_S, lose_a_third);
		cr_expect(a.status.state == BFD_UP && a.status.downs == 0 && a.status.refused == 0, "type %u: %s", type,
			  a.status.fault);
		b.auth.sent_sequence += 1U << 31;
		talk(now_ns + 5 * CLOCK_NS_PER_S, NULL);
		cr_expect(a.status.state == BFD_UP && a.status.downs == (type > BFD_AUTH_PASSWORD), "type %u", type);
		config.auth.key[0] = 'S';
		bfd_session_init(&b, &config, 0xb, 2, now_ns);
		talk(now_ns + 5 * CLOCK_NS_PER_S, NULL);
		cr_expect(a.status.state == BFD_DOWN && b.status.state == BFD_DOWN, "type %u, another key", type);
		cr_expect(a.status.fault && a.status.refused > 0);
	}
}
