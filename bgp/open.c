/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/open.h"

#include <errno.h>

enum {
	VERSION = 4,

	PARAMETER_CAPABILITIES = 2, /* RFC 5492 4 */
	PARAMETER_EXTENDED = 255,   /* RFC 9072 2 */
	PARAMETERS_MAX = 255,	    /* octets in the short form, the parameter's own two included */

	CAPABILITY_MP = 1,
	CAPABILITY_REFRESH = 2,
	CAPABILITY_NEXT_HOP = 5,
	CAPABILITY_EXTENDED_MESSAGE = 6,
	CAPABILITY_ROLE = 9,
	CAPABILITY_RESTART = 64,
	CAPABILITY_AS4 = 65,
	CAPABILITY_ENHANCED_REFRESH = 70,
	CAPABILITY_LONG_LIVED = 71,

	RESTART_S_MAX = 0xfff,	/* RFC 4724 3 */
	RESTART_R = 0x8000,
	RESTART_N = 0x4000,	/* RFC 8538 2 */
	RESTART_F = 0x80,
	LLGR_S_MAX = 0xffffff,	/* RFC 9494 4.2 */
	AFI_V6 = 2,

	SOUND = 0xff, /* beside subcodes: no error */
};

void
bgp_open_init(struct bgp_open *open)
{
	*open = (struct bgp_open){.version = VERSION, .role = BGP_ROLE_NONE};
}

uint32_t
bgp_open_as(const struct bgp_open *open)
{
	return open->has_as4 ? open->as4 : open->as2;
}

static void
multiprotocol_decode(struct reader *value, struct bgp_open *open)
{
	uint16_t afi = read_u16(value);
	enum bgp_family family;

	(void)read_u8(value);
	open->has_mp = true;
	if (bgp_family_of(afi, read_u8(value), &family))
		open->family[family] = true;
}

/* RFC 8950 4: which prefixes, and of which family their next hop may be. */
static void
next_hop_decode(struct reader *value, struct bgp_open *open)
{
	while (reader_left(value) > 0) {
		uint16_t afi = read_u16(value);
		uint16_t safi = read_u16(value);
		enum bgp_family family;

		if (read_u16(value) == AFI_V6 && safi <= UINT8_MAX && bgp_family_of(afi, (uint8_t)safi, &family) &&
		    family == BGP_V4)
			open->extended_next_hop = true;
	}
}

/* RFC 4724 3: of several the last one counts. */
static void
restart_decode(struct reader *value, struct bgp_open *open)
{
	uint16_t head = read_u16(value);

	open->graceful_restart = true;
	open->restarting = head & RESTART_R;
	open->gr_notification = head & RESTART_N;
	open->restart_s = head & RESTART_S_MAX;
	for (int i = 0; i < BGP_FAMILIES; i++)
		open->restart[i].is_listed = false;
	while (reader_left(value) > 0) {
		uint16_t afi = read_u16(value);
		uint8_t safi = read_u8(value);
		uint8_t flags = read_u8(value);
		enum bgp_family family;

		if (!bgp_family_of(afi, safi, &family))
			continue;
		open->restart[family].is_listed = true;
		open->restart[family].forwarding = flags & RESTART_F;
	}
}

/* RFC 9494 4.2: of several the last one counts. */
static void
long_lived_decode(struct reader *value, struct bgp_open *open)
{
	open->llgr = true;
	for (int i = 0; i < BGP_FAMILIES; i++)
		open->restart[i].is_long_lived = false;
	while (reader_left(value) > 0) {
		uint16_t afi = read_u16(value);
		uint8_t safi = read_u8(value);
		uint32_t rest = read_u32(value);
		enum bgp_family family;

		if (!bgp_family_of(afi, safi, &family))
			continue;
		open->restart[family].is_long_lived = true;
		open->restart[family].llgr_forwarding = rest >> 24 & RESTART_F;
		open->restart[family].llgr_s = rest & LLGR_S_MAX;
	}
}

/* RFC 9234 4.2: several must be the same. */
static bool
role_decode(struct reader *value, struct bgp_open *open)
{
	uint8_t octet = read_u8(value);
	enum bgp_role role = octet <= BGP_ROLE_PEER ? (enum bgp_role)octet : BGP_ROLE_UNDEFINED;
	bool is_same = open->role == BGP_ROLE_NONE || open->role == role;

	open->role = role;
	return is_same;
}

