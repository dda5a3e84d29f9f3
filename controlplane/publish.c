/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three images: the one that the dataplane has acknowledged, the one in flight, and the one that waits (wanted). A
 * delta is what differs between the first and the third. Whatever goes wrong ends in a full transaction over a new
 * connection or after a NAK, which needs nothing to be known of the other side but its generation.
 */
#include "controlplane/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/connection.h"
#include "controlplane/transaction.h"

enum {
	ANSWER_MS = 10000, /* from the last progress of a transaction to its ACK or NAK */
	RETRY_MS = 10000,  /* from a refusal to the same image once more: memory, or room in a map, may be there again */
};

struct publish {
	const struct publish_events *events;
	void *context;
	struct connection *connection;
	bool full_next;
	uint64_t progress_at_ns; /* of what is in flight: when the ring took a record of it last */
	uint64_t retry_at_ns; /* what is wanted has been refused: not before; 0: at once */
	uint64_t last_generation;
	uint64_t served_generation;
	struct compiled *acked;
	struct compiled *flying;
	struct compiled *wanted;
	struct transaction transaction;
	struct transaction beside; /* records that wait and are no part of a transaction; a list of records as one is */
};

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

/* Pushes until the ring is full; the dataplane's eventfd goes on from there. */
static void
transaction_push(struct publish *p)
{
	struct region_rings *rings = connection_rings(p->connection);
	struct transaction *t = &p->transaction;
	uint32_t before = t->pushed;

	while (t->pushed < t->n && ring_push(&rings->commands, &t->records[t->pushed]))
		t->pushed++;
	if (t->pushed == before)
		return;
	p->progress_at_ns = clock_now_ns();
	connection_ring(p->connection);
}

/* Never in the middle of a transaction. */
static void
beside_push(struct publish *p)
{
	struct region_rings *rings = connection_rings(p->connection);
	struct transaction *t = &p->beside;
	uint32_t before = t->pushed;

	if (p->flying && p->transaction.pushed < p->transaction.n)
		return;
	while (t->pushed < t->n && ring_push(&rings->commands, &t->records[t->pushed]))
		t->pushed++;
	if (t->pushed == before)
		return;
	connection_ring(p->connection);
	if (t->pushed == t->n)
		transaction_fini(t);
}

static void
acked_replace(struct publish *p, struct compiled *image)
{
	compiled_free(p->acked);
	p->acked = image;
	if (connection_is_alive(p->connection))
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
		connection_drop(p->connection, "acknowledges what it wasn't sent");
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
		connection_drop(p->connection, "refuses what it wasn't sent");
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
	case ABI_CAPTURED:
		p->events->captured(p->context, &record->captured);
		break;
	case ABI_LISTED:
		p->events->listed(p->context, &record->listed);
		break;
	case ABI_ATTACK:
		p->events->attack(p->context, &record->attack);
		break;
	case ABI_TALKER:
		p->events->talker(p->context, &record->talker);
		break;
	default:
		connection_drop(p->connection, "sends a record of unknown type");
	}
}

/* At most one ring full at a time, so that a peer that never stops can't hold the loop. */
static void
replies_take(struct publish *p, struct ring *ring)
{
	union abi_record record;
	int got = 0;

	for (unsigned i = 0; i < ABI_REPLIES && connection_is_up(p->connection); i++) {
		got = ring_pop(ring, &record);
		if (got <= 0)
			break;
		reply_take(p, &record);
	}
	if (got < 0)
		connection_drop(p->connection, "broken ring");
}

/* A dataplane that lives but doesn't answer has lost the thread: a new connection starts it from the beginning. */
static void
answer_await(struct publish *p)
{
	if (!connection_is_alive(p->connection) || !p->flying ||
	    clock_now_ns() < p->progress_at_ns + ANSWER_MS * CLOCK_NS_PER_MS)
		return;
	log_error("publish: generation %llu has had no answer for %d s: %u of %u records were taken",
		  (unsigned long long)p->transaction.generation, ANSWER_MS / 1000, p->transaction.pushed,
		  p->transaction.n);
	connection_drop(p->connection, "doesn't answer a transaction");
}

