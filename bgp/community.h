/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Communities as text: "65000:1" and the well-known names (RFC 1997, 7999, 8326, 9494), "rt:65000:1" and "ro:192.0.2.1:7"
 * (RFC 4360 4, 5668), "65000:1:2" (RFC 8092), and any extended one as its 16 hexadecimal digits behind 0x. No state; any
 * thread.
 */
#ifndef BGP_COMMUNITY_H
#define BGP_COMMUNITY_H

#include "bgp/path.h"

enum { COMMUNITY_TEXT_MAX = 36 }; /* three numbers of ten digits, their colons and the end */

/* Adds what the text says. -EINVAL: it is no community; -ENOSPC: the path has PATH_COMMUNITIES_MAX of the kind. */
MUST_CHECK int community_parse(const char *text, struct path *path);

/* What community_parse takes, the well-known ones by name. */
char *community_format(uint32_t community, char text[static COMMUNITY_TEXT_MAX]);
char *community_format_extended(uint64_t community, char text[static COMMUNITY_TEXT_MAX]);
char *community_format_large(const struct path_large *community, char text[static COMMUNITY_TEXT_MAX]);

#endif
