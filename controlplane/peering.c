/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/peering.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/path.h"

struct peer {
	struct peering *peering;
	struct bgp_session *session;
	struct event *event; /* made anew after each call on the session */
};

struct peering {
	struct event_base *base;
	struct peer **peers;
	unsigned n_peers;
	struct prefix *announced;
	unsigned n_announced;
	bool is_started;
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

	if (peer->event)
		event_free(peer->event);
	peer->event = event_new(peer->peering->base, fd, events, peer_ready, peer);
	if (peer->event && (fd >= 0 || deadline_ns != UINT64_MAX))
		event_add(peer->event, deadline_ns == UINT64_MAX ? NULL : &wait);
}

static void
peer_ready(evutil_socket_t fd, short what, void *context)
{
	struct peer *peer = context;
	short revents = (short)(((what & EV_READ) ? POLLIN : 0) | ((what & EV_WRITE) ? POLLOUT : 0));

	(void)fd;
	bgp_session_run(peer->session, revents);
	peer_arm(peer);
}

struct peering *
peering_new(struct event_base *base)
{
	struct peering *peering = calloc(1, sizeof(*peering));

	if (peering)
		peering->base = base;
	return peering;
}

static void
peer_free(struct peer *peer)
{
	if (!peer)
		return;
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
		peer_free(peering->peers[i]);
	free(peering->peers);
	free(peering->announced);
	free(peering);
}

static struct peer *
peer_new(struct peering *peering, const struct bgp_config *config)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct path path;

	if (!peer)
		return NULL;
	peer->peering = peering;
	peer->session = bgp_session_new(config);
	if (!peer->session) {
		free(peer);
		return NULL;
	}
	path_init(&path);
	for (unsigned i = 0; i < peering->n_announced; i++) {
		if (bgp_session_announce(peer->session, &peering->announced[i], &path) != 0)
			log_error("bgp %s: too many prefixes to announce", config->name);
	}
	if (peering->is_started)
		bgp_session_start(peer->session);
	peer_arm(peer);
	return peer;
}

/* Takes a running session with this very configuration out of the old list. */
static struct peer *
peer_keep(struct peer **old, unsigned n_old, const struct bgp_config *config)
{
	for (unsigned i = 0; i < n_old; i++) {
		struct peer *peer = old[i];

		if (peer && memcmp(bgp_session_config(peer->session), config, sizeof(*config)) == 0) {
			old[i] = NULL;
			return peer;
		}
	}
	return NULL;
}

int
peering_apply(struct peering *peering, const struct model *model)
{
	struct peer **fresh = calloc(model->n_peers ? model->n_peers : 1, sizeof(*fresh));
	unsigned n = 0;

	if (!fresh)
		return -ENOMEM;
	for (unsigned i = 0; i < model->n_peers; i++)
		fresh[i] = peer_keep(peering->peers, peering->n_peers, &model->peers[i].session);
	for (unsigned i = 0; i < peering->n_peers; i++)
		peer_free(peering->peers[i]);
	for (unsigned i = 0; i < model->n_peers; i++) {
		struct peer *peer = fresh[i] ? fresh[i] : peer_new(peering, &model->peers[i].session);

		if (peer)
			fresh[n++] = peer;
	}
	free(peering->peers);
	peering->peers = fresh;
	peering->n_peers = n;
	return n == model->n_peers ? 0 : -ENOMEM;
}

void
peering_start(struct peering *peering)
{
	if (peering->is_started)
		return;
	peering->is_started = true;
	for (unsigned i = 0; i < peering->n_peers; i++) {
		bgp_session_start(peering->peers[i]->session);
		peer_arm(peering->peers[i]);
	}
}

static int
compare(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static bool
holds(const struct prefix *set, unsigned n, const struct prefix *prefix)
{
	return n > 0 && bsearch(prefix, set, n, sizeof(*set), compare) != NULL;
}

static void
peer_update(struct peering *peering, struct peer *peer, const struct prefix *prefixes, unsigned n)
{
	struct path path;

	path_init(&path);
	for (unsigned i = 0; i < peering->n_announced; i++) {
		if (!holds(prefixes, n, &peering->announced[i]))
			bgp_session_withdraw(peer->session, &peering->announced[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (!holds(peering->announced, peering->n_announced, &prefixes[i]) &&
		    bgp_session_announce(peer->session, &prefixes[i], &path) != 0)
			log_error("bgp %s: too many prefixes to announce", bgp_session_config(peer->session)->name);
	}
	peer_arm(peer);
}

void
peering_announce(struct peering *peering, const struct prefix *prefixes, unsigned n)
{
	struct prefix *copy;

	if (n == peering->n_announced && (n == 0 || memcmp(prefixes, peering->announced, n * sizeof(*prefixes)) == 0))
		return;
	copy = malloc((n ? n : 1) * sizeof(*copy));
	if (!copy) {
		log_error("bgp: out of memory; announcements stay as they are");
		return;
	}
	if (n > 0)
		memcpy(copy, prefixes, n * sizeof(*copy));
	for (unsigned i = 0; i < peering->n_peers; i++)
		peer_update(peering, peering->peers[i], prefixes, n);
	free(peering->announced);
	peering->announced = copy;
	peering->n_announced = n;
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
