/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/bfd_engine.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/bfd_socket.h"

enum {
	PACKETS_A_TURN = 512, /* more than a socket's queue holds: silence is judged with all that came before it read */
	ORDERS_A_TURN = 64,
	FAREWELL_S = 1,	/* a session that ends says AdminDown for so long */
	ORDER_WAIT_S = 2,
	NICE_BEST = -20,
	PACKET_ROOM = 256, /* what is longer has its end cut: BFD's Length is one octet */
	POLLED = 1 + BFD_SOCKET_KINDS,
};

/* What the engine knows of a session besides BFD; the same place as in the mux. */
struct slot {
	uint32_t id;
	int fd; /* it sends from; -1: none yet */
	uint64_t leave_ns; /* forgotten then; UINT64_MAX: it stays */
	bool is_untold;
	int send_error;
	struct bfd_status told;
};

struct bfd_engine {
	pthread_t thread;
	int owner_fd;

	/* the thread's */
	int thread_fd;
	bool ends;
	uint64_t second_ns;
	unsigned n_slots; /* those above it are not used */
	struct slot slots[BFD_SESSIONS_MAX];
	int listeners[BFD_SOCKET_KINDS]; /* -1: none */
	int listen_errors[BFD_SOCKET_KINDS];
	uint64_t closed_drops; /* of listeners that are no more */
	struct bfd_totals totals;
	struct bfd_mux mux;
};

static struct bfd_session *
session_of(struct bfd_engine *e, unsigned at)
{
	return &e->mux.members[at].session;
}

/* The words for what keeps a session from working. */
static const char *
trouble_of(const struct bfd_engine *e, unsigned at, int *error)
{
	const struct slot *slot = &e->slots[at];
	int listen_error = e->listen_errors[bfd_socket_kind(&e->mux.members[at].path)];

	*error = listen_error ? -listen_error : -slot->send_error;
	if (listen_error)
		return "can't receive at BFD's port";
	return slot->send_error ? "can't send" : NULL;
}

static void
report_send(struct bfd_engine *e, unsigned at)
{
	struct slot *slot = &e->slots[at];
	struct bfd_report report = {.id = slot->id, .status = session_of(e, at)->status, .totals = e->totals};

	report.trouble = trouble_of(e, at, &report.error);
	slot->is_untold = send(e->thread_fd, &report, sizeof(report), MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
	slot->told = report.status;
}

/* The owner acts upon these at once; all else waits for the second's end. */
static void
report_changes(struct bfd_engine *e, unsigned at)
{
	const struct bfd_status *now = &session_of(e, at)->status, *told = &e->slots[at].told;

	if (now->state != told->state || now->health != told->health || now->ups != told->ups ||
	    now->failures != told->failures)
		report_send(e, at);
}

static void
session_say(struct bfd_engine *e, unsigned at, uint64_t now_ns)
{
	struct slot *slot = &e->slots[at];
	uint8_t octets[BFD_PACKET_MAX];
	size_t len;

	while ((len = bfd_session_output(session_of(e, at), now_ns, octets)) > 0 && slot->fd >= 0)
		slot->send_error = bfd_socket_send(slot->fd, &e->mux.members[at].path, octets, len);
	report_changes(e, at);
}

static void
slot_open(struct bfd_engine *e, unsigned at)
{
	struct slot *slot = &e->slots[at];
	const struct bfd_path *path = &e->mux.members[at].path;
	unsigned kind = bfd_socket_kind(path);

	if (slot->fd < 0) {
		slot->fd = bfd_socket_open(path);
		slot->send_error = slot->fd < 0 ? slot->fd : 0;
	}
	if (e->listeners[kind] >= 0)
		return;
	e->listeners[kind] = bfd_socket_listen(kind);
	e->listen_errors[kind] = e->listeners[kind] < 0 ? e->listeners[kind] : 0;
}

/* A socket that no session needs is closed: others on this machine may want the port. */
static void
listeners_trim(struct bfd_engine *e)
{
	bool is_needed[BFD_SOCKET_KINDS] = {false};

	for (unsigned at = 0; at < e->n_slots; at++)
		is_needed[bfd_socket_kind(&e->mux.members[at].path)] |= e->mux.members[at].is_used;
	for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++) {
		if (is_needed[kind] || e->listeners[kind] < 0)
			continue;
		e->closed_drops += bfd_socket_drops(e->listeners[kind]);
		close(e->listeners[kind]);
		e->listeners[kind] = -1;
	}
}

