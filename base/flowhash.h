/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyed hash of a flow. Every node of a PoP must compute the same value for the same flow, so it is made of integer
 * arithmetic with explicit byte order only: 64 x 64 -> 128 bit multiplications whose halves are folded (the "mum" step
 * of the wyhash family). The key is a pool's seed: who doesn't know it can't aim flows at one slot.
 *
 * The slot is the top 16 bits of the result; the flow table's bucket and tag come from the rest.
 */
#ifndef BASE_FLOWHASH_H
#define BASE_FLOWHASH_H

#include <endian.h>
#include <string.h>

#include "base/types.h"

static inline uint64_t
flowhash_load(const uint8_t *octets8)
{
	uint64_t value;

	memcpy(&value, octets8, 8);
	return le64toh(value);
}

static inline uint64_t
flowhash_load4(const uint8_t *octets4)
{
	uint32_t value;

	memcpy(&value, octets4, 4);
	return le32toh(value);
}

static inline uint64_t
flowhash_mum(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#define FLOWHASH_K0 UINT64_C(0xa0761d6478bd642f)
#define FLOWHASH_K1 UINT64_C(0xe7037ed1a0b428db)
#define FLOWHASH_K2 UINT64_C(0x8ebc6af09c88c6e3)

/* ports: source port << 16 | destination port in host order; 0 where the protocol has none. */
static inline uint64_t
flowhash_v4(uint64_t seed, const uint8_t *src4, const uint8_t *dst4, uint32_t ports, uint8_t protocol)
{
	uint64_t addrs = flowhash_load4(src4) | flowhash_load4(dst4) << 32; /* one load where they are side by side */
	uint64_t rest = (uint64_t)ports << 8 | protocol;

	return flowhash_mum(flowhash_mum(addrs ^ FLOWHASH_K0, rest ^ FLOWHASH_K1 ^ seed), FLOWHASH_K2 ^ seed);
}

static inline uint64_t
flowhash_v6(uint64_t seed, const uint8_t *src16, const uint8_t *dst16, uint32_t ports, uint8_t protocol)
{
	uint64_t rest = (uint64_t)ports << 8 | protocol;
	uint64_t src = flowhash_mum(flowhash_load(src16) ^ FLOWHASH_K0, flowhash_load(src16 + 8) ^ FLOWHASH_K1 ^ seed);
	uint64_t dst = flowhash_mum(flowhash_load(dst16) ^ FLOWHASH_K2, flowhash_load(dst16 + 8) ^ FLOWHASH_K0 ^ seed);

	return flowhash_mum(flowhash_mum(src ^ FLOWHASH_K1, dst ^ rest ^ FLOWHASH_K2), FLOWHASH_K2 ^ seed);
}

/* The client's address alone, for services that keep a client on one backend whatever its ports. */
static inline uint64_t
flowhash_source(uint64_t seed, const uint8_t *src, size_t len)
{
	static const uint8_t none[16];

	return len == 4 ? flowhash_v4(seed, src, none, 0, 0) : flowhash_v6(seed, src, none, 0, 0);
}

/* Strings and other keys off the packet path (names of backends and pools). */
uint64_t flowhash_bytes(uint64_t seed, const void *bytes, size_t len);

#endif
