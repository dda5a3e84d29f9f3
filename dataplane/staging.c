/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/staging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

enum { KINDS = ABI_FILTER_PART + 1, SEEN_WORDS = (ABI_BACKENDS_MAX + 63) / 64 };

struct staging {
	unsigned n_ports;
	bool is_open;	 /* between BEGIN and COMMIT */
	bool is_refused; /* passes over what is left of a refused transaction */
	uint32_t n_records;
	uint32_t crc;
	uint64_t base; /* delta: the generation that it changes; else 0 */
	struct wanted *wanted; /* without owners until COMMIT */
	uint16_t *given[ABI_POOLS_MAX]; /* slots of this transaction, STAGING_UNSET where it says nothing; NULL: no slot */
	uint64_t seen[KINDS][SEEN_WORDS]; /* indices that a record of this transaction spoke of */
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
owners_new(void)
{
	uint16_t *owners = malloc(ABI_SLOTS * sizeof(*owners));

	if (owners)
		memset(owners, 0xff, ABI_SLOTS * sizeof(*owners)); /* STAGING_UNSET */
	return owners;
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
staging_reset(struct staging *s)
{
	wanted_free(s->wanted);
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++)
		free(s->given[i]);
	*s = (struct staging){.n_ports = s->n_ports};
}

void
staging_free(struct staging *s)
{
	if (!s)
		return;
	staging_reset(s);
	free(s);
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
	case ABI_GUARD:
		return index < ABI_SERVICES_MAX ? &w->guards[index] : NULL;
	case ABI_BOGON:
		return index < ABI_BOGONS_MAX ? &w->bogons[index] : NULL;
	case ABI_REFLECTOR:
		return index < ABI_REFLECTORS_MAX ? &w->reflectors[index] : NULL;
	case ABI_LIST_CLASS:
		return index < ABI_LIST_CLASSES ? &w->list_classes[index] : NULL;
	case ABI_RULE_PART:
		return index < ARRAY_LEN(w->rule_parts) ? &w->rule_parts[index] : NULL;
	case ABI_RULE_SET:
		return index < ABI_SERVICES_MAX ? &w->rule_sets[index] : NULL;
	case ABI_FILTER:
		return index < ABI_FILTERS_MAX ? &w->filters[index] : NULL;
	case ABI_FILTER_PART:
		return index < ARRAY_LEN(w->filter_parts) ? &w->filter_parts[index] : NULL;
	default:
		return NULL;
	}
}

/* False: another record of the transaction spoke of it already. The kind and the index are in range. */
static bool
see(struct staging *s, unsigned type, unsigned index)
{
	uint64_t *word = &s->seen[type][index / 64], bit = UINT64_C(1) << (index % 64);
	bool is_first = !(*word & bit);

	*word |= bit;
	return is_first;
}

static int
thing_take(struct staging *s, const union abi_record *record, const char **text)
{
	unsigned index = record->vip.index; /* the second field in all kinds */

	*text = staging_fault(record, s->n_ports);
	if (*text)
		return ABI_NAK_RANGE;
	if (!see(s, record->type, index)) {
		*text = "two records of the same index";
		return ABI_NAK_DUPLICATE;
	}
	*place(s->wanted, record->type, index) = *record;
	return 0;
}

static int
slots_take(struct staging *s, const struct abi_slots_part *r, const char **text)
{
	uint16_t *given;

	if (r->pool >= ABI_POOLS_MAX || r->count < 1 || r->count > ABI_SLOTS_PER_PART || r->first + r->count > ABI_SLOTS)
		return ABI_NAK_RANGE;
	for (unsigned i = 0; i < ABI_SLOTS_PER_PART; i++) {
		if (i >= r->count ? r->owner[i] != 0 : r->owner[i] >= ABI_BACKENDS_MAX && r->owner[i] != ABI_OWNER_NONE) {
			*text = i >= r->count ? STAGING_RESERVED : "a slot's owner is no backend's index";
			return ABI_NAK_RANGE;
		}
	}
	if (!s->given[r->pool] && !(s->given[r->pool] = owners_new()))
		return ABI_NAK_MEMORY;
	given = s->given[r->pool] + r->first;
	for (unsigned i = 0; i < r->count; i++) {
		if (given[i] != STAGING_UNSET) {
			*text = "two owners for one slot";
			return ABI_NAK_DUPLICATE;
		}
		given[i] = r->owner[i];
	}
	return 0;
}

