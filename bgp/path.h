/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What policy says of a route that we announce: path attributes as a value without pointers. Made by path_init() and
 * path_add_*(), which keep communities ascending and without repetition, and all padding zero, so that memcmp compares.
 * Numbers are in host order. No state; any thread.
 */
#ifndef BGP_PATH_H
#define BGP_PATH_H

#include "base/addr.h"

enum {
	PATH_COMMUNITIES_MAX = 32, /* of each kind */
	PATH_PREPEND_MAX = 16,
};

/* RFC 1997, 7999, 8326: the high half is 0xffff. */
enum bgp_well_known {
	BGP_GRACEFUL_SHUTDOWN = 0xffff0000,
	BGP_LLGR_STALE = 0xffff0006, /* RFC 9494 */
	BGP_NO_LLGR = 0xffff0007,
	BGP_BLACKHOLE = 0xffff029a,
	BGP_NO_EXPORT = 0xffffff01,
	BGP_NO_ADVERTISE = 0xffffff02,
	BGP_NO_EXPORT_SUBCONFED = 0xffffff03,
};

struct path_large { /* RFC 8092 */
	uint32_t global;
	uint32_t local1;
	uint32_t local2;
};

struct path {
	struct addr next_hop;	   /* ADDR_NONE: the session's (bgp.h) */
	uint32_t med;		   /* MULTI_EXIT_DISC, when has_med */
	uint32_t local_pref;	   /* LOCAL_PREF towards iBGP peers; 100 when policy says nothing */
	uint8_t origin;		   /* RFC 4271 5.1.1: 0 IGP, 1 EGP, 2 INCOMPLETE */
	uint8_t prepend;	   /* our AS so many times more, 0..PATH_PREPEND_MAX */
	bool has_med;
	uint8_t n_communities;
	uint8_t n_extended;
	uint8_t n_large;
	uint8_t zero[2];
	uint32_t communities[PATH_COMMUNITIES_MAX];
	uint64_t extended[PATH_COMMUNITIES_MAX]; /* RFC 4360: the eight octets as one number */
	struct path_large large[PATH_COMMUNITIES_MAX];
};

void path_init(struct path *path); /* IGP, LOCAL_PREF 100, nothing else */

/* -ENOSPC: PATH_COMMUNITIES_MAX of this kind are there. One that is there already is no error. */
MUST_CHECK int path_add_community(struct path *path, uint32_t community);
MUST_CHECK int path_add_extended(struct path *path, uint64_t community);
MUST_CHECK int path_add_large(struct path *path, const struct path_large *community);

#endif
