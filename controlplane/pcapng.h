/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng): section header and interfaces, then a block for each packet with its
 * comment. Little-endian, times in nanoseconds, Ethernet. Values in, octets out; no I/O.
 */
#ifndef CONTROLPLANE_PCAPNG_H
#define CONTROLPLANE_PCAPNG_H

#include "base/types.h"

enum {
	PCAPNG_COMMENT_MAX = 255,
	PCAPNG_HEAD_MAX = 128,  /* octets of the section header; and of each interface */
	PCAPNG_PACKET_MAX = 64 + PCAPNG_COMMENT_MAX, /* octets of a packet's block beyond those of the packet, padding included */
};

struct pcapng_packet {
	unsigned interface; /* in the order in which they were written */
	uint64_t time_ns;   /* Unix time */
	uint32_t len;	    /* octets of the frame */
	uint32_t held;	    /* of those, at `octets` */
	const uint8_t *octets;
	const char *comment; /* cut after PCAPNG_COMMENT_MAX octets */
};

/* Each gives the octets that it wrote: a whole block; out has room for the most it can be. */
size_t pcapng_section_encode(uint8_t *out, const char *application);
size_t pcapng_interface_encode(uint8_t *out, const char *name, uint32_t snap);
size_t pcapng_packet_encode(uint8_t *out, const struct pcapng_packet *packet);

#endif