static void
slot_forget(struct bfd_engine *e, unsigned at)
{
	if (e->slots[at].fd >= 0)
		close(e->slots[at].fd);
	bfd_mux_remove(&e->mux, at);
	while (e->n_slots > 0 && !e->mux.members[e->n_slots - 1].is_used)
		e->n_slots--;
	listeners_trim(e);
}

static int
slot_lookup(const struct bfd_engine *e, uint32_t id)
{
	for (unsigned at = 0; at < e->n_slots; at++) {
		if (e->mux.members[at].is_used && e->slots[at].id == id)
			return (int)at;
	}
	return -1;
}

/* A session that says its farewell makes room for one with the same peer. */
static void
farewell_end(struct bfd_engine *e, const struct bfd_path *path)
{
	for (unsigned at = 0; at < e->n_slots; at++) {
		const struct bfd_member *member = &e->mux.members[at];

		if (member->is_used && e->slots[at].leave_ns != UINT64_MAX && addr_equal(&member->path.peer, &path->peer) &&
		    member->path.scope == path->scope && member->path.is_multihop == path->is_multihop)
			slot_forget(e, at);
	}
}

static void
order_watch(struct bfd_engine *e, const struct bfd_order *order, uint64_t now_ns)
{
	struct bfd_report refusal = {.id = order->id, .trouble = "can't be watched", .totals = e->totals};
	int at;

	farewell_end(e, &order->path);
	at = bfd_mux_add(&e->mux, &order->path, &order->config, now_ns);
	if (at < 0) {
		refusal.error = -at;
		send(e->thread_fd, &refusal, sizeof(refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
		return;
	}
	e->slots[at] = (struct slot){.id = order->id, .fd = -1, .leave_ns = UINT64_MAX};
	if ((unsigned)at >= e->n_slots)
		e->n_slots = (unsigned)at + 1;
	slot_open(e, (unsigned)at);
	report_send(e, (unsigned)at);
}

static void
order_take(struct bfd_engine *e, const struct bfd_order *order, uint64_t now_ns)
{
	int at = slot_lookup(e, order->id);

	if (order->kind == BFD_WATCH) {
		order_watch(e, order, now_ns);
	} else if (at >= 0 && order->kind == BFD_CHANGE) {
		bfd_session_configure(session_of(e, (unsigned)at), &order->config, now_ns);
	} else if (at >= 0) {
		bfd_session_disable(session_of(e, (unsigned)at), now_ns);
		e->slots[at].leave_ns = now_ns + FAREWELL_S * CLOCK_NS_PER_S;
		session_say(e, (unsigned)at, now_ns + CLOCK_NS_PER_MS);
	}
}

static void
orders_take(struct bfd_engine *e, uint64_t now_ns)
{
	for (unsigned i = 0; i < ORDERS_A_TURN; i++) {
		struct bfd_order order;
		ssize_t len = recv(e->thread_fd, &order, sizeof(order), MSG_DONTWAIT);

		if (len == 0)
			e->ends = true;
		if (len != sizeof(order))
			return;
		order_take(e, &order, now_ns);
	}
}

static void
packets_take(struct bfd_engine *e, unsigned kind, uint64_t now_ns)
{
	for (unsigned i = 0; e->listeners[kind] >= 0 && i < PACKETS_A_TURN; i++) {
		struct bfd_arrival arrival;
		uint8_t octets[PACKET_ROOM];
		int len = bfd_socket_receive(e->listeners[kind], kind, octets, sizeof(octets), &arrival);
		int at;

		if (len == -EAGAIN)
			return;
		if (len < 0)
			continue; /* an error that the kernel kept for us */
		at = bfd_mux_input(&e->mux, &arrival, octets, (size_t)len, now_ns);
		if (at >= 0)
			report_changes(e, (unsigned)at);
	}
}

/* Works off what is due, and gives when something is next. */
static uint64_t
sessions_run(struct bfd_engine *e, uint64_t now_ns)
{
	uint64_t next_ns = e->second_ns;

	for (unsigned at = 0; at < e->n_slots; at++) {
		struct bfd_session *session = session_of(e, at);

		if (!e->mux.members[at].is_used)
			continue;
		if (now_ns >= e->slots[at].leave_ns) {
			slot_forget(e, at);
			continue;
		}
		if (now_ns >= bfd_session_deadline_ns(session))
			session_say(e, at, now_ns);
		if (e->slots[at].is_untold)
			report_send(e, at);
		if (bfd_session_deadline_ns(session) < next_ns)
			next_ns = bfd_session_deadline_ns(session);
	}
	return next_ns;
}

static void
totals_gather(struct bfd_engine *e)
{
	e->totals = (struct bfd_totals){.malformed = e->mux.malformed, .unknown = e->mux.unknown,
					.too_far = e->mux.too_far, .dropped = e->closed_drops};
	for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++)
		e->totals.dropped += e->listeners[kind] < 0 ? 0 : bfd_socket_drops(e->listeners[kind]);
}

static void
second_pass(struct bfd_engine *e, uint64_t now_ns)
{
	if (now_ns < e->second_ns)
		return;
	e->second_ns = now_ns + CLOCK_NS_PER_S;
	totals_gather(e);
	for (unsigned at = 0; at < e->n_slots; at++) {
		if (!e->mux.members[at].is_used)
			continue;
		slot_open(e, at);
		report_send(e, at);
	}
}

/* Before everything else that wants a CPU, where the system lets us. */
static void
priority_raise(void)
{
	struct sched_param param = {.sched_priority = 1};
	int err = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);

	if (err == 0)
		return;
	if (setpriority(PRIO_PROCESS, 0, NICE_BEST) == 0) /* of this thread alone, on Linux */
		log_notice("bfd: no real-time priority (%s): goes by nice %d instead", strerror(err), NICE_BEST);
	else
		log_warning("bfd: no priority (%s): on a busy machine, short intervals may not hold", strerror(err));
}

