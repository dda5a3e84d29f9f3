/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decapsulator in the kernel: loads it, fills its maps, hooks it to an interface, finds and reads one that runs.
 * One thread. Errors are -errno; libbpf's own words go to stderr.
 */
#ifndef BPF_ATTACH_H
#define BPF_ATTACH_H

#include "base/addr.h"
#include "bpf/decap.h"

enum attach_mode { ATTACH_AUTO, ATTACH_NATIVE, ATTACH_GENERIC, ATTACH_TC, ATTACH_MODES };

struct attach_rules {
	const struct prefix *sources;
	const struct prefix *vips;
	unsigned n_sources;
	unsigned n_vips;
	uint16_t gue_port; /* host byte order */
};

struct attach;

/* "auto", "native", "generic" or "tc" */
const char *attach_mode_name(enum attach_mode mode);

/*
 * Loads and hooks. ATTACH_AUTO takes the first of the others that the interface can do. -EBUSY: a decapsulator runs on the
 * interface. An XDP hook goes with the process however it ends; what a killed process left at the TC hook is replaced.
 */
MUST_CHECK int attach_open(struct attach **out, unsigned ifindex, enum attach_mode mode, const struct attach_rules *rules);
void attach_close(struct attach *attach); /* unhooks; NULL is fine */
enum attach_mode attach_mode_of(const struct attach *attach);

/* Sums over CPUs from the decapsulator that runs on the interface, whoever started it. -ENOENT: none does. */
MUST_CHECK int attach_read(unsigned ifindex, enum attach_mode *mode, uint64_t counters[DECAP_COUNTER_COUNT]);

#endif
