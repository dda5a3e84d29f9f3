/* SPDX-License-Identifier: BSD-2-Clause */
/* The header template of a backend: all that is the same for each of its packets. Runs off the packet path. */
#include <string.h>

#include "base/cursor.h"
#include "dataplane/stage/encap.h"

enum { OUTER_TTL = 64 };

static void
write_l2(struct writer *w, const struct abi_backend *backend, const struct abi_nexthop *nexthop)
{
	write_bytes(w, nexthop->destination_mac, 6);
	write_bytes(w, nexthop->source_mac, 6);
	if (nexthop->vlan) {
		write_u16(w, RTE_ETHER_TYPE_VLAN);
		write_u16(w, nexthop->vlan);
	}
	write_u16(w, backend->addr.family == ADDR_V6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
}

static void
write_outer(struct writer *w, const struct abi_backend *backend)
{
	static const uint8_t protocols[] = {
		[ABI_ENCAP_IPIP] = IPPROTO_IPIP,
		[ABI_ENCAP_GUE] = IPPROTO_UDP,
		[ABI_ENCAP_GRE] = IPPROTO_GRE,
	};
	uint8_t protocol = protocols[backend->encap];

	if (backend->addr.family == ADDR_V6) {
		write_u32(w, 6u << 28);
		write_u16(w, 0);
		write_u8(w, protocol);
		write_u8(w, OUTER_TTL);
	} else {
		write_u32(w, 0x45u << 24);
		write_u32(w, 0);
		write_u8(w, OUTER_TTL);
		write_u8(w, protocol);
		write_u16(w, 0);
	}
	write_bytes(w, backend->source.octets, addr_len(&backend->addr));
	write_bytes(w, backend->addr.octets, addr_len(&backend->addr));
}

void
encap_target_init(struct encap_target *target, const struct abi_backend *backend, const struct abi_nexthop *nexthop)
{
	struct writer w = writer_init(target->header, sizeof(target->header));

	*target = (struct encap_target){
		.is_alive = 1,
		.has_nexthop = nexthop != NULL,
		.encap = backend->encap,
		.outer_family = backend->addr.family,
		.dscp_mode = backend->dscp_mode,
		.dscp = backend->dscp,
		.source_vary_bits = backend->source_vary_bits,
		.gue_checksum = backend->gue_checksum || backend->addr.family == ADDR_V6,
	};
	if (!nexthop)
		return;
	target->port = nexthop->port;
	target->mtu = nexthop->mtu;
	write_l2(&w, backend, nexthop);
	target->l2_len = (uint8_t)written_since(&w, target->header);
	if (backend->encap != ABI_ENCAP_L2)
		write_outer(&w, backend);
	if (backend->encap == ABI_ENCAP_GUE) {
		/* UDP ports, length and checksum, then variant 0, no control, no extension fields, no flags. */
		write_u16(&w, 0);
		write_u16(&w, backend->gue_port);
		write_u32(&w, 0);
	}
	if (backend->encap == ABI_ENCAP_GUE || backend->encap == ABI_ENCAP_GRE)
		write_u32(&w, 0);
	target->header_len = (uint8_t)written_since(&w, target->header);
}
