/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that nobody configured: who connects from within a range becomes one, made by the range's pattern. Pure. */
#ifndef CONTROLPLANE_DYNAMIC_H
#define CONTROLPLANE_DYNAMIC_H

#include "controlplane/model.h"

/* NULL: no range holds the address. Ranges don't overlap. */
const struct model_dynamic *dynamic_lookup(const struct model_dynamic *ranges, unsigned n, const struct addr *addr);

/* The peer at this address: named RANGE@ADDRESS, which no configured peer can be. */
struct model_peer dynamic_peer(const struct model_dynamic *range, const struct addr *addr);
bool dynamic_is_one(const struct bgp_config *session);

/* What the peer, which was made so, is by the model now: false: nothing, or a configured one. */
bool dynamic_renew(const struct model *model, const struct model_peer *peer, struct model_peer *out);

#endif
