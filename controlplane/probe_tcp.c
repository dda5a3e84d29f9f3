/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP connect. A probe's connections are closed by a reset, so that thousands a second leave no TIME_WAIT behind. */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "controlplane/probe_internal.h"

int
probe_connect(struct probe *probe, event_callback_fn on_ready)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	socklen_t len;
	struct sockaddr_storage to = probe_sockaddr(&probe->backend, probe->check.port, &len);

	probe->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (probe->fd < 0)
		return -errno;
	if (setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
		return -errno;
	if (connect(probe->fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
		return -errno;
	event_assign(&probe->io, probe->prober->base, probe->fd, EV_WRITE, on_ready, probe);
	return event_add(&probe->io, NULL) ? -ENOMEM : 0;
}

static void
on_connected(evutil_socket_t fd, short what, void *context)
{
	struct probe *probe = context;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error)
		probe_fail_errno(probe, error);
	else
		probe_pass(probe);
}

int
probe_tcp_start(struct probe *probe)
{
	return probe_connect(probe, on_connected);
}
