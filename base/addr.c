/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct addr
addr_v4(const void *octets4)
{
	struct addr a = {.family = ADDR_V4};

	memcpy(a.octets, octets4, 4);
	return a;
}

struct addr
addr_v6(const void *octets16)
{
	struct addr a = {.family = ADDR_V6};

	memcpy(a.octets, octets16, 16);
	return a;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int
addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->octets, b->octets, sizeof(a->octets));
}

size_t
addr_len(const struct addr *a)
{
	switch (a->family) {
	case ADDR_V4:
		return 4;
	case ADDR_V6:
		return 16;
	default:
		return 0;
	}
}

unsigned
addr_bits(const struct addr *a)
{
	return (unsigned)addr_len(a) * 8;
}

bool
addr_is_link_local(const struct addr *a)
{
	return a->family == ADDR_V6 && a->octets[0] == 0xfe && (a->octets[1] & 0xc0) == 0x80;
}

int
addr_parse(const char *text, struct addr *out)
{
	uint8_t octets[16];

	if (inet_pton(AF_INET, text, octets) == 1)
		*out = addr_v4(octets);
	else if (inet_pton(AF_INET6, text, octets) == 1)
		*out = addr_v6(octets);
	else
		return -EINVAL;
	return 0;
}

char *
addr_format(const struct addr *a, char text[static ADDR_TEXT_MAX])
{
	if (a->family == ADDR_NONE)
		strcpy(text, "-");
	else
		inet_ntop(a->family == ADDR_V4 ? AF_INET : AF_INET6, a->octets, text, ADDR_TEXT_MAX);
	return text;
}

struct prefix
prefix_of(const struct addr *a, unsigned len)
{
	struct prefix p = {.addr = *a};
	unsigned bits = addr_bits(a);

	if (len > bits)
		len = bits;
	p.len = (uint8_t)len;
	for (unsigned i = 0; i < bits / 8; i++) {
		unsigned keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			p.addr.octets[i] &= (uint8_t)(0xff00U >> keep);
	}
	return p;
}

static int
length_parse(const char *text, unsigned bits, unsigned *len)
{
	char *end;
	unsigned long value;

	if (text[0] < '0' || text[0] > '9' || strlen(text) > 3)
		return -EINVAL;
	value = strtoul(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (value > bits)
		return -ERANGE;
	*len = (unsigned)value;
	return 0;
}

int
prefix_parse(const char *text, struct prefix *out)
{
	char head[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t head_len = slash ? (size_t)(slash - text) : strlen(text);
	struct addr a;
	struct prefix p;
	unsigned len;
	int err;

	if (head_len >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, head_len);
	head[head_len] = '\0';
	err = addr_parse(head, &a);
	if (err)
		return err;
	len = addr_bits(&a);
	if (slash && (err = length_parse(slash + 1, len, &len)) != 0)
		return err;
	p = prefix_of(&a, len);
	if (!addr_equal(&p.addr, &a))
		return -EDOM;
	*out = p;
	return 0;
}

char *
prefix_format(const struct prefix *p, char text[static PREFIX_TEXT_MAX])
{
	char head[ADDR_TEXT_MAX];

	snprintf(text, PREFIX_TEXT_MAX, "%s/%u", addr_format(&p->addr, head), p->len);
	return text;
}

bool
prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

int
prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (int)a->len - (int)b->len;
}

bool
prefix_contains(const struct prefix *p, const struct addr *a)
{
	struct prefix other;

	if (a->family != p->addr.family)
		return false;
	other = prefix_of(a, p->len);
	return addr_equal(&other.addr, &p->addr);
}

bool
prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->len <= b->len ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}
