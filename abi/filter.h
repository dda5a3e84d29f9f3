/* SPDX-License-Identifier: BSD-2-Clause */
/* Operator filters: programs that look at each packet of a service, as both processes know them. */
#ifndef ABI_FILTER_H
#define ABI_FILTER_H

#include "base/types.h"

enum {
	ABI_FILTERS_MAX = 64,
	ABI_FILTER_PARTS = 146,	      /* records of a filter's instructions, at most */
	ABI_FILTER_PART_INSNS = 7,    /* in a record */
	ABI_FILTER_INSNS_MAX = ABI_FILTER_PARTS * ABI_FILTER_PART_INSNS,
	ABI_FILTER_EVERY = 0xffff,    /* in place of a service's index: all services */
	ABI_FILTER_VIEW = 256,	      /* octets of a packet that an eBPF program sees */
};

/* CLASSIC: a tcpdump expression as libpcap compiles it for Ethernet; EBPF: an object's program over struct abi_filter_view.
 * What isn't 0 at the end of either is a match. */
enum abi_filter_kind { ABI_FILTER_CLASSIC = 0, ABI_FILTER_EBPF };
enum abi_filter_action { ABI_FILTER_DROP = 0, ABI_FILTER_COUNT };

/* The argument of an object's program: the frame from its Ethernet header on, filled up with zeros. */
struct abi_filter_view {
	uint32_t len; /* octets of the whole frame, without FCS */
	uint32_t zero;
	uint8_t octets[ABI_FILTER_VIEW];
};
_Static_assert(sizeof(struct abi_filter_view) == 264, "struct abi_filter_view");

#endif
