/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steer: the slot that a flow's hash picks names its backend. While a slot moves or settles, flows that can't follow it
 * are in the worker's flow table; a stable slot has none there (but with `affinity: tracked`). docs/architecture.md,
 * 'A slot remembers its previous owner', says why.
 */
#ifndef DATAPLANE_STAGE_STEER_H
#define DATAPLANE_STAGE_STEER_H

#include <stdatomic.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "abi/records.h"
#include "base/flowhash.h"
#include "dataplane/packet.h"
#include "dataplane/stage/flowtable.h"

/* A slot of a pool's table in one word: owner (14 bits), previous owner (14 bits), state (2 bits). */
typedef uint32_t slot_word;

enum slot_state {
	SLOT_STABLE = 0, /* the owner, nothing is looked up */
	SLOT_MOVING, /* flows in the table stay; opening packets and recorded ones: owner; unknown mid-flow: previous */
	SLOT_SETTLING, /* flows in the table stay; all else: owner */
};

static inline slot_word
slot_make(uint16_t owner, uint16_t previous, enum slot_state state)
{
	return (slot_word)owner | (slot_word)previous << 14 | (slot_word)state << 28;
}

static inline uint16_t
slot_owner(slot_word slot)
{
	return slot & 0x3fff;
}

static inline uint16_t
slot_previous(slot_word slot)
{
	return slot >> 14 & 0x3fff;
}

static inline enum slot_state
slot_state(slot_word slot)
{
	return (enum slot_state)(slot >> 28 & 3);
}

/* What steer needs of a service; two a cache line. `slots` is a pool's table, shared by the services that use the pool (or the service's
 * own while it changes its pool); tables.c owns it. */
struct steer_service {
	const uint16_t *owners; /* [ABI_SLOTS], what most packets need of `slots`: steer_owner() of each, or steer_tracked */
	const slot_word *slots; /* [ABI_SLOTS] */
	uint64_t seed;
	uint16_t idle_s;
	uint8_t affinity; /* enum abi_affinity */
	uint8_t hash_on;  /* enum abi_hash_on */
	uint8_t zero[4];
};

/* One worker's state. */
struct steer {
	struct flowtable *flows;	 /* this worker writes it */
	struct flowtable *const *others; /* those of the other workers, read for ICMP errors; NULL when n_others is 0 */
	unsigned n_others;
	_Atomic uint64_t *counters; /* abi_worker_block.counters: this worker alone writes them */
};

enum { STEER_REOPEN_S = 60 }; /* an opening packet of a flow that was opened and seen since then is a repetition */

/* One writer, so a load and a store do: readers see the old or the new value. */
static inline void
steer_count(struct steer *s, enum abi_worker_counter counter)
{
	uint64_t value = atomic_load_explicit(&s->counters[counter], memory_order_relaxed);

	atomic_store_explicit(&s->counters[counter], value + 1, memory_order_relaxed);
}

enum { STEER_UNSTABLE = 0xffff }; /* in place of an owner: look at the word */

extern const uint16_t steer_tracked[ABI_SLOTS]; /* the owners of a service that tracks its flows: all unstable */

static inline uint16_t
steer_owner(slot_word slot)
{
	return slot_state(slot) == SLOT_STABLE ? slot_owner(slot) : STEER_UNSTABLE;
}

/* Relaxed: the main lcore moves a slot's state on in place, and a word says all there is. */
static inline slot_word
steer_slot(const struct steer_service *service, const struct packet *p)
{
	return __atomic_load_n(&service->slots[p->flow >> 48], __ATOMIC_RELAXED);
}

/* The table's key, whose top 16 bits are the slot: the 5-tuple's hash, or with the source's slot in its place. */
static inline uint64_t
steer_flow(const struct steer_service *service, const uint8_t *src, const uint8_t *dst, uint32_t ports, uint8_t protocol,
	   bool is_v6)
{
	uint64_t hash = is_v6 ? flowhash_v6(service->seed, src, dst, ports, protocol)
			      : flowhash_v4(service->seed, src, dst, ports, protocol);

	if (likely(service->hash_on == ABI_HASH_FLOW))
		return hash;
	return flowtable_key((uint16_t)(flowhash_source(service->seed, src, is_v6 ? 16 : 4) >> 48), hash);
}

/* The flow's slot is on its way into the cache when steer_burst comes. */
static inline void
steer_fetch(const struct steer_service *service, struct packet *p, uint64_t flow)
{
	p->flow = flow;
	p->owner = &service->owners[flow >> 48];
	rte_prefetch0(p->owner);
}

/* Of a packet with a service. */
static inline void
steer_hash(const struct steer_service *services, struct packet *p)
{
	const struct steer_service *service = &services[p->service];

	steer_fetch(service, p,
		    steer_flow(service, packet_at(p, p->src_at), packet_at(p, p->dst_at), p->ports, p->protocol,
			       p->flags & PACKET_V6));
}

