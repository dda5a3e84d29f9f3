/* SPDX-License-Identifier: BSD-2-Clause */
/* The routes that the benchmarks of BGP announce: number i is a host prefix of its own. Pure; any thread. */
#ifndef BENCH_BGP_ROUTES_H
#define BENCH_BGP_ROUTES_H

#include "bgp/path.h"

static inline struct prefix
bgp_routes_prefix(enum addr_family family, uint32_t i)
{
	const uint8_t v4[4] = {(uint8_t)(20 + (i >> 24)), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
	const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [12] = (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
				(uint8_t)i};
	struct addr addr = family == ADDR_V4 ? addr_v4(v4) : addr_v6(v6);

	return prefix_of(&addr, addr_bits(&addr));
}

/* One path for all, or one for each, which its MED tells from the others. */
static inline struct path
bgp_routes_path(bool own, uint32_t i)
{
	struct path path;

	path_init(&path);
	path.has_med = true;
	path.med = own ? i : 0;
	return path;
}

#endif
