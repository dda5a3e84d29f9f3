/* SPDX-License-Identifier: BSD-2-Clause */
/* A record held against its format, and a whole wanted state against itself: what no single record can show. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/staging.h"

/* One record. Texts go into a NAK: at most 47 octets. */

static bool
addr_is_valid(const struct addr *a)
{
	size_t len = addr_len(a);

	return len > 0 && STAGING_ZERO(a->zero) && staging_is_zero(a->octets + len, sizeof(a->octets) - len);
}

static const char *
vip_fault(const struct abi_vip *r)
{
	struct prefix p = prefix_of(&r->addr, r->len);

	if (r->index >= ABI_VIPS_MAX || r->key == 0 || r->refuse > 1)
		return "VIP: index, key or refuse out of range";
	if (!addr_is_valid(&r->addr) || r->len > addr_bits(&r->addr) || !addr_equal(&p.addr, &r->addr))
		return "VIP: not a prefix";
	return STAGING_ZERO(r->zero) && STAGING_ZERO(r->zero2) ? NULL : STAGING_RESERVED;
}

static const char *
service_fault(const struct abi_service *r)
{
	if (r->index >= ABI_SERVICES_MAX || r->key == 0 || r->vip >= ABI_VIPS_MAX || r->pool >= ABI_POOLS_MAX)
		return "service: index or key out of range";
	if (r->port_first > r->port_last || (r->protocol == 0 && (r->port_first != 0 || r->port_last != UINT16_MAX)))
		return "service: not a range of ports";
	if (r->affinity > ABI_AFFINITY_NONE || r->hash_on > ABI_HASH_SOURCE)
		return "service: affinity or hash out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
pool_fault(const struct abi_pool *r)
{
	if (r->index >= ABI_POOLS_MAX || r->key == 0)
		return "pool: index or key out of range";
	if (r->window_s < 1 || r->window_s > 3600 || r->idle_s < 1 || r->idle_s > 36000)
		return "pool: window or idle time out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
backend_fault(const struct abi_backend *r)
{
	if (r->index >= ABI_BACKENDS_MAX || r->key == 0 || r->pool >= ABI_POOLS_MAX ||
	    (r->nexthop >= ABI_NEXTHOPS_MAX && r->nexthop != ABI_NEXTHOP_NONE))
		return "backend: index or key out of range";
	if (r->encap > ABI_ENCAP_GRE || !addr_is_valid(&r->addr))
		return "backend: address or encapsulation is invalid";
	if (r->encap != ABI_ENCAP_L2 && (!addr_is_valid(&r->source) || r->source.family != r->addr.family))
		return "backend: outer source doesn't fit its address";
	if (r->dscp_mode > ABI_DSCP_FIXED || r->dscp > 63 || r->source_vary_bits > 16 || r->gue_checksum > 1 ||
	    (r->encap == ABI_ENCAP_GUE && r->gue_port == 0))
		return "backend: a tunnel's field is out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
nexthop_fault(const struct abi_nexthop *r, unsigned n_ports)
{
	if (r->index >= ABI_NEXTHOPS_MAX || r->port >= n_ports)
		return "next hop: index or port out of range";
	if (r->vlan > 4094 || r->mtu < 576 || r->mtu > 9216)
		return "next hop: VLAN or MTU out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
guard_fault(const struct abi_guard *r)
{
	if (r->index >= ABI_SERVICES_MAX || r->mode > ABI_GUARD_ALWAYS || r->check > ABI_GUARD_CHECK_DNS ||
	    ((r->filters | r->filters_always) & ~ABI_GUARD_FILTERS))
		return "guard: index, mode, check or filters out of range";
	if (r->hold_s < 1 || r->hold_s > 36000 || r->percent < 1 || r->percent > 100)
		return "guard: hold or percent out of range";
	if (r->prefix_v4_len < 1 || r->prefix_v4_len > 32 || r->prefix_v6_len < 1 || r->prefix_v6_len > 128 ||
	    r->burst_ms < 1 || r->burst_ms > 60000)
		return "guard: prefix length or burst out of range";
	return r->zero == 0 && STAGING_ZERO(r->zero2) ? NULL : STAGING_RESERVED;
}

static const char *
bogon_fault(const struct abi_bogon *r)
{
	struct prefix p = prefix_of(&r->addr, r->len);

	if (r->index >= ABI_BOGONS_MAX)
		return "bogon: index out of range";
	if (!addr_is_valid(&r->addr) || r->len > addr_bits(&r->addr) || !addr_equal(&p.addr, &r->addr))
		return "bogon: not a prefix";
	return STAGING_ZERO(r->zero) && STAGING_ZERO(r->zero2) ? NULL : STAGING_RESERVED;
}

static const char *
reflector_fault(const struct abi_reflector *r)
{
	if (r->index >= ABI_REFLECTORS_MAX || r->port == 0)
		return "reflector: index or port out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
list_class_fault(const struct abi_list_class *r)
{
	if (r->index >= ABI_LIST_CLASSES || r->burst_ms < 1 || r->burst_ms > 60000)
		return "list class: index or burst out of range";
	return STAGING_ZERO(r->zero) && STAGING_ZERO(r->zero2) ? NULL : STAGING_RESERVED;
}

static const char *
rule_part_fault(const struct abi_rule_part *r)
{
	if (r->index >= ABI_SIGNATURES_MAX * ABI_RULE_PARTS)
		return "signature: index out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

static const char *
rule_set_fault(const struct abi_rule_set *r)
{
	if (r->index >= ABI_SERVICES_MAX || r->always > 1)
		return "set of signatures: index or always out of range";
	return STAGING_ZERO(r->zero) && STAGING_ZERO(r->zero2) ? NULL : STAGING_RESERVED;
}

static const char *
filter_fault(const struct abi_filter *r)
{
	if (r->index >= ABI_FILTERS_MAX || (r->service >= ABI_SERVICES_MAX && r->service != ABI_FILTER_EVERY) ||
	    (r->vip >= ABI_VIPS_MAX && r->vip != ABI_FILTER_EVERY) || r->n_insns < 1 ||
	    r->n_insns > ABI_FILTER_INSNS_MAX || r->kind > ABI_FILTER_MATCH || r->action > ABI_FILTER_SAMPLE || r->last > 1)
		return "filter: a field is out of range";
	return r->zero == 0 && STAGING_ZERO(r->zero2) && STAGING_ZERO(r->zero3) ? NULL : STAGING_RESERVED;
}

static const char *
filter_part_fault(const struct abi_filter_part *r)
{
	if (r->index >= ABI_FILTERS_MAX * ABI_FILTER_PARTS)
		return "filter: index of a part out of range";
	return STAGING_ZERO(r->zero) ? NULL : STAGING_RESERVED;
}

const char *
staging_fault(const union abi_record *record, unsigned n_ports)
{
	switch (record->type) {
	case ABI_VIP:
		return vip_fault(&record->vip);
	case ABI_SERVICE:
		return service_fault(&record->service);
	case ABI_POOL:
		return pool_fault(&record->pool);
	case ABI_BACKEND:
		return backend_fault(&record->backend);
	case ABI_GUARD:
		return guard_fault(&record->guard);
	case ABI_BOGON:
		return bogon_fault(&record->bogon);
	case ABI_REFLECTOR:
		return reflector_fault(&record->reflector);
	case ABI_LIST_CLASS:
		return list_class_fault(&record->list_class);
	case ABI_RULE_PART:
		return rule_part_fault(&record->rule_part);
	case ABI_RULE_SET:
		return rule_set_fault(&record->rule_set);
	case ABI_FILTER:
		return filter_fault(&record->filter);
	case ABI_FILTER_PART:
		return filter_part_fault(&record->filter_part);
	default:
		return nexthop_fault(&record->nexthop, n_ports);
	}
}

/* The whole. */

/* What must be there once only, as octets without padding. */
struct key {
	uint64_t value;
	uint64_t scope; /* values may repeat in another one */
	struct addr addr;
	uint32_t more;
};
_Static_assert(sizeof(struct key) == 40, "struct key");

static int
key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key));
}

/* Sorts and looks at neighbours. */
static bool
has_duplicates(struct key *keys, unsigned n)
{
	qsort(keys, n, sizeof(*keys), key_compare);
	for (unsigned i = 1; i < n; i++) {
		if (memcmp(&keys[i - 1], &keys[i], sizeof(*keys)) == 0)
			return true;
	}
	return false;
}

enum { VIP_KEYS, VIP_PREFIXES, SERVICE_KEYS, POOL_KEYS, BACKEND_KEYS, BACKEND_TARGETS, BOGON_PREFIXES, UNIQUE_KINDS };

static struct key
key_of(unsigned kind, const union abi_record *r)
{
	switch (kind) {
	case VIP_KEYS:
		return (struct key){.value = r->vip.key};
	case VIP_PREFIXES:
		return (struct key){.addr = r->vip.addr, .more = r->vip.len};
	case BOGON_PREFIXES:
		return (struct key){.addr = r->bogon.addr, .more = r->bogon.len};
	case SERVICE_KEYS:
		return (struct key){.value = r->service.key};
	case POOL_KEYS:
		return (struct key){.value = r->pool.key};
	case BACKEND_KEYS:
		return (struct key){.value = r->backend.key, .scope = r->backend.pool};
	default:
		return (struct key){.scope = r->backend.pool,
				    .addr = r->backend.addr,
				    .more = (uint32_t)r->backend.encap << 16 |
					    (r->backend.encap == ABI_ENCAP_GUE ? r->backend.gue_port : 0)};
	}
}

static unsigned
check_unique(const struct wanted *w, struct key *keys, const char **text)
{
	const struct {
		const union abi_record *records;
		unsigned max;
		const char *text;
	} kinds[UNIQUE_KINDS] = {
		[VIP_KEYS] = {w->vips, ABI_VIPS_MAX, "two VIPs have the same key"},
		[VIP_PREFIXES] = {w->vips, ABI_VIPS_MAX, "two VIPs have the same prefix"},
		[SERVICE_KEYS] = {w->services, ABI_SERVICES_MAX, "two services have the same key"},
		[POOL_KEYS] = {w->pools, ABI_POOLS_MAX, "two pools have the same key"},
		[BACKEND_KEYS] = {w->backends, ABI_BACKENDS_MAX, "two backends of a pool have the same key"},
		[BACKEND_TARGETS] = {w->backends, ABI_BACKENDS_MAX, "two backends of a pool have the same address"},
		[BOGON_PREFIXES] = {w->bogons, ABI_BOGONS_MAX, "two bogons have the same prefix"},
	};

	for (unsigned kind = 0; kind < UNIQUE_KINDS; kind++) {
		unsigned n = 0;

		for (unsigned i = 0; i < kinds[kind].max; i++) {
			if (kinds[kind].records[i].type)
				keys[n++] = key_of(kind, &kinds[kind].records[i]);
		}
		if (has_duplicates(keys, n)) {
			*text = kinds[kind].text;
			return ABI_NAK_DUPLICATE;
		}
	}
	return 0;
}

/* Both could take a packet of the VIP, and neither is the narrower one: which of them gets it would be chance. */
static bool
collide(const struct abi_service *a, const struct abi_service *b)
{
	bool a_in_b = a->port_first >= b->port_first && a->port_last <= b->port_last;
	bool b_in_a = b->port_first >= a->port_first && b->port_last <= a->port_last;

	if (a->protocol != b->protocol && a->protocol != 0 && b->protocol != 0)
		return false;
	return a->port_first <= b->port_last && b->port_first <= a->port_last && a_in_b == b_in_a;
}

static unsigned
check_services(const struct wanted *w, const char **text)
{
	uint16_t next[ABI_SERVICES_MAX], of_vip[ABI_VIPS_MAX]; /* lists of the services seen so far */

	memset(of_vip, 0xff, sizeof(of_vip));
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *s = &w->services[i].service;

		if (!w->services[i].type)
			continue;
		if (!w->vips[s->vip].type || !w->pools[s->pool].type) {
			*text = "a service's VIP or pool isn't there";
			return ABI_NAK_REFERENCE;
		}
		for (unsigned k = of_vip[s->vip]; k != UINT16_MAX; k = next[k]) {
			if (!collide(s, &w->services[k].service))
				continue;
			*text = "two services overlap";
			return ABI_NAK_DUPLICATE;
		}
		next[i] = of_vip[s->vip];
		of_vip[s->vip] = (uint16_t)i;
	}
	return 0;
}

int
wanted_signatures(const struct wanted *w, struct abi_signature *signatures)
{
	int n = 0;

	for (unsigned i = 0; i < ABI_SIGNATURES_MAX; i++) {
		uint8_t octets[ABI_RULE_PARTS * ABI_RULE_OCTETS];
		unsigned parts = 0;

		for (unsigned k = 0; k < ABI_RULE_PARTS; k++) {
			const struct abi_rule_part *r = &w->rule_parts[i * ABI_RULE_PARTS + k].rule_part;

			parts += r->type != 0;
			memcpy(octets + k * ABI_RULE_OCTETS, r->octets, ABI_RULE_OCTETS);
		}
		if (parts == 0)
			continue;
		if (parts < ABI_RULE_PARTS || (unsigned)n != i)
			return -1;
		memcpy(&signatures[n++], octets, sizeof(*signatures));
	}
	return n;
}

/* Of the signatures, for the whole of them can't be told from one record. */
static unsigned
check_rules(const struct wanted *w, const char **text)
{
	struct abi_signature *signatures = calloc(ABI_SIGNATURES_MAX, sizeof(*signatures));
	int n = signatures ? wanted_signatures(w, signatures) : 0;
	unsigned reason = signatures ? 0 : ABI_NAK_MEMORY;

	if (n < 0) {
		*text = "a signature lacks a part";
		reason = ABI_NAK_INCOMPLETE;
	}
	for (int i = 0; !reason && i < n; i++) {
		if (!abi_signature_fault(&signatures[i]))
			continue;
		*text = "a signature is not sound";
		reason = ABI_NAK_RANGE;
	}
	free(signatures);
	return reason;
}

/* Every filter has the parts that it says, whose programs are looked at when they are compiled. */
static unsigned
check_filters(const struct wanted *w, const char **text)
{
	for (unsigned i = 0; i < ABI_FILTERS_MAX; i++) {
		const struct abi_filter *r = &w->filters[i].filter;
		unsigned parts = r->type ? (r->n_insns + ABI_FILTER_PART_INSNS - 1U) / ABI_FILTER_PART_INSNS : 0;

		for (unsigned k = 0; k < ABI_FILTER_PARTS; k++) {
			if ((w->filter_parts[i * ABI_FILTER_PARTS + k].type != 0) == (k < parts))
				continue;
			*text = "a filter lacks a part, or has one too many";
			return ABI_NAK_INCOMPLETE;
		}
		if (r->type && ((r->service != ABI_FILTER_EVERY && !w->services[r->service].type) ||
				(r->vip != ABI_FILTER_EVERY && !w->vips[r->vip].type))) {
			*text = "a filter's service or VIP isn't there";
			return ABI_NAK_REFERENCE;
		}
	}
	return 0;
}

static unsigned
check_guards(const struct wanted *w, const char **text)
{
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		if ((!w->guards[i].type && !w->rule_sets[i].type) || w->services[i].type)
			continue;
		*text = "a guard's service isn't there";
		return ABI_NAK_REFERENCE;
	}
	return 0;
}

static unsigned
check_backends(const struct wanted *w, const char **text)
{
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		const struct abi_backend *b = &w->backends[i].backend;

		if (!w->backends[i].type)
			continue;
		if (!w->pools[b->pool].type || (b->nexthop != ABI_NEXTHOP_NONE && !w->nexthops[b->nexthop].type)) {
			*text = "a backend's pool or next hop isn't there";
			return ABI_NAK_REFERENCE;
		}
	}
	return 0;
}

