/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/codec.h"

#include <errno.h>

#include "base/cursor.h"

enum {
	OPEN_MIN = 29,
	UPDATE_MIN = 23,
	NOTIFICATION_MIN = 21,
	ROUTE_REFRESH_LEN = 23,

	PARAMETER_CAPABILITIES = 2, /* RFC 5492 4 */
	PARAMETER_EXTENDED = 255,   /* RFC 9072 2 */

	CAPABILITY_MP = 1,
	CAPABILITY_ROUTE_REFRESH = 2,
	CAPABILITY_GRACEFUL_RESTART = 64,
	CAPABILITY_AS4 = 65,

	RESTART_S_MAX = 0xfff,     /* RFC 4724 3 */
	RESTART_FORWARDING = 0x80, /* F bit */

	FLAG_OPTIONAL = 0x80,
	FLAG_TRANSITIVE = 0x40,
	FLAG_EXTENDED = 0x10,

	ATTRIBUTE_ORIGIN = 1,
	ATTRIBUTE_AS_PATH = 2,
	ATTRIBUTE_NEXT_HOP = 3,
	ATTRIBUTE_LOCAL_PREF = 5,
	ATTRIBUTE_MP_REACH = 14,
	ATTRIBUTE_MP_UNREACH = 15,
	ATTRIBUTE_AS4_PATH = 17,

	AS_SEQUENCE = 2,
	SAFI_UNICAST = 1,
	LOCAL_PREF = 100,
};

static const uint16_t family_afi[BGP_FAMILIES] = {1, 2, 1, 2};
static const uint8_t family_safi[BGP_FAMILIES] = {1, 1, 133, 133};

struct bgp_error
bgp_error_make(uint8_t code, uint8_t subcode)
{
	return (struct bgp_error){.code = code, .subcode = subcode};
}

static int
fail(struct bgp_error *error, uint8_t code, uint8_t subcode)
{
	*error = bgp_error_make(code, subcode);
	return -EBADMSG;
}

static int
fail_u16(struct bgp_error *error, uint8_t code, uint8_t subcode, uint16_t data)
{
	*error = bgp_error_make(code, subcode);
	error->data_len = 2;
	fill_u16(error->data, data);
	return -EBADMSG;
}

/* RFC 4271 6.1: the shortest and the longest message of each type. */
static const struct {
	uint16_t min;
	uint16_t max;
} type_lens[] = {
	[BGP_OPEN] = {OPEN_MIN, BGP_MESSAGE_MAX},
	[BGP_UPDATE] = {UPDATE_MIN, BGP_MESSAGE_MAX},
	[BGP_NOTIFICATION] = {NOTIFICATION_MIN, BGP_MESSAGE_MAX},
	[BGP_KEEPALIVE] = {BGP_HEADER_LEN, BGP_HEADER_LEN},
	/* Its length is an error of its own (RFC 7313 5), found when the body is decoded. */
	[BGP_ROUTE_REFRESH] = {BGP_HEADER_LEN, BGP_MESSAGE_MAX},
};

int
bgp_header_decode(const uint8_t octets[static BGP_HEADER_LEN], struct bgp_header *out, struct bgp_error *error)
{
	struct reader r = reader_init(octets, BGP_HEADER_LEN);
	uint16_t len;
	uint8_t type;

	for (int i = 0; i < 16; i++) {
		if (read_u8(&r) != 0xff)
			return fail(error, BGP_ERROR_HEADER, BGP_HEADER_MARKER);
	}
	len = read_u16(&r);
	type = read_u8(&r);
	if (len < BGP_HEADER_LEN || len > BGP_MESSAGE_MAX)
		return fail_u16(error, BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len);
	if (type == 0 || type >= ARRAY_LEN(type_lens)) {
		(void)fail(error, BGP_ERROR_HEADER, BGP_HEADER_TYPE);
		error->data_len = 1;
		error->data[0] = type;
		return -EBADMSG;
	}
	if (len < type_lens[type].min || len > type_lens[type].max)
		return fail_u16(error, BGP_ERROR_HEADER, BGP_HEADER_LENGTH, len);
	*out = (struct bgp_header){.len = len, .type = (enum bgp_type)type};
	return 0;
}

static bool
family_of(uint16_t afi, uint8_t safi, enum bgp_family *out)
{
	for (int i = 0; i < BGP_FAMILIES; i++) {
		if (family_afi[i] == afi && family_safi[i] == safi) {
			*out = (enum bgp_family)i;
			return true;
		}
	}
	return false;
}

