/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const uint8_t *octets, size_t len, char *text)
{
	for (size_t i = 0; i < len; i += 3, text += 4) {
		uint32_t word = (uint32_t)octets[i] << 16;

		if (i + 1 < len)
			word |= (uint32_t)octets[i + 1] << 8;
		if (i + 2 < len)
			word |= octets[i + 2];
		for (unsigned k = 0; k < 4; k++)
			text[k] = alphabet[word >> (18 - 6 * k) & 63];
		if (i + 1 >= len)
			text[2] = '=';
		if (i + 2 >= len)
			text[3] = '=';
	}
	*text = '\0';
}

static int
value_of(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

long
base64_decode(const char *text, uint8_t *out, size_t room)
{
	size_t chars = strlen(text), len = chars / 4 * 3, pad = 0;

	if (chars % 4 != 0)
		return -EINVAL;
	if (chars > 0 && text[chars - 1] == '=')
		pad = text[chars - 2] == '=' ? 2 : 1;
	if (len - pad > room)
		return -EINVAL;
	for (size_t i = 0, n = 0; i < chars; i += 4) {
		uint32_t word = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = i + k < chars - pad ? value_of(text[i + k]) : 0;

			if (value < 0)
				return -EINVAL;
			word = word << 6 | (uint32_t)value;
		}
		for (unsigned k = 0; k < 3 && n < len - pad; k++)
			out[n++] = (uint8_t)(word >> (16 - 8 * k));
	}
	return (long)(len - pad);
}
