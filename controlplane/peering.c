/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/peering.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/dynamic.h"

/* RFC 4486 4. */
enum { CEASE_SHUTDOWN = 2, CEASE_DECONFIGURED = 3 };

struct peer {
	struct peering *peering;
	struct bgp_session *session;
	struct model_peer policy; /* its session part is what the session was made with */
	bool is_new; /* nobody has heard of it */
	bool is_shut;
	uint64_t last_up_ns;
	bool is_touched;     /* its descriptor and deadline may be others than the event's */
	struct event *event; /* made anew after each call on the session */
};

struct watch {
	const struct peering_watcher *watcher;
	void *context;
};

struct peering {
	struct event_base *base;
	bool (*may_start)(void *context, const char *peer);
	void *context;
	bool is_started;
	unsigned n_watches;
	struct watch watches[PEERING_WATCHERS_MAX];
	unsigned n_peers;
	struct peer **peers;
};

/* Tells every watcher that wants to hear of it; `session` stands for the peer's. */
#define TELL(peer, event, ...)                                                                                         \
	for (const struct watch *w = (peer)->peering->watches, *end = w + (peer)->peering->n_watches; w < end; w++) {  \
		if (w->watcher->event)                                                                                 \
			w->watcher->event(w->context, (peer)->session, ##__VA_ARGS__);                                \
	}

static void
on_state(void *context, enum bgp_state old, enum bgp_state now)
{
	struct peer *peer = context;

	if (old == BGP_ESTABLISHED || now == BGP_ESTABLISHED)
		peer->last_up_ns = clock_now_ns();
	TELL(peer, state, old, now)
}

static void
on_update(void *context, const struct bgp_update *update)
{
	const struct peer *peer = context;

	TELL(peer, update, update)
}

static void
on_end_of_rib(void *context, enum bgp_family family)
{
	const struct peer *peer = context;

	TELL(peer, end_of_rib, family)
}

static void
on_refresh(void *context, enum bgp_family family, bool begins)
{
	const struct peer *peer = context;

	TELL(peer, refresh, family, begins)
}

static void
on_family_down(void *context, enum bgp_family family)
{
	const struct peer *peer = context;

	TELL(peer, family_down, family)
}

static void
on_message(void *context, bool sent, const uint8_t *octets, size_t len)
{
	const struct peer *peer = context;

	TELL(peer, message, sent, octets, len)
}

static const struct bgp_session_events SESSION_EVENTS = {
	.state = on_state,
	.update = on_update,
	.end_of_rib = on_end_of_rib,
	.refresh = on_refresh,
	.family_down = on_family_down,
	.message = on_message,
};

static void peer_ready(evutil_socket_t fd, short what, void *context);

static short
events_of(short poll_events)
{
	return (short)(((poll_events & POLLIN) ? EV_READ : 0) | ((poll_events & POLLOUT) ? EV_WRITE : 0));
}

static struct timeval
until(uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t wait = deadline_ns > now ? deadline_ns - now : 0;

	return (struct timeval){.tv_sec = (time_t)(wait / CLOCK_NS_PER_S),
				.tv_usec = (suseconds_t)(wait % CLOCK_NS_PER_S / 1000 + 1)};
}

/* After every call on the session: its socket, what it waits for and its deadline may have changed. */
static void
peer_arm(struct peer *peer)
{
	int fd = bgp_session_fd(peer->session);
	short events = fd < 0 ? 0 : events_of(bgp_session_events(peer->session));
	uint64_t deadline_ns = bgp_session_deadline_ns(peer->session);
	struct timeval wait = until(deadline_ns);

	peer->is_touched = false;
	if (peer->event)
		event_free(peer->event);
	peer->event = event_new(peer->peering->base, fd, events, peer_ready, peer);
	if (peer->event && (fd >= 0 || deadline_ns != UINT64_MAX))
		event_add(peer->event, deadline_ns == UINT64_MAX ? NULL : &wait);
}

/* Watchers may have announced to others than the peer that they heard of. */
static void
settle(struct peering *peering)
{
	for (unsigned i = 0; i < peering->n_peers; i++) {
		if (peering->peers[i]->is_touched)
			peer_arm(peering->peers[i]);
	}
}

static void
peer_ready(evutil_socket_t fd, short what, void *context)
{
	struct peer *peer = context;
	short revents = (short)(((what & EV_READ) ? POLLIN : 0) | ((what & EV_WRITE) ? POLLOUT : 0));

	(void)fd;
	bgp_session_run(peer->session, revents);
	peer_arm(peer);
	settle(peer->peering);
}

struct peering *
peering_new(struct event_base *base, bool (*may_start)(void *context, const char *peer), void *context)
{
	struct peering *peering = calloc(1, sizeof(*peering));

	if (!peering)
		return NULL;
	peering->base = base;
	peering->may_start = may_start;
	peering->context = context;
	return peering;
}

int
peering_watch(struct peering *peering, const struct peering_watcher *watcher, void *context)
{
	if (peering->n_watches == PEERING_WATCHERS_MAX)
		return -ENOSPC;
	peering->watches[peering->n_watches++] = (struct watch){watcher, context};
	return 0;
}

/* The session ends before those who watch forget it: they hear of its last state. */
static void
peer_free(struct peer *peer, uint8_t subcode, const char *text)
{
	if (!peer)
		return;
	bgp_session_stop(peer->session, subcode, text);
	TELL(peer, left)
	if (peer->event)
		event_free(peer->event);
	bgp_session_free(peer->session);
	free(peer);
}

void
peering_free(struct peering *peering)
{
	if (!peering)
		return;
	for (unsigned i = 0; i < peering->n_peers; i++)
		peer_free(peering->peers[i], CEASE_SHUTDOWN, NULL);
	free(peering->peers);
	free(peering);
}

static struct peer *
peer_new(struct peering *peering, const struct model_peer *policy)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->peering = peering;
	peer->policy = *policy;
	peer->is_new = true;
	peer->last_up_ns = clock_now_ns();
	peer->session = bgp_session_new(&policy->session);
	if (!peer->session) {
		free(peer);
		return NULL;
	}
	bgp_session_listen(peer->session, &SESSION_EVENTS, peer);
	peer->is_shut = !peering->may_start(peering->context, policy->session.name);
	return peer;
}

