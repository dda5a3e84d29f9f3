/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session owns up to two connections, each with its own core (fsm.h): the main one, and for the short while of a
 * collision (RFC 4271 6.8) a rival. One epoll descriptor stands for both sockets, so the owner waits on one thing.
 */
#include "bgp/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/fsm.h"

struct connection {
	int fd; /* -1: none */
	bool connecting;
	bool accepted; /* the peer opened it */
	size_t rx_len;
	uint8_t rx[BGP_MESSAGE_MAX];
	struct fsm fsm;
};

struct bgp_session {
	struct bgp_config config;
	struct rib_out *rib;
	const struct bgp_session_events *events; /* NULL: nobody listens */
	void *events_context;
	int epoll_fd;
	bool rib_changed; /* run is due at once; changes made together share UPDATEs */
	struct connection *main;
	struct connection *rival; /* fd -1: none */
	struct connection pair[2];
};

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t
socket_address_of(const struct addr *addr, uint16_t port, union socket_address *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->family == ADDR_V4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, addr->octets, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, addr->octets, 16);
	return sizeof(out->v6);
}

static struct addr
local_address(int fd)
{
	union socket_address own = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.any, &len) == 0 && own.any.sa_family == AF_INET)
		return addr_v4(&own.v4.sin_addr);
	if (own.any.sa_family != AF_INET6)
		return (struct addr){.family = ADDR_NONE};
	if (IN6_IS_ADDR_V4MAPPED(&own.v6.sin6_addr))
		return addr_v4(&own.v6.sin6_addr.s6_addr[12]);
	return addr_v6(&own.v6.sin6_addr);
}

/* The octets that wait decide whether the loop should hear of room in the socket. */
static void
connection_watch(struct bgp_session *session, struct connection *connection, int operation)
{
	bool writes = connection->connecting || connection->fsm.out_len > 0;
	struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0U)};

	if (connection->fd >= 0 && epoll_ctl(session->epoll_fd, operation, connection->fd, &event) != 0)
		log_error("bgp %s: epoll: %s", session->config.name, strerror(errno));
}

/* The last octets go out if the socket takes them at once. Unread ones are read first: closing over them would make TCP
 * reset the connection and lose the message. */
static void
socket_close(int fd, const uint8_t *last, size_t len)
{
	uint8_t unread[BGP_MESSAGE_MAX];

	if (len > 0 && send(fd, last, len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
		shutdown(fd, SHUT_WR);
		for (int i = 0; i < 64 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++)
			;
	}
	close(fd);
}

static void
connection_close(struct connection *connection)
{
	const struct fsm *fsm = &connection->fsm;

	if (connection->fd < 0)
		return;
	socket_close(connection->fd, fsm->out + fsm->out_at, connection->connecting ? 0 : fsm->out_len);
	connection->fd = -1;
	connection->connecting = false;
	connection->accepted = false;
	connection->rx_len = 0;
	connection->fsm.out_len = 0;
}

static void
connection_up(struct bgp_session *session, struct connection *connection, uint64_t now_ns)
{
	struct addr local = local_address(connection->fd);
	int on = 1;

	/* Without it only the last octets of a message wait a little longer. */
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection->connecting = false;
	connection->rx_len = 0;
	fsm_connected(&connection->fsm, now_ns, &local);
	connection_watch(session, connection, EPOLL_CTL_MOD);
}

static int
connection_open(struct bgp_session *session, struct connection *connection)
{
	const struct bgp_config *config = &session->config;
	union socket_address to;
	socklen_t len = socket_address_of(&config->peer, config->port ? config->port : BGP_PORT, &to);
	union socket_address from;
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (config->local.family != ADDR_NONE) {
		socklen_t from_len = socket_address_of(&config->local, 0, &from);

		if (bind(fd, &from.any, from_len) != 0)
			goto fail;
	}
	if (connect(fd, &to.any, len) != 0 && errno != EINPROGRESS)
		goto fail;
	connection->fd = fd;
	connection->connecting = true;
	connection_watch(session, connection, EPOLL_CTL_ADD);
	return 0;
fail:
	len = (socklen_t)errno;
	close(fd);
	return -(int)len;
}

static void
connection_flush(struct connection *connection, uint64_t now_ns)
{
	struct fsm *fsm = &connection->fsm;

	while (fsm->link == FSM_LINK_UP && fsm->out_len > 0) {
		ssize_t sent = send(connection->fd, fsm->out + fsm->out_at, fsm->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent < 0) {
			fsm_lost(fsm, now_ns);
			return;
		}
		fsm_taken(fsm, (size_t)sent);
	}
}

/* One receive a run: what is left makes the descriptor readable again, and other sessions get their turn. */
static void
connection_receive(struct connection *connection, uint64_t now_ns)
{
	struct fsm *fsm = &connection->fsm;
	ssize_t got = recv(connection->fd, connection->rx + connection->rx_len,
			   sizeof(connection->rx) - connection->rx_len, MSG_DONTWAIT);
	size_t used;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		fsm_lost(fsm, now_ns);
		return;
	}
	connection->rx_len += (size_t)got;
	/* A whole message always fits, so the buffer can't be full of an unfinished one. */
	used = fsm_input(fsm, now_ns, connection->rx, connection->rx_len);
	connection->rx_len -= used;
	memmove(connection->rx, connection->rx + used, connection->rx_len);
}