static void
sockets_close(struct bfd_engine *e)
{
	for (unsigned at = 0; at < e->n_slots; at++) {
		if (e->mux.members[at].is_used && e->slots[at].fd >= 0)
			close(e->slots[at].fd);
	}
	for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++) {
		if (e->listeners[kind] >= 0)
			close(e->listeners[kind]);
	}
	close(e->thread_fd);
}

/* Until the owner or a peer wants something, or something is due. */
static void
engine_wait(const struct bfd_engine *e, uint64_t until_ns)
{
	struct pollfd polled[POLLED] = {{.fd = e->thread_fd, .events = POLLIN}};
	uint64_t now_ns = clock_now_ns(), wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec wait = {.tv_sec = (time_t)(wait_ns / CLOCK_NS_PER_S), .tv_nsec = (long)(wait_ns % CLOCK_NS_PER_S)};

	for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++)
		polled[1 + kind] = (struct pollfd){.fd = e->listeners[kind], .events = POLLIN};
	ppoll(polled, POLLED, &wait, NULL);
}

/* The time is read before the sockets are: a thread that was held up believes in no silence that it has slept through. */
static void *
engine_main(void *context)
{
	struct bfd_engine *e = context;

	priority_raise();
	while (!e->ends) {
		uint64_t now_ns = clock_now_ns();

		for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++)
			packets_take(e, kind, now_ns);
		orders_take(e, now_ns);
		second_pass(e, now_ns);
		engine_wait(e, sessions_run(e, now_ns));
	}
	sockets_close(e);
	return NULL;
}

/* Signals are the owner's. */
static int
thread_start(struct bfd_engine *e)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&e->thread, NULL, engine_main, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

struct bfd_engine *
bfd_engine_start(void)
{
	struct bfd_engine *e = calloc(1, sizeof(*e));
	struct timeval patience = {.tv_sec = ORDER_WAIT_S};
	uint64_t seed;
	int pair[2];

	if (!e)
		return NULL;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		goto fail_pair;
	e->owner_fd = pair[0];
	e->thread_fd = pair[1];
	for (unsigned kind = 0; kind < BFD_SOCKET_KINDS; kind++)
		e->listeners[kind] = -1;
	bfd_mux_init(&e->mux, seed);
	if (setsockopt(e->owner_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
		goto fail_thread;
	errno = thread_start(e);
	if (errno == 0)
		return e;
fail_thread:
	close(e->owner_fd);
	close(e->thread_fd);
fail_pair:
	free(e);
	return NULL;
}

void
bfd_engine_stop(struct bfd_engine *engine)
{
	if (!engine)
		return;
	close(engine->owner_fd);
	pthread_join(engine->thread, NULL);
	free(engine);
}

int
bfd_engine_order(struct bfd_engine *engine, const struct bfd_order *order)
{
	return send(engine->owner_fd, order, sizeof(*order), MSG_NOSIGNAL) == sizeof(*order) ? 0 : -errno;
}

int
bfd_engine_fd(const struct bfd_engine *engine)
{
	return engine->owner_fd;
}

bool
bfd_engine_report(struct bfd_engine *engine, struct bfd_report *out)
{
	return recv(engine->owner_fd, out, sizeof(*out), MSG_DONTWAIT) == sizeof(*out);
}
