/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classify: which VIP a packet is for, and which service; of fragments in two steps, for they get their ports in between.
 * Most packets are for a service of one address, protocol and port, which one hash finds. The others:
 *
 * A source that is a VIP itself, or a bogon, is refused here.
 *
 * VIPs: one open-addressing table for all, keyed by (family, length, masked address), probed once for each prefix
 * length in use, the longest first: commonly that is one length, one cache line. Services: those of one port and
 * protocol in a hash; the others of a VIP in a short list, the narrowest first. Both tables are at most a quarter full,
 * and what is in them comes from the configuration: traffic can't lengthen a probe.
 */
#ifndef DATAPLANE_STAGE_CLASSIFY_H
#define DATAPLANE_STAGE_CLASSIFY_H

#include <endian.h>
#include <string.h>

#include <rte_branch_prediction.h>

#include "abi/records.h"
#include "base/flowhash.h"
#include "dataplane/packet.h"

/* A service as classify needs it. Range first..last of ports, host order; protocol 0 takes any protocol. */
struct classify_rule {
	uint16_t vip;	  /* index into vips[] */
	uint16_t service; /* the result: the dataplane's service index */
	uint16_t port_first;
	uint16_t port_last;
	uint8_t protocol;
};

struct classify_vip {
	struct prefix prefix;
	bool refuse;
};

/* NULL: out of memory. The longest VIP prefix that contains the destination decides; in it the narrowest service. */
struct classify_table *classify_table_new(const struct classify_vip *vips, unsigned n_vips,
					  const struct classify_rule *rules, unsigned n_rules);
void classify_table_free(struct classify_table *table);

/* Sources that are refused besides the VIPs themselves. Once, before the table is published. 0 or -ENOMEM. */
MUST_CHECK int classify_table_bogons(struct classify_table *table, const struct prefix *bogons, unsigned n);

enum {
	CLASSIFY_VIP_NONE = 0xffff,
	CLASSIFY_LENGTHS_MAX = 129, /* 0..128 */
};

/* An address as two numbers in host order; IPv4 is the top half of `high`. */
struct classify_key {
	uint64_t high;
	uint64_t low;
};

struct classify_cell {
	struct classify_key key; /* masked */
	uint16_t vip;		 /* CLASSIFY_VIP_NONE: the cell is empty */
	uint8_t is_v6;
	uint8_t len;
	uint8_t zero[12];
};
_Static_assert(sizeof(struct classify_cell) == 32, "struct classify_cell: two a cache line");

struct classify_length {
	struct classify_key mask;
	uint8_t len;
};

/* One family's prefix lengths in use, the longest first. */
struct classify_family {
	unsigned n;
	struct classify_length lengths[CLASSIFY_LENGTHS_MAX];
};

struct classify_range {
	uint16_t port_first;
	uint16_t port_last;
	uint16_t service;
	uint8_t protocol; /* 0: any */
};

/* Where a VIP's ranges are. */
struct classify_vip_rules {
	uint32_t first;
	uint32_t n;
	bool refuse;
};

/* Services of one address, protocol and port, which are most of them: found in one step. Addresses and ports as they are
 * in the packet; a key or `rest` of 0: the cell is empty. */
struct classify_exact4 {
	uint64_t key; /* classify_exact4_key() */
	uint64_t service;
};

struct classify_exact6 {
	uint64_t high;
	uint64_t low;
	uint64_t rest;
	uint64_t service;
};

/* A bit for each beginning of an address that some refused source shares: most clients are told from all of them by one
 * look at it. By the first 16 bits as they lie in memory; IPv6: for prefixes shorter than 32, the others by a hash of the
 * first 32. */
struct classify_near {
	uint64_t v4[1024];
	uint64_t v6[1024];
};

