/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "dataplane/stage/parse.h"
#include "dataplane/stage/steer.h"
#include "frames.h"

enum { OWNER = 1, PREVIOUS = 2, OTHER = 3, DEAD = 4, NOBODY = BACKEND_NONE, UNKNOWN = 0xffff, NOW_S = 1000 };

static struct burst burst;
static slot_word slots[ABI_SLOTS];
static uint16_t owners[ABI_SLOTS];
static uint8_t alive[ABI_BACKENDS_MAX + 1];
static struct steer_service service = {.owners = owners, .slots = slots, .seed = 42, .idle_s = 300};
static _Atomic uint64_t counters[WORKER_COUNTER_COUNT];
static struct steer steer;

static void
steer_setup(void)
{
	frames_init();
	alive[OWNER] = alive[PREVIOUS] = alive[OTHER] = 1;
	steer = (struct steer){.flows = flowtable_new(0, SOCKET_ID_ANY), .counters = counters};
}

static void
steer_teardown(void)
{
	frames_clear(&burst);
	flowtable_free(steer.flows);
}

TestSuite(steer, .init = steer_setup, .fini = steer_teardown);

#define MID   ETH4 IP4("0028", "0000", "06") TCP("10")
#define SYN   ETH4 IP4("0028", "0000", "06") TCP("02")
#define ERROR ETH4 IP4("0038", "0000", "01") "0304000000000500 " QUOTED4("05dc", "4000", "06") "01bb1388 00000001"

static void
slots_set(uint16_t owner, uint16_t previous, enum slot_state state)
{
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		slots[i] = slot_make(owner, previous, state);
		owners[i] = steer_owner(slots[i]);
	}
}

static struct packet *
steered(const char *hex, uint32_t now_s)
{
	struct packet *p = (frames_clear(&burst), frames_add(&burst, hex));

	frames_parse(&burst);
	p->service = 0;
	steer_hash(&service, p);
	burst.now_s = now_s;
	steer_burst(&steer, &service, alive, &burst);
	return p;
}

/* The backend on record for the flow of the last packet. */
static uint16_t
recorded(uint32_t now_s)
{
	struct flowtable_entry entry = flowtable_lookup(steer.flows, burst.packets[0].flow, now_s, service.idle_s);

	return entry.at ? flowtable_backend(entry.word) : UNKNOWN;
}

static void
flow_record(const char *hex, uint16_t backend, bool opened, uint32_t seen_s)
{
	uint64_t key;
	uint8_t affinity = service.affinity;

	service.affinity = ABI_AFFINITY_NONE;
	key = steered(hex, seen_s)->flow;
	service.affinity = affinity;
	for (unsigned i = 0; i < FLOWTABLE_WAYS; i++)
		flowtable_bucket(steer.flows, key)->words[i] = 0;
	if (backend != UNKNOWN)
		flowtable_insert(steer.flows, key, flowtable_word(key, backend, opened, seen_s), service.idle_s);
}

static const struct {
	const char *name;
	uint8_t affinity;
	enum slot_state state;
	uint16_t owner, previous, known;
	bool known_opened;
	uint32_t known_age_s;
	const char *hex;
	uint16_t to, recorded; /* afterwards */
} rows[] = {
	{"stable", 0, SLOT_STABLE, OWNER, NOBODY, OTHER, false, 1, MID, OWNER, OTHER},
	{"stable opens", 0, SLOT_STABLE, OWNER, NOBODY, UNKNOWN, false, 1, SYN, OWNER, UNKNOWN},
	{"stable dead", 0, SLOT_STABLE, DEAD, NOBODY, UNKNOWN, false, 1, MID, NOBODY, UNKNOWN},
	{"stable none", 0, SLOT_STABLE, NOBODY, NOBODY, UNKNOWN, false, 1, MID, NOBODY, UNKNOWN},
	{"none moving", ABI_AFFINITY_NONE, SLOT_MOVING, OWNER, PREVIOUS, OTHER, false, 1, MID, OWNER, OTHER},
	{"moving known", 0, SLOT_MOVING, OWNER, PREVIOUS, OTHER, false, 1, MID, OTHER, OTHER},
	{"moving known dead", 0, SLOT_MOVING, OWNER, PREVIOUS, DEAD, false, 1, MID, PREVIOUS, PREVIOUS},
	{"moving known idle", 0, SLOT_MOVING, OWNER, PREVIOUS, OTHER, false, 301, MID, PREVIOUS, PREVIOUS},
	{"moving unknown", 0, SLOT_MOVING, OWNER, PREVIOUS, UNKNOWN, false, 1, MID, PREVIOUS, PREVIOUS},
	{"moving unknown, previous dead", 0, SLOT_MOVING, OWNER, DEAD, UNKNOWN, false, 1, MID, OWNER, UNKNOWN},
	{"moving unknown, all dead", 0, SLOT_MOVING, DEAD, DEAD, UNKNOWN, false, 1, MID, NOBODY, UNKNOWN},
	{"moving opens", 0, SLOT_MOVING, OWNER, PREVIOUS, UNKNOWN, false, 1, SYN, OWNER, OWNER},
	{"moving opens again", 0, SLOT_MOVING, OWNER, PREVIOUS, OTHER, true, 3, SYN, OTHER, OTHER},
	{"moving opens long after", 0, SLOT_MOVING, OWNER, PREVIOUS, OTHER, true, 60, SYN, OWNER, OWNER},
	{"moving opens over a mid-flow one", 0, SLOT_MOVING, OWNER, PREVIOUS, PREVIOUS, false, 3, SYN, OWNER, OWNER},
	{"moving opens, owner dead", 0, SLOT_MOVING, DEAD, PREVIOUS, UNKNOWN, false, 1, SYN, NOBODY, UNKNOWN},
	{"settling known", 0, SLOT_SETTLING, OWNER, PREVIOUS, PREVIOUS, false, 1, MID, PREVIOUS, PREVIOUS},
	{"settling known dead", 0, SLOT_SETTLING, OWNER, PREVIOUS, DEAD, false, 1, MID, OWNER, DEAD},
	{"settling unknown", 0, SLOT_SETTLING, OWNER, PREVIOUS, UNKNOWN, false, 1, MID, OWNER, UNKNOWN},
	{"settling opens", 0, SLOT_SETTLING, OWNER, PREVIOUS, PREVIOUS, false, 1, SYN, OWNER, OWNER},
	{"tracked stable known", ABI_AFFINITY_TRACKED, SLOT_STABLE, OWNER, NOBODY, OTHER, false, 1, MID, OTHER, OTHER},
	{"tracked stable unknown", ABI_AFFINITY_TRACKED, SLOT_STABLE, OWNER, NOBODY, UNKNOWN, false, 1, MID, OWNER,
	 OWNER},
	{"tracked moving unknown", ABI_AFFINITY_TRACKED, SLOT_MOVING, OWNER, PREVIOUS, UNKNOWN, false, 1, MID, PREVIOUS,
	 PREVIOUS},
	{"tracked settling unknown", ABI_AFFINITY_TRACKED, SLOT_SETTLING, OWNER, PREVIOUS, UNKNOWN, false, 1, MID,
	 OWNER, OWNER},
	{"error known", 0, SLOT_MOVING, OWNER, PREVIOUS, OTHER, false, 1, ERROR, OTHER, OTHER},
	{"error unknown", 0, SLOT_MOVING, OWNER, PREVIOUS, UNKNOWN, false, 1, ERROR, PREVIOUS, UNKNOWN},
	{"error stable", 0, SLOT_STABLE, OWNER, NOBODY, UNKNOWN, false, 1, ERROR, OWNER, UNKNOWN},
	{"error known dead", 0, SLOT_SETTLING, OWNER, PREVIOUS, DEAD, false, 1, ERROR, OWNER, DEAD},
};

