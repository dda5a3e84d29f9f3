/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BGP messages to values and back (RFC 4271 4): the header, NOTIFICATION, KEEPALIVE and ROUTE-REFRESH here, OPEN in
 * open.h, UPDATE in update.h. Decoders take the body behind the 19-octet header, read through a bounded cursor, return
 * 0 or -EBADMSG, and then fill in the NOTIFICATION that the RFC asks for; the output stays as it was. Encoders write one
 * whole message and return its length. No state, no allocation; any thread.
 */
#ifndef BGP_CODEC_H
#define BGP_CODEC_H

#include "base/cursor.h"
#include "bgp/bgp.h"

enum {
	BGP_HEADER_LEN = 19,
	BGP_MESSAGE_MAX = 4096,
	BGP_EXTENDED_MAX = 65535, /* RFC 8654: all but OPEN and KEEPALIVE, when both sides have said so */
	BGP_AS_TRANS = 23456,	  /* RFC 6793 9 */
	BGP_PORT = 179,
};

enum bgp_error_code {
	BGP_ERROR_HEADER = 1,
	BGP_ERROR_OPEN = 2,
	BGP_ERROR_UPDATE = 3,
	BGP_ERROR_HOLD = 4,
	BGP_ERROR_FSM = 5,
	BGP_ERROR_CEASE = 6,
	BGP_ERROR_REFRESH = 7,	 /* RFC 7313 5 */
	BGP_ERROR_SEND_HOLD = 8, /* RFC 9687 6 */
};

/* Subcodes: RFC 4271 4.5, RFC 4486 (cease), RFC 6608 (FSM), RFC 9234 (role), RFC 8538 (hard reset), RFC 9384 (BFD). */
enum {
	BGP_HEADER_MARKER = 1,
	BGP_HEADER_LENGTH = 2,
	BGP_HEADER_TYPE = 3,
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_PEER_AS = 2,
	BGP_OPEN_ID = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD = 6,
	BGP_OPEN_CAPABILITY = 7,
	BGP_OPEN_ROLE = 11,
	BGP_UPDATE_ATTRIBUTES = 1,
	BGP_UPDATE_WELL_KNOWN = 2,
	BGP_UPDATE_MISSING = 3,
	BGP_UPDATE_OPTIONAL = 9,
	BGP_UPDATE_NETWORK = 10,
	BGP_FSM_OPEN_SENT = 1,
	BGP_FSM_OPEN_CONFIRM = 2,
	BGP_FSM_ESTABLISHED = 3,
	BGP_CEASE_PREFIXES = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CHANGED = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
	BGP_CEASE_HARD_RESET = 9,
	BGP_CEASE_BFD_DOWN = 10,
};

/* RFC 7313 3.2. */
enum bgp_refresh_subtype {
	BGP_REFRESH_REQUEST = 0,
	BGP_REFRESH_BEGIN = 1, /* BoRR */
	BGP_REFRESH_END = 2,   /* EoRR */
};

struct bgp_header {
	uint16_t len; /* the whole message, header included */
	enum bgp_type type;
};

struct bgp_refresh {
	enum bgp_family family;
	enum bgp_refresh_subtype subtype;
	bool is_known; /* false: of a family or a subtype that we don't have; it is ignored (RFC 2918 4, RFC 7313 5) */
};

struct bgp_error bgp_error_make(uint8_t code, uint8_t subcode);
/* data is cut to BGP_DATA_MAX octets. */
struct bgp_error bgp_error_with(uint8_t code, uint8_t subcode, const void *data, size_t len);

/* Takes the first BGP_HEADER_LEN octets. extended: this session has RFC 8654. */
MUST_CHECK int bgp_header_decode(const uint8_t octets[static BGP_HEADER_LEN], bool extended, struct bgp_header *out,
				 struct bgp_error *error);
void bgp_notification_decode(const uint8_t *body, size_t len, struct bgp_error *out);
MUST_CHECK int bgp_refresh_decode(const uint8_t *body, size_t len, struct bgp_refresh *out, struct bgp_error *error);

/* Cease with a shutdown communication (RFC 9003 2). text NULL or empty: none; else cut to 255 octets, at a character. */
struct bgp_error bgp_error_shutdown(uint8_t cease_subcode, const char *text);
/* The same as a Hard Reset (RFC 8538 3), which ends graceful restart: the peer keeps no routes. */
struct bgp_error bgp_error_hard_reset(const struct bgp_error *reason);
/*
 * The text of a Cease/2 or /4, also within a Hard Reset, made harmless for logs and terminals: what is no UTF-8, and what
 * controls a terminal or the direction of its text, becomes '?', one for each octet. "" when there is none or its length
 * is wrong.
 */
char *bgp_shutdown_text(const struct bgp_error *error, char text[static BGP_TEXT_MAX + 1]);

size_t bgp_notification_encode(const struct bgp_error *error, uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_keepalive_encode(uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_refresh_encode(enum bgp_family family, enum bgp_refresh_subtype subtype,
			  uint8_t out[static BGP_MESSAGE_MAX]);

bool bgp_family_of(uint16_t afi, uint8_t safi, enum bgp_family *out); /* false: not one of ours */
uint16_t bgp_family_afi(enum bgp_family family);
uint8_t bgp_family_safi(enum bgp_family family);

/* What the encoders of OPEN and UPDATE begin and end with: the header, its length open until the end. */
struct writer bgp_message_begin(uint8_t *out, size_t room, enum bgp_type type);
size_t bgp_message_end(const struct writer *w, uint8_t *out);

#endif
