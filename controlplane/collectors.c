/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/collectors.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "bgp/bmp.h"
#include "bgp/replay.h"
#include "bgp/update.h"

/* The largest: a message (RFC 8654) behind its headers, or a Peer Up with two OPENs, which are never extended. */
enum { RECORD_MAX = UINT16_MAX + BMP_UPDATE_OVERHEAD, STATS_MAX = 3 };
enum { EVENT_SEND_HOLD = 29 }; /* RFC 9687 3.1: what ends a session and can't be told to the peer */

struct slot {
	struct collectors *owner;
	struct collector *collector; /* NULL: the slot is free */
	struct event *stats;	     /* NULL: no reports */
	bool is_behind;		     /* it isn't told of some session yet */
};

struct collectors {
	struct event_base *base;
	struct peering *peering;
	const struct watch_list *sessions;
	char name[MODEL_NAME_MAX]; /* the node's */
	struct event *catch_up;	   /* active: some collector may be behind */
	struct slot slots[MODEL_COLLECTORS_MAX];
	uint8_t record[RECORD_MAX];
};

/* What is said of one session to some of the collectors. */
struct line {
	struct collectors *owner;
	const struct watched *session;
	uint32_t to; /* a bit for each collector */
	bool is_out;
};

static struct writer
record_begin(struct collectors *c)
{
	return writer_init(c->record, sizeof(c->record));
}

static void
record_push(struct collectors *c, uint32_t to, const struct writer *w)
{
	for (unsigned i = 0; i < ARRAY_LEN(c->slots) && !w->failed; i++) {
		if (c->slots[i].collector && (to & 1U << i))
			collector_push(c->slots[i].collector, c->record, written_since(w, c->record));
	}
}

static struct bmp_peer
peer_of(const struct bgp_session *session, bool is_out)
{
	const struct bgp_config *config = bgp_session_config(session);
	struct bgp_status status = bgp_session_status(session);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct bmp_peer){.address = config->peer,
				 .as = config->peer_as,
				 .router_id = status.router_id,
				 .is_out = is_out,
				 .is_as2 = !status.negotiated.as4,
				 .time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000};
}

/* bgp_replay_take of a line. */
static void
line_update(void *context, const uint8_t *update, size_t len)
{
	const struct line *line = context;
	struct bmp_peer peer = peer_of(line->session->session, line->is_out);
	struct bmp_pdu pdu = {update, len};
	struct writer w = record_begin(line->owner);

	bmp_route_monitoring_encode(&w, &peer, &pdu);
	record_push(line->owner, line->to, &w);
}

static void
tell_up(struct collectors *c, struct watched *session, uint32_t to)
{
	struct bgp_status status = bgp_session_status(session->session);
	struct bmp_peer peer = peer_of(session->session, false);
	struct bmp_up up = {.local = status.local,
			    .local_port = status.local_port,
			    .peer_port = status.peer_port,
			    .sent_open = {session->sent_open.octets, session->sent_open.len},
			    .received_open = {session->received_open.octets, session->received_open.len},
			    .name = bgp_session_config(session->session)->name};
	struct writer w = record_begin(c);

	/* Memory was out when they went by: a Peer Up without them is none. */
	if (!up.sent_open.octets || !up.received_open.octets)
		return;
	bmp_peer_up_encode(&w, &peer, &up);
	record_push(c, to, &w);
	session->told |= to;
}

static void
tell_from_the_start(struct collectors *c, struct watched *session, uint32_t to)
{
	struct bgp_status status = bgp_session_status(session->session);
	int index = peering_lookup(c->peering, bgp_session_config(session->session)->name);
	struct line line = {.owner = c, .session = session, .to = to, .is_out = true};
	uint8_t marker[BGP_MESSAGE_MAX];

	tell_up(c, session, to);
	if (!(session->told & to))
		return;
	bgp_replay_routes(session->session, &status, line_update, &line);
	for (int family = 0; family < BGP_FAMILIES; family++) {
		if (!status.negotiated.family[family])
			continue;
		line_update(&line, marker, bgp_end_of_rib_encode((enum bgp_family)family, marker));
		/* Of a peer that can't be asked the collector hears from here on. */
		if (index >= 0)
			(void)!peering_refresh(c->peering, (unsigned)index, (enum bgp_family)family);
	}
}

