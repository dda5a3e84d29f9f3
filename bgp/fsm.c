/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/fsm.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

enum {
	LARGE_HOLD_S = 240, /* RFC 4271 10 */
	PENALTY_MAX = 4,    /* the idle time grows to 16 times reconnect_s */
	/* Room that updates leave for messages that can't wait: a KEEPALIVE or a NOTIFICATION. */
	OUT_RESERVE = 512,
	BATCH = 2048, /* prefixes; more than fit in a message (a /0 takes one octet, all else two or more) */
};

/* RFC 4271 8.1; the numbers are the RFC's events. */
enum event {
	EV_START,	/* 1, 3 */
	EV_STOP,	/* 2, 8 */
	EV_RETRY,	/* 9 */
	EV_HOLD,	/* 10 */
	EV_KEEPALIVE_DUE, /* 11 */
	EV_CONNECTED,	/* 16, 17 */
	EV_LOST,	/* 18 */
	EV_OPEN,	/* 19 */
	EV_BROKEN,	/* 21, 22, 28: the error says which */
	EV_COLLISION,	/* 23 */
	EV_NOTIFIED,	/* 24, 25 */
	EV_KEEPALIVE,	/* 26 */
	EV_UPDATE,	/* 27 */
	EV_REFRESH,	/* RFC 2918 */
	EV_COUNT,
};

struct input {
	enum event event;
	uint64_t now_ns;
	struct bgp_error error; /* EV_BROKEN, EV_NOTIFIED */
	struct bgp_open open;	/* EV_OPEN */
	struct bgp_refresh refresh; /* EV_REFRESH */
};

typedef void action(struct fsm *fsm, const struct input *input);

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
timers_stop(struct fsm *fsm)
{
	fsm->retry_ns = UINT64_MAX;
	fsm->hold_ns = UINT64_MAX;
	fsm->keepalive_ns = UINT64_MAX;
}

static void
retry_start(struct fsm *fsm, uint64_t now_ns, unsigned doublings)
{
	fsm->retry_ns = jittered(fsm, now_ns, (uint64_t)fsm->config->reconnect_s * CLOCK_NS_PER_S << doublings);
}

static void
hold_restart(struct fsm *fsm, uint64_t now_ns)
{
	unsigned hold_s = fsm->status.hold_s;

	fsm->hold_ns = hold_s ? now_ns + hold_s * CLOCK_NS_PER_S : UINT64_MAX;
}

static void
keepalive_restart(struct fsm *fsm, uint64_t now_ns)
{
	uint64_t period_ns = fsm->status.hold_s * CLOCK_NS_PER_S / 3;

	fsm->keepalive_ns = period_ns ? jittered(fsm, now_ns, period_ns) : UINT64_MAX;
}

static size_t
out_room(const struct fsm *fsm)
{
	return sizeof(fsm->out) - fsm->out_at - fsm->out_len;
}

static void
out_compact(struct fsm *fsm)
{
	memmove(fsm->out, fsm->out + fsm->out_at, fsm->out_len);
	fsm->out_at = 0;
}

static void
out_message(struct fsm *fsm, const uint8_t *message, size_t len)
{
	out_compact(fsm);
	/* A peer that reads nothing gets no more: its own hold timer or TCP ends the session. */
	if (len > out_room(fsm))
		return;
	memcpy(fsm->out + fsm->out_len, message, len);
	fsm->out_len += len;
	fsm->status.sent[message[18]]++;
}

static void
keepalive_send(struct fsm *fsm)
{
	uint8_t message[BGP_MESSAGE_MAX];

	out_message(fsm, message, bgp_keepalive_encode(message));
}

static void
state_set(struct fsm *fsm, uint64_t now_ns, enum bgp_state state)
{
	if (fsm->status.state == state)
		return;
	fsm->status.flaps += fsm->status.state == BGP_ESTABLISHED;
	if (fsm->status.state == BGP_ESTABLISHED) {
		rib_out_forget(fsm->rib);
		fsm->flight = 0;
		fsm->status.advertised = 0;
	}
	fsm->status.state = state;
	fsm->status.since_ns = now_ns;
}

static void
ignore(struct fsm *fsm, const struct input *input)
{
	(void)fsm;
	(void)input;
}