/* Who gets what no table knows. */
static inline uint16_t
steer_unknown(slot_word slot, const uint8_t *alive)
{
	return slot_state(slot) == SLOT_MOVING && alive[slot_previous(slot)] ? slot_previous(slot) : slot_owner(slot);
}

static inline void
steer_record(struct steer *s, const struct packet *p, uint16_t backend, uint32_t now_s, uint16_t idle_s)
{
	uint64_t word = flowtable_word(p->flow, backend, p->flags & PACKET_OPENS, now_s);

	steer_count(s, WORKER_FLOW_INSERTS);
	if (flowtable_insert(s->flows, p->flow, word, idle_s))
		steer_count(s, WORKER_FLOW_EVICTIONS);
}

/* An opening packet goes to the owner, but a repeated one (SYN retransmitted, a second Initial) stays where the first
 * one went. Anything else stays where its flow is. */
static inline bool
steer_stays(const struct packet *p, struct flowtable_entry entry, uint32_t now_s, const uint8_t *alive)
{
	if (!entry.at || !alive[flowtable_backend(entry.word)])
		return false;
	if (!(p->flags & PACKET_OPENS))
		return true;
	return flowtable_is_opened(entry.word) && flowtable_age(entry.word, now_s) < STEER_REOPEN_S;
}

/* The backend of the flow that an ICMP error quotes. */
uint16_t steer_icmp(struct steer *s, const struct steer_service *service, const struct packet *p, uint32_t now_s,
		    const uint8_t *alive);

static inline uint16_t
steer_by_table(struct steer *s, const struct steer_service *service, const struct packet *p, uint32_t now_s,
	       const uint8_t *alive)
{
	slot_word slot = steer_slot(service, p);
	bool opens = p->flags & PACKET_OPENS;
	struct flowtable_entry entry;
	uint16_t backend;

	steer_count(s, WORKER_FLOW_LOOKUPS);
	if (unlikely(p->flags & PACKET_ICMP_ERROR))
		return steer_icmp(s, service, p, now_s, alive);
	entry = flowtable_lookup(s->flows, p->flow, now_s, service->idle_s);
	if (entry.at)
		steer_count(s, WORKER_FLOW_HITS);
	if (steer_stays(p, entry, now_s, alive)) {
		flowtable_touch(entry, now_s, !opens);
		return flowtable_backend(entry.word);
	}
	backend = opens ? slot_owner(slot) : steer_unknown(slot, alive);
	/* What is in mid-flow and goes to the owner anyway needs no entry: the slot says the same. */
	if (alive[backend] && (opens || service->affinity == ABI_AFFINITY_TRACKED || backend != slot_owner(slot)))
		steer_record(s, p, backend, now_s, service->idle_s);
	return backend;
}

static inline void
steer_settle(struct packet *p, uint16_t backend, const uint8_t *alive)
{
	p->backend = backend;
	if (unlikely(!alive[backend])) {
		p->backend = BACKEND_NONE;
		p->verdict = VERDICT_NO_BACKEND;
	}
}

/* Settles what its stable slot alone decides; a stable slot's flows are in no table, unless the service tracks them. For
 * the others, whose number is returned, fetches the slot's word and the flow table's line. */
static inline unsigned
steer_slot_pass(struct steer *s, const struct steer_service *services, const uint8_t *alive, struct burst *b,
		uint16_t *others)
{
	unsigned n = 0, n_packets = b->n;

	for (unsigned i = 0; i < n_packets; i++) {
		struct packet *p = &b->packets[i];
		uint16_t owner;

		if (unlikely(!packet_is_served(p)))
			continue;
		owner = __atomic_load_n(p->owner, __ATOMIC_RELAXED);
		if (unlikely(owner == STEER_UNSTABLE)) {
			rte_prefetch0(&services[p->service].slots[p->flow >> 48]);
			flowtable_prefetch(s->flows, p->flow);
			others[n++] = (uint16_t)i;
		} else {
			steer_settle(p, owner, alive);
		}
	}
	return n;
}

static inline void
steer_table_pass(struct steer *s, const struct steer_service *services, const uint8_t *alive, struct burst *b,
		 const uint16_t *others, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct packet *p = &b->packets[others[i]];
		const struct steer_service *service = &services[p->service];
		slot_word slot = steer_slot(service, p);
		uint16_t backend = slot_owner(slot);

		if (service->affinity != ABI_AFFINITY_NONE)
			backend = steer_by_table(s, service, p, b->now_s, alive);
		if (slot_state(slot) == SLOT_MOVING && backend == slot_previous(slot) && backend != slot_owner(slot))
			steer_count(s, WORKER_MOVING_PREVIOUS);
		steer_settle(p, backend, alive);
	}
}

/* Picks the backend of every packet that has a service, after steer_hash(). alive: [ABI_BACKENDS_MAX + 1], by backend index. */
static inline void
steer_burst(struct steer *s, const struct steer_service *services, const uint8_t *alive, struct burst *b)
{
	uint16_t others[BURST_MAX];
	unsigned n;

	n = steer_slot_pass(s, services, alive, b, others);
	steer_table_pass(s, services, alive, b, others, n);
}

#endif
