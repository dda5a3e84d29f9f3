/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three images: the one that the dataplane has acknowledged, the one in flight, and the one that waits (wanted). A
 * delta is what differs between the first and the third. Whatever goes wrong ends in a full transaction over a new
 * connection or after a NAK, which needs nothing to be known of the other side but its generation.
 */
#include "controlplane/publish.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/transaction.h"

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 2000,
	WELCOME_MS = 2000, /* the dataplane answers hello in this time */
	BEAT_MS = 500,	   /* how often its heart is looked at */
	HANGS_MS = 2000,
	ANSWER_MS = 10000, /* from the last progress of a transaction to its ACK or NAK */
	RETRY_MS = 10000,  /* from a refusal to the same image once more: memory, or room in a map, may be there again */
};

enum state {
	STATE_DOWN,   /* the timer reconnects */
	STATE_HELLO,  /* the welcome is awaited */
	STATE_UP,
};

struct publish {
	struct event_base *base;
	const struct publish_events *events;
	void *context;
	struct sockaddr_un address;
	enum state state;
	bool hangs; /* connected, but its heart stands still: nothing is known to be served */
	bool full_next;
	int socket;
	unsigned backoff_ms;
	uint64_t connected_at_ns;
	uint64_t progress_at_ns; /* of what is in flight: when the ring took a record of it last */
	uint64_t retry_at_ns; /* what is wanted has been refused: not before; 0: at once */
	uint64_t instance;
	uint64_t last_generation;
	uint64_t served_generation;
	struct event *on_socket;
	struct event *on_replies;
	struct event *timer; /* reconnect, or give up waiting for the welcome */
	struct event *beat;
	struct region_rings rings;
	struct region_counters counters;
	struct compiled *acked;
	struct compiled *flying;
	struct compiled *wanted;
	struct transaction transaction;
};

static void
timer_start(struct publish *p, unsigned ms)
{
	const struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(p->timer, &after);
}

static void
event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* What was in flight is wanted again, unless something newer is. */
static void
flying_return(struct publish *p)
{
	transaction_fini(&p->transaction);
	if (p->wanted)
		compiled_free(p->flying);
	else
		p->wanted = p->flying;
	p->flying = NULL;
}

static void
disconnect(struct publish *p, const char *why)
{
	bool was_up = p->state == STATE_UP && !p->hangs;

	if (p->state == STATE_UP)
		log_warning("publish: dataplane: %s", why);
	else
		log_debug("publish: %s: %s", p->address.sun_path, why);
	event_drop(&p->on_socket);
	event_drop(&p->on_replies);
	event_del(p->timer);
	event_del(p->beat);
	flying_return(p);
	if (!p->wanted) {
		p->wanted = p->acked;
		p->acked = NULL;
	}
	compiled_free(p->acked);
	p->acked = NULL;
	p->served_generation = 0;
	/* Mappings go only after `lost` has been told: the readers let go of the counters there. */
	p->state = STATE_DOWN;
	if (was_up)
		p->events->lost(p->context);
	region_rings_free(&p->rings);
	region_counters_free(&p->counters);
	if (p->socket >= 0)
		close(p->socket);
	p->socket = -1;
	timer_start(p, p->backoff_ms);
	p->backoff_ms = 2 * p->backoff_ms < BACKOFF_MAX_MS ? 2 * p->backoff_ms : BACKOFF_MAX_MS;
}

static void
wake_dataplane(const struct publish *p)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is at its end, so the dataplane is due to wake anyway. */
	if (write(p->rings.command_event, &one, sizeof(one)) != sizeof(one))
		log_debug("publish: eventfd: %s", strerror(errno));
}

/* Pushes until the ring is full; the dataplane's eventfd goes on from there. */
static void
transaction_push(struct publish *p)
{
	struct transaction *t = &p->transaction;
	uint32_t before = t->pushed;

	while (t->pushed < t->n && ring_push(&p->rings.commands, &t->records[t->pushed]))
		t->pushed++;
	if (t->pushed == before)
		return;
	p->progress_at_ns = clock_now_ns();
	wake_dataplane(p);
}