static int
remove_take(struct staging *s, const struct abi_remove *r, const char **text)
{
	union abi_record *at = place(s->wanted, r->of, r->index);

	if (!at || !STAGING_ZERO(r->zero)) {
		*text = at ? STAGING_RESERVED : "removal of no known kind or index";
		return ABI_NAK_RANGE;
	}
	if (!see(s, r->of, r->index)) {
		*text = "two records of the same index";
		return ABI_NAK_DUPLICATE;
	}
	if (at->type == 0)
		return ABI_NAK_REFERENCE;
	memset(at, 0, sizeof(*at));
	return 0;
}

static int
content_take(struct staging *s, const union abi_record *record, const char **text)
{
	switch (record->type) {
	case ABI_VIP:
	case ABI_SERVICE:
	case ABI_POOL:
	case ABI_BACKEND:
	case ABI_NEXTHOP:
	case ABI_GUARD:
	case ABI_BOGON:
	case ABI_REFLECTOR:
	case ABI_LIST_CLASS:
	case ABI_RULE_PART:
	case ABI_RULE_SET:
	case ABI_FILTER:
	case ABI_FILTER_PART:
		return thing_take(s, record, text);
	case ABI_SLOTS_PART:
		return slots_take(s, &record->slots, text);
	case ABI_REMOVE:
		return remove_take(s, &record->remove, text);
	default:
		return ABI_NAK_TYPE;
	}
}

static struct wanted *
wanted_new(const struct wanted *from)
{
	struct wanted *w = calloc(1, sizeof(*w));

	if (w && from) {
		memcpy(w, from, sizeof(*w));
		memset(w->owners, 0, sizeof(w->owners));
	}
	return w;
}

static int
begin_take(struct staging *s, const struct abi_begin *r, const struct wanted *served, const char **text)
{
	uint64_t in_force = served ? served->generation : 0;
	bool is_delta = r->kind == ABI_DELTA;

	if (r->zero != 0 || !STAGING_ZERO(r->zero2)) {
		*text = STAGING_RESERVED;
		return ABI_NAK_RANGE;
	}
	if (r->kind > ABI_DELTA || (!is_delta && r->base != 0))
		return ABI_NAK_RANGE;
	if (r->generation <= in_force || (is_delta && (in_force == 0 || r->base != in_force)))
		return ABI_NAK_GENERATION;
	s->wanted = wanted_new(is_delta ? served : NULL);
	if (!s->wanted)
		return ABI_NAK_MEMORY;
	s->wanted->generation = r->generation;
	s->base = r->base;
	return 0;
}

/* What the pool's slots were, as far as the transaction builds on it; NULL: it must give them all. */
static const uint16_t *
owners_before(const struct staging *s, const struct wanted *served, unsigned pool)
{
	if (s->base == 0 || !served->pools[pool].type ||
	    served->pools[pool].pool.key != s->wanted->pools[pool].pool.key)
		return NULL;
	return served->owners[pool];
}

static int
owners_merge(struct staging *s, const struct wanted *served, unsigned pool)
{
	const uint16_t *before = owners_before(s, served, pool);
	uint16_t *owners = s->given[pool];

	if (!owners && before && !(owners = owners_new()))
		return ABI_NAK_MEMORY;
	for (unsigned i = 0; before && i < ABI_SLOTS; i++) {
		if (owners[i] == STAGING_UNSET)
			owners[i] = before[i];
	}
	s->wanted->owners[pool] = owners;
	s->given[pool] = NULL;
	return 0;
}

