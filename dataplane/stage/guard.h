/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guard: what is let through to a service while it is under attack. Sanity is behind a packet when it comes here (parse,
 * classify); the meters that arm a service are the main lcore's (dataplane/meter.h), read off the counters that tx keeps
 * anyway. So a service in peace costs nothing here but one look a burst, and now and then the note that a source was
 * there.
 *
 * A packet whose source is in a list of prefixes is dropped, held to the list's rates, or goes past all the rest.
 *
 * A packet of an armed service meets the protocol filters, the limits of its address and of its prefix, and the source
 * check. A source that is known (stage/known.h) passes the check; one that isn't is asked for a proof where its packet
 * can be asked, and shares the service's small allowance for unknown sources where it can't. What that allowance has no
 * room for goes before the limits are charged: a flood from random sources then costs one line of one table.
 *
 * What is left is scanned for payload signatures, where the service has some.
 *
 * Several passes over the burst, with every line of a table fetched one pass before it is needed.
 */
#ifndef DATAPLANE_STAGE_GUARD_H
#define DATAPLANE_STAGE_GUARD_H

#include <netinet/in.h>

#include <rte_cycles.h>

#include "abi/records.h"
#include "dataplane/stage/challenge.h"
#include "dataplane/stage/known.h"
#include "dataplane/stage/filter.h"
#include "dataplane/stage/limit.h"
#include "dataplane/stage/list.h"
#include "dataplane/stage/signature.h"

enum {
	GUARD_SETTLE_S = 2, /* a source counts as seen before an attack when it was first seen so long before it */
	GUARD_LIMITS = 6,
	GUARD_SCOPE_CLASS = 0x8000, /* | class, where limits' scopes have a service: no service has such an index */
	GUARD_LEARN_BURSTS = 8, /* in peace, one source of so many bursts is noted */
	GUARD_ASKED = 16384,	/* sources asked last, a power of two */
};

/* Of a service, by what it was configured. */
struct guard_service {
	uint8_t filters;	/* enum abi_guard_filter: while armed */
	uint8_t filters_always; /* in peace too */
	uint8_t check;		/* enum abi_guard_check */
	uint8_t limits;		/* bit i: rates[i] holds; 3 of the address (enum limit_kind), 3 of the prefix */
	uint8_t prefix_v4_len;
	uint8_t prefix_v6_len;
	bool has_unknown;
	bool scans;	   /* for `rules`, while armed */
	bool scans_always;
	struct signature_set rules;
	struct limit_rate unknown; /* all unknown sources together */
	struct limit_rate rates[GUARD_LIMITS];
};

/* What lists limit a source to. */
struct guard_class {
	uint8_t limits; /* bits of rates, by enum limit_kind */
	struct limit_rate rates[GUARD_LIMITS / 2];
};

/* Immutable once published. */
struct guard_table {
	struct guard_service *services; /* [ABI_SERVICES_MAX] */
	struct guard_class *classes;	/* [ABI_LIST_CLASSES] */
	bool has_always;		/* some service has filters_always or scans_always */
	bool has_scans;
	const struct signatures *signatures; /* NULL: none; tables.c's */
	const struct filters *filters;	     /* likewise */
	uint64_t reflectors[1024];	/* bit of each UDP source port, host order */
};

/* What a table is made of; of both lists type 0: there is none at this index. */
struct guard_spec {
	struct abi_guard guards[ABI_SERVICES_MAX]; /* by the dataplane's index */
	struct abi_list_class classes[ABI_LIST_CLASSES];
	struct abi_rule_set rules[ABI_SERVICES_MAX]; /* as guards */
	uint64_t reflectors[1024];
};

struct guard_table *guard_table_new(const struct guard_spec *spec); /* NULL: no memory */
void guard_table_free(struct guard_table *table); /* NULL is fine */

enum guard_mode {
	GUARD_PEACE = 0,
	GUARD_CHECKING, /* another service needs sources to prove themselves here: SYNs are checked, nothing else */
	GUARD_ARMED,
};