Test(steer, decides_by_slot_state_and_flow)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct packet *p;

		service.affinity = rows[i].affinity;
		service.owners = rows[i].affinity == ABI_AFFINITY_TRACKED ? steer_tracked : owners;
		slots_set(rows[i].owner, rows[i].previous, rows[i].state);
		flow_record(rows[i].hex, rows[i].known, rows[i].known_opened, NOW_S - rows[i].known_age_s);
		p = steered(rows[i].hex, NOW_S);
		cr_expect_eq(p->backend, rows[i].to, "%s: backend %u", rows[i].name, p->backend);
		cr_expect_eq(p->verdict, rows[i].to == NOBODY ? VERDICT_NO_BACKEND : VERDICT_OPEN, "%s: verdict %u",
			     rows[i].name, p->verdict);
		cr_expect_eq(recorded(NOW_S), rows[i].recorded, "%s: recorded %u", rows[i].name, recorded(NOW_S));
	}
}

Test(steer, keeps_a_flow_while_its_slot_moves_and_settles)
{
	slots_set(OWNER, PREVIOUS, SLOT_MOVING);
	cr_expect_eq(steered(MID, 10)->backend, PREVIOUS);
	slots_set(OWNER, PREVIOUS, SLOT_SETTLING);
	for (uint32_t now_s = 200; now_s < 70000; now_s += 200)
		cr_expect_eq(steered(MID, now_s)->backend, PREVIOUS);
	cr_expect_eq(steered(MID, 70200 + 101)->backend, OWNER);
	cr_expect_eq(counters[WORKER_MOVING_PREVIOUS], 1);
	cr_expect_eq(counters[WORKER_FLOW_INSERTS], 1);
}

Test(steer, finds_an_errors_flow_in_another_workers_table)
{
	struct flowtable *other = steer.flows;

	slots_set(OWNER, PREVIOUS, SLOT_MOVING);
	flow_record(ERROR, OTHER, false, NOW_S);
	steer.flows = flowtable_new(0, SOCKET_ID_ANY);
	cr_expect_eq(steered(ERROR, NOW_S)->backend, PREVIOUS);
	steer.others = &other;
	steer.n_others = 1;
	cr_expect_eq(steered(ERROR, NOW_S)->backend, OTHER);
	cr_expect_eq(recorded(NOW_S), UNKNOWN);
	flowtable_free(other);
}

Test(steer, gives_an_error_the_hash_of_its_flow)
{
	uint64_t flow = steered(MID, NOW_S)->flow;

	cr_expect_eq(steered(ERROR, NOW_S)->flow, flow);
}

Test(steer, picks_the_slot_by_the_client_alone_where_asked)
{
	uint64_t first, second;

	service.hash_on = ABI_HASH_SOURCE;
	first = steered(MID, NOW_S)->flow;
	second = steered(ETH4 IP4("001c", "0000", "11") UDP("0008"), NOW_S)->flow;
	cr_expect_eq(first >> 48, second >> 48);
	cr_expect_neq(first, second);
}

Test(steer, leaves_what_has_no_service_alone)
{
	struct packet *p = frames_add(&burst, MID);

	slots_set(OWNER, PREVIOUS, SLOT_STABLE);
	frames_parse(&burst);
	steer_burst(&steer, &service, alive, &burst);
	cr_expect_eq(p->backend, BACKEND_NONE);
	cr_expect_eq(p->verdict, VERDICT_OPEN);
}
