/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/codec.h"

#include <errno.h>

enum {
	MARKER_LEN = 16,
	OPEN_MIN = 29,
	UPDATE_MIN = 23,
	NOTIFICATION_MIN = 21,
	REFRESH_BODY_LEN = 4,
};

static const struct {
	uint16_t afi;
	uint8_t safi;
} families[BGP_FAMILIES] = {
	[BGP_V4] = {1, 1},
	[BGP_V6] = {2, 1},
	[BGP_FLOW4] = {1, 133},
	[BGP_FLOW6] = {2, 133},
};

bool
bgp_family_of(uint16_t afi, uint8_t safi, enum bgp_family *out)
{
	for (int i = 0; i < BGP_FAMILIES; i++) {
		if (families[i].afi == afi && families[i].safi == safi) {
			*out = (enum bgp_family)i;
			return true;
		}
	}
	return false;
}

uint16_t
bgp_family_afi(enum bgp_family family)
{
	return families[family].afi;
}

uint8_t
bgp_family_safi(enum bgp_family family)
{
	return families[family].safi;
}

struct bgp_error
bgp_error_make(uint8_t code, uint8_t subcode)
{
	return (struct bgp_error){.code = code, .subcode = subcode};
}

struct bgp_error
bgp_error_with(uint8_t code, uint8_t subcode, const void *data, size_t len)
{
	struct bgp_error error = bgp_error_make(code, subcode);

	error.data_len = (uint16_t)(len < BGP_DATA_MAX ? len : BGP_DATA_MAX);
	if (error.data_len > 0)
		memcpy(error.data, data, error.data_len);
	return error;
}

/* RFC 4271 6.1, RFC 8654 4: the shortest and the longest message of each type. */
static const struct {
	uint16_t min;
	uint16_t max;
	bool extends;
} types[] = {
	[BGP_OPEN] = {OPEN_MIN, BGP_MESSAGE_MAX, false},
	[BGP_UPDATE] = {UPDATE_MIN, BGP_MESSAGE_MAX, true},
	[BGP_NOTIFICATION] = {NOTIFICATION_MIN, BGP_MESSAGE_MAX, true},
	[BGP_KEEPALIVE] = {BGP_HEADER_LEN, BGP_HEADER_LEN, false},
	/* Its length is an error of its own (RFC 7313 5), found when the body is decoded. */
	[BGP_ROUTE_REFRESH] = {BGP_HEADER_LEN, BGP_MESSAGE_MAX, true},
};

int
bgp_header_decode(const uint8_t octets[static BGP_HEADER_LEN], bool extended, struct bgp_header *out,
		  struct bgp_error *error)
{
	struct reader r = reader_init(octets, BGP_HEADER_LEN);
	const uint8_t *len_octets;
	unsigned max;
	uint16_t len;
	uint8_t type;

	for (int i = 0; i < MARKER_LEN; i++) {
		if (read_u8(&r) != 0xff) {
			*error = bgp_error_make(BGP_ERROR_HEADER, BGP_HEADER_MARKER);
			return -EBADMSG;
		}
	}
	len_octets = r.at;
	len = read_u16(&r);
	type = read_u8(&r);
	max = extended ? BGP_EXTENDED_MAX : BGP_MESSAGE_MAX;
	if (len < BGP_HEADER_LEN || len > max) {
		*error = bgp_error_with(BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len_octets, 2);
		return -EBADMSG;
	}
	if (type == 0 || type >= ARRAY_LEN(types)) {
		*error = bgp_error_with(BGP_ERROR_HEADER, BGP_HEADER_TYPE, &type, 1);
		return -EBADMSG;
	}
	if (!extended || !types[type].extends)
		max = types[type].max;
	if (len < types[type].min || len > max) {
		*error = bgp_error_with(BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len_octets, 2);
		return -EBADMSG;
	}
	*out = (struct bgp_header){.len = len, .type = (enum bgp_type)type};
	return 0;
}

void
bgp_notification_decode(const uint8_t *body, size_t len, struct bgp_error *out)
{
	struct reader r = reader_init(body, len);
	uint8_t code = read_u8(&r);
	uint8_t subcode = read_u8(&r);

	*out = bgp_error_with(code, subcode, r.at, reader_left(&r));
}

/* RFC 7313 5: the data is the message as it came, as far as it is kept. */
static struct bgp_error
refresh_length_error(const uint8_t *body, size_t len)
{
	uint8_t message[BGP_DATA_MAX];
	struct writer w = bgp_message_begin(message, sizeof(message), BGP_ROUTE_REFRESH);
	size_t kept = len < writer_left(&w) ? len : writer_left(&w);

	write_bytes(&w, body, kept);
	fill_u16(message + MARKER_LEN, BGP_HEADER_LEN + len);
	return bgp_error_with(BGP_ERROR_REFRESH, 1, message, written_since(&w, message));
}

