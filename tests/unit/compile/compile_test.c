/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/compile.h"

/* Two pools: web (l2: a, b, c) and dns (ipip: d over IPv6). */
static struct model_backend web[] = {{.name = "a", .weight = 1}, {.name = "b", .weight = 1}, {.name = "c", .weight = 0}};
static struct model_backend dns[] = {{.name = "d", .weight = 10}};
static struct model_pool pools[2];
static struct model_vip vips[] = {{.name = "v4", .refuse = true}};
static struct model_service services[] = {
	{.name = "http4", .pool = 0, .protocol = 6, .port_first = 80, .port_last = 80},
	{.name = "dns4", .pool = 1, .protocol = 17, .port_first = 53, .port_last = 53, .affinity = ABI_AFFINITY_NONE},
};
static struct model model;
static struct abi_port ports[2] = {{.ifindex = 3, .mtu = 1500}, {.ifindex = 9, .mtu = 1400}};
static bool usable[4], reachable[4], drained[4];
static bool via_gateway;
static struct compile *compile;

static bool
lookup(const void *context, const struct addr *addr, struct neighbour *out)
{
	(void)context;
	*out = (struct neighbour){.ifindex = 9, .mtu = 9000, .via_gateway = via_gateway};
	out->mac[5] = via_gateway ? 1 : addr->octets[3];
	return addr->octets[3] != 2; /* b has no MAC yet */
}

static void
setup(void)
{
	pools[0] = (struct model_pool){.name = "web", .n_backends = 3, .backends = web, .min_healthy = 1};
	pools[1] = (struct model_pool){
		.name = "dns", .n_backends = 1, .backends = dns, .encap = ABI_ENCAP_IPIP, .min_healthy = 1};
	for (unsigned i = 0; i < 3; i++)
		web[i].addr = addr_v4((const uint8_t[]){10, 77, 0, (uint8_t)(i + 1)});
	cr_assert_eq(addr_parse("fd77::4", &dns[0].addr), 0);
	cr_assert_eq(prefix_parse("10.99.0.1", &vips[0].prefix), 0);
	model = (struct model){.n_vips = 1, .vips = vips, .n_pools = 2, .pools = pools, .n_services = 2, .services = services};
	cr_assert_eq(addr_parse("fd77::ffff", &model.source_v6), 0);
	cr_assert_eq(addr_parse("10.77.0.9", &model.source_v4), 0);
	memset(usable, true, sizeof(usable));
	memset(reachable, true, sizeof(reachable));
	memset(drained, false, sizeof(drained));
	cr_assert_eq(compile_new(&compile), 0);
}

static void
teardown(void)
{
	compile_free(compile);
}

TestSuite(compile, .init = setup, .fini = teardown);

static struct compiled *
run(void)
{
	const struct compile_input input = {.model = &model,
					    .usable = usable,
					    .reachable = reachable,
					    .drained = drained,
					    .lookup = lookup,
					    .ports = ports,
					    .n_ports = 2};
	struct compiled *image;

	cr_assert_eq(compile_tables(compile, &input, &image), 0);
	return image;
}

static unsigned
slots_of(const struct compiled *image, unsigned pool, uint16_t owner)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_SLOTS; i++)
		n += image->slots[pool * ABI_SLOTS + i] == owner;
	return n;
}

Test(compile, makes_a_record_of_everything)
{
	struct compiled *image = run();
	const struct abi_backend *d = &image->backends[3].backend;

	cr_expect_eq(image->vips[0].vip.key, compile_key("v4"));
	cr_expect_eq(image->vips[0].vip.refuse, 1);
	cr_expect_eq(image->vips[0].vip.len, 32);
	cr_expect_eq(image->services[1].service.pool, 1);
	cr_expect_eq(image->services[1].service.port_first, 53);
	cr_expect_eq(image->services[1].service.affinity, ABI_AFFINITY_NONE);
	cr_expect_eq(image->pools[1].pool.key, compile_key("dns"));
	cr_expect_eq(d->key, compile_key("dns/d"));
	cr_expect_eq(d->key, compile_backend_key("dns", "d"));
	cr_expect(addr_equal(&d->source, &model.source_v6));
	cr_expect_eq(image->backends[0].backend.source.family, ADDR_NONE);
	cr_expect_eq(slots_of(image, 0, 0) + slots_of(image, 0, 1), ABI_SLOTS);
	cr_expect_eq(slots_of(image, 1, 3), ABI_SLOTS);
	compiled_free(image);
}

