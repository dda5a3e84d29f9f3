/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "dataplane/stage/classify.h"
#include "dataplane/stage/parse.h"
#include "frames.h"

enum { VIPS = 6 };

static struct burst burst;
static struct classify_table *table;

/* VIP index → prefix. 1 refuses. */
static const char *const prefixes[VIPS] = {"10.99.0.0/24", "10.99.0.1",	   "fd99::/64",
					   "fd99::1",	   "10.98.0.0/16", "64.0.0.0/2"};

static const struct classify_rule rules[] = {
	{.vip = 0, .service = 10, .port_first = 0, .port_last = 65535, .protocol = 0},
	{.vip = 1, .service = 11, .port_first = 443, .port_last = 443, .protocol = 6},
	{.vip = 1, .service = 12, .port_first = 400, .port_last = 500, .protocol = 6},
	{.vip = 1, .service = 13, .port_first = 1, .port_last = 999, .protocol = 6},
	{.vip = 2, .service = 20, .port_first = 53, .port_last = 53, .protocol = 17},
	{.vip = 3, .service = 30, .port_first = 443, .port_last = 443, .protocol = 6},
	{.vip = 4, .service = 40, .port_first = 0, .port_last = 65535, .protocol = 0},
	{.vip = 4, .service = 41, .port_first = 0, .port_last = 65535, .protocol = 17},
	{.vip = 4, .service = 42, .port_first = 53, .port_last = 53, .protocol = 17},
};

static const char *const bogon_texts[] = {"10.72.0.0/15", "2001:db8::/32", "3000::/5"};
static struct prefix bogons[ARRAY_LEN(bogon_texts)];

static void
classify_setup(void)
{
	struct classify_vip vips[VIPS] = {0};

	frames_init();
	for (unsigned i = 0; i < VIPS; i++) {
		cr_assert_eq(prefix_parse(prefixes[i], &vips[i].prefix), 0);
		vips[i].refuse = i == 1;
	}
	table = classify_table_new(vips, VIPS, rules, ARRAY_LEN(rules));
	cr_assert_not_null(table);
	for (unsigned i = 0; i < ARRAY_LEN(bogons); i++)
		cr_assert_eq(prefix_parse(bogon_texts[i], &bogons[i]), 0);
	cr_assert_eq(classify_table_bogons(table, bogons, ARRAY_LEN(bogons)), 0);
}

static void
classify_teardown(void)
{
	frames_clear(&burst);
	classify_table_free(table);
}

TestSuite(classify, .init = classify_setup, .fini = classify_teardown);