static void
acked_replace(struct publish *p, struct compiled *image)
{
	compiled_free(p->acked);
	p->acked = image;
	if (!p->hangs)
		p->events->served(p->context, p->served_generation, image);
}

/* A new transaction when none is in flight and something is wanted. A delta that isn't smaller is sent as a whole. */
static void
transaction_start(struct publish *p)
{
	struct transaction t;

	if (p->flying || !p->wanted || clock_now_ns() < p->retry_at_ns)
		return;
	t = transaction_of(p->full_next ? NULL : p->acked, p->wanted);
	if (!t.failed && !t.is_full && t.n == 1) {
		struct compiled *same = p->wanted;

		transaction_fini(&t);
		p->wanted = NULL;
		acked_replace(p, same);
		return;
	}
	if (!t.failed && !t.is_full) {
		struct transaction full = transaction_of(NULL, p->wanted);

		if (!full.failed && full.n <= t.n) {
			struct transaction delta = t;

			t = full;
			full = delta;
		}
		transaction_fini(&full);
	}
	if (!t.failed)
		transaction_seal(&t, p->last_generation + 1, p->served_generation);
	if (t.failed) {
		log_error("publish: out of memory; the tables stay as they are");
		transaction_fini(&t);
		return;
	}
	p->last_generation++;
	p->transaction = t;
	p->progress_at_ns = clock_now_ns();
	p->flying = p->wanted;
	p->wanted = NULL;
	p->full_next = false;
}

static void
ack_take(struct publish *p, const struct abi_ack *ack)
{
	struct compiled *image = p->flying;

	if (!image || ack->generation != p->transaction.generation || p->transaction.pushed < p->transaction.n) {
		disconnect(p, "acknowledges what it wasn't sent");
		return;
	}
	log_info("publish: generation %llu is served: %s, %u records, %u us", (unsigned long long)ack->generation,
		 p->transaction.is_full ? "full" : "delta", p->transaction.n - 2, ack->build_us);
	p->flying = NULL;
	transaction_fini(&p->transaction);
	p->served_generation = ack->generation;
	acked_replace(p, image);
}

/* A delta is tried again as a whole. What is refused as a whole is wanted still, but later. */
static void
nak_take(struct publish *p, const struct abi_nak *got)
{
	struct abi_nak nak = *got;
	bool is_last;

	nak.text[sizeof(nak.text) - 1] = '\0';
	if (!p->flying || nak.generation != p->transaction.generation) {
		disconnect(p, "refuses what it wasn't sent");
		return;
	}
	log_error("publish: generation %llu is refused: %s (reason %u, record %u)", (unsigned long long)nak.generation,
		  nak.text, nak.reason, nak.record);
	is_last = p->transaction.is_full && !p->wanted;
	p->full_next = true;
	flying_return(p);
	if (!is_last)
		return;
	p->retry_at_ns = clock_now_ns() + RETRY_MS * CLOCK_NS_PER_MS;
	p->events->rejected(p->context, &nak);
}

static void
reply_take(struct publish *p, const union abi_record *record)
{
	switch (record->type) {
	case ABI_ACK:
		ack_take(p, &record->ack);
		break;
	case ABI_NAK:
		nak_take(p, &record->nak);
		break;
	case ABI_PORT_CHANGED:
		p->events->port_changed(p->context);
		break;
	case ABI_SETTLED:
		p->events->settled(p->context, record->settled.generation);
		break;
	default:
		disconnect(p, "sends a record of unknown type");
	}
}

/* At most one ring full at a time, so that a peer that never stops can't hold the loop. */
static void
replies_take(struct publish *p, struct ring *ring)
{
	union abi_record record;
	int got = 0;

	for (unsigned i = 0; i < ABI_REPLIES && p->state == STATE_UP; i++) {
		got = ring_pop(ring, &record);
		if (got <= 0)
			break;
		reply_take(p, &record);
	}
	if (got < 0)
		disconnect(p, "broken ring");
}

static void
pump(struct publish *p)
{
	if (p->state == STATE_UP)
		replies_take(p, &p->rings.replies);
	if (p->state == STATE_UP)
		replies_take(p, &p->rings.events);
	if (p->state != STATE_UP)
		return;
	transaction_start(p);
	transaction_push(p);
}

