/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/flowspec.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { END = 0x80, LEN_SHIFT = 4, NUMERIC_BITS = 0x07, BITMASK_BITS = 0x03, LONG_LEN = 240 };

static bool
is_prefix(unsigned type)
{
	return type == FLOWSPEC_DST || type == FLOWSPEC_SRC;
}

static bool
is_bitmask(unsigned type)
{
	return type == FLOWSPEC_TCP_FLAGS || type == FLOWSPEC_FRAGMENT;
}

/* RFC 8955 4.2.2: what MUST be; what only SHOULD be is taken as it comes. */
static unsigned
octets_max(unsigned type)
{
	if (type == FLOWSPEC_DSCP || type == FLOWSPEC_FRAGMENT)
		return 1;
	return type == FLOWSPEC_TCP_FLAGS ? 2 : 8;
}

/* Prefixes. IPv6's pattern begins at the bit of the offset (RFC 8956 3.1). */

static bool
bit_get(const uint8_t *octets, unsigned bit)
{
	return octets[bit / 8] & (0x80 >> bit % 8);
}

static void
bits_copy(uint8_t *to, unsigned to_bit, const uint8_t *from, unsigned from_bit, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (bit_get(from, from_bit + i))
			to[(to_bit + i) / 8] |= (uint8_t)(0x80 >> (to_bit + i) % 8);
	}
}

static int
prefix_read(struct reader *r, uint8_t family, struct flowspec_component *c)
{
	unsigned bits = family == ADDR_V4 ? 32 : 128;
	const uint8_t *pattern;

	c->len = read_u8(r);
	c->offset = family == ADDR_V6 ? read_u8(r) : 0;
	if (r->failed || c->len > bits || (c->offset >= c->len && (c->offset || c->len)))
		return -EBADMSG;
	pattern = read_bytes(r, (c->len - c->offset + 7U) / 8);
	if (!pattern)
		return -EBADMSG;
	c->addr = (struct addr){.family = family};
	bits_copy(c->addr.octets, c->offset, pattern, 0, c->len - c->offset);
	return 0;
}

void
flowspec_prefix_write(struct writer *w, const struct flowspec_component *c)
{
	uint8_t pattern[16] = {0};

	write_u8(w, c->len);
	if (c->addr.family == ADDR_V6)
		write_u8(w, c->offset);
	bits_copy(pattern, 0, c->addr.octets, c->offset, c->len - c->offset);
	write_bytes(w, pattern, (c->len - c->offset + 7U) / 8);
}

/* Terms. */

static bool
term_read(struct reader *r, unsigned type, struct flowspec_term *term, bool *is_last)
{
	uint8_t op = read_u8(r);

	term->octets = (uint8_t)(1 << (op >> LEN_SHIFT & 3));
	term->op = op & (is_bitmask(type) ? BITMASK_BITS | FLOWSPEC_AND : NUMERIC_BITS | FLOWSPEC_AND);
	term->value = 0;
	for (unsigned i = 0; i < term->octets; i++)
		term->value = term->value << 8 | read_u8(r);
	*is_last = op & END;
	return !r->failed;
}

void
flowspec_term_write(struct writer *w, const struct flowspec_term *term, bool is_last)
{
	unsigned shift = (unsigned)__builtin_ctz(term->octets);

	write_u8(w, (uint8_t)(term->op | shift << LEN_SHIFT | (is_last ? END : 0)));
	for (unsigned i = term->octets; i-- > 0;)
		write_u8(w, (uint8_t)(term->value >> 8 * i));
}

static int
terms_copy(struct reader *r, unsigned type, struct writer *w)
{
	struct flowspec_term term;
	bool is_first = true, is_last;

	do {
		if (!term_read(r, type, &term, &is_last) || term.octets > octets_max(type))
			return -EBADMSG;
		if (is_first)
			term.op &= (uint8_t)~FLOWSPEC_AND; /* RFC 8955 4.2.1.1: as if it were unset */
		flowspec_term_write(w, &term, is_last);
		is_first = false;
	} while (!is_last);
	return 0;
}

