/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Down, hello (the welcome is awaited), up, and down again: one timer dials and gives up on a welcome that doesn't come,
 * another looks at the heart. A process that hangs keeps its socket, so only the heart tells.
 */
#include "controlplane/connection.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 2000,
	WELCOME_MS = 2000, /* the dataplane answers hello in this time */
	BEAT_MS = 500,	   /* how often its heart is looked at */
	HANGS_MS = 2000,
};

enum state {
	STATE_DOWN,   /* the timer reconnects */
	STATE_HELLO,  /* the welcome is awaited */
	STATE_UP,
};

struct connection {
	struct event_base *base;
	const struct connection_events *events;
	void *context;
	struct sockaddr_un address;
	enum state state;
	bool hangs; /* connected, but its heart stands still */
	int socket;
	unsigned backoff_ms;
	uint64_t connected_at_ns;
	struct event *on_socket;
	struct event *on_replies;
	struct event *timer; /* reconnect, or give up waiting for the welcome */
	struct event *beat;
	struct region_rings rings;
	struct region_counters counters;
	struct region_captures captures;
};

static void
timer_start(struct connection *c, unsigned ms)
{
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(c->timer, &after);
}

static void
event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

void
connection_drop(struct connection *c, const char *why)
{
	bool was_up = c->state == STATE_UP;

	if (was_up)
		log_warning("publish: dataplane: %s", why);
	else
		log_debug("publish: %s: %s", c->address.sun_path, why);
	event_drop(&c->on_socket);
	event_drop(&c->on_replies);
	event_del(c->timer);
	event_del(c->beat);
	/* Mappings go only after `down` has been told: the readers let go of the counters there. */
	c->state = STATE_DOWN;
	if (was_up)
		c->events->down(c->context, !c->hangs);
	region_rings_free(&c->rings);
	region_counters_free(&c->counters);
	region_captures_free(&c->captures);
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
	timer_start(c, c->backoff_ms);
	c->backoff_ms = 2 * c->backoff_ms < BACKOFF_MAX_MS ? 2 * c->backoff_ms : BACKOFF_MAX_MS;
}

void
connection_ring(const struct connection *c)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is at its end, so the dataplane is due to wake anyway. */
	if (write(c->rings.command_event, &one, sizeof(one)) != sizeof(one))
		log_debug("publish: eventfd: %s", strerror(errno));
}

static void
on_replies(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = context;
	uint64_t count;

	(void)what;
	/* Cleared before the rings are looked at: what comes later rings again. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("publish: eventfd: %s", strerror(errno));
	c->events->look(c->context);
}

static void
on_beat(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = context;
	uint64_t now = clock_now_ns();
	/* Relaxed: the value alone counts, nothing else is read by it. */
	uint64_t last = atomic_load_explicit(&region_header(&c->counters)->heartbeat_ns, memory_order_relaxed);
	bool hangs;

	(void)fd;
	(void)what;
	/* A dataplane that has just made its region may not have stamped it yet. */
	last = last > c->connected_at_ns ? last : c->connected_at_ns;
	hangs = now > last && now - last > HANGS_MS * CLOCK_NS_PER_MS;
	if (hangs && !c->hangs) {
		log_warning("publish: the dataplane's heart stands still");
		c->hangs = true;
		c->events->alive(c->context, false);
	} else if (!hangs && c->hangs) {
		log_notice("publish: the dataplane's heart beats again");
		c->hangs = false;
		c->events->alive(c->context, true);
	}
	c->events->look(c->context);
}

static void
on_socket_end(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	connection_drop(context, "gone"); /* nothing is ever sent after the welcome */
}

static int
welcome_map(struct connection *c, const int *fds)
{
	int err = region_rings_map(&c->rings, fds[0], fds[3], fds[4]);

	if (err) {
		for (unsigned i = 0; i < ABI_WELCOME_FDS; i++)
			close(fds[i]);
		return err;
	}
	err = region_counters_map(&c->counters, fds[1]);
	if (err) {
		close(fds[1]);
		close(fds[2]);
		return err;
	}
	err = region_captures_map(&c->captures, fds[2], c->counters.n_workers);
	if (err)
		close(fds[2]);
	return err;
}

