/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataplane's own indices of services and backends. They stay over generations and restarts of the control plane,
 * because the shared counters and the flow tables are indexed by them: a service's by its key, a backend's by its pool,
 * address and encapsulation (its key is a name for the counters and may change). What has gone keeps its index for as
 * long as a flow table may still name it; unused indices are given out first, so a counter seldom gets a new owner, who
 * finds it at zero (tables.c). Main lcore only. A generation is worked out on a copy, which replaces the
 * registry when the generation is published.
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
_Static_assert(sizeof(struct registry_target) == 24, "struct registry_target: hashed and compared as octets");

struct registry_entry {
	uint64_t key;	/* what the counters are called */
	uint64_t scope; /* backends: the pool's key; services: their own */
	struct registry_target target; /* services: none */
	uint64_t generation;	       /* the last one that had it */
	uint64_t gone_ns;	       /* when it went; 0: it is there */
	uint16_t next;		       /* in its chain, or REGISTRY_NONE */
};

enum { REGISTRY_NONE = 0xffff, REGISTRY_CHAINS = 16384 };

struct registry_list {
	struct registry_entry *entries; /* [max] */
	uint16_t *chains;		/* [REGISTRY_CHAINS]; entries of equal targets are in one chain */
	unsigned n;			/* high water */
	unsigned max;
};

struct registry {
	struct registry_list services;
	struct registry_list backends;
};

/* Now, and how long an index that went stays reserved. */
struct registry_time {
	uint64_t generation;
	uint64_t now_ns; /* not 0 */
	uint64_t idle_ns;
};

MUST_CHECK int registry_init(struct registry *registry);
MUST_CHECK int registry_copy(struct registry *to, const struct registry *from); /* `to` holds nothing before */
void registry_fini(struct registry *registry);				       /* zeroed or fini'd already is fine */
/* Does the index belong to another than before? Not when it had no owner before. */
bool registry_is_reused(const struct registry_list *before, const struct registry_list *now, unsigned index);

/* The index, old or new, marked as part of the generation. -ENOSPC: all are taken. */
int registry_service(struct registry *registry, uint64_t key, const struct registry_time *time);
int registry_backend(struct registry *registry, uint64_t pool, const struct abi_backend *backend,
		     const struct registry_time *time);
/* Marks what the generation doesn't have as gone. */
void registry_seal(struct registry *registry, const struct registry_time *time);

/* A backend that the generation has, with the target of `backend`; pool: in this pool (key), NULL: in any. Or
 * REGISTRY_NONE. */
uint16_t registry_twin(const struct registry *registry, unsigned backend, const uint64_t *pool, uint64_t generation);

#endif
