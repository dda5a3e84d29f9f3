/* SPDX-License-Identifier: BSD-2-Clause */
/* Contract only (the owner of the stage completes this file). */
#ifndef DATAPLANE_STAGE_ENCAP_H
#define DATAPLANE_STAGE_ENCAP_H

#include "abi/records.h"
#include "dataplane/packet.h"

/* A backend ready for the packet path: the header template and where it goes. Two cache lines. */
struct encap_target {
	uint8_t is_alive;     /* the generation has this backend */
	uint8_t has_nexthop;
	uint8_t encap;	      /* enum abi_encap */
	uint8_t outer_family; /* 4 or 6; of the backend's address */
	uint8_t dscp_mode;
	uint8_t dscp;
	uint8_t source_vary_bits;
	uint8_t gue_checksum;
	uint16_t port;	      /* transmit port */
	uint16_t mtu;	      /* of the way: octets of an IP packet */
	uint8_t header_len;   /* octets of the template: Ethernet, VLAN, outer IP, UDP, GUE, GRE */
	uint8_t l2_len;	      /* of those, Ethernet and VLAN */
	uint8_t zero[2];
	uint8_t header[96];
} __rte_aligned(64);

/* nexthop: NULL when not resolved. Fields were checked by tables. */
void encap_target_init(struct encap_target *target, const struct abi_backend *backend,
		       const struct abi_nexthop *nexthop);

#endif
