/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/community.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t value;
} well_known[] = {
	{"graceful-shutdown", BGP_GRACEFUL_SHUTDOWN},
	{"llgr-stale", BGP_LLGR_STALE},
	{"no-llgr", BGP_NO_LLGR},
	{"blackhole", BGP_BLACKHOLE},
	{"no-export", BGP_NO_EXPORT},
	{"no-advertise", BGP_NO_ADVERTISE},
	{"no-export-subconfed", BGP_NO_EXPORT_SUBCONFED},
};

/* RFC 4360 3: the type's two octets. The value's first part is an AS of two octets, an IPv4 address or an AS of four. */
enum { TYPE_AS2 = 0x00, TYPE_IPV4 = 0x01, TYPE_AS4 = 0x02, SUBTYPE_TARGET = 0x02, SUBTYPE_ORIGIN = 0x03 };

/* A decimal number up to max with the character `end` behind it, where the text goes on; NULL: there is none. */
static const char *
number(const char *text, char end, uint64_t max, uint64_t *out)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 10 || text[len] != end)
		return NULL;
	*out = strtoull(text, NULL, 10);
	return *out <= max ? text + len + (end ? 1 : 0) : NULL;
}

static int
extended_parse(const char *text, uint64_t subtype, struct path *path)
{
	const char *colon = strrchr(text, ':');
	uint64_t type, global, local, local_max;
	char first[16] = "";
	struct addr addr;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(colon - text));
	if (addr_parse(first, &addr) == 0 && addr.family == ADDR_V4) {
		type = TYPE_IPV4;
		global = (uint64_t)addr.octets[0] << 24 | addr.octets[1] << 16 | addr.octets[2] << 8 | addr.octets[3];
	} else if (number(first, '\0', UINT32_MAX, &global)) {
		type = global > UINT16_MAX ? TYPE_AS4 : TYPE_AS2;
	} else {
		return -EINVAL;
	}
	local_max = type == TYPE_AS2 ? UINT32_MAX : UINT16_MAX;
	if (!number(colon + 1, '\0', local_max, &local))
		return -EINVAL;
	return path_add_extended(path, type << 56 | subtype << 48 | global << (type == TYPE_AS2 ? 32 : 16) | local);
}

static int
raw_parse(const char *digits, struct path *path)
{
	if (strlen(digits) != 16 || strspn(digits, "0123456789abcdefABCDEF") != 16)
		return -EINVAL;
	return path_add_extended(path, strtoull(digits, NULL, 16));
}

int
community_parse(const char *text, struct path *path)
{
	uint64_t parts[3];
	const char *rest;

	for (unsigned i = 0; i < ARRAY_LEN(well_known); i++) {
		if (strcmp(well_known[i].name, text) == 0)
			return path_add_community(path, well_known[i].value);
	}
	if (strncmp(text, "rt:", 3) == 0)
		return extended_parse(text + 3, SUBTYPE_TARGET, path);
	if (strncmp(text, "ro:", 3) == 0)
		return extended_parse(text + 3, SUBTYPE_ORIGIN, path);
	if (strncmp(text, "0x", 2) == 0)
		return raw_parse(text + 2, path);
	rest = number(text, ':', UINT32_MAX, &parts[0]);
	if (!rest)
		return -EINVAL;
	if (number(rest, '\0', UINT16_MAX, &parts[1]) && parts[0] <= UINT16_MAX)
		return path_add_community(path, (uint32_t)(parts[0] << 16 | parts[1]));
	rest = number(rest, ':', UINT32_MAX, &parts[1]);
	if (!rest || !number(rest, '\0', UINT32_MAX, &parts[2]))
		return -EINVAL;
	return path_add_large(path, &(struct path_large){(uint32_t)parts[0], (uint32_t)parts[1], (uint32_t)parts[2]});
}

char *
community_format(uint32_t community, char text[static COMMUNITY_TEXT_MAX])
{
	for (unsigned i = 0; i < ARRAY_LEN(well_known); i++) {
		if (well_known[i].value == community) {
			snprintf(text, COMMUNITY_TEXT_MAX, "%s", well_known[i].name);
			return text;
		}
	}
	snprintf(text, COMMUNITY_TEXT_MAX, "%u:%u", community >> 16, community & UINT16_MAX);
	return text;
}

char *
community_format_extended(uint64_t community, char text[static COMMUNITY_TEXT_MAX])
{
	unsigned type = (unsigned)(community >> 56), subtype = (unsigned)(community >> 48 & 255);
	uint32_t global = (uint32_t)(community >> 16);
	const char *name = subtype == SUBTYPE_TARGET ? "rt" : "ro";

	/* An AS of four octets that would fit two reads back as another community: its digits don't. */
	if ((subtype != SUBTYPE_TARGET && subtype != SUBTYPE_ORIGIN) || type > TYPE_AS4 ||
	    (type == TYPE_AS4 && global <= UINT16_MAX))
		snprintf(text, COMMUNITY_TEXT_MAX, "0x%016" PRIx64, community);
	else if (type == TYPE_AS2)
		snprintf(text, COMMUNITY_TEXT_MAX, "%s:%u:%" PRIu32, name, (unsigned)(community >> 32 & UINT16_MAX),
			 (uint32_t)community);
	else if (type == TYPE_AS4)
		snprintf(text, COMMUNITY_TEXT_MAX, "%s:%" PRIu32 ":%u", name, global, (unsigned)(community & UINT16_MAX));
	else
		snprintf(text, COMMUNITY_TEXT_MAX, "%s:%u.%u.%u.%u:%u", name, global >> 24, global >> 16 & 255,
			 global >> 8 & 255, global & 255, (unsigned)(community & UINT16_MAX));
	return text;
}

char *
community_format_large(const struct path_large *community, char text[static COMMUNITY_TEXT_MAX])
{
	snprintf(text, COMMUNITY_TEXT_MAX, "%" PRIu32 ":%" PRIu32 ":%" PRIu32, community->global, community->local1,
		 community->local2);
	return text;
}
