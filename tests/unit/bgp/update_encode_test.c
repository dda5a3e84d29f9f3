/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/update.h"
#include "hex.h"

static const struct {
	const char *prefix;
	const char *next_hop; /* NULL: withdraw */
	uint32_t local_as;
	bool ibgp, as4;
	enum bgp_role role;
	const char *body; /* behind the marker */
} updates[] = {
	{"10.99.0.0/24", NULL, 65001, false, true, BGP_ROLE_NONE, "001b02" "0004180a6300" "0000"},
	{"10.99.0.1/32", "10.77.8.1", 65001, false, true, BGP_ROLE_NONE,
	 "003002" "0000" "0014" "40010100" "4002060201" "0000fde9" "4003040a4d0801" "200a630001"},
	{"10.99.0.1/32", "10.77.8.1", 4200000000, false, false, BGP_ROLE_NONE,
	 "003702" "0000" "001b" "40010100" "4002040201" "5ba0" "4003040a4d0801" "c011060201fa56ea00" "200a630001"},
	{"10.99.0.1/32", "10.77.8.1", 65001, true, true, BGP_ROLE_NONE,
	 "003102" "0000" "0015" "40010100" "400200" "4003040a4d0801" "40050400000064" "200a630001"},
	{"10.99.0.1/32", "10.77.8.1", 65001, false, true, BGP_ROLE_PROVIDER,
	 "003702" "0000" "001b" "40010100" "4002060201" "0000fde9" "4003040a4d0801" "c023040000fde9" "200a630001"},
	{"10.99.0.1/32", "10.77.8.1", 65001, false, true, BGP_ROLE_CUSTOMER,
	 "003002" "0000" "0014" "40010100" "4002060201" "0000fde9" "4003040a4d0801" "200a630001"},
	/* RFC 8950: IPv4 with an IPv6 next hop. MP_REACH_NLRI comes first (RFC 7606 5.1). */
	{"10.99.0.0/24", "fd77:8::1", 65001, false, true, BGP_ROLE_NONE,
	 "004102" "0000" "002a" "900e0019" "000101" "10" "fd770008000000000000000000000001" "00" "180a6300" "40010100"
	 "4002060201" "0000fde9"},
	{"fd99::/64", NULL, 65001, false, true, BGP_ROLE_NONE, "002702" "0000" "0010" "900f000c" "000201"
	 "40fd99000000000000"},
	{"fd99::/64", "fd77:8::1", 65001, false, true, BGP_ROLE_NONE,
	 "004602" "0000" "002f" "900e001e" "000201" "10" "fd770008000000000000000000000001" "00" "40fd99000000000000"
	 "40010100" "4002060201" "0000fde9"},
};

Test(update_encode, writes_octet_for_octet)
{
	for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
		struct bgp_route route = {.local_as = updates[i].local_as, .ibgp = updates[i].ibgp,
					  .peer_as4 = updates[i].as4, .role = updates[i].role};
		uint8_t message[BGP_MESSAGE_MAX];
		char text[2 * BGP_MESSAGE_MAX + 1];
		struct prefix prefix;
		size_t taken;
		size_t len;

		cr_assert_eq(prefix_parse(updates[i].prefix, &prefix), 0);
		if (updates[i].next_hop)
			cr_assert_eq(addr_parse(updates[i].next_hop, &route.next_hop), 0);
		len = bgp_update_encode(updates[i].next_hop ? &route : NULL, prefix.addr.family == ADDR_V4 ? BGP_V4 : BGP_V6,
					&prefix, 1, &taken, message, sizeof(message));
		cr_expect_str_eq(hex(message + 16, len - 16, text), updates[i].body, "row %zu: %s", i, text);
		cr_expect_eq(taken, 1);
	}
}

Test(update_encode, marks_the_end_of_each_familys_rib)
{
	static const char *const bodies[BGP_FAMILIES] = {"001702" "0000" "0000", "001e02" "0000" "0007" "900f0003" "000201",
							 "001e02" "0000" "0007" "900f0003" "000185",
							 "001e02" "0000" "0007" "900f0003" "000285"};

	for (int family = 0; family < BGP_FAMILIES; family++) {
		uint8_t message[BGP_MESSAGE_MAX];
		char text[2 * BGP_MESSAGE_MAX + 1];
		size_t len = bgp_end_of_rib_encode((enum bgp_family)family, message);

		cr_expect_str_eq(hex(message + 16, len - 16, text), bodies[family], "%s", text);
	}
}