static void
connect_begin(struct fsm *fsm, const struct input *input)
{
	fsm->out_at = 0;
	fsm->out_len = 0;
	fsm->link = FSM_LINK_WANTED;
	retry_start(fsm, input->now_ns, 0);
	state_set(fsm, input->now_ns, BGP_CONNECT);
}

/* Back to Idle; started again after a while that grows with each failure in a row. */
static void
idle_enter(struct fsm *fsm, const struct input *input)
{
	timers_stop(fsm);
	fsm->link = FSM_LINK_NONE;
	state_set(fsm, input->now_ns, BGP_IDLE);
	if (!fsm->running)
		return;
	retry_start(fsm, input->now_ns, fsm->penalty);
	if (fsm->penalty < PENALTY_MAX)
		fsm->penalty++;
}

static void
notify(struct fsm *fsm, const struct input *input, struct bgp_error error)
{
	uint8_t message[BGP_MESSAGE_MAX];

	out_message(fsm, message, bgp_notification_encode(&error, message));
	fsm->status.errors++;
	fsm->status.last_error = error;
	fsm->status.last_error_ours = true;
	idle_enter(fsm, input);
}

static void
active_enter(struct fsm *fsm, const struct input *input)
{
	timers_stop(fsm);
	fsm->link = FSM_LINK_NONE;
	retry_start(fsm, input->now_ns, 0);
	state_set(fsm, input->now_ns, BGP_ACTIVE);
}

static void
stop_silently(struct fsm *fsm, const struct input *input)
{
	fsm->running = false;
	idle_enter(fsm, input);
}

static void
stop_with_cease(struct fsm *fsm, const struct input *input)
{
	fsm->running = false;
	notify(fsm, input, input->error);
}

static void
open_send(struct fsm *fsm, const struct input *input)
{
	const struct bgp_config *config = fsm->config;
	uint8_t message[BGP_MESSAGE_MAX];
	struct bgp_open open = {
		.version = 4,
		.role = BGP_ROLE_NONE,
		.as2 = config->local_as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)config->local_as,
		.hold_s = config->hold_s,
		.id = config->router_id,
		.as4 = config->local_as,
		.has_as4 = true,
		.has_mp = true,
		.family = {[BGP_V4] = true, [BGP_V6] = true},
		.route_refresh = true,
		/* The workers forward on without us, and a session that is new to us may be old to the peer: what it kept
		 * stays until our End-of-RIB. */
		.graceful_restart = config->graceful_restart_s > 0,
		.restarting = config->graceful_restart_s > 0,
		.restart_s = config->graceful_restart_s,
	};

	for (int i = 0; i < BGP_FAMILIES; i++) {
		open.restart[i].is_listed = open.family[i] && open.graceful_restart;
		open.restart[i].forwarding = open.restart[i].is_listed;
	}
	timers_stop(fsm);
	fsm->link = FSM_LINK_UP;
	out_message(fsm, message, bgp_open_encode(&open, message));
	fsm->hold_ns = input->now_ns + LARGE_HOLD_S * CLOCK_NS_PER_S;
	state_set(fsm, input->now_ns, BGP_OPEN_SENT);
}

/* RFC 4271 6.2: what only the configuration can say about an OPEN. */
static struct bgp_error
open_judge(const struct bgp_config *config, const struct bgp_open *open)
{
	if ((open->has_as4 ? open->as4 : open->as2) != config->peer_as)
		return bgp_error_make(BGP_ERROR_OPEN, BGP_OPEN_PEER_AS);
	/* RFC 6286 2.1: identifiers are unique within an AS only. */
	if (config->peer_as == config->local_as && open->id == config->router_id)
		return bgp_error_make(BGP_ERROR_OPEN, BGP_OPEN_ID);
	return bgp_error_make(0, 0);
}

