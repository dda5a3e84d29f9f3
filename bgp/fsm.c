/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/fsm.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

enum {
	LARGE_HOLD_S = 240,	  /* RFC 4271 10 */
	SEND_HOLD_S = 480,	  /* RFC 9687 4: at least so much, or twice the hold time */
	PENALTY_MAX = 4,	  /* the idle time grows to 16 times reconnect_s */
};

/* RFC 4271 8.1, RFC 9687 3.1; the numbers are the RFC's events. */
enum event {
	EV_START,	  /* 1, 3 to 7 */
	EV_STOP,	  /* 2, 8 */
	EV_RETRY,	  /* 9 */
	EV_HOLD,	  /* 10 */
	EV_KEEPALIVE_DUE, /* 11 */
	EV_DELAY_OPEN,	  /* 12 */
	EV_IDLE_HOLD,	  /* 13 */
	EV_CONNECTED,	  /* 16, 17 */
	EV_LOST,	  /* 18 */
	EV_OPEN,	  /* 19, 20 */
	EV_BROKEN,	  /* 21, 22, 28: the error says which */
	EV_COLLISION,	  /* 23 */
	EV_NOTIFIED,	  /* 24, 25 */
	EV_KEEPALIVE,	  /* 26 */
	EV_UPDATE,	  /* 27 */
	EV_SEND_HOLD,	  /* 29 */
	EV_REFRESH,	  /* RFC 2918 */
	EV_COUNT,
};

struct input {
	enum event event;
	uint64_t now_ns;
	struct bgp_error error; /* EV_BROKEN, EV_NOTIFIED, EV_STOP */
	union {
		struct bgp_open open;
		struct bgp_update update;
		struct bgp_refresh refresh;
	} message;
};

typedef void action(struct fsm *fsm, struct input *input);

static uint64_t
random_next(struct fsm *fsm)
{
	fsm->random ^= fsm->random << 13;
	fsm->random ^= fsm->random >> 7;
	fsm->random ^= fsm->random << 17;
	return fsm->random;
}

/* now + time, shortened at random to 75 to 100 percent (RFC 4271 10). */
static uint64_t
jittered(struct fsm *fsm, uint64_t now_ns, uint64_t time_ns)
{
	return now_ns + time_ns * (768 + random_next(fsm) % 257) / 1024;
}

static void
timer_stop(struct fsm *fsm, enum fsm_timer timer)
{
	fsm->due_ns[timer] = UINT64_MAX;
}

static bool
timer_runs(const struct fsm *fsm, enum fsm_timer timer)
{
	return fsm->due_ns[timer] != UINT64_MAX;
}

static void
timers_stop(struct fsm *fsm)
{
	for (int i = 0; i < FSM_TIMERS; i++)
		timer_stop(fsm, (enum fsm_timer)i);
}

static uint64_t
idle_time_ns(const struct fsm *fsm)
{
	return (uint64_t)fsm->config->reconnect_s * CLOCK_NS_PER_S << fsm->penalty;
}

static void
retry_restart(struct fsm *fsm, uint64_t now_ns)
{
	fsm->due_ns[FSM_CONNECT_RETRY] =
		fsm->config->passive ? UINT64_MAX : jittered(fsm, now_ns, fsm->config->reconnect_s * CLOCK_NS_PER_S);
}

static void
hold_restart(struct fsm *fsm, uint64_t now_ns)
{
	unsigned hold_s = fsm->status.hold_s;

	fsm->due_ns[FSM_HOLD] = hold_s ? now_ns + hold_s * CLOCK_NS_PER_S : UINT64_MAX;
}

static void
keepalive_restart(struct fsm *fsm, uint64_t now_ns)
{
	uint64_t period_ns = fsm->status.hold_s * CLOCK_NS_PER_S / 3;

	fsm->due_ns[FSM_KEEPALIVE] = period_ns ? jittered(fsm, now_ns, period_ns) : UINT64_MAX;
}

static void
send_hold_restart(struct fsm *fsm, uint64_t now_ns)
{
	unsigned hold_s = fsm->config->send_hold_s;

	if (hold_s == 0)
		hold_s = 2U * fsm->status.hold_s > SEND_HOLD_S ? 2U * fsm->status.hold_s : SEND_HOLD_S;
	fsm->due_ns[FSM_SEND_HOLD] = now_ns + hold_s * CLOCK_NS_PER_S;
}

