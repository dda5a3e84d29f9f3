/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peers are watched by BFD, and what comes of it: a failed path ends the BGP session at once and holds it down (RFC
 * 5882 3.2, 4.2). The loop's half of BFD; controlplane/bfd_engine.h is the other. One thread.
 */
#ifndef CONTROLPLANE_BFD_PEERS_H
#define CONTROLPLANE_BFD_PEERS_H

#include "controlplane/bfd_engine.h"
#include "controlplane/journal.h"
#include "controlplane/peering.h"

struct bfd_peers;

struct bfd_peer {
	uint32_t id;
	char name[32]; /* the BGP peer's */
	struct bfd_path path;
	struct bfd_config config;
	bool holds_bgp; /* down: until it is up again, or the peer is found to have no BFD */
	struct bfd_report report; /* the newest */
};

/* Watches the peering, which must not have been applied to yet. Starts nothing until a peer asks for it. NULL: no memory. */
struct bfd_peers *bfd_peers_new(struct event_base *base, struct peering *peering, struct journal *journal);
void bfd_peers_free(struct bfd_peers *peers); /* NULL is fine */

/*
 * Keeps to the peers as the peering has them now. What differs in intervals only goes on with the new ones, and BGP sessions
 * are not touched. What memory is out for is logged, and tried again with the next change.
 */
void bfd_peers_apply(struct bfd_peers *peers);

unsigned bfd_peers_count(const struct bfd_peers *peers);
const struct bfd_peer *bfd_peers_at(const struct bfd_peers *peers, unsigned index);
const struct bfd_totals *bfd_peers_totals(const struct bfd_peers *peers);

#endif
