/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UDP sockets of BFD (RFC 5881 4 and 5, RFC 5883): one a kind of path to receive on, one a session to send from. None
 * of them blocks. No state; any thread.
 */
#ifndef CONTROLPLANE_BFD_SOCKET_H
#define CONTROLPLANE_BFD_SOCKET_H

#include "bgp/bfd_mux.h"

/* Paths whose packets come to one socket: by family, and neighbours or not. */
enum { BFD_SOCKET_KINDS = 4 };

unsigned bfd_socket_kind(const struct bfd_path *path);

/* A socket for what comes from all peers of this kind; -errno. What has crossed a router does not get into a neighbours' one. */
MUST_CHECK int bfd_socket_listen(unsigned kind);
/* Octets received from it, -errno; -EAGAIN: nothing is there. */
MUST_CHECK int bfd_socket_receive(int fd, unsigned kind, uint8_t *octets, size_t size, struct bfd_arrival *arrival);
/* Packets that the kernel threw away: they came from too far, or nobody took them in time. */
uint32_t bfd_socket_drops(int fd);

/* A socket for one session's packets, at a source port that no other has (RFC 5881 4); -errno. */
MUST_CHECK int bfd_socket_open(const struct bfd_path *path);
MUST_CHECK int bfd_socket_send(int fd, const struct bfd_path *path, const uint8_t *octets, size_t len); /* -errno */

#endif
