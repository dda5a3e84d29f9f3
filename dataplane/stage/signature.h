/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scans one packet's L4 payload for the rules that its service has enabled, and says what the first of them that
 * matches wants done. What is scanned: TCP and UDP that is no ICMP error and no later fragment, and of it the first
 * `depth` octets of the payload, as far as they lie in the mbuf's first segment (where parse puts the first 1024 of a
 * frame). A rule whose octets are beyond that doesn't match; a payload that its segment cuts off before `depth` is
 * counted (cut).
 *
 * Ports and protocol come first: two tables give, by source and by destination port, the set of rules that take it, and
 * a packet that no enabled rule can fit costs these looks only. Hyperscan then scans for all rules at once, and its
 * callback keeps the lowest rule of the packet's set.
 *
 * Scanning has a budget in each burst: once it is spent, one packet in `nth` is scanned and the others are counted
 * (unscanned), up to the burst's end. The clock is the caller's.
 *
 * The tables (dataplane/signatures.h makes them) are read by all workers but for their own struct signature_worker; a
 * struct signature is its worker's.
 */
#ifndef DATAPLANE_STAGE_SIGNATURE_H
#define DATAPLANE_STAGE_SIGNATURE_H

#include <netinet/in.h>
#include <stdatomic.h>

#include <hs.h>
#include <rte_branch_prediction.h>

#include "abi/signature.h"
#include "dataplane/packet.h"

enum {
	SIGNATURE_WORDS = ABI_SIGNATURES_MAX / 64,
	SIGNATURE_NONE = ABI_SIGNATURES_MAX,
	SIGNATURE_TCP_MIN = 20, /* octets of the headers */
	SIGNATURE_UDP = 8,
};

/* Rules by their index: what a service has enabled, what takes a port. */
struct signature_set {
	uint64_t words[SIGNATURE_WORDS];
};

/* What one worker writes. */
struct signature_worker {
	_Alignas(64) hs_scratch_t *scratch;
	_Atomic uint64_t hits[ABI_SIGNATURES_MAX]; /* of each rule; anybody may read */
};

struct signatures {
	hs_database_t *database; /* NULL: no rules */
	unsigned n;
	unsigned depth; /* octets of a payload that are scanned */
	unsigned n_workers;
	struct signature_worker *workers;
	struct signature_set *src_sets; /* by src_class */
	struct signature_set *dst_sets;
	struct signature_set tcp;
	struct signature_set udp;
	uint8_t actions[ABI_SIGNATURES_MAX]; /* enum abi_signature_action */
	uint64_t keys[ABI_SIGNATURES_MAX];   /* abi_signature_key */
	uint16_t src_class[UINT16_MAX + 1];  /* by port, host order */
	uint16_t dst_class[UINT16_MAX + 1];
};

/* What a worker counts; it alone writes, anybody may read. */
struct signature_counters {
	_Atomic uint64_t scanned;
	_Atomic uint64_t unscanned; /* over the budget: some rule might have matched */
	_Atomic uint64_t cut;	    /* scanned in part: the payload goes on in another segment */
	_Atomic uint64_t failed;    /* Hyperscan refused to scan; taken as no match */
	_Atomic uint64_t over;	    /* bursts that spent their budget */
};

struct signature {
	unsigned worker; /* index in the tables' workers */
	unsigned nth;	 /* over the budget one packet in so many is scanned; 0: none */
	uint64_t budget_tsc;
	uint64_t begin_tsc; /* of this burst's scanning */
	bool is_over;
	unsigned turn; /* packets since the last sample */
	struct signature_counters counters;
};

struct signature_hit {
	uint16_t rule;	/* index, or SIGNATURE_NONE */
	uint8_t action; /* enum abi_signature_action */
};

/* The time in TSC cycles: rte_rdtsc on the packet path, where it is inlined. */
typedef uint64_t signature_clock(void);

