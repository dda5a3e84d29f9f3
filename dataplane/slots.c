/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/slots.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct slots *
slots_new(uint64_t pool, uint64_t seed)
{
	struct slots *slots = aligned_alloc(4096, (sizeof(*slots) + 4095) & ~(size_t)4095);

	if (!slots)
		return NULL;
	/* Fewer TLB misses where the kernel has a large page at hand; nothing is lost where not. */
	madvise(slots, sizeof(*slots), MADV_HUGEPAGE);
	memset(slots, 0, sizeof(*slots));
	slots->pool = pool;
	slots->seed = seed;
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		slots->words[i] = slot_make(BACKEND_NONE, BACKEND_NONE, SLOT_STABLE);
		slots->owners[i] = steer_owner(slots->words[i]);
	}
	return slots;
}

static slot_word
stable(uint16_t owner)
{
	return slot_make(owner, owner, SLOT_STABLE);
}

static slot_word
settling(uint16_t owner)
{
	return slot_make(owner, owner, SLOT_SETTLING);
}

/* The owner stays. Only a moving slot whose previous owner died has something to do. */
static slot_word
kept(uint16_t owner, uint16_t previous, enum slot_state state)
{
	switch (state) {
	case SLOT_MOVING:
		return previous == BACKEND_NONE || previous == owner ? settling(owner)
								      : slot_make(owner, previous, SLOT_MOVING);
	case SLOT_SETTLING:
		return settling(owner);
	default:
		return stable(owner);
	}
}

slot_word
slots_next(slot_word before, uint16_t owner, const struct slots_translation *translation, bool *restart)
{
	uint16_t was = translation->to[slot_owner(before)];
	uint16_t previous = translation->to[slot_previous(before)];
	enum slot_state state = slot_state(before);

	*restart = false;
	if (was == owner)
		return kept(owner, previous, state);
	switch (state) {
	case SLOT_MOVING:
		/* Whatever opened on the owner of this window is in the flow tables; what they don't know is older than the
		 * window, and so the previous owner's, as long as that one lives. The window goes on. */
		return previous == BACKEND_NONE || previous == owner ? settling(owner)
								      : slot_make(owner, previous, SLOT_MOVING);
	case SLOT_SETTLING:
		if (was == BACKEND_NONE)
			return settling(owner);
		break;
	default:
		/* The owner died, and with it its flows. */
		if (was == BACKEND_NONE)
			return stable(owner);
	}
	*restart = true;
	return slot_make(owner, was, SLOT_MOVING);
}

static void
tally(struct slots *slots, slot_word word, uint32_t by)
{
	if (slot_state(word) == SLOT_MOVING)
		slots->moving += by;
	else if (slot_state(word) == SLOT_SETTLING)
		slots->settling += by;
}

void
slots_derive(struct slots *fresh, const uint16_t *owners, const struct slots *before,
	     const struct slots_translation *translation, uint32_t window_end_s)
{
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		bool restart = false;

		fresh->words[i] = before ? slots_next(before->words[i], owners[i], translation, &restart)
					 : stable(owners[i]);
		fresh->owners[i] = steer_owner(fresh->words[i]);
		fresh->window_end_s[i] = restart || !before ? window_end_s : before->window_end_s[i];
		tally(fresh, fresh->words[i], 1);
	}
	/* Until a sweep has looked, every slot may have flows. */
	memset(fresh->flows, 0xff, sizeof(fresh->flows));
}

static void
replace(struct slots *slots, unsigned i, slot_word word)
{
	tally(slots, slots->words[i], UINT32_MAX);
	tally(slots, word, 1);
	/* Relaxed: the word says all there is, and workers may go on with the old one for a burst. */
	__atomic_store_n(&slots->words[i], word, __ATOMIC_RELAXED);
	__atomic_store_n(&slots->owners[i], steer_owner(word), __ATOMIC_RELAXED);
}

void
slots_advance(struct slots *slots, uint32_t now_s)
{
	for (unsigned i = 0; i < ABI_SLOTS && slots->moving + slots->settling > 0; i++) {
		slot_word word = slots->words[i];
		bool has_flows = slots->flows[i / 64] >> (i % 64) & 1;

		if (slot_state(word) == SLOT_SETTLING && !has_flows)
			replace(slots, i, stable(slot_owner(word)));
		else if (slot_state(word) == SLOT_MOVING && (int32_t)(now_s - slots->window_end_s[i]) >= 0)
			replace(slots, i, settling(slot_owner(word)));
	}
}

bool
slots_is_stable(const struct slots *slots)
{
	return slots->moving + slots->settling == 0;
}