static void
keepalive_send(struct fsm *fsm)
{
	uint8_t message[BGP_MESSAGE_MAX];

	output_message(&fsm->out, message, bgp_keepalive_encode(message));
}

/* Back-off goes on where a session didn't live as long as the wait that came before it. */
static void
established_leave(struct fsm *fsm, uint64_t now_ns)
{
	if (now_ns - fsm->status.established_ns >= idle_time_ns(fsm))
		fsm->penalty = 0;
	fsm->status.flaps++;
	fsm->status.advertised = 0;
	fsm->out.flight = 0;
	rib_out_forget(fsm->advertise.rib);
	arrivals_clear(&fsm->arrivals);
}

static void
state_set(struct fsm *fsm, uint64_t now_ns, enum bgp_state state)
{
	if (fsm->status.state == state)
		return;
	if (fsm->status.state == BGP_ESTABLISHED)
		established_leave(fsm, now_ns);
	fsm->status.state = state;
	fsm->status.since_ns = now_ns;
}

static void
ignore(struct fsm *fsm, struct input *input)
{
	(void)fsm;
	(void)input;
}

static void
connect_begin(struct fsm *fsm, struct input *input)
{
	timers_stop(fsm);
	output_clear(&fsm->out);
	fsm->link = FSM_LINK_WANTED;
	retry_restart(fsm, input->now_ns);
	state_set(fsm, input->now_ns, BGP_CONNECT);
}

static void
active_enter(struct fsm *fsm, struct input *input)
{
	timers_stop(fsm);
	fsm->link = FSM_LINK_NONE;
	retry_restart(fsm, input->now_ns);
	state_set(fsm, input->now_ns, BGP_ACTIVE);
}

static void
begin(struct fsm *fsm, struct input *input)
{
	(fsm->config->passive ? active_enter : connect_begin)(fsm, input);
}

/* The connect took too long: it is given up, and the next is tried as soon as that is done. */
static void
connect_again(struct fsm *fsm, struct input *input)
{
	active_enter(fsm, input);
	fsm->due_ns[FSM_CONNECT_RETRY] = input->now_ns;
}

/* Back to Idle; started again after a while that grows with each failure in a row. */
static void
idle_enter(struct fsm *fsm, struct input *input)
{
	timers_stop(fsm);
	fsm->link = FSM_LINK_NONE;
	state_set(fsm, input->now_ns, BGP_IDLE);
	if (!fsm->running)
		return;
	fsm->due_ns[FSM_IDLE_HOLD] = jittered(fsm, input->now_ns, idle_time_ns(fsm));
	if (fsm->penalty < PENALTY_MAX)
		fsm->penalty++;
}

/* RFC 8538 3: after a NOTIFICATION routes are kept when both sides said so, unless it was a Hard Reset. */
static bool
keeps_after(const struct fsm *fsm, const struct bgp_error *error)
{
	const struct bgp_negotiated *n = &fsm->status.negotiated;

	return n->graceful_restart && n->notification &&
	       !(error->code == BGP_ERROR_CEASE && error->subcode == BGP_CEASE_HARD_RESET);
}

static void
error_note(struct fsm *fsm, const struct bgp_error *error, bool ours)
{
	fsm->status.errors++;
	fsm->status.last_error = *error;
	fsm->status.last_error_ours = ours;
	if (fsm->status.state == BGP_ESTABLISHED)
		fsm->status.may_keep = keeps_after(fsm, error);
}

static void
notify(struct fsm *fsm, struct input *input, struct bgp_error error)
{
	uint8_t message[BGP_MESSAGE_MAX];

	output_message(&fsm->out, message, bgp_notification_encode(&error, message));
	error_note(fsm, &error, true);
	idle_enter(fsm, input);
}

/* What ends the session for good: the peer is to keep nothing of what we told it. */
static void
notify_hard(struct fsm *fsm, struct input *input, const struct bgp_error *error)
{
	bool may_be_kept = fsm->status.state == BGP_ESTABLISHED && fsm->status.negotiated.notification;

	notify(fsm, input, may_be_kept ? bgp_error_hard_reset(error) : *error);
}

