/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bfd.h"

#include "base/clock.h"

enum {
	SLOW_US = 1000000, /* RFC 5880 6.8.3: no faster while not Up */
	GAP_US = 1000,	   /* between packets that can't wait: a peer that asks faster makes us no louder */
	AMNESTY_S = 30,
};

#define NS_PER_US UINT64_C(1000)

enum event {
	EV_ADMIN_DOWN, /* 0 to 3: the state in a packet */
	EV_DOWN,
	EV_INIT,
	EV_UP,
	EV_EXPIRED,
	EV_DISABLE,
	EV_ENABLE,
	EV_COUNT,
};

/* RFC 5880 6.2 and 6.8.6; AdminDown is left by the operator only (6.8.16). */
static const uint8_t next_states[BFD_STATES][EV_COUNT] = {
	[BFD_ADMIN_DOWN] = {
		[EV_ADMIN_DOWN] = BFD_ADMIN_DOWN, [EV_DOWN] = BFD_ADMIN_DOWN, [EV_INIT] = BFD_ADMIN_DOWN,
		[EV_UP] = BFD_ADMIN_DOWN, [EV_EXPIRED] = BFD_ADMIN_DOWN, [EV_DISABLE] = BFD_ADMIN_DOWN,
		[EV_ENABLE] = BFD_DOWN,
	},
	[BFD_DOWN] = {
		[EV_ADMIN_DOWN] = BFD_DOWN, [EV_DOWN] = BFD_INIT, [EV_INIT] = BFD_UP, [EV_UP] = BFD_DOWN,
		[EV_EXPIRED] = BFD_DOWN, [EV_DISABLE] = BFD_ADMIN_DOWN, [EV_ENABLE] = BFD_DOWN,
	},
	[BFD_INIT] = {
		[EV_ADMIN_DOWN] = BFD_DOWN, [EV_DOWN] = BFD_INIT, [EV_INIT] = BFD_UP, [EV_UP] = BFD_UP,
		[EV_EXPIRED] = BFD_DOWN, [EV_DISABLE] = BFD_ADMIN_DOWN, [EV_ENABLE] = BFD_INIT,
	},
	[BFD_UP] = {
		[EV_ADMIN_DOWN] = BFD_DOWN, [EV_DOWN] = BFD_DOWN, [EV_INIT] = BFD_UP, [EV_UP] = BFD_UP,
		[EV_EXPIRED] = BFD_DOWN, [EV_DISABLE] = BFD_ADMIN_DOWN, [EV_ENABLE] = BFD_UP,
	},
};

/* What we say of a change of state that the event leads to. */
static const uint8_t diags[EV_COUNT] = {
	[EV_ADMIN_DOWN] = BFD_DIAG_NEIGHBOR_DOWN, [EV_DOWN] = BFD_DIAG_NEIGHBOR_DOWN, [EV_EXPIRED] = BFD_DIAG_EXPIRED,
	[EV_DISABLE] = BFD_DIAG_ADMIN_DOWN, [EV_ENABLE] = BFD_DIAG_ADMIN_DOWN,
};

