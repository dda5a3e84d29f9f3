/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "bgp/tcp.h"

/* Messages that one connection may have read before others get their turn. */
enum { TURN_MESSAGES = 256 };

void
connection_init(struct connection *connection, int epoll_fd)
{
	connection->fd = -1;
	connection->epoll_fd = epoll_fd;
	connection->connecting = false;
	connection->accepted = false;
	connection->has_more = false;
	connection->rx_len = 0;
}

/* The octets that wait decide whether the loop should hear of room in the socket. */
static void
watch(struct connection *connection, int operation)
{
	bool writes = connection->connecting || connection->fsm.out.len > 0;
	struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0U)};

	if (connection->fd >= 0 && epoll_ctl(connection->epoll_fd, operation, connection->fd, &event) != 0)
		log_error("bgp %s: epoll: %s", connection->fsm.config->name, strerror(errno));
}

/* Unread octets are read first: closing over them would make TCP reset the connection and lose the message. */
void
connection_end_socket(int fd, const uint8_t *last, size_t len)
{
	uint8_t unread[BGP_MESSAGE_MAX];

	if (len > 0 && send(fd, last, len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
		shutdown(fd, SHUT_WR);
		for (int i = 0; i < 64 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0; i++)
			;
	}
	close(fd);
}

void
connection_close(struct connection *connection)
{
	struct output *out = &connection->fsm.out;

	if (connection->fd < 0)
		return;
	connection_end_socket(connection->fd, out->octets + out->at, connection->connecting ? 0 : out->len);
	output_clear(out);
	connection_init(connection, connection->epoll_fd);
}

static void
up(struct connection *connection, uint64_t now_ns)
{
	struct bgp_status *status = &connection->fsm.status;

	status->local = tcp_local(connection->fd);
	tcp_ports(connection->fd, &status->local_port, &status->peer_port);
	connection->connecting = false;
	connection->rx_len = 0;
	fsm_connected(&connection->fsm, now_ns, &status->local);
	watch(connection, EPOLL_CTL_MOD);
}

static void
open_socket(struct connection *connection, uint64_t now_ns)
{
	char why[TCP_WHY_MAX];
	int fd;

	if (tcp_open(connection->fsm.config, &fd, why) != 0) {
		log_warning("bgp %s: %s", connection->fsm.config->name, why);
		fsm_lost(&connection->fsm, now_ns);
		return;
	}
	connection->fd = fd;
	connection->connecting = true;
	watch(connection, EPOLL_CTL_ADD);
}

void
connection_accept(struct connection *connection, int fd, uint64_t now_ns)
{
	connection->fd = fd;
	connection->accepted = true;
	watch(connection, EPOLL_CTL_ADD);
	up(connection, now_ns);
	connection_follow(connection, now_ns);
}

static void
flush(struct connection *connection, uint64_t now_ns)
{
	struct fsm *fsm = &connection->fsm;
	struct output *out = &fsm->out;

	while (fsm->link == FSM_LINK_UP && out->len > 0) {
		ssize_t sent = send(connection->fd, out->octets + out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent < 0) {
			fsm_lost(fsm, now_ns);
			return;
		}
		fsm_taken(fsm, (size_t)sent);
	}
}

/* What the socket took is not yet what the peer took (RFC 9687 3). */
static void
check_acknowledged(struct connection *connection, uint64_t now_ns)
{
	int waiting = 0;

	if (connection->fsm.link == FSM_LINK_UP && ioctl(connection->fd, SIOCOUTQ, &waiting) == 0)
		fsm_unacknowledged(&connection->fsm, now_ns, (size_t)waiting);
}

/* Messages off the front of what has come, a turn's worth. */
static void
process(struct connection *connection, uint64_t now_ns)
{
	unsigned budget = TURN_MESSAGES;
	size_t used = fsm_input(&connection->fsm, now_ns, connection->rx, connection->rx_len, &budget);

	connection->has_more = budget == 0;
	connection->rx_len -= used;
	memmove(connection->rx, connection->rx + used, connection->rx_len);
}

/* One receive a turn: what is left makes the descriptor readable again, and other sessions get their turn. */
static void
receive(struct connection *connection, uint64_t now_ns)
{
	size_t room = sizeof(connection->rx) - connection->rx_len;
	ssize_t got = room > 0 ? recv(connection->fd, connection->rx + connection->rx_len, room, MSG_DONTWAIT) : 0;

	if (room > 0 && got == 0) {
		/* The peer has closed; what it said before that counts. */
		process(connection, now_ns);
		if (!connection->has_more && connection->fsm.link == FSM_LINK_UP)
			fsm_lost(&connection->fsm, now_ns);
		return;
	}
	if (got < 0 && errno != EAGAIN && errno != EINTR) {
		fsm_lost(&connection->fsm, now_ns);
		return;
	}
	connection->rx_len += got > 0 ? (size_t)got : 0;
	process(connection, now_ns);
}

static void
finish_connect(struct connection *connection, uint64_t now_ns)
{
	struct pollfd ready = {.fd = connection->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int err = 0;

	if (poll(&ready, 1, 0) <= 0)
		return;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0) {
		log_info("bgp %s: connect: %s", connection->fsm.config->name, strerror(err));
		fsm_lost(&connection->fsm, now_ns);
		return;
	}
	up(connection, now_ns);
}

void
connection_follow(struct connection *connection, uint64_t now_ns)
{
	struct fsm *fsm = &connection->fsm;

	if (connection->fd >= 0 && fsm->link == FSM_LINK_UP)
		flush(connection, now_ns);
	if (fsm->link == FSM_LINK_NONE)
		connection_close(connection);
	if (fsm->link == FSM_LINK_WANTED && connection->fd < 0)
		open_socket(connection, now_ns);
	watch(connection, EPOLL_CTL_MOD);
}

void
connection_run(struct connection *connection, uint64_t now_ns)
{
	if (connection->fd >= 0 && connection->connecting)
		finish_connect(connection, now_ns);
	if (connection->fd >= 0 && !connection->connecting && connection->fsm.link == FSM_LINK_UP) {
		receive(connection, now_ns);
		check_acknowledged(connection, now_ns);
	}
	/* After the octets that had come, so that a hold timer never runs out over a message that lies here. */
	fsm_tick(&connection->fsm, now_ns);
	connection_follow(connection, now_ns);
}