static void
stop_silently(struct fsm *fsm, struct input *input)
{
	fsm->running = false;
	output_clear(&fsm->out);
	idle_enter(fsm, input);
}

static void
stop_with_cease(struct fsm *fsm, struct input *input)
{
	fsm->running = false;
	notify_hard(fsm, input, &input->error);
}

static void
open_send(struct fsm *fsm, struct input *input)
{
	struct bgp_open open = negotiate_open(fsm->config);
	uint8_t message[BGP_MESSAGE_MAX];

	timers_stop(fsm);
	output_message(&fsm->out, message, bgp_open_encode(&open, message));
	fsm->due_ns[FSM_HOLD] = input->now_ns + LARGE_HOLD_S * CLOCK_NS_PER_S;
	state_set(fsm, input->now_ns, BGP_OPEN_SENT);
}

/* With DelayOpen the state stays what it is (RFC 4271 8.2.2), so that the peer may speak first. */
static void
connected(struct fsm *fsm, struct input *input)
{
	fsm->link = FSM_LINK_UP;
	timers_stop(fsm);
	if (fsm->config->delay_open_s > 0)
		fsm->due_ns[FSM_DELAY_OPEN] =
			jittered(fsm, input->now_ns, fsm->config->delay_open_s * CLOCK_NS_PER_S);
	else
		open_send(fsm, input);
}

static void
open_accept(struct fsm *fsm, struct input *input)
{
	const struct bgp_open *open = &input->message.open;
	struct bgp_error error = negotiate_judge(fsm->config, open);

	if (error.code != 0) {
		notify(fsm, input, error);
		return;
	}
	fsm->peer_open = *open;
	fsm->status.router_id = open->id;
	fsm->status.negotiated = negotiate(fsm->config, open);
	fsm->status.hold_s = fsm->config->hold_s < open->hold_s ? fsm->config->hold_s : open->hold_s;
	keepalive_send(fsm);
	keepalive_restart(fsm, input->now_ns);
	hold_restart(fsm, input->now_ns);
	state_set(fsm, input->now_ns, BGP_OPEN_CONFIRM);
}

/* The peer's OPEN came while ours was held back. */
static void
open_answer(struct fsm *fsm, struct input *input)
{
	open_send(fsm, input);
	open_accept(fsm, input);
}

static void
establish(struct fsm *fsm, struct input *input)
{
	fsm->status.established_ns = input->now_ns;
	fsm->status.may_keep = false;
	hold_restart(fsm, input->now_ns);
	arrivals_clear(&fsm->arrivals);
	advertise_begin(&fsm->advertise, &fsm->local);
	state_set(fsm, input->now_ns, BGP_ESTABLISHED);
}

static void
hold_refresh(struct fsm *fsm, struct input *input)
{
	hold_restart(fsm, input->now_ns);
}

static void
keepalive_again(struct fsm *fsm, struct input *input)
{
	keepalive_send(fsm);
	keepalive_restart(fsm, input->now_ns);
}

static void
hold_expired(struct fsm *fsm, struct input *input)
{
	notify(fsm, input, bgp_error_make(BGP_ERROR_HOLD, 0));
}

static void
send_hold_expired(struct fsm *fsm, struct input *input)
{
	notify(fsm, input, bgp_error_make(BGP_ERROR_SEND_HOLD, 0));
}

static void
lost(struct fsm *fsm, struct input *input)
{
	if (fsm->status.state == BGP_ESTABLISHED)
		fsm->status.may_keep = fsm->status.negotiated.graceful_restart;
	idle_enter(fsm, input);
}

static void
broken(struct fsm *fsm, struct input *input)
{
	notify(fsm, input, input->error);
}

static void
collide(struct fsm *fsm, struct input *input)
{
	notify(fsm, input, bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_COLLISION));
}

static void
notified(struct fsm *fsm, struct input *input)
{
	error_note(fsm, &input->error, false);
	bgp_shutdown_text(&input->error, fsm->status.text);
	output_clear(&fsm->out);
	idle_enter(fsm, input);
}