static void
on_replies(evutil_socket_t fd, short what, void *context)
{
	uint64_t count;

	(void)what;
	/* Cleared before the rings are looked at: what comes later rings again. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("publish: eventfd: %s", strerror(errno));
	pump(context);
}

/* A dataplane that lives but doesn't answer has lost the thread: a new connection starts it from the beginning. */
static void
answer_await(struct publish *p, uint64_t now)
{
	if (p->state != STATE_UP || p->hangs || !p->flying || now < p->progress_at_ns + ANSWER_MS * CLOCK_NS_PER_MS)
		return;
	log_error("publish: generation %llu has had no answer for %d s: %u of %u records were taken",
		  (unsigned long long)p->transaction.generation, ANSWER_MS / 1000, p->transaction.pushed,
		  p->transaction.n);
	disconnect(p, "doesn't answer a transaction");
}

static void
on_beat(evutil_socket_t fd, short what, void *context)
{
	struct publish *p = context;
	uint64_t now = clock_now_ns();
	/* Relaxed: the value alone counts, nothing else is read by it. */
	uint64_t last = atomic_load_explicit(&region_header(&p->counters)->heartbeat_ns, memory_order_relaxed);
	bool hangs;

	(void)fd;
	(void)what;
	/* A dataplane that has just made its region may not have stamped it yet. */
	last = last > p->connected_at_ns ? last : p->connected_at_ns;
	hangs = now > last && now - last > HANGS_MS * CLOCK_NS_PER_MS;
	if (hangs && !p->hangs) {
		log_warning("publish: the dataplane's heart stands still");
		p->hangs = true;
		p->events->lost(p->context);
	} else if (!hangs && p->hangs) {
		log_notice("publish: the dataplane's heart beats again");
		p->hangs = false;
		p->progress_at_ns = now;
		p->events->connected(p->context);
		if (p->acked)
			p->events->served(p->context, p->served_generation, p->acked);
	}
	pump(p);
	answer_await(p, now);
}

static void
on_socket_end(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	disconnect(context, "gone"); /* nothing is ever sent after the welcome */
}

static int
welcome_map(struct publish *p, const struct abi_welcome *welcome, const int *fds)
{
	int err = region_rings_map(&p->rings, fds[0], fds[2], fds[3]);

	if (err) {
		for (unsigned i = 0; i < ABI_WELCOME_FDS; i++)
			close(fds[i]);
		return err;
	}
	err = region_counters_map(&p->counters, fds[1]);
	if (err) {
		close(fds[1]);
		return err;
	}
	p->instance = welcome->instance;
	p->last_generation = welcome->generation > p->last_generation ? welcome->generation : p->last_generation;
	return 0;
}

static int
up_start(struct publish *p)
{
	const struct timeval beat = {.tv_usec = BEAT_MS * 1000};

	event_drop(&p->on_socket);
	p->on_socket = event_new(p->base, p->socket, EV_READ | EV_PERSIST, on_socket_end, p);
	p->on_replies = event_new(p->base, p->rings.reply_event, EV_READ | EV_PERSIST, on_replies, p);
	if (!p->on_socket || !p->on_replies || event_add(p->on_socket, NULL) != 0 ||
	    event_add(p->on_replies, NULL) != 0 || event_add(p->beat, &beat) != 0)
		return -ENOMEM;
	event_del(p->timer);
	p->backoff_ms = BACKOFF_MIN_MS;
	p->connected_at_ns = clock_now_ns();
	p->hangs = false;
	p->full_next = true;
	p->retry_at_ns = 0;
	p->state = STATE_UP;
	return 0;
}

static void
on_welcome(evutil_socket_t fd, short what, void *context)
{
	struct publish *p = context;
	struct abi_welcome welcome;
	int fds[ABI_WELCOME_FDS];
	int err = region_recv_welcome(fd, &welcome, fds);

	(void)what;
	if (err == -EAGAIN)
		return;
	if (!err && welcome.status != ABI_WELCOME) {
		log_warning("publish: the dataplane refuses us: %s", welcome.reason);
		disconnect(p, welcome.reason);
		return;
	}
	err = err ? err : welcome_map(p, &welcome, fds);
	err = err ? err : up_start(p);
	if (err) {
		disconnect(p, strerror(-err));
		return;
	}
	log_notice("publish: connected to the dataplane (%u workers, generation %llu)", welcome.n_workers,
		   (unsigned long long)welcome.generation);
	p->events->connected(p->context);
	pump(p);
}

static int
hello_send(struct publish *p)
{
	int err;

	p->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->socket < 0)
		return -errno;
	if (connect(p->socket, (const struct sockaddr *)&p->address, sizeof(p->address)) != 0)
		return -errno;
	err = region_send_hello(p->socket);
	if (err)
		return err;
	p->on_socket = event_new(p->base, p->socket, EV_READ | EV_PERSIST, on_welcome, p);
	if (!p->on_socket || event_add(p->on_socket, NULL) != 0)
		return -ENOMEM;
	p->state = STATE_HELLO;
	timer_start(p, WELCOME_MS);
	return 0;
}

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	struct publish *p = context;
	int err;

	(void)fd;
	(void)what;
	if (p->state == STATE_HELLO) {
		disconnect(p, "no welcome came");
		return;
	}
	err = hello_send(p);
	if (err)
		disconnect(p, strerror(-err));
}

