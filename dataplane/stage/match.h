/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters of terms (abi/filter.h): what FlowSpec rules become. No program of theirs: each term is one comparison, so a
 * rule costs what its length says, whoever wrote it, and nothing has to be verified or compiled. A packet's fields are
 * gathered once, for all rules.
 */
#ifndef DATAPLANE_STAGE_MATCH_H
#define DATAPLANE_STAGE_MATCH_H

#include <netinet/in.h>
#include <string.h>

#include "abi/filter.h"
#include "dataplane/packet.h"

struct match_fields {
	uint32_t has; /* bit of each field that the packet has */
	uint32_t values[ABI_MATCH_FIELDS];
};

static inline void
match_set(struct match_fields *f, unsigned field, uint32_t value)
{
	f->has |= 1U << field;
	f->values[field] = value;
}

static inline uint32_t
match_u32(const uint8_t *octets)
{
	rte_be32_t value;

	memcpy(&value, octets, sizeof(value));
	return rte_be_to_cpu_32(value);
}

/* TCP's, UDP's and ICMP's; an ICMP error is itself here, not the flow that it quotes. Parse made sure of the headers. */
static inline void
match_l4(struct match_fields *f, const struct packet *p, uint8_t protocol)
{
	const uint8_t *l4 = packet_at(p, p->l4_at);

	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
		match_set(f, ABI_MATCH_SPORT, (uint32_t)l4[0] << 8 | l4[1]);
		match_set(f, ABI_MATCH_DPORT, (uint32_t)l4[2] << 8 | l4[3]);
	}
	if (protocol == IPPROTO_TCP)
		match_set(f, ABI_MATCH_TCP_FLAGS, (l4[12] & 0x0fU) << 8 | l4[13]);
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		match_set(f, ABI_MATCH_ICMP_TYPE, l4[0]);
		match_set(f, ABI_MATCH_ICMP_CODE, l4[1]);
	}
}

static inline uint32_t
match_fragment(const struct packet *p, bool may_not)
{
	const uint8_t *field;
	bool has_more;

	if (!(p->flags & PACKET_FRAGMENT))
		return may_not;
	/* Offset and flags stand behind IPv4's identification and before IPv6's. */
	field = packet_at(p, p->flags & PACKET_V6 ? p->identification_at - 2 : p->identification_at + 2);
	has_more = p->flags & PACKET_V6 ? field[1] & 1 : field[0] & 0x20;
	if (!(p->flags & PACKET_FRAGMENT_LATER))
		return may_not | 4U;
	return may_not | 2U | (has_more ? 0U : 8U);
}

static inline void
match_fields_fill(struct match_fields *f, const struct packet *p)
{
	const uint8_t *ip = packet_at(p, p->l3_at);
	bool is_v6 = p->flags & PACKET_V6;
	uint8_t protocol = p->protocol;

	f->has = 0;
	if (p->flags & PACKET_ICMP_ERROR)
		protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	for (unsigned i = 0; i < (is_v6 ? 4 : 1); i++) {
		match_set(f, ABI_MATCH_SRC + i, match_u32(ip + (is_v6 ? 8 : 12) + 4 * i));
		match_set(f, ABI_MATCH_DST + i, match_u32(ip + (is_v6 ? 24 : 16) + 4 * i));
	}
	match_set(f, ABI_MATCH_FAMILY, is_v6 ? 6 : 4);
	match_set(f, ABI_MATCH_PROTOCOL, protocol);
	match_set(f, ABI_MATCH_LENGTH, p->ip_len);
	match_set(f, ABI_MATCH_DSCP, is_v6 ? match_u32(ip) >> 22 & 0x3f : ip[1] >> 2);
	match_set(f, ABI_MATCH_FRAGMENT, match_fragment(p, !is_v6 && (ip[6] & 0x40)));
	if (is_v6)
		match_set(f, ABI_MATCH_FLOW_LABEL, match_u32(ip) & 0xfffff);
	if (!(p->flags & PACKET_FRAGMENT_LATER))
		match_l4(f, p, protocol);
}

static inline bool
match_term(const struct abi_match_term *t, const struct match_fields *f)
{
	uint32_t value = f->values[t->field] & t->mask;

	return (f->has >> t->field & 1) && (value >= t->first && value <= t->last) != (t->op & ABI_MATCH_NOT);
}

/* Terms were checked: fields in range, the last one ends its component. */
static inline bool
match_terms(const struct abi_match_term *terms, unsigned n, const struct match_fields *f)
{
	bool group = false, any = false;

	for (unsigned i = 0; i < n; i++) {
		bool is = match_term(&terms[i], f);

		any = any || (group && !(terms[i].op & ABI_MATCH_AND));
		group = terms[i].op & ABI_MATCH_AND ? group && is : is;
		if (!(terms[i].op & ABI_MATCH_END))
			continue;
		if (!any && !group)
			return false;
		group = any = false;
	}
	return true;
}

#endif