/* RFC 6608 3: the subcode names the state in which the message was not expected; before our OPEN there is none. */
static void
unexpected(struct fsm *fsm, struct input *input)
{
	static const uint8_t subcode[] = {
		[BGP_OPEN_SENT] = BGP_FSM_OPEN_SENT,
		[BGP_OPEN_CONFIRM] = BGP_FSM_OPEN_CONFIRM,
		[BGP_ESTABLISHED] = BGP_FSM_ESTABLISHED,
	};

	notify(fsm, input, bgp_error_make(BGP_ERROR_FSM, subcode[fsm->status.state]));
}

static void
update(struct fsm *fsm, struct input *input)
{
	struct bgp_error error;

	hold_restart(fsm, input->now_ns);
	error = arrivals_update(&fsm->arrivals, &input->message.update);
	if (error.code != 0)
		notify_hard(fsm, input, &error);
}

static void
refresh(struct fsm *fsm, struct input *input)
{
	const struct bgp_refresh *refresh = &input->message.refresh;

	if (!refresh->is_known)
		return;
	if (refresh->subtype != BGP_REFRESH_REQUEST)
		arrivals_refresh(&fsm->arrivals, refresh);
	else if (fsm->status.negotiated.family[refresh->family])
		advertise_refresh(&fsm->advertise, refresh->family);
}

/*
 * RFC 4271 8.2.2, RFC 9687 3. In Connect and Active messages come in only while DelayOpen holds ours back. A connect that
 * fails leads to Active, not to Idle, so that a peer that comes up meanwhile is let in. What is left open does nothing.
 */
static action *const table[][EV_COUNT] = {
	[BGP_IDLE] = {[EV_START] = begin, [EV_STOP] = stop_silently, [EV_IDLE_HOLD] = begin},
	[BGP_CONNECT] = {[EV_STOP] = stop_silently, [EV_RETRY] = connect_again, [EV_DELAY_OPEN] = open_send,
			 [EV_CONNECTED] = connected, [EV_LOST] = active_enter, [EV_OPEN] = open_answer,
			 [EV_BROKEN] = broken, [EV_COLLISION] = active_enter, [EV_NOTIFIED] = notified,
			 [EV_KEEPALIVE] = unexpected, [EV_UPDATE] = unexpected, [EV_REFRESH] = unexpected},
	[BGP_ACTIVE] = {[EV_STOP] = stop_silently, [EV_RETRY] = connect_begin, [EV_DELAY_OPEN] = open_send,
			[EV_CONNECTED] = connected, [EV_LOST] = active_enter, [EV_OPEN] = open_answer,
			[EV_BROKEN] = broken, [EV_COLLISION] = active_enter, [EV_NOTIFIED] = notified,
			[EV_KEEPALIVE] = unexpected, [EV_UPDATE] = unexpected, [EV_REFRESH] = unexpected},
	[BGP_OPEN_SENT] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired, [EV_LOST] = active_enter,
			   [EV_OPEN] = open_accept, [EV_BROKEN] = broken, [EV_COLLISION] = collide,
			   [EV_NOTIFIED] = notified, [EV_KEEPALIVE] = unexpected, [EV_UPDATE] = unexpected,
			   [EV_SEND_HOLD] = send_hold_expired, [EV_REFRESH] = unexpected},
	[BGP_OPEN_CONFIRM] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired,
			      [EV_KEEPALIVE_DUE] = keepalive_again, [EV_LOST] = lost, [EV_OPEN] = unexpected,
			      [EV_BROKEN] = broken, [EV_COLLISION] = collide, [EV_NOTIFIED] = notified,
			      [EV_KEEPALIVE] = establish, [EV_UPDATE] = unexpected, [EV_SEND_HOLD] = send_hold_expired,
			      [EV_REFRESH] = unexpected},
	[BGP_ESTABLISHED] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired,
			     [EV_KEEPALIVE_DUE] = keepalive_again, [EV_LOST] = lost, [EV_OPEN] = unexpected,
			     [EV_BROKEN] = broken, [EV_COLLISION] = collide, [EV_NOTIFIED] = notified,
			     [EV_KEEPALIVE] = hold_refresh, [EV_UPDATE] = update, [EV_SEND_HOLD] = send_hold_expired,
			     [EV_REFRESH] = refresh},
};

static void
dispatch(struct fsm *fsm, struct input *input)
{
	action *run = table[fsm->status.state][input->event];

	(run ? run : ignore)(fsm, input);
	fsm_fill(fsm);
}

