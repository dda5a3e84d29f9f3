/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread over real sockets: two of its own sessions talk to each other over the loopback of a network namespace that
 * this test makes, so that nothing else is at BFD's ports.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "controlplane/bfd_engine.h"
#include "controlplane/bfd_socket.h"

enum { PATIENCE_S = 20, IDS = 8 };

static const struct bfd_config CONFIG = {.desired_us = 50000, .required_us = 50000, .multiplier = 3};

static struct bfd_engine *engine;
static struct bfd_report last[IDS]; /* by id */

static void
setup(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		cr_skip_test("network namespaces are not allowed here");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
	memset(last, 0, sizeof(last));
	engine = bfd_engine_start();
	cr_assert_not_null(engine);
}

static void
teardown(void)
{
	bfd_engine_stop(engine);
}

TestSuite(bfd_engine, .init = setup, .fini = teardown);

/* A path from the one address to the other. */
static struct bfd_path
path_of(const char *local, const char *peer, bool is_multihop)
{
	struct bfd_path path = {.is_multihop = is_multihop};

	cr_assert_eq(addr_parse(local, &path.local), 0);
	cr_assert_eq(addr_parse(peer, &path.peer), 0);
	return path;
}

static void
tell(enum bfd_order_kind kind, uint32_t id, struct bfd_path path, struct bfd_config config)
{
	struct bfd_order order = {.kind = kind, .id = id, .path = path, .config = config};

	cr_assert_eq(bfd_engine_order(engine, &order), 0);
}

/* Takes reports until a session is as it should be; false: it never was. */
static bool
becomes(uint32_t id, bool (*is_so)(const struct bfd_report *report))
{
	uint64_t end_ns = clock_now_ns() + PATIENCE_S * CLOCK_NS_PER_S;
	struct pollfd polled = {.fd = bfd_engine_fd(engine), .events = POLLIN};
	struct bfd_report report;

	while (clock_now_ns() < end_ns) {
		poll(&polled, 1, 100);
		while (bfd_engine_report(engine, &report)) {
			last[report.id % IDS] = report;
			if (report.id == id && is_so(&report))
				return true;
		}
	}
	return false;
}

static bool
is_up(const struct bfd_report *r)
{
	return r->status.state == BFD_UP;
}

static bool
has_settled(const struct bfd_report *r)
{
	return is_up(r) && r->status.transmit_us == 50000 && r->status.detection_us == 150000 && !r->status.is_polling;
}

static bool
is_slower(const struct bfd_report *r)
{
	return is_up(r) && r->status.transmit_us == 200000 && r->status.detection_us == 600000;
}

static bool
is_down(const struct bfd_report *r)
{
	return r->status.state == BFD_DOWN;
}

static bool
refuses(const struct bfd_report *r)
{
	return r->status.refused > 2;
}

static bool
has_trouble(const struct bfd_report *r)
{
	return r->trouble != NULL;
}

static bool
has_none(const struct bfd_report *r)
{
	return r->trouble == NULL;
}

static void
watch_both(bool is_multihop, struct bfd_config first, struct bfd_config second)
{
	tell(BFD_WATCH, 1, path_of("127.0.0.1", "127.0.0.2", is_multihop), first);
	tell(BFD_WATCH, 2, path_of("127.0.0.2", "127.0.0.1", is_multihop), second);
}

Test(bfd_engine, brings_neighbours_up_and_settles_on_their_pace)
{
	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, has_settled));
	cr_assert(becomes(2, has_settled));
	cr_expect_eq(last[1].status.downs, 0);
}

Test(bfd_engine, brings_multihop_peers_up)
{
	watch_both(true, CONFIG, CONFIG);
	cr_assert(becomes(1, is_up));
}

/* A session over IPv6 that hears itself: one address is all that a loopback has. */
Test(bfd_engine, speaks_ipv6)
{
	tell(BFD_WATCH, 1, path_of("::1", "::1", false), CONFIG);
	cr_assert(becomes(1, is_up));
}