static void
catch_up(struct collectors *c, unsigned slot)
{
	const struct collector *collector = c->slots[slot].collector;
	uint32_t bit = 1U << slot;
	unsigned i;

	for (i = 0; i < c->sessions->n && collector_is_ready(collector); i++) {
		struct watched *session = c->sessions->list[i];

		if (session->is_up && !(session->told & bit))
			tell_from_the_start(c, session, bit);
	}
	c->slots[slot].is_behind = i < c->sessions->n;
}

static uint32_t
connected(const struct collectors *c)
{
	uint32_t to = 0;

	for (unsigned i = 0; i < ARRAY_LEN(c->slots); i++) {
		if (c->slots[i].collector && collector_is_connected(c->slots[i].collector))
			to |= 1U << i;
	}
	return to;
}

static void
on_catch_up(evutil_socket_t fd, short what, void *context)
{
	struct collectors *c = context;
	uint32_t to = connected(c);

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < ARRAY_LEN(c->slots); i++) {
		if (to & 1U << i)
			catch_up(c, i);
	}
}

static void
on_connected(void *context, struct collector *collector)
{
	struct slot *slot = context;
	struct collectors *c = slot->owner;
	uint32_t bit = 1U << (slot - c->slots);
	struct writer w = record_begin(c);

	(void)collector;
	for (unsigned i = 0; i < c->sessions->n; i++)
		c->sessions->list[i]->told &= ~bit;
	bmp_initiation_encode(&w, c->name, "nearcast " NEARCAST_VERSION);
	record_push(c, bit, &w);
	catch_up(c, (unsigned)(slot - c->slots));
}

static void
on_drained(void *context, struct collector *collector)
{
	struct slot *slot = context;

	(void)collector;
	if (slot->is_behind)
		catch_up(slot->owner, (unsigned)(slot - slot->owner->slots));
}

/* How many routes the peer has is known only where there is a limit to them. */
static void
tell_stats(struct collectors *c, const struct watched *session, uint32_t to)
{
	struct bgp_status status = bgp_session_status(session->session);
	bool knows_in = bgp_session_config(session->session)->max_prefixes > 0;
	struct bmp_count counts[STATS_MAX] = {{BMP_STAT_TREATED_AS_WITHDRAW, session->withdrawn},
					      {BMP_STAT_ROUTES_OUT, status.advertised},
					      {BMP_STAT_ROUTES_IN, status.prefixes}};
	struct bmp_peer peer = peer_of(session->session, false);
	struct writer w = record_begin(c);

	bmp_stats_encode(&w, &peer, counts, knows_in ? STATS_MAX : STATS_MAX - 1);
	record_push(c, to, &w);
}

static void
on_stats(evutil_socket_t fd, short what, void *context)
{
	struct slot *slot = context;
	struct collectors *c = slot->owner;
	uint32_t bit = 1U << (slot - c->slots);

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < c->sessions->n; i++) {
		if (c->sessions->list[i]->told & bit)
			tell_stats(c, c->sessions->list[i], bit);
	}
}

/* Where UPDATEs have gone by already, only the whole story is a true one; it is not told from within the session's call. */
void
collectors_session_up(struct collectors *c, struct watched *session)
{
	session->is_up = true;
	session->errors = bgp_session_status(session->session).errors;
	if (session->has_missed)
		event_active(c->catch_up, EV_TIMEOUT, 0);
	else
		tell_up(c, session, connected(c));
}

/* RFC 7854 4.9. */
void
collectors_session_down(struct collectors *c, struct watched *session)
{
	struct bgp_status status = bgp_session_status(session->session);
	struct bmp_peer peer = peer_of(session->session, false);
	struct bmp_pdu notification = {session->notification.octets, session->notification.len};
	struct writer w = record_begin(c);
	enum bmp_down reason = BMP_DOWN_REMOTE;

	if (notification.octets)
		reason = session->notified_by_us ? BMP_DOWN_LOCAL_NOTIFICATION : BMP_DOWN_REMOTE_NOTIFICATION;
	else if (status.errors != session->errors && status.last_error_ours)
		reason = BMP_DOWN_LOCAL_EVENT;
	bmp_peer_down_encode(&w, &peer, reason, &notification, EVENT_SEND_HOLD);
	record_push(c, session->told, &w);
	session->told = 0;
	session->is_up = false;
}

