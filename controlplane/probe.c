/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/probe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controlplane/probe_internal.h"

enum {
	FILES_RESERVED = 512, /* descriptors left to the rest of the process */
	STARTS_A_TURN = 128,  /* then the loop looks at its other events */
};

static unsigned
raise_file_limit(unsigned wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return wanted;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	if (limit.rlim_cur >= (rlim_t)wanted + FILES_RESERVED)
		return wanted;
	return limit.rlim_cur > 2 * FILES_RESERVED ? (unsigned)limit.rlim_cur - FILES_RESERVED
						   : (unsigned)limit.rlim_cur / 2 + 1;
}

/* Our own shortage says nothing about the backend: such a probe waits until another gives something back. */
static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EADDRNOTAVAIL ||
	       error == EAGAIN;
}

static void
kick(struct prober *prober)
{
	if (!TAILQ_EMPTY(&prober->waiting) && prober->n_running < prober->in_flight_max)
		event_active(&prober->pump, EV_TIMEOUT, 0);
}

/* Gives back all that the probe holds, but for its own memory. */
static void
probe_release(struct probe *probe)
{
	if (event_initialized(&probe->io))
		event_del(&probe->io);
	if (event_initialized(&probe->timer))
		event_del(&probe->timer);
	if (probe->stream)
		bufferevent_free(probe->stream);
	if (probe->fd >= 0)
		close(probe->fd);
	if (probe->has_slot)
		probe->prober->icmp_slots[probe->sequence] = NULL;
	probe->stream = NULL;
	probe->fd = -1;
	probe->has_slot = false;
}

static void
probe_unlink(struct probe *probe)
{
	struct prober *prober = probe->prober;

	if (probe->is_running) {
		TAILQ_REMOVE(&prober->running, probe, entry);
		prober->n_running--;
	} else {
		TAILQ_REMOVE(&prober->waiting, probe, entry);
	}
}

static void
probe_finish(struct probe *probe, bool passed, const char *reason)
{
	struct prober *prober = probe->prober;
	probe_done *done = probe->done;
	void *context = probe->context;

	probe_release(probe);
	probe_unlink(probe);
	free(probe);
	kick(prober);
	done(context, passed, reason);
}

void
probe_pass(struct probe *probe)
{
	probe_finish(probe, true, "");
}

/* "tcp 80", "http 80 /health": which check it is. */
static void
check_format(const struct model_check *check, char *text, size_t size)
{
	static const char *const names[] = {
		[MODEL_CHECK_TCP] = "tcp", [MODEL_CHECK_HTTP] = "http", [MODEL_CHECK_HTTPS] = "https",
		[MODEL_CHECK_DNS] = "dns", [MODEL_CHECK_ICMP] = "icmp",
	};

	if (check->kind == MODEL_CHECK_ICMP)
		snprintf(text, size, "%s", names[check->kind]);
	else if (check->kind == MODEL_CHECK_HTTP || check->kind == MODEL_CHECK_HTTPS)
		snprintf(text, size, "%s %u %.48s", names[check->kind], check->port, check->path);
	else
		snprintf(text, size, "%s %u", names[check->kind], check->port);
}

void
probe_fail(struct probe *probe, const char *format, ...)
{
	char name[72], what[176], reason[PROBE_REASON_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	check_format(&probe->check, name, sizeof(name));
	snprintf(reason, sizeof(reason), "%s: %s", name, what);
	probe_finish(probe, false, reason);
}

void
probe_fail_errno(struct probe *probe, int error)
{
	const char *text = strerrordesc_np(error);

	if (!text)
		text = "Unknown error";
	probe_fail(probe, "%c%s", tolower((unsigned char)text[0]), text + 1);
}

static void
on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct probe *probe = context;

	(void)fd;
	(void)what;
	probe_fail(probe, "timed out after %u ms", probe->timeout_ms);
}