static uint64_t
random_next(struct bfd_session *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint32_t
greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Shortened at random to 75 to 100 percent, to 90 at most when a single loss is a failure (RFC 5880 6.8.7). */
static uint64_t
jittered_ns(struct bfd_session *s, uint32_t interval_us)
{
	uint64_t most = s->config.multiplier == 1 ? 900 : 1000;

	return interval_us * (750 + random_next(s) % (most - 750 + 1));
}

/* RFC 5880 6.8.7: when nothing is sent but what can't wait. */
static bool
is_quiet(const struct bfd_session *s)
{
	bool is_demanded = s->remote_demand && s->status.state == BFD_UP && s->status.remote_state == BFD_UP;

	return s->remote_required_us == 0 || (is_demanded && !s->status.is_polling);
}

/* From the last packet on: a shorter interval is honoured at once (RFC 5880 6.8.3). */
static void
periodic_arm(struct bfd_session *s)
{
	uint32_t interval_us = greater(s->used_desired_us, s->remote_required_us);

	s->status.transmit_us = is_quiet(s) ? 0 : interval_us;
	s->periodic_ns = is_quiet(s) ? UINT64_MAX : s->sent_ns + jittered_ns(s, interval_us);
}

/* After a change of what it is made of; nothing that makes no difference moves the next packet. */
static void
periodic_update(struct bfd_session *s)
{
	uint32_t interval_us = is_quiet(s) ? 0 : greater(s->used_desired_us, s->remote_required_us);

	if (interval_us != s->status.transmit_us)
		periodic_arm(s);
}

/* RFC 5880 6.8.4. */
static void
expiry_update(struct bfd_session *s)
{
	if (s->remote_multiplier == 0)
		return;
	s->status.receive_us = greater(s->used_required_us, s->remote_desired_us);
	s->status.detection_us = (uint64_t)s->remote_multiplier * s->status.receive_us;
	s->expiry_ns = s->received_ns + s->status.detection_us * NS_PER_US;
}

/* Sent without waiting for the interval's end. */
static void
urge(struct bfd_session *s, uint64_t now_ns)
{
	uint64_t earliest_ns = s->sent_ns + GAP_US * NS_PER_US;

	s->urgent_ns = earliest_ns > now_ns ? earliest_ns : now_ns;
}

/*
 * New values of ours. They are told at once and polled for (RFC 5880 6.5); while the session is up, a slower pace of
 * ours and a faster one of the peer's count only when it has heard of it (6.8.3).
 */
static void
intervals_set(struct bfd_session *s, uint32_t desired_us, uint32_t required_us, uint64_t now_ns)
{
	bool is_up = s->status.state == BFD_UP;
	bool is_change = desired_us != s->desired_us || required_us != s->config.required_us;

	s->desired_us = desired_us;
	s->config.required_us = required_us;
	if (!is_up || desired_us < s->used_desired_us)
		s->used_desired_us = desired_us;
	if (!is_up || required_us > s->used_required_us)
		s->used_required_us = required_us;
	periodic_update(s);
	expiry_update(s);
	if (!is_change)
		return;
	s->is_poll_stale = s->status.is_polling;
	s->status.is_polling = true;
	urge(s, now_ns);
}

static void
poll_end(struct bfd_session *s, uint64_t now_ns)
{
	if (s->is_poll_stale) {
		s->is_poll_stale = false;
		urge(s, now_ns);
		return;
	}
	s->status.is_polling = false;
	s->used_desired_us = s->desired_us;
	s->used_required_us = s->config.required_us;
	periodic_update(s);
	expiry_update(s);
}

/*
 * AdminDown is the peer's operator and no failure (RFC 5882 3.2). Silence after a failure is one, but not for ever: a
 * peer of which nothing was heard for so long may have BFD no more, and what else runs over the path should judge it.
 */
static void
health_step(struct bfd_session *s, enum bfd_state before, enum event event, uint64_t now_ns)
{
	struct bfd_status *status = &s->status;
	bool is_failure = before == BFD_UP && status->state == BFD_DOWN && event != EV_ADMIN_DOWN;

	if (status->state == BFD_UP)
		status->health = BFD_ALIVE;
	else if (is_failure)
		status->health = BFD_FAILED;
	else if (event == EV_ADMIN_DOWN || status->state == BFD_ADMIN_DOWN)
		status->health = BFD_UNKNOWN;
	status->failures += is_failure;
	s->amnesty_ns = status->health == BFD_FAILED ? now_ns + AMNESTY_S * CLOCK_NS_PER_S : UINT64_MAX;
}

static void
dispatch(struct bfd_session *s, enum event event, uint64_t now_ns)
{
	enum bfd_state before = s->status.state;
	enum bfd_state next = next_states[before][event];

	s->status.state = next;
	health_step(s, before, event, now_ns);
	if (next == before)
		return;
	s->status.since_ns = now_ns;
	s->status.ups += next == BFD_UP;
	s->status.downs += before == BFD_UP;
	/* Why the session went down stays in what we send until it is up again. */
	if (next != BFD_INIT)
		s->status.diag = diags[event];
	intervals_set(s, next == BFD_UP ? s->config.desired_us : greater(SLOW_US, s->config.desired_us),
		      s->config.required_us, now_ns);
	urge(s, now_ns); /* RFC 5880 6.8.7: a change is told between the periodic packets */
}

void
bfd_session_init(struct bfd_session *session, const struct bfd_config *config, uint32_t discriminator, uint64_t seed,
		 uint64_t now_ns)
{
	*session = (struct bfd_session){
		.config = *config,
		.auth = {.config = config->auth},
		.status = {.state = BFD_DOWN, .remote_state = BFD_DOWN, .discriminator = discriminator, .since_ns = now_ns},
		.random = seed ? seed : 1,
		.desired_us = greater(SLOW_US, config->desired_us),
		.used_required_us = config->required_us,
		.remote_required_us = 1, /* RFC 5880 6.8.1 */
		.sent_ns = now_ns,
		.urgent_ns = now_ns,
		.expiry_ns = UINT64_MAX,
		.amnesty_ns = UINT64_MAX,
	};
	session->used_desired_us = session->desired_us;
	session->auth.sent_sequence = (uint32_t)(random_next(session) >> 32);
	periodic_arm(session);
}

void
bfd_session_configure(struct bfd_session *session, const struct bfd_config *config, uint64_t now_ns)
{
	bool is_up = session->status.state == BFD_UP;

	if (session->config.multiplier != config->multiplier)
		urge(session, now_ns);
	session->config.multiplier = config->multiplier;
	session->config.desired_us = config->desired_us;
	intervals_set(session, is_up ? config->desired_us : greater(SLOW_US, config->desired_us), config->required_us,
		      now_ns);
}

void
bfd_session_disable(struct bfd_session *session, uint64_t now_ns)
{
	dispatch(session, EV_DISABLE, now_ns);
}

void
bfd_session_enable(struct bfd_session *session, uint64_t now_ns)
{
	dispatch(session, EV_ENABLE, now_ns);
}

static bool
refuse(struct bfd_session *s, const char *fault)
{
	s->status.fault = fault;
	s->status.refused++;
	return false;
}

/* RFC 5880 6.8.6 from "If the A bit is set" on, in its order. */
bool
bfd_session_input(struct bfd_session *s, const struct bfd_packet *packet, uint64_t now_ns)
{
	const char *fault;

	/* RFC 5880 6.8.1 AuthSeqKnown: a peer that begins anew counts from anywhere. */
	if (now_ns - s->received_ns >= 2 * s->status.detection_us * NS_PER_US)
		s->auth.is_sequence_known = false;
	fault = bfd_auth_check(&s->auth, packet);
	if (fault)
		return refuse(s, fault);
	s->status.remote_discriminator = packet->my_discriminator;
	s->status.remote_state = packet->state;
	s->status.remote_diag = packet->diag;
	s->remote_demand = packet->demand;
	s->remote_required_us = packet->required_us;
	s->remote_desired_us = packet->desired_us;
	s->remote_multiplier = packet->multiplier;
	if (packet->final && s->status.is_polling)
		poll_end(s, now_ns);
	s->received_ns = now_ns;
	expiry_update(s);
	if (s->status.state == BFD_ADMIN_DOWN) {
		periodic_update(s);
		return refuse(s, "the session is administratively down");
	}
	dispatch(s, (enum event)packet->state, now_ns);
	periodic_update(s);
	if (packet->poll) {
		s->is_final_due = true;
		urge(s, now_ns);
	}
	s->status.received++;
	return true;
}

/* RFC 5880 6.8.4, and 6.8.1 RemoteDiscr: what a silent peer told us counts no more, but for its operator's will. */
static void
expire(struct bfd_session *s, uint64_t now_ns)
{
	s->expiry_ns = UINT64_MAX;
	s->status.remote_discriminator = 0;
	if (s->status.remote_state != BFD_ADMIN_DOWN)
		s->status.remote_state = BFD_DOWN;
	s->remote_required_us = 1;
	s->remote_demand = false;
	s->remote_multiplier = 0;
	dispatch(s, EV_EXPIRED, now_ns);
	periodic_update(s);
}

static size_t
packet_write(struct bfd_session *s, uint8_t out[static BFD_PACKET_MAX])
{
	size_t auth_len = bfd_auth_len(&s->auth.config);
	struct bfd_packet packet = {
		.state = (uint8_t)s->status.state,
		.diag = s->status.diag,
		.multiplier = s->config.multiplier,
		/* RFC 5880 6.5: never both. */
		.poll = s->status.is_polling && !s->is_final_due,
		.final = s->is_final_due,
		.has_auth = auth_len > 0,
		.my_discriminator = s->status.discriminator,
		.your_discriminator = s->status.remote_discriminator,
		.desired_us = s->desired_us,
		.required_us = s->config.required_us,
	};

	bfd_packet_encode(&packet, auth_len, out);
	bfd_auth_sign(&s->auth, out);
	return BFD_HEADER_LEN + auth_len;
}

size_t
bfd_session_output(struct bfd_session *session, uint64_t now_ns, uint8_t out[static BFD_PACKET_MAX])
{
	size_t len;

	if (now_ns >= session->expiry_ns)
		expire(session, now_ns);
	if (now_ns >= session->amnesty_ns) {
		session->amnesty_ns = UINT64_MAX;
		session->status.health = BFD_UNKNOWN;
	}
	if (now_ns < session->urgent_ns && now_ns < session->periodic_ns)
		return 0;
	len = packet_write(session, out);
	/* What waited for this packet's gap goes next: a Final took the place of the Poll. */
	session->urgent_ns = UINT64_MAX;
	session->sent_ns = now_ns;
	session->status.sent++;
	if (session->is_final_due && session->status.is_polling)
		urge(session, now_ns);
	session->is_final_due = false;
	periodic_arm(session);
	return len;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
bfd_session_deadline_ns(const struct bfd_session *session)
{
	return earlier(earlier(session->periodic_ns, session->urgent_ns),
		       earlier(session->expiry_ns, session->amnesty_ns));
}

const char *
bfd_health_name(enum bfd_health health)
{
	static const char *const names[] = {"unknown", "alive", "failed"};

	return names[health];
}
