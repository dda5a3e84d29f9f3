/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "controlplane/announce.h"

/* One VIP with two services on two pools. */
struct row {
	const char *name;
	enum model_announce policy;
	bool pools[2];
	bool dataplane, draining, served;
	unsigned n_services;
	enum announce_verdict expected;
};

static const struct row rows[] = {
	{"all pools serve", MODEL_ANNOUNCE_ALL, {true, true}, true, false, true, 2, ANNOUNCE_YES},
	{"one of all is down", MODEL_ANNOUNCE_ALL, {true, false}, true, false, true, 2, ANNOUNCE_POOL_DOWN},
	{"any is enough", MODEL_ANNOUNCE_ANY, {true, false}, true, false, true, 2, ANNOUNCE_YES},
	{"any needs one", MODEL_ANNOUNCE_ANY, {false, false}, true, false, true, 2, ANNOUNCE_POOL_DOWN},
	{"always goes on with all down", MODEL_ANNOUNCE_ALWAYS, {false, false}, true, false, true, 2, ANNOUNCE_YES},
	{"always still needs tables", MODEL_ANNOUNCE_ALWAYS, {true, true}, true, false, false, 2, ANNOUNCE_NOT_SERVED},
	{"always still needs a dataplane", MODEL_ANNOUNCE_ALWAYS, {true, true}, false, false, true, 2, ANNOUNCE_NO_DATAPLANE},
	{"never", MODEL_ANNOUNCE_NEVER, {true, true}, true, false, true, 2, ANNOUNCE_NEVER},
	{"draining", MODEL_ANNOUNCE_ALL, {true, true}, true, true, true, 2, ANNOUNCE_DRAINING},
	{"no dataplane", MODEL_ANNOUNCE_ALL, {true, true}, false, false, true, 2, ANNOUNCE_NO_DATAPLANE},
	{"healthy but not served yet", MODEL_ANNOUNCE_ALL, {true, true}, true, false, false, 2, ANNOUNCE_NOT_SERVED},
	{"no service", MODEL_ANNOUNCE_ALL, {true, true}, true, false, true, 0, ANNOUNCE_NO_SERVICE},
};

Test(announce, follows_policy_health_and_tables)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct model_vip vip = {.announce = row->policy};
		struct model_service services[2] = {{.pool = 0}, {.pool = 1}};
		struct model model = {.n_vips = 1, .vips = &vip, .n_services = row->n_services, .services = services};
		static const uint8_t percent[2] = {100, 100}, hands[1] = {ANNOUNCE_HAND_NONE};
		struct announce_services count;
		struct announce_facts facts = {.model = &model,
					       .services = &count,
					       .hands = hands,
					       .dataplane_alive = row->dataplane,
					       .draining = row->draining,
					       .served = &vip.prefix,
					       .n_served = row->served};

		cr_assert_eq(prefix_parse("10.99.0.1/32", &vip.prefix), 0);
		announce_count(&model, row->pools, percent, &count);
		cr_expect_eq(announce_decide(&facts, 0), row->expected, "%s: %s", row->name,
			     announce_reason(announce_decide(&facts, 0)));
	}
}
