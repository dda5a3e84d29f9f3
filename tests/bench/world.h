/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a benchmark of the packet path runs in: one worker of the dataplane's own with tables that went through staging
 * and publication, and a transmit queue that takes every packet and leaves it where it is. EAL is initialised before.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include "dataplane/tables.h"
#include "dataplane/worker.h"

enum { WORLD_TCP_PORT = 443, WORLD_UDP_PORT = 53, WORLD_SERVICES_EACH = 10 /* of a pool */ };

struct world_spec {
	bool is_v6; /* VIPs; the outer family of tunnels too */
	bool is_udp;
	bool has_checksum; /* GUE */
	enum abi_encap encap;
	enum abi_affinity affinity;
	uint16_t port; /* of the services */
	unsigned services; /* each has its own VIP */
	unsigned backends;
	const char *code; /* worker_code()'s */
	bool collects; /* what is transmitted is kept in `sent` */
	unsigned flows; /* that the flow table has room for */
};

enum { WORLD_SENT_MAX = 1024 };

/* The caller empties it. */
struct world_sent {
	unsigned n;
	struct rte_mbuf *mbufs[WORLD_SENT_MAX];
};

struct world {
	struct world_spec spec;
	const struct worker_code *code;
	struct worker *worker;
	struct worker_shared shared;
	struct guard_shared guard;
	struct abi_guard guarded;
	struct world_sent sent;
	struct ports ports;
	struct region_counters counters;
	struct flowtable *flows;
	struct tables *tables;
	struct staging *staging;
	struct rte_rcu_qsbr *rcu;
	uint64_t generation;
	/* of the last publication */
	uint32_t records;
	uint64_t staging_ns;
	uint64_t publish_ns; /* build, publication, grace period */
};

/* Exits with a message where memory is missing: a benchmark has nothing better to do. */
struct world *world_new(const struct world_spec *spec);
void world_free(struct world *world);

/* A new generation, sent whole. turn: every slot has the owner that is so many further than at first; so with another one
 * than before all slots move. */
void world_publish(struct world *world, unsigned turn);

/* From the next publication on all services are guarded so; type 0: not at all. */
void world_guard(struct world *world, const struct abi_guard *guard);
/* Arms or disarms all services, as the meters do. */
void world_arm(struct world *world, enum guard_mode mode);

/* The VIP of a service, 4 or 16 octets in wire order. */
struct addr world_vip(bool is_v6, unsigned service);

uint64_t world_verdict(const struct world *world, enum abi_verdict verdict);

#endif