/* Checks one component and writes it without what is to be ignored. */
static int
component_copy(struct reader *r, uint8_t family, unsigned *last_type, struct writer *w)
{
	struct flowspec_component c = {.type = read_u8(r)};

	if (c.type <= *last_type)
		return -EBADMSG; /* 4.2: ascending, each at most once */
	if (c.type >= FLOWSPEC_TYPES || (c.type == FLOWSPEC_FLOW_LABEL && family == ADDR_V4))
		return -ENOTSUP;
	*last_type = c.type;
	write_u8(w, c.type);
	if (!is_prefix(c.type))
		return terms_copy(r, c.type, w);
	if (prefix_read(r, family, &c) != 0)
		return -EBADMSG;
	flowspec_prefix_write(w, &c);
	return 0;
}

int
flowspec_decode(struct reader *r, enum addr_family family, struct flowspec *out)
{
	struct flowspec rule = {.family = (uint8_t)family};
	struct writer w = writer_init(rule.octets, sizeof(rule.octets));
	size_t len = read_u8(r);
	unsigned last_type = 0;
	struct reader nlri;
	int err = 0;

	if (len >= LONG_LEN)
		len = (len & 0x0f) << 8 | read_u8(r);
	nlri = read_sub(r, len);
	if (nlri.failed || len == 0)
		return -EBADMSG;
	if (len > FLOWSPEC_OCTETS_MAX)
		return -ENOTSUP;
	while (!err && reader_left(&nlri) > 0)
		err = component_copy(&nlri, rule.family, &last_type, &w);
	if (err)
		return err;
	rule.len = (uint16_t)written_since(&w, rule.octets);
	*out = rule;
	return 0;
}

size_t
flowspec_encoded_len(const struct flowspec *rule)
{
	return rule->len + (rule->len < LONG_LEN ? 1U : 2U);
}

void
flowspec_encode(const struct flowspec *rule, struct writer *w)
{
	if (rule->len < LONG_LEN)
		write_u8(w, (uint8_t)rule->len);
	else
		write_u16(w, (uint16_t)(0xf000 | rule->len));
	write_bytes(w, rule->octets, rule->len);
}

/* A rule was checked when it was made: reads of it don't fail. */
bool
flowspec_next(const struct flowspec *rule, size_t *at, struct flowspec_component *out)
{
	struct reader r = reader_init(rule->octets + *at, rule->len - *at);
	struct flowspec_term term;
	bool is_last = false;

	if (reader_left(&r) == 0)
		return false;
	*out = (struct flowspec_component){.type = read_u8(&r)};
	if (is_prefix(out->type)) {
		if (prefix_read(&r, rule->family, out) != 0)
			return false;
	} else {
		out->terms = r;
		while (!is_last && term_read(&r, out->type, &term, &is_last))
			;
		out->terms.end = r.at;
	}
	*at = (size_t)(r.at - rule->octets);
	return true;
}

bool
flowspec_term_next(struct flowspec_component *component, struct flowspec_term *out)
{
	bool is_last;

	return reader_left(&component->terms) > 0 && term_read(&component->terms, component->type, out, &is_last);
}

bool
flowspec_destination(const struct flowspec *rule, struct prefix *out)
{
	struct flowspec_component c;
	size_t at = 0;

	if (!flowspec_next(rule, &at, &c) || c.type != FLOWSPEC_DST || c.offset != 0)
		return false;
	*out = prefix_of(&c.addr, c.len);
	return true;
}

/* Order. */

static int
octets_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	if (order)
		return order;
	return a_len > b_len ? -1 : a_len < b_len; /* the longer one first */
}

static int
prefixes_compare(const struct flowspec_component *a, const struct flowspec_component *b)
{
	unsigned len = a->len < b->len ? a->len : b->len;

	if (a->offset != b->offset)
		return a->offset < b->offset ? -1 : 1; /* RFC 8956 4 */
	for (unsigned i = a->offset; i < len; i++) {
		bool bit = bit_get(a->addr.octets, i);

		if (bit != bit_get(b->addr.octets, i))
			return bit ? 1 : -1;
	}
	return a->len > b->len ? -1 : a->len < b->len;
}

int
flowspec_compare(const struct flowspec *a, const struct flowspec *b)
{
	size_t a_at = 0, b_at = 0;
	int order = (a->family > b->family) - (a->family < b->family);

	while (order == 0) {
		struct flowspec_component x, y;
		bool has_x = flowspec_next(a, &a_at, &x), has_y = flowspec_next(b, &b_at, &y);

		if (!has_x && !has_y)
			return 0;
		/* What has no more components is as if its next had the highest type. */
		if (!has_x || !has_y || x.type != y.type)
			return has_x && (!has_y || x.type < y.type) ? -1 : 1;
		order = is_prefix(x.type)
				? prefixes_compare(&x, &y)
				: octets_compare(x.terms.at, reader_left(&x.terms), y.terms.at, reader_left(&y.terms));
	}
	return order;
}

