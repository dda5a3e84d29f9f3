/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets as text (RFC 4648 4), with padding. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/types.h"

static inline size_t
base64_len(size_t octets)
{
	return (octets + 2) / 3 * 4;
}

/* Writes base64_len(len) characters and a NUL. */
void base64_encode(const uint8_t *octets, size_t len, char *text);

/* room: octets that out has. The number of octets, or -EINVAL: not base64, or too long. */
MUST_CHECK long base64_decode(const char *text, uint8_t *out, size_t room);

#endif
