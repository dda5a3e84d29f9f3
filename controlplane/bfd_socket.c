/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/bfd_socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	KIND_V6 = 1,
	KIND_MULTIHOP = 2,
	SOURCE_PORTS = 65536 - BFD_SOURCE_PORT_MIN,
	PORT_TRIES = 64,
	CLASS_NETWORK_CONTROL = 0xc0, /* DSCP CS6 */
	PRIORITY_NETWORK_CONTROL = 6,
	TTL_OFFSET = 8, /* in an IPv4 header */
	HOP_LIMIT_OFFSET = 7,
};

unsigned
bfd_socket_kind(const struct bfd_path *path)
{
	return (path->peer.family == ADDR_V6 ? KIND_V6 : 0) | (path->is_multihop ? KIND_MULTIHOP : 0);
}

/* ADDR_NONE: any address. */
static socklen_t
socket_address(const struct addr *addr, bool is_v6, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (!is_v6) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, addr->octets, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, addr->octets, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

/* A link-local address names somebody on an interface only (RFC 4007 6). */
static void
scope_set(struct sockaddr_storage *address, const struct addr *addr, uint32_t scope)
{
	if (addr_is_link_local(addr))
		((struct sockaddr_in6 *)address)->sin6_scope_id = scope;
}

static int
option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/*
 * RFC 5881 5, in the kernel: whoever is not our neighbour can send as much as he likes, and fills no queue that our
 * neighbours' packets wait in.
 */
static int
filter_attach(int fd, bool is_v6)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + (is_v6 ? HOP_LIMIT_OFFSET : TTL_OFFSET)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BFD_TTL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 ? 0 : -errno;
}

/* Before the socket is bound: no packet gets past what is set here. */
static int
listen_prepare(int fd, unsigned kind)
{
	bool is_v6 = kind & KIND_V6;
	int err = is_v6 ? option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : 0;

	if (!err)
		err = is_v6 ? option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) : option(fd, IPPROTO_IP, IP_RECVTTL, 1);
	if (!err)
		err = is_v6 ? option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) : option(fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (!err && !(kind & KIND_MULTIHOP))
		err = filter_attach(fd, is_v6);
	return err;
}

static int
socket_make(bool is_v6)
{
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int
bfd_socket_listen(unsigned kind)
{
	uint16_t port = kind & KIND_MULTIHOP ? BFD_PORT_MULTIHOP : BFD_PORT;
	struct sockaddr_storage address;
	socklen_t len = socket_address(&(struct addr){0}, kind & KIND_V6, port, &address);
	int fd = socket_make(kind & KIND_V6), err;

	if (fd < 0)
		return fd;
	err = listen_prepare(fd, kind);
	if (!err && bind(fd, (struct sockaddr *)&address, len) != 0)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void
arrival_note(const struct cmsghdr *c, struct bfd_arrival *arrival)
{
	const void *data = CMSG_DATA(c);
	struct in_pktinfo v4;
	struct in6_pktinfo v6;
	int ttl;

	if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
	    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
		memcpy(&ttl, data, sizeof(ttl));
		arrival->ttl = (uint8_t)ttl;
	} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&v4, data, sizeof(v4));
		arrival->to = addr_v4(&v4.ipi_addr);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&v6, data, sizeof(v6));
		arrival->to = addr_v6(&v6.ipi6_addr);
	}
}

int
bfd_socket_receive(int fd, unsigned kind, uint8_t *octets, size_t size, struct bfd_arrival *arrival)
{
	struct sockaddr_storage from;
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct iovec room = {.iov_base = octets, .iov_len = size};
	struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &room, .msg_iovlen = 1,
				 .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(fd, &message, 0);

	if (len < 0)
		return -errno;
	*arrival = (struct bfd_arrival){.is_multihop = kind & KIND_MULTIHOP};
	arrival->from = kind & KIND_V6 ? addr_v6(&((struct sockaddr_in6 *)&from)->sin6_addr)
				       : addr_v4(&((struct sockaddr_in *)&from)->sin_addr);
	if (addr_is_link_local(&arrival->from))
		arrival->scope = ((struct sockaddr_in6 *)&from)->sin6_scope_id;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		arrival_note(c, arrival);
	return (int)len;
}

uint32_t
bfd_socket_drops(int fd)
{
	uint32_t figures[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(figures);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &len) == 0 ? figures[SK_MEMINFO_DROPS] : 0;
}

static int
send_prepare(int fd, bool is_v6)
{
	int err = is_v6 ? option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, BFD_TTL) : option(fd, IPPROTO_IP, IP_TTL, BFD_TTL);

	if (!err)
		err = is_v6 ? option(fd, IPPROTO_IPV6, IPV6_TCLASS, CLASS_NETWORK_CONTROL)
			    : option(fd, IPPROTO_IP, IP_TOS, CLASS_NETWORK_CONTROL);
	if (!err)
		err = option(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_NETWORK_CONTROL);
	return err;
}

/* To a port by chance: whoever is not on the path doesn't know where answers of the kernel's would have to go. */
static int
port_take(int fd, const struct bfd_path *path)
{
	struct sockaddr_storage address;
	int err = -EADDRINUSE;

	for (unsigned i = 0; err == -EADDRINUSE && i < PORT_TRIES; i++) {
		uint16_t chance;
		socklen_t len;

		if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
			return -EIO;
		len = socket_address(&path->local, path->peer.family == ADDR_V6,
				     (uint16_t)(BFD_SOURCE_PORT_MIN + chance % SOURCE_PORTS), &address);
		scope_set(&address, &path->local, path->scope);
		err = bind(fd, (struct sockaddr *)&address, len) == 0 ? 0 : -errno;
	}
	return err;
}

int
bfd_socket_open(const struct bfd_path *path)
{
	int fd = socket_make(path->peer.family == ADDR_V6), err;

	if (fd < 0)
		return fd;
	err = send_prepare(fd, path->peer.family == ADDR_V6);
	if (!err)
		err = port_take(fd, path);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int
bfd_socket_send(int fd, const struct bfd_path *path, const uint8_t *octets, size_t len)
{
	struct sockaddr_storage address;
	socklen_t address_len = socket_address(&path->peer, path->peer.family == ADDR_V6,
					       path->is_multihop ? BFD_PORT_MULTIHOP : BFD_PORT, &address);

	scope_set(&address, &path->peer, path->scope);
	return sendto(fd, octets, len, 0, (struct sockaddr *)&address, address_len) < 0 ? -errno : 0;
}
