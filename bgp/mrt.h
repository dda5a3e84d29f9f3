/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MRT records of what goes over a BGP session (RFC 6396 4.4, with microseconds by 3), as bgpdump reads
 * them. Each function writes one whole record; a writer without room for it is failed. No state; any thread.
 */
#ifndef BGP_MRT_H
#define BGP_MRT_H

#include "base/addr.h"
#include "base/cursor.h"
#include "bgp/bgp.h"

enum { MRT_MESSAGE_OVERHEAD = 12 + 4 + 12 + 32 }; /* at most, in front of a BGP message */

struct mrt_session {
	struct addr peer;
	struct addr local; /* ADDR_NONE: not known; written as zeros */
	uint32_t peer_as;
	uint32_t local_as;
	bool is_as2;	  /* the AS_PATHs have two-octet numbers */
	uint64_t time_us; /* since 1970 */
};

/* octets: a message of BGP, header included. is_sent: by us (BGP4MP_MESSAGE_LOCAL, BGP4MP_MESSAGE_AS4_LOCAL). */
void mrt_message_encode(struct writer *w, const struct mrt_session *session, bool is_sent, const uint8_t *octets,
			size_t len);
void mrt_state_encode(struct writer *w, const struct mrt_session *session, enum bgp_state before, enum bgp_state after);

#endif
