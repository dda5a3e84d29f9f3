/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * START goes out with the request, STOP when one of the bounds is met or the client asks for it. Between their answers the
 * rings are looked at every POLL_MS: no worker rings a bell for it. After STOP's answer nobody writes to them, so that
 * what is in them then is all there is.
 */
#include "controlplane/capturing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/capture_block.h"
#include "controlplane/node.h"

enum {
	POLL_MS = 10,
	ANSWER_S = 10,	     /* for START and STOP; a dataplane that builds tables meanwhile takes its time */
	CHUNK = 30 * 1024,   /* octets of the file in one notification, or a block more */
	CHUNK_MAX = CHUNK + CAPTURE_BLOCK_MAX,
	ROOM = 2 * CHUNK_MAX, /* as text in its notification */
};

enum state { IDLE, STARTING, RUNNING, STOPPING, DRAINING };

struct capturing {
	struct node *node;
	struct event *poll; /* pending: not idle */

	enum state state;
	struct control_call *call; /* NULL: there is none, or its client has gone */
	uint32_t token;
	uint32_t count;
	uint32_t duration_s;
	uint32_t snap;
	unsigned n_ports;
	uint64_t until_ns; /* of the state */
	const char *ended; /* by what; NULL: it goes on */

	uint32_t packets;
	uint64_t octets; /* of the file */
	uint64_t missed;
	uint64_t lost_before; /* what the rings had counted when it began */

	struct abi_capture_slot slot; /* the last copy taken */
	size_t len;
	uint8_t chunk[CHUNK_MAX];
	char text[(CHUNK_MAX + 2) / 3 * 4 + 1];
};

/* What the numbers of copies are called, looked up once for copies in a row that have the same. */
struct naming {
	const struct node *node;
	uint64_t service_key; /* 0: none yet */
	const char *service;
	char rule[MODEL_NAME_MAX + 64];
};

static const char *
service_name(struct naming *n, uint16_t index)
{
	const struct region_counters *counters = publish_counters(n->node->publish);
	uint64_t key;

	if (index == ABI_CAPTURE_NO_SERVICE || !counters)
		return NULL;
	/* Relaxed: a name, to which nothing else hangs. */
	key = atomic_load_explicit(&region_services(counters)[index].key, memory_order_relaxed);
	if (key == n->service_key)
		return n->service;
	n->service_key = key;
	n->service = NULL;
	for (unsigned i = 0; i < n->node->model->n_services && !n->service; i++) {
		if (compile_key(n->node->model->services[i].name) == key)
			n->service = n->node->model->services[i].name;
	}
	return n->service;
}

static const char *
filter_name(struct naming *n, const struct filter *f)
{
	if (f->id)
		snprintf(n->rule, sizeof(n->rule), "filter %u", f->id);
	else
		snprintf(n->rule, sizeof(n->rule), "filter %s", f->name[0] ? f->name : f->origin);
	return n->rule;
}

static const char *
rule_name(struct naming *n, uint64_t mark)
{
	const struct rules *rules = n->node->rules;

	for (unsigned i = 0; mark && i < filters_count(n->node->filters); i++) {
		const struct filter *f = filters_at(n->node->filters, i);

		if (f->key == mark)
			return filter_name(n, f);
	}
	for (unsigned i = 0; mark && rules && i < rules->n; i++) {
		if (abi_signature_key(&rules->list[i].signature) != mark)
			continue;
		snprintf(n->rule, sizeof(n->rule), "signature %s", rules->list[i].signature.name);
		return n->rule;
	}
	return NULL;
}

/* To the dataplane. */

static void
start_send(struct capturing *c, const struct capturing_request *request)
{
	const struct program *program = &request->program;
	union abi_record record = {.capture = request->record};

	for (unsigned i = 0; i * ABI_FILTER_PART_INSNS < program->n; i++) {
		union abi_record part = {.filter_part = {.type = ABI_CAPTURE_PART, .index = (uint16_t)i}};

		memcpy(part.filter_part.insns, &program->insns[i * ABI_FILTER_PART_INSNS], sizeof(part.filter_part.insns));
		publish_beside(c->node->publish, &part);
	}
	record.capture.type = ABI_CAPTURE;
	record.capture.op = ABI_CAPTURE_START;
	record.capture.token = c->token;
	record.capture.n_insns = program->n;
	publish_beside(c->node->publish, &record);
}

