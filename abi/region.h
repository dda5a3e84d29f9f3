/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mappings and their hand-over (abi/layout.h says what they hold). The dataplane makes them and sends the
 * descriptors; the control plane takes, checks and maps them. Off the packet path; each object belongs to one thread.
 */
#ifndef ABI_REGION_H
#define ABI_REGION_H

#include "abi/capture.h"
#include "abi/ring.h"

/* One control plane's rings as one side sees them. */
struct region_rings {
	void *base;
	size_t size;
	int memfd;
	int command_event; /* eventfd that the control plane writes */
	int reply_event;   /* eventfd that the dataplane writes */
	struct ring commands;
	struct ring replies;
	struct ring events;
};

struct region_counters {
	void *base;
	size_t size;
	int memfd;
	unsigned n_workers; /* private copy: the header's could change under a reader */
};

/* Rings of packets' copies, one a worker: the dataplane's producers or the control plane's consumers. */
struct region_captures {
	void *base;
	size_t size;
	int memfd;
	unsigned n_workers;
	struct capture_ring rings[ABI_WORKERS_MAX];
};

/* Dataplane: new memfd, eventfds and zeroed rings. */
MUST_CHECK int region_rings_new(struct region_rings *rings);
/* Control plane: maps what it was handed, after checking seals and size; takes over the descriptors on success. */
MUST_CHECK int region_rings_map(struct region_rings *rings, int memfd, int command_event, int reply_event);
void region_rings_free(struct region_rings *rings);

/* Dataplane: new and zeroed. */
MUST_CHECK int region_captures_new(struct region_captures *captures, unsigned n_workers);
/* Control plane: -EPROTO: seals, size or header don't fit. Takes over memfd on success. */
MUST_CHECK int region_captures_map(struct region_captures *captures, int memfd, unsigned n_workers);
void region_captures_free(struct region_captures *captures);

/* Dataplane: header and offsets are filled in, all counters are zero. */
MUST_CHECK int region_counters_new(struct region_counters *counters, unsigned n_workers);
/* Control plane: read-only. -EPROTO: magic, version, an offset or the size doesn't fit. Takes over memfd on success. */
MUST_CHECK int region_counters_map(struct region_counters *counters, int memfd);
void region_counters_free(struct region_counters *counters);

struct abi_counters_header *region_header(const struct region_counters *counters);
struct abi_port *region_ports(const struct region_counters *counters);
struct abi_directory_entry *region_services(const struct region_counters *counters);
struct abi_directory_entry *region_backends(const struct region_counters *counters);
struct abi_worker_block *region_worker(const struct region_counters *counters, unsigned worker);
struct abi_service_counters *region_worker_services(const struct region_counters *counters, unsigned worker);
struct abi_backend_counters *region_worker_backends(const struct region_counters *counters, unsigned worker);
struct abi_service_reasons *region_worker_reasons(const struct region_counters *counters, unsigned worker);

/* Socket (SOCK_SEQPACKET). All return 0 or -errno; -EPROTO: a message of the wrong size or without its descriptors. */
MUST_CHECK int region_send_hello(int socket);
MUST_CHECK int region_recv_hello(int socket, struct abi_hello *hello);
/* fds: ABI_WELCOME_FDS of them, or NULL in a refusal. */
MUST_CHECK int region_send_welcome(int socket, const struct abi_welcome *welcome, const int *fds);
/* On success fds are the caller's to close when status is ABI_WELCOME, and -1 otherwise. */
MUST_CHECK int region_recv_welcome(int socket, struct abi_welcome *welcome, int fds[static ABI_WELCOME_FDS]);

#endif