Test(bfd_engine, changes_its_pace_without_going_down)
{
	struct bfd_config slower = {.desired_us = 200000, .required_us = 200000, .multiplier = 3};

	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, has_settled));
	tell(BFD_CHANGE, 1, (struct bfd_path){0}, slower);
	cr_assert(becomes(1, is_slower));
	cr_assert(becomes(2, is_slower));
	cr_expect(last[1].status.downs == 0 && last[2].status.downs == 0);
}

Test(bfd_engine, says_goodbye_so_that_it_is_no_failure)
{
	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, has_settled));
	tell(BFD_FORGET, 2, (struct bfd_path){0}, CONFIG);
	cr_assert(becomes(1, is_down));
	cr_expect_eq(last[1].status.failures, 0);
	cr_expect_eq(last[1].status.remote_state, BFD_ADMIN_DOWN);
	/* It may be watched anew at once. */
	tell(BFD_WATCH, 3, path_of("127.0.0.2", "127.0.0.1", false), CONFIG);
	cr_assert(becomes(3, is_up));
	cr_expect_eq(last[1].status.failures, 0);
}

Test(bfd_engine, believes_nobody_with_another_key)
{
	struct bfd_config ours = CONFIG, theirs;

	ours.auth = (struct bfd_auth_config){.type = BFD_AUTH_METICULOUS_SHA1, .key_id = 1, .key_len = 3, .key = "one"};
	theirs = ours;
	theirs.auth.key[0] = 'O';
	watch_both(false, ours, theirs);
	cr_assert(becomes(1, refuses));
	cr_expect_eq(last[1].status.state, BFD_DOWN);
	cr_expect_str_eq(last[1].status.fault, "wrong digest");
}

/* Sent with a TTL of 254, which is what a router in between would leave of it; then the same with 255. */
Test(bfd_engine, is_deaf_for_what_has_crossed_a_router)
{
	struct bfd_packet down = {.state = BFD_DOWN, .multiplier = 3, .my_discriminator = 77, .desired_us = 1000000,
				  .required_us = 1000000};
	struct bfd_path path = path_of("127.0.0.2", "127.0.0.1", false);
	uint8_t octets[BFD_HEADER_LEN];
	int fd, ttl = BFD_TTL - 1;

	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, has_settled));
	bfd_packet_encode(&down, 0, octets);
	fd = bfd_socket_open(&path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	cr_assert_eq(bfd_socket_send(fd, &path, octets, sizeof(octets)), 0);
	tell(BFD_CHANGE, 1, (struct bfd_path){0}, (struct bfd_config){.desired_us = 200000, .required_us = 200000, .multiplier = 3});
	cr_assert(becomes(1, is_slower), "later packets have been heard");
	while (last[1].totals.dropped == 0)
		cr_assert(becomes(1, is_up), "the kernel counts it");
	cr_expect_eq(last[1].status.failures, 0);
	close(fd);
	fd = bfd_socket_open(&path);
	cr_assert_eq(bfd_socket_send(fd, &path, octets, sizeof(octets)), 0);
	cr_assert(becomes(1, is_down), "from a neighbour it would be believed");
	close(fd);
}

Test(bfd_engine, says_that_somebody_has_the_port_and_goes_on_when_it_is_free)
{
	struct bfd_path path = path_of("127.0.0.1", "127.0.0.2", false);
	int fd = bfd_socket_listen(bfd_socket_kind(&path));

	cr_assert_geq(fd, 0);
	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, has_trouble));
	cr_expect_eq(last[1].error, EADDRINUSE);
	close(fd);
	cr_assert(becomes(1, has_none));
	cr_assert(becomes(1, is_up));
}

Test(bfd_engine, refuses_a_second_session_with_a_peer)
{
	watch_both(false, CONFIG, CONFIG);
	cr_assert(becomes(1, is_up));
	tell(BFD_WATCH, 3, path_of("127.0.0.1", "127.0.0.2", false), CONFIG);
	cr_assert(becomes(3, has_trouble));
	cr_expect_eq(last[3].error, EEXIST);
}