/* What the main lcore says and workers read, a word that says all: mode, and since when in seconds of the burst clock. */
struct guard_shared {
	struct limit_table *limits;
	struct known_table *known;
	struct challenge_keys keys;
	const struct list_handle *lists; /* set once, before the workers start; NULL: there are none */
	uint64_t seed;
	uint32_t limits_swept; /* main lcore's: how far the sweeps have come, and when the keys turned */
	uint32_t known_swept;
	uint32_t turned_s;
	_Alignas(64) _Atomic uint32_t n_armed; /* services that are not in peace */
	_Atomic uint32_t states[ABI_SERVICES_MAX]; /* since << 2 | mode */
};

/* 0, -ENOMEM or -EIO (no random numbers). fini: zeroed is fine. */
MUST_CHECK int guard_shared_init(struct guard_shared *shared, unsigned limit_bits, unsigned known_bits);
void guard_shared_fini(struct guard_shared *shared);

/* Main lcore, once a second: sweeps a part of the tables, all of them in time, and turns the keys. now_ns: the limits'
 * clock (guard_ns). -EIO: no random numbers; the keys stay. */
MUST_CHECK int guard_upkeep(struct guard_shared *shared, uint64_t now_ns, uint32_t now_s);

/* One worker's. */
struct guard {
	struct guard_shared *shared;
	uint64_t ns_per_tsc; /* 32 bits behind the point */
	struct signature scan;
	uint64_t seen_key;   /* of a source to be noted in the next burst; 0: none */
	unsigned bursts;     /* in peace, since a source was noted */
	uint16_t asked[GUARD_ASKED]; /* a part of the key of who was asked, by another part of it */
};

enum {
	GUARD_SCAN_BUDGET_NS = 20000, /* of a burst; then one packet in GUARD_SCAN_NTH */
	GUARD_SCAN_NTH = 16,
};

void guard_init(struct guard *g, struct guard_shared *shared, unsigned worker, uint64_t tsc_hz);

/* The limits' clock. */
static inline uint64_t
guard_ns(const struct guard *g, uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * g->ns_per_tsc >> 32);
}

static inline uint32_t
guard_state(enum guard_mode mode, uint32_t since_s)
{
	return since_s << 2 | (uint32_t)mode;
}

/* A packet on its way through the passes. */
struct guard_item {
	uint16_t at;
	uint16_t age_s; /* of the service's state: since when it is armed */
	uint8_t mode;	/* enum guard_mode */
	uint8_t limits; /* bits of keys that hold */
	bool is_asked;	/* for a proof, when no limit is in the way */
	uint64_t known_key;
	uint64_t keys[GUARD_LIMITS];
};

/* All unknown sources' allowance of the service that was last asked for, in this burst: time doesn't pass within it, so once
 * it is used up it stays so. */
struct guard_allowance {
	uint16_t service; /* SERVICE_NONE: none was asked for */
	bool is_over;
	uint64_t now_ns;
};

static inline uint8_t
guard_tcp_flags(const struct packet *p)
{
	return packet_at(p, p->l4_at)[13];
}

/* Of a UDP service's packet. An answer from the port that it goes to is one of the service's own protocol, where clients
 * use that port too (NTP, IKE): the other filters and limits are for it. */
static inline bool
guard_is_reflected(const struct guard_table *t, const struct packet *p)
{
	return t->reflectors[p->src_port / 64] >> (p->src_port % 64) & 1 && p->src_port != p->dst_port;
}