/* The subcode of the error, or SOUND. A known capability has its known length; unknown ones are passed over. */
static uint8_t
capability_decode(uint8_t code, struct reader value, struct bgp_open *open)
{
	switch (code) {
	case CAPABILITY_MP:
		multiprotocol_decode(&value, open);
		break;
	case CAPABILITY_REFRESH:
		open->route_refresh = true;
		break;
	case CAPABILITY_NEXT_HOP:
		next_hop_decode(&value, open);
		break;
	case CAPABILITY_EXTENDED_MESSAGE:
		open->extended_message = true;
		break;
	case CAPABILITY_ROLE:
		if (!role_decode(&value, open))
			return BGP_OPEN_ROLE;
		break;
	case CAPABILITY_RESTART:
		restart_decode(&value, open);
		break;
	case CAPABILITY_AS4:
		open->has_as4 = true;
		open->as4 = read_u32(&value);
		break;
	case CAPABILITY_ENHANCED_REFRESH:
		open->enhanced_refresh = true;
		break;
	case CAPABILITY_LONG_LIVED:
		long_lived_decode(&value, open);
		break;
	default:
		open->unknown++;
		return SOUND;
	}
	return !value.failed && reader_left(&value) == 0 ? SOUND : 0;
}

static uint8_t
capabilities_decode(struct reader r, struct bgp_open *open)
{
	while (reader_left(&r) > 0) {
		uint8_t code = read_u8(&r);
		struct reader value = read_sub(&r, read_u8(&r));
		uint8_t subcode = r.failed ? 0 : capability_decode(code, value, open);

		if (subcode != SOUND)
			return subcode;
	}
	return SOUND;
}

/* The optional parameters in their short form or, when the first one's type is 255, in RFC 9072's. */
static uint8_t
parameters_decode(struct reader *r, struct bgp_open *open)
{
	uint8_t len = read_u8(r);
	bool extended = len > 0 && reader_left(r) > 0 && r->at[0] == PARAMETER_EXTENDED;
	struct reader all;

	if (extended)
		(void)read_u8(r);
	open->extended_parameters = extended;
	all = read_sub(r, extended ? read_u16(r) : len);
	if (all.failed || reader_left(r) > 0)
		return 0;
	while (reader_left(&all) > 0) {
		uint8_t type = read_u8(&all);
		struct reader value = read_sub(&all, extended ? read_u16(&all) : read_u8(&all));
		uint8_t subcode;

		if (all.failed)
			return 0;
		if (type != PARAMETER_CAPABILITIES)
			return BGP_OPEN_PARAMETER;
		subcode = capabilities_decode(value, open);
		if (subcode != SOUND)
			return subcode;
	}
	return SOUND;
}

static int
fail(struct bgp_error *error, uint8_t subcode)
{
	*error = bgp_error_make(BGP_ERROR_OPEN, subcode);
	return -EBADMSG;
}

int
bgp_open_decode(const uint8_t *body, size_t len, struct bgp_open *out, struct bgp_error *error)
{
	struct reader r = reader_init(body, len);
	struct bgp_open open;
	uint8_t subcode;

	bgp_open_init(&open);
	open.version = read_u8(&r);
	open.as2 = read_u16(&r);
	open.hold_s = read_u16(&r);
	open.id = read_u32(&r);
	if (r.failed || reader_left(&r) == 0)
		return fail(error, 0);
	if (open.version != VERSION) {
		*error = bgp_error_with(BGP_ERROR_OPEN, BGP_OPEN_VERSION, (const uint8_t[]){0, VERSION}, 2);
		return -EBADMSG;
	}
	subcode = parameters_decode(&r, &open);
	if (subcode != SOUND)
		return fail(error, subcode);
	if (!open.has_mp)
		open.family[BGP_V4] = true;
	if (bgp_open_as(&open) == 0) /* RFC 7607 2 */
		return fail(error, BGP_OPEN_PEER_AS);
	if (open.hold_s == 1 || open.hold_s == 2) /* RFC 4271 6.2 */
		return fail(error, BGP_OPEN_HOLD);
	if (open.id == 0) /* RFC 6286 2.1 */
		return fail(error, BGP_OPEN_ID);
	*out = open;
	return 0;
}

static void
family_encode(struct writer *w, enum bgp_family family)
{
	write_u16(w, bgp_family_afi(family));
	write_u8(w, bgp_family_safi(family));
}

static void
flag_encode(struct writer *w, uint8_t code, bool is_set)
{
	if (is_set)
		write_bytes(w, (const uint8_t[]){code, 0}, 2);
}

