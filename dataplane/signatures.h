/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes and frees what stage/signature.h scans by: rules, compiled. Compiling takes milliseconds and allocates: any
 * thread but a worker's. What is made doesn't change but for what each worker writes in its own part, so it is swapped
 * like every table: published whole, freed after the grace period. The hits of the rules go with it.
 */
#ifndef DATAPLANE_SIGNATURES_H
#define DATAPLANE_SIGNATURES_H

#include "dataplane/stage/signature.h"

enum { SIGNATURES_DEPTH_DEFAULT = 512, SIGNATURES_DEPTH_MAX = 65535 };

struct signatures_spec {
	const struct abi_signature *rules; /* copied from; from the other process: not believed */
	unsigned n;
	unsigned n_workers; /* from 1 */
	unsigned depth;	    /* octets of a payload that are scanned; 0: SIGNATURES_DEPTH_DEFAULT */
};

struct signatures_fault {
	unsigned rule; /* index; SIGNATURE_NONE: not one rule's */
	char text[192];
};

/* -EINVAL: a rule that is not sound or that Hyperscan doesn't take; -ENOTSUP: the CPU lacks what Hyperscan needs;
 * -ENOMEM. The fault says it in words, with the rule's name. */
MUST_CHECK int signatures_new(const struct signatures_spec *spec, struct signatures **out,
			      struct signatures_fault *fault);
void signatures_free(struct signatures *signatures); /* NULL is fine */

/* How often the rule was the one that decided, of all workers; any thread. */
uint64_t signatures_hits(const struct signatures *signatures, unsigned rule);

#endif