int
bgp_refresh_decode(const uint8_t *body, size_t len, struct bgp_refresh *out, struct bgp_error *error)
{
	struct reader r = reader_init(body, len);
	struct bgp_refresh refresh = {0};
	uint16_t afi = read_u16(&r);
	uint8_t subtype = read_u8(&r);
	uint8_t safi = read_u8(&r);

	/* A plain request may go on with filters (RFC 5291), which we never ask for: without them it asks for more. */
	if (r.failed || (subtype != BGP_REFRESH_REQUEST && len != REFRESH_BODY_LEN)) {
		*error = refresh_length_error(body, len);
		return -EBADMSG;
	}
	refresh.is_known = subtype <= BGP_REFRESH_END && bgp_family_of(afi, safi, &refresh.family);
	refresh.subtype = refresh.is_known ? (enum bgp_refresh_subtype)subtype : BGP_REFRESH_REQUEST;
	*out = refresh;
	return 0;
}

/* Octets of the UTF-8 character at text (RFC 3629 3: shortest form, no surrogates), or 0; *point is what it says. */
static size_t
character_at(const uint8_t *text, size_t len, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = text[0];
	size_t octets = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
	uint32_t value = octets == 1 ? first : first & (0x7fU >> octets);

	if (octets == 0 || octets > len)
		return 0;
	for (size_t i = 1; i < octets; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3fU);
	}
	if (value < least[octets] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*point = value;
	return octets;
}

/* C0, DEL, C1, and the characters that break lines or turn the direction of what follows. */
static bool
is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x061c ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

char *
bgp_shutdown_text(const struct bgp_error *error, char text[static BGP_TEXT_MAX + 1])
{
	struct reader r = reader_init(error->data, error->data_len);
	uint8_t code = error->code;
	uint8_t subcode = error->subcode;
	struct reader in;
	char *to = text;

	if (code == BGP_ERROR_CEASE && subcode == BGP_CEASE_HARD_RESET) {
		code = read_u8(&r);
		subcode = read_u8(&r);
	}
	in = read_sub(&r, read_u8(&r));
	*to = '\0';
	if (code != BGP_ERROR_CEASE || (subcode != BGP_CEASE_SHUTDOWN && subcode != BGP_CEASE_RESET))
		return text;
	while (reader_left(&in) > 0) {
		uint32_t point = 0;
		size_t octets = character_at(in.at, reader_left(&in), &point);
		bool harmless = octets > 0 && !is_control(point);

		if (octets == 0)
			octets = 1;
		if (harmless)
			memcpy(to, in.at, octets);
		else
			memset(to, '?', octets);
		to += octets;
		in.at += octets;
	}
	*to = '\0';
	return text;
}

struct bgp_error
bgp_error_shutdown(uint8_t cease_subcode, const char *text)
{
	struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, cease_subcode);
	size_t len = text ? strlen(text) : 0;

	if (len > BGP_TEXT_MAX) {
		len = BGP_TEXT_MAX;
		/* Not within a character: its later octets are 10xxxxxx. */
		while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len == 0)
		return error;
	error.data[0] = (uint8_t)len;
	memcpy(error.data + 1, text, len);
	error.data_len = (uint16_t)(len + 1);
	return error;
}

struct bgp_error
bgp_error_hard_reset(const struct bgp_error *reason)
{
	struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_HARD_RESET);
	struct writer w = writer_init(error.data, sizeof(error.data));
	size_t kept = reason->data_len < BGP_DATA_MAX - 2 ? reason->data_len : BGP_DATA_MAX - 2;

	write_u8(&w, reason->code);
	write_u8(&w, reason->subcode);
	write_bytes(&w, reason->data, kept);
	error.data_len = (uint16_t)written_since(&w, error.data);
	return error;
}

struct writer
bgp_message_begin(uint8_t *out, size_t room, enum bgp_type type)
{
	struct writer w = writer_init(out, room);

	memset(write_room(&w, MARKER_LEN), 0xff, MARKER_LEN);
	write_u16(&w, 0);
	write_u8(&w, (uint8_t)type);
	return w;
}

size_t
bgp_message_end(const struct writer *w, uint8_t *out)
{
	size_t len = written_since(w, out);

	fill_u16(out + MARKER_LEN, len);
	return len;
}

size_t
bgp_notification_encode(const struct bgp_error *error, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = bgp_message_begin(out, BGP_MESSAGE_MAX, BGP_NOTIFICATION);

	write_u8(&w, error->code);
	write_u8(&w, error->subcode);
	write_bytes(&w, error->data, error->data_len);
	return bgp_message_end(&w, out);
}

size_t
bgp_keepalive_encode(uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = bgp_message_begin(out, BGP_MESSAGE_MAX, BGP_KEEPALIVE);

	return bgp_message_end(&w, out);
}

size_t
bgp_refresh_encode(enum bgp_family family, enum bgp_refresh_subtype subtype, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = bgp_message_begin(out, BGP_MESSAGE_MAX, BGP_ROUTE_REFRESH);

	write_u16(&w, bgp_family_afi(family));
	write_u8(&w, (uint8_t)subtype);
	write_u8(&w, bgp_family_safi(family));
	return bgp_message_end(&w, out);
}
