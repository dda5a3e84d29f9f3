/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the dataplane shall serve, computed from the model, health, the operator's drains and the next hops: plain values
 * in, an image of the tables out. No I/O. The object only remembers slot tables whose inputs stay the same; what comes
 * out doesn't depend on it.
 */
#ifndef CONTROLPLANE_COMPILE_H
#define CONTROLPLANE_COMPILE_H

#include "abi/records.h"
#include "controlplane/model.h"
#include "controlplane/filters.h"
#include "controlplane/neighbour.h"
#include "controlplane/rules.h"

/* Flattened: one entry for each backend, pool after pool, in the model's order. */
struct compile_input {
	const struct model *model;
	const struct rules *rules; /* payload signatures; NULL: none */
	const struct filters *filters; /* the operator's; NULL: none */
	const bool *usable;    /* flattened: healthy, and packets can reach it */
	const bool *reachable; /* flattened: packets can reach it, healthy or not; looked at for pools that fail open */
	const bool *drained;   /* flattened: by the operator */
	bool (*lookup)(const void *context, const struct addr *addr, struct neighbour *out);
	const void *lookup_context;
	const struct abi_port *ports;
	unsigned n_ports;
};

/*
 * Records by index; type 0: there is none at this index. A backend's index is its flattened place, so that it stays
 * while others come and go.
 */
struct compiled {
	unsigned n_vips;
	unsigned n_services;
	unsigned n_pools;
	unsigned n_backends;
	unsigned n_nexthops;
	unsigned n_guards; /* n_services */
	unsigned n_bogons;
	unsigned n_reflectors;
	unsigned n_list_classes; /* ABI_LIST_CLASSES */
	unsigned n_rule_parts;
	unsigned n_rule_sets; /* n_services */
	unsigned n_filters;
	unsigned n_filter_parts; /* n_filters * ABI_FILTER_PARTS */
	union abi_record *vips;
	union abi_record *services;
	union abi_record *pools;
	union abi_record *backends;
	union abi_record *nexthops;
	union abi_record *guards;
	union abi_record *bogons;
	union abi_record *reflectors;
	union abi_record *list_classes;
	union abi_record *rule_parts;
	union abi_record *rule_sets;
	union abi_record *filters;
	union abi_record *filter_parts;
	uint16_t *slots; /* ABI_SLOTS owners for each pool */
};

struct compile;

MUST_CHECK int compile_new(struct compile **out);
void compile_free(struct compile *compile); /* NULL is fine */

/* -E2BIG: more of something than the dataplane takes; -ENOMEM. */
MUST_CHECK int compile_tables(struct compile *compile, const struct compile_input *input, struct compiled **out);
void compiled_free(struct compiled *image); /* NULL is fine */

/* Why packets can't reach a backend of the pool at this address, whatever its checks say; NULL: they can. */
const char *compile_way_fault(const struct compile_input *input, const struct model_pool *pool,
			      const struct addr *addr);

/* One pool's part of what compile_input says of backends. */
struct compile_pool_facts {
	const bool *usable;
	const bool *reachable;
	const bool *drained;
};

struct compile_pool_facts compile_pool_facts(const struct compile_input *input, unsigned first);

/* What a backend counts for in the pool's slots; 0: no new flow goes to it. */
unsigned compile_weight(const struct model_pool *pool, const struct compile_pool_facts *facts, unsigned backend);

/*
 * Whether a pool has enough that takes new flows (min_healthy, min_weight_percent). A pool that fails open asks for one
 * such backend only, and while none is usable takes all that packets can reach.
 */
bool compile_pool_can_serve(const struct model_pool *pool, const struct compile_pool_facts *facts);
/* The share of its weight that takes new flows, rounded down. */
uint8_t compile_pool_percent(const struct model_pool *pool, const struct compile_pool_facts *facts);

/* Keys of records, never 0. */
uint64_t compile_key(const char *name);
uint64_t compile_backend_key(const char *pool, const char *backend); /* of "pool/backend" */

#endif