Test(compile, names_the_port_and_the_smaller_mtu_of_a_next_hop)
{
	struct compiled *image = run();
	const struct abi_nexthop *nexthop = &image->nexthops[0].nexthop;

	cr_expect_eq(image->backends[0].backend.nexthop, 0);
	cr_expect_eq(nexthop->port, 1);
	cr_expect_eq(nexthop->mtu, 1400);
	cr_expect_eq(nexthop->destination_mac[5], 1);
	cr_expect_eq(image->backends[1].backend.nexthop, ABI_NEXTHOP_NONE);
	cr_expect_eq(image->nexthops[1].type, 0);
	compiled_free(image);
}

Test(compile, shares_a_next_hop_between_tunnels_behind_one_router_and_gives_l2_none)
{
	struct compiled *image;

	via_gateway = true;
	pools[0].encap = ABI_ENCAP_GUE;
	image = run();
	cr_expect_eq(image->backends[0].backend.nexthop, 0);
	cr_expect_eq(image->backends[2].backend.nexthop, 0);
	cr_expect_eq(image->backends[3].backend.nexthop, 0);
	compiled_free(image);
	pools[0].encap = ABI_ENCAP_L2;
	image = run();
	cr_expect_eq(image->backends[0].backend.nexthop, ABI_NEXTHOP_NONE);
	cr_expect_eq(image->backends[3].backend.nexthop, 3);
	compiled_free(image);
	via_gateway = false;
}