static void
stop_send(struct capturing *c)
{
	const union abi_record record = {
		.capture = {.type = ABI_CAPTURE, .op = ABI_CAPTURE_STOP, .token = c->token}};

	publish_beside(c->node->publish, &record);
}

static uint64_t
rings_lost(const struct region_captures *captures)
{
	uint64_t lost = 0;

	for (unsigned i = 0; captures && i < captures->n_workers; i++)
		lost += capture_ring_lost(&captures->rings[i]);
	return lost;
}

/* To the client. */

static void
chunk_tell(struct capturing *c)
{
	if (c->len == 0)
		return;
	base64_encode(c->chunk, c->len, c->text);
	control_tell(c->call, "captured", json_pack("{s:s}", "octets", c->text));
	c->octets += c->len;
	c->len = 0;
}

/* The file's head: a copy's port is the index of an interface. */
static void
head_tell(struct capturing *c)
{
	struct abi_port ports[ABI_PORTS_MAX];

	c->n_ports = publish_ports(c->node->publish, ports, ABI_PORTS_MAX);
	c->len = pcapng_section_encode(c->chunk, "nearcast " NEARCAST_VERSION);
	for (unsigned i = 0; i < c->n_ports; i++)
		c->len += pcapng_interface_encode(c->chunk + c->len, ports[i].interface[0] ? ports[i].interface : ports[i].name,
						  c->snap);
	chunk_tell(c);
}
_Static_assert(PCAPNG_HEAD_MAX * (ABI_PORTS_MAX + 1) <= CHUNK_MAX, "the head is one chunk");

static void
rest(struct capturing *c)
{
	c->state = IDLE;
	c->call = NULL;
	c->len = 0;
	event_del(c->poll);
}

static void
finish(struct capturing *c)
{
	struct control_call *call = c->call;

	chunk_tell(c);
	log_notice("capture: ended by %s: %u packets, %llu missed", c->ended, c->packets, (unsigned long long)c->missed);
	rest(c);
	control_reply(call, json_pack("{s:I, s:I, s:I, s:s}", "packets", (json_int_t)c->packets, "missed",
				      (json_int_t)c->missed, "octets", (json_int_t)c->octets, "ended", c->ended));
}

/* What was told stays good: the file ends after whole blocks. */
static void
fail(struct capturing *c, const char *why)
{
	struct control_error error;
	struct control_call *call = c->call;

	chunk_tell(c);
	stop_send(c);
	log_warning("capture: %s", why);
	rest(c);
	control_fail(&error, CONTROL_REFUSED, "%s", why);
	control_refuse(call, &error);
}

/* The rings. */

/* False: the dataplane's copy can't be. */
static bool
slot_take(struct capturing *c, struct naming *naming)
{
	const struct abi_capture_slot *slot = &c->slot;
	struct capture_names names;

	if (slot->token != c->token || c->packets == c->count)
		return true;
	if (slot->port >= c->n_ports)
		return false;
	names.service = service_name(naming, slot->service);
	names.rule = rule_name(naming, slot->mark);
	c->len += capture_block_encode(c->chunk + c->len, slot, &names);
	c->packets++;
	if (c->len >= CHUNK)
		chunk_tell(c);
	return true;
}

/* What is in one ring, as far as the client takes it. 1: there may be more; 0: it is empty; -EBADMSG. */
static int
ring_take(struct capturing *c, struct capture_ring *ring, struct naming *naming)
{
	for (unsigned i = 0; i < ABI_CAPTURE_SLOTS; i++) {
		int got;

		if (control_room(c->call) < ROOM)
			return 1;
		got = capture_ring_pop(ring, &c->slot);
		if (got <= 0)
			return got;
		if (!slot_take(c, naming))
			return -EBADMSG;
	}
	return 1;
}