static void
on_look(void *context)
{
	struct publish *p = context;

	if (connection_is_up(p->connection))
		replies_take(p, &connection_rings(p->connection)->replies);
	if (connection_is_up(p->connection))
		replies_take(p, &connection_rings(p->connection)->events);
	if (!connection_is_up(p->connection))
		return;
	transaction_start(p);
	transaction_push(p);
	beside_push(p);
	answer_await(p);
}

static void
on_up(void *context, uint64_t generation)
{
	struct publish *p = context;

	p->last_generation = generation > p->last_generation ? generation : p->last_generation;
	p->full_next = true;
	p->retry_at_ns = 0;
	p->events->connected(p->context);
}

static void
on_down(void *context, bool was_alive)
{
	struct publish *p = context;

	flying_return(p);
	transaction_fini(&p->beside);
	if (!p->wanted) {
		p->wanted = p->acked;
		p->acked = NULL;
	}
	compiled_free(p->acked);
	p->acked = NULL;
	p->served_generation = 0;
	if (was_alive)
		p->events->lost(p->context);
}

/* While its heart stands still nothing is known to be served. */
static void
on_alive(void *context, bool is_alive)
{
	struct publish *p = context;

	if (!is_alive) {
		p->events->lost(p->context);
		return;
	}
	p->progress_at_ns = clock_now_ns();
	p->events->connected(p->context);
	if (p->acked)
		p->events->served(p->context, p->served_generation, p->acked);
}

static const struct connection_events CONNECTION_EVENTS = {
	.up = on_up,
	.down = on_down,
	.alive = on_alive,
	.look = on_look,
};

int
publish_new(struct event_base *base, const char *socket_path, const struct publish_events *events, void *context,
	    struct publish **out)
{
	struct publish *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->events = events;
	p->context = context;
	err = connection_new(base, socket_path, &CONNECTION_EVENTS, p, &p->connection);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void
publish_free(struct publish *p)
{
	if (!p)
		return;
	connection_free(p->connection);
	transaction_fini(&p->transaction);
	transaction_fini(&p->beside);
	compiled_free(p->wanted);
	compiled_free(p->flying);
	compiled_free(p->acked);
	free(p);
}

/* From within a callback, the loop's next round sends it: the caller's state is half-way then. */
void
publish_want(struct publish *p, struct compiled *image)
{
	compiled_free(p->wanted);
	p->wanted = image;
	p->retry_at_ns = 0;
	connection_look(p->connection);
}

void
publish_beside(struct publish *p, const union abi_record *record)
{
	if (!connection_is_up(p->connection))
		return;
	transaction_add(&p->beside, record);
	if (p->beside.failed)
		log_error("publish: out of memory: a change of the lists, or a capture, is lost");
	p->beside.failed = false;
	connection_look(p->connection);
}

struct region_captures *
publish_captures(const struct publish *p)
{
	return connection_is_up(p->connection) ? connection_captures(p->connection) : NULL;
}

const struct region_counters *
publish_counters(const struct publish *p)
{
	return connection_is_up(p->connection) ? connection_counters(p->connection) : NULL;
}

unsigned
publish_ports(const struct publish *p, struct abi_port *ports, unsigned max)
{
	const struct region_counters *counters = publish_counters(p);
	unsigned n;

	if (!counters)
		return 0;
	n = region_header(counters)->n_ports;
	n = n < ABI_PORTS_MAX ? n : ABI_PORTS_MAX;
	n = n < max ? n : max;
	for (unsigned i = 0; i < n; i++) {
		ports[i] = region_ports(counters)[i];
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
	return connection_is_alive(p->connection);
}

bool
publish_is_current(const struct publish *p)
{
	return publish_is_connected(p) && p->acked && !p->wanted && !p->flying;
}