/* One capability of known code must have its known length; unknown ones are passed over (RFC 5492 3). */
static bool
capability_decode(uint8_t code, struct reader value, struct bgp_open *open)
{
	enum bgp_family family;
	uint16_t afi;

	switch (code) {
	case CAPABILITY_MP:
		open->has_mp = true;
		afi = read_u16(&value);
		(void)read_u8(&value);
		if (family_of(afi, read_u8(&value), &family))
			open->family[family] = true;
		break;
	case CAPABILITY_AS4:
		open->has_as4 = true;
		open->as4 = read_u32(&value);
		break;
	case CAPABILITY_ROUTE_REFRESH:
		open->route_refresh = true;
		break;
	case CAPABILITY_GRACEFUL_RESTART:
		open->graceful_restart = true;
		afi = read_u16(&value);
		open->restarting = afi >> 15;
		open->restart_s = afi & RESTART_S_MAX;
		while (!value.failed && reader_left(&value) > 0)
			(void)read_u32(&value);
		break;
	default:
		return true;
	}
	return !value.failed && reader_left(&value) == 0;
}

static bool
capabilities_decode(struct reader r, struct bgp_open *open)
{
	while (reader_left(&r) > 0) {
		uint8_t code = read_u8(&r);
		struct reader value = read_sub(&r, read_u8(&r));

		if (r.failed || !capability_decode(code, value, open))
			return false;
	}
	return true;
}

/* The optional parameters in their short form or, when the first one's type is 255, in RFC 9072's. */
static int
parameters_decode(struct reader *r, struct bgp_open *open, struct bgp_error *error)
{
	uint8_t len = read_u8(r);
	bool extended = len > 0 && reader_left(r) > 0 && r->at[0] == PARAMETER_EXTENDED;
	struct reader all;

	if (extended)
		(void)read_u8(r);
	all = read_sub(r, extended ? read_u16(r) : len);
	if (all.failed || reader_left(r) > 0)
		return fail(error, BGP_ERROR_OPEN, 0);
	while (reader_left(&all) > 0) {
		uint8_t type = read_u8(&all);
		struct reader value = read_sub(&all, extended ? read_u16(&all) : read_u8(&all));

		if (all.failed)
			return fail(error, BGP_ERROR_OPEN, 0);
		if (type != PARAMETER_CAPABILITIES)
			return fail(error, BGP_ERROR_OPEN, BGP_OPEN_PARAMETER);
		if (!capabilities_decode(value, open))
			return fail(error, BGP_ERROR_OPEN, 0);
	}
	return 0;
}

int
bgp_open_decode(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_error *error)
{
	struct reader r = reader_init(body, len);
	struct bgp_open open = {.version = read_u8(&r)};
	int err;

	open.as2 = read_u16(&r);
	open.hold_s = read_u16(&r);
	open.id = read_u32(&r);
	if (r.failed || reader_left(&r) == 0)
		return fail(error, BGP_ERROR_OPEN, 0);
	if (open.version != 4)
		return fail_u16(error, BGP_ERROR_OPEN, BGP_OPEN_VERSION, 4);
	err = parameters_decode(&r, &open, error);
	if (err)
		return err;
	if (!open.has_mp)
		open.family[BGP_V4] = true;
	if (open.has_as4 ? open.as4 == 0 : open.as2 == 0) /* RFC 7607 2 */
		return fail(error, BGP_ERROR_OPEN, BGP_OPEN_PEER_AS);
	if (open.hold_s == 1 || open.hold_s == 2) /* RFC 4271 6.2 */
		return fail(error, BGP_ERROR_OPEN, BGP_OPEN_HOLD);
	if (open.id == 0) /* RFC 6286 2.1 */
		return fail(error, BGP_ERROR_OPEN, BGP_OPEN_ID);
	*out = open;
	return 0;
}

void
bgp_notification_decode(const uint8_t *body, size_t len, struct bgp_error *out)
{
	struct reader r = reader_init(body, len);
	struct bgp_error error = {.code = read_u8(&r)};
	size_t data_len;

	error.subcode = read_u8(&r);
	data_len = reader_left(&r);
	if (data_len > sizeof(error.data))
		data_len = sizeof(error.data);
	error.data_len = (uint8_t)data_len;
	if (data_len > 0)
		memcpy(error.data, r.at, data_len);
	*out = error;
}

static bool
networks_are_sound(struct reader r)
{
	while (reader_left(&r) > 0) {
		uint8_t bits = read_u8(&r);

		if (bits > 32 || !read_bytes(&r, (bits + 7U) / 8))
			return false;
	}
	return true;
}

