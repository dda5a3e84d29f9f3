/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/collector.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

enum { CONNECT_S = 10 };
enum { KEEP_IDLE_S = 30, KEEP_EACH_S = 10, KEEP_TIMES = 3 }; /* of TCP: a dead collector is found while there is nothing to say */

struct collector {
	struct event_base *base;
	struct model_collector config;
	const struct collector_events *events;
	void *context;
	struct bufferevent *stream; /* NULL: waits for the next try */
	struct event *retry;
	struct event *given_up; /* ends the connection from the loop, not from within a push */
	const char *fault;	/* why it is given up */
	unsigned retry_s;
	struct collector_status status;
};

static void
wait_before_retry(struct collector *c)
{
	/* Up to a quarter more, so that many nodes don't come back to a collector in one moment. */
	uint64_t spread_ms = clock_now_ns() / 1000 % (c->retry_s * 250 + 1);
	struct timeval wait = {.tv_sec = c->retry_s + (time_t)(spread_ms / 1000),
			       .tv_usec = (suseconds_t)(spread_ms % 1000 * 1000)};

	event_add(c->retry, &wait);
	c->retry_s = c->retry_s * 2 < COLLECTOR_RETRY_MAX_S ? c->retry_s * 2 : COLLECTOR_RETRY_MAX_S;
}

static void
connection_end(struct collector *c, const char *why)
{
	bool was_connected = c->status.is_connected;
	uint64_t now_ns = clock_now_ns();

	if (was_connected && now_ns - c->status.since_ns > COLLECTOR_STEADY_S * CLOCK_NS_PER_S)
		c->retry_s = COLLECTOR_RETRY_MIN_S;
	if (was_connected || strcmp(c->status.error, why) != 0)
		log_warning("bmp %s: %s%s", c->config.name, was_connected ? "connection ended: " : "can't connect: ", why);
	if (was_connected) {
		c->status.drops++;
		c->status.since_ns = now_ns;
	}
	c->status.is_connected = false;
	snprintf(c->status.error, sizeof(c->status.error), "%s", why);
	if (c->stream)
		bufferevent_free(c->stream);
	c->stream = NULL;
	c->fault = NULL;
	event_del(c->given_up);
	wait_before_retry(c);
}

