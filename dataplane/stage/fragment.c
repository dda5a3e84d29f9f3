/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/fragment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_common.h>
#include <rte_malloc.h>

#include "base/flowhash.h"

enum {
	FRAGMENT_WAYS = 4,
	FRAGMENT_ENTRIES_MAX = 1 << 20,
};

enum entry_state {
	ENTRY_EMPTY = 0,
	ENTRY_KNOWN,   /* the first fragment came */
	ENTRY_WAITING, /* later ones are held; never evicted, and at most FRAGMENT_HELD_MAX of them */
};

/* RFC 791: source, destination, protocol and identification make the datagram; RFC 8200 4.5 leaves out the protocol. */
struct fragment_key {
	uint8_t src[16];
	uint8_t dst[16];
	uint32_t identification;
	uint8_t protocol; /* 0 in IPv6 */
	uint8_t is_v6;
	uint8_t zero[2];
};

struct fragment_entry {
	struct fragment_key key;
	uint32_t since_s;
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t protocol;
	uint8_t has_ports;
	uint8_t state; /* enum entry_state */
	uint8_t n_held;
	uint16_t end;	 /* octets of payload up to the furthest fragment's end */
	uint16_t total;	 /* what the last one says that they are; 0: it hasn't come */
	uint32_t octets; /* of those that passed */
	uint8_t zero[4];
};
_Static_assert(sizeof(struct fragment_entry) == 64, "struct fragment_entry");

struct held {
	struct rte_mbuf *mbuf;	      /* NULL: free cell */
	struct fragment_entry *entry; /* NULL: released */
	uint32_t since_s;
};

struct fragments {
	uint64_t secret;
	struct fragment_entry *entries;
	uint32_t set_mask;
	unsigned n_held;
	unsigned n_released; /* of those */
	struct held held[FRAGMENT_HELD_MAX];
};

struct fragments *
fragments_new(unsigned n_entries, int socket)
{
	struct fragments *f = rte_zmalloc_socket("fragments", sizeof(*f), 64, socket);
	uint32_t n = rte_align32pow2(RTE_MIN(RTE_MAX(n_entries, 16U), (unsigned)FRAGMENT_ENTRIES_MAX));

	if (!f)
		return NULL;
	f->set_mask = n / FRAGMENT_WAYS - 1;
	f->entries = rte_zmalloc_socket("fragment entries", n * sizeof(*f->entries), 64, socket);
	if (!f->entries || getrandom(&f->secret, sizeof(f->secret), 0) != sizeof(f->secret)) {
		fragments_free(f);
		return NULL;
	}
	return f;
}

void
fragments_free(struct fragments *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < FRAGMENT_HELD_MAX; i++)
		rte_pktmbuf_free(f->held[i].mbuf);
	rte_free(f->entries);
	rte_free(f);
}

static struct fragment_key
key_of(const struct packet *p)
{
	bool is_v6 = p->flags & PACKET_V6;
	struct fragment_key key = {.protocol = is_v6 ? 0 : p->protocol, .is_v6 = is_v6};
	size_t addr_octets = is_v6 ? 16 : 4;

	memcpy(key.src, packet_at(p, p->src_at), addr_octets);
	memcpy(key.dst, packet_at(p, p->dst_at), addr_octets);
	memcpy(&key.identification, packet_at(p, p->identification_at), is_v6 ? 4 : 2);
	return key;
}

static struct fragment_entry *
set_of(struct fragments *f, const struct fragment_key *key)
{
	uint64_t hash = flowhash_v6(f->secret, key->src, key->dst, key->identification, key->protocol);

	return &f->entries[(hash & f->set_mask) * FRAGMENT_WAYS];
}

static bool
entry_is_used(const struct fragment_entry *entry, uint32_t now_s)
{
	return entry->state == ENTRY_WAITING ||
	       (entry->state == ENTRY_KNOWN && now_s - entry->since_s <= FRAGMENT_KNOWN_S);
}

static struct fragment_entry *
entry_find(struct fragment_entry *set, const struct fragment_key *key, uint32_t now_s)
{
	for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
		if (entry_is_used(&set[i], now_s) && memcmp(&set[i].key, key, sizeof(*key)) == 0)
			return &set[i];
	}
	return NULL;
}

/* An unused way, else the oldest that nothing waits for; NULL when all have mbufs waiting. */
static struct fragment_entry *
entry_take(struct fragment_entry *set, const struct fragment_key *key, uint32_t now_s)
{
	struct fragment_entry *victim = NULL;

	for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
		if (!entry_is_used(&set[i], now_s)) {
			victim = &set[i];
			break;
		}
		if (set[i].state == ENTRY_KNOWN && (!victim || now_s - set[i].since_s > now_s - victim->since_s))
			victim = &set[i];
	}
	if (victim)
		*victim = (struct fragment_entry){.key = *key, .since_s = now_s};
	return victim;
}

/* What part of the datagram's payload the fragment is: from fragment_at up to the end. In IPv6 the payload begins after the
 * fragment header, whose last field is the identification. */
struct extent {
	uint16_t len;
	uint16_t end; /* parse has refused what ends beyond */
	bool is_last;
};

static struct extent
extent_of(const struct packet *p)
{
	bool is_v6 = p->flags & PACKET_V6;
	uint32_t at = is_v6 ? p->identification_at + 4U : p->l4_at;
	const uint8_t *field = packet_at(p, (uint16_t)(is_v6 ? p->identification_at - 1 : p->l3_at + 6));
	uint16_t len = (uint16_t)(p->l3_at + (uint32_t)p->ip_len - at);

	return (struct extent){len, (uint16_t)(p->fragment_at + len), !(*field & (is_v6 ? 0x01 : 0x20))};
}

