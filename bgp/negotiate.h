/* SPDX-License-Identifier: BSD-2-Clause */
/* What two OPENs and the configuration come to (RFC 4271 6.2, RFC 5492): pure functions; any thread. */
#ifndef BGP_NEGOTIATE_H
#define BGP_NEGOTIATE_H

#include "bgp/open.h"
#include "bgp/update.h"

struct bgp_open negotiate_open(const struct bgp_config *config); /* ours */
/* What only the configuration can say against the peer's OPEN; code 0: nothing. */
struct bgp_error negotiate_judge(const struct bgp_config *config, const struct bgp_open *peer);
struct bgp_negotiated negotiate(const struct bgp_config *config, const struct bgp_open *peer);
struct bgp_update_context negotiate_context(const struct bgp_config *config, const struct bgp_negotiated *negotiated);

/* The next hop for a family's routes: the path's, the configuration's or the session's own, whichever is the first that
 * the peer can read there; ADDR_NONE: none. FlowSpec has none either (RFC 8955 4). */
struct addr negotiate_next_hop(const struct bgp_config *config, const struct bgp_negotiated *negotiated,
			       enum bgp_family family, const struct addr *of_path, const struct addr *local);

/* RFC 4271 6.8, RFC 6286 2.3: does the connection that we opened stay, rather than the peer's? */
bool negotiate_ours_stays(const struct bgp_config *config, const struct bgp_open *peer);

#endif