static inline enum abi_verdict
guard_filter(const struct guard_table *t, unsigned filters, const struct packet *p)
{
	if (p->flags & (PACKET_FRAGMENT_LATER | PACKET_ICMP_ERROR))
		return VERDICT_OPEN;
	if (p->protocol == IPPROTO_UDP) {
		if ((filters & ABI_GUARD_REFLECTORS) && guard_is_reflected(t, p))
			return VERDICT_REFLECTOR;
		if ((filters & ABI_GUARD_DNS) && (p->flags & PACKET_FRAGMENT ||
						  !challenge_dns_question(packet_at(p, p->l4_at) + 8, challenge_udp_len(p))))
			return VERDICT_DNS_MALFORMED;
	} else if (p->protocol == IPPROTO_TCP) {
		/* A client opens with a SYN; SYN and ACK is an answer to a SYN that nobody here has sent. */
		if ((filters & ABI_GUARD_NOT_CLIENT) && (guard_tcp_flags(p) & 0x12) == 0x12)
			return VERDICT_NOT_CLIENT;
	}
	return VERDICT_OPEN;
}

static inline uint64_t
guard_key(const struct guard_shared *s, const struct guard_service *service, const struct packet *p, unsigned limit)
{
	bool is_v6 = p->flags & PACKET_V6, is_prefix = limit >= GUARD_LIMITS / 2;
	const uint8_t *src = packet_at(p, p->src_at);
	uint32_t scope = limit_scope(p->service, (enum limit_kind)(limit % (GUARD_LIMITS / 2)));

	if (is_v6)
		return limit_key_v6(s->seed, scope, src, is_prefix ? service->prefix_v6_len : 128);
	return limit_key_v4(s->seed, scope, src, is_prefix ? service->prefix_v4_len : 32);
}

/*
 * Which of the service's limits ask for this packet. One that is only answered reaches no backend: the address's openings
 * are enough to keep the node from answering one victim without end. Its prefix is not charged: else who spoofs a client's
 * neighbours would keep the client from being asked.
 */
static inline uint8_t
guard_limits_of(const struct guard_service *service, const struct packet *p, bool is_asked)
{
	enum { OPENING = 1 << LIMIT_OPENINGS, OPENINGS = OPENING | 1 << (LIMIT_OPENINGS + GUARD_LIMITS / 2) };

	if (is_asked && p->flags & PACKET_OPENS && service->limits & OPENING)
		return OPENING;
	return p->flags & PACKET_OPENS ? service->limits : (uint8_t)(service->limits & ~OPENINGS);
}

/* Of a source that a list limits. True: over it. */
static inline bool
guard_class_is_over(const struct guard_shared *s, const struct guard_class *class, unsigned index, const struct packet *p,
		    uint64_t now_ns)
{
	bool is_v6 = p->flags & PACKET_V6;
	const uint8_t *src = packet_at(p, p->src_at);

	for (unsigned left = class->limits; left; left &= left - 1) {
		unsigned kind = (unsigned)__builtin_ctz(left);
		uint32_t scope = limit_scope((uint16_t)(GUARD_SCOPE_CLASS | index), (enum limit_kind)kind);
		uint64_t key = is_v6 ? limit_key_v6(s->seed, scope, src, 128) : limit_key_v4(s->seed, scope, src, 32);

		if (kind == LIMIT_OPENINGS && !(p->flags & PACKET_OPENS))
			continue;
		if (limit_take(s->limits, key, &class->rates[kind], kind == LIMIT_BITS ? p->ip_len * UINT32_C(8) : 1, now_ns) ==
		    LIMIT_OVER)
			return true;
	}
	return false;
}

/* values: what the lists say of each packet of the burst. */
static inline void
guard_list_pass(const struct guard_shared *s, const struct guard_table *t, struct burst *b, const list_value *values,
		uint64_t now_ns)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		unsigned class = list_class(values[i]);

		if (likely(list_action(values[i]) == LIST_NONE || list_action(values[i]) == LIST_ALLOW))
			continue;
		if (list_action(values[i]) == LIST_DROP)
			packet_settle(p, VERDICT_LISTED);
		else if (guard_class_is_over(s, &t->classes[class], class, p, now_ns))
			packet_settle(p, VERDICT_LIST_LIMIT);
	}
}