static void
connection_finish(struct bgp_session *session, struct connection *connection, uint64_t now_ns)
{
	struct pollfd ready = {.fd = connection->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&ready, 1, 0) <= 0)
		return;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0) {
		log_info("bgp %s: connect: %s", session->config.name, strerror(err));
		fsm_lost(&connection->fsm, now_ns);
		return;
	}
	connection_up(session, connection, now_ns);
}

/* Makes the socket what the core wants: opened, closed or flushed. */
static void
connection_follow(struct bgp_session *session, struct connection *connection, uint64_t now_ns)
{
	struct fsm *fsm = &connection->fsm;
	int err;

	if (connection->fd >= 0 && fsm->link == FSM_LINK_UP)
		connection_flush(connection, now_ns);
	if (fsm->link == FSM_LINK_NONE)
		connection_close(connection);
	if (fsm->link == FSM_LINK_WANTED && connection->fd < 0) {
		err = connection_open(session, connection);
		if (err) {
			log_warning("bgp %s: connect: %s", session->config.name, strerror(-err));
			fsm_lost(fsm, now_ns);
		}
	}
	connection_watch(session, connection, EPOLL_CTL_MOD);
}

static void
connection_run(struct bgp_session *session, struct connection *connection, uint64_t now_ns)
{
	if (connection->fd >= 0 && connection->connecting)
		connection_finish(session, connection, now_ns);
	if (connection->fd >= 0 && !connection->connecting && connection->fsm.link == FSM_LINK_UP)
		connection_receive(connection, now_ns);
	fsm_tick(&connection->fsm, now_ns);
	connection_follow(session, connection, now_ns);
}

/* The rival takes the main connection's place, and with it the session's history. */
static void
rival_promote(struct bgp_session *session)
{
	struct connection *winner = session->rival;
	const struct fsm *old = &session->main->fsm;

	winner->fsm.running = old->running;
	winner->fsm.penalty = winner->fsm.status.state == BGP_ESTABLISHED ? 0 : old->penalty;
	winner->fsm.status.flaps += old->status.flaps;
	for (int i = 0; i < BGP_TYPES; i++) {
		winner->fsm.status.sent[i] += old->status.sent[i];
		winner->fsm.status.received[i] += old->status.received[i];
	}
	winner->fsm.status.errors += old->status.errors;
	if (winner->fsm.status.last_error.code == 0) {
		winner->fsm.status.last_error = old->status.last_error;
		winner->fsm.status.last_error_ours = old->status.last_error_ours;
	}
	session->rival = session->main;
	session->main = winner;
}

/* No timer of a rival runs on without its socket. */
static void
rival_clear(struct bgp_session *session, uint64_t now_ns)
{
	connection_close(session->rival);
	fsm_init(&session->rival->fsm, &session->config, session->rib, now_ns);
}

/* The rival ended by itself; what was wrong with it is the session's to tell. */
static void
rival_end(struct bgp_session *session, uint64_t now_ns)
{
	struct bgp_status *kept = &session->main->fsm.status;
	const struct bgp_status *ended = &session->rival->fsm.status;

	for (int i = 0; i < BGP_TYPES; i++) {
		kept->sent[i] += ended->sent[i];
		kept->received[i] += ended->received[i];
	}
	if (ended->errors > 0) {
		kept->errors += ended->errors;
		kept->last_error = ended->last_error;
		kept->last_error_ours = ended->last_error_ours;
	}
	rival_clear(session, now_ns);
}