static void
multiprotocol_encode(struct writer *w, const struct bgp_open *open)
{
	for (int i = 0; open->has_mp && i < BGP_FAMILIES; i++) {
		if (!open->family[i])
			continue;
		write_bytes(w, (const uint8_t[]){CAPABILITY_MP, 4}, 2);
		write_u16(w, bgp_family_afi((enum bgp_family)i));
		write_bytes(w, (const uint8_t[]){0, bgp_family_safi((enum bgp_family)i)}, 2);
	}
}

/* A restart of 0 s without families is the helper's form (RFC 4724 4). */
static void
restart_encode(struct writer *w, const struct bgp_open *open)
{
	unsigned head = open->restart_s & RESTART_S_MAX;
	uint8_t *len;

	if (!open->graceful_restart)
		return;
	write_u8(w, CAPABILITY_RESTART);
	len = write_room(w, 1);
	head |= (open->restarting ? RESTART_R : 0U) | (open->gr_notification ? RESTART_N : 0U);
	write_u16(w, (uint16_t)head);
	for (int i = 0; i < BGP_FAMILIES; i++) {
		if (!open->restart[i].is_listed)
			continue;
		family_encode(w, (enum bgp_family)i);
		write_u8(w, open->restart[i].forwarding ? RESTART_F : 0);
	}
	*len = (uint8_t)(written_since(w, len) - 1);
}

static void
long_lived_encode(struct writer *w, const struct bgp_open *open)
{
	uint8_t *len;

	if (!open->llgr)
		return;
	write_u8(w, CAPABILITY_LONG_LIVED);
	len = write_room(w, 1);
	for (int i = 0; i < BGP_FAMILIES; i++) {
		const struct bgp_open_restart *restart = &open->restart[i];

		if (!restart->is_long_lived)
			continue;
		family_encode(w, (enum bgp_family)i);
		write_u32(w, (restart->llgr_forwarding ? (uint32_t)RESTART_F << 24 : 0) | (restart->llgr_s & LLGR_S_MAX));
	}
	*len = (uint8_t)(written_since(w, len) - 1);
}

static void
capabilities_encode(struct writer *w, const struct bgp_open *open)
{
	multiprotocol_encode(w, open);
	flag_encode(w, CAPABILITY_REFRESH, open->route_refresh);
	if (open->extended_next_hop) {
		write_bytes(w, (const uint8_t[]){CAPABILITY_NEXT_HOP, 6}, 2);
		write_u16(w, bgp_family_afi(BGP_V4));
		write_u16(w, bgp_family_safi(BGP_V4));
		write_u16(w, AFI_V6);
	}
	flag_encode(w, CAPABILITY_EXTENDED_MESSAGE, open->extended_message);
	if (open->role <= BGP_ROLE_PEER)
		write_bytes(w, (const uint8_t[]){CAPABILITY_ROLE, 1, (uint8_t)open->role}, 3);
	restart_encode(w, open);
	if (open->has_as4) {
		write_bytes(w, (const uint8_t[]){CAPABILITY_AS4, 4}, 2);
		write_u32(w, open->as4);
	}
	flag_encode(w, CAPABILITY_ENHANCED_REFRESH, open->enhanced_refresh);
	long_lived_encode(w, open);
}

/* All capabilities in one parameter. */
static void
parameters_encode(struct writer *w, const struct bgp_open *open)
{
	uint8_t octets[BGP_MESSAGE_MAX / 2];
	struct writer capabilities = writer_init(octets, sizeof(octets));
	size_t len;

	capabilities_encode(&capabilities, open);
	len = written_since(&capabilities, octets);
	if (open->extended_parameters || len + 2 > PARAMETERS_MAX) {
		write_bytes(w, (const uint8_t[]){PARAMETER_EXTENDED, PARAMETER_EXTENDED}, 2);
		write_u16(w, (uint16_t)(len > 0 ? len + 3 : 0));
		if (len > 0) {
			write_u8(w, PARAMETER_CAPABILITIES);
			write_u16(w, (uint16_t)len);
		}
	} else {
		write_u8(w, (uint8_t)(len > 0 ? len + 2 : 0));
		if (len > 0)
			write_bytes(w, (const uint8_t[]){PARAMETER_CAPABILITIES, (uint8_t)len}, 2);
	}
	write_bytes(w, octets, len);
}

size_t
bgp_open_encode(const struct bgp_open *open, uint8_t out[static BGP_MESSAGE_MAX])
{
	struct writer w = bgp_message_begin(out, BGP_MESSAGE_MAX, BGP_OPEN);

	write_u8(&w, open->version);
	write_u16(&w, open->as2);
	write_u16(&w, open->hold_s);
	write_u32(&w, open->id);
	parameters_encode(&w, open);
	return bgp_message_end(&w, out);
}