/* Filters. Of what is left and is armed, the lines that tell of its source are on their way. The number of those. */
static inline unsigned
guard_filter_pass(const struct guard *g, const struct guard_table *t, struct burst *b, const list_value *values,
		  struct guard_item *items)
{
	const struct guard_shared *s = g->shared;
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		struct guard_item *item = &items[n];
		const struct guard_service *service;
		enum abi_verdict verdict;
		uint32_t state;

		if (!packet_is_served(p) || list_action(values[i]) == LIST_ALLOW)
			continue;
		service = &t->services[p->service];
		state = atomic_load_explicit(&s->states[p->service], memory_order_relaxed);
		verdict = guard_filter(t, (state & 3) == GUARD_ARMED ? service->filters : service->filters_always, p);
		if (verdict != VERDICT_OPEN) {
			packet_settle(p, verdict);
			continue;
		}
		if ((state & 3) == GUARD_PEACE || p->flags & PACKET_ICMP_ERROR)
			continue;
		item->at = (uint16_t)i;
		item->mode = state & 3;
		item->age_s = (uint16_t)(b->now_s - (state >> 2));
		if (service->check || service->has_unknown) {
			item->known_key = known_key(s->seed, packet_at(p, p->src_at), p->flags & PACKET_V6);
			known_prefetch(s->known, item->known_key);
		}
		n++;
	}
	return n;
}

static inline bool
guard_is_known(const struct guard_shared *s, const struct guard_item *item, uint32_t now_s)
{
	struct known known = known_lookup(s->known, item->known_key, now_s);

	/* Sources that an attack spoofed between its begin and its discovery are no witnesses. */
	return known.is_passed || (known.is_seen && known.age_s >= item->age_s + GUARD_SETTLE_S);
}

enum guard_unknown {
	GUARD_UNKNOWN_NOBODY, /* neither known nor to be asked: the allowance is for it */
	GUARD_UNKNOWN_ASK,
	GUARD_UNKNOWN_SETTLED, /* it brought a proof, or is refused */
};

/* A packet whose source isn't known. */
enum guard_unknown guard_unknown(struct guard *g, const struct guard_service *service, const struct guard_item *item,
				 struct packet *p, uint32_t now_s);
/* Asks for a proof: settles the packet. */
void guard_ask(struct guard *g, const struct guard_service *service, struct packet *p);

static inline bool
guard_is_allowed(const struct guard_shared *s, const struct guard_service *service, struct guard_allowance *allowance,
		 const struct packet *p)
{
	if (allowance->service != p->service)
		*allowance = (struct guard_allowance){.service = p->service, .now_ns = allowance->now_ns};
	if (likely(allowance->is_over))
		return false;
	allowance->is_over =
		limit_take(s->limits, limit_key_v4(s->seed, limit_scope(p->service, LIMIT_UNKNOWN), (const uint8_t[4]){0}, 0),
			   &service->unknown, 1, allowance->now_ns) == LIMIT_OVER;
	return !allowance->is_over;
}

/*
 * Who is asked for the first time owes its limits nothing yet. So a flood from random sources costs no line of the limits'
 * table, and who comes again is charged; to be asked more often than that, a source would need a flood that turns over
 * GUARD_ASKED sources in between, each at its share of it.
 */
static inline bool
guard_is_asked_again(struct guard *g, uint64_t key)
{
	uint16_t *last = &g->asked[key % GUARD_ASKED], tag = (uint16_t)(key >> 16) | 1;
	bool is_again = *last == tag;

	*last = tag;
	return is_again;
}

/* The lines of the limits that ask for the packet are on their way. */
static inline void
guard_limits_fetch(const struct guard_shared *s, const struct guard_service *service, struct guard_item *item,
		   const struct packet *p)
{
	for (unsigned left = item->limits; left; left &= left - 1) {
		unsigned limit = (unsigned)__builtin_ctz(left);

		item->keys[limit] = guard_key(s, service, p, limit);
		limit_prefetch(s->limits, item->keys[limit]);
	}
}