/* Host prefixes take five octets, so every remainder of the room by five is met as the room grows. */
Test(update_encode, fills_the_room_to_the_last_octet_and_no_further)
{
	static struct prefix prefixes[14000];
	static uint8_t message[BGP_EXTENDED_MAX + 1];
	static const size_t rooms[] = {BGP_MESSAGE_MAX, BGP_EXTENDED_MAX};
	struct bgp_route route = {.local_as = 65001, .peer_as4 = true, .role = BGP_ROLE_NONE};
	struct addr hops[2];

	cr_assert_eq(addr_parse("10.0.0.2", &hops[0]), 0);
	cr_assert_eq(addr_parse("fd77::1", &hops[1]), 0);
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		uint8_t octets[4] = {10, 99, (uint8_t)(i >> 8), (uint8_t)i};
		struct addr addr = addr_v4(octets);

		prefixes[i] = prefix_of(&addr, 32);
	}
	for (size_t r = 0; r < ARRAY_LEN(rooms); r++) {
		for (size_t less = 0; less < 10; less++) {
			for (int how = 0; how < 3; how++) {
				size_t room = rooms[r] - less;
				size_t fixed, taken, len;
				struct bgp_header header;
				struct bgp_error error;

				route.next_hop = hops[how / 2];
				memset(message, 0xa5, sizeof(message));
				bgp_update_encode(how ? &route : NULL, BGP_V4, NULL, 0, &taken, message, room);
				fixed = (size_t)message[16] << 8 | message[17];
				len = bgp_update_encode(how ? &route : NULL, BGP_V4, prefixes, ARRAY_LEN(prefixes), &taken,
							message, room);
				cr_expect_eq(taken, (room - fixed) / 5, "room %zu, %d", room, how);
				cr_expect_eq(len, fixed + 5 * taken);
				cr_expect_eq(message[room], 0xa5);
				cr_expect_eq(bgp_header_decode(message, r == 1, &header, &error), 0);
			}
		}
	}
}

static uint32_t
draw(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*state >> 33);
}

static void
path_draw(uint64_t *state, struct path *path)
{
	path_init(path);
	path->origin = (uint8_t)(draw(state) % 3);
	path->prepend = (uint8_t)(draw(state) % (PATH_PREPEND_MAX + 1));
	path->has_med = draw(state) % 2;
	path->med = path->has_med ? draw(state) : 0;
	path->local_pref = draw(state);
	for (unsigned i = draw(state) % (PATH_COMMUNITIES_MAX + 1); i > 0; i--)
		cr_assert_eq(path_add_community(path, draw(state)), 0);
	for (unsigned i = draw(state) % (PATH_COMMUNITIES_MAX + 1); i > 0; i--)
		cr_assert_eq(path_add_extended(path, (uint64_t)draw(state) << 32 | draw(state)), 0);
	for (unsigned i = draw(state) % (PATH_COMMUNITIES_MAX + 1); i > 0; i--)
		cr_assert_eq(path_add_large(path, &(struct path_large){draw(state), draw(state), draw(state)}), 0);
}

static struct addr
addr_draw(uint64_t *state, enum addr_family family)
{
	uint8_t octets[16];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)draw(state);
	octets[0] = (uint8_t)(1 + octets[0] % 100); /* a host, whatever the family */
	return family == ADDR_V4 ? addr_v4(octets) : addr_v6(octets);
}

static void
attributes_expect(const struct bgp_update *read, const struct bgp_route *route, enum bgp_family family)
{
	const struct bgp_attributes *a = &read->attributes;
	const struct path *path = route->path;
	struct bgp_octets communities = a->communities, extended = a->extended, large = a->large;
	struct bgp_as_walk walk = bgp_as_path_walk(&a->as_path);
	unsigned hops = 0;
	uint32_t as, community;
	uint64_t eight;
	struct path_large twelve;

	cr_assert_eq(a->origin, path->origin);
	cr_assert(bgp_has(a, BGP_MED) == path->has_med && a->med == path->med);
	cr_assert_eq(bgp_has(a, BGP_LOCAL_PREF), route->ibgp);
	cr_assert_eq(a->local_pref, route->ibgp ? path->local_pref : 0);
	for (; bgp_as_walk_next(&walk, &as); hops++)
		cr_assert_eq(as, route->local_as);
	cr_assert_eq(hops, route->ibgp ? 0 : 1U + path->prepend);
	for (unsigned i = 0; i < path->n_communities; i++)
		cr_assert(bgp_community_next(&communities, &community) && community == path->communities[i]);
	for (unsigned i = 0; i < path->n_extended; i++)
		cr_assert(bgp_extended_next(&extended, &eight) && eight == path->extended[i]);
	for (unsigned i = 0; i < path->n_large; i++)
		cr_assert(bgp_large_next(&large, &twelve) && memcmp(&twelve, &path->large[i], sizeof(twelve)) == 0);
	cr_assert(communities.len == 0 && extended.len == 0 && large.len == 0);
	cr_assert_eq(bgp_has(a, BGP_OTC),
		     !route->ibgp && (route->role == BGP_ROLE_PROVIDER || route->role == BGP_ROLE_PEER ||
				      route->role == BGP_ROLE_RS));
	if (family == BGP_V4 && route->next_hop.family == ADDR_V4) {
		cr_assert(addr_equal(&a->next_hop, &route->next_hop));
	} else {
		cr_assert(addr_equal(&read->reach_next_hop, &route->next_hop));
		cr_assert(addr_equal(&read->reach_link_local, &route->link_local));
	}
}

