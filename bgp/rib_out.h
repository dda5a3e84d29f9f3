/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one peer should know against what it was told. Only the difference is sent, so a route that went and came back in
 * between costs nothing, and one whose path is the same is not said again. A change is pending, then in flight (put into
 * messages), then told (the transport has taken it all), so that the table never runs ahead of the wire. It grows when
 * the owner announces, never by what the peer sends. One thread.
 *
 * A route is named by its NLRI's octets, whatever the family: of a prefix its length and octets (RFC 4271 4.3), of a
 * FlowSpec rule its length and components (RFC 8955 4).
 */
#ifndef BGP_RIB_OUT_H
#define BGP_RIB_OUT_H

#include "bgp/bgp.h"
#include "bgp/path.h"

enum {
	RIB_OUT_MAX = 65536,  /* routes, told or wanted */
	RIB_PREFIX_LEN = 17,  /* the longest NLRI of a prefix */
	RIB_NLRI_MAX = 2048, /* octets of one NLRI: it shares a message of 4,096 with its attributes */
};

enum rib_change {
	RIB_WITHDRAW,
	RIB_ANNOUNCE,
	RIB_CHANGES,
};

struct rib_nlri {
	enum bgp_family family;
	uint16_t len;
	const uint8_t *octets; /* as an output: the rib's, until the next call that is not const */
};

struct rib_out;

struct rib_out *rib_out_new(void); /* NULL: no memory */
void rib_out_free(struct rib_out *rib);

struct rib_nlri rib_nlri_of(const struct prefix *prefix, uint8_t octets[static RIB_PREFIX_LEN]);
struct prefix rib_prefix_of(const struct rib_nlri *nlri); /* of a unicast family */

/* -ENOSPC: RIB_OUT_MAX routes are there. -EMSGSIZE: longer than RIB_NLRI_MAX. -ENOMEM. */
MUST_CHECK int rib_out_announce(struct rib_out *rib, const struct rib_nlri *nlri, const struct path *path);
void rib_out_withdraw(struct rib_out *rib, const struct rib_nlri *nlri);

void rib_out_forget(struct rib_out *rib);			     /* the peer knows nothing (the session ended) */
void rib_out_refresh(struct rib_out *rib, enum bgp_family family); /* what it knows is sent again (RFC 2918 4) */

/*
 * The first pending route of one kind and the number of its path; routes of equal path come one after the other, and
 * their number is the same. Sent: it was put into a message, and is in flight until all that is in flight is confirmed.
 * Deferred: this session can't carry an announcement, so it waits for the next; what the peer was told is withdrawn.
 */
MUST_CHECK bool rib_out_next(const struct rib_out *rib, enum bgp_family family, enum rib_change change,
			     struct rib_nlri *out, uint32_t *path);
void rib_out_path(const struct rib_out *rib, uint32_t number, struct path *out);
void rib_out_sent(struct rib_out *rib, enum bgp_family family, enum rib_change change);
void rib_out_defer(struct rib_out *rib, enum bgp_family family);
void rib_out_confirm(struct rib_out *rib);
uint32_t rib_out_advertised(const struct rib_out *rib); /* routes told and not told otherwise */

/* Every route, in no order, until the function says false; gives how many there are. */
size_t rib_out_walk(const struct rib_out *rib, bgp_route_visit *visit, void *context);

#endif
