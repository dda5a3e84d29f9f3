/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a pool's members to the owners of its slots: a pure function of names, weights and seed. Integer arithmetic only
 * and no history, so that every node computes the same table on every CPU. The order of the members doesn't matter.
 */
#ifndef CONTROLPLANE_ALLOCATE_H
#define CONTROLPLANE_ALLOCATE_H

#include "abi/layout.h"
#include "controlplane/model.h"

struct allocate_backend {
	uint64_t key;	 /* hash of its name; unique in the pool */
	uint32_t weight; /* 0..MODEL_WEIGHT_MAX; 0: no slots */
	uint16_t index;	 /* written in owner */
};

/*
 * Fills owner[ABI_SLOTS]; ABI_OWNER_NONE everywhere when no member has weight. -EINVAL: more than ABI_BACKENDS_MAX
 * members or a weight out of range; -ENOMEM; owner is untouched then.
 */
MUST_CHECK int allocate(enum model_hash hash, uint64_t seed, const struct allocate_backend *backends, unsigned n,
			uint16_t *owner);

#endif
