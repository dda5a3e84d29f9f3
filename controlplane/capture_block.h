/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet's copy as a block of a pcapng file, whose comment says what became of the packet: "dropped: reflector, service
 * dns4". Values in, octets out; no I/O.
 */
#ifndef CONTROLPLANE_CAPTURE_BLOCK_H
#define CONTROLPLANE_CAPTURE_BLOCK_H

#include "abi/capture.h"
#include "controlplane/pcapng.h"

enum { CAPTURE_BLOCK_MAX = PCAPNG_PACKET_MAX + ABI_CAPTURE_SNAP_MAX };

/* What the copy's numbers are called. */
struct capture_names {
	const char *service; /* NULL: it was for none, or that has gone */
	const char *rule;    /* of its mark; NULL: as service */
};

/* slot: as capture_ring_pop gives it. out has room for CAPTURE_BLOCK_MAX octets; how many were written. */
size_t capture_block_encode(uint8_t *out, const struct abi_capture_slot *slot, const struct capture_names *names);

#endif
