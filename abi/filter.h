/* SPDX-License-Identifier: BSD-2-Clause */
/* Operator filters: programs that look at each packet of a service, as both processes know them. */
#ifndef ABI_FILTER_H
#define ABI_FILTER_H

#include "base/types.h"

enum {
	ABI_FILTERS_MAX = 448,
	ABI_FILTER_PARTS = 146,	      /* records of a filter's instructions, at most */
	ABI_FILTER_PART_INSNS = 7,    /* in a record */
	ABI_FILTER_INSNS_MAX = ABI_FILTER_PARTS * ABI_FILTER_PART_INSNS,
	ABI_FILTER_EVERY = 0xffff,    /* in place of an index: all services, all VIPs */
	ABI_MATCH_TERMS_MAX = ABI_FILTER_INSNS_MAX / 2,
	ABI_FILTER_VIEW = 256,	      /* octets of a packet that an eBPF program sees */
};

/* CLASSIC: a tcpdump expression as libpcap compiles it for Ethernet; EBPF: an object's program over struct abi_filter_view.
 * What isn't 0 at the end of either is a match. MATCH: struct abi_match_term in place of instructions, two for each. */
enum abi_filter_kind { ABI_FILTER_CLASSIC = 0, ABI_FILTER_EBPF, ABI_FILTER_MATCH };
/* LIMIT: what is over the filter's rates is dropped. SAMPLE: counted, and a capture may ask for it (abi/capture.h). */
enum abi_filter_action { ABI_FILTER_DROP = 0, ABI_FILTER_COUNT, ABI_FILTER_LIMIT, ABI_FILTER_SAMPLE };

/* The argument of an object's program: the frame from its Ethernet header on, filled up with zeros. */
struct abi_filter_view {
	uint32_t len; /* octets of the whole frame, without FCS */
	uint32_t zero;
	uint8_t octets[ABI_FILTER_VIEW];
};
/* What a term looks at. A packet that hasn't got it (ports of a later fragment) doesn't match, whatever the term says. */
enum abi_match_field {
	ABI_MATCH_DST = 0, /* and the three after it: words of the address, host order; IPv4 has the first */
	ABI_MATCH_SRC = 4,
	ABI_MATCH_FAMILY = 8, /* 4 or 6 */
	ABI_MATCH_PROTOCOL,   /* behind the extension headers */
	ABI_MATCH_DPORT,      /* TCP and UDP */
	ABI_MATCH_SPORT,
	ABI_MATCH_ICMP_TYPE, /* ICMPv6's too */
	ABI_MATCH_ICMP_CODE,
	ABI_MATCH_TCP_FLAGS, /* the lower 12 bits of octets 12 and 13 */
	ABI_MATCH_LENGTH,    /* of the IP packet */
	ABI_MATCH_DSCP,
	ABI_MATCH_FRAGMENT,  /* 1: may not be fragmented (IPv4), 2: not the first, 4: first, 8: last; 0: no fragment */
	ABI_MATCH_FLOW_LABEL,
	ABI_MATCH_FIELDS,
};

/* AND: together with the term before it, else an alternative to it. END: the last one of its component: a packet
 * matches when it matches every component. */
enum abi_match_op { ABI_MATCH_NOT = 1 << 0, ABI_MATCH_AND = 1 << 1, ABI_MATCH_END = 1 << 2, ABI_MATCH_OPS = (1 << 3) - 1 };

/* first <= (field & mask) <= last */
struct abi_match_term {
	uint8_t field;
	uint8_t op;
	uint8_t zero[2];
	uint32_t mask;
	uint32_t first;
	uint32_t last;
};
_Static_assert(sizeof(struct abi_match_term) == 2 * sizeof(uint64_t), "struct abi_match_term");
_Static_assert(ABI_FILTERS_MAX * ABI_FILTER_PARTS <= 0xffff, "index of a part");
_Static_assert(sizeof(struct abi_filter_view) == 264, "struct abi_filter_view");

#endif
