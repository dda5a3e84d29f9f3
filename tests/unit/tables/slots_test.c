/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "dataplane/slots.h"

enum { A = 1, B, C, DEAD, NONE = BACKEND_NONE, STABLE = SLOT_STABLE, MOVING = SLOT_MOVING, SETTLING = SLOT_SETTLING };

static struct slots_translation names;

static void
names_init(void)
{
	for (unsigned i = 0; i <= ABI_BACKENDS_MAX; i++)
		names.to[i] = i == A || i == B || i == C ? (uint16_t)i : BACKEND_NONE;
}

TestSuite(slots, .init = names_init);

Test(slots, remembers_the_previous_owner_while_flows_may_be_on_it)
{
	static const struct {
		const char *name;
		uint16_t owner, previous, state, to, to_owner, to_previous, to_state;
		bool restart;
	} rows[] = {
		{"stable, kept", A, A, STABLE, A, A, A, STABLE, false},
		{"stable, changed", A, A, STABLE, B, B, A, MOVING, true},
		{"stable, owner dead", DEAD, DEAD, STABLE, B, B, B, STABLE, false},
		{"stable, nobody's", NONE, NONE, STABLE, A, A, A, STABLE, false},
		{"stable, to nobody", A, A, STABLE, NONE, NONE, A, MOVING, true},
		{"moving, kept", B, A, MOVING, B, B, A, MOVING, false},
		{"moving, kept, previous dead", B, DEAD, MOVING, B, B, B, SETTLING, false},
		{"moving, changed", B, A, MOVING, C, C, A, MOVING, false},
		{"moving, returned", B, A, MOVING, A, A, A, SETTLING, false},
		{"moving, changed, previous dead", B, DEAD, MOVING, C, C, C, SETTLING, false},
		{"moving, changed, owner dead", DEAD, A, MOVING, C, C, A, MOVING, false},
		{"settling, kept", A, A, SETTLING, A, A, A, SETTLING, false},
		{"settling, changed", A, A, SETTLING, B, B, A, MOVING, true},
		{"settling, owner dead", DEAD, DEAD, SETTLING, B, B, B, SETTLING, false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		bool restart;
		slot_word word = slots_next(slot_make(rows[i].owner, rows[i].previous, rows[i].state), rows[i].to, &names,
					    &restart);

		cr_expect_eq(word, slot_make(rows[i].to_owner, rows[i].to_previous, rows[i].to_state), "%s: %u %u %u",
			     rows[i].name, slot_owner(word), slot_previous(word), slot_state(word));
		cr_expect_eq(restart, rows[i].restart, "%s", rows[i].name);
	}
}

Test(slots, settle_after_the_window_and_rest_when_no_flow_is_left)
{
	static uint16_t owners[ABI_SLOTS];
	struct slots *first = slots_new(1, 1), *second = slots_new(1, 1);

	for (unsigned i = 0; i < ABI_SLOTS; i++)
		owners[i] = A;
	slots_derive(first, owners, NULL, NULL, 0);
	cr_expect(slots_is_stable(first));
	owners[9] = B;
	slots_derive(second, owners, first, &names, 100);
	cr_expect_eq(second->moving, 1);
	slots_advance(second, 99);
	cr_expect_eq(second->words[9], slot_make(B, A, SLOT_MOVING));
	slots_advance(second, 100);
	cr_expect_eq(second->words[9], slot_make(B, B, SLOT_SETTLING));
	slots_advance(second, 101);
	cr_expect_eq(second->settling, 1, "the sweep still saw a flow");
	second->flows[0] = 0;
	slots_advance(second, 102);
	cr_expect_eq(second->words[9], slot_make(B, B, SLOT_STABLE));
	cr_expect(slots_is_stable(second));
	free(first);
	free(second);
}