/* Immutable once published. */
struct classify_table {
	struct classify_family families[2]; /* by is_v6 */
	uint32_t vip_mask;		    /* cells - 1 */
	uint32_t port_mask;
	uint32_t exact4_mask;
	uint32_t exact6_mask;
	struct classify_exact4 *exact4;
	struct classify_exact6 *exact6;
	struct classify_cell *vips;
	uint64_t *ports; /* classify_port_key() | service; 0: empty */
	struct classify_range *ranges;
	struct classify_vip_rules *rules; /* by VIP index */
	struct classify_near *near;
	struct classify_table *bogons; /* as VIPs without a service; NULL: none */
};

static inline struct classify_key
classify_key(bool is_v6, const uint8_t *octets)
{
	struct classify_key key = {0};
	uint32_t v4;

	if (is_v6) {
		memcpy(&key, octets, sizeof(key));
		key.high = be64toh(key.high);
		key.low = be64toh(key.low);
	} else {
		memcpy(&v4, octets, sizeof(v4));
		key.high = (uint64_t)be32toh(v4) << 32;
	}
	return key;
}

static inline uint32_t
classify_vip_hash(struct classify_key key, bool is_v6, uint8_t len)
{
	return (uint32_t)flowhash_mum(key.high ^ FLOWHASH_K0 ^ len, key.low ^ FLOWHASH_K1 ^ (uint64_t)is_v6 << 8);
}

/* The bit at the top tells a used cell from an empty one; the low 16 are the service's. */
static inline uint64_t
classify_port_key(uint16_t vip, uint8_t protocol, uint16_t port)
{
	return UINT64_C(1) << 63 | (uint64_t)vip << 40 | (uint64_t)protocol << 32 | (uint64_t)port << 16;
}

static inline uint32_t
classify_port_hash(uint64_t key)
{
	return (uint32_t)flowhash_mum(key ^ FLOWHASH_K0, key >> 32 ^ FLOWHASH_K1);
}

static inline uint64_t
classify_exact_rest(uint8_t protocol, uint16_t port)
{
	return (uint64_t)port << 16 | (uint64_t)protocol << 8 | 1;
}

/* 8 octets of a packet: destination address, source port and destination port; in place of the source port the protocol,
 * and a bit that an empty cell has not. */
static inline uint64_t
classify_exact4_key(uint64_t dst_and_ports, uint8_t protocol)
{
	return (dst_and_ports & UINT64_C(0xffff0000ffffffff)) | UINT64_C(1) << 40 | (uint64_t)protocol << 32;
}

/* Both factors take part of the key: with a constant one, keys in a row would fall on few cells. */
static inline uint32_t
classify_exact4_hash(uint64_t key)
{
	return (uint32_t)flowhash_mum(key ^ FLOWHASH_K0, key >> 32 ^ FLOWHASH_K1);
}

static inline uint32_t
classify_exact6_hash(uint64_t high, uint64_t low, uint64_t rest)
{
	return (uint32_t)flowhash_mum(high ^ low >> 32 ^ FLOWHASH_K0, low ^ rest);
}

/* The service, or SERVICE_NONE. */
static inline uint16_t
classify_exact4_find(const struct classify_table *table, uint64_t key)
{
	for (uint32_t at = classify_exact4_hash(key);; at++) {
		const struct classify_exact4 *cell = &table->exact4[at & table->exact4_mask];

		if (likely(cell->key == key))
			return (uint16_t)cell->service;
		if (cell->key == 0)
			return SERVICE_NONE;
	}
}

static inline uint16_t
classify_exact6_find(const struct classify_table *table, const uint8_t *dst, uint16_t dst_port, uint8_t protocol)
{
	uint64_t high, low, rest = classify_exact_rest(protocol, dst_port);

	memcpy(&high, dst, sizeof(high));
	memcpy(&low, dst + 8, sizeof(low));
	for (uint32_t at = classify_exact6_hash(high, low, rest);; at++) {
		const struct classify_exact6 *cell = &table->exact6[at & table->exact6_mask];

		if (likely(cell->low == low && cell->high == high && cell->rest == rest))
			return (uint16_t)cell->service;
		if (cell->rest == 0)
			return SERVICE_NONE;
	}
}

