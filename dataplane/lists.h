/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard's lists of prefixes, twice: workers look up in one copy, the main lcore changes the other. lists_publish
 * swaps them with one store, waits for a grace period, and brings the copy that came free up to date. So any number of
 * changes is one publication, one change takes microseconds, and a worker never waits nor sees half of a publication.
 *
 * All calls but the worker's (stage/list.h) are the main lcore's. Memory is plain, not of DPDK's heap; a family without
 * an entry takes none. A change that fails has changed nothing.
 */
#ifndef DATAPLANE_LISTS_H
#define DATAPLANE_LISTS_H

#include "abi/records.h"
#include "base/addr.h"
#include "dataplane/stage/list.h"

struct lists;

struct lists_config {
	uint32_t entries_max;	     /* of both families together; 0: LIST_ENTRIES_MAX */
	void (*grace)(void *context); /* returns when no worker holds what it loaded before; NULL: there is no worker */
	void *context;
};

struct lists *lists_new(const struct lists_config *config); /* NULL: out of memory */
void lists_free(struct lists *l); /* NULL is fine. No worker looks up any more. */
const struct list_handle *lists_handle(const struct lists *l);

/* Workers see changes from the next publication on. Of two of one prefix the later replaces. class: with LIST_LIMIT,
 * else 0. -EINVAL: no prefix, no action; -ENOSPC: entries_max; -ENOMEM */
MUST_CHECK int lists_set(struct lists *l, const struct prefix *prefix, enum abi_list_action action, uint8_t class);
MUST_CHECK int lists_remove(struct lists *l, const struct prefix *prefix); /* -EINVAL; -ENOENT; -ENOMEM */
void lists_reset(struct lists *l); /* removes all */
void lists_abandon(struct lists *l); /* the changes since the last publication are void */
void lists_publish(struct lists *l);

/* A record of the control plane's, believed in nothing. True: *reply is its answer (to PUBLISH). */
bool lists_record(struct lists *l, const struct abi_list *record, struct abi_listed *reply);

uint32_t lists_count(const struct lists *l); /* with the changes that aren't published */
size_t lists_octets(const struct lists *l);  /* of memory held, both copies */

#endif
