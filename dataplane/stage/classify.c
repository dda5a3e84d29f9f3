/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/classify.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_common.h>

static bool
rule_is_exact(const struct classify_rule *rule)
{
	return rule->protocol != 0 && rule->port_first == rule->port_last;
}

/* By VIP, then the narrowest, then one protocol before any. */
static int
rule_compare(const void *left, const void *right)
{
	const struct classify_rule *a = left, *b = right;
	int a_width = a->port_last - a->port_first, b_width = b->port_last - b->port_first;

	if (a->vip != b->vip)
		return (int)a->vip - (int)b->vip;
	if (a_width != b_width)
		return a_width - b_width;
	return (a->protocol == 0) - (b->protocol == 0);
}

static struct classify_key
length_mask(unsigned len, bool is_v6)
{
	unsigned high = len > 64 ? 64 : len, low = len - high;

	return (struct classify_key){
		.high = high ? UINT64_MAX << (64 - high) : 0,
		.low = is_v6 && low ? UINT64_MAX << (64 - low) : 0,
	};
}

static void
lengths_init(struct classify_family *family, bool is_v6, const struct classify_vip *vips, unsigned n_vips)
{
	bool used[CLASSIFY_LENGTHS_MAX] = {0};

	for (unsigned i = 0; i < n_vips; i++) {
		if ((vips[i].prefix.addr.family == ADDR_V6) == is_v6)
			used[vips[i].prefix.len] = true;
	}
	for (unsigned len = CLASSIFY_LENGTHS_MAX; len-- > 0;) {
		if (used[len])
			family->lengths[family->n++] =
				(struct classify_length){.mask = length_mask(len, is_v6), .len = (uint8_t)len};
	}
}

static void
vips_fill(struct classify_table *table, const struct classify_vip *vips, unsigned n_vips)
{
	for (uint32_t i = 0; i <= table->vip_mask; i++)
		table->vips[i].vip = CLASSIFY_VIP_NONE;
	for (unsigned i = 0; i < n_vips; i++) {
		bool is_v6 = vips[i].prefix.addr.family == ADDR_V6;
		struct classify_cell cell = {
			.key = classify_key(is_v6, vips[i].prefix.addr.octets),
			.vip = (uint16_t)i,
			.is_v6 = is_v6,
			.len = vips[i].prefix.len,
		};
		uint32_t at = classify_vip_hash(cell.key, is_v6, cell.len);

		while (table->vips[at & table->vip_mask].vip != CLASSIFY_VIP_NONE)
			at++;
		table->vips[at & table->vip_mask] = cell;
		table->rules[i].refuse = vips[i].refuse;
	}
}

static void
port_put(struct classify_table *table, const struct classify_rule *rule)
{
	uint64_t key = classify_port_key(rule->vip, rule->protocol, rule->port_first);
	uint32_t at = classify_port_hash(key);

	while (table->ports[at & table->port_mask] != 0)
		at++;
	table->ports[at & table->port_mask] = key | rule->service;
}

static bool
rule_is_of_one_address(const struct classify_rule *rule, const struct classify_vip *vips)
{
	const struct prefix *prefix = &vips[rule->vip].prefix;

	return rule_is_exact(rule) && prefix->len == (prefix->addr.family == ADDR_V6 ? 128 : 32);
}

static void
exact4_put(struct classify_table *table, const uint8_t *octets, const struct classify_rule *rule)
{
	uint8_t dst_and_ports[8] = {[6] = (uint8_t)(rule->port_first >> 8), [7] = (uint8_t)rule->port_first};
	uint64_t key;
	uint32_t at;

	memcpy(dst_and_ports, octets, 4);
	memcpy(&key, dst_and_ports, sizeof(key));
	key = classify_exact4_key(key, rule->protocol);
	at = classify_exact4_hash(key);
	while (table->exact4[at & table->exact4_mask].key != 0)
		at++;
	table->exact4[at & table->exact4_mask] = (struct classify_exact4){key, rule->service};
}

static void
exact6_put(struct classify_table *table, const uint8_t *octets, uint64_t rest, uint16_t service)
{
	struct classify_exact6 cell = {.rest = rest, .service = service};
	uint32_t at;

	memcpy(&cell.high, octets, sizeof(cell.high));
	memcpy(&cell.low, octets + 8, sizeof(cell.low));
	at = classify_exact6_hash(cell.high, cell.low, rest);
	while (table->exact6[at & table->exact6_mask].rest != 0)
		at++;
	table->exact6[at & table->exact6_mask] = cell;
}

static void
exact_fill(struct classify_table *table, const struct classify_vip *vips, const struct classify_rule *rules,
	   unsigned n_rules)
{
	for (unsigned i = 0; i < n_rules; i++) {
		const struct addr *addr = &vips[rules[i].vip].prefix.addr;
		uint64_t rest = classify_exact_rest(rules[i].protocol, rules[i].port_first);

		if (!rule_is_of_one_address(&rules[i], vips))
			continue;
		if (addr->family == ADDR_V6)
			exact6_put(table, addr->octets, rest, rules[i].service);
		else
			exact4_put(table, addr->octets, &rules[i]);
	}
}

static void
rules_fill(struct classify_table *table, struct classify_rule *sorted, unsigned n_rules)
{
	uint32_t n_ranges = 0;

	qsort(sorted, n_rules, sizeof(*sorted), rule_compare);
	for (unsigned i = 0; i < n_rules; i++) {
		const struct classify_rule *rule = &sorted[i];
		struct classify_vip_rules *of = &table->rules[rule->vip];

		if (rule_is_exact(rule)) {
			port_put(table, rule);
			continue;
		}
		if (of->n++ == 0)
			of->first = n_ranges;
		table->ranges[n_ranges++] = (struct classify_range){
			.port_first = rule->port_first,
			.port_last = rule->port_last,
			.service = rule->service,
			.protocol = rule->protocol,
		};
	}
}