static inline bool
classify_bit(const uint64_t *bits, uint16_t at)
{
	return bits[at / 64] >> (at % 64) & 1;
}

/* Where the first 32 bits of an IPv6 address, in wire order, have their bit. */
static inline uint16_t
classify_near_hash(uint32_t first)
{
	return (uint16_t)((first * UINT32_C(0x9e3779b1)) >> 16);
}

/* False: the source is neither a VIP, nor a bogon, nor one that nobody has. */
static inline bool
classify_source_is_near(const struct classify_table *table, const uint8_t *src, bool is_v6)
{
	uint32_t first;
	uint16_t first16;

	memcpy(&first16, src, sizeof(first16));
	if (!is_v6)
		return classify_bit(table->near->v4, first16);
	memcpy(&first, src, sizeof(first));
	return classify_bit(table->near->v6, classify_near_hash(first)) || classify_bit(table->near->v6, first16) ||
	       (uint8_t)(src[0] - 1) >= 0xfd; /* ::/8, fe00::/7 */
}

/* OPEN, SOURCE_MARTIAN, SOURCE_VIP or SOURCE_BOGON. src: 4 or 16 octets. */
enum abi_verdict classify_source_fault(const struct classify_table *table, const uint8_t *src, bool is_v6);

/* Of a packet that parse_plain_v4 or _v6 took: its service if that is one of one address and port, and the source may come;
 * SERVICE_NONE: for classify_packet(). A source that is the destination is a VIP too, so LAND is among what is left. Behind an IPv4
 * destination are the ports. */
static inline uint16_t
classify_plain(const struct classify_table *table, const uint8_t *src, const uint8_t *dst, uint32_t ports, uint8_t protocol,
	       bool is_v6)
{
	uint64_t dst_and_ports;

	if (PACKET_GUARD && unlikely(classify_source_is_near(table, src, is_v6)) &&
	    classify_source_fault(table, src, is_v6) != VERDICT_OPEN)
		return SERVICE_NONE;
	if (is_v6)
		return classify_exact6_find(table, dst, (uint16_t)ports, protocol);
	memcpy(&dst_and_ports, dst, sizeof(dst_and_ports));
	return classify_exact4_find(table, classify_exact4_key(dst_and_ports, protocol));
}

/* Index of the longest VIP prefix that holds the address, or CLASSIFY_VIP_NONE. octets: 4 or 16. */
static inline uint16_t
classify_vip_find(const struct classify_table *table, bool is_v6, const uint8_t *octets)
{
	const struct classify_family *family = &table->families[is_v6];
	struct classify_key address = classify_key(is_v6, octets);

	for (unsigned i = 0; i < family->n; i++) {
		const struct classify_length *length = &family->lengths[i];
		struct classify_key key = {address.high & length->mask.high, address.low & length->mask.low};
		uint32_t at = classify_vip_hash(key, is_v6, length->len);

		for (;; at++) {
			const struct classify_cell *cell = &table->vips[at & table->vip_mask];

			if (cell->vip == CLASSIFY_VIP_NONE)
				break;
			if (cell->key.high == key.high && cell->key.low == key.low && cell->len == length->len &&
			    cell->is_v6 == is_v6)
				return cell->vip;
		}
	}
	return CLASSIFY_VIP_NONE;
}

