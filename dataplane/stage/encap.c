/* SPDX-License-Identifier: BSD-2-Clause */
/* The header template of a backend: all that is the same for each of its packets. Runs off the packet path. */
#include <string.h>

#include "base/cursor.h"
#include "dataplane/stage/encap.h"

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
		write_u8(w, ENCAP_TTL);
	} else {
		write_u32(w, 0x45u << 24);
		write_u32(w, 0);
		write_u8(w, ENCAP_TTL);
		write_u8(w, protocol);
		write_u16(w, 0);
	}
	write_bytes(w, backend->source.octets, addr_len(&backend->addr));
	write_bytes(w, backend->addr.octets, addr_len(&backend->addr));
}

/* Fields that the packet path writes are zero in the template: traffic class, lengths, identification, checksums. */
static void
write_header(struct encap_target *target, const struct abi_backend *backend, const struct abi_nexthop *nexthop)
{
	uint8_t octets[ENCAP_HEADER_MAX];
	struct writer w = writer_init(octets, sizeof(octets));
	size_t len, l2_len;

	write_l2(&w, backend, nexthop);
	l2_len = written_since(&w, octets);
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
	len = written_since(&w, octets);
	memcpy(target->header + ENCAP_HEADER_MAX - len, octets, len);
	target->header_len = (uint8_t)len;
	target->outer_len = (uint8_t)(len - l2_len);
	target->is_plain = target->outer_family == 4 && l2_len == RTE_ETHER_HDR_LEN &&
			   target->outer_len == sizeof(struct rte_ipv4_hdr);
	target->too_long = (uint16_t)(nexthop->mtu - target->outer_len + 1);
}

static void
protocol_set(struct encap_target *target)
{
	static const uint8_t protocols[][2] = {
		[ABI_ENCAP_IPIP] = {IPPROTO_IPIP, IPPROTO_IPV6},
		[ABI_ENCAP_GUE] = {IPPROTO_UDP, IPPROTO_UDP},
		[ABI_ENCAP_GRE] = {IPPROTO_GRE, IPPROTO_GRE},
	};

	memcpy(target->protocol, protocols[target->encap], sizeof(target->protocol));
}

static void
source_set(struct encap_target *target, const struct abi_backend *backend)
{
	size_t len = addr_len(&backend->addr);
	uint8_t source[16];
	uint16_t low;
	uint64_t sum;

	target->vary = (uint16_t)((1u << backend->source_vary_bits) - 1);
	memcpy(source, backend->source.octets, len);
	low = (uint16_t)((source[len - 2] << 8 | source[len - 1]) & ~target->vary);
	target->source = (uint32_t)source[len - 4] << 24 | (uint32_t)source[len - 3] << 16 | low;
	encap_store16(source + len - 2, low);
	sum = encap_sum(source, (uint32_t)len) + encap_sum(backend->addr.octets, (uint32_t)len);
	target->gue_sum =
		encap_fold(sum + rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(backend->gue_port));
	for (unsigned i = 0; i < 2; i++) {
		uint16_t ttl = rte_cpu_to_be_16((uint16_t)(ENCAP_TTL << 8 | target->protocol[i]));

		target->second[i] = (uint64_t)rte_cpu_to_be_32(target->source) << 32 | ttl;
		target->sum[i] = encap_fold(sum + ttl);
	}
}

void
encap_target_init(struct encap_target *target, const struct abi_backend *backend, const struct abi_nexthop *nexthop)
{
	*target = (struct encap_target){
		.is_alive = 1,
		.has_nexthop = nexthop != NULL,
		.encap = backend->encap,
		.outer_family = backend->addr.family,
		.class_mask = backend->dscp_mode == ABI_DSCP_COPY ? 0xff : 0x03,
		.class_set = backend->dscp_mode == ABI_DSCP_COPY ? 0 : (uint8_t)(backend->dscp << 2),
		.has_checksum = backend->gue_checksum || backend->addr.family == ADDR_V6,
	};
	if (!nexthop)
		return;
	target->port = nexthop->port;
	protocol_set(target);
	source_set(target, backend);
	write_header(target, backend, nexthop);
}

/* No next hop, or too big. */
static void
refuse(const struct encap_target *t, struct packet *p)
{
	if (!t->has_nexthop) {
		p->verdict = VERDICT_NO_NEXTHOP;
		return;
	}
	p->need = NEED_TOO_BIG;
	p->mtu = (uint16_t)(t->too_long - 1);
}

/* In several segments. */
static void
chain(struct encap_state *s, const struct encap_target *t, struct packet *p)
{
	struct rte_mbuf *mbuf = p->mbuf;
	uint32_t padding = rte_pktmbuf_pkt_len(mbuf) - p->l3_at - p->ip_len;

	if (padding > UINT16_MAX || rte_pktmbuf_trim(mbuf, (uint16_t)padding) != 0) {
		p->verdict = VERDICT_IP_LENGTH;
		return;
	}
	p->tx_port = t->port;
	p->verdict = VERDICT_FORWARDED;
	encap_fill(s, t, p, packet_at(p, p->l3_at));
	mbuf->data_len = (uint16_t)(t->header_len + mbuf->data_len - p->l3_at);
	mbuf->pkt_len = t->header_len + (uint32_t)p->ip_len;
	mbuf->data_off = (uint16_t)(mbuf->data_off + p->l3_at - t->header_len);
}

__rte_noinline void
encap_odd(struct encap_state *s, const struct encap_target *t, struct packet *p)
{
	if (p->ip_len >= t->too_long)
		refuse(t, p);
	else if (p->mbuf->data_off + p->l3_at < ENCAP_HEADER_MAX)
		p->verdict = VERDICT_NO_HEADROOM;
	else
		chain(s, t, p);
}
