/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Authentication of BFD control packets (RFC 5880 6.7). One key of one type; the owner embeds the state. A sequence
 * number is believed only once its digest was: a forged packet moves nothing.
 */
#ifndef BGP_BFD_AUTH_H
#define BGP_BFD_AUTH_H

#include "bgp/bfd_packet.h"

/* RFC 5880 4.1 Auth Type. */
enum bfd_auth_type {
	BFD_AUTH_NONE = 0,
	BFD_AUTH_PASSWORD = 1,
	BFD_AUTH_MD5 = 2,
	BFD_AUTH_METICULOUS_MD5 = 3,
	BFD_AUTH_SHA1 = 4,
	BFD_AUTH_METICULOUS_SHA1 = 5,
};

enum { BFD_AUTH_TYPES = 6, BFD_KEY_MAX = 20 };

struct bfd_auth_config {
	enum bfd_auth_type type;
	uint8_t key_id;
	uint8_t key_len; /* 1..bfd_auth_key_max(type) */
	uint8_t key[BFD_KEY_MAX];
};

struct bfd_auth {
	struct bfd_auth_config config;
	uint32_t sent_sequence;	    /* bfd.XmitAuthSeq: the next packet's */
	uint32_t received_sequence; /* bfd.RcvAuthSeq */
	bool is_sequence_known;	    /* bfd.AuthSeqKnown; the owner forgets it (RFC 5880 6.8.1) */
};

const char *bfd_auth_name(enum bfd_auth_type type);	      /* "none", "meticulous-sha1", ... */
size_t bfd_auth_key_max(enum bfd_auth_type type); /* octets: 16, for SHA1 20; 0 for none */
size_t bfd_auth_len(const struct bfd_auth_config *config); /* of the authentication section; 0 for none */
/* Appends the section to the mandatory section that is in out, with its Length set already. */
void bfd_auth_sign(struct bfd_auth *auth, uint8_t out[static BFD_PACKET_MAX]);
/* NULL: the packet is the peer's and new; else why it can't be believed. */
MUST_CHECK const char *bfd_auth_check(struct bfd_auth *auth, const struct bfd_packet *packet);

#endif
