/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/staging.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

struct staging {
	unsigned n_ports;
	bool is_open;	 /* between BEGIN and COMMIT */
	bool is_refused; /* passes over what is left of a refused transaction */
	uint32_t n_records;
	uint32_t crc;
	struct wanted *wanted;
};

void
wanted_free(struct wanted *wanted)
{
	if (!wanted)
		return;
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++)
		free(wanted->owners[i]);
	free(wanted);
}

static uint16_t *
owners_new(const uint16_t *from)
{
	uint16_t *owners = malloc(ABI_SLOTS * sizeof(*owners));

	if (owners && from)
		memcpy(owners, from, ABI_SLOTS * sizeof(*owners));
	else if (owners)
		memset(owners, 0xff, ABI_SLOTS * sizeof(*owners)); /* STAGING_UNSET */
	return owners;
}

static struct wanted *
wanted_copy(const struct wanted *from)
{
	struct wanted *copy = calloc(1, sizeof(*copy));

	if (!copy || !from)
		return copy;
	memcpy(copy, from, sizeof(*copy));
	memset(copy->owners, 0, sizeof(copy->owners));
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++) {
		if (from->owners[i] && !(copy->owners[i] = owners_new(from->owners[i]))) {
			wanted_free(copy);
			return NULL;
		}
	}
	return copy;
}

struct staging *
staging_new(unsigned n_ports)
{
	struct staging *s = calloc(1, sizeof(*s));

	if (s)
		s->n_ports = n_ports;
	return s;
}

void
staging_free(struct staging *s)
{
	if (!s)
		return;
	wanted_free(s->wanted);
	free(s);
}

/* Octets that a newer control plane might give a meaning to must not be passed over in silence. */
static bool
is_zero(const uint8_t *octets, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (octets[i] != 0)
			return false;
	}
	return true;
}

#define ZERO(field) is_zero((const uint8_t *)(field), sizeof(field))

static bool
addr_is_valid(const struct addr *a)
{
	size_t len = addr_len(a);

	return len > 0 && ZERO(a->zero) && is_zero(a->octets + len, sizeof(a->octets) - len);
}

static bool
vip_fits(const struct abi_vip *r)
{
	struct prefix p = prefix_of(&r->addr, r->len);

	return r->index < ABI_VIPS_MAX && r->key != 0 && r->refuse <= 1 && addr_is_valid(&r->addr) &&
	       r->len <= addr_bits(&r->addr) && addr_equal(&p.addr, &r->addr) && ZERO(r->zero) && ZERO(r->zero2);
}

static bool
service_fits(const struct abi_service *r)
{
	return r->index < ABI_SERVICES_MAX && r->key != 0 && r->vip < ABI_VIPS_MAX && r->pool < ABI_POOLS_MAX &&
	       r->port_first <= r->port_last && r->affinity <= ABI_AFFINITY_NONE && r->hash_on <= ABI_HASH_SOURCE &&
	       ZERO(r->zero);
}

static bool
pool_fits(const struct abi_pool *r)
{
	return r->index < ABI_POOLS_MAX && r->key != 0 && r->window_s >= 1 && r->window_s <= 3600 && r->idle_s >= 1 &&
	       r->idle_s <= 36000 && ZERO(r->zero);
}

static bool
backend_fits(const struct abi_backend *r)
{
	bool has_source = r->encap != ABI_ENCAP_L2;

	if (has_source && (!addr_is_valid(&r->source) || r->source.family != r->addr.family))
		return false;
	return r->index < ABI_BACKENDS_MAX && r->key != 0 && r->pool < ABI_POOLS_MAX && r->encap <= ABI_ENCAP_GRE &&
	       (r->nexthop < ABI_NEXTHOPS_MAX || r->nexthop == ABI_NEXTHOP_NONE) && addr_is_valid(&r->addr) &&
	       r->dscp_mode <= ABI_DSCP_FIXED && r->dscp <= 63 && r->source_vary_bits <= 16 && r->gue_checksum <= 1 &&
	       (r->encap != ABI_ENCAP_GUE || r->gue_port != 0) && ZERO(r->zero);
}