int
bgp_update_check(const uint8_t *body, size_t len, struct bgp_error *error)
{
	struct reader r = reader_init(body, len);
	struct reader withdrawn = read_sub(&r, read_u16(&r));

	(void)read_sub(&r, read_u16(&r));
	if (r.failed) /* RFC 4271 6.3, RFC 7606 3(b) */
		return fail(error, BGP_ERROR_UPDATE, BGP_UPDATE_ATTRIBUTES);
	if (!networks_are_sound(withdrawn) || !networks_are_sound(r)) /* RFC 7606 3(j), 5.3 */
		return fail(error, BGP_ERROR_UPDATE, BGP_UPDATE_NETWORK);
	return 0;
}

int
bgp_route_refresh_decode(const uint8_t *body, size_t len, enum bgp_family *family, bool *known,
			 struct bgp_error *error)
{
	struct reader r = reader_init(body, len);
	uint16_t afi = read_u16(&r);
	uint8_t subtype = read_u8(&r);
	uint8_t safi = read_u8(&r);

	if (r.failed || reader_left(&r) > 0)
		return fail(error, BGP_ERROR_REFRESH, 1);
	/* Another subtype is RFC 7313's, which we don't offer: a plain request has 0. */
	*known = subtype == 0 && family_of(afi, safi, family);
	return 0;
}

static struct writer
message_start(uint8_t *out, enum bgp_type type)
{
	struct writer w = writer_init(out, BGP_MESSAGE_MAX);

	memset(write_room(&w, 16), 0xff, 16);
	write_u16(&w, 0);
	write_u8(&w, (uint8_t)type);
	return w;
}

static size_t
message_end(const struct writer *w, uint8_t *out)
{
	size_t len = written_since(w, out);

	fill_u16(out + 16, len);
	return len;
}

/* RFC 4724 3. Without a restart time it is the helper's form, which names no family. */
static void
graceful_restart_encode(struct writer *w, const struct bgp_open *open)
{
	uint8_t *len;

	write_u8(w, CAPABILITY_GRACEFUL_RESTART);
	len = write_room(w, 1);
	write_u16(w, (uint16_t)(open->restarting << 15 | (open->restart_s & RESTART_S_MAX)));
	for (int i = 0; open->restart_s > 0 && i < BGP_FAMILIES; i++) {
		if (!open->family[i])
			continue;
		write_u16(w, family_afi[i]);
		write_bytes(w, (const uint8_t[]){family_safi[i], RESTART_FORWARDING}, 2);
	}
	*len = (uint8_t)(written_since(w, len) - 1);
}

static void
capabilities_encode(struct writer *w, const struct bgp_open *open)
{
	for (int i = 0; open->has_mp && i < BGP_FAMILIES; i++) {
		if (!open->family[i])
			continue;
		write_bytes(w, (const uint8_t[]){CAPABILITY_MP, 4}, 2);
		write_u16(w, family_afi[i]);
		write_bytes(w, (const uint8_t[]){0, family_safi[i]}, 2);
	}
	if (open->route_refresh)
		write_bytes(w, (const uint8_t[]){CAPABILITY_ROUTE_REFRESH, 0}, 2);
	if (open->graceful_restart)
		graceful_restart_encode(w, open);
	if (open->has_as4) {
		write_bytes(w, (const uint8_t[]){CAPABILITY_AS4, 4}, 2);
		write_u32(w, open->as4);
	}
}

size_t
bgp_open_encode(const struct bgp_open *open, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = message_start(out, BGP_OPEN);
	uint8_t *lens;

	write_u8(&w, open->version);
	write_u16(&w, open->as2);
	write_u16(&w, open->hold_s);
	write_u32(&w, open->id);
	lens = write_room(&w, 3);
	capabilities_encode(&w, open);
	lens[2] = (uint8_t)written_since(&w, lens + 3);
	lens[1] = PARAMETER_CAPABILITIES;
	lens[0] = (uint8_t)(lens[2] + 2);
	if (lens[2] == 0) {
		lens[0] = 0;
		w.at = lens + 1;
	}
	return message_end(&w, out);
}

size_t
bgp_notification_encode(const struct bgp_error *error, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = message_start(out, BGP_NOTIFICATION);

	write_u8(&w, error->code);
	write_u8(&w, error->subcode);
	write_bytes(&w, error->data, error->data_len);
	return message_end(&w, out);
}

size_t
bgp_keepalive_encode(uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = message_start(out, BGP_KEEPALIVE);

	return message_end(&w, out);
}

size_t
bgp_route_refresh_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = message_start(out, BGP_ROUTE_REFRESH);

	write_u16(&w, family_afi[family]);
	write_bytes(&w, (const uint8_t[]){0, family_safi[family]}, 2);
	return message_end(&w, out);
}

