/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two images of the tables to the records that lead from the one to the other. Pure; the caller frees. publish sends
 * them.
 */
#ifndef CONTROLPLANE_TRANSACTION_H
#define CONTROLPLANE_TRANSACTION_H

#include "controlplane/compile.h"

/* A transaction, BEGIN to COMMIT, and how far it is pushed. */
struct transaction {
	union abi_record *records;
	uint32_t n;
	uint32_t room;
	uint32_t pushed;
	bool failed; /* out of memory */
	bool is_full;
	uint64_t generation;
};

/* before: NULL for a full transaction. Holds BEGIN (not filled in yet) and the records; `failed` when memory ran out. */
struct transaction transaction_of(const struct compiled *before, const struct compiled *after);
/* One record more; `failed` when memory ran out. */
void transaction_add(struct transaction *t, const union abi_record *record);
/* Fills in BEGIN and adds COMMIT. base: the generation that a delta changes. */
void transaction_seal(struct transaction *t, uint64_t generation, uint64_t base);
void transaction_fini(struct transaction *t);

#endif