void
collectors_update(struct collectors *c, const struct watched *session, bool is_sent, const uint8_t *message, size_t len)
{
	struct line line = {.owner = c, .session = session, .to = session->told, .is_out = is_sent};

	if (line.to)
		line_update(&line, message, len);
}

void
collectors_withdraw(struct collectors *c, const struct watched *session, const struct bgp_update *update)
{
	struct line line = {.owner = c, .session = session, .to = session->told};

	bgp_replay_withdrawal(&update->announced, line_update, &line);
	bgp_replay_withdrawal(&update->reach, line_update, &line);
}

void
collectors_end_of_rib(struct collectors *c, const struct watched *session, enum bgp_family family)
{
	struct line line = {.owner = c, .session = session, .to = session->told};
	uint8_t marker[BGP_MESSAGE_MAX];

	line_update(&line, marker, bgp_end_of_rib_encode(family, marker));
}

struct collectors *
collectors_new(struct event_base *base, struct peering *peering, const struct watch_list *sessions)
{
	struct collectors *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->base = base;
	c->peering = peering;
	c->sessions = sessions;
	c->catch_up = evtimer_new(base, on_catch_up, c);
	if (!c->catch_up) {
		free(c);
		return NULL;
	}
	return c;
}

static void
slot_clear(struct slot *slot)
{
	struct collectors *c = slot->owner;
	struct writer w = record_begin(c);

	bmp_termination_encode(&w, BMP_TERMINATED_BY_OPERATOR);
	collector_free(slot->collector, c->record, written_since(&w, c->record));
	if (slot->stats)
		event_free(slot->stats);
	*slot = (struct slot){0};
}

void
collectors_free(struct collectors *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < ARRAY_LEN(c->slots); i++) {
		if (c->slots[i].collector)
			slot_clear(&c->slots[i]);
	}
	event_free(c->catch_up);
	free(c);
}

static bool
slot_open(struct collectors *c, struct slot *slot, const struct model_collector *config)
{
	static const struct collector_events events = {.connected = on_connected, .drained = on_drained};
	struct timeval period = {.tv_sec = config->stats_s};

	*slot = (struct slot){.owner = c};
	slot->collector = collector_new(c->base, config, &events, slot);
	if (!slot->collector || config->stats_s == 0)
		return slot->collector != NULL;
	slot->stats = event_new(c->base, -1, EV_PERSIST, on_stats, slot);
	return slot->stats && event_add(slot->stats, &period) == 0;
}

static bool
is_wanted(const struct model *model, const struct collector *collector)
{
	for (unsigned i = 0; i < model->n_collectors; i++) {
		if (memcmp(&model->collectors[i], collector_config(collector), sizeof(*model->collectors)) == 0)
			return true;
	}
	return false;
}

static bool
is_there(const struct collectors *c, const struct model_collector *config)
{
	for (unsigned i = 0; i < ARRAY_LEN(c->slots); i++) {
		const struct collector *collector = c->slots[i].collector;

		if (collector && memcmp(collector_config(collector), config, sizeof(*config)) == 0)
			return true;
	}
	return false;
}

/* A model has no more collectors than there are slots. */
static struct slot *
slot_free_one(struct collectors *c)
{
	struct slot *slot = c->slots;

	while (slot->collector)
		slot++;
	return slot;
}

void
collectors_apply(struct collectors *c, const struct model *model)
{
	memcpy(c->name, model->node_name, sizeof(c->name));
	for (unsigned i = 0; i < ARRAY_LEN(c->slots); i++) {
		if (c->slots[i].collector && !is_wanted(model, c->slots[i].collector))
			slot_clear(&c->slots[i]);
	}
	for (unsigned i = 0; i < model->n_collectors; i++) {
		const struct model_collector *config = &model->collectors[i];

		if (!is_there(c, config) && !slot_open(c, slot_free_one(c), config))
			log_error("bmp %s: out of memory", config->name);
	}
}

const struct collector *
collectors_at(const struct collectors *c, unsigned index)
{
	return c->slots[index].collector;
}
