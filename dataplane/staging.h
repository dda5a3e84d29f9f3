/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transaction on its way in (abi/records.h): takes record after record, refuses what doesn't fit with the record's
 * place and a reason, and gives the whole wanted state once it has been checked. Main lcore only. A refused or half
 * transaction leaves nothing behind. The order of the records between BEGIN and COMMIT doesn't matter, for none may
 * speak of the same thing as another.
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
	union abi_record guards[ABI_SERVICES_MAX]; /* by the service's index */
	union abi_record bogons[ABI_BOGONS_MAX];
	union abi_record reflectors[ABI_REFLECTORS_MAX];
	union abi_record list_classes[ABI_LIST_CLASSES];
	union abi_record rule_parts[ABI_SIGNATURES_MAX * ABI_RULE_PARTS];
	union abi_record rule_sets[ABI_SERVICES_MAX]; /* by the service's index */
	union abi_record filters[ABI_FILTERS_MAX];
	union abi_record filter_parts[ABI_FILTERS_MAX * ABI_FILTER_PARTS];
	uint16_t *owners[ABI_POOLS_MAX]; /* [ABI_SLOTS] each; NULL: none */
};

struct staging;

enum staging_result {
	STAGING_MORE = 0, /* in the middle of a transaction, or outside of one */
	STAGING_READY,	  /* COMMIT was good: staging_take hands the state over */
	STAGING_REFUSED,  /* *nak says why; the rest up to COMMIT is passed over */
};

struct staging *staging_new(unsigned n_ports); /* NULL: no memory */
void staging_free(struct staging *staging);    /* NULL is fine */
void staging_reset(struct staging *staging);   /* forgets the transaction that it is in */

/* served: the state in force (a delta changes a copy of it), or NULL; the same one from BEGIN to COMMIT. */
enum staging_result staging_record(struct staging *staging, const union abi_record *record, const struct wanted *served,
				   struct abi_nak *nak);
/* After STAGING_READY: the caller's now. */
struct wanted *staging_take(struct staging *staging);

/* Puts the signatures together: [ABI_SIGNATURES_MAX]. Their number; -1: one lacks a part, or they don't follow each other. */
int wanted_signatures(const struct wanted *wanted, struct abi_signature *signatures);

void wanted_free(struct wanted *wanted); /* NULL is fine */

/* What is wrong with the record of one thing (all kinds that have an index) by itself, or NULL. */
const char *staging_fault(const union abi_record *record, unsigned n_ports);
/* References, duplicates, overlaps, complete slots. 0, or enum abi_nak_reason; text is set where there is more to say. */
unsigned wanted_check(const struct wanted *wanted, const char **text);

static inline bool
staging_is_zero(const void *octets, size_t len)
{
	const uint8_t *octet = octets;

	for (size_t i = 0; i < len; i++) {
		if (octet[i] != 0)
			return false;
	}
	return true;
}

/* Octets that a newer control plane might give a meaning to must not be passed over in silence. */
#define STAGING_ZERO(field) staging_is_zero((field), sizeof(field))
#define STAGING_RESERVED "reserved octets are not zero"

#endif