static void
event(struct fsm *fsm, uint64_t now_ns, enum event what)
{
	struct input input = {.event = what, .now_ns = now_ns};

	dispatch(fsm, &input);
}

void
fsm_init(struct fsm *fsm, const struct fsm_shared *shared, uint64_t seed)
{
	memset(fsm, 0, offsetof(struct fsm, out.octets));
	fsm->config = shared->config;
	fsm->random = seed | 1; /* xorshift stays at zero forever */
	fsm->out.counts = fsm->status.sent;
	fsm->advertise = (struct advertise){.config = shared->config, .negotiated = &fsm->status.negotiated,
					    .rib = shared->rib, .out = &fsm->out};
	fsm->arrivals = (struct arrivals){.config = shared->config, .status = &fsm->status, .tally = shared->tally};
	timers_stop(fsm);
}

void
fsm_listen(struct fsm *fsm, const struct bgp_session_events *events, void *context)
{
	fsm->out.events = events;
	fsm->out.context = context;
	fsm->arrivals.events = events;
	fsm->arrivals.context = context;
}

void
fsm_start(struct fsm *fsm, uint64_t now_ns)
{
	if (fsm->running)
		return;
	fsm->running = true;
	fsm->penalty = 0;
	event(fsm, now_ns, EV_START);
}

void
fsm_stop(struct fsm *fsm, uint64_t now_ns, const struct bgp_error *cease)
{
	struct input input = {.event = EV_STOP, .now_ns = now_ns, .error = *cease};

	dispatch(fsm, &input);
}

void
fsm_start_accepted(struct fsm *fsm, uint64_t now_ns)
{
	fsm->running = true;
	state_set(fsm, now_ns, BGP_ACTIVE);
}

bool
fsm_awaken(struct fsm *fsm, uint64_t now_ns)
{
	if (fsm->status.state == BGP_IDLE && fsm->running && fsm->penalty <= 1) {
		timers_stop(fsm);
		state_set(fsm, now_ns, BGP_ACTIVE);
	}
	return fsm->status.state != BGP_IDLE;
}

void
fsm_connected(struct fsm *fsm, uint64_t now_ns, const struct addr *local)
{
	fsm->local = *local;
	fsm->acked = 0;
	output_clear(&fsm->out);
	event(fsm, now_ns, EV_CONNECTED);
}

void
fsm_lost(struct fsm *fsm, uint64_t now_ns)
{
	output_clear(&fsm->out);
	event(fsm, now_ns, EV_LOST);
}

void
fsm_collision(struct fsm *fsm, uint64_t now_ns)
{
	event(fsm, now_ns, EV_COLLISION);
}

static int
update_decode(const struct fsm *fsm, const uint8_t *body, size_t len, struct input *input)
{
	const struct bgp_update_context context = negotiate_context(fsm->config, &fsm->status.negotiated);

	bgp_update_decode(body, len, &context, &input->message.update);
	if (input->message.update.outcome != BGP_SESSION_RESET)
		return 0;
	input->error = input->message.update.error;
	return -EBADMSG;
}

/* One message's body to the event that it is. */
static void
message_decode(const struct fsm *fsm, enum bgp_type type, const uint8_t *body, size_t len, struct input *input)
{
	static const enum event events[] = {
		[BGP_OPEN] = EV_OPEN,		[BGP_UPDATE] = EV_UPDATE,	  [BGP_NOTIFICATION] = EV_NOTIFIED,
		[BGP_KEEPALIVE] = EV_KEEPALIVE, [BGP_ROUTE_REFRESH] = EV_REFRESH,
	};
	int err = 0;

	input->event = events[type];
	if (type == BGP_OPEN)
		err = bgp_open_decode(body, len, &input->message.open, &input->error);
	else if (type == BGP_UPDATE && fsm->status.state == BGP_ESTABLISHED)
		err = update_decode(fsm, body, len, input);
	else if (type == BGP_NOTIFICATION)
		bgp_notification_decode(body, len, &input->error);
	else if (type == BGP_ROUTE_REFRESH)
		err = bgp_refresh_decode(body, len, &input->message.refresh, &input->error);
	if (err)
		input->event = EV_BROKEN;
}

