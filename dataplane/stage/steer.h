/* SPDX-License-Identifier: BSD-2-Clause */
/* Contract only (the owner of the stage completes this file). */
#ifndef DATAPLANE_STAGE_STEER_H
#define DATAPLANE_STAGE_STEER_H

#include "dataplane/packet.h"

/* A slot of a pool's table in one word: owner (14 bits), previous owner (14 bits), state (2 bits). */
typedef uint32_t slot_word;

enum slot_state {
	SLOT_STABLE = 0, /* the owner, nothing is looked up */
	SLOT_MOVING,	 /* flows in the table stay; opening packets and recorded ones: owner; unknown mid-flow: previous */
	SLOT_SETTLING,	 /* flows in the table stay; all else: owner */
};

static inline slot_word
slot_make(uint16_t owner, uint16_t previous, enum slot_state state)
{
	return (slot_word)owner | (slot_word)previous << 14 | (slot_word)state << 28;
}

static inline uint16_t
slot_owner(slot_word slot)
{
	return slot & 0x3fff;
}

static inline uint16_t
slot_previous(slot_word slot)
{
	return slot >> 14 & 0x3fff;
}

static inline enum slot_state
slot_state(slot_word slot)
{
	return (enum slot_state)(slot >> 28 & 3);
}

/* What steer needs of a service. `slots` is a pool's table, shared by the services that use the pool (or the service's
 * own while it changes its pool); tables.c owns it. */
struct steer_service {
	const slot_word *slots; /* [ABI_SLOTS] */
	uint64_t seed;
	uint16_t idle_s;
	uint8_t affinity; /* enum abi_affinity */
	uint8_t hash_on;  /* enum abi_hash_on */
};

#endif