/* has_ports false: only services that take any port fit. SERVICE_NONE: no service. */
static inline uint16_t
classify_service_find(const struct classify_table *table, uint16_t vip, uint8_t protocol, bool has_ports, uint16_t port)
{
	const struct classify_vip_rules *rules = &table->rules[vip];
	uint64_t key = classify_port_key(vip, protocol, port);

	for (uint32_t at = classify_port_hash(key); has_ports && table->ports[at & table->port_mask] != 0; at++) {
		uint64_t cell = table->ports[at & table->port_mask];

		if ((cell & ~UINT64_C(0xffff)) == key)
			return cell & 0xffff;
	}
	for (uint32_t i = 0; i < rules->n; i++) {
		const struct classify_range *range = &table->ranges[rules->first + i];

		if (range->protocol != 0 && range->protocol != protocol)
			continue;
		if (has_ports ? port >= range->port_first && port <= range->port_last
			      : range->port_first == 0 && range->port_last == UINT16_MAX)
			return range->service;
	}
	return SERVICE_NONE;
}

/* Off the packet path. False: the address is no VIP's. vip: index of the longest prefix that holds it. */
bool classify_vip_lookup(const struct classify_table *table, const struct addr *addr, uint16_t *vip);

static inline void
classify_vip_packet(const struct classify_table *table, struct packet *p)
{
	bool is_v6 = p->flags & PACKET_V6;
	const uint8_t *destination = packet_at(p, (uint16_t)(p->l3_at + (is_v6 ? 24 : 16)));
	uint16_t vip = classify_vip_find(table, is_v6, destination);

	if (vip == CLASSIFY_VIP_NONE) {
		bool is_group = is_v6 ? destination[0] == 0xff : destination[0] >> 4 == 0xe;

		p->verdict = is_group ? VERDICT_KERNEL_MULTICAST : VERDICT_KERNEL_UNICAST;
		return;
	}
	p->vip = 1;
	if (p->error == VERDICT_OPEN)
		p->error = (uint8_t)classify_source_fault(table, destination - (is_v6 ? 16 : 4), is_v6);
	if (p->error != VERDICT_OPEN) {
		if (p->flags & PACKET_HAS_PORTS)
			p->service = classify_service_find(table, vip, p->protocol, true, p->dst_port);
		packet_settle(p, p->error);
		return;
	}
	if (p->flags & PACKET_ICMP_ERROR) {
		/* The quoted flow's VIP counts; it need not be the address that the error was sent to. */
		vip = classify_vip_find(table, is_v6, packet_at(p, p->dst_at));
		if (vip == CLASSIFY_VIP_NONE) {
			p->verdict = VERDICT_ICMP_QUOTE;
			return;
		}
	}
	if (table->rules[vip].refuse)
		p->vip = 2;
	p->flow = vip; /* for the second pass; steer writes the flow's hash over it */
}

/* Of a packet for a VIP. Echo requests and what is to be refused (vip is 2) stay open without a service. */
static inline void
classify_service_packet(const struct classify_table *table, struct packet *p)
{
	if (p->flags & PACKET_ECHO)
		return; /* the node answers for all VIPs */
	p->service =
		classify_service_find(table, (uint16_t)p->flow, p->protocol, p->flags & PACKET_HAS_PORTS, p->dst_port);
	if (p->service != SERVICE_NONE)
		return;
	if (p->flags & PACKET_ICMP_ERROR)
		p->verdict = VERDICT_ICMP_QUOTE; /* RFC 1122 3.2.2: no error in answer to an error, */
	else if (p->vip != 2 || (p->flags & PACKET_FRAGMENT_LATER)) /* nor to a fragment but the first */
		p->verdict = VERDICT_NO_SERVICE;
}

/* Marks what is for a VIP; the rest is the kernel's. What parse found wrong becomes the verdict. Then the service,
 * but of fragments, which get their ports first. */
static inline void
classify_packet(const struct classify_table *table, struct packet *p)
{
	if (packet_is_open(p))
		classify_vip_packet(table, p);
	if (packet_is_open(p) && !(p->flags & PACKET_FRAGMENT))
		classify_service_packet(table, p);
}

static inline void
classify_fragment(const struct classify_table *table, struct packet *p)
{
	if ((p->flags & PACKET_FRAGMENT) && packet_is_open(p))
		classify_service_packet(table, p);
}

#endif