static void
message_note(struct fsm *fsm, uint64_t now_ns, const uint8_t *octets, const struct bgp_header *header)
{
	const struct bgp_session_events *events = fsm->arrivals.events;

	fsm->status.received[header->type]++;
	fsm->status.last_message_ns = now_ns;
	if (events && events->message)
		events->message(fsm->arrivals.context, false, octets, header->len);
}

/* RFC 8654 3: an OPEN is never extended, and before it nothing is. */
static bool
may_be_extended(const struct fsm *fsm)
{
	return fsm->status.state >= BGP_OPEN_CONFIRM && fsm->status.negotiated.extended_message;
}

size_t
fsm_input(struct fsm *fsm, uint64_t now_ns, const uint8_t *octets, size_t len, unsigned *budget)
{
	size_t used = 0;

	for (; fsm->link == FSM_LINK_UP && len - used >= BGP_HEADER_LEN && *budget > 0; (*budget)--) {
		struct input input = {.event = EV_BROKEN, .now_ns = now_ns};
		enum bgp_state before = fsm->status.state;
		struct bgp_header header;

		if (bgp_header_decode(octets + used, may_be_extended(fsm), &header, &input.error) == 0) {
			if (len - used < header.len)
				break;
			message_note(fsm, now_ns, octets + used, &header);
			message_decode(fsm, header.type, octets + used + BGP_HEADER_LEN, header.len - BGP_HEADER_LEN,
				       &input);
			used += header.len;
		}
		dispatch(fsm, &input);
		/* The turn ends here, so that the owner hears of the session before of what the peer tells in it. */
		if (before != fsm->status.state && fsm->status.state == BGP_ESTABLISHED)
			*budget = 1;
	}
	return used;
}

void
fsm_refresh(struct fsm *fsm, enum bgp_family family)
{
	uint8_t message[BGP_MESSAGE_MAX];

	output_message(&fsm->out, message, bgp_refresh_encode(family, BGP_REFRESH_REQUEST, message));
}

void
fsm_fill(struct fsm *fsm)
{
	if (fsm->status.state == BGP_ESTABLISHED)
		advertise_fill(&fsm->advertise);
}

void
fsm_taken(struct fsm *fsm, size_t len)
{
	output_taken(&fsm->out, len);
	/* The other core of the session may have routes in flight. */
	if (fsm->status.state == BGP_ESTABLISHED && fsm->out.flight == 0) {
		rib_out_confirm(fsm->advertise.rib);
		fsm->status.advertised = rib_out_advertised(fsm->advertise.rib);
	}
	fsm_fill(fsm);
}

void
fsm_unacknowledged(struct fsm *fsm, uint64_t now_ns, size_t len)
{
	uint64_t acked = fsm->out.taken - (len < fsm->out.taken ? len : fsm->out.taken);

	if (fsm->out.len + len == 0)
		timer_stop(fsm, FSM_SEND_HOLD);
	else if (acked != fsm->acked || !timer_runs(fsm, FSM_SEND_HOLD))
		send_hold_restart(fsm, now_ns);
	fsm->acked = acked;
}

void
fsm_tick(struct fsm *fsm, uint64_t now_ns)
{
	static const enum event events[] = {
		[FSM_CONNECT_RETRY] = EV_RETRY,	  [FSM_HOLD] = EV_HOLD,		  [FSM_KEEPALIVE] = EV_KEEPALIVE_DUE,
		[FSM_DELAY_OPEN] = EV_DELAY_OPEN, [FSM_IDLE_HOLD] = EV_IDLE_HOLD, [FSM_SEND_HOLD] = EV_SEND_HOLD,
	};

	for (int i = 0; i < FSM_TIMERS; i++) {
		if (now_ns < fsm->due_ns[i])
			continue;
		timer_stop(fsm, (enum fsm_timer)i);
		event(fsm, now_ns, events[i]);
	}
}

uint64_t
fsm_deadline_ns(const struct fsm *fsm)
{
	uint64_t first_ns = UINT64_MAX;

	for (int i = 0; i < FSM_TIMERS; i++) {
		if (fsm->due_ns[i] < first_ns)
			first_ns = fsm->due_ns[i];
	}
	return first_ns;
}
