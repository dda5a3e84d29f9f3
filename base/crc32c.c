/* SPDX-License-Identifier: BSD-2-Clause */
/* The SSE4.2 instruction where the processor has it, a bitwise loop elsewhere; the unit test holds them equal. */
#include "base/crc32c.h"

#include <string.h>

static uint32_t
crc32c_scalar(uint32_t crc, const uint8_t *at, size_t len)
{
	for (; len > 0; len--, at++) {
		crc ^= *at;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78U & -(crc & 1));
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const uint8_t *at, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word;

		memcpy(&word, at, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; len--, at++)
		crc = __builtin_ia32_crc32qi(crc, *at);
	return crc;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *bytes, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_sse42(~crc, bytes, len);
#endif
	return ~crc32c_scalar(~crc, bytes, len);
}
