/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One generation of the tables as the workers see it: immutable once published, reached by one pointer load a burst
 * (RCU), freed after a grace period. tables.c builds it; each stage knows its own member only.
 *
 * Indices of services and backends are the dataplane's own: they stay over generations (tables.c keeps the registry),
 * and they index the shared counters.
 */
#ifndef DATAPLANE_SNAPSHOT_H
#define DATAPLANE_SNAPSHOT_H

#include "dataplane/stage/classify.h"
#include "dataplane/stage/encap.h"
#include "dataplane/stage/guard.h"
#include "dataplane/stage/steer.h"

struct snapshot {
	uint64_t generation;
	struct classify_table *classify;  /* VIPs and services → service index */
	struct steer_service *services;	  /* [ABI_SERVICES_MAX], by service index */
	uint8_t *alive;			  /* [ABI_BACKENDS_MAX + 1], targets' is_alive packed for steer; last: 0 */
	struct encap_target *targets;	  /* [ABI_BACKENDS_MAX + 1], by backend index; the last stays not alive */
	struct guard_table *guard;	  /* by service index */
};

#endif