static void
families_settle(struct fsm *fsm)
{
	const struct bgp_config *config = fsm->config;
	const struct addr *next_hop[] = {&config->next_hop_v4, &config->next_hop_v6};
	static const enum addr_family family[] = {ADDR_V4, ADDR_V6};

	for (int i = 0; i <= BGP_V6; i++) {
		const struct addr *hop = next_hop[i]->family == ADDR_NONE ? &fsm->local : next_hop[i];

		fsm->route[i] = (struct bgp_route){
			.next_hop = *hop,
			.local_as = config->local_as,
			.ibgp = config->local_as == config->peer_as,
			.peer_as4 = fsm->peer_open.has_as4,
		};
		fsm->family[i] = fsm->peer_open.family[i] && hop->family == family[i];
		/* The marker is empty, so it needs no next hop. */
		fsm->eor_due[i] = fsm->peer_open.family[i];
	}
}

/* What both sides have, as far as we have it. */
static struct bgp_negotiated
negotiated_of(const struct bgp_open *open)
{
	return (struct bgp_negotiated){
		.family = {[BGP_V4] = open->family[BGP_V4], [BGP_V6] = open->family[BGP_V6]},
		.as4 = open->has_as4,
		.refresh = open->route_refresh,
		.peer_role = open->role,
		.graceful_restart = open->graceful_restart,
		.restarting = open->restarting,
		.restart_s = open->restart_s,
	};
}

static void
open_accept(struct fsm *fsm, const struct input *input)
{
	struct bgp_error error = open_judge(fsm->config, &input->open);

	if (error.code != 0) {
		notify(fsm, input, error);
		return;
	}
	fsm->peer_open = input->open;
	fsm->status.router_id = input->open.id;
	fsm->status.negotiated = negotiated_of(&input->open);
	fsm->status.hold_s =
		fsm->config->hold_s < input->open.hold_s ? fsm->config->hold_s : input->open.hold_s;
	families_settle(fsm);
	keepalive_send(fsm);
	keepalive_restart(fsm, input->now_ns);
	hold_restart(fsm, input->now_ns);
	state_set(fsm, input->now_ns, BGP_OPEN_CONFIRM);
}

static void
establish(struct fsm *fsm, const struct input *input)
{
	fsm->penalty = 0;
	fsm->status.established_ns = input->now_ns;
	hold_restart(fsm, input->now_ns);
	state_set(fsm, input->now_ns, BGP_ESTABLISHED);
}

static void
hold_refresh(struct fsm *fsm, const struct input *input)
{
	hold_restart(fsm, input->now_ns);
}

static void
keepalive_again(struct fsm *fsm, const struct input *input)
{
	keepalive_send(fsm);
	keepalive_restart(fsm, input->now_ns);
}

static void
hold_expired(struct fsm *fsm, const struct input *input)
{
	notify(fsm, input, bgp_error_make(BGP_ERROR_HOLD, 0));
}

static void
broken(struct fsm *fsm, const struct input *input)
{
	notify(fsm, input, input->error);
}

static void
collide(struct fsm *fsm, const struct input *input)
{
	notify(fsm, input, bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_COLLISION));
}

static void
notified(struct fsm *fsm, const struct input *input)
{
	fsm->status.errors++;
	fsm->status.last_error = input->error;
	fsm->status.last_error_ours = false;
	bgp_shutdown_text(&input->error, fsm->status.text);
	fsm->out_len = 0;
	idle_enter(fsm, input);
}

/* RFC 6608 3: the subcode names the state in which the message was not expected. */
static void
unexpected(struct fsm *fsm, const struct input *input)
{
	static const uint8_t subcode[] = {
		[BGP_OPEN_SENT] = BGP_FSM_OPEN_SENT,
		[BGP_OPEN_CONFIRM] = BGP_FSM_OPEN_CONFIRM,
		[BGP_ESTABLISHED] = BGP_FSM_ESTABLISHED,
	};

	notify(fsm, input, bgp_error_make(BGP_ERROR_FSM, subcode[fsm->status.state]));
}

static void
refresh(struct fsm *fsm, const struct input *input)
{
	if (input->refresh.is_known && input->refresh.subtype == BGP_REFRESH_REQUEST)
		rib_out_refresh(fsm->rib, input->refresh.family);
}

