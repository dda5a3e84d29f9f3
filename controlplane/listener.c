/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/dynamic.h"
#include "controlplane/listening.h"
#include "controlplane/rate.h"

enum {
	TURN = 16, /* connections taken before the loop looks at sessions and the rest again */
	BURST = 10,
	GONE_S = 60, /* a peer from a range that is not established for so long is forgotten */
	QUIET_S = 60,
};
#define PERIOD_NS (CLOCK_NS_PER_S / 2)

struct tally {
	uint64_t n;
	uint64_t n_told;
	uint64_t told_ns;
};

struct listener {
	struct event_base *base;
	struct peering *peering;
	struct listening listening;
	struct event *events[LISTENING_SOCKETS]; /* NULL: no socket, or nothing is taken now */
	bool is_started;
	unsigned n_ranges;
	struct model_dynamic *ranges;
	struct rate rate;
	struct tally tallies[LISTENER_RESULTS];
};

static const struct {
	const char *name;
	const char *text;
} results[LISTENER_RESULTS] = {
#define X(result, word, text) [LISTENER_##result] = {word, text},
	LISTENER_RESULTS_EACH(X)
#undef X
};

_Static_assert((int)LISTENER_SOCKETS == (int)LISTENING_SOCKETS, "what is shown is what there is");

/* One line for each kind of refusal in a while, whatever comes: the log is no way to fill a disk. */
static void
tell(struct listener *listener, enum listener_result result, const struct addr *peer, const char *why)
{
	struct tally *tally = &listener->tallies[result];
	uint64_t now_ns = clock_now_ns();
	char text[ADDR_TEXT_MAX];

	tally->n++;
	if (result == LISTENER_ACCEPTED || (tally->told_ns && now_ns - tally->told_ns < QUIET_S * CLOCK_NS_PER_S))
		return;
	log_warning("bgp: refused %llu connection(s), the last from %s: %s",
		    (unsigned long long)(tally->n - tally->n_told), addr_format(peer, text),
		    *why ? why : results[result].text);
	tally->n_told = tally->n;
	tally->told_ns = now_ns;
}

/* With a reset: it leaves nothing behind in the kernel, however many there are. */
static void
drop(int fd)
{
	const struct linger at_once = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static bool
is_idle(const struct listener *listener, unsigned peer)
{
	return bgp_session_status(peering_session(listener->peering, peer)).state < BGP_OPEN_SENT;
}

/* Room for one more of the range: one that has no connection gives way, the one that was up longest ago. */
static bool
guest_room(struct listener *listener, const struct model_dynamic *range)
{
	struct peering *peering = listener->peering;
	int oldest = -1;
	unsigned n = 0;

	for (unsigned i = 0; i < peering_count(peering); i++) {
		if (strcmp(peering_policy(peering, i)->group, range->peer.session.name) != 0)
			continue;
		n++;
		if (is_idle(listener, i) &&
		    (oldest < 0 || peering_last_up_ns(peering, i) < peering_last_up_ns(peering, (unsigned)oldest)))
			oldest = (int)i;
	}
	if (n < range->max)
		return true;
	if (oldest >= 0)
		peering_remove(peering, (unsigned)oldest, NULL);
	return oldest >= 0;
}

static enum listener_result
guest_accept(struct listener *listener, const struct model_dynamic *range, const struct model_peer *guest, int fd)
{
	int index;

	if (!guest_room(listener, range))
		return LISTENER_FULL;
	index = peering_add(listener->peering, guest);
	if (index < 0)
		return LISTENER_FAILED;
	peering_accept(listener->peering, (unsigned)index, fd);
	return LISTENER_ACCEPTED;
}

/* Unless it is accepted, the socket stays the caller's. */
static enum listener_result
admit(struct listener *listener, int fd, const struct tcp_peer *peer, char why[static TCP_WHY_MAX])
{
	int index = peering_at(listener->peering, peer), err;
	const struct model_dynamic *range =
		index < 0 ? dynamic_lookup(listener->ranges, listener->n_ranges, &peer->addr) : NULL;
	struct model_peer guest;

	if (index < 0 && !range)
		return LISTENER_UNKNOWN;
	if (!rate_take(&listener->rate, &peer->addr, clock_now_ns()))
		return LISTENER_LIMITED;
	if (range)
		guest = dynamic_peer(range, &peer->addr);
	else
		guest = *peering_policy(listener->peering, (unsigned)index);
	err = tcp_admit(fd, &guest.session, why);
	if (err)
		return err == -EHOSTUNREACH ? LISTENER_FAR : LISTENER_FAILED;
	if (range)
		return guest_accept(listener, range, &guest, fd);
	peering_accept(listener->peering, (unsigned)index, fd);
	return LISTENER_ACCEPTED;
}

static void
events_clear(struct listener *listener)
{
	for (unsigned i = 0; i < LISTENING_SOCKETS; i++) {
		if (listener->events[i])
			event_free(listener->events[i]);
		listener->events[i] = NULL;
	}
}

static void
on_waiting(evutil_socket_t socket, short what, void *context)
{
	struct listener *listener = context;
	enum listener_result result;
	struct tcp_peer peer;
	int fd, err = 0;

	(void)what;
	for (unsigned i = 0; i < TURN && (err = tcp_accept(socket, &fd, &peer)) == 0; i++) {
		char why[TCP_WHY_MAX] = "";

		result = admit(listener, fd, &peer, why);
		if (result != LISTENER_ACCEPTED)
			drop(fd);
		tell(listener, result, &peer.addr, why);
	}
	/* Without descriptors the socket stays readable: the loop would do nothing else until the next tick. */
	if (err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM) {
		log_error("bgp: can't take a connection: %s", strerror(-err));
		events_clear(listener);
	}
}

static void
events_set(struct listener *listener)
{
	for (unsigned i = 0; i < LISTENING_SOCKETS; i++) {
		if (listener->events[i] || listener->listening.fds[i] < 0)
			continue;
		listener->events[i] = event_new(listener->base, listener->listening.fds[i], EV_READ | EV_PERSIST,
						on_waiting, listener);
		if (listener->events[i])
			event_add(listener->events[i], NULL);
	}
}

struct listener *
listener_new(struct event_base *base, struct peering *peering)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	uint64_t key[2];

	if (!listener || getrandom(key, sizeof(key), 0) != sizeof(key)) {
		free(listener);
		return NULL;
	}
	listener->base = base;
	listener->peering = peering;
	listening_init(&listener->listening);
	rate_init(&listener->rate, PERIOD_NS, BURST, key);
	return listener;
}

