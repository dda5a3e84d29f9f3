/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FlowSpec rules (RFC 8955, RFC 8956 for IPv6) as values: NLRI to value and back, their order, their text, and what the
 * extended communities of a route say is to be done with a match. A value holds the NLRI itself, checked: RFC 8955 5.1
 * compares it octet by octet and section 4 takes it as a key, so what is equal here is the same rule for the peer. Bits that
 * a receiver ignores (reserved ones, AND of a first term, what is behind a prefix) are cleared. No state; any thread.
 */
#ifndef BGP_FLOWSPEC_H
#define BGP_FLOWSPEC_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	FLOWSPEC_OCTETS_MAX = 1020, /* an NLRI may have 4,095: nobody filters by so long a rule */
	FLOWSPEC_FAULT_MAX = 128,
};

enum flowspec_type { /* of components; IANA's numbers */
	FLOWSPEC_DST = 1,
	FLOWSPEC_SRC,
	FLOWSPEC_PROTO,
	FLOWSPEC_PORT,
	FLOWSPEC_DPORT,
	FLOWSPEC_SPORT,
	FLOWSPEC_ICMP_TYPE,
	FLOWSPEC_ICMP_CODE,
	FLOWSPEC_TCP_FLAGS,
	FLOWSPEC_LENGTH,
	FLOWSPEC_DSCP,
	FLOWSPEC_FRAGMENT,
	FLOWSPEC_FLOW_LABEL, /* IPv6 only */
	FLOWSPEC_TYPES,
};

/* Operator bits of a term. Numeric: EQ, GT, LT are or'ed. Bitmask (TCP flags, fragment): MATCH: all bits of the value,
 * else any; NOT turns it round. AND binds a term to the one before it. */
enum {
	FLOWSPEC_EQ = 0x01,
	FLOWSPEC_GT = 0x02,
	FLOWSPEC_LT = 0x04,
	FLOWSPEC_MATCH = 0x01,
	FLOWSPEC_NOT = 0x02,
	FLOWSPEC_AND = 0x40,
};

enum { /* bits of FLOWSPEC_FRAGMENT */
	FLOWSPEC_DONT_FRAGMENT = 0x01, /* IPv4 only */
	FLOWSPEC_IS_FRAGMENT = 0x02,   /* not the first */
	FLOWSPEC_FIRST_FRAGMENT = 0x04,
	FLOWSPEC_LAST_FRAGMENT = 0x08,
};

/* 1,024 octets without padding, zero behind len: memcmp compares. */
struct flowspec {
	uint8_t family; /* enum addr_family; ADDR_NONE: no rule */
	uint8_t zero;
	uint16_t len;
	uint8_t octets[FLOWSPEC_OCTETS_MAX]; /* NLRI behind its length */
};
_Static_assert(sizeof(struct flowspec) == 4 + FLOWSPEC_OCTETS_MAX, "struct flowspec");

/* One component of a rule. DST and SRC: the bits from offset to len of the address. Others: terms. */
struct flowspec_component {
	uint8_t type; /* enum flowspec_type */
	uint8_t offset; /* IPv4: 0 */
	uint8_t len;
	struct addr addr; /* bits outside of offset to len are zero */
	struct reader terms;
};

struct flowspec_term {
	uint8_t op;	/* the bits above */
	uint8_t octets; /* of the value: 1, 2, 4, 8 */
	uint64_t value;
};

/*
 * Takes one NLRI, with its length. -ENOTSUP: it can't be used (a component that nobody knows, or longer than a value
 * holds) and is skipped; -EBADMSG: malformed; the reader is behind it too, and failed only when its length reaches beyond
 * the end, so that what follows can't be told. *out is as it was.
 */
MUST_CHECK int flowspec_decode(struct reader *r, enum addr_family family, struct flowspec *out);

/* The NLRI with its length: one octet below 240, else two. */
void flowspec_encode(const struct flowspec *rule, struct writer *w);
size_t flowspec_encoded_len(const struct flowspec *rule);

/* Below 0: a comes first (RFC 8955 5.1, RFC 8956 4); 0: the same rule. IPv4 before IPv6. */
int flowspec_compare(const struct flowspec *a, const struct flowspec *b);

/* Walks: *at begins with 0. terms are inside of the rule. */
bool flowspec_next(const struct flowspec *rule, size_t *at, struct flowspec_component *out);
bool flowspec_term_next(struct flowspec_component *component, struct flowspec_term *out);

/* Parts of an NLRI, for whoever makes one: behind the octet of the type. */
void flowspec_prefix_write(struct writer *w, const struct flowspec_component *c);
void flowspec_term_write(struct writer *w, const struct flowspec_term *term, bool is_last);

/* The destination, if it is a prefix (offset 0). */
bool flowspec_destination(const struct flowspec *rule, struct prefix *out);

/*
 * Text: "dst 192.0.2.1/32 proto udp sport 123,>=1024&<=2047 length >1000 fragment !is". Words of components: dst, src, proto,
 * port, dport, sport, icmp-type, icmp-code, tcp-flags, length, dscp, fragment, flow-label; IPv6 with an offset:
 * "dst ::1234:0:0/64-96". A rule without a prefix is IPv4's unless its first word is ipv6. Terms: `,` or, `&` and; numbers by
 * <, <=, =, !=, >=, >, a range 1-9, true, false; bits joined by + (any), behind = (all of them), ! (not): "=syn+ack".
 */

/* -EINVAL with why not; -ENOMEM. */
MUST_CHECK int flowspec_parse(const char *text, struct flowspec *out, char fault[static FLOWSPEC_FAULT_MAX]);
/* As snprintf: what there is no room for is left out; the length of it all. */
size_t flowspec_format(const struct flowspec *rule, char *text, size_t room);

/* What a route's extended communities ask for. Without a rate, what matches is let through (RFC 8955 7). */
struct flowspec_action {
	bool has_bytes;
	bool has_packets;
	bool sample;
	bool goes_on;	     /* the terminal-action bit is set: rules behind this one are looked at too */
	uint64_t bytes_s;    /* at most so many a second; 0: drop */
	uint64_t packets_s;
	const char *refused; /* what it asks for that nearcast doesn't do; NULL: nothing */
};

/* extended: rows of 8 octets (RFC 4360); extended6: of 20 (RFC 5701). Of several rates of one kind the lowest holds. */
struct flowspec_action flowspec_action_decode(const uint8_t *extended, size_t len, const uint8_t *extended6, size_t len6);

/* For path_add_extended(). The AS number is for information; 4-octet ones are told as 0 (RFC 8955 7.1). */
uint64_t flowspec_rate_bytes(uint32_t as, uint64_t bytes_s);
uint64_t flowspec_rate_packets(uint32_t as, uint64_t packets_s);
uint64_t flowspec_traffic_action(bool sample, bool goes_on);

#endif
