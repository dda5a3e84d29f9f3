/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user side of the XDP steering program (bpf/steer.h) on one interface: its VIP maps follow the tables, its counters
 * are read for telemetry. DPDK's af_xdp driver has loaded and attached it. Main lcore only.
 */
#ifndef DATAPLANE_STEERING_H
#define DATAPLANE_STEERING_H

#include "base/addr.h"
#include "bpf/steer.h"

struct steering {
	unsigned ifindex;
	bool is_generic; /* attached anew by us; close detaches it */
	int vips4;
	int vips6;
	int kernel;
};

/* Finds the attached program's maps and tells it the interface's MAC. generic: attaches it in generic mode instead. */
MUST_CHECK int steering_open(struct steering *steering, const char *interface, bool generic, const uint8_t mac[6]);
void steering_close(struct steering *steering);

MUST_CHECK int steering_vip_add(const struct steering *steering, const struct prefix *prefix);
void steering_vip_remove(const struct steering *steering, const struct prefix *prefix);

/* Sums over CPUs of what went to the kernel, by kind. Untouched when it can't be read. */
void steering_counters(const struct steering *steering, uint64_t kernel[STEER_KINDS]);

/*
 * The right to steer the interface: a descriptor to be held until the port is closed, which dies with the process. A
 * program that a killed process left behind is taken off. -EADDRINUSE: another dataplane has the interface; -EBUSY: it has
 * an XDP program that isn't ours.
 */
MUST_CHECK int steering_claim(const char *interface);

#endif