void
listener_free(struct listener *listener)
{
	if (!listener)
		return;
	events_clear(listener);
	listening_fini(&listener->listening);
	free(listener->ranges);
	free(listener);
}

int
listener_apply(struct listener *listener, const char *file, const struct model *model, struct config_errors *errors)
{
	struct model_dynamic *ranges = calloc(model->n_dynamic + 1, sizeof(*ranges));
	char why[LISTENING_WHY_MAX];
	int err;

	if (!ranges)
		return -ENOMEM;
	events_clear(listener);
	err = listening_apply(&listener->listening, model, why);
	if (listener->is_started)
		events_set(listener);
	if (err) {
		config_errors_add(errors, "%s: bgp: %s", file, why);
		free(ranges);
		return err;
	}
	for (unsigned i = 0; i < model->n_dynamic; i++)
		ranges[i] = model->dynamic[i];
	free(listener->ranges);
	listener->ranges = ranges;
	listener->n_ranges = model->n_dynamic;
	return 0;
}

void
listener_start(struct listener *listener)
{
	listener->is_started = true;
	events_set(listener);
}

/* A helper keeps what a restarting peer told us for as long as the peer asked (RFC 4724 4.2). */
static uint64_t
gone_after_ns(const struct bgp_status *status)
{
	uint64_t restart_s = status->may_keep ? status->negotiated.restart_s : 0;

	return (restart_s > GONE_S ? restart_s : GONE_S) * CLOCK_NS_PER_S;
}

void
listener_tick(struct listener *listener, uint64_t now_ns)
{
	struct peering *peering = listener->peering;

	if (listener->is_started)
		events_set(listener);
	for (unsigned i = peering_count(peering); i-- > 0;) {
		struct bgp_status status = bgp_session_status(peering_session(peering, i));

		if (peering_policy(peering, i)->group[0] && status.state != BGP_ESTABLISHED &&
		    now_ns - peering_last_up_ns(peering, i) > gone_after_ns(&status))
			peering_remove(peering, i, NULL);
	}
}

uint64_t
listener_count(const struct listener *listener, enum listener_result result)
{
	return listener->tallies[result].n;
}

const char *
listener_result_name(enum listener_result result)
{
	return results[result].name;
}

const char *
listener_result_text(enum listener_result result)
{
	return results[result].text;
}

bool
listener_socket(const struct listener *listener, unsigned index, struct addr *addr, uint16_t *port)
{
	if (index >= listener->listening.plan.n_addrs || listener->listening.fds[index] < 0)
		return false;
	*addr = listener->listening.plan.addrs[index];
	*port = listener->listening.plan.port;
	return true;
}