/* Who is known, who is asked, and who must share. What is refused here costs its source's limits nothing. */
static inline unsigned
guard_source_pass(struct guard *g, const struct guard_table *t, struct burst *b, struct guard_item *items, unsigned n,
		  uint64_t now_ns)
{
	struct guard_allowance allowance = {.service = SERVICE_NONE, .now_ns = now_ns};
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++) {
		struct guard_item *item = &items[i];
		struct packet *p = &b->packets[item->at];
		const struct guard_service *service = &t->services[p->service];

		item->is_asked = false;
		if ((service->check || service->has_unknown) && !guard_is_known(g->shared, item, b->now_s)) {
			enum guard_unknown unknown = guard_unknown(g, service, item, p, b->now_s);

			if (unknown == GUARD_UNKNOWN_SETTLED)
				continue;
			item->is_asked = unknown == GUARD_UNKNOWN_ASK;
			if (!item->is_asked && item->mode == GUARD_ARMED && service->has_unknown &&
			    !guard_is_allowed(g->shared, service, &allowance, p)) {
				packet_settle(p, VERDICT_SOURCE_UNKNOWN);
				continue;
			}
		}
		if (item->mode != GUARD_ARMED || (item->is_asked && !guard_is_asked_again(g, item->known_key)))
			item->limits = 0;
		else
			item->limits = guard_limits_of(service, p, item->is_asked);
		guard_limits_fetch(g->shared, service, item, p);
		if (left != i)
			items[left] = *item;
		left++;
	}
	return left;
}

static inline uint32_t
guard_cost(const struct packet *p, unsigned limit)
{
	return limit % (GUARD_LIMITS / 2) == LIMIT_BITS ? p->ip_len * UINT32_C(8) : 1;
}

/* Addresses before prefixes: what one address is refused, its neighbours aren't charged. */
static inline enum abi_verdict
guard_limits(const struct guard_shared *s, const struct guard_service *service, const struct guard_item *item,
	     const struct packet *p, uint64_t now_ns)
{
	for (unsigned left = item->limits; left; left &= left - 1) {
		unsigned limit = (unsigned)__builtin_ctz(left);

		if (limit_take(s->limits, item->keys[limit], &service->rates[limit], guard_cost(p, limit), now_ns) ==
		    LIMIT_OVER)
			return limit < GUARD_LIMITS / 2 ? VERDICT_SOURCE_LIMIT : VERDICT_PREFIX_LIMIT;
	}
	return VERDICT_OPEN;
}

static inline void
guard_limit_pass(struct guard *g, const struct guard_table *t, struct burst *b, const struct guard_item *items,
		 unsigned n, uint64_t now_ns)
{
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &b->packets[items[i].at];
		const struct guard_service *service = &t->services[p->service];
		enum abi_verdict verdict = guard_limits(g->shared, service, &items[i], p, now_ns);

		if (verdict != VERDICT_OPEN)
			packet_settle(p, verdict);
		else if (items[i].is_asked)
			guard_ask(g, service, p);
	}
}

/* What a signature that a packet has asks for. */
static inline void
guard_signature_settle(const struct guard_shared *s, const struct guard_service *service, struct packet *p, uint8_t action,
		       uint64_t now_ns)
{
	if (action == ABI_SIGNATURE_DROP)
		packet_settle(p, VERDICT_SIGNATURE);
	else if (action == ABI_SIGNATURE_LIMIT && service->limits >> LIMIT_PACKETS & 1 &&
		 limit_take(s->limits, guard_key(s, service, p, LIMIT_PACKETS), &service->rates[LIMIT_PACKETS], 1, now_ns) ==
			 LIMIT_OVER)
		packet_settle(p, VERDICT_SIGNATURE_LIMIT);
}