/* RFC 7854 3.2: a collector never sends; what it sends all the same is thrown away. */
static void
on_readable(struct bufferevent *stream, void *context)
{
	struct evbuffer *input = bufferevent_get_input(stream);

	(void)context;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void
on_writable(struct bufferevent *stream, void *context)
{
	struct collector *c = context;

	(void)stream;
	if (c->status.is_connected && !c->fault)
		c->events->drained(c->context, c);
}

/* Where the kernel has none of these, the stall time is what finds it. */
static void
keep_alive(int fd)
{
	static const int on = 1, idle = KEEP_IDLE_S, each = KEEP_EACH_S, times = KEEP_TIMES;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &each, sizeof(each));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static void
on_connected(struct collector *c)
{
	static const struct timeval stall = {.tv_sec = COLLECTOR_STALL_S};

	keep_alive(bufferevent_getfd(c->stream));
	bufferevent_set_timeouts(c->stream, NULL, &stall);
	bufferevent_enable(c->stream, EV_READ);
	c->status.is_connected = true;
	c->status.since_ns = clock_now_ns();
	c->status.error[0] = '\0';
	log_notice("bmp %s: connected", c->config.name);
	c->events->connected(c->context, c);
}

static void
on_event(struct bufferevent *stream, short what, void *context)
{
	struct collector *c = context;

	(void)stream;
	if (what & BEV_EVENT_CONNECTED)
		on_connected(c);
	else if (what & BEV_EVENT_EOF)
		connection_end(c, "the collector closed it");
	else if (what & BEV_EVENT_TIMEOUT)
		connection_end(c, c->status.is_connected ? "the collector takes nothing" : "no answer");
	else
		connection_end(c, strerror(EVUTIL_SOCKET_ERROR()));
}

static int
dial(struct collector *c)
{
	static const struct timeval patience = {.tv_sec = CONNECT_S};
	bool is_v6 = c->config.address.family == ADDR_V6;
	char text[ADDR_TEXT_MAX], place[ADDR_TEXT_MAX + 16];
	struct sockaddr_storage to;
	int len = sizeof(to);

	snprintf(place, sizeof(place), is_v6 ? "[%s]:%u" : "%s:%u", addr_format(&c->config.address, text), c->config.port);
	if (evutil_parse_sockaddr_port(place, (struct sockaddr *)&to, &len) != 0)
		return -EINVAL;
	c->stream = bufferevent_socket_new(c->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!c->stream)
		return -ENOMEM;
	bufferevent_setcb(c->stream, on_readable, on_writable, on_event, c);
	bufferevent_setwatermark(c->stream, EV_WRITE, COLLECTOR_QUEUE_LOW, 0);
	bufferevent_set_timeouts(c->stream, NULL, &patience);
	return bufferevent_socket_connect(c->stream, (struct sockaddr *)&to, len) == 0 ? 0 : -errno;
}

static void
on_retry(evutil_socket_t fd, short what, void *context)
{
	struct collector *c = context;
	int err;

	(void)fd;
	(void)what;
	err = dial(c);
	/* A connect that fails at once has been told to on_event already. */
	if (err && !event_pending(c->retry, EV_TIMEOUT, NULL))
		connection_end(c, strerror(-err));
}

static void
on_given_up(evutil_socket_t fd, short what, void *context)
{
	struct collector *c = context;

	(void)fd;
	(void)what;
	if (c->fault)
		connection_end(c, c->fault);
}

struct collector *
collector_new(struct event_base *base, const struct model_collector *config, const struct collector_events *events,
	      void *context)
{
	struct collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->base = base;
	c->config = *config;
	c->events = events;
	c->context = context;
	c->retry_s = COLLECTOR_RETRY_MIN_S;
	c->status.since_ns = clock_now_ns();
	c->retry = evtimer_new(base, on_retry, c);
	c->given_up = evtimer_new(base, on_given_up, c);
	if (!c->retry || !c->given_up) {
		collector_free(c, NULL, 0);
		return NULL;
	}
	event_active(c->retry, EV_TIMEOUT, 0);
	return c;
}

/* Past the event loop, which has the queue's front for itself until now. */
static void
queue_flush(struct collector *c, const uint8_t *last, size_t len)
{
	struct evbuffer *queue = bufferevent_get_output(c->stream);

	if (evbuffer_add(queue, last, len) != 0 || evbuffer_unfreeze(queue, 1) != 0)
		return;
	while (evbuffer_get_length(queue) > 0 && evbuffer_write(queue, bufferevent_getfd(c->stream)) > 0)
		;
}

void
collector_free(struct collector *c, const uint8_t *last, size_t len)
{
	if (!c)
		return;
	if (collector_is_connected(c))
		queue_flush(c, last, len);
	if (c->stream)
		bufferevent_free(c->stream);
	if (c->retry)
		event_free(c->retry);
	if (c->given_up)
		event_free(c->given_up);
	free(c);
}

static void
give_up(struct collector *c, const char *why)
{
	c->fault = why;
	event_active(c->given_up, EV_TIMEOUT, 0);
}

void
collector_push(struct collector *c, const uint8_t *message, size_t len)
{
	struct evbuffer *queue;

	if (!collector_is_connected(c))
		return;
	queue = bufferevent_get_output(c->stream);
	if (evbuffer_get_length(queue) + len > COLLECTOR_QUEUE_MAX) {
		give_up(c, "the collector does not keep up");
	} else if (evbuffer_add(queue, message, len) != 0) {
		give_up(c, "out of memory");
	} else {
		c->status.messages++;
		c->status.octets += len;
	}
}

/* One that is given up holds its queue until the loop frees it. */
bool
collector_is_connected(const struct collector *c)
{
	return c->status.is_connected && !c->fault;
}

bool
collector_is_ready(const struct collector *c)
{
	return collector_is_connected(c) && collector_status(c).queue <= COLLECTOR_QUEUE_LOW;
}

const struct model_collector *
collector_config(const struct collector *c)
{
	return &c->config;
}

struct collector_status
collector_status(const struct collector *c)
{
	struct collector_status status = c->status;

	status.queue = c->stream ? evbuffer_get_length(bufferevent_get_output(c->stream)) : 0;
	return status;
}
