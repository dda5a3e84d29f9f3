/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP echo (RFC 792, RFC 4443 4) over one socket a family. A request carries the probe's slot as its sequence number
 * and 8 random octets; a reply counts when the address, the sequence and the octets are those of the slot's probe, so
 * that a late reply to an earlier probe, or a forged one, decides nothing.
 */
#include <errno.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "controlplane/probe_internal.h"

enum { ECHO_LEN = 16, REPLIES_A_TURN = 512, RECEIVE_BUFFER = 4 << 20, IP_HEADER_MIN = 20 };

static uint16_t
checksum(const uint8_t *octets, size_t even_len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < even_len; i += 2)
		sum += (uint32_t)octets[i] << 8 | octets[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The kernel fills in ICMPv6's checksum, and a ping socket's identifier. */
static void
echo_encode(uint8_t out[static ECHO_LEN], const struct icmp_socket *icmp, const struct probe *probe)
{
	struct writer w = writer_init(out, ECHO_LEN);

	write_u8(&w, icmp->family == ADDR_V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
	write_u8(&w, 0);
	write_u16(&w, 0);
	write_u16(&w, icmp->id);
	write_u16(&w, probe->sequence);
	write_bytes(&w, &probe->cookie, sizeof(probe->cookie));
	if (icmp->family == ADDR_V4)
		fill_u16(out + 2, checksum(out, ECHO_LEN));
}

static struct addr
sender(const struct sockaddr_storage *from)
{
	if (from->ss_family == AF_INET)
		return addr_v4(&((const struct sockaddr_in *)from)->sin_addr);
	return addr_v6(&((const struct sockaddr_in6 *)from)->sin6_addr);
}

static void
take_reply(struct icmp_socket *icmp, const uint8_t *packet, size_t len, const struct sockaddr_storage *from)
{
	struct reader r = reader_init(packet, len);
	struct addr source = sender(from);
	struct probe *probe;
	const uint8_t *cookie;
	uint16_t id, sequence;
	uint8_t type;

	if (icmp->is_raw && icmp->family == ADDR_V4) {
		size_t header_len = (size_t)(read_u8(&r) & 0x0f) * 4;

		if (header_len < IP_HEADER_MIN || !read_bytes(&r, header_len - 1))
			return;
	}
	type = read_u8(&r);
	read_bytes(&r, 3);
	id = read_u16(&r);
	sequence = read_u16(&r);
	cookie = read_bytes(&r, sizeof(probe->cookie));
	if (!cookie || type != (icmp->family == ADDR_V4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
		return;
	probe = icmp->prober->icmp_slots[sequence];
	if (!probe || (icmp->is_raw && id != icmp->id) || !addr_equal(&source, &probe->backend))
		return;
	if (memcmp(cookie, &probe->cookie, sizeof(probe->cookie)) == 0)
		probe_pass(probe);
}

static void
on_readable(evutil_socket_t fd, short what, void *context)
{
	struct icmp_socket *icmp = context;
	uint8_t packet[512];

	(void)what;
	for (int i = 0; i < REPLIES_A_TURN; i++) {
		struct sockaddr_storage from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t len = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);

		if (len < 0)
			return;
		take_reply(icmp, packet, (size_t)len, &from);
	}
}

/* A raw socket is given every ICMP packet of the host: let through the replies only. */
static void
filter_raw(const struct icmp_socket *icmp)
{
	struct icmp_filter v4 = {.data = ~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter v6;

	ICMP6_FILTER_SETBLOCKALL(&v6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
	/* Refused filters cost time only: what comes in is checked all the same. */
	if (icmp->family == ADDR_V4)
		(void)setsockopt(icmp->fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
	else
		(void)setsockopt(icmp->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof(v6));
}

static int
icmp_open(struct icmp_socket *icmp)
{
	int domain = icmp->family == ADDR_V4 ? AF_INET : AF_INET6;
	int protocol = icmp->family == ADDR_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, size = RECEIVE_BUFFER;

	if (icmp->fd >= 0)
		return 0;
	if (getrandom(&icmp->id, sizeof(icmp->id), 0) != sizeof(icmp->id))
		return -EIO;
	icmp->is_raw = false;
	icmp->fd = socket(domain, SOCK_DGRAM | flags, protocol);
	if (icmp->fd < 0 && (errno == EACCES || errno == EPROTONOSUPPORT)) {
		icmp->is_raw = true;
		icmp->fd = socket(domain, SOCK_RAW | flags, protocol);
	}
	if (icmp->fd < 0)
		return -errno;
	if (icmp->is_raw)
		filter_raw(icmp);
	if (setsockopt(icmp->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(icmp->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	event_assign(&icmp->io, icmp->prober->base, icmp->fd, EV_READ | EV_PERSIST, on_readable, icmp);
	return event_add(&icmp->io, NULL) ? -ENOMEM : 0;
}

void
probe_icmp_close(struct icmp_socket *icmp)
{
	if (icmp->fd < 0)
		return;
	event_del(&icmp->io);
	close(icmp->fd);
	icmp->fd = -1;
}

static bool
take_slot(struct probe *probe)
{
	struct prober *prober = probe->prober;

	for (unsigned i = 0; i < PROBE_ICMP_SLOTS; i++) {
		uint16_t slot = prober->icmp_next++;

		if (prober->icmp_slots[slot])
			continue;
		prober->icmp_slots[slot] = probe;
		probe->sequence = slot;
		probe->has_slot = true;
		return true;
	}
	return false;
}

int
probe_icmp_start(struct probe *probe)
{
	struct icmp_socket *icmp = probe->backend.family == ADDR_V4 ? &probe->prober->icmp_v4 : &probe->prober->icmp_v6;
	uint8_t request[ECHO_LEN];
	socklen_t len;
	struct sockaddr_storage to = probe_sockaddr(&probe->backend, 0, &len);
	int err = icmp_open(icmp);

	if (err)
		return err;
	if (getrandom(&probe->cookie, sizeof(probe->cookie), 0) != sizeof(probe->cookie))
		return -EIO;
	if (!take_slot(probe))
		return -ENOBUFS;
	echo_encode(request, icmp, probe);
	return sendto(icmp->fd, request, sizeof(request), 0, (struct sockaddr *)&to, len) < 0 ? -errno : 0;
}
