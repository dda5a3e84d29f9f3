/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataplane's own indices of services and backends. They stay with their key over generations and restarts of the
 * control plane, because the shared counters and the flow tables are indexed by them. What has gone keeps its index for
 * as long as a flow table may still name it; unused indices are given out first, so a counter seldom gets a new owner
 * (its value goes on: readers take differences). Main lcore only.
 */
#ifndef DATAPLANE_REGISTRY_H
#define DATAPLANE_REGISTRY_H

#include "abi/records.h"

/* Where packets of a backend go, whatever pool it is in: two backends with the same are one for a running flow. */
struct registry_target {
	struct addr addr;
	uint16_t gue_port;
	uint8_t encap;
	uint8_t zero;
};

struct registry_entry {
	uint64_t key;  /* 0: never used */
	uint64_t pool; /* backends: the pool's key */
	struct registry_target target;
	uint64_t generation; /* the last one that had it */
	uint64_t gone_ns;    /* when it went; 0: it is there */
};

struct registry {
	struct registry_entry *services; /* [ABI_SERVICES_MAX] */
	struct registry_entry *backends; /* [ABI_BACKENDS_MAX] */
	unsigned n_services;		 /* high water */
	unsigned n_backends;
};

MUST_CHECK int registry_init(struct registry *registry);
void registry_fini(struct registry *registry);

struct registry_target registry_target_of(const struct abi_backend *backend);
bool registry_target_equal(const struct registry_target *a, const struct registry_target *b);

/* The index of the key, old or new, marked as part of the generation. -ENOSPC: all are taken. idle_ns: how long an
 * index that went stays reserved. */
int registry_service(struct registry *registry, uint64_t key, uint64_t generation, uint64_t now_ns, uint64_t idle_ns);
int registry_backend(struct registry *registry, uint64_t pool, const struct abi_backend *backend, uint64_t generation,
		     uint64_t now_ns, uint64_t idle_ns);
/* Marks what the generation doesn't have as gone. */
void registry_seal(struct registry *registry, uint64_t generation, uint64_t now_ns);

#endif