/* Usable is what is healthy and reachable, as facts has it. */
static const struct {
	const char *what;
	bool usable[3], reachable[3], drained[3], fail_open;
	bool has_record[3], has_slots[3];
} fates[] = {
	{"weight zero keeps its record", {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, false, {1, 1, 1}, {1, 1, 0}},
	{"a drained one keeps its record", {1, 1, 1}, {1, 1, 1}, {1, 0, 0}, false, {1, 1, 1}, {0, 1, 0}},
	{"a dead one has none", {0, 1, 1}, {1, 1, 1}, {0, 0, 0}, false, {0, 1, 1}, {0, 1, 0}},
	{"all dead: none", {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, false, {0, 0, 0}, {0, 0, 0}},
	{"all dead, fails open: all", {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, true, {1, 1, 1}, {1, 1, 0}},
	{"one up, fails open: that one", {0, 1, 0}, {1, 1, 1}, {0, 0, 0}, true, {0, 1, 0}, {0, 1, 0}},
	{"fails open: none without a way", {0, 0, 0}, {1, 0, 1}, {0, 0, 0}, true, {1, 0, 1}, {1, 0, 0}},
	{"fails open: drained is drained", {0, 0, 0}, {1, 1, 1}, {1, 0, 0}, true, {1, 1, 1}, {0, 1, 0}},
};

Test(compile, turns_health_ways_and_drains_into_records_and_slots)
{
	for (unsigned row = 0; row < ARRAY_LEN(fates); row++) {
		struct compiled *image;

		memcpy(usable, fates[row].usable, 3);
		memcpy(reachable, fates[row].reachable, 3);
		memcpy(drained, fates[row].drained, 3);
		pools[0].fail_open = fates[row].fail_open;
		image = run();
		for (uint16_t i = 0; i < 3; i++) {
			cr_expect_eq(image->backends[i].type != 0, fates[row].has_record[i], "%s", fates[row].what);
			cr_expect_eq(slots_of(image, 0, i) > 0, fates[row].has_slots[i], "%s", fates[row].what);
		}
		compiled_free(image);
	}
}

Test(compile, gives_the_same_with_and_without_a_past)
{
	struct compiled *image = run(), *again;

	web[0].weight = 77;
	compiled_free(run());
	web[0].weight = 1;
	again = run();
	cr_expect_arr_eq(image->slots, again->slots, 2 * ABI_SLOTS * sizeof(uint16_t));
	cr_expect_arr_eq(image->backends, again->backends, 4 * sizeof(union abi_record));
	compiled_free(image);
	compiled_free(again);
}

static const struct {
	const char *what;
	bool usable[3], reachable[3], drained[3];
	uint32_t min_healthy;
	uint8_t percent;
	bool fail_open, can;
} rules[] = {
	{"all up", {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 1, 0, false, true},
	{"c has no weight", {1, 1, 1}, {1, 1, 1}, {0, 0, 0}, 3, 0, false, false},
	{"half of the weight is enough", {1, 0, 0}, {1, 1, 1}, {0, 0, 0}, 1, 50, false, true},
	{"half of the weight is too little", {1, 0, 0}, {1, 1, 1}, {0, 0, 0}, 1, 51, false, false},
	{"the last one up is drained", {1, 0, 0}, {1, 1, 1}, {1, 0, 0}, 1, 0, false, false},
	{"none is up", {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, 1, 0, false, false},
	{"none is up, none is asked for", {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, 0, 0, false, false},
	{"fails open whatever the minimum", {0, 0, 0}, {1, 1, 1}, {0, 0, 0}, 2, 90, true, true},
	{"fails open with one way", {0, 0, 0}, {0, 1, 0}, {0, 0, 0}, 1, 0, true, true},
	{"fails open, but no way leads anywhere", {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, 1, 0, true, false},
	{"fails open, the one way leads to no weight", {0, 0, 0}, {0, 0, 1}, {0, 0, 0}, 1, 0, true, false},
	{"fails open, all drained", {0, 0, 0}, {1, 1, 1}, {1, 1, 0}, 1, 0, true, false},
	{"doesn't fail open: the one up is drained", {1, 0, 0}, {1, 1, 1}, {1, 0, 0}, 1, 0, true, false},
};

Test(compile, says_whether_a_pool_can_serve_just_when_it_has_slots)
{
	for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
		const struct compile_pool_facts facts = {rules[i].usable, rules[i].reachable, rules[i].drained};
		struct compiled *image;

		pools[0].min_healthy = rules[i].min_healthy;
		pools[0].min_weight_percent = rules[i].percent;
		pools[0].fail_open = rules[i].fail_open;
		cr_expect_eq(compile_pool_can_serve(&pools[0], &facts), rules[i].can, "%s", rules[i].what);
		memcpy(usable, rules[i].usable, 3);
		memcpy(reachable, rules[i].reachable, 3);
		memcpy(drained, rules[i].drained, 3);
		image = run();
		if (rules[i].can)
			cr_expect_lt(slots_of(image, 0, ABI_OWNER_NONE), ABI_SLOTS, "%s", rules[i].what);
		for (uint16_t k = 0; k < 3; k++)
			cr_expect_eq(slots_of(image, 0, k) > 0, compile_weight(&pools[0], &facts, k) > 0, "%s",
				     rules[i].what);
		compiled_free(image);
	}
}

Test(compile, says_why_no_packet_reaches_a_backend)
{
	struct compile_input input = {.model = &model, .lookup = lookup, .ports = ports, .n_ports = 2};

	cr_expect_null(compile_way_fault(&input, &pools[0], &web[0].addr));
	cr_expect(strstr(compile_way_fault(&input, &pools[0], &web[1].addr), "no neighbour"));
	via_gateway = true;
	cr_expect(strstr(compile_way_fault(&input, &pools[0], &web[0].addr), "not on the same link"));
	cr_expect_null(compile_way_fault(&input, &pools[1], &dns[0].addr));
	via_gateway = false;
	input.n_ports = 1;
	cr_expect(strstr(compile_way_fault(&input, &pools[0], &web[0].addr), "no port of the dataplane"));
}
