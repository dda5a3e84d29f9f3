/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP sockets of BGP: how they are made, and what protects them. It fails closed: when the kernel refuses a
 * protection that the configuration asks for, there is no connection, and `why` says which one it was. It keeps
 * nothing. Sockets that it makes don't block. Any thread.
 */
#ifndef BGP_TCP_H
#define BGP_TCP_H

#include "bgp/bgp.h"

enum { TCP_WHY_MAX = 128 };

/* A connection to the peer, prepared, bound to the local address and on its way: *fd is writable when it is decided. */
MUST_CHECK int tcp_open(const struct bgp_config *config, int *fd, char why[static TCP_WHY_MAX]);

/* Key, hop limits, time-out and class of a socket to the peer: before connect(), and of an accepted one before it is
 * read. */
MUST_CHECK int tcp_prepare(int fd, const struct bgp_config *config, char why[static TCP_WHY_MAX]);

/* Listens on the address, which says the family and may be all zeros: any. A port of 0 stands for BGP's. */
MUST_CHECK int tcp_listen(const struct addr *local, uint16_t port, int *fd, char why[static TCP_WHY_MAX]);
/*
 * Sets or replaces the key of all peers within the prefix on a listening socket of their family, from which accepted
 * sockets inherit it. The longest prefix that holds a peer is the one whose key it must use. Without `auth` it is
 * nothing.
 */
MUST_CHECK int tcp_key_set(int fd, const struct prefix *peers, const struct bgp_config *config,
			   char why[static TCP_WHY_MAX]);
/* Takes it away: without a key for them, peers that sign their segments are not heard, and others are. */
MUST_CHECK int tcp_key_clear(int fd, const struct prefix *peers, const struct bgp_config *config,
			     char why[static TCP_WHY_MAX]);
/* Who it is; a link-local peer is named by its interface too, others by "". */
struct tcp_peer {
	struct addr addr;
	char interface[BGP_INTERFACE_MAX];
};

/* -EAGAIN: nobody waits. */
MUST_CHECK int tcp_accept(int listener, int *fd, struct tcp_peer *peer);
/*
 * Of a socket just accepted, once: may its sender be that near (GTSM)? The listening socket has peers at any distance,
 * so the SYN is judged by the copy that the kernel keeps of it. -EHOSTUNREACH: no.
 */
MUST_CHECK int tcp_admit(int fd, const struct bgp_config *config, char why[static TCP_WHY_MAX]);

/* Our end's address; ADDR_NONE: the socket has none. */
struct addr tcp_local(int fd);
void tcp_ports(int fd, uint16_t *local, uint16_t *peer); /* of both ends; one that isn't known is 0 */

#endif