/* Scans what has come through all the rest. */
static inline void
guard_scan_pass(struct guard *g, const struct guard_table *t, struct burst *b, const list_value *values, uint64_t now_ns)
{
	signature_begin(&g->scan, rte_rdtsc());
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		const struct guard_service *service = &t->services[p->service];
		struct signature_hit hit;

		if (!packet_is_served(p) || !service->scans || list_action(values[i]) == LIST_ALLOW)
			continue;
		if (!service->scans_always &&
		    (atomic_load_explicit(&g->shared->states[p->service], memory_order_relaxed) & 3) != GUARD_ARMED)
			continue;
		hit = signature_packet(&g->scan, t->signatures, &service->rules, p, rte_rdtsc);
		if (hit.action == ABI_SIGNATURE_SAMPLE)
			packet_mark(b, i, t->signatures->keys[hit.rule]);
		else if (hit.rule != SIGNATURE_NONE)
			guard_signature_settle(g->shared, service, p, hit.action, now_ns);
	}
}

static inline bool
guard_has_lists(const struct guard_shared *s)
{
	return s->lists && !list_tables_empty(list_tables_load(s->lists));
}

/* The operator's own word comes last, and of listed sources as well. */
static inline void
guard_operator_pass(const struct guard *g, const struct guard_table *t, struct burst *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];
		uint64_t mark = 0;

		if (packet_is_served(p) && filter_packet(t->filters, g->scan.worker, p, now_ns, &mark))
			packet_settle(p, VERDICT_FILTERED);
		if (mark)
			packet_mark(b, i, mark);
	}
}

/* Some service is armed, or has filters always. Relaxed: who sees it a burst later lets a burst through. */
static inline bool
guard_has_work(const struct guard_shared *s, const struct guard_table *t)
{
	return atomic_load_explicit(&s->n_armed, memory_order_relaxed) != 0 || t->has_always;
}

static __rte_noinline void
guard_passes(struct guard *g, const struct guard_table *t, struct burst *b)
{
	struct guard_item items[BURST_MAX];
	list_value values[BURST_MAX];
	uint64_t now_ns = guard_ns(g, b->now_tsc);
	unsigned n;

	if (guard_has_lists(g->shared)) {
		list_burst(list_tables_load(g->shared->lists), b, values);
		guard_list_pass(g->shared, t, b, values, now_ns);
	} else {
		memset(values, 0, b->n * sizeof(*values));
	}
	if (guard_has_work(g->shared, t)) {
		n = guard_filter_pass(g, t, b, values, items);
		n = guard_source_pass(g, t, b, items, n, now_ns);
		guard_limit_pass(g, t, b, items, n, now_ns);
		if (t->signatures && t->has_scans)
			guard_scan_pass(g, t, b, values, now_ns);
	}
	if (t->filters)
		guard_operator_pass(g, t, b, now_ns);
}

/* In peace: one source of several bursts is noted, a burst later, when its line has come. Who is there is seen
 * soon, and it costs next to nothing. */
static inline void
guard_learn(struct guard *g, const struct burst *b)
{
	const struct packet *p = &b->packets[b->n - 1];

	if (likely(++g->bursts < GUARD_LEARN_BURSTS))
		return;
	if (g->seen_key) {
		known_see(g->shared->known, g->seen_key, b->now_s);
		g->seen_key = 0;
		g->bursts = 0;
		return;
	}
	if (!packet_is_served(p) || p->flags & (PACKET_OPENS | PACKET_FRAGMENT | PACKET_ICMP_ERROR))
		return;
	g->seen_key = known_key(g->shared->seed, packet_at(p, p->src_at), p->flags & PACKET_V6);
	known_prefetch(g->shared->known, g->seen_key);
}

/* Once before the burst is parsed. */
static inline bool
guard_is_up(const struct guard *g, const struct guard_table *t)
{
	return guard_has_work(g->shared, t) || t->filters || guard_has_lists(g->shared);
}

/* is_up: guard_is_up's answer for this burst. b->n > 0. */
static inline void
guard_burst(struct guard *g, const struct guard_table *t, struct burst *b, bool is_up)
{
	if (likely(atomic_load_explicit(&g->shared->n_armed, memory_order_relaxed) == 0))
		guard_learn(g, b);
	if (unlikely(is_up))
		guard_passes(g, t, b);
}

#endif
