/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transaction on its way in (abi/records.h): takes record after record, refuses what doesn't fit with the record's
 * place and a reason, and gives the whole wanted state once it has been checked. Main lcore only. A refused or half
 * transaction leaves nothing behind.
 */
#ifndef DATAPLANE_STAGING_H
#define DATAPLANE_STAGING_H

#include "abi/records.h"

enum { STAGING_UNSET = 0xffff }; /* a slot that no record has given an owner */

/* Everything that the control plane wants served, by its own indices; type 0: there is none. */
struct wanted {
	uint64_t generation;
	union abi_record vips[ABI_VIPS_MAX];
	union abi_record services[ABI_SERVICES_MAX];
	union abi_record pools[ABI_POOLS_MAX];
	union abi_record backends[ABI_BACKENDS_MAX];
	union abi_record nexthops[ABI_NEXTHOPS_MAX];
	uint16_t *owners[ABI_POOLS_MAX]; /* [ABI_SLOTS] each; NULL: none */
};

struct staging;

enum staging_result {
	STAGING_MORE = 0, /* in the middle of a transaction, or outside of one */
	STAGING_READY,	  /* COMMIT was good: staging_take hands the state over */
	STAGING_REFUSED,  /* *nak says why; the rest up to COMMIT is passed over */
};

struct staging *staging_new(unsigned n_ports); /* NULL: no memory */
void staging_free(struct staging *staging);

/* served: the state in force (a delta changes a copy of it), or NULL. */
enum staging_result staging_record(struct staging *staging, const union abi_record *record, const struct wanted *served,
				   struct abi_nak *nak);
/* After STAGING_READY: the caller's now. */
struct wanted *staging_take(struct staging *staging);

void wanted_free(struct wanted *wanted); /* NULL is fine */

/* References, duplicates, complete slots. 0, or enum abi_nak_reason with text. */
unsigned wanted_check(const struct wanted *wanted, const char **text);

#endif
