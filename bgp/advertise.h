/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is pending in a rib_out, made into UPDATEs while a session is Established: withdrawals first, then routes of equal
 * path together, then the family's End-of-RIB (RFC 4724 2) or EoRR (RFC 7313 4). Nothing more is put in line while routes
 * are in flight, so that rib_out is never ahead of the wire. One thread.
 */
#ifndef BGP_ADVERTISE_H
#define BGP_ADVERTISE_H

#include "bgp/negotiate.h"
#include "bgp/output.h"
#include "bgp/rib_out.h"

struct advertise {
	const struct bgp_config *config;
	const struct bgp_negotiated *negotiated;
	struct rib_out *rib;
	struct output *out;
	struct addr local;		 /* the session's own address */
	bool marker_due[BGP_FAMILIES];	 /* End-of-RIB */
	bool refresh_ends[BGP_FAMILIES]; /* EoRR, when all that the peer asked for is sent */
};

void advertise_begin(struct advertise *a, const struct addr *local); /* OPENs are settled, nothing is told */
void advertise_refresh(struct advertise *a, enum bgp_family family);  /* the peer asks for all of it again */
void advertise_fill(struct advertise *a);

#endif
