/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets as tests write and read them. */
#ifndef TESTS_BGP_HEX_H
#define TESTS_BGP_HEX_H

#include <stdio.h>

#include "base/types.h"

static inline char *
hex(const uint8_t *octets, size_t len, char *text)
{
	text[0] = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", octets[i]);
	return text;
}

static inline int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to what is no hex digit; blanks are passed over. */
static inline size_t
unhex(const char *text, uint8_t *out, size_t room)
{
	size_t len = 0;

	for (; len < room; text += 2) {
		while (*text == ' ')
			text++;
		if (hex_digit(text[0]) < 0 || hex_digit(text[1]) < 0)
			break;
		out[len++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
	}
	return len;
}

#endif
