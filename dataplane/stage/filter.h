/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the operator's filters on a packet, in their order; the first that drops, or is the last for what it matches, decides.
 * Programs were checked and compiled to machine code when they were taken in (dataplane/filters.h), read nothing beyond the
 * packet, and end: they have no loop. A service's packets see only the filters that are for it.
 *
 * A filter's rates hold for all workers together: a bucket is one word, the time in 1/128 ns at which it will be full again,
 * charged as in limit.h. It has no tag and no wrap (in 4 years), so nobody needs to sweep it.
 */
#ifndef DATAPLANE_STAGE_FILTER_H
#define DATAPLANE_STAGE_FILTER_H

#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>

#include <pcap/bpf.h> /* after the types that it takes for granted */

#include <rte_bpf.h>

#include "abi/filter.h"
#include "dataplane/stage/limit.h"
#include "dataplane/stage/match.h"

struct filter {
	uint64_t (*run)(void *argument); /* NULL: no machine code, an interpreter it is */
	struct rte_bpf *bpf;		 /* NULL: classic, and libpcap's */
	struct bpf_insn *insns;		 /* for it */
	struct abi_match_term *terms;	 /* ABI_FILTER_MATCH */
	unsigned n_terms;
	uint64_t key;
	uint16_t service; /* the dataplane's index, or ABI_FILTER_EVERY */
	uint8_t kind;
	uint8_t action;
	bool is_last;
	bool has_packets;
	bool has_bytes;
	struct limit_rate packets;
	struct limit_rate bytes;
};

/* When it is full again; all workers charge it. */
struct filter_bucket {
	_Alignas(64) _Atomic uint64_t packets;
	_Atomic uint64_t bytes;
};

enum { FILTER_WORDS = ABI_FILTERS_MAX / 64 };
_Static_assert(ABI_FILTERS_MAX % 64 == 0, "a bit of each filter");

/* Which filters a service's packets see. */
struct filter_set {
	uint64_t words[FILTER_WORDS];
};

/* What one worker writes, anybody may read. */
struct filter_worker {
	_Alignas(64) _Atomic uint64_t hits[ABI_FILTERS_MAX];
};

/* Immutable but for the workers' own parts and the buckets. */
struct filters {
	unsigned n;
	unsigned n_workers;
	struct filter_set *of_service; /* [ABI_SERVICES_MAX] */
	struct filter_bucket *buckets; /* [ABI_FILTERS_MAX] */
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

/* What programs of each kind look at, filled in for the first that does. */
struct filter_views {
	bool has_ebpf;
	bool has_fields;
	struct abi_filter_view ebpf;
	struct match_fields fields;
};

static inline bool
filter_matches(const struct filter *f, const struct packet *p, struct filter_views *views)
{
	if (f->kind == ABI_FILTER_CLASSIC)
		return filter_classic(f, p);
	if (f->kind == ABI_FILTER_EBPF) {
		if (!views->has_ebpf)
			filter_view_fill(&views->ebpf, p);
		views->has_ebpf = true;
		return filter_ebpf(f, &views->ebpf);
	}
	if (!views->has_fields)
		match_fields_fill(&views->fields, p);
	views->has_fields = true;
	return match_terms(f->terms, f->n_terms, &views->fields);
}

static inline bool
filter_charge(_Atomic uint64_t *full_at, const struct limit_rate *rate, uint32_t cost, uint64_t now_ns)
{
	uint64_t now = now_ns << (LIMIT_NS_SHIFT - LIMIT_TAG_BITS), charge = limit_charge(rate, cost) >> LIMIT_TAG_BITS;
	uint64_t word = atomic_load_explicit(full_at, memory_order_relaxed), debt;

	do {
		debt = word > now ? word - now : 0;
		if (debt && debt + charge > rate->tolerance >> LIMIT_TAG_BITS)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(full_at, &word, now + debt + charge, memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

/* True: over one of the rates. With both, what the second refuses the first was charged: the node drops rather more. */
static inline bool
filter_is_over(const struct filter *f, struct filter_bucket *bucket, const struct packet *p, uint64_t now_ns)
{
	return (f->has_packets && !filter_charge(&bucket->packets, &f->packets, 1, now_ns)) ||
	       (f->has_bytes && !filter_charge(&bucket->bytes, &f->bytes, p->ip_len, now_ns));
}

/* True: to be dropped. *mark: the key of the first filter that samples it, if there is one. The frame is as it came. */
static inline bool
filter_packet(const struct filters *filters, unsigned worker, const struct packet *p, uint64_t now_ns, uint64_t *mark)
{
	struct filter_worker *own = &filters->workers[worker];
	const struct filter_set *set = &filters->of_service[p->service];
	struct filter_views views;

	views.has_ebpf = views.has_fields = false;
	for (unsigned w = 0; w < FILTER_WORDS; w++) {
		for (uint64_t left = set->words[w]; left; left &= left - 1) {
			unsigned i = w * 64 + (unsigned)__builtin_ctzll(left);
			const struct filter *f = &filters->list[i];

			if (!filter_matches(f, p, &views))
				continue;
			/* One writer. */
			atomic_store_explicit(&own->hits[i],
					      atomic_load_explicit(&own->hits[i], memory_order_relaxed) + 1,
					      memory_order_relaxed);
			if (f->action == ABI_FILTER_SAMPLE && *mark == 0)
				*mark = f->key;
			if (f->action == ABI_FILTER_DROP ||
			    (f->action == ABI_FILTER_LIMIT && filter_is_over(f, &filters->buckets[i], p, now_ns)))
				return true;
			if (f->is_last)
				return false;
		}
	}
	return false;
}

#endif