Test(classify, takes_the_longest_prefix)
{
	static const struct {
		const char *addr;
		int vip;
	} rows[] = {
		{"10.99.0.1", 1},     {"10.99.0.2", 0},	       {"10.99.0.255", 0},    {"10.99.1.0", -1},
		{"10.98.255.255", 4}, {"127.255.255.255", 5},
		{"64.0.0.0", 5},  {"128.0.0.0", -1},     {"fd99::1", 3},
		{"fd99::2", 2},	      {"fd99::ffff:0:0:1", 2}, {"fd99:0:0:1::1", -1}, {"::", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t vip = 999;
		struct addr addr;

		cr_assert_eq(addr_parse(rows[i].addr, &addr), 0);
		cr_expect_eq(classify_vip_lookup(table, &addr, &vip), rows[i].vip >= 0, "%s", rows[i].addr);
		cr_expect_eq(vip, rows[i].vip >= 0 ? rows[i].vip : 999, "%s: %u", rows[i].addr, vip);
	}
}

Test(classify, takes_the_narrowest_service)
{
	static const struct {
		uint16_t vip;
		uint8_t protocol;
		bool has_ports;
		uint16_t port, service;
	} rows[] = {
		{0, 47, false, 0, 10},
		{0, 6, true, 1, 10},
		{1, 6, true, 443, 11},
		{1, 6, true, 400, 12},
		{1, 6, true, 500, 12},
		{1, 6, true, 501, 13},
		{1, 6, true, 1000, SERVICE_NONE},
		{1, 17, true, 443, SERVICE_NONE},
		{1, 6, false, 0, SERVICE_NONE},
		{4, 17, true, 53, 42},
		{4, 17, true, 54, 41},
		{4, 6, true, 53, 40},
		{5, 6, true, 80, SERVICE_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t service =
			classify_service_find(table, rows[i].vip, rows[i].protocol, rows[i].has_ports, rows[i].port);

		cr_expect_eq(service, rows[i].service, "row %zu: %u", i, service);
	}
}

#define TO4(dst) "45000028 12340000 40060000 " CLIENT4 dst TCP("02")
#define ERROR4(dst, vip)                                                                                               \
	"45000038 12340000 40010000 " CLIENT4 dst "0304000000000500 45000038 12340000 40060000 " vip CLIENT4           \
	"01bb1388 00000001"

/* Both ways there are: what classify_plain finds, classify_packet must find too. */
static void
classify(const struct classify_table *with)
{
	struct packet *p = &burst.packets[0], plain;
	uint16_t found = SERVICE_NONE;

	if (frames_parse_plain(&plain, p->mbuf, 0))
		found = classify_plain(with, packet_at(&plain, plain.src_at), packet_at(&plain, plain.dst_at), plain.ports,
				       plain.protocol, plain.flags & PACKET_V6);
	classify_packet(with, p);
	classify_fragment(with, p);
	if (found == SERVICE_NONE)
		return;
	cr_expect_eq(p->verdict, VERDICT_OPEN);
	cr_expect_eq(p->service, found);
}

Test(classify, tells_vips_from_the_nodes_own_traffic)
{
	static const struct {
		const char *name, *hex;
		uint8_t verdict, vip;
		uint16_t service;
	} rows[] = {
		{"service", ETH4 TO4(VIP4), 0, 2, 11},
		{"IPv6", ETH6 IP6("0014", "06") TCP("02"), 0, 1, 30},
		{"node", ETH4 TO4("c0000201"), VERDICT_KERNEL_UNICAST, 0, SERVICE_NONE},
		{"group", ETH4 TO4("e0000005"), VERDICT_KERNEL_MULTICAST, 0, SERVICE_NONE},
		{"refused", ETH4 IP4("001c", "0000", "11") UDP("0008"), 0, 2, SERVICE_NONE},
		{"refused later fragment", ETH4 IP4("001c", "0002", "2f") UDP("0008"), VERDICT_NO_SERVICE, 2,
		 SERVICE_NONE},
		{"not served", ETH6 IP6("0008", "11") UDP("0008"), VERDICT_NO_SERVICE, 1, SERVICE_NONE},
		{"echo", ETH4 IP4("001c", "0000", "01") "0800000000010001", 0, 2, SERVICE_NONE},
		{"wrong for a VIP", ETH4 IP4("0029", "0000", "06") TCP("02"), VERDICT_IP_LENGTH, 1, SERVICE_NONE},
		{"wrong for a service", ETH4 IP4("0028", "0000", "06") TCP("03"), VERDICT_TCP_FLAGS, 1,
		 11 | SERVICE_SETTLED},
		{"from a VIP", ETH4 "45000028 12340000 40060000 0a63000a" VIP4 TCP("02"), VERDICT_SOURCE_VIP, 1,
		 11 | SERVICE_SETTLED},
		{"from a VIP's neighbour", ETH4 "45000028 12340000 40060000 0a630100" VIP4 TCP("02"), 0, 2, 11},
		{"from a bogon", ETH4 "45000028 12340000 40060000 0a480001" VIP4 TCP("02"), VERDICT_SOURCE_BOGON, 1,
		 11 | SERVICE_SETTLED},
		{"from a VIP, IPv6",
		 ETH6 "60000000 00140640 fd990000000000000000000000000009" VIP6 TCP("02"), VERDICT_SOURCE_VIP, 1,
		 30 | SERVICE_SETTLED},
		{"from a bogon of IPv6", ETH6 "60000000 00140640 20010db8000000000000000000000009" VIP6 TCP("02"),
		 VERDICT_SOURCE_BOGON, 1, 30 | SERVICE_SETTLED},
		{"from a short bogon", ETH6 "60000000 00140640 30010000000000000000000000000009" VIP6 TCP("02"),
		 VERDICT_SOURCE_BOGON, 1, 30 | SERVICE_SETTLED},
		{"wrong for the node", ETH4 "45000099 12340000 40060000 " CLIENT4 "c0000201", VERDICT_KERNEL_UNICAST, 0,
		 SERVICE_NONE},
		{"ICMP for the node", ETH4 "4500001c 12340000 40010000 " CLIENT4 "c0000201 0d00000000010001",
		 VERDICT_KERNEL_UNICAST, 0, SERVICE_NONE},
		{"ICMP for a VIP", ETH4 IP4("001c", "0000", "01") "0d00000000010001", VERDICT_ICMP_OTHER, 1,
		 SERVICE_NONE},
		{"error", ETH4 ERROR4(VIP4, VIP4), 0, 2, 11},
		{"error for the node", ETH4 ERROR4("c0000201", VIP4), VERDICT_KERNEL_UNICAST, 0, SERVICE_NONE},
		{"error of another's flow", ETH4 ERROR4(VIP4, "c0000201"), VERDICT_ICMP_QUOTE, 1, SERVICE_NONE},
		{"error of no service", ETH4 ERROR4(VIP4, "40000001"), VERDICT_ICMP_QUOTE, 1, SERVICE_NONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct packet *p = frames_add(&burst, rows[i].hex);

		frames_parse(&burst);
		classify(table);
		cr_expect_eq(p->verdict, rows[i].verdict, "%s: verdict %u", rows[i].name, p->verdict);
		cr_expect_eq(p->vip, rows[i].vip, "%s: vip %u", rows[i].name, p->vip);
		cr_expect_eq(p->service, rows[i].service, "%s: service %u", rows[i].name, p->service);
		frames_clear(&burst);
	}
}

Test(classify, does_without_any_vip)
{
	struct classify_table *empty = classify_table_new(NULL, 0, NULL, 0);
	const struct packet *p = frames_add(&burst, ETH4 TO4(VIP4));

	frames_parse(&burst);
	classify(empty);
	cr_expect_eq(p->verdict, VERDICT_KERNEL_UNICAST);
	classify_table_free(empty);
}
