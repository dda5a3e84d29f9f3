/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer has been told, said again as UPDATEs to somebody who wasn't there (RFC 7854 5, RFC 8671). Changes nothing;
 * allocates nothing.
 */
#ifndef BGP_REPLAY_H
#define BGP_REPLAY_H

#include "bgp/session.h"
#include "bgp/update.h"

typedef void bgp_replay_take(void *context, const uint8_t *update, size_t len); /* a message, header included */

/*
 * The routes of a session, as what both sides agreed upon and our address in `status` have it; those of equal path
 * together where they come one after the other. A route that waits to be told is among them: it may be in line for the socket
 * already. If it isn't, it is said twice.
 */
void bgp_replay_routes(const struct bgp_session *session, const struct bgp_status *status, bgp_replay_take *take,
		       void *context);
/* That these routes are no more; those of no family of ours are passed over. */
void bgp_replay_withdrawal(const struct bgp_nlri *routes, bgp_replay_take *take, void *context);

#endif
