/* SPDX-License-Identifier: BSD-2-Clause */
/* The part of DNS messages (RFC 1035 4) that a health check needs: one question out, the reply's code in. Pure. */
#ifndef CONTROLPLANE_DNS_H
#define CONTROLPLANE_DNS_H

#include "base/cursor.h"

enum {
	DNS_HEADER_LEN = 12,
	DNS_NAME_MAX = 255, /* RFC 1035 2.3.4, with the root's octet */
	DNS_QUERY_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4,
	DNS_REPLY_MAX = 4096,
};

/*
 * Writes a query of class IN with recursion desired. The name is text with or without the last dot; "." is the root.
 * -EINVAL: no name (empty label, label over 63 octets, over 255 in all); -ENOBUFS: no room.
 */
MUST_CHECK int dns_query_encode(struct writer *w, uint16_t id, const char *name, uint16_t type);

/*
 * The response code when the reply answers this very query: its ID, and its question octet for octet but for letter
 * case (RFC 5452 9.1). -EBADMSG: it doesn't, and may be somebody's forgery.
 */
MUST_CHECK int dns_reply_rcode(const void *reply, size_t len, const void *query, size_t query_len);

const char *dns_rcode_name(int rcode); /* "NOERROR", ...; "RCODE" when it has no name */

#endif