int
publish_new(struct event_base *base, const char *socket_path, const struct publish_events *events, void *context,
	    struct publish **out)
{
	struct publish *p;

	if (strlen(socket_path) >= sizeof(p->address.sun_path))
		return -ENAMETOOLONG;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->base = base;
	p->events = events;
	p->context = context;
	p->address.sun_family = AF_UNIX;
	strcpy(p->address.sun_path, socket_path);
	p->socket = -1;
	p->backoff_ms = BACKOFF_MIN_MS;
	p->rings = (struct region_rings){.memfd = -1, .command_event = -1, .reply_event = -1};
	p->counters.memfd = -1;
	p->timer = event_new(base, -1, 0, on_timer, p);
	p->beat = event_new(base, -1, EV_PERSIST, on_beat, p);
	if (!p->timer || !p->beat) {
		publish_free(p);
		return -ENOMEM;
	}
	timer_start(p, 0);
	*out = p;
	return 0;
}

void
publish_free(struct publish *p)
{
	if (!p)
		return;
	event_drop(&p->on_replies);
	event_drop(&p->on_socket);
	event_drop(&p->beat);
	event_drop(&p->timer);
	transaction_fini(&p->transaction);
	compiled_free(p->wanted);
	compiled_free(p->flying);
	compiled_free(p->acked);
	region_rings_free(&p->rings);
	region_counters_free(&p->counters);
	if (p->socket >= 0)
		close(p->socket);
	free(p);
}

/* From within a callback, the loop's next round sends it: the caller's state is half-way then. */
void
publish_want(struct publish *p, struct compiled *image)
{
	compiled_free(p->wanted);
	p->wanted = image;
	p->retry_at_ns = 0;
	if (p->state == STATE_UP)
		event_active(p->on_replies, EV_READ, 0);
}

const struct region_counters *
publish_counters(const struct publish *p)
{
	return p->state == STATE_UP ? &p->counters : NULL;
}

unsigned
publish_ports(const struct publish *p, struct abi_port *ports, unsigned max)
{
	unsigned n;

	if (p->state != STATE_UP)
		return 0;
	n = region_header(&p->counters)->n_ports;
	n = n < ABI_PORTS_MAX ? n : ABI_PORTS_MAX;
	n = n < max ? n : max;
	for (unsigned i = 0; i < n; i++) {
		ports[i] = region_ports(&p->counters)[i];
		ports[i].name[sizeof(ports[i].name) - 1] = '\0';
		ports[i].interface[sizeof(ports[i].interface) - 1] = '\0';
	}
	return n;
}

uint64_t
publish_generation(const struct publish *p)
{
	return p->served_generation;
}

bool
publish_is_connected(const struct publish *p)
{
	return p->state == STATE_UP && !p->hangs;
}

bool
publish_is_current(const struct publish *p)
{
	return publish_is_connected(p) && p->acked && !p->wanted && !p->flying;
}