static void
round_trip(uint64_t *state)
{
	static struct prefix prefixes[3000];
	static uint8_t message[BGP_EXTENDED_MAX];
	enum bgp_family family = draw(state) % 2 ? BGP_V6 : BGP_V4;
	bool withdraws = draw(state) % 4 == 0;
	size_t room = draw(state) % 4 ? BGP_MESSAGE_MAX : BGP_EXTENDED_MAX;
	size_t count = draw(state) % ARRAY_LEN(prefixes);
	struct path path;
	struct bgp_route route = {.path = &path, .local_as = draw(state) % 2 ? 65001 : 4200000001, .ibgp = draw(state) % 2,
				  .peer_as4 = draw(state) % 2, .role = BGP_ROLE_NONE};
	struct bgp_update_context context = {.as4 = route.peer_as4, .ibgp = route.ibgp, .extended_next_hop = true,
					     .role = BGP_ROLE_NONE, .peer_as = route.local_as};
	struct bgp_update read;
	size_t taken;
	size_t len;

	if (draw(state) % 2)
		route.role = (enum bgp_role)(draw(state) % 5);
	path_draw(state, &path);
	route.next_hop = addr_draw(state, family == BGP_V6 || draw(state) % 2 ? ADDR_V6 : ADDR_V4);
	if (route.next_hop.family == ADDR_V6 && draw(state) % 2)
		route.link_local = addr_draw(state, ADDR_V6);
	for (size_t i = 0; i < count; i++) {
		struct addr addr = addr_draw(state, family == BGP_V4 ? ADDR_V4 : ADDR_V6);

		prefixes[i] = prefix_of(&addr, draw(state) % (addr_bits(&addr) + 1));
	}
	len = bgp_update_encode(withdraws ? NULL : &route, family, prefixes, count, &taken, message, room);
	cr_assert_leq(len, room);
	cr_assert(taken == count || len + 17 > room, "there was room for more");
	bgp_update_decode(message + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &context, &read);
	/* Without any route it is an End-of-RIB, or describes none. */
	if (count == 0)
		return;
	cr_assert_eq(read.outcome, BGP_ACCEPT, "%s %s", bgp_attribute_name(read.fault_type), read.fault);
	for (size_t i = 0; i < taken; i++) {
		struct bgp_nlri *from = read.withdrawn.len ? &read.withdrawn : read.unreach.len ? &read.unreach :
					read.announced.len ? &read.announced : &read.reach;
		struct prefix prefix;

		cr_assert(bgp_nlri_next(from, &prefix) && prefix_equal(&prefix, &prefixes[i]));
	}
	cr_assert(!read.withdrawn.len && !read.unreach.len && !read.announced.len && !read.reach.len);
	if (!withdraws)
		attributes_expect(&read, &route, family);
}

Test(update_encode, is_read_back_as_it_was_meant)
{
	uint64_t state = 7;

	for (int i = 0; i < 2000; i++)
		round_trip(&state);
}

Test(update_encode, takes_flows_of_both_length_forms)
{
	static const size_t lens[] = {1, 239, 240, 1000, 2048};
	static uint8_t components[4096] = {3};
	static uint8_t message[BGP_MESSAGE_MAX];
	struct bgp_route route = {.local_as = 65001, .peer_as4 = true, .role = BGP_ROLE_NONE};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct bgp_update_writer writer;
		const uint8_t *flow = message + 23 + 4 + 5; /* behind the head of MP_REACH */

		bgp_update_begin(&writer, &route, BGP_FLOW4, message, sizeof(message));
		cr_assert(bgp_update_add_flow(&writer, components, lens[i]));
		bgp_update_end(&writer);
		if (lens[i] < 240)
			cr_expect(flow[0] == lens[i] && flow[1] == 3);
		else
			cr_expect(flow[0] == (0xf0 | lens[i] >> 8) && flow[1] == (lens[i] & 0xff) && flow[2] == 3);
	}
	{
		struct bgp_update_writer writer;

		bgp_update_begin(&writer, &route, BGP_FLOW4, message, sizeof(message));
		cr_expect_not(bgp_update_add_flow(&writer, components, 4096), "12 bits");
		cr_expect_not(bgp_update_add_flow(&writer, components, 4095), "no room");
		cr_expect_not(bgp_update_add_flow(&writer, components, 0));
	}
}