/* RFC 4271 6.8: when both have their OPEN, or one is up, the identifiers say which connection goes. */
static void
collision_resolve(struct bgp_session *session, uint64_t now_ns)
{
	struct fsm *ours = &session->main->fsm;
	struct fsm *theirs = &session->rival->fsm;
	bool main_stays = fsm_ours_stays(&session->config, &theirs->peer_open) != session->main->accepted;

	if (theirs->link != FSM_LINK_UP) {
		rival_end(session, now_ns);
		return;
	}
	if (ours->status.state == BGP_ESTABLISHED)
		main_stays = true;
	else if (ours->link == FSM_LINK_NONE || theirs->status.state == BGP_ESTABLISHED)
		main_stays = false;
	else if (ours->status.state != BGP_OPEN_CONFIRM || theirs->status.state != BGP_OPEN_CONFIRM)
		return;
	if (!main_stays)
		rival_promote(session);
	fsm_collision(&session->rival->fsm, now_ns);
	rival_clear(session, now_ns);
}

static void
session_log(const struct bgp_session *session, const struct bgp_status *before)
{
	const struct bgp_status now = bgp_session_status(session);
	const char *name = session->config.name;

	if (before->errors != now.errors)
		log_warning("bgp %s: %s NOTIFICATION %u/%u: %s", name, now.last_error_ours ? "sent" : "received",
			    now.last_error.code, now.last_error.subcode, bgp_error_name(&now.last_error));
	if (before->state == now.state)
		return;
	if (session->events && session->events->state)
		session->events->state(session->events_context, before->state, now.state);
	if (before->state == BGP_ESTABLISHED || now.state == BGP_ESTABLISHED)
		log_notice("bgp %s: %s to %s", name, bgp_state_name(before->state), bgp_state_name(now.state));
	else
		log_debug("bgp %s: %s to %s", name, bgp_state_name(before->state), bgp_state_name(now.state));
}

struct bgp_session *
bgp_session_new(const struct bgp_config *config)
{
	struct bgp_session *session = calloc(1, sizeof(*session));
	uint64_t seed = clock_now_ns();

	if (!session)
		return NULL;
	session->config = *config;
	session->main = &session->pair[0];
	session->rival = &session->pair[1];
	session->rib = rib_out_new();
	session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(session->pair); i++) {
		session->pair[i].fd = -1;
		fsm_init(&session->pair[i].fsm, &session->config, session->rib, seed ^ config->router_id);
	}
	if (!session->rib || session->epoll_fd < 0) {
		bgp_session_free(session);
		return NULL;
	}
	return session;
}

void
bgp_session_free(struct bgp_session *session)
{
	if (!session)
		return;
	bgp_session_stop(session, BGP_CEASE_SHUTDOWN, NULL);
	if (session->epoll_fd >= 0)
		close(session->epoll_fd);
	rib_out_free(session->rib);
	free(session);
}

void
bgp_session_start(struct bgp_session *session)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();

	fsm_start(&session->main->fsm, now_ns);
	connection_follow(session, session->main, now_ns);
	session_log(session, &before);
}

static struct bgp_error
cease_make(uint8_t subcode, const char *text)
{
	struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, subcode);
	size_t len = text ? strnlen(text, BGP_TEXT_MAX) : 0;

	if (len == 0)
		return error;
	error.data[0] = (uint8_t)len;
	memcpy(error.data + 1, text, len);
	error.data_len = (uint16_t)(1 + len);
	return error;
}

void
bgp_session_stop(struct bgp_session *session, uint8_t subcode, const char *text)
{
	struct bgp_status before = bgp_session_status(session);
	struct bgp_error cease = cease_make(subcode, text);
	uint64_t now_ns = clock_now_ns();

	for (size_t i = 0; i < ARRAY_LEN(session->pair); i++) {
		fsm_stop(&session->pair[i].fsm, now_ns, &cease);
		connection_close(&session->pair[i]);
	}
	session_log(session, &before);
}

void
bgp_session_bfd(struct bgp_session *session, bool up)
{
	session->main->fsm.status.bfd_down = !up;
	if (up)
		bgp_session_start(session);
	else
		bgp_session_stop(session, 10, NULL);
}

void
bgp_session_listen(struct bgp_session *session, const struct bgp_session_events *events, void *context)
{
	session->events = events;
	session->events_context = context;
}