static unsigned
check_slots(const struct wanted *w, unsigned pool, const char **text)
{
	const uint16_t *owners = w->owners[pool];

	if (!w->pools[pool].type && !owners)
		return 0;
	if (!w->pools[pool].type) {
		*text = "slots of a pool that isn't there";
		return ABI_NAK_REFERENCE;
	}
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		if (!owners || owners[i] == STAGING_UNSET) {
			*text = "a pool's slots are not all there";
			return ABI_NAK_INCOMPLETE;
		}
		if (owners[i] != ABI_OWNER_NONE &&
		    (!w->backends[owners[i]].type || w->backends[owners[i]].backend.pool != pool)) {
			*text = "a slot's owner is not of its pool";
			return ABI_NAK_REFERENCE;
		}
	}
	return 0;
}

unsigned
wanted_check(const struct wanted *w, const char **text)
{
	struct key *keys = malloc(ABI_BACKENDS_MAX * sizeof(*keys));
	unsigned reason;

	if (!keys)
		return ABI_NAK_MEMORY;
	reason = check_unique(w, keys, text);
	free(keys);
	if (!reason)
		reason = check_services(w, text);
	if (!reason)
		reason = check_guards(w, text);
	if (!reason)
		reason = check_rules(w, text);
	if (!reason)
		reason = check_filters(w, text);
	if (!reason)
		reason = check_backends(w, text);
	for (unsigned i = 0; !reason && i < ABI_POOLS_MAX; i++)
		reason = check_slots(w, i, text);
	return reason;
}
