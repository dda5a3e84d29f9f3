/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The paths of one peer's routes, each kept once and without the room that its communities don't use, so that a thousand
 * routes with their own paths cost tens of octets each, not struct path's 800. Owned by a rib_out. One thread.
 */
#ifndef BGP_PATH_STORE_H
#define BGP_PATH_STORE_H

#include "bgp/bgp.h"
#include "bgp/hash_index.h"
#include "bgp/path.h"

enum { PATH_NONE = UINT32_MAX };

struct stored_path {
	uint32_t uses; /* entries that want it, were told it, or are being told it */
	uint32_t hash;
	uint32_t last; /* rib_out's: the last entry that waits to be announced with it */
	uint16_t len;
	uint8_t family; /* one path used in two families is two, so that each knows what waits for it */
	uint8_t octets[];
};

struct path_store {
	struct stored_path **paths; /* NULL where none is */
	uint32_t count;		    /* of the array, free places included */
	uint32_t room;
	uint32_t *free;
	uint32_t n_free;
	struct hash_index index;
};

void path_store_fini(struct path_store *store);
/* The number of this path, with one more use. -ENOMEM. */
MUST_CHECK int path_store_use(struct path_store *store, enum bgp_family family, const struct path *path, uint32_t *out);
void path_store_hold(struct path_store *store, uint32_t number);  /* one more use of a number; PATH_NONE is passed over */
void path_store_leave(struct path_store *store, uint32_t number); /* one less */
void path_store_read(const struct path_store *store, uint32_t number, struct path *out);

#endif
