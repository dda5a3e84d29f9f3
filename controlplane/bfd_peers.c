/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/bfd_peers.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { REPORTS_A_TURN = 512 };

struct bfd_peers {
	struct event_base *base;
	struct peering *peering;
	struct journal *journal;
	struct event *changed; /* active: peers came or went */
	struct event *reports; /* NULL: there is no engine */
	struct bfd_engine *engine;
	uint32_t last_id;
	struct bfd_totals totals;
	unsigned n;
	struct bfd_peer *list;
};

static void on_report(evutil_socket_t fd, short what, void *context);

/* A session may be in the middle of being made or freed: looked at in the loop's next turn. */
static void
on_peers(void *context, const struct bgp_session *session)
{
	struct bfd_peers *peers = context;

	(void)session;
	event_active(peers->changed, EV_TIMEOUT, 0);
}

/* The interface of a link-local peer may be another one by now: its number is looked at again. */
static void
on_state(void *context, const struct bgp_session *session, enum bgp_state old, enum bgp_state now)
{
	(void)old;
	(void)now;
	if (bgp_session_config(session)->interface[0])
		on_peers(context, session);
}

static void
on_changed(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	bfd_peers_apply(context);
}

struct bfd_peers *
bfd_peers_new(struct event_base *base, struct peering *peering, struct journal *journal)
{
	static const struct peering_watcher watcher = {.joined = on_peers, .left = on_peers, .state = on_state};
	struct bfd_peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return NULL;
	*peers = (struct bfd_peers){.base = base, .peering = peering, .journal = journal};
	peers->changed = evtimer_new(base, on_changed, peers);
	if (peers->changed && peering_watch(peering, &watcher, peers) == 0)
		return peers;
	if (peers->changed)
		event_free(peers->changed);
	free(peers);
	return NULL;
}

void
bfd_peers_free(struct bfd_peers *peers)
{
	if (!peers)
		return;
	if (peers->reports)
		event_free(peers->reports);
	bfd_engine_stop(peers->engine);
	event_free(peers->changed);
	free(peers->list);
	free(peers);
}

static int
engine_start(struct bfd_peers *peers)
{
	if (peers->engine)
		return 0;
	peers->engine = bfd_engine_start();
	if (!peers->engine)
		return -errno;
	peers->reports = event_new(peers->base, bfd_engine_fd(peers->engine), EV_READ | EV_PERSIST, on_report, peers);
	if (peers->reports && event_add(peers->reports, NULL) == 0)
		return 0;
	if (peers->reports)
		event_free(peers->reports);
	bfd_engine_stop(peers->engine);
	peers->reports = NULL;
	peers->engine = NULL;
	return -ENOMEM;
}

static void
order(struct bfd_peers *peers, enum bfd_order_kind kind, const struct bfd_peer *peer)
{
	struct bfd_order order = {.kind = kind, .id = peer->id, .path = peer->path, .config = peer->config};
	int err = bfd_engine_order(peers->engine, &order);

	if (err)
		log_error("bfd %s: the thread takes no orders: %s", peer->name, strerror(-err));
}

/* Says to BGP what BFD has found, if the peer is still there. */
static void
bgp_tell(struct bfd_peers *peers, struct bfd_peer *peer, bool is_down)
{
	int index = peering_lookup(peers->peering, peer->name);

	if (index >= 0 && (is_down || peer->holds_bgp))
		peering_bfd(peers->peering, (unsigned)index, !is_down);
	peer->holds_bgp = is_down;
}

static struct bfd_peer
peer_of(const struct model_peer *policy)
{
	struct bfd_peer peer = {.path = {.peer = policy->session.peer, .local = policy->session.local,
					 .is_multihop = policy->bfd.is_multihop, .ttl_min = policy->bfd.ttl_min},
				.config = policy->bfd.session};

	memcpy(peer.name, policy->session.name, sizeof(peer.name));
	if (policy->session.interface[0])
		peer.path.scope = if_nametoindex(policy->session.interface);
	return peer;
}

static bool
auth_equal(const struct bfd_auth_config *a, const struct bfd_auth_config *b)
{
	return a->type == b->type && a->key_id == b->key_id && a->key_len == b->key_len &&
	       memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

/* One session can become the other while it runs. */
static bool
is_same_session(const struct bfd_peer *a, const struct bfd_peer *b)
{
	return strcmp(a->name, b->name) == 0 && addr_equal(&a->path.peer, &b->path.peer) &&
	       addr_equal(&a->path.local, &b->path.local) && a->path.scope == b->path.scope &&
	       a->path.is_multihop == b->path.is_multihop && a->path.ttl_min == b->path.ttl_min && auth_equal(&a->config.auth, &b->config.auth);
}

/* Goes on with a session that is there, and takes it out of the old list. */
static void
peer_keep(struct bfd_peers *peers, struct bfd_peer *peer)
{
	for (unsigned i = 0; i < peers->n; i++) {
		struct bfd_peer *old = &peers->list[i];
		struct bfd_config config = peer->config;

		if (old->id == 0 || !is_same_session(old, peer))
			continue;
		*peer = *old;
		peer->config = config;
		old->id = 0;
		if (config.desired_us != old->config.desired_us || config.multiplier != old->config.multiplier)
			order(peers, BFD_CHANGE, peer);
		return;
	}
}

static unsigned
peers_gather(const struct bfd_peers *peers, struct bfd_peer *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < peering_count(peers->peering); i++) {
		const struct model_peer *policy = peering_policy(peers->peering, i);

		if (policy->bfd.enabled)
			out[n++] = peer_of(policy);
	}
	return n;
}