static void
peer_begin(struct peer *peer)
{
	if (peer->peering->is_started && !peer->is_shut)
		bgp_session_start(peer->session);
	peer_arm(peer);
}

/* Takes a running session with this very configuration out of the old list. */
static struct peer *
peer_keep(struct peer **old, unsigned n_old, const struct model_peer *policy)
{
	for (unsigned i = 0; i < n_old; i++) {
		struct peer *peer = old[i];

		if (!peer || memcmp(&peer->policy.session, &policy->session, sizeof(policy->session)) != 0)
			continue;
		peer->policy = *policy;
		old[i] = NULL;
		return peer;
	}
	return NULL;
}

/* Moves those that came by themselves and may stay to `slots`; gives how many. */
static unsigned
peers_keep_added(struct peer **old, unsigned n_old, const struct model *model, struct peer **slots)
{
	struct model_peer policy;
	unsigned n = 0;

	for (unsigned i = 0; i < n_old; i++) {
		struct peer *peer = old[i];

		if (!peer || !peer->policy.group[0] || !dynamic_renew(model, &peer->policy, &policy) ||
		    memcmp(&peer->policy.session, &policy.session, sizeof(policy.session)) != 0)
			continue;
		peer->policy = policy;
		slots[n++] = peer;
		old[i] = NULL;
	}
	return n;
}

/* The peers are those of the slots that hold one: who watches may look at them whenever it is told something. */
static void
peers_set(struct peering *peering, struct peer **peers, struct peer **slots, unsigned n)
{
	peering->peers = peers;
	peering->n_peers = 0;
	for (unsigned i = 0; i < n; i++) {
		if (slots[i])
			peers[peering->n_peers++] = slots[i];
	}
}

