/* SPDX-License-Identifier: BSD-2-Clause */
/* What the main lcore writes of its ports, over ports that are made up here in the place of port.c. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "base/clock.h"
#include "dataplane/telemetry.h"

enum { PORTS_HERE = 3 };

static struct region_counters counters = {.memfd = -1};
static struct ports ports = {.n = PORTS_HERE};
static struct {
	bool is_up;
	uint64_t rx_packets;
} world[PORTS_HERE];

bool
port_describe(const struct port *port, struct abi_port *out)
{
	size_t i = (size_t)(port - ports.list);

	snprintf(out->name, sizeof(out->name), "port%zu", i);
	out->is_up = world[i].is_up;
	out->rx_packets = world[i].rx_packets;
	return out->is_up;
}

static void
telemetry_setup(void)
{
	cr_assert_eq(region_counters_new(&counters, 1), 0);
}

static void
telemetry_teardown(void)
{
	region_counters_free(&counters);
}

TestSuite(telemetry, .init = telemetry_setup, .fini = telemetry_teardown);

Test(telemetry, shows_ports_and_a_heart_that_beats_from_the_start)
{
	uint64_t before = clock_now_ns(), beat;

	world[1].is_up = true;
	world[2].rx_packets = 7;
	telemetry_init(&counters, &ports);
	cr_expect_eq(region_header(&counters)->n_ports, PORTS_HERE);
	cr_expect_str_eq(region_ports(&counters)[0].name, "port0");
	cr_expect_str_eq(region_ports(&counters)[2].name, "port2");
	cr_expect_eq(region_ports(&counters)[0].is_up, 0);
	cr_expect_eq(region_ports(&counters)[1].is_up, 1);
	cr_expect_eq(region_ports(&counters)[2].rx_packets, 7);
	cr_expect_eq(region_ports(&counters)[PORTS_HERE].name[0], '\0', "there is no such port");
	beat = atomic_load(&region_header(&counters)->heartbeat_ns);
	cr_expect(beat >= before && beat <= clock_now_ns());
	telemetry_beat(&counters, beat + 5);
	cr_expect_eq(atomic_load(&region_header(&counters)->heartbeat_ns), beat + 5);
}

Test(telemetry, names_the_ports_whose_link_changed_and_no_other)
{
	static const struct {
		const char *name;
		bool is_up[PORTS_HERE];
		uint32_t changed;
	} rows[] = {
		{"one comes up", {true, false, false}, 1},
		{"all stay", {true, false, false}, 0},
		{"one goes as another comes", {false, false, true}, 1 | 4},
		{"the rest come", {true, true, true}, 1 | 2},
		{"all go", {false, false, false}, 7},
	};

	telemetry_init(&counters, &ports);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned p = 0; p < PORTS_HERE; p++)
			world[p].is_up = rows[i].is_up[p];
		world[1].rx_packets = 100 + i; /* traffic is no change of link, but it is shown */
		cr_expect_eq(telemetry_ports(&counters, &ports), rows[i].changed, "%s", rows[i].name);
		cr_expect_eq(region_ports(&counters)[1].rx_packets, 100 + i, "%s", rows[i].name);
	}
}