static inline void
signature_count(_Atomic uint64_t *counter)
{
	/* One writer; readers want a number, not an order. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}

static inline void
signature_set_add(struct signature_set *set, unsigned rule)
{
	set->words[rule / 64] |= UINT64_C(1) << rule % 64;
}

static inline bool
signature_set_has(const struct signature_set *set, unsigned rule)
{
	return set->words[rule / 64] >> rule % 64 & 1;
}

/* SIGNATURE_NONE when it is empty. */
static inline unsigned
signature_set_first(const struct signature_set *set)
{
	for (unsigned i = 0; i < SIGNATURE_WORDS; i++) {
		if (set->words[i] != 0)
			return i * 64 + (unsigned)__builtin_ctzll(set->words[i]);
	}
	return SIGNATURE_NONE;
}

/* The enabled rules that the packet's protocol and ports fit; the first of them, or SIGNATURE_NONE. */
static inline unsigned
signature_fit(const struct signatures *t, const struct signature_set *enabled, const struct packet *p,
	      struct signature_set *fit)
{
	const struct signature_set *src = &t->src_sets[t->src_class[p->src_port]];
	const struct signature_set *dst = &t->dst_sets[t->dst_class[p->dst_port]];
	const struct signature_set *protocol = p->protocol == IPPROTO_TCP ? &t->tcp : &t->udp;

	for (unsigned i = 0; i < SIGNATURE_WORDS; i++)
		fit->words[i] = enabled->words[i] & src->words[i] & dst->words[i] & protocol->words[i];
	return signature_set_first(fit);
}

struct signature_payload {
	const char *at;
	unsigned len; /* 0: nothing to scan */
	bool is_cut;
};

/* Nothing that the packet says of its lengths is believed: the header and the payload end with the IP packet and with
 * the first segment, whichever is first. */
static inline struct signature_payload
signature_payload(const struct packet *p, unsigned depth)
{
	unsigned segment_end = rte_pktmbuf_data_len(p->mbuf);
	unsigned ip_end = (unsigned)p->l3_at + p->ip_len;
	unsigned end = RTE_MIN(segment_end, ip_end), at = p->l4_at;

	if (p->protocol == IPPROTO_TCP) {
		unsigned header;

		if (at + SIGNATURE_TCP_MIN > end)
			return (struct signature_payload){.len = 0};
		header = *packet_at(p, (uint16_t)(at + 12)) >> 4; /* RFC 9293 3.1: data offset in words of four */
		at += RTE_MAX(header * 4, (unsigned)SIGNATURE_TCP_MIN);
	} else {
		at += SIGNATURE_UDP;
	}
	if (at >= ip_end)
		return (struct signature_payload){.len = 0};
	return (struct signature_payload){
		.at = (const char *)p->frame + at,
		.len = at < end ? RTE_MIN(end - at, depth) : 0,
		.is_cut = end < ip_end && segment_end < at + depth,
	};
}

struct signature_match {
	const struct signature_set *fit;
	unsigned first; /* the lowest rule that can match: nothing is left to be found then */
	unsigned rule;
};

/* Hyperscan's callback; not 0 ends the scan. */
static inline int
signature_matched(unsigned rule, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
	struct signature_match *match = context;

	(void)from, (void)to, (void)flags;
	if (rule < match->rule && signature_set_has(match->fit, rule))
		match->rule = rule;
	return match->rule == match->first;
}

/* Whether the budget lets the packet be scanned. */
static inline bool
signature_has_turn(struct signature *s)
{
	if (likely(!s->is_over))
		return true;
	if (s->nth != 0 && ++s->turn >= s->nth) {
		s->turn = 0;
		return true;
	}
	signature_count(&s->counters.unscanned);
	return false;
}

static inline unsigned
signature_scan(struct signature *s, const struct signatures *t, struct signature_payload payload,
	       struct signature_match *match)
{
	struct signature_worker *worker = &t->workers[s->worker];
	hs_error_t err = hs_scan(t->database, payload.at, payload.len, 0, worker->scratch, signature_matched, match);

	signature_count(&s->counters.scanned);
	if (payload.is_cut)
		signature_count(&s->counters.cut);
	if (unlikely(err != HS_SUCCESS && err != HS_SCAN_TERMINATED)) {
		signature_count(&s->counters.failed);
		return SIGNATURE_NONE;
	}
	if (match->rule != SIGNATURE_NONE)
		signature_count(&worker->hits[match->rule]);
	return match->rule;
}

/* Before the first signature_packet of a burst; now_tsc by the same clock. */
static inline void
signature_begin(struct signature *s, uint64_t now_tsc)
{
	s->begin_tsc = now_tsc;
	s->is_over = s->budget_tsc == 0;
}

/* After parse, classify and fragment; enabled is that of the packet's service. The packet stays as it is. */
static __rte_always_inline struct signature_hit
signature_packet(struct signature *s, const struct signatures *t, const struct signature_set *enabled,
		 const struct packet *p, signature_clock *clock)
{
	struct signature_hit none = {.rule = SIGNATURE_NONE, .action = ABI_SIGNATURE_NONE};
	struct signature_set fit;
	struct signature_match match = {.fit = &fit, .rule = SIGNATURE_NONE};
	struct signature_payload payload;
	unsigned rule;

	if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) || !(p->flags & PACKET_HAS_PORTS) ||
	    (p->flags & (PACKET_ICMP_ERROR | PACKET_FRAGMENT_LATER)))
		return none;
	match.first = signature_fit(t, enabled, p, &fit);
	if (match.first == SIGNATURE_NONE)
		return none;
	payload = signature_payload(p, t->depth);
	if (payload.len == 0 || !signature_has_turn(s))
		return none;
	rule = signature_scan(s, t, payload, &match);
	if (!s->is_over && clock() - s->begin_tsc >= s->budget_tsc) {
		s->is_over = true;
		signature_count(&s->counters.over);
	}
	if (rule == SIGNATURE_NONE)
		return none;
	return (struct signature_hit){.rule = (uint16_t)rule, .action = t->actions[rule]};
}

#endif
