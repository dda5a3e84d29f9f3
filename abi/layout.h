/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two processes agree on before the first record: names, limits, and the three shared mappings.
 *
 *  rings memfd (made anew for each control plane, read-write for both)
 *    struct abi_rings_header | command ring | reply ring | event ring
 *  counters memfd (made once by the dataplane, sealed with F_SEAL_FUTURE_WRITE: the control plane maps it read-only)
 *    struct abi_counters_header | ports | service directory | backend directory | per worker: struct abi_worker_block,
 *    then service counters, backend counters, reasons of services' drops
 *  captures memfd (with the rings': made anew for each control plane, read-write for both; written to while a capture runs)
 *    struct abi_rings_header | per worker: ring of packets' copies (abi/capture.h)
 *
 * All integers are in host order (both processes run on one machine); addresses and MACs are octets in wire order.
 * Nothing is a pointer: places are octet offsets from the mapping's start.
 */
#ifndef ABI_LAYOUT_H
#define ABI_LAYOUT_H

#include <stdatomic.h>

#include "abi/counters.h"
#include "abi/filter.h"
#include "abi/signature.h"
#include "base/addr.h"

#define ABI_MAGIC UINT32_C(0x6e656172) /* "near" */
#define ABI_VERSION 4
#define ABI_DATAPLANE_SOCKET "/run/nearcast/dataplane.sock"

enum {
	ABI_SLOTS = 65536, /* slots of a pool's table */

	ABI_VIPS_MAX = 1024,
	ABI_SERVICES_MAX = 4096,
	ABI_POOLS_MAX = 1024,
	ABI_BACKENDS_MAX = 16383, /* an owner is 14 bits wide, and the last value says "none" */
	ABI_NEXTHOPS_MAX = 16383,
	ABI_BOGONS_MAX = 1024,
	ABI_REFLECTORS_MAX = 256,
	ABI_LIST_CLASSES = 256,
	ABI_PORTS_MAX = 16,
	ABI_WORKERS_MAX = 64,

	ABI_OWNER_NONE = 0x3fff,
	ABI_NEXTHOP_NONE = 0x3fff,

	ABI_COMMANDS = 16384, /* records of a ring: powers of two */
	ABI_REPLIES = 1024,
	ABI_EVENTS = 1024,
};

/* First message on the socket, from the control plane. */
struct abi_hello {
	uint32_t magic;
	uint32_t version;
	uint32_t record_size;
	uint32_t pid; /* for the log only; the kernel's SO_PEERCRED decides */
};

enum abi_welcome_status {
	ABI_WELCOME = 0,
	ABI_REFUSED_VERSION, /* magic, version or record size differ */
	ABI_REFUSED_BUSY,    /* another control plane is connected */
	ABI_REFUSED_UID,     /* neither root nor the dataplane's own user */
};

/*
 * The dataplane's answer. With ABI_WELCOME it carries five descriptors (SCM_RIGHTS), in this order: rings memfd,
 * counters memfd, captures memfd, eventfd that the control plane writes (commands wait, or replies were taken), eventfd that the
 * dataplane writes (replies or events wait, or commands were taken). Afterwards nothing more is sent on the socket: its
 * end is how each side learns that the other has gone.
 */
struct abi_welcome {
	uint32_t magic;
	uint32_t version;
	uint32_t status;      /* enum abi_welcome_status */
	uint32_t n_workers;
	uint64_t rings_size;  /* octets of the mappings */
	uint64_t counters_size;
	uint64_t captures_size;
	uint64_t generation;  /* that the workers serve; 0 before the first */
	uint64_t instance;    /* random, new for each start of the dataplane */
	char reason[64];      /* text for the log when refused; always terminated */
};
_Static_assert(sizeof(struct abi_hello) == 16, "struct abi_hello");
_Static_assert(sizeof(struct abi_welcome) == 120, "struct abi_welcome");

enum { ABI_WELCOME_FDS = 5 };

/* A port as the control plane sees it: it maps a kernel route's interface to the dataplane's port. */
struct abi_port {
	char name[16];	    /* terminated */
	char interface[16]; /* the kernel's interface that shares this port: the NIC itself, or the exception TAP; or "" */
	uint32_t ifindex;   /* 0 when there is none */
	uint16_t mtu;	    /* octets of an IP packet */
	uint8_t mac[6];
	uint8_t is_up;
	uint8_t zero[3];
	uint32_t zero2;
	uint64_t rx_packets; /* from rte_eth_stats or the XDP program; main lcore writes once a second */
	uint64_t rx_missed;
	uint64_t tx_packets;
	uint64_t kernel_unicast; /* passed to the kernel by the XDP program, by kind */
	uint64_t kernel_multicast;
	uint64_t kernel_broadcast;
};
_Static_assert(sizeof(struct abi_port) == 104, "struct abi_port");
_Static_assert(offsetof(struct abi_port, rx_packets) == 56, "struct abi_port");

/* Who a counter's index belongs to. Indices are the dataplane's own and stay over generations and restarts of the
 * control plane; `key` is what the control plane sent with the record. Index in use: key != 0. */
struct abi_directory_entry {
	_Atomic uint64_t key;
	_Atomic uint64_t generation; /* the last one that had it */
};

/* One writer (the worker; for an index that is about to get another owner the main lcore, which sets it to zero), readers
 * take what they get: each counter is exact, a set of them is not one moment. */
struct abi_service_counters {
	_Atomic uint64_t packets;
	_Atomic uint64_t bytes;	  /* of IP packets as they came in */
	_Atomic uint64_t openings; /* TCP SYN, QUIC Initial */
	_Atomic uint64_t dropped; /* all that didn't go to a backend, whatever the reason */
	_Atomic uint64_t fragments;
};

/* What became of a service's packets that didn't go to a backend. */
struct abi_service_reasons {
	_Atomic uint64_t verdicts[VERDICT_COUNT];
};

struct abi_backend_counters {
	_Atomic uint64_t packets;
	_Atomic uint64_t bytes; /* of IP packets as they came in */
	_Atomic uint64_t openings;
	_Atomic uint64_t icmp; /* ICMP errors passed on */
};

struct abi_worker_block {
	_Alignas(64) _Atomic uint64_t heartbeat_ns; /* CLOCK_MONOTONIC, at least once in 100 ms while the worker runs */
	_Atomic uint64_t generation;		    /* that the worker's last burst was served from */
	_Atomic uint64_t counters[WORKER_COUNTER_COUNT];
	_Atomic uint64_t verdicts[VERDICT_COUNT];
};

struct abi_counters_header {
	uint32_t magic;
	uint32_t version;
	uint32_t n_workers;
	uint32_t n_ports;
	uint64_t ports_at; /* struct abi_port[ABI_PORTS_MAX] */
	uint64_t services_at; /* struct abi_directory_entry[ABI_SERVICES_MAX] */
	uint64_t backends_at; /* struct abi_directory_entry[ABI_BACKENDS_MAX] */
	uint64_t workers_at;  /* first struct abi_worker_block */
	uint64_t worker_stride;		/* octets from one worker's block to the next */
	uint64_t worker_services_at;	/* from the worker's block: struct abi_service_counters[ABI_SERVICES_MAX] */
	uint64_t worker_backends_at;	/* from the worker's block: struct abi_backend_counters[ABI_BACKENDS_MAX] */
	uint64_t worker_reasons_at;	/* from the worker's block: struct abi_service_reasons[ABI_SERVICES_MAX] */
	_Atomic uint64_t heartbeat_ns;	/* main lcore, CLOCK_MONOTONIC, at least once in 500 ms */
	_Atomic uint64_t generation;	/* served by all workers */
	_Atomic uint64_t slots_moving;	/* of all pools */
	_Atomic uint64_t slots_settling;
	_Atomic uint64_t scanned;   /* payloads, by all workers; the main lcore sums up once a second */
	_Atomic uint64_t unscanned; /* over a burst's budget */
	_Atomic uint64_t rule_hits[ABI_SIGNATURES_MAX]; /* since the signatures in force are */
	_Atomic uint64_t filter_hits[ABI_FILTERS_MAX]; /* by the filters' indices */
	_Atomic uint64_t flows; /* live entries of the flow tables, as the last sweep found them */
};
_Static_assert(offsetof(struct abi_counters_header, heartbeat_ns) == 80, "struct abi_counters_header");

#endif
