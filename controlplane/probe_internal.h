/* SPDX-License-Identifier: BSD-2-Clause */
/* What probe.c shares with its methods, probe_*.c; for them alone. */
#ifndef CONTROLPLANE_PROBE_INTERNAL_H
#define CONTROLPLANE_PROBE_INTERNAL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "controlplane/dns.h"
#include "controlplane/probe.h"

struct bufferevent;

enum { PROBE_ICMP_SLOTS = 65536 };

struct probe {
	TAILQ_ENTRY(probe) entry; /* in the prober's waiting or running */
	struct prober *prober;
	struct addr backend;
	struct model_check check;
	uint32_t timeout_ms;
	probe_done *done;
	void *context;
	bool is_running;
	struct event timer;

	/* The method's; released by probe.c. */
	int fd; /* -1: none, or the stream's */
	struct event io;
	struct bufferevent *stream;
	bool has_slot; /* of the prober's ICMP slots: [sequence] */
	uint16_t sequence;
	uint64_t cookie;
	size_t query_len;
	uint8_t query[DNS_QUERY_MAX];
};

TAILQ_HEAD(probe_list, probe);

/* One for each family, shared by all echo probes, which the sequence number and a random cookie tell apart. */
struct icmp_socket {
	struct prober *prober;
	enum addr_family family;
	int fd;	     /* -1: not open yet */
	bool is_raw; /* else a "ping socket", whose identifier the kernel sets and checks */
	uint16_t id;
	struct event io;
};

struct prober {
	struct event_base *base;
	struct event pump;
	struct probe_list waiting;
	struct probe_list running;
	unsigned n_running;
	unsigned in_flight_max;
	SSL_CTX *tls; /* made for the first HTTPS probe */
	struct icmp_socket icmp_v4;
	struct icmp_socket icmp_v6;
	struct probe **icmp_slots; /* PROBE_ICMP_SLOTS */
	uint16_t icmp_next;
};

/* A method's start gives 0, or -errno when it couldn't; it never finishes the probe itself. */
int probe_tcp_start(struct probe *probe);
int probe_http_start(struct probe *probe);
int probe_dns_start(struct probe *probe);
int probe_icmp_start(struct probe *probe);

void probe_icmp_close(struct icmp_socket *icmp);

/* Ends the probe: releases it and calls done. The caller touches it no more. */
void probe_pass(struct probe *probe);
void probe_fail(struct probe *probe, const char *format, ...) PRINTF_LIKE(2, 3);
void probe_fail_errno(struct probe *probe, int error);

struct sockaddr_storage probe_sockaddr(const struct addr *addr, uint16_t port, socklen_t *len);

/* Opens probe->fd and connects it; on_ready is called when the socket is writable or broken. */
MUST_CHECK int probe_connect(struct probe *probe, event_callback_fn on_ready);

#endif
