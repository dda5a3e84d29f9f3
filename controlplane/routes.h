/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prefixes that the node may announce, VIPs first and then aggregates, how each stands, and what each session is told
 * of it. announce.h decides; this remembers: what flapped, and what has changed, so that only that is worked off. A change
 * of one route costs a look at each peer. One thread.
 */
#ifndef CONTROLPLANE_ROUTES_H
#define CONTROLPLANE_ROUTES_H

#include "controlplane/announce.h"
#include "controlplane/journal.h"
#include "controlplane/peering.h"

struct routes;

/* Watches the peering, to tell a session that joins what there is. NULL: no memory. */
struct routes *routes_new(struct peering *peering, struct journal *journal);
void routes_free(struct routes *routes);

/* Asked before a peer is told of a prefix: true: somebody else speaks of it there (a blackhole), and routes does not. */
typedef bool routes_speaks(void *context, const struct prefix *prefix, unsigned peer);
void routes_yield(struct routes *routes, routes_speaks *speaks, void *context);
/* Nobody else does any more: the peer is told how it stands, which is withdrawn if it is none of these routes. */
void routes_tell(struct routes *routes, const struct prefix *prefix, unsigned peer);

/*
 * The model's prefixes in place of those before, which keep what is remembered of them; those that are gone are withdrawn
 * at once, before their tables go. The model must stay until the next one. *gone: some of them were announced.
 */
MUST_CHECK int routes_adopt(struct routes *routes, const struct model *model, bool *gone);

/* hands: of all routes, VIPs first. Gives when to call it again without a new fact; UINT64_MAX: never. */
uint64_t routes_update(struct routes *routes, const struct announce_facts *facts, uint64_t now_ns);

unsigned routes_count(const struct routes *routes);
const struct announce_route *routes_at(const struct routes *routes, unsigned index);
uint64_t routes_held_ns(const struct routes *routes, unsigned index); /* until when it is held down; 0: it is not */
int routes_lookup(const struct routes *routes, const struct prefix *prefix); /* an index; -ENOENT */

#endif