/* Refused sources. */

static void
bit_set(uint64_t *bits, uint16_t at)
{
	bits[at / 64] |= UINT64_C(1) << (at % 64);
}

/* n beginnings of 16 bits from this one on, in network order; bits are by how they lie in memory. */
static void
bits_set(uint64_t *bits, uint32_t first16, uint32_t n)
{
	for (uint32_t at = first16; at < first16 + n; at++)
		bit_set(bits, htobe16((uint16_t)at));
}

/* A prefix shorter than 16 has many beginnings of 16 bits. */
static void
near_put(struct classify_near *near, const struct prefix *prefix)
{
	const uint8_t *octets = prefix->addr.octets;
	uint32_t first16 = (uint32_t)(octets[0] << 8 | octets[1]), first;
	uint32_t n = prefix->len < 16 ? UINT32_C(1) << (16 - prefix->len) : 1;

	memcpy(&first, octets, sizeof(first));
	if (prefix->addr.family == ADDR_V4)
		bits_set(near->v4, first16, n);
	else if (prefix->len < 32)
		bits_set(near->v6, first16, n);
	else
		bit_set(near->v6, classify_near_hash(first));
}

/* Nobody's IPv4 addresses; of IPv6 classify_source_is_near() knows itself. */
static void
near_init(struct classify_near *near)
{
	for (uint32_t first = 0; first < 256; first++) {
		if (packet_is_martian_v4((uint8_t)first))
			bits_set(near->v4, first << 8, 256);
	}
}

int
classify_table_bogons(struct classify_table *table, const struct prefix *bogons, unsigned n)
{
	struct classify_vip *vips = calloc(n + (size_t)1, sizeof(*vips));

	for (unsigned i = 0; vips && i < n; i++) {
		vips[i].prefix = bogons[i];
		near_put(table->near, &bogons[i]);
	}
	if (vips)
		table->bogons = classify_table_new(vips, n, NULL, 0);
	free(vips);
	return table->bogons ? 0 : -ENOMEM;
}

enum abi_verdict
classify_source_fault(const struct classify_table *table, const uint8_t *src, bool is_v6)
{
	if (packet_is_martian(src, is_v6))
		return VERDICT_SOURCE_MARTIAN;
	if (classify_vip_find(table, is_v6, src) != CLASSIFY_VIP_NONE)
		return VERDICT_SOURCE_VIP;
	if (table->bogons && classify_vip_find(table->bogons, is_v6, src) != CLASSIFY_VIP_NONE)
		return VERDICT_SOURCE_BOGON;
	return VERDICT_OPEN;
}

/* A power of two, at least four times n: probes are short and always end. */
static uint32_t
cells_for(unsigned n)
{
	return rte_align32pow2(n * 4U + 4U);
}

struct classify_table *
classify_table_new(const struct classify_vip *vips, unsigned n_vips, const struct classify_rule *rules,
		   unsigned n_rules)
{
	struct classify_table *table = calloc(1, sizeof(*table));
	struct classify_rule *sorted = calloc(n_rules + 1U, sizeof(*sorted));

	if (!table || !sorted)
		goto fail;
	table->vip_mask = cells_for(n_vips) - 1;
	table->port_mask = cells_for(n_rules) - 1;
	table->exact4_mask = table->exact6_mask = table->port_mask;
	table->exact4 = calloc(table->exact4_mask + (size_t)1, sizeof(*table->exact4));
	table->exact6 = calloc(table->exact6_mask + (size_t)1, sizeof(*table->exact6));
	table->vips = aligned_alloc(64, (table->vip_mask + (size_t)1) * sizeof(*table->vips));
	table->ports = calloc(table->port_mask + (size_t)1, sizeof(*table->ports));
	table->ranges = calloc(n_rules + 1U, sizeof(*table->ranges));
	table->rules = calloc(n_vips + 1U, sizeof(*table->rules));
	table->near = calloc(1, sizeof(*table->near));
	if (!table->exact4 || !table->exact6 || !table->vips || !table->ports || !table->ranges || !table->rules ||
	    !table->near)
		goto fail;
	near_init(table->near);
	for (unsigned i = 0; i < n_vips; i++)
		near_put(table->near, &vips[i].prefix);
	lengths_init(&table->families[0], false, vips, n_vips);
	lengths_init(&table->families[1], true, vips, n_vips);
	vips_fill(table, vips, n_vips);
	if (n_rules > 0)
		memcpy(sorted, rules, n_rules * sizeof(*sorted));
	rules_fill(table, sorted, n_rules);
	exact_fill(table, vips, rules, n_rules);
	free(sorted);
	return table;
fail:
	free(sorted);
	classify_table_free(table);
	return NULL;
}

void
classify_table_free(struct classify_table *table)
{
	if (!table)
		return;
	free(table->exact4);
	free(table->exact6);
	free(table->vips);
	free(table->ports);
	free(table->ranges);
	free(table->rules);
	free(table->near);
	classify_table_free(table->bogons);
	free(table);
}

bool
classify_vip_lookup(const struct classify_table *table, const struct addr *addr, uint16_t *vip)
{
	uint16_t found = addr->family == ADDR_NONE ? CLASSIFY_VIP_NONE
						   : classify_vip_find(table, addr->family == ADDR_V6, addr->octets);

	if (found == CLASSIFY_VIP_NONE)
		return false;
	*vip = found;
	return true;
}
