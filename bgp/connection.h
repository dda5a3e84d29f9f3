/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TCP connection and its core (fsm.h): moves octets between them without blocking, and makes the socket what the
 * core wants. Sockets are watched by the session's epoll descriptor. One thread.
 */
#ifndef BGP_CONNECTION_H
#define BGP_CONNECTION_H

#include "bgp/fsm.h"

struct connection {
	int fd; /* -1: none */
	int epoll_fd;
	bool connecting;
	bool accepted; /* the peer opened it */
	bool has_more; /* a message that came already waits for its turn */
	size_t rx_len;
	uint8_t rx[BGP_EXTENDED_MAX + 1]; /* a whole message always fits */
	struct fsm fsm;
};

void connection_init(struct connection *connection, int epoll_fd);
/* A socket that the peer opened. */
void connection_accept(struct connection *connection, int fd, uint64_t now_ns);
/* Whatever the socket is ready for, and the timers that ran out. */
void connection_run(struct connection *connection, uint64_t now_ns);
/* After any call on the core: opens, closes or flushes. */
void connection_follow(struct connection *connection, uint64_t now_ns);
void connection_close(struct connection *connection);
/* The last octets go out if the socket takes them at once; then it is closed. */
void connection_end_socket(int fd, const uint8_t *last, size_t len);

#endif