/* As ring_take, of all. */
static int
rings_take(struct capturing *c, struct region_captures *captures)
{
	struct naming naming = {.node = c->node};
	int more = 0;

	for (unsigned i = 0; i < captures->n_workers; i++) {
		int got = ring_take(c, &captures->rings[i], &naming);

		if (got < 0)
			return got;
		more |= got;
	}
	chunk_tell(c);
	return more;
}

static const char *
bound_met(const struct capturing *c)
{
	if (c->ended)
		return c->ended;
	if (c->packets == c->count)
		return "count";
	if (c->octets >= CAPTURING_OCTETS_MAX)
		return "size";
	return clock_now_ns() >= c->until_ns ? "time" : NULL;
}

static void
stop(struct capturing *c, const char *by, const struct region_captures *captures)
{
	c->ended = by;
	c->missed = rings_lost(captures) - c->lost_before;
	c->state = STOPPING;
	c->until_ns = clock_now_ns() + ANSWER_S * CLOCK_NS_PER_S;
	stop_send(c);
}

static void
on_poll(evutil_socket_t fd, short what, void *context)
{
	struct capturing *c = context;
	struct region_captures *captures = publish_captures(c->node->publish);
	int more = c->state == STARTING || !captures ? 0 : rings_take(c, captures);

	(void)fd;
	(void)what;
	if (more < 0)
		fail(c, "the dataplane broke its ring of copies");
	else if (c->state == RUNNING && bound_met(c))
		stop(c, bound_met(c), captures);
	else if (c->state == DRAINING && !more)
		finish(c);
	else if ((c->state == STARTING || c->state == STOPPING) && clock_now_ns() >= c->until_ns)
		fail(c, "the dataplane doesn't answer");
}

struct capturing *
capturing_new(struct node *node)
{
	struct capturing *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->node = node;
	c->poll = event_new(node->base, -1, EV_PERSIST, on_poll, c);
	if (!c->poll) {
		free(c);
		return NULL;
	}
	return c;
}

void
capturing_free(struct capturing *c)
{
	if (!c)
		return;
	event_free(c->poll);
	free(c);
}

int
capturing_start(struct capturing *c, struct control_call *call, const struct capturing_request *request)
{
	static const struct timeval period = {.tv_usec = POLL_MS * 1000};

	if (c->call)
		return -EBUSY;
	if (!publish_is_connected(c->node->publish))
		return -ENOTCONN;
	c->call = call;
	c->token++;
	c->state = STARTING;
	c->count = request->record.limit;
	c->duration_s = request->record.duration_s;
	c->snap = request->record.snap;
	c->until_ns = clock_now_ns() + ANSWER_S * CLOCK_NS_PER_S;
	c->ended = NULL;
	c->packets = 0;
	c->octets = c->missed = 0;
	c->lost_before = rings_lost(publish_captures(c->node->publish));
	event_add(c->poll, &period);
	start_send(c, request);
	return 0;
}

/* Seen at the next look, when START has had its answer. */
bool
capturing_stop(struct capturing *c, const struct control_call *call)
{
	if (!c->call || !control_is_same_client(c->call, call))
		return false;
	if (!c->ended)
		c->ended = "client";
	return true;
}

void
capturing_gone(struct capturing *c, const struct control_call *call)
{
	if (c->call != call)
		return;
	log_notice("capture: its client has gone after %u packets", c->packets);
	stop_send(c);
	rest(c);
}

void
capturing_answered(struct capturing *c, const struct abi_captured *captured)
{
	char why[96];

	if (!c->call || captured->token != c->token)
		return;
	if (c->state == STOPPING) {
		c->state = DRAINING;
	} else if (c->state == STARTING && captured->error) {
		snprintf(why, sizeof(why), "the dataplane refuses it: %s",
			 captured->error == ENOENT ? "it has no such service yet" : strerror(captured->error));
		fail(c, why);
	} else if (c->state == STARTING) {
		c->state = RUNNING;
		c->until_ns = clock_now_ns() + c->duration_s * CLOCK_NS_PER_S;
		head_tell(c);
		log_notice("capture: begun by the operator: %u packets at most, %u s at most", c->count, c->duration_s);
	}
}

void
capturing_lost(struct capturing *c)
{
	if (c->call)
		fail(c, "the dataplane has gone");
}