/* RFC 4271 8.2.2. In Idle, Connect and Active no message can come in; what is left open there does nothing. */
static action *const table[][EV_COUNT] = {
	[BGP_IDLE] = {[EV_START] = connect_begin, [EV_STOP] = stop_silently, [EV_RETRY] = connect_begin},
	[BGP_CONNECT] = {[EV_STOP] = stop_silently, [EV_RETRY] = active_enter, [EV_CONNECTED] = open_send,
			 [EV_LOST] = active_enter},
	[BGP_ACTIVE] = {[EV_STOP] = stop_silently, [EV_RETRY] = connect_begin, [EV_CONNECTED] = open_send},
	[BGP_OPEN_SENT] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired, [EV_LOST] = active_enter,
			   [EV_OPEN] = open_accept, [EV_BROKEN] = broken, [EV_COLLISION] = collide,
			   [EV_NOTIFIED] = notified, [EV_KEEPALIVE] = unexpected, [EV_UPDATE] = unexpected,
			   [EV_REFRESH] = unexpected},
	[BGP_OPEN_CONFIRM] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired,
			      [EV_KEEPALIVE_DUE] = keepalive_again, [EV_LOST] = idle_enter, [EV_OPEN] = unexpected,
			      [EV_BROKEN] = broken, [EV_COLLISION] = collide, [EV_NOTIFIED] = notified,
			      [EV_KEEPALIVE] = establish, [EV_UPDATE] = unexpected, [EV_REFRESH] = unexpected},
	[BGP_ESTABLISHED] = {[EV_STOP] = stop_with_cease, [EV_HOLD] = hold_expired,
			     [EV_KEEPALIVE_DUE] = keepalive_again, [EV_LOST] = idle_enter, [EV_OPEN] = unexpected,
			     [EV_BROKEN] = broken, [EV_COLLISION] = collide, [EV_NOTIFIED] = notified,
			     [EV_KEEPALIVE] = hold_refresh, [EV_UPDATE] = hold_refresh, [EV_REFRESH] = refresh},
};

static void
dispatch(struct fsm *fsm, const struct input *input)
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
fsm_init(struct fsm *fsm, const struct bgp_config *config, struct rib_out *rib, uint64_t seed)
{
	memset(fsm, 0, sizeof(*fsm));
	fsm->config = config;
	fsm->rib = rib;
	fsm->random = seed | 1; /* xorshift stays at zero forever */
	timers_stop(fsm);
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
	if (fsm->status.state == BGP_IDLE && fsm->running && fsm->penalty <= 1)
		state_set(fsm, now_ns, BGP_ACTIVE);
	return fsm->status.state != BGP_IDLE;
}

void
fsm_connected(struct fsm *fsm, uint64_t now_ns, const struct addr *local)
{
	fsm->local = *local;
	fsm->out_at = 0;
	fsm->out_len = 0;
	event(fsm, now_ns, EV_CONNECTED);
}

void
fsm_lost(struct fsm *fsm, uint64_t now_ns)
{
	fsm->out_len = 0;
	event(fsm, now_ns, EV_LOST);
}

void
fsm_collision(struct fsm *fsm, uint64_t now_ns)
{
	event(fsm, now_ns, EV_COLLISION);
}

/* What is announced to us is read for its errors and dropped. */
static int
update_decode(const struct fsm *fsm, const uint8_t *body, size_t len, struct bgp_error *error)
{
	const struct bgp_update_context context = {
		.as4 = fsm->peer_open.has_as4,
		.ibgp = fsm->config->local_as == fsm->config->peer_as,
		.role = BGP_ROLE_NONE,
		.peer_as = fsm->config->peer_as,
	};
	struct bgp_update update;

	bgp_update_decode(body, len, &context, &update);
	if (update.outcome != BGP_SESSION_RESET)
		return 0;
	*error = update.error;
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
		err = bgp_open_decode(body, len, &input->open, &input->error);
	else if (type == BGP_UPDATE)
		err = update_decode(fsm, body, len, &input->error);
	else if (type == BGP_NOTIFICATION)
		bgp_notification_decode(body, len, &input->error);
	else if (type == BGP_ROUTE_REFRESH)
		err = bgp_refresh_decode(body, len, &input->refresh, &input->error);
	if (err)
		input->event = EV_BROKEN;
}

