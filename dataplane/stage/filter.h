/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the operator's filters on a packet, in their order; the first that drops decides. Programs were checked and compiled
 * to machine code when they were taken in (dataplane/filters.h), read nothing beyond the packet, and end: they have no loop.
 */
#ifndef DATAPLANE_STAGE_FILTER_H
#define DATAPLANE_STAGE_FILTER_H

#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>

#include <pcap/bpf.h> /* after the types that it takes for granted */

#include <rte_bpf.h>

#include "abi/filter.h"
#include "dataplane/packet.h"

struct filter {
	uint64_t (*run)(void *argument); /* NULL: no machine code, an interpreter it is */
	struct rte_bpf *bpf;		 /* NULL: classic, and libpcap's */
	struct bpf_insn *insns;		 /* for it */
	uint64_t key;
	uint16_t service; /* the dataplane's index, or ABI_FILTER_EVERY */
	uint8_t kind;
	uint8_t action;
};

/* What one worker writes, anybody may read. */
struct filter_worker {
	_Alignas(64) _Atomic uint64_t hits[ABI_FILTERS_MAX];
};

/* Immutable but for the workers' own parts. */
struct filters {
	unsigned n;
	unsigned n_workers;
	struct filter list[ABI_FILTERS_MAX];
	uint64_t hits_before[ABI_FILTERS_MAX]; /* of the same filter, before the others changed */
	struct filter_worker *workers;
};

static inline bool
filter_classic(const struct filter *f, const struct packet *p)
{
	if (likely(f->run != NULL))
		return f->run(p->mbuf) != 0;
	return bpf_filter(f->insns, p->frame, rte_pktmbuf_pkt_len(p->mbuf), rte_pktmbuf_data_len(p->mbuf)) != 0;
}

static inline bool
filter_ebpf(const struct filter *f, struct abi_filter_view *view)
{
	return (likely(f->run != NULL) ? f->run(view) : rte_bpf_exec(f->bpf, view)) != 0;
}

static inline void
filter_view_fill(struct abi_filter_view *view, const struct packet *p)
{
	uint32_t held = RTE_MIN(rte_pktmbuf_data_len(p->mbuf), (uint32_t)ABI_FILTER_VIEW);

	*view = (struct abi_filter_view){.len = rte_pktmbuf_pkt_len(p->mbuf)};
	memcpy(view->octets, p->frame, held);
}

/* True: to be dropped. The frame is as it came. */
static inline bool
filter_packet(const struct filters *filters, unsigned worker, const struct packet *p)
{
	struct filter_worker *own = &filters->workers[worker];
	struct abi_filter_view view; /* filled in for the first that looks at it */
	bool has_view = false;

	for (unsigned i = 0; i < filters->n; i++) {
		const struct filter *f = &filters->list[i];

		if (f->service != ABI_FILTER_EVERY && f->service != p->service)
			continue;
		if (f->kind == ABI_FILTER_EBPF && !has_view) {
			filter_view_fill(&view, p);
			has_view = true;
		}
		if (!(f->kind == ABI_FILTER_EBPF ? filter_ebpf(f, &view) : filter_classic(f, p)))
			continue;
		/* One writer. */
		atomic_store_explicit(&own->hits[i], atomic_load_explicit(&own->hits[i], memory_order_relaxed) + 1,
				      memory_order_relaxed);
		if (f->action == ABI_FILTER_DROP)
			return true;
	}
	return false;
}

#endif
