/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one peer should know against what it was told: a sorted array with two facts a prefix. Only the difference is
 * sent, so a prefix that went and came back in between costs nothing. It grows when the owner announces, never by what
 * the peer sends. One thread.
 */
#ifndef BGP_RIB_OUT_H
#define BGP_RIB_OUT_H

#include "bgp/codec.h"

enum { RIB_OUT_MAX = 65536 };

enum rib_change {
	RIB_WITHDRAW,
	RIB_ANNOUNCE,
	RIB_CHANGES,
};

struct rib_out;

struct rib_out *rib_out_new(void); /* NULL: no memory */
void rib_out_free(struct rib_out *rib);

/* -ENOSPC: RIB_OUT_MAX prefixes are there, told or wanted. -ENOMEM. */
MUST_CHECK int rib_out_announce(struct rib_out *rib, const struct prefix *prefix);
void rib_out_withdraw(struct rib_out *rib, const struct prefix *prefix);

void rib_out_forget(struct rib_out *rib);			     /* the peer knows nothing (the session ended) */
void rib_out_refresh(struct rib_out *rib, enum bgp_family family); /* what it knows is sent again (RFC 2918 4) */

/* The first pending prefixes in order; then how many of them went out. */
size_t rib_out_pending(const struct rib_out *rib, enum bgp_family family, enum rib_change change, struct prefix *out,
		       size_t max);
void rib_out_sent(struct rib_out *rib, enum bgp_family family, enum rib_change change, size_t count);
uint32_t rib_out_advertised(const struct rib_out *rib);

#endif
