/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One generation as the main lcore knows it: what was wanted, what was made of it, and what the next one is derived
 * from. Building has no effect on the generation before. tables.c publishes and frees; nobody else calls this.
 */
#ifndef DATAPLANE_BUILD_H
#define DATAPLANE_BUILD_H

#include <stdlib.h>

#include "dataplane/registry.h"
#include "dataplane/slots.h"
#include "dataplane/snapshot.h"
#include "dataplane/staging.h"

struct build_service {
	struct slots *slots; /* what the service uses; NULL: there is no such service */
	uint64_t pool;	     /* key */
};

/* What the meters go by. type 0: the service isn't guarded. */
struct build_guard {
	struct abi_guard record;
	uint64_t key;	  /* the service's */
	uint16_t checker; /* index of the TCP service where its sources prove themselves, or SERVICE_NONE */
};

struct build {
	struct wanted *wanted;
	struct registry registry;
	struct snapshot *snapshot;
	struct slots *pools[ABI_POOLS_MAX];		 /* by the control plane's index */
	struct build_service services[ABI_SERVICES_MAX]; /* by the registry's index */
	struct build_guard guards[ABI_SERVICES_MAX];	 /* by the registry's index */
	struct signatures *signatures; /* tables.c's, as the slots */
	struct filters *filters;       /* likewise */
	uint16_t service_of[ABI_SERVICES_MAX]; /* the control plane's index → the registry's */
	struct slots *fresh;	 /* list: made by this build, until tables.c takes them over */
	uint32_t longest_idle_s; /* of all pools so far: how long a flow table may name what has gone */
};

/*
 * before: NULL for the first. now_s: the clock of the slots' windows. Takes `wanted` over on success; else -ENOMEM or
 * -ENOSPC (no index left).
 */
MUST_CHECK int build_new(const struct build *before, struct wanted *wanted, uint64_t now_ns, uint32_t now_s,
			 struct build **out);
void build_free(struct build *build); /* NULL is fine; slot tables but the fresh ones are left */

static inline void
build_slots_free(struct slots *list)
{
	while (list) {
		struct slots *next = list->next;

		free(list);
		list = next;
	}
}

#endif