static void
peers_begin(struct peering *peering)
{
	for (unsigned i = 0; i < peering->n_peers; i++) {
		struct peer *peer = peering->peers[i];

		if (!peer->is_new)
			continue;
		peer->is_new = false;
		TELL(peer, joined)
		peer_begin(peer);
	}
}

int
peering_apply(struct peering *peering, const struct model *model)
{
	struct peer **old = peering->peers;
	unsigned n_old = peering->n_peers, n = model->n_peers;
	/* A slot for each configured peer, in the file's order, then those that were added. */
	struct peer **slots = calloc(n + n_old + 1, sizeof(*slots)), **peers = calloc(n + n_old + 1, sizeof(*peers));
	int err = 0;

	if (!slots || !peers) {
		free(slots);
		free(peers);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < model->n_peers; i++)
		slots[i] = peer_keep(old, n_old, &model->peers[i]);
	n += peers_keep_added(old, n_old, model, slots + n);
	peers_set(peering, peers, slots, n);
	/* The old ones end first: a new one may want the same address. */
	for (unsigned i = 0; i < n_old; i++)
		peer_free(old[i], CEASE_DECONFIGURED, NULL);
	for (unsigned i = 0; i < model->n_peers; i++) {
		if (!slots[i] && !(slots[i] = peer_new(peering, &model->peers[i])))
			err = -ENOMEM;
	}
	peers_set(peering, peers, slots, n);
	peers_begin(peering);
	free(old);
	free(slots);
	return err;
}

void
peering_start(struct peering *peering)
{
	if (peering->is_started)
		return;
	peering->is_started = true;
	for (unsigned i = 0; i < peering->n_peers; i++)
		peer_begin(peering->peers[i]);
}

bool
peering_is_started(const struct peering *peering)
{
	return peering->is_started;
}

int
peering_add(struct peering *peering, const struct model_peer *policy)
{
	unsigned index = peering->n_peers;
	struct peer **peers = realloc(peering->peers, (index + 1) * sizeof(struct peer *)), *peer;

	if (!peers)
		return -ENOMEM;
	peering->peers = peers;
	peer = peer_new(peering, policy);
	if (!peer)
		return -ENOMEM;
	peers[index] = peer;
	peering->n_peers++;
	peers_begin(peering);
	return (int)index;
}

void
peering_remove(struct peering *peering, unsigned index, const char *text)
{
	struct peer *peer = peering->peers[index];

	peering->n_peers--;
	memmove(peering->peers + index, peering->peers + index + 1, (peering->n_peers - index) * sizeof(struct peer *));
	peer_free(peer, CEASE_DECONFIGURED, text);
}

uint64_t
peering_last_up_ns(const struct peering *peering, unsigned index)
{
	return peering->peers[index]->last_up_ns;
}

void
peering_accept(struct peering *peering, unsigned index, int fd)
{
	bgp_session_accept(peering->peers[index]->session, fd);
	peer_arm(peering->peers[index]);
	settle(peering);
}

/* Routes beside the session, whose own table changes while they are withdrawn: family, length (2 octets), NLRI of each. */
struct leaving {
	uint8_t *octets;
	size_t len, room;
};

static bool
measure_leaving(void *context, const struct bgp_route_view *route)
{
	struct leaving *leaving = context;

	leaving->room += 3 + route->nlri_len;
	return true;
}

static bool
note_leaving(void *context, const struct bgp_route_view *route)
{
	struct leaving *leaving = context;
	uint8_t *at = leaving->octets + leaving->len;

	at[0] = (uint8_t)route->family;
	at[1] = (uint8_t)(route->nlri_len >> 8);
	at[2] = (uint8_t)route->nlri_len;
	memcpy(at + 3, route->nlri, route->nlri_len);
	leaving->len += 3 + route->nlri_len;
	return true;
}