static bool
nexthop_fits(const struct abi_nexthop *r, unsigned n_ports)
{
	return r->index < ABI_NEXTHOPS_MAX && r->port < n_ports && r->vlan <= 4094 && r->mtu >= 576 && r->mtu <= 9216 &&
	       ZERO(r->zero);
}

static int
slots_take(struct wanted *w, const struct abi_slots_part *r)
{
	if (r->pool >= ABI_POOLS_MAX || r->count < 1 || r->count > ABI_SLOTS_PER_PART || r->first + r->count > ABI_SLOTS)
		return ABI_NAK_RANGE;
	for (unsigned i = 0; i < r->count; i++) {
		if (r->owner[i] >= ABI_BACKENDS_MAX && r->owner[i] != ABI_OWNER_NONE)
			return ABI_NAK_RANGE;
	}
	if (!w->owners[r->pool] && !(w->owners[r->pool] = owners_new(NULL)))
		return ABI_NAK_MEMORY;
	memcpy(w->owners[r->pool] + r->first, r->owner, r->count * sizeof(r->owner[0]));
	return 0;
}

/* Where a kind's records are kept; NULL: no such kind or index. */
static union abi_record *
place(struct wanted *w, unsigned type, unsigned index)
{
	switch (type) {
	case ABI_VIP:
		return index < ABI_VIPS_MAX ? &w->vips[index] : NULL;
	case ABI_SERVICE:
		return index < ABI_SERVICES_MAX ? &w->services[index] : NULL;
	case ABI_POOL:
		return index < ABI_POOLS_MAX ? &w->pools[index] : NULL;
	case ABI_BACKEND:
		return index < ABI_BACKENDS_MAX ? &w->backends[index] : NULL;
	case ABI_NEXTHOP:
		return index < ABI_NEXTHOPS_MAX ? &w->nexthops[index] : NULL;
	default:
		return NULL;
	}
}

static int
remove_take(struct wanted *w, const struct abi_remove *r)
{
	union abi_record *at = place(w, r->of, r->index);

	if (!at || !ZERO(r->zero))
		return ABI_NAK_RANGE;
	if (at->type == 0)
		return ABI_NAK_REFERENCE;
	memset(at, 0, sizeof(*at));
	if (r->of == ABI_POOL) {
		free(w->owners[r->index]);
		w->owners[r->index] = NULL;
	}
	return 0;
}

static bool
fits(const struct staging *s, const union abi_record *record)
{
	switch (record->type) {
	case ABI_VIP:
		return vip_fits(&record->vip);
	case ABI_SERVICE:
		return service_fits(&record->service);
	case ABI_POOL:
		return pool_fits(&record->pool);
	case ABI_BACKEND:
		return backend_fits(&record->backend);
	default:
		return nexthop_fits(&record->nexthop, s->n_ports);
	}
}

static int
content_take(struct staging *s, const union abi_record *record)
{
	switch (record->type) {
	case ABI_VIP:
	case ABI_SERVICE:
	case ABI_POOL:
	case ABI_BACKEND:
	case ABI_NEXTHOP:
		if (!fits(s, record))
			return ABI_NAK_RANGE;
		/* The index is the record's second field in all five kinds, and was checked. */
		*place(s->wanted, record->type, record->vip.index) = *record;
		return 0;
	case ABI_SLOTS_PART:
		return slots_take(s->wanted, &record->slots);
	case ABI_REMOVE:
		return remove_take(s->wanted, &record->remove);
	default:
		return ABI_NAK_TYPE;
	}
}

static int
begin_take(struct staging *s, const struct abi_begin *r, const struct wanted *served)
{
	uint64_t in_force = served ? served->generation : 0;

	if (r->kind > ABI_DELTA || r->zero != 0 || !ZERO(r->zero2))
		return ABI_NAK_RANGE;
	if (r->generation <= in_force || (r->kind == ABI_DELTA && (in_force == 0 || r->base != in_force)))
		return ABI_NAK_GENERATION;
	s->wanted = wanted_copy(r->kind == ABI_DELTA ? served : NULL);
	if (!s->wanted)
		return ABI_NAK_MEMORY;
	s->wanted->generation = r->generation;
	return 0;
}