int
bgp_session_refresh(struct bgp_session *session, enum bgp_family family)
{
	struct fsm *fsm = &session->main->fsm;

	if (fsm->status.state != BGP_ESTABLISHED)
		return -ENOTCONN;
	if (!fsm->peer_open.route_refresh || !fsm->peer_open.family[family])
		return -EOPNOTSUPP;
	fsm_refresh(fsm, family);
	session->rib_changed = true;
	return 0;
}

int
bgp_session_announce_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets, size_t len,
			  const struct path *path)
{
	struct rib_nlri nlri = {.family = family, .len = (uint16_t)len, .octets = octets};
	int err = len > RIB_NLRI_MAX ? -EMSGSIZE : rib_out_announce(session->rib, &nlri, path);

	if (err)
		return err;
	session->rib_changed = true;
	return 0;
}

void
bgp_session_withdraw_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets, size_t len)
{
	struct rib_nlri nlri = {.family = family, .len = (uint16_t)len, .octets = octets};

	if (len > RIB_NLRI_MAX)
		return;
	rib_out_withdraw(session->rib, &nlri);
	session->rib_changed = true;
}

int
bgp_session_announce(struct bgp_session *session, const struct prefix *prefix, const struct path *path)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct rib_nlri nlri = rib_nlri_of(prefix, octets);

	return bgp_session_announce_nlri(session, nlri.family, octets, nlri.len, path);
}

void
bgp_session_withdraw(struct bgp_session *session, const struct prefix *prefix)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct rib_nlri nlri = rib_nlri_of(prefix, octets);

	bgp_session_withdraw_nlri(session, nlri.family, octets, nlri.len);
}

size_t
bgp_session_routes(const struct bgp_session *session, bgp_route_visit *visit, void *context)
{
	return rib_out_walk(session->rib, visit, context);
}

int
bgp_session_fd(const struct bgp_session *session)
{
	return session->epoll_fd;
}

short
bgp_session_events(const struct bgp_session *session)
{
	(void)session;
	return POLLIN; /* the epoll descriptor is readable when a socket is ready for what it waits for */
}

uint64_t
bgp_session_deadline_ns(const struct bgp_session *session)
{
	uint64_t main_ns = fsm_deadline_ns(&session->main->fsm);
	uint64_t rival_ns = fsm_deadline_ns(&session->rival->fsm);

	if (session->rib_changed && session->main->fsm.status.state == BGP_ESTABLISHED)
		return 0;
	return main_ns < rival_ns ? main_ns : rival_ns;
}

void
bgp_session_run(struct bgp_session *session, short revents)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();

	(void)revents; /* both connections are tried without waiting, whichever made the descriptor ready */
	session->rib_changed = false;
	fsm_fill(&session->main->fsm);
	connection_run(session, session->main, now_ns);
	/* Before the rival is heard: two connections must never be Established, for they share the rib. */
	collision_resolve(session, now_ns);
	if (session->rival->fd >= 0)
		connection_run(session, session->rival, now_ns);
	collision_resolve(session, now_ns);
	connection_follow(session, session->main, now_ns);
	session_log(session, &before);
}

static void
refuse(struct bgp_session *session, int fd, uint8_t subcode)
{
	struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, subcode);
	uint8_t message[BGP_MESSAGE_MAX];
	size_t len = bgp_notification_encode(&error, message);

	log_info("bgp %s: refused a connection in %s: %s", session->config.name,
		 bgp_state_name(session->main->fsm.status.state), bgp_error_name(&error));
	socket_close(fd, message, len);
}

void
bgp_session_accept(struct bgp_session *session, int fd)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();
	struct connection *taker = session->main;

	if (!fsm_awaken(&taker->fsm, now_ns)) {
		refuse(session, fd, BGP_CEASE_REJECTED);
		return;
	}
	/* RFC 4271 6.8: one that meets an established session goes. */
	if (taker->fsm.status.state == BGP_ESTABLISHED || session->rival->fd >= 0) {
		refuse(session, fd, BGP_CEASE_COLLISION);
		return;
	}
	if (taker->fd >= 0) {
		taker = session->rival;
		fsm_start_accepted(&taker->fsm, now_ns);
	}
	taker->fd = fd;
	taker->accepted = true;
	connection_watch(session, taker, EPOLL_CTL_ADD);
	connection_up(session, taker, now_ns);
	connection_follow(session, taker, now_ns);
	session_log(session, &before);
}

const struct bgp_config *
bgp_session_config(const struct bgp_session *session)
{
	return &session->config;
}

struct bgp_status
bgp_session_status(const struct bgp_session *session)
{
	return session->main->fsm.status;
}
