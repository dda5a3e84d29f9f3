/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments: only a datagram's first one carries the ports, so the first is remembered and the later ones take its
 * flow's fields. A later one that overtakes the first is held until the first comes; release gives it back, to be put
 * at the head of the next burst, and expire gives back what waited in vain. All is bounded: entries in four-way sets
 * under a random key, FRAGMENT_HELD_MAX mbufs in all and FRAGMENT_HELD_EACH of one datagram. One worker's own.
 *
 * Runs between classify's passes: on VIPs' packets only. Protocols without ports need no table. In IPv6 the protocol of
 * a later fragment is only known from the first one when other extension headers follow the fragment header.
 */
#ifndef DATAPLANE_STAGE_FRAGMENT_H
#define DATAPLANE_STAGE_FRAGMENT_H

#include <netinet/in.h>

#include <rte_branch_prediction.h>

#include "dataplane/packet.h"

enum {
	FRAGMENT_HELD_MAX = 256,
	FRAGMENT_HELD_EACH = 16,
	FRAGMENT_HELD_S = 2,
	FRAGMENT_KNOWN_S = 30, /* RFC 791 3.2 and 8200 4.5 have hosts wait for 15 to 60 s */
};

struct fragments;

/* n_entries is rounded up to a power of two. socket: NUMA node or SOCKET_ID_ANY. NULL: out of memory. */
struct fragments *fragments_new(unsigned n_entries, int socket);
void fragments_free(struct fragments *f); /* frees the held mbufs too */

/* Held mbufs whose first fragment came; they become the caller's and are parsed anew. */
unsigned fragment_release(struct fragments *f, struct rte_mbuf **out, unsigned max);
/* Held mbufs that waited for more than FRAGMENT_HELD_S; they become the caller's, to drop as FRAGMENT_ORPHAN. Cheap
 * enough for once a second: looks at FRAGMENT_HELD_MAX cells. */
unsigned fragment_expire(struct fragments *f, uint32_t now_s, struct rte_mbuf **out, unsigned max);

/* A fragment of a protocol with ports: records the first, completes, holds or settles the later one. */
void fragment_packet(struct fragments *f, struct packet *p, uint32_t now_s);

static inline bool
fragment_needs_table(const struct packet *p)
{
	switch (p->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return true;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
		return p->flags & PACKET_V6;
	default:
		/* The first fragment of what the later ones see as an extension header. */
		return (p->flags & PACKET_V6) && !(p->flags & PACKET_FRAGMENT_LATER);
	}
}

static inline void
fragment_burst(struct fragments *f, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct packet *p = &b->packets[i];

		if (unlikely(packet_is_open(p) && (p->flags & PACKET_FRAGMENT) && fragment_needs_table(p)))
			fragment_packet(f, p, b->now_s);
	}
}

#endif