static size_t
networks_encode(struct writer *w, const struct prefix *prefixes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		size_t octets = (prefixes[i].len + 7U) / 8;

		if (writer_left(w) < 1 + octets)
			break;
		write_u8(w, prefixes[i].len);
		write_bytes(w, prefixes[i].addr.octets, octets);
	}
	return i;
}

/* RFC 6793 4.2.2: an old peer reads AS_TRANS in AS_PATH and gets the number itself in AS4_PATH. */
static void
paths_encode(struct writer *w, const struct bgp_route *route)
{
	bool hides = !route->peer_as4 && route->local_as > UINT16_MAX;
	uint32_t as = hides ? BGP_AS_TRANS : route->local_as;

	if (route->ibgp) {
		write_bytes(w, (const uint8_t[]){FLAG_TRANSITIVE, ATTRIBUTE_AS_PATH, 0}, 3);
		return;
	}
	write_bytes(w, (const uint8_t[]){FLAG_TRANSITIVE, ATTRIBUTE_AS_PATH, route->peer_as4 ? 6 : 4, AS_SEQUENCE, 1}, 5);
	if (route->peer_as4)
		write_u32(w, as);
	else
		write_u16(w, (uint16_t)as);
}

static void
as4_path_encode(struct writer *w, const struct bgp_route *route)
{
	if (route->ibgp || route->peer_as4 || route->local_as <= UINT16_MAX)
		return;
	write_bytes(w, (const uint8_t[]){FLAG_OPTIONAL | FLAG_TRANSITIVE, ATTRIBUTE_AS4_PATH, 6, AS_SEQUENCE, 1}, 5);
	write_u32(w, route->local_as);
}

/* MP_REACH_NLRI or MP_UNREACH_NLRI with an extended length (RFC 4760 3, 4); the prefixes fill what is left. */
static size_t
mp_encode(struct writer *w, const struct bgp_route *route, enum bgp_family family, const struct prefix *prefixes,
	  size_t count)
{
	uint8_t *len;
	size_t taken;

	write_u8(w, FLAG_OPTIONAL | FLAG_EXTENDED);
	write_u8(w, route ? ATTRIBUTE_MP_REACH : ATTRIBUTE_MP_UNREACH);
	len = write_room(w, 2);
	write_u16(w, family_afi[family]);
	write_u8(w, family_safi[family]);
	if (route) {
		write_u8(w, 16);
		write_bytes(w, route->next_hop.octets, 16);
		write_u8(w, 0);
	}
	taken = networks_encode(w, prefixes, count);
	fill_u16(len, written_since(w, len + 2));
	return taken;
}

/* Attributes in ascending order but for MP_REACH, which takes the room that the others leave and so comes last. */
static void
attributes_encode(struct writer *w, const struct bgp_route *route, enum bgp_family family)
{
	write_bytes(w, (const uint8_t[]){FLAG_TRANSITIVE, ATTRIBUTE_ORIGIN, 1, 0}, 4);
	paths_encode(w, route);
	if (family == BGP_V4) {
		write_bytes(w, (const uint8_t[]){FLAG_TRANSITIVE, ATTRIBUTE_NEXT_HOP, 4}, 3);
		write_bytes(w, route->next_hop.octets, 4);
	}
	if (route->ibgp) {
		write_bytes(w, (const uint8_t[]){FLAG_TRANSITIVE, ATTRIBUTE_LOCAL_PREF, 4}, 3);
		write_u32(w, LOCAL_PREF);
	}
	as4_path_encode(w, route);
}

size_t
bgp_update_encode(const struct bgp_route *route, enum bgp_family family, const struct prefix *prefixes, size_t count,
		  size_t *taken, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = message_start(out, BGP_UPDATE);
	uint8_t *len = write_room(&w, 2);

	if (!route && family == BGP_V4) {
		/* Two octets stay free for the length of no attributes. */
		w.end -= 2;
		*taken = networks_encode(&w, prefixes, count);
		w.end += 2;
		fill_u16(len, written_since(&w, len + 2));
		write_u16(&w, 0);
		return message_end(&w, out);
	}
	fill_u16(len, 0);
	len = write_room(&w, 2);
	if (route)
		attributes_encode(&w, route, family);
	if (family != BGP_V4)
		*taken = mp_encode(&w, route, family, prefixes, count);
	fill_u16(len, written_since(&w, len + 2));
	if (family == BGP_V4)
		*taken = networks_encode(&w, prefixes, count);
	return message_end(&w, out);
}

size_t
bgp_end_of_rib_encode(enum bgp_family family, uint8_t out[static BGP_MESSAGE_MAX])
{
	size_t taken;

	return bgp_update_encode(NULL, family, NULL, 0, &taken, out);
}