static int
up_start(struct connection *c)
{
	const struct timeval beat = {.tv_usec = BEAT_MS * 1000};

	event_drop(&c->on_socket);
	c->on_socket = event_new(c->base, c->socket, EV_READ | EV_PERSIST, on_socket_end, c);
	c->on_replies = event_new(c->base, c->rings.reply_event, EV_READ | EV_PERSIST, on_replies, c);
	if (!c->on_socket || !c->on_replies || event_add(c->on_socket, NULL) != 0 ||
	    event_add(c->on_replies, NULL) != 0 || event_add(c->beat, &beat) != 0)
		return -ENOMEM;
	event_del(c->timer);
	c->backoff_ms = BACKOFF_MIN_MS;
	c->connected_at_ns = clock_now_ns();
	c->hangs = false;
	c->state = STATE_UP;
	return 0;
}

static void
on_welcome(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = context;
	struct abi_welcome welcome;
	int fds[ABI_WELCOME_FDS];
	int err = region_recv_welcome(fd, &welcome, fds);

	(void)what;
	if (err == -EAGAIN)
		return;
	if (!err && welcome.status != ABI_WELCOME) {
		log_warning("publish: the dataplane refuses us: %s", welcome.reason);
		connection_drop(c, welcome.reason);
		return;
	}
	err = err ? err : welcome_map(c, fds);
	err = err ? err : up_start(c);
	if (err) {
		connection_drop(c, strerror(-err));
		return;
	}
	log_notice("publish: connected to the dataplane (%u workers, generation %llu)", welcome.n_workers,
		   (unsigned long long)welcome.generation);
	c->events->up(c->context, welcome.generation);
	c->events->look(c->context);
}

static int
hello_send(struct connection *c)
{
	int err;

	c->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->socket < 0)
		return -errno;
	if (connect(c->socket, (const struct sockaddr *)&c->address, sizeof(c->address)) != 0)
		return -errno;
	err = region_send_hello(c->socket);
	if (err)
		return err;
	c->on_socket = event_new(c->base, c->socket, EV_READ | EV_PERSIST, on_welcome, c);
	if (!c->on_socket || event_add(c->on_socket, NULL) != 0)
		return -ENOMEM;
	c->state = STATE_HELLO;
	timer_start(c, WELCOME_MS);
	return 0;
}

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	struct connection *c = context;
	int err;

	(void)fd;
	(void)what;
	if (c->state == STATE_HELLO) {
		connection_drop(c, "no welcome came");
		return;
	}
	err = hello_send(c);
	if (err)
		connection_drop(c, strerror(-err));
}

int
connection_new(struct event_base *base, const char *socket_path, const struct connection_events *events, void *context,
	       struct connection **out)
{
	struct connection *c;

	if (strlen(socket_path) >= sizeof(c->address.sun_path))
		return -ENAMETOOLONG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->base = base;
	c->events = events;
	c->context = context;
	c->address.sun_family = AF_UNIX;
	strcpy(c->address.sun_path, socket_path);
	c->socket = -1;
	c->backoff_ms = BACKOFF_MIN_MS;
	c->rings = (struct region_rings){.memfd = -1, .command_event = -1, .reply_event = -1};
	c->counters.memfd = -1;
	c->captures.memfd = -1;
	c->timer = event_new(base, -1, 0, on_timer, c);
	c->beat = event_new(base, -1, EV_PERSIST, on_beat, c);
	if (!c->timer || !c->beat) {
		connection_free(c);
		return -ENOMEM;
	}
	timer_start(c, 0);
	*out = c;
	return 0;
}

void
connection_free(struct connection *c)
{
	if (!c)
		return;
	event_drop(&c->on_replies);
	event_drop(&c->on_socket);
	event_drop(&c->beat);
	event_drop(&c->timer);
	region_rings_free(&c->rings);
	region_counters_free(&c->counters);
	region_captures_free(&c->captures);
	if (c->socket >= 0)
		close(c->socket);
	free(c);
}

bool
connection_is_up(const struct connection *c)
{
	return c->state == STATE_UP;
}

bool
connection_is_alive(const struct connection *c)
{
	return c->state == STATE_UP && !c->hangs;
}

struct region_rings *
connection_rings(struct connection *c)
{
	return &c->rings;
}

struct region_captures *
connection_captures(struct connection *c)
{
	return &c->captures;
}

const struct region_counters *
connection_counters(const struct connection *c)
{
	return &c->counters;
}

void
connection_look(struct connection *c)
{
	if (c->state == STATE_UP)
		event_active(c->on_replies, EV_READ, 0);
}
