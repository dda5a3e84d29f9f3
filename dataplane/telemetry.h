/* SPDX-License-Identifier: BSD-2-Clause */
/* What the main lcore writes into the shared counters: its heartbeat, and the ports as they are. Main lcore only. */
#ifndef DATAPLANE_TELEMETRY_H
#define DATAPLANE_TELEMETRY_H

#include "dataplane/port.h"

void telemetry_init(const struct region_counters *counters, const struct ports *ports);
void telemetry_beat(const struct region_counters *counters, uint64_t now_ns);

/* Reads all ports anew; bit i of the result: port i's link changed. */
uint32_t telemetry_ports(const struct region_counters *counters, const struct ports *ports);

#endif