/* Those that go, go first: one that comes may have the same address. */
static void
peers_replace(struct bfd_peers *peers, struct bfd_peer *fresh, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		peer_keep(peers, &fresh[i]);
	for (unsigned i = 0; i < peers->n; i++) {
		if (peers->list[i].id == 0)
			continue;
		order(peers, BFD_FORGET, &peers->list[i]);
		bgp_tell(peers, &peers->list[i], false);
	}
	free(peers->list);
	peers->list = fresh;
	peers->n = n;
	for (unsigned i = 0; i < n; i++) {
		if (fresh[i].holds_bgp)
			bgp_tell(peers, &fresh[i], true); /* its BGP session may be a new one */
		if (fresh[i].id != 0)
			continue;
		fresh[i].id = ++peers->last_id;
		order(peers, BFD_WATCH, &fresh[i]);
	}
}

void
bfd_peers_apply(struct bfd_peers *peers)
{
	struct bfd_peer *fresh = calloc(peering_count(peers->peering) + 1, sizeof(*fresh));
	unsigned n = fresh ? peers_gather(peers, fresh) : 0;
	int err = !fresh ? -ENOMEM : n > 0 ? engine_start(peers) : 0;

	if (!err) {
		peers_replace(peers, fresh, n);
		return;
	}
	free(fresh);
	log_error("bfd: peers are watched as they were: %s", strerror(-err));
}

/* What happened since the report before, for people. */
static void
report_tell(struct bfd_peers *peers, const struct bfd_peer *peer, const struct bfd_report *report)
{
	const struct bfd_status *was = &peer->report.status, *now = &report->status;
	const char *name = peer->name;

	if (report->trouble && report->trouble != peer->report.trouble)
		log_warning("bfd %s: %s: %s", name, report->trouble, strerror(report->error));
	if (now->failures != was->failures) {
		bool is_theirs = now->diag == BFD_DIAG_NEIGHBOR_DOWN && now->remote_diag != BFD_DIAG_NONE;
		const char *why = bfd_diag_name(now->diag), *says = is_theirs ? ", which says: " : "";
		const char *theirs = is_theirs ? bfd_diag_name(now->remote_diag) : "";

		log_warning("bfd %s: down: %s%s%s; BGP ends", name, why, says, theirs);
		journal_add(peers->journal, "bfd", name, "down: %s%s%s", why, says, theirs);
	} else if (now->downs != was->downs) {
		log_notice("bfd %s: taken down by the peer's operator; BGP goes on", name);
		journal_add(peers->journal, "bfd", name, "taken down by the peer's operator; BGP goes on");
	}
	if (now->ups != was->ups) {
		log_notice("bfd %s: up", name);
		journal_add(peers->journal, "bfd", name, "up");
	} else if (was->health == BFD_FAILED && now->health == BFD_UNKNOWN) {
		log_notice("bfd %s: nothing is heard any more; BGP may try without it", name);
		journal_add(peers->journal, "bfd", name, "nothing is heard any more; BGP may try without it");
	}
}

/* A failure counts even if the session was up again before we were told. */
static void
report_take(struct bfd_peers *peers, struct bfd_peer *peer, const struct bfd_report *report)
{
	bool has_failed = report->status.failures != peer->report.status.failures;

	report_tell(peers, peer, report);
	peer->report = *report;
	if (has_failed)
		bgp_tell(peers, peer, true);
	if (report->status.health != BFD_FAILED)
		bgp_tell(peers, peer, false);
}

static void
on_report(evutil_socket_t fd, short what, void *context)
{
	struct bfd_peers *peers = context;
	struct bfd_report report;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < REPORTS_A_TURN && bfd_engine_report(peers->engine, &report); i++) {
		peers->totals = report.totals;
		for (unsigned k = 0; k < peers->n; k++) {
			if (peers->list[k].id == report.id)
				report_take(peers, &peers->list[k], &report);
		}
	}
}

unsigned
bfd_peers_count(const struct bfd_peers *peers)
{
	return peers->n;
}

const struct bfd_peer *
bfd_peers_at(const struct bfd_peers *peers, unsigned index)
{
	return &peers->list[index];
}

const struct bfd_totals *
bfd_peers_totals(const struct bfd_peers *peers)
{
	return &peers->totals;
}
