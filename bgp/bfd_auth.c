/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bfd_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cursor.h"

enum {
	PASSWORD_MAX = 16,
	PASSWORD_AT = 3,   /* in the section: type, length, key ID */
	DIGEST_AT = 8,	   /* ..., reserved, sequence number */
	WINDOW_FACTOR = 3, /* RFC 5880 6.7.3: of Detect Mult */
};

static const struct kind {
	const char *name;
	const char *digest; /* OpenSSL's name; NULL: none */
	uint8_t key_max;    /* a digest's key is as long as the digest, which it stands in for */
	bool is_meticulous;
} kinds[BFD_AUTH_TYPES] = {
	[BFD_AUTH_NONE] = {.name = "none"},
	[BFD_AUTH_PASSWORD] = {.name = "password", .key_max = PASSWORD_MAX},
	[BFD_AUTH_MD5] = {.name = "md5", .digest = "MD5", .key_max = 16},
	[BFD_AUTH_METICULOUS_MD5] = {.name = "meticulous-md5", .digest = "MD5", .key_max = 16, .is_meticulous = true},
	[BFD_AUTH_SHA1] = {.name = "sha1", .digest = "SHA1", .key_max = 20},
	[BFD_AUTH_METICULOUS_SHA1] = {.name = "meticulous-sha1", .digest = "SHA1", .key_max = 20, .is_meticulous = true},
};

const char *
bfd_auth_name(enum bfd_auth_type type)
{
	return kinds[type].name;
}

size_t
bfd_auth_key_max(enum bfd_auth_type type)
{
	return kinds[type].key_max;
}

size_t
bfd_auth_len(const struct bfd_auth_config *config)
{
	const struct kind *kind = &kinds[config->type];

	if (kind->digest)
		return DIGEST_AT + (size_t)kind->key_max;
	return kind->key_max ? PASSWORD_AT + (size_t)config->key_len : 0;
}

/*
 * The digest over the whole packet with the key, filled up with zeros, in the digest's place (RFC 5880 6.7.3, 6.7.4).
 * False: the library refuses it (a system without MD5): what is sent then has no valid digest, and nothing is believed.
 */
static bool
digest(const struct bfd_auth_config *config, const uint8_t *octets, size_t len, uint8_t out[static BFD_KEY_MAX])
{
	const struct kind *kind = &kinds[config->type];
	uint8_t keyed[BFD_PACKET_MAX];

	memcpy(keyed, octets, len - kind->key_max);
	memset(keyed + len - kind->key_max, 0, kind->key_max);
	memcpy(keyed + len - kind->key_max, config->key, config->key_len);
	return EVP_Q_digest(NULL, kind->digest, NULL, keyed, len, out, NULL) == 1;
}

void
bfd_auth_sign(struct bfd_auth *auth, uint8_t out[static BFD_PACKET_MAX])
{
	const struct bfd_auth_config *config = &auth->config;
	const struct kind *kind = &kinds[config->type];
	size_t len = bfd_auth_len(config);
	struct writer w = writer_init(out + BFD_HEADER_LEN, BFD_AUTH_MAX);
	uint8_t sum[BFD_KEY_MAX] = {0};

	if (len == 0)
		return;
	write_u8(&w, (uint8_t)config->type);
	write_u8(&w, (uint8_t)len);
	write_u8(&w, config->key_id);
	if (!kind->digest) {
		write_bytes(&w, config->key, config->key_len);
		return;
	}
	write_u8(&w, 0);
	/* Keyed without meticulous may count each packet too (RFC 5880 6.7.3), so there is one way. */
	write_u32(&w, auth->sent_sequence++);
	if (digest(config, out, BFD_HEADER_LEN + len, sum))
		write_bytes(&w, sum, kind->key_max);
	else
		memset(w.at, 0, kind->key_max);
}

static const char *
password_check(const struct bfd_auth_config *config, struct reader *r)
{
	const uint8_t *password = read_bytes(r, config->key_len);

	return password && CRYPTO_memcmp(password, config->key, config->key_len) == 0 ? NULL : "wrong password";
}

/* RFC 5880 6.7.3: the numbers that may come next, circular. */
static bool
is_in_window(const struct bfd_auth *auth, uint32_t sequence, uint8_t multiplier)
{
	uint32_t ahead = sequence - auth->received_sequence;

	if (!auth->is_sequence_known)
		return true;
	return ahead >= kinds[auth->config.type].is_meticulous && ahead <= WINDOW_FACTOR * (uint32_t)multiplier;
}

const char *
bfd_auth_check(struct bfd_auth *auth, const struct bfd_packet *packet)
{
	const struct bfd_auth_config *config = &auth->config;
	const struct kind *kind = &kinds[config->type];
	struct reader r = reader_init(packet->octets, packet->len);
	uint8_t sum[BFD_KEY_MAX];
	uint32_t sequence;

	if (packet->has_auth != (config->type != BFD_AUTH_NONE))
		return packet->has_auth ? "authenticated, but no authentication is configured" : "not authenticated";
	if (!packet->has_auth)
		return NULL;
	read_bytes(&r, BFD_HEADER_LEN);
	if (read_u8(&r) != config->type)
		return "another authentication type";
	/* The section ends the packet: octets that no digest covers have no place behind it. */
	if (read_u8(&r) != bfd_auth_len(config) || packet->len != BFD_HEADER_LEN + bfd_auth_len(config))
		return kind->digest ? "wrong length of authentication" : "wrong password";
	if (read_u8(&r) != config->key_id)
		return "unknown key ID";
	if (!kind->digest)
		return password_check(config, &r);
	read_u8(&r);
	sequence = read_u32(&r);
	if (!is_in_window(auth, sequence, packet->multiplier))
		return "sequence number is not in the window";
	if (!digest(config, packet->octets, packet->len, sum) || CRYPTO_memcmp(sum, r.at, kind->key_max) != 0)
		return "wrong digest";
	auth->received_sequence = sequence;
	auth->is_sequence_known = true;
	return NULL;
}
