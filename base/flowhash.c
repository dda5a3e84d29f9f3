/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/flowhash.h"

uint64_t
flowhash_bytes(uint64_t seed, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t hash = seed ^ FLOWHASH_K0;
	uint8_t tail[16] = {0};
	size_t left = len;

	for (; left > 16; left -= 16, at += 16)
		hash = flowhash_mum(flowhash_load(at) ^ FLOWHASH_K1, flowhash_load(at + 8) ^ hash);
	if (left > 0)
		memcpy(tail, at, left);
	hash = flowhash_mum(flowhash_load(tail) ^ FLOWHASH_K1, flowhash_load(tail + 8) ^ hash);
	return flowhash_mum(hash ^ FLOWHASH_K2, len ^ FLOWHASH_K1 ^ seed);
}
