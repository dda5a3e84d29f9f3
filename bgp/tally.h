/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many different routes a peer has told us, counted exactly and without keeping them: a set of 64-bit fingerprints
 * under a key that the peer doesn't know. Its room is made once, for the limit that the operator set; what goes beyond
 * the limit is told, not stored. One thread.
 */
#ifndef BGP_TALLY_H
#define BGP_TALLY_H

#include "bgp/bgp.h"

struct tally;

struct tally *tally_new(uint32_t limit, uint64_t seed); /* NULL: no memory */
void tally_free(struct tally *tally);
void tally_clear(struct tally *tally);

/* false: it is new, and one more than the limit. */
MUST_CHECK bool tally_add(struct tally *tally, enum bgp_family family, const void *octets, size_t len);
void tally_remove(struct tally *tally, enum bgp_family family, const void *octets, size_t len);
uint32_t tally_count(const struct tally *tally);

#endif
