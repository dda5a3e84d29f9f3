/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

void
transaction_add(struct transaction *t, const union abi_record *record)
{
	if (t->n == t->room) {
		uint32_t room = t->room ? 2 * t->room : 256;
		union abi_record *records = realloc(t->records, room * sizeof(*records));

		if (!records) {
			t->failed = true;
			return;
		}
		t->records = records;
		t->room = room;
	}
	t->records[t->n++] = *record;
}

static void
slots_add(struct transaction *t, unsigned pool, unsigned first, unsigned count, const uint16_t *owner)
{
	union abi_record record = {.slots = {.type = ABI_SLOTS_PART,
					     .pool = (uint16_t)pool,
					     .first = (uint16_t)first,
					     .count = (uint16_t)count}};

	memcpy(record.slots.owner, owner + first, count * sizeof(*owner));
	transaction_add(t, &record);
}

/* before: NULL sends the whole table, else what differs, in parts that end at a difference. */
static void
slots_diff(struct transaction *t, unsigned pool, const uint16_t *before, const uint16_t *after)
{
	for (unsigned first = 0; first < ABI_SLOTS;) {
		unsigned count = ABI_SLOTS - first < ABI_SLOTS_PER_PART ? ABI_SLOTS - first : ABI_SLOTS_PER_PART;

		if (before && before[first] == after[first]) {
			first++;
			continue;
		}
		while (before && before[first + count - 1] == after[first + count - 1])
			count--;
		slots_add(t, pool, first, count, after);
		first += count;
	}
}

/* Records of one kind; an index beyond the list is an absent one. */
struct list {
	const union abi_record *at;
	unsigned n;
};

static void
records_diff(struct transaction *t, enum abi_record_type type, struct list before, struct list after)
{
	unsigned n = before.n > after.n ? before.n : after.n;

	for (unsigned i = 0; i < n; i++) {
		bool was = i < before.n && before.at[i].type != 0;
		bool is = i < after.n && after.at[i].type != 0;

		if (is && (!was || memcmp(&before.at[i], &after.at[i], sizeof(after.at[i])) != 0)) {
			transaction_add(t, &after.at[i]);
		} else if (was && !is) {
			union abi_record gone = {.remove = {.type = ABI_REMOVE, .index = (uint16_t)i, .of = (uint16_t)type}};

			transaction_add(t, &gone);
		}
	}
}

static void
pools_diff(struct transaction *t, const struct compiled *before, const struct compiled *after)
{
	for (unsigned i = 0; i < after->n_pools; i++) {
		bool same = i < before->n_pools && before->pools[i].pool.key == after->pools[i].pool.key;

		slots_diff(t, i, same ? before->slots + (size_t)i * ABI_SLOTS : NULL,
			   after->slots + (size_t)i * ABI_SLOTS);
	}
}

/* An order in which every record finds what it names: next hops, pools, backends, slots, VIPs, services, guards. */
static void
image_diff(struct transaction *t, const struct compiled *before, const struct compiled *after)
{
	records_diff(t, ABI_NEXTHOP, (struct list){before->nexthops, before->n_nexthops},
		     (struct list){after->nexthops, after->n_nexthops});
	records_diff(t, ABI_POOL, (struct list){before->pools, before->n_pools},
		     (struct list){after->pools, after->n_pools});
	records_diff(t, ABI_BACKEND, (struct list){before->backends, before->n_backends},
		     (struct list){after->backends, after->n_backends});
	pools_diff(t, before, after);
	records_diff(t, ABI_VIP, (struct list){before->vips, before->n_vips}, (struct list){after->vips, after->n_vips});
	records_diff(t, ABI_SERVICE, (struct list){before->services, before->n_services},
		     (struct list){after->services, after->n_services});
	records_diff(t, ABI_GUARD, (struct list){before->guards, before->n_guards},
		     (struct list){after->guards, after->n_guards});
	records_diff(t, ABI_BOGON, (struct list){before->bogons, before->n_bogons},
		     (struct list){after->bogons, after->n_bogons});
	records_diff(t, ABI_REFLECTOR, (struct list){before->reflectors, before->n_reflectors},
		     (struct list){after->reflectors, after->n_reflectors});
	records_diff(t, ABI_LIST_CLASS, (struct list){before->list_classes, before->n_list_classes},
		     (struct list){after->list_classes, after->n_list_classes});
	records_diff(t, ABI_RULE_PART, (struct list){before->rule_parts, before->n_rule_parts},
		     (struct list){after->rule_parts, after->n_rule_parts});
	records_diff(t, ABI_RULE_SET, (struct list){before->rule_sets, before->n_rule_sets},
		     (struct list){after->rule_sets, after->n_rule_sets});
	records_diff(t, ABI_FILTER, (struct list){before->filters, before->n_filters},
		     (struct list){after->filters, after->n_filters});
	records_diff(t, ABI_FILTER_PART, (struct list){before->filter_parts, before->n_filter_parts},
		     (struct list){after->filter_parts, after->n_filter_parts});
}

struct transaction
transaction_of(const struct compiled *before, const struct compiled *after)
{
	static const struct compiled nothing;
	const union abi_record begin = {.type = ABI_BEGIN};
	struct transaction t = {.is_full = !before};

	transaction_add(&t, &begin);
	image_diff(&t, before ? before : &nothing, after);
	return t;
}

void
transaction_seal(struct transaction *t, uint64_t generation, uint64_t base)
{
	union abi_record commit = {.commit = {.type = ABI_COMMIT, .records = t->n - 1, .generation = generation}};

	t->generation = generation;
	t->records[0].begin = (struct abi_begin){.type = ABI_BEGIN,
						 .kind = t->is_full ? ABI_FULL : ABI_DELTA,
						 .generation = generation,
						 .base = t->is_full ? 0 : base};
	commit.commit.crc = crc32c(0, &t->records[1], (t->n - 1) * sizeof(*t->records));
	transaction_add(t, &commit);
}

void
transaction_fini(struct transaction *t)
{
	free(t->records);
	*t = (struct transaction){0};
}