static int
commit_take(struct staging *s, const struct abi_commit *r, const struct wanted *served, const char **text)
{
	int reason = 0;

	if (r->zero != 0 || !STAGING_ZERO(r->zero2)) {
		*text = STAGING_RESERVED;
		return ABI_NAK_RANGE;
	}
	if (r->generation != s->wanted->generation || (s->base != 0 && (!served || served->generation != s->base)))
		return ABI_NAK_GENERATION;
	if (r->records != s->n_records)
		return ABI_NAK_COUNT;
	if (r->crc != s->crc)
		return ABI_NAK_CRC;
	for (unsigned i = 0; !reason && i < ABI_POOLS_MAX; i++)
		reason = s->wanted->pools[i].type || s->given[i] ? owners_merge(s, served, i) : 0;
	return reason ? reason : (int)wanted_check(s->wanted, text);
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

enum { NO_RECORD = UINT32_MAX };

/* Nothing is kept of the transaction. is_open: the rest of it is still to come and is passed over. */
static enum staging_result
refuse(struct staging *s, struct abi_nak fault, const char *text, bool is_open, struct abi_nak *nak)
{
	*nak = fault;
	nak->type = ABI_NAK;
	snprintf(nak->text, sizeof(nak->text), "%s", text ? text : reason_text(fault.reason));
	staging_reset(s);
	s->is_open = is_open;
	s->is_refused = is_open;
	return STAGING_REFUSED;
}

static enum staging_result
begin(struct staging *s, const struct abi_begin *r, const struct wanted *served, struct abi_nak *nak)
{
	bool was_open = s->is_open && !s->is_refused;
	struct abi_nak fault = {.record = NO_RECORD, .generation = r->generation};
	const char *text = NULL;
	int reason;

	staging_reset(s);
	s->is_open = true;
	reason = was_open ? ABI_NAK_SEQUENCE : begin_take(s, r, served, &text);
	fault.reason = (uint16_t)reason;
	return reason ? refuse(s, fault, text, true, nak) : STAGING_MORE;
}

static enum staging_result
commit(struct staging *s, const struct abi_commit *r, const struct wanted *served, struct abi_nak *nak)
{
	struct abi_nak fault = {.record = NO_RECORD};
	const char *text = NULL;
	int reason;

	s->is_open = false;
	if (s->is_refused) {
		s->is_refused = false;
		return STAGING_MORE;
	}
	fault.generation = s->wanted->generation;
	reason = commit_take(s, r, served, &text);
	fault.reason = (uint16_t)reason;
	return reason ? refuse(s, fault, text, false, nak) : STAGING_READY;
}

static enum staging_result
content(struct staging *s, const union abi_record *record, struct abi_nak *nak)
{
	const char *text = NULL;
	int reason = content_take(s, record, &text);
	struct abi_nak fault = {
		.reason = (uint16_t)reason, .record = s->n_records, .generation = s->wanted->generation};

	if (reason)
		return refuse(s, fault, text, true, nak);
	s->crc = crc32c(s->crc, record, sizeof(*record));
	s->n_records++;
	return STAGING_MORE;
}

enum staging_result
staging_record(struct staging *s, const union abi_record *record, const struct wanted *served, struct abi_nak *nak)
{
	struct abi_nak stray = {.reason = ABI_NAK_SEQUENCE, .record = NO_RECORD};

	if (record->type == ABI_BEGIN)
		return begin(s, &record->begin, served, nak);
	if (!s->is_open)
		return refuse(s, stray, NULL, false, nak);
	if (record->type == ABI_COMMIT)
		return commit(s, &record->commit, served, nak);
	return s->is_refused ? STAGING_MORE : content(s, record, nak);
}

struct wanted *
staging_take(struct staging *s)
{
	struct wanted *wanted = s->wanted;

	s->wanted = NULL;
	return wanted;
}
