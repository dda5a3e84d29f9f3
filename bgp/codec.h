/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BGP messages to values and back (RFC 4271 4). Decoders take the body behind the 19-octet header, read through a
 * bounded cursor, return 0 or -EBADMSG, and then fill in the NOTIFICATION that the RFC asks for; the output stays as it
 * was. Encoders write one whole message and return its length. No state; any thread.
 */
#ifndef BGP_CODEC_H
#define BGP_CODEC_H

#include "bgp/bgp.h"

enum {
	BGP_HEADER_LEN = 19,
	BGP_MESSAGE_MAX = 4096,
	BGP_AS_TRANS = 23456, /* RFC 6793 9 */
	BGP_PORT = 179,
};

enum bgp_error_code {
	BGP_ERROR_HEADER = 1,
	BGP_ERROR_OPEN = 2,
	BGP_ERROR_UPDATE = 3,
	BGP_ERROR_HOLD = 4,
	BGP_ERROR_FSM = 5,
	BGP_ERROR_CEASE = 6,
	BGP_ERROR_REFRESH = 7, /* RFC 7313 5 */
};

/* Subcodes that we send: RFC 4271 4.5, RFC 4486 (cease), RFC 6608 (FSM). */
enum {
	BGP_HEADER_MARKER = 1,
	BGP_HEADER_LENGTH = 2,
	BGP_HEADER_TYPE = 3,
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_PEER_AS = 2,
	BGP_OPEN_ID = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD = 6,
	BGP_UPDATE_ATTRIBUTES = 1,
	BGP_UPDATE_NETWORK = 10,
	BGP_FSM_OPEN_SENT = 1,
	BGP_FSM_OPEN_CONFIRM = 2,
	BGP_FSM_ESTABLISHED = 3,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_COLLISION = 7,
};

struct bgp_header {
	uint16_t len; /* the whole message, header included */
	enum bgp_type type;
};

struct bgp_open {
	uint8_t version;
	uint16_t as2; /* the fixed field; AS_TRANS when the number needs four octets */
	uint16_t hold_s;
	uint32_t id; /* host order */
	uint32_t as4;
	bool has_as4;
	bool has_mp; /* without any, IPv4 unicast is meant (RFC 4760 8) */
	bool family[BGP_FAMILIES];
	bool route_refresh;
	bool graceful_restart;
	bool restarting;    /* RFC 4724 3: the R bit */
	uint16_t restart_s; /* 0..4095; above 0 each family is said to be forwarded on meanwhile (F bit) */
};

/* What all prefixes of an UPDATE share. */
struct bgp_route {
	struct addr next_hop; /* of the prefixes' family */
	uint32_t local_as;
	bool ibgp;
	bool peer_as4; /* the peer reads 4-octet AS numbers */
};

struct bgp_error bgp_error_make(uint8_t code, uint8_t subcode);

/* Takes the first BGP_HEADER_LEN octets. */
MUST_CHECK int bgp_header_decode(const uint8_t octets[static BGP_HEADER_LEN], struct bgp_header *out,
				 struct bgp_error *error);
MUST_CHECK int bgp_open_decode(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_error *error);
void bgp_notification_decode(const uint8_t *body, size_t len, struct bgp_error *out);
/* The framing alone: lengths of the fields and the syntax of IPv4 prefixes; the routes are not looked at. */
MUST_CHECK int bgp_update_check(const uint8_t *body, size_t len, struct bgp_error *error);
/* *known is false for a family that we don't have; such a request is ignored (RFC 2918 4). */
MUST_CHECK int bgp_route_refresh_decode(const uint8_t *body, size_t len, enum bgp_family *family, bool *known,
					struct bgp_error *error);

size_t bgp_open_encode(const struct bgp_open *open, uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_notification_encode(const struct bgp_error *error, uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_keepalive_encode(uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_route_refresh_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX]);
/* As many of the prefixes (all of one family) as fit; *taken says how many. route NULL: withdraws them. */
size_t bgp_update_encode(const struct bgp_route *route, enum bgp_family family, const struct prefix *prefixes,
			 size_t count, size_t *taken, uint8_t out[static BGP_MESSAGE_MAX]);
size_t bgp_end_of_rib_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX]); /* RFC 4724 2 */

#endif
