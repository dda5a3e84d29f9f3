/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes what stage/filter.h runs: checks programs and compiles them to machine code. Main lcore only. What is made doesn't
 * change but for the hits, so it is swapped like every table. Nothing in a program is believed: libpcap checks a classic
 * one, rte_bpf's verifier every one (jumps go forward only, memory accesses are inside of the argument); terms are checked here.
 */
#ifndef DATAPLANE_FILTERS_H
#define DATAPLANE_FILTERS_H

#include "abi/records.h"
#include "dataplane/stage/filter.h"

struct filters_spec {
	unsigned n;	    /* at most ABI_FILTERS_MAX */
	unsigned n_workers; /* from 1 */
	const struct abi_filter *filters; /* their services: the dataplane's indices */
	const uint16_t *vip_of_service;	  /* [ABI_SERVICES_MAX], by those; NULL: no filter is for a VIP alone */
	const uint64_t (*insns)[ABI_FILTER_INSNS_MAX];
	const struct filters *before; /* whose hits and buckets go on, by key; NULL: none */
};

/* -EINVAL: *fault is the index of the program that isn't sound; -ENOMEM. */
MUST_CHECK int filters_new(const struct filters_spec *spec, struct filters **out, unsigned *fault);
void filters_free(struct filters *filters); /* NULL is fine */

/* Of all workers; any thread. */
uint64_t filters_hits(const struct filters *filters, unsigned index);

#endif