/* Actions: RFC 8955 7. */

enum { /* type and subtype of extended communities */
       RATE_BYTES = 0x8006,
       TRAFFIC_ACTION = 0x8007,
       REDIRECT_AS2 = 0x8008,
       MARKING = 0x8009,
       RATE_PACKETS = 0x800c,
       REDIRECT_IP4 = 0x8108,
       REDIRECT_AS4 = 0x8208,
       REDIRECT_NEXT_HOP = 0x0800, /* draft-ietf-idr-flowspec-redirect-ip, and its first form */
       REDIRECT_TO_IP = 0x010c,
       REDIRECT_IP6 = 0x000d, /* RFC 8956 6.1 */
       REDIRECT_TO_IP6 = 0x000c,
       ACTION_GOES_ON = 0x01, /* of the last octet: bit 47 and 46 */
       ACTION_SAMPLE = 0x02,
};

#define RATE_UNLIMITED 1e18F

/* Below 0 means 0. A limit that nothing can reach, as infinity, is none. False: no number. */
static bool
rate_take(uint32_t bits, bool *has, uint64_t *rate)
{
	float value;
	uint64_t whole;

	memcpy(&value, &bits, sizeof(value));
	if (isnan(value))
		return false;
	if (value >= RATE_UNLIMITED)
		return true;
	whole = value <= 0 ? 0 : value < 1 ? 1 : (uint64_t)value;
	*rate = *has && *rate < whole ? *rate : whole;
	*has = true;
	return true;
}

static void
community_take(struct flowspec_action *action, uint16_t type, uint32_t low)
{
	switch (type) {
	case RATE_BYTES:
		if (!rate_take(low, &action->has_bytes, &action->bytes_s))
			action->refused = "a rate that is no number";
		break;
	case RATE_PACKETS:
		if (!rate_take(low, &action->has_packets, &action->packets_s))
			action->refused = "a rate that is no number";
		break;
	case TRAFFIC_ACTION:
		action->goes_on = action->goes_on || (low & ACTION_GOES_ON);
		action->sample = action->sample || (low & ACTION_SAMPLE);
		break;
	case MARKING:
		action->refused = "marking";
		break;
	case REDIRECT_AS2:
	case REDIRECT_IP4:
	case REDIRECT_AS4:
	case REDIRECT_NEXT_HOP:
	case REDIRECT_TO_IP:
		action->refused = "redirect";
		break;
	default:
		break;
	}
}

struct flowspec_action
flowspec_action_decode(const uint8_t *extended, size_t len, const uint8_t *extended6, size_t len6)
{
	struct flowspec_action action = {0};
	struct reader r = reader_init(extended, len), r6 = reader_init(extended6, len6);

	while (reader_left(&r) >= 8) {
		uint16_t type = read_u16(&r);

		(void)read_u16(&r); /* of a rate: an AS number, for information */
		community_take(&action, type, read_u32(&r));
	}
	while (reader_left(&r6) >= 20) {
		uint16_t type = read_u16(&r6);

		(void)read_bytes(&r6, 18);
		if (type == REDIRECT_IP6 || type == REDIRECT_TO_IP6)
			action.refused = "redirect";
	}
	return action;
}

static uint64_t
rate_community(uint16_t type, uint32_t as, uint64_t rate)
{
	float value = (float)rate;
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return (uint64_t)type << 48 | (uint64_t)(as <= UINT16_MAX ? as : 0) << 32 | bits;
}

uint64_t
flowspec_rate_bytes(uint32_t as, uint64_t bytes_s)
{
	return rate_community(RATE_BYTES, as, bytes_s);
}

uint64_t
flowspec_rate_packets(uint32_t as, uint64_t packets_s)
{
	return rate_community(RATE_PACKETS, as, packets_s);
}

uint64_t
flowspec_traffic_action(bool sample, bool goes_on)
{
	return (uint64_t)TRAFFIC_ACTION << 48 | (sample ? ACTION_SAMPLE : 0U) | (goes_on ? ACTION_GOES_ON : 0U);
}