static int
method_start(struct probe *probe)
{
	static int (*const starts[])(struct probe *) = {
		[MODEL_CHECK_TCP] = probe_tcp_start,	[MODEL_CHECK_HTTP] = probe_http_start,
		[MODEL_CHECK_HTTPS] = probe_http_start, [MODEL_CHECK_DNS] = probe_dns_start,
		[MODEL_CHECK_ICMP] = probe_icmp_start,
	};
	struct timeval timeout = {
		.tv_sec = probe->timeout_ms / 1000,
		.tv_usec = (suseconds_t)(probe->timeout_ms % 1000) * 1000,
	};
	int err = starts[probe->check.kind](probe);

	if (err)
		return err;
	event_assign(&probe->timer, probe->prober->base, -1, 0, on_timeout, probe);
	return event_add(&probe->timer, &timeout) ? -ENOMEM : 0;
}

/* False: nothing more can be started now. */
static bool
start_next(struct prober *prober)
{
	struct probe *probe = TAILQ_FIRST(&prober->waiting);
	int err;

	if (!probe || prober->n_running >= prober->in_flight_max)
		return false;
	err = method_start(probe);
	if (err && is_shortage(-err) && prober->n_running > 0) {
		probe_release(probe);
		return false;
	}
	TAILQ_REMOVE(&prober->waiting, probe, entry);
	TAILQ_INSERT_TAIL(&prober->running, probe, entry);
	probe->is_running = true;
	prober->n_running++;
	if (err)
		probe_fail_errno(probe, -err);
	return true;
}

static void
on_pump(evutil_socket_t fd, short what, void *context)
{
	struct prober *prober = context;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < STARTS_A_TURN; i++) {
		if (!start_next(prober))
			return;
	}
	kick(prober);
}

struct prober *
prober_new(struct event_base *base, unsigned in_flight_max)
{
	struct prober *prober = calloc(1, sizeof(*prober));

	if (!prober)
		return NULL;
	prober->icmp_slots = calloc(PROBE_ICMP_SLOTS, sizeof(*prober->icmp_slots));
	if (!prober->icmp_slots) {
		free(prober);
		return NULL;
	}
	prober->base = base;
	prober->in_flight_max = raise_file_limit(in_flight_max ? in_flight_max : PROBE_IN_FLIGHT);
	prober->icmp_v4 = (struct icmp_socket){.prober = prober, .family = ADDR_V4, .fd = -1};
	prober->icmp_v6 = (struct icmp_socket){.prober = prober, .family = ADDR_V6, .fd = -1};
	TAILQ_INIT(&prober->waiting);
	TAILQ_INIT(&prober->running);
	event_assign(&prober->pump, base, -1, 0, on_pump, prober);
	return prober;
}

void
prober_free(struct prober *prober)
{
	if (!prober)
		return;
	while (!TAILQ_EMPTY(&prober->waiting))
		probe_cancel(TAILQ_FIRST(&prober->waiting));
	while (!TAILQ_EMPTY(&prober->running))
		probe_cancel(TAILQ_FIRST(&prober->running));
	event_del(&prober->pump);
	probe_icmp_close(&prober->icmp_v4);
	probe_icmp_close(&prober->icmp_v6);
	SSL_CTX_free(prober->tls);
	free(prober->icmp_slots);
	free(prober);
}

struct probe *
probe_start(struct prober *prober, const struct addr *backend, const struct model_check *check, uint32_t timeout_ms,
	    probe_done *done, void *context)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->prober = prober;
	probe->backend = *backend;
	probe->check = *check;
	probe->timeout_ms = timeout_ms;
	probe->done = done;
	probe->context = context;
	probe->fd = -1;
	TAILQ_INSERT_TAIL(&prober->waiting, probe, entry);
	kick(prober);
	return probe;
}

void
probe_cancel(struct probe *probe)
{
	if (!probe)
		return;
	probe_release(probe);
	probe_unlink(probe);
	kick(probe->prober);
	free(probe);
}

struct sockaddr_storage
probe_sockaddr(const struct addr *addr, uint16_t port, socklen_t *len)
{
	struct sockaddr_storage storage = {0};

	if (addr->family == ADDR_V4) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;

		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, addr->octets, 4);
		*len = sizeof(*v4);
	} else {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, addr->octets, 16);
		*len = sizeof(*v6);
	}
	return storage;
}