static void
withdraw_all(struct bgp_session *session)
{
	struct leaving leaving = {.len = 0};

	bgp_session_routes(session, measure_leaving, &leaving);
	leaving.octets = malloc(leaving.room + 1);
	if (!leaving.octets)
		return; /* the session's end says it too */
	bgp_session_routes(session, note_leaving, &leaving);
	for (size_t at = 0, n; at < leaving.len; at += 3 + n) {
		n = (size_t)leaving.octets[at + 1] << 8 | leaving.octets[at + 2];
		bgp_session_withdraw_nlri(session, (enum bgp_family)leaving.octets[at], leaving.octets + at + 3, n);
	}
	free(leaving.octets);
	bgp_session_run(session, 0);
}

void
peering_end(struct peering *peering, const char *text)
{
	for (unsigned i = 0; i < peering->n_peers; i++) {
		struct peer *peer = peering->peers[i];

		if (bgp_session_status(peer->session).state == BGP_ESTABLISHED)
			withdraw_all(peer->session);
		bgp_session_stop(peer->session, CEASE_SHUTDOWN, text);
		peer_arm(peer);
	}
}

unsigned
peering_count(const struct peering *peering)
{
	return peering->n_peers;
}

const struct bgp_session *
peering_session(const struct peering *peering, unsigned index)
{
	return peering->peers[index]->session;
}

const struct model_peer *
peering_policy(const struct peering *peering, unsigned index)
{
	return &peering->peers[index]->policy;
}

bool
peering_is_shut(const struct peering *peering, unsigned index)
{
	return peering->peers[index]->is_shut;
}

int
peering_lookup(const struct peering *peering, const char *name)
{
	for (unsigned i = 0; i < peering->n_peers; i++) {
		if (strcmp(bgp_session_config(peering->peers[i]->session)->name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int
peering_at(const struct peering *peering, const struct tcp_peer *who)
{
	for (unsigned i = 0; i < peering->n_peers; i++) {
		const struct bgp_config *config = bgp_session_config(peering->peers[i]->session);

		if (addr_equal(&config->peer, &who->addr) && strcmp(config->interface, who->interface) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int
peering_announce(struct peering *peering, unsigned index, const struct prefix *prefix, const struct path *path)
{
	peering->peers[index]->is_touched = true;
	return bgp_session_announce(peering->peers[index]->session, prefix, path);
}

void
peering_withdraw(struct peering *peering, unsigned index, const struct prefix *prefix)
{
	peering->peers[index]->is_touched = true;
	bgp_session_withdraw(peering->peers[index]->session, prefix);
}

int
peering_announce_nlri(struct peering *peering, unsigned index, const struct peering_nlri *nlri, const struct path *path)
{
	peering->peers[index]->is_touched = true;
	return bgp_session_announce_nlri(peering->peers[index]->session, nlri->family, nlri->octets, nlri->len, path);
}

void
peering_withdraw_nlri(struct peering *peering, unsigned index, const struct peering_nlri *nlri)
{
	peering->peers[index]->is_touched = true;
	bgp_session_withdraw_nlri(peering->peers[index]->session, nlri->family, nlri->octets, nlri->len);
}

void
peering_flush(struct peering *peering, unsigned index)
{
	struct peer *peer = peering->peers[index];

	if (!peer->is_touched)
		return;
	bgp_session_run(peer->session, 0);
	peer_arm(peer);
}

void
peering_shut(struct peering *peering, unsigned index, const char *text)
{
	struct peer *peer = peering->peers[index];

	peer->is_shut = true;
	bgp_session_stop(peer->session, CEASE_SHUTDOWN, text);
	peer_arm(peer);
}

void
peering_open(struct peering *peering, unsigned index)
{
	peering->peers[index]->is_shut = false;
	peer_begin(peering->peers[index]);
}

int
peering_refresh(struct peering *peering, unsigned index, enum bgp_family family)
{
	int err = bgp_session_refresh(peering->peers[index]->session, family);

	peer_arm(peering->peers[index]);
	return err;
}

void
peering_bfd(struct peering *peering, unsigned index, bool up)
{
	bgp_session_bfd(peering->peers[index]->session, up);
	peer_arm(peering->peers[index]);
}
