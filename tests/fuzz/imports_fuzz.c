/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/{codec,attributes,update,flowspec,flowspec_text,rib_in}.c controlplane/{imports,filters,match,program}.c base/?*.c */
/* packages: libevent jansson libpcap libelf */
/*
 * What a peer may do to what we import: the first octet says what the session is, then come steps of one octet, an UPDATE's
 * body behind its length in two octets among them. One rib_in lives in a time of the input's own, and imports with its
 * filters beside it. Whatever comes, what is kept is bounded, in order, and gone in the end.
 */
#include <stdlib.h>
#include <string.h>

#include "controlplane/imports.h"
#include "controlplane/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 5, OURS = 65001, PEER = 65002 };
#define S UINT64_C(1000000000)

enum step { UPDATE = 0, END_OF_RIB, BEGINS, ENDED, FAMILY_DOWN, LOST, UP, TIME };

static struct event_base *base;
static struct filters *filters;
static struct model model;
static struct model_vip vips[2];

struct world {
	struct imports *imports;
	struct rib_in *rib;
	struct bgp_update_context context;
	uint64_t now;
	bool is_up;
};

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
on_changed(void *context)
{
	(void)context;
}

static void
on_tallied(void *context, const char *peer, const struct imports_tally *now)
{
	(void)context, (void)peer, (void)now;
}

static void
on_refresh(void *context, const char *peer, enum bgp_family family)
{
	(void)context, (void)peer, (void)family;
}

static void
once(void)
{
	vips[0].prefix = (struct prefix){.addr = {.family = ADDR_V4, .octets = {192, 0, 2}}, .len = 24};
	vips[1].prefix = (struct prefix){.addr = {.family = ADDR_V6, .octets = {0x20, 1, 0xd, 0xb8}}, .len = 32};
	model.vips = vips;
	model.n_vips = 2;
	for (unsigned i = 0; i < MODEL_IMPORTS; i++)
		model.imports[i] = (struct model_import){.max = MAX, .lifetime_s = 100, .actions = MODEL_IMPORT_ACTIONS};
	base = event_base_new();
	filters = filters_new("/nonexistent/filters");
	must(base && filters);
}

static void
begin(struct world *world, uint8_t how)
{
	const struct imports_events events = {.changed = on_changed, .tallied = on_tallied, .refresh = on_refresh};
	struct bgp_config peer = {.name = "p", .local_as = OURS, .peer_as = how & 1 ? OURS : PEER, .flowspec = true,
				  .import_blackhole = true, .no_validation = how & 2};
	struct rib_in_config config = {.takes = {true, true}, .max = {MAX, MAX}, .lifetime_ns = {100 * S, 0}, .ibgp = how & 1,
				       .no_validation = how & 2, .local_as = OURS, .peer_as = peer.peer_as};
	const struct prefix ours[] = {vips[0].prefix, vips[1].prefix};

	*world = (struct world){.now = S,
				.context = {.as4 = how & 4, .ibgp = how & 1, .extended_next_hop = how & 8,
					    .role = BGP_ROLE_NONE, .peer_as = peer.peer_as}};
	world->imports = imports_new(base, &events);
	world->rib = rib_in_new(&config);
	must(world->imports && world->rib && imports_apply(world->imports, &model) == 0 && rib_in_ours(world->rib, ours, 2) == 0);
	imports_join(world->imports, &peer);
}

static void
rib_check(const struct rib_in *rib)
{
	unsigned n[RIB_IN_KINDS] = {0};

	for (unsigned i = 0; i < rib_in_count(rib); i++) {
		const struct rib_in_entry *e = rib_in_at(rib, i), *before = i ? rib_in_at(rib, i - 1) : NULL;
		struct program program;
		char fault[PROGRAM_FAULT_MAX];

		n[e->kind]++;
		must(!before || before->kind < e->kind ||
		     (before->kind == e->kind && flowspec_compare(&before->rule, &e->rule) < 0));
		must(match_compile(&e->rule, &program, fault) != 0 || (program.n > 0 && program.n <= ABI_FILTER_INSNS_MAX));
	}
	must(n[RIB_IN_FLOWSPEC] <= MAX && n[RIB_IN_BLACKHOLE] <= MAX);
}

static void
check(struct world *world)
{
	struct imports_tally tally;

	rib_in_expire(world->rib, world->now);
	must(rib_in_deadline_ns(world->rib) > world->now);
	rib_check(world->rib);
	imports_fill(world->imports, filters);
	tally = imports_tally(world->imports, 0);
	must(filters_count(filters) == tally.used && tally.held == 0);
	rib_check(imports_rib(world->imports, 0));
}

static void
update(struct world *world, const uint8_t **data, const uint8_t *end)
{
	struct bgp_update u;
	size_t len;

	if (end - *data < 2)
		return;
	len = (size_t)(*data)[0] << 8 | (*data)[1];
	*data += 2;
	if (len > (size_t)(end - *data))
		len = (size_t)(end - *data);
	bgp_update_decode(*data, len, &world->context, &u);
	*data += len;
	if (u.outcome == BGP_SESSION_RESET)
		return;
	rib_in_update(world->rib, &u, world->now);
	imports_update(world->imports, "p", &u);
}

static void
session(struct world *world, bool is_up, uint8_t how)
{
	struct rib_in_restart restarts[BGP_FAMILIES];

	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		restarts[f] = (struct rib_in_restart){.is_kept = how >> f & 1, .ends = how & 4, .restart_ns = (how >> 4 & 1) * 10 * S,
						      .long_lived_ns = (how >> 5 & 1) * 50 * S};
	if (world->is_up == is_up)
		return;
	world->is_up = is_up;
	imports_state(world->imports, "p", is_up, restarts);
	if (is_up)
		rib_in_up(world->rib, restarts, world->now);
	else
		rib_in_lost(world->rib, restarts, world->now);
}

static void
step(struct world *world, uint8_t what, const uint8_t **data, const uint8_t *end)
{
	enum bgp_family family = (enum bgp_family)(what >> 3 & 3);

	switch ((enum step)(what & 7)) {
	case UPDATE:
		update(world, data, end);
		break;
	case END_OF_RIB:
		rib_in_end_of_rib(world->rib, family);
		imports_end_of_rib(world->imports, "p", family);
		break;
	case BEGINS:
	case ENDED:
		rib_in_refresh(world->rib, family, (what & 7) == BEGINS, world->now);
		imports_refresh(world->imports, "p", family, (what & 7) == BEGINS);
		break;
	case FAMILY_DOWN:
		rib_in_drop(world->rib, family);
		imports_family_down(world->imports, "p", family);
		break;
	case LOST:
	case UP:
		session(world, (what & 7) == UP, *data < end ? *(*data)++ : 0);
		break;
	case TIME:
		world->now += (what >> 3) * S;
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	struct world world;

	if (!base)
		once();
	if (size == 0)
		return 0;
	begin(&world, *data++);
	while (data < end) {
		uint8_t what = *data++;

		step(&world, what, &data, end);
		check(&world);
	}
	rib_in_lost(world.rib, NULL, world.now);
	must(rib_in_count(world.rib) == 0 && rib_in_deadline_ns(world.rib) == UINT64_MAX);
	rib_in_free(world.rib);
	imports_leave(world.imports, "p");
	imports_fill(world.imports, filters);
	must(filters_count(filters) == 0);
	imports_free(world.imports);
	return 0;
}
