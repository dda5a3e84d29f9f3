/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 and IPv6 addresses and prefixes as values. No state; any thread. Octets are in network order. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/types.h"

enum addr_family {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

/* 20 bytes, no padding; for IPv4 only octets 0..3 are used and the rest are zero, so that memcmp compares. */
struct addr {
	uint8_t family; /* enum addr_family */
	uint8_t zero[3];
	uint8_t octets[16];
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;	  /* 0..32 or 0..128 */
	uint8_t zero[3];
};

enum {
	ADDR_TEXT_MAX = 46,   /* INET6_ADDRSTRLEN */
	PREFIX_TEXT_MAX = 50, /* ADDR_TEXT_MAX + "/128" */
};

struct addr addr_v4(const void *octets4);
struct addr addr_v6(const void *octets16);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b); /* family first, then octets */
unsigned addr_bits(const struct addr *a);		      /* 32 or 128; 0 for ADDR_NONE */
size_t addr_len(const struct addr *a);			      /* 4 or 16; 0 for ADDR_NONE */
bool addr_is_link_local(const struct addr *a);		      /* fe80::/10 (RFC 4291 2.5.6): it names nobody without an interface */

/* -EINVAL when the text is no address; the output stays as it was. */
MUST_CHECK int addr_parse(const char *text, struct addr *out);
char *addr_format(const struct addr *a, char text[static ADDR_TEXT_MAX]);

/* Takes "addr" (a host prefix) or "addr/len". -EINVAL: no prefix; -ERANGE: length; -EDOM: host bits are set. */
MUST_CHECK int prefix_parse(const char *text, struct prefix *out);
char *prefix_format(const struct prefix *p, char text[static PREFIX_TEXT_MAX]);
struct prefix prefix_of(const struct addr *a, unsigned len); /* clears the host bits; len is cut to the family's */
bool prefix_equal(const struct prefix *a, const struct prefix *b);
int prefix_compare(const struct prefix *a, const struct prefix *b); /* address, then length */
bool prefix_contains(const struct prefix *p, const struct addr *a);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

#endif
