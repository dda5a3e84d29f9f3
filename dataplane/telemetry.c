/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/telemetry.h"

#include "base/clock.h"

void
telemetry_init(const struct region_counters *counters, const struct ports *ports)
{
	region_header(counters)->n_ports = ports->n;
	telemetry_ports(counters, ports);
	telemetry_beat(counters, clock_now_ns());
}

void
telemetry_beat(const struct region_counters *counters, uint64_t now_ns)
{
	/* Relaxed: the value alone counts. */
	atomic_store_explicit(&region_header(counters)->heartbeat_ns, now_ns, memory_order_relaxed);
}

uint32_t
telemetry_ports(const struct region_counters *counters, const struct ports *ports)
{
	uint32_t changed = 0;

	for (unsigned i = 0; i < ports->n; i++) {
		struct abi_port *port = &region_ports(counters)[i];
		bool was_up = port->is_up;

		if (port_describe(&ports->list[i], port) != was_up)
			changed |= UINT32_C(1) << i;
	}
	return changed;
}
