/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS over UDP. The query's ID is random and its source port the kernel's choice; the socket is connected, so that
 * only the backend's packets come in and a closed port is an error at once. What doesn't match is passed over until
 * the time is up (RFC 5452 9.1), so that a late or forged reply decides nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>

#include "controlplane/probe_internal.h"

enum { REPLIES_A_TURN = 16 };

/* True when the probe is over. */
static bool
take_reply(struct probe *probe, const uint8_t *reply, size_t len)
{
	int rcode = dns_reply_rcode(reply, len, probe->query, probe->query_len);

	if (rcode < 0)
		return false;
	if (rcode == probe->check.rcode)
		probe_pass(probe);
	else
		probe_fail(probe, "rcode %d (%s), wanted %u (%s)", rcode, dns_rcode_name(rcode), probe->check.rcode,
			   dns_rcode_name(probe->check.rcode));
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *context)
{
	struct probe *probe = context;
	uint8_t reply[DNS_REPLY_MAX];

	(void)what;
	for (int i = 0; i < REPLIES_A_TURN; i++) {
		ssize_t len = recv(fd, reply, sizeof(reply), 0);

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (len < 0) {
			probe_fail_errno(probe, errno);
			return;
		}
		if (take_reply(probe, reply, (size_t)len))
			return;
	}
}

static int
query_prepare(struct probe *probe)
{
	struct writer w = writer_init(probe->query, sizeof(probe->query));
	uint16_t id;
	int err;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	err = dns_query_encode(&w, id, probe->check.query, probe->check.query_type);
	probe->query_len = written_since(&w, probe->query);
	return err;
}

int
probe_dns_start(struct probe *probe)
{
	socklen_t len;
	struct sockaddr_storage to = probe_sockaddr(&probe->backend, probe->check.port, &len);
	int err = query_prepare(probe);

	if (err)
		return err;
	probe->fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (probe->fd < 0 || connect(probe->fd, (struct sockaddr *)&to, len) != 0)
		return -errno;
	if (send(probe->fd, probe->query, probe->query_len, MSG_NOSIGNAL) < 0)
		return -errno;
	event_assign(&probe->io, probe->prober->base, probe->fd, EV_READ | EV_PERSIST, on_readable, probe);
	return event_add(&probe->io, NULL) ? -ENOMEM : 0;
}
