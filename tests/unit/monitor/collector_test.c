/* SPDX-License-Identifier: BSD-2-Clause */
/* A collector's connection to a listener in the same process and event loop, which reads, stops reading, or leaves. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "controlplane/collector.h"

static struct {
	struct event_base *base;
	struct model_collector config;
	struct collector *collector;
	int listener;
	int peer; /* -1: none */
	unsigned n_connected;
	unsigned n_drained;
} t;

static void
on_connected(void *context, struct collector *collector)
{
	(void)context;
	cr_expect(collector_is_connected(collector) && collector_is_ready(collector));
	t.n_connected++;
}

static void
on_drained(void *context, struct collector *collector)
{
	(void)context;
	cr_expect(collector_is_ready(collector));
	t.n_drained++;
}

static const struct collector_events EVENTS = {.connected = on_connected, .drained = on_drained};

static void
begin(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);

	t.base = event_base_new();
	t.peer = -1;
	t.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert(t.base && bind(t.listener, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(t.listener, 4) == 0);
	cr_assert_eq(getsockname(t.listener, (struct sockaddr *)&any, &len), 0);
	t.config = (struct model_collector){.name = "c", .port = ntohs(any.sin_port)};
	cr_assert_eq(addr_parse("127.0.0.1", &t.config.address), 0);
	t.collector = collector_new(t.base, &t.config, &EVENTS, NULL);
	cr_assert(t.collector);
}

static void
end(void)
{
	collector_free(t.collector, NULL, 0);
	if (t.peer >= 0)
		close(t.peer);
	close(t.listener);
	event_base_free(t.base);
}

TestSuite(collector, .init = begin, .fini = end);

static bool
is_connected(void)
{
	if (t.peer < 0)
		t.peer = accept(t.listener, NULL, NULL);
	return t.peer >= 0 && collector_is_connected(t.collector);
}

static bool
is_gone(void)
{
	return !collector_is_connected(t.collector) && !collector_status(t.collector).is_connected;
}

static bool
is_refused(void)
{
	return collector_status(t.collector).error[0] != '\0';
}

static bool
is_drained(void)
{
	static char octets[1 << 16];

	while (recv(t.peer, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		;
	return collector_status(t.collector).queue == 0;
}

static void
until(bool (*condition)(void))
{
	uint64_t end_ns = clock_now_ns() + 20 * CLOCK_NS_PER_S;

	while (!condition()) {
		cr_assert_lt(clock_now_ns(), end_ns, "waited in vain");
		event_base_loop(t.base, EVLOOP_NONBLOCK);
		usleep(500);
	}
}

static void
push(size_t octets)
{
	static uint8_t message[1 << 16];

	for (; octets > 0; octets -= octets < sizeof(message) ? octets : sizeof(message))
		collector_push(t.collector, message, octets < sizeof(message) ? octets : sizeof(message));
}

Test(collector, carries_messages_in_order_and_the_last_one_at_the_end)
{
	char got[16] = "";
	size_t len = 0;

	collector_push(t.collector, (const uint8_t *)"lost", 4);
	until(is_connected);
	cr_expect_eq(collector_status(t.collector).messages, 0, "what is pushed while there is no connection is passed over");
	collector_push(t.collector, (const uint8_t *)"one", 3);
	collector_push(t.collector, (const uint8_t *)"two", 3);
	cr_expect_eq(collector_status(t.collector).queue, 6);
	collector_free(t.collector, (const uint8_t *)"end", 3);
	t.collector = NULL;
	event_base_loop(t.base, EVLOOP_NONBLOCK); /* libevent closes a socket from there */
	for (ssize_t n; (n = recv(t.peer, got + len, sizeof(got) - 1 - len, 0)) > 0;)
		len += (size_t)n;
	cr_expect_str_eq(got, "onetwoend");
}

Test(collector, says_when_the_queue_is_short_again)
{
	until(is_connected);
	push(COLLECTOR_QUEUE_MAX);
	cr_expect(collector_is_connected(t.collector) && !collector_is_ready(t.collector));
	t.n_drained = 0;
	until(is_drained);
	cr_expect_gt(t.n_drained, 0);
	cr_expect_eq(collector_status(t.collector).octets, COLLECTOR_QUEUE_MAX);
}

Test(collector, drops_one_that_does_not_keep_up_and_dials_again)
{
	until(is_connected);
	push(COLLECTOR_QUEUE_MAX);
	cr_expect_eq(collector_status(t.collector).queue, COLLECTOR_QUEUE_MAX, "that much it holds");
	collector_push(t.collector, (const uint8_t *)"x", 1);
	cr_expect_not(collector_is_connected(t.collector), "a stream with a gap is none");
	collector_push(t.collector, (const uint8_t *)"y", 1);
	cr_expect_eq(collector_status(t.collector).octets, COLLECTOR_QUEUE_MAX);
	until(is_gone);
	cr_expect_eq(collector_status(t.collector).drops, 1);
	cr_expect_eq(collector_status(t.collector).queue, 0);
	cr_expect_str_eq(collector_status(t.collector).error, "the collector does not keep up");
	close(t.peer);
	t.peer = -1;
	until(is_connected);
	cr_expect_eq(t.n_connected, 2);
	cr_expect_str_eq(collector_status(t.collector).error, "");
}

Test(collector, dials_again_when_the_collector_leaves)
{
	for (unsigned i = 1; i < 3; i++) {
		until(is_connected);
		close(t.peer);
		t.peer = -1;
		until(is_gone);
		cr_expect_eq(collector_status(t.collector).drops, i);
		cr_expect_str_eq(collector_status(t.collector).error, "the collector closed it");
	}
}

Test(collector, throws_away_what_a_collector_says)
{
	char octets[4096] = "";

	until(is_connected);
	for (int i = 0; i < 1000; i++) {
		(void)!send(t.peer, octets, sizeof(octets), MSG_DONTWAIT);
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	}
	cr_expect(collector_is_connected(t.collector));
	push(100);
	until(is_drained);
}

Test(collector, says_why_it_has_no_connection)
{
	close(t.listener);
	until(is_refused);
	cr_expect(is_gone());
	cr_expect_eq(collector_status(t.collector).drops, 0, "there was no connection to drop");
	cr_expect_str_eq(collector_status(t.collector).error, strerror(ECONNREFUSED));
}
