/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot table and how it follows from the one before. Workers read the words while time changes their state in place:
 * a word is written whole, and every state that a slot passes through is right for the packets that meet it.
 * Main lcore writes.
 */
#ifndef DATAPLANE_SLOTS_H
#define DATAPLANE_SLOTS_H

#include "dataplane/stage/steer.h"

struct slots {
	slot_word words[ABI_SLOTS];
	uint16_t owners[ABI_SLOTS];	  /* steer_owner() of each: half the cache for what is stable */
	uint32_t window_end_s[ABI_SLOTS]; /* of moving slots; tables_tick's seconds */
	uint64_t flows[ABI_SLOTS / 64];	  /* the last sweep found a flow that isn't its owner's */
	uint64_t pool;			  /* key */
	uint64_t seed;
	uint32_t moving;
	uint32_t settling;
	bool in_use; /* by the newest snapshot; for the garbage collection of tables.c */
	struct slots *next;
};

/* How a backend index of the generation before is called in the new one: itself, another with the same target in the
 * pool, or BACKEND_NONE when it is gone. */
struct slots_translation {
	uint16_t to[ABI_BACKENDS_MAX + 1];
};

struct slots *slots_new(uint64_t pool, uint64_t seed); /* all owners none; NULL: no memory */

/* Fills `fresh` with the owners (dataplane indices or BACKEND_NONE). before: NULL when there is no history. */
void slots_derive(struct slots *fresh, const uint16_t *owners, const struct slots *before,
		  const struct slots_translation *translation, uint32_t window_end_s);

/* The rule for one slot; *restart: its window begins anew. */
slot_word slots_next(slot_word before, uint16_t owner, const struct slots_translation *translation, bool *restart);

/* Moving slots whose window is over settle; settling ones in which the last sweep found no flow become stable. Slots
 * that begin to settle now are left for the next call: the sweep didn't look at them as settling ones. */
void slots_advance(struct slots *slots, uint32_t now_s);
bool slots_is_stable(const struct slots *slots);

#endif