/*
 * RFC 5722 for both families: a datagram whose fragments overlap must not come together. What passes of one never has more
 * octets than the payload up to its furthest end; a whole datagram with an overlap would have, so one of its fragments
 * stays out. False: this one. A copy of what came is one such, and does no harm.
 */
static bool
entry_cover(struct fragment_entry *entry, const struct packet *p)
{
	struct extent extent = extent_of(p);
	uint16_t end = entry->end > extent.end ? entry->end : extent.end;

	if (entry->octets + extent.len > end)
		return false;
	entry->octets += extent.len;
	entry->end = end;
	if (extent.is_last)
		entry->total = end;
	/* It is whole: what comes by this name from now on is another one. */
	if (entry->octets == entry->total && entry->n_held == 0)
		entry->state = ENTRY_EMPTY;
	return true;
}

static void
held_release(struct fragments *f, struct fragment_entry *entry)
{
	for (unsigned i = 0; entry->n_held > 0 && i < FRAGMENT_HELD_MAX; i++) {
		if (!f->held[i].mbuf || f->held[i].entry != entry)
			continue;
		f->held[i].entry = NULL;
		f->n_released++;
		entry->n_held--;
	}
}

/* No way to record it: the first fragment goes its way, the later ones will wait in vain. */
static void
first_record(struct fragments *f, const struct packet *p, uint32_t now_s)
{
	struct fragment_key key = key_of(p);
	struct fragment_entry *set = set_of(f, &key), *entry = entry_find(set, &key, now_s);

	if (!entry)
		entry = entry_take(set, &key, now_s);
	if (!entry)
		return;
	entry->state = ENTRY_KNOWN;
	entry->since_s = now_s;
	entry->src_port = p->src_port;
	entry->dst_port = p->dst_port;
	entry->protocol = p->protocol;
	entry->has_ports = (p->flags & PACKET_HAS_PORTS) != 0;
	entry->octets = entry->total = entry->end = 0;
	entry_cover(entry, p);
	held_release(f, entry);
}

static bool
held_put(struct fragments *f, struct fragment_entry *entry, struct rte_mbuf *mbuf, uint32_t now_s)
{
	for (unsigned i = 0; f->n_held < FRAGMENT_HELD_MAX && i < FRAGMENT_HELD_MAX; i++) {
		if (f->held[i].mbuf)
			continue;
		f->held[i] = (struct held){.mbuf = mbuf, .entry = entry, .since_s = now_s};
		f->n_held++;
		entry->n_held++;
		return true;
	}
	return false;
}

static bool
later_hold(struct fragments *f, struct fragment_entry *set, struct fragment_entry *entry,
	   const struct fragment_key *key, struct rte_mbuf *mbuf, uint32_t now_s)
{
	if (f->n_held == FRAGMENT_HELD_MAX || (entry && entry->n_held == FRAGMENT_HELD_EACH))
		return false;
	if (!entry)
		entry = entry_take(set, key, now_s);
	if (!entry)
		return false;
	entry->state = ENTRY_WAITING;
	return held_put(f, entry, mbuf, now_s);
}

void
fragment_packet(struct fragments *f, struct packet *p, uint32_t now_s)
{
	struct fragment_key key;
	struct fragment_entry *set, *entry;

	if (!(p->flags & PACKET_FRAGMENT_LATER)) {
		first_record(f, p, now_s);
		return;
	}
	key = key_of(p);
	set = set_of(f, &key);
	entry = entry_find(set, &key, now_s);
	if (entry && entry->state == ENTRY_KNOWN) {
		p->src_port = entry->src_port;
		p->dst_port = entry->dst_port;
		p->protocol = entry->protocol;
		if (entry->has_ports)
			p->flags |= PACKET_HAS_PORTS;
		if (!entry_cover(entry, p))
			p->verdict = VERDICT_FRAGMENT_OVERLAP;
		return;
	}
	p->mbuf->port = p->rx_port; /* all that comes back with it: our index */
	p->verdict = later_hold(f, set, entry, &key, p->mbuf, now_s) ? VERDICT_HELD : VERDICT_FRAGMENT_FULL;
}

static void
held_clear(struct fragments *f, struct held *held)
{
	*held = (struct held){.mbuf = NULL};
	f->n_held--;
}

unsigned
fragment_release(struct fragments *f, struct rte_mbuf **out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; f->n_released > 0 && n < max && i < FRAGMENT_HELD_MAX; i++) {
		struct held *held = &f->held[i];

		if (!held->mbuf || held->entry)
			continue;
		out[n++] = held->mbuf;
		held_clear(f, held);
		f->n_released--;
	}
	return n;
}

unsigned
fragment_expire(struct fragments *f, uint32_t now_s, struct rte_mbuf **out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; f->n_held > 0 && n < max && i < FRAGMENT_HELD_MAX; i++) {
		struct held *held = &f->held[i];

		if (!held->mbuf || !held->entry || now_s - held->since_s <= FRAGMENT_HELD_S)
			continue;
		if (--held->entry->n_held == 0)
			held->entry->state = ENTRY_EMPTY;
		out[n++] = held->mbuf;
		held_clear(f, held);
	}
	return n;
}