static int
commit_take(struct staging *s, const struct abi_commit *r, const char **text)
{
	if (r->generation != s->wanted->generation)
		return ABI_NAK_GENERATION;
	if (r->records != s->n_records)
		return ABI_NAK_COUNT;
	if (r->crc != s->crc)
		return ABI_NAK_CRC;
	return (int)wanted_check(s->wanted, text);
}

static const char *
reason_text(unsigned reason)
{
	static const char *const texts[] = {
		[ABI_NAK_SEQUENCE] = "record out of sequence",
		[ABI_NAK_GENERATION] = "generation doesn't follow the one served",
		[ABI_NAK_COUNT] = "record count differs",
		[ABI_NAK_CRC] = "checksum differs",
		[ABI_NAK_TYPE] = "unknown record type",
		[ABI_NAK_RANGE] = "a field is out of its range",
		[ABI_NAK_REFERENCE] = "names what isn't there",
		[ABI_NAK_DUPLICATE] = "the same thing twice",
		[ABI_NAK_INCOMPLETE] = "a pool's slots are not all there",
		[ABI_NAK_MEMORY] = "out of memory",
	};

	return texts[reason];
}

static enum staging_result
refuse(struct staging *s, unsigned reason, const char *text, bool whole, struct abi_nak *nak)
{
	*nak = (struct abi_nak){.type = ABI_NAK,
				.reason = (uint16_t)reason,
				.record = whole ? UINT32_MAX : s->n_records,
				.generation = s->wanted ? s->wanted->generation : 0};
	snprintf(nak->text, sizeof(nak->text), "%s", text ? text : reason_text(reason));
	wanted_free(s->wanted);
	s->wanted = NULL;
	return STAGING_REFUSED;
}

static enum staging_result
begin(struct staging *s, const union abi_record *record, const struct wanted *served, struct abi_nak *nak)
{
	bool was_open = s->is_open && !s->is_refused;
	int reason;

	wanted_free(s->wanted);
	*s = (struct staging){.n_ports = s->n_ports, .is_open = true};
	reason = was_open ? ABI_NAK_SEQUENCE : begin_take(s, &record->begin, served);
	if (!reason)
		return STAGING_MORE;
	s->is_refused = true;
	refuse(s, (unsigned)reason, NULL, true, nak);
	nak->generation = record->begin.generation;
	return STAGING_REFUSED;
}

static enum staging_result
commit(struct staging *s, const union abi_record *record, struct abi_nak *nak)
{
	const char *text = NULL;
	int reason;

	s->is_open = false;
	if (s->is_refused) {
		s->is_refused = false;
		return STAGING_MORE;
	}
	reason = commit_take(s, &record->commit, &text);
	return reason ? refuse(s, (unsigned)reason, text, true, nak) : STAGING_READY;
}

enum staging_result
staging_record(struct staging *s, const union abi_record *record, const struct wanted *served, struct abi_nak *nak)
{
	enum staging_result result;
	int reason;

	if (record->type == ABI_BEGIN)
		return begin(s, record, served, nak);
	if (!s->is_open)
		return refuse(s, ABI_NAK_SEQUENCE, NULL, true, nak);
	if (record->type == ABI_COMMIT)
		return commit(s, record, nak);
	if (s->is_refused)
		return STAGING_MORE;
	reason = content_take(s, record);
	if (reason) {
		result = refuse(s, (unsigned)reason, NULL, false, nak);
		s->is_refused = true;
		return result;
	}
	s->crc = crc32c(s->crc, record, sizeof(*record));
	s->n_records++;
	return STAGING_MORE;
}

struct wanted *
staging_take(struct staging *s)
{
	struct wanted *wanted = s->wanted;

	s->wanted = NULL;
	return wanted;
}