size_t
fsm_input(struct fsm *fsm, uint64_t now_ns, const uint8_t *octets, size_t len)
{
	size_t used = 0;

	while (fsm->link == FSM_LINK_UP && len - used >= BGP_HEADER_LEN) {
		struct input input = {.event = EV_BROKEN, .now_ns = now_ns};
		struct bgp_header header;

		if (bgp_header_decode(octets + used, false, &header, &input.error) == 0) {
			if (len - used < header.len)
				break;
			message_decode(fsm, header.type, octets + used + BGP_HEADER_LEN, header.len - BGP_HEADER_LEN,
				       &input);
			used += header.len;
			fsm->status.received[header.type]++;
			fsm->status.last_message_ns = now_ns;
		}
		dispatch(fsm, &input);
	}
	return used;
}

/* One UPDATE with what is pending of a family; false: nothing is. */
static bool
update_send(struct fsm *fsm, enum bgp_family family, enum rib_change change)
{
	struct rib_nlri nlri[BATCH];
	struct prefix prefixes[BATCH];
	struct path path;
	struct bgp_route route = fsm->route[family];
	uint8_t message[BGP_MESSAGE_MAX];
	size_t count = rib_out_pending(fsm->rib, family, change, nlri, BATCH, &path);
	size_t taken;
	size_t len;

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++)
		prefixes[i] = rib_prefix_of(&nlri[i]);
	route.path = &path;
	len = bgp_update_encode(change == RIB_ANNOUNCE ? &route : NULL, family, prefixes, count, &taken, message,
				sizeof(message));
	out_message(fsm, message, len);
	rib_out_sent(fsm->rib, family, change, taken);
	fsm->flight = fsm->out_len;
	return true;
}

static bool
family_send(struct fsm *fsm, enum bgp_family family)
{
	uint8_t message[BGP_MESSAGE_MAX];

	if (fsm->family[family] &&
	    (update_send(fsm, family, RIB_WITHDRAW) || update_send(fsm, family, RIB_ANNOUNCE)))
		return true;
	if (!fsm->eor_due[family])
		return false;
	fsm->eor_due[family] = false;
	out_message(fsm, message, bgp_end_of_rib_encode(family, message));
	return true;
}

void
fsm_fill(struct fsm *fsm)
{
	if (fsm->status.state != BGP_ESTABLISHED || fsm->flight > 0)
		return;
	while (sizeof(fsm->out) - fsm->out_len >= BGP_MESSAGE_MAX + OUT_RESERVE) {
		if (!family_send(fsm, BGP_V4) && !family_send(fsm, BGP_V6))
			break;
	}
}

void
fsm_taken(struct fsm *fsm, size_t len)
{
	fsm->out_at += len;
	fsm->out_len -= len;
	fsm->flight -= len < fsm->flight ? len : fsm->flight;
	if (fsm->flight == 0) {
		rib_out_confirm(fsm->rib);
		fsm->status.advertised = rib_out_advertised(fsm->rib);
	}
	fsm_fill(fsm);
}

void
fsm_tick(struct fsm *fsm, uint64_t now_ns)
{
	if (now_ns >= fsm->retry_ns) {
		fsm->retry_ns = UINT64_MAX;
		event(fsm, now_ns, EV_RETRY);
	}
	if (now_ns >= fsm->hold_ns) {
		fsm->hold_ns = UINT64_MAX;
		event(fsm, now_ns, EV_HOLD);
	}
	if (now_ns >= fsm->keepalive_ns)
		event(fsm, now_ns, EV_KEEPALIVE_DUE);
}

uint64_t
fsm_deadline_ns(const struct fsm *fsm)
{
	uint64_t first_ns = fsm->retry_ns < fsm->hold_ns ? fsm->retry_ns : fsm->hold_ns;

	return first_ns < fsm->keepalive_ns ? first_ns : fsm->keepalive_ns;
}

bool
fsm_ours_stays(const struct bgp_config *config, const struct bgp_open *peer_open)
{
	if (config->router_id != peer_open->id)
		return config->router_id > peer_open->id;
	return config->local_as > config->peer_as;
}

void
fsm_refresh(struct fsm *fsm, enum bgp_family family)
{
	uint8_t message[BGP_MESSAGE_MAX];

	out_message(fsm, message, bgp_refresh_encode(family, BGP_REFRESH_REQUEST, message));
}
