/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/registry.h"
#include "dataplane/slots.h"

struct service_state {
	struct slots *slots; /* what the service uses now; NULL: unknown service */
	uint64_t pool;	     /* key */
};

/* Everything of one publication that replaces something of the last; built aside, swapped in whole. */
struct build {
	const struct wanted *wanted;
	struct snapshot *snapshot;
	uint16_t *index_of;   /* [ABI_BACKENDS_MAX]: the control plane's index → ours */
	uint16_t *service_of; /* [ABI_SERVICES_MAX]: likewise */
	struct slots *pool_slots[ABI_POOLS_MAX];
	struct service_state services[ABI_SERVICES_MAX]; /* by our index */
	struct slots *fresh; /* list: made by this build */
	uint16_t idle_s;
	uint32_t now_s;
};

struct tables {
	struct tables_config config;
	struct registry registry;
	_Atomic(struct snapshot *) current;
	struct wanted *served;
	struct slots *slots; /* list of all that the current snapshot uses */
	struct service_state services[ABI_SERVICES_MAX];
	uint64_t started_ns;
	uint64_t longest_idle_ns; /* of all pools so far: how long a flow table may name what has gone */
};

struct tables *
tables_new(const struct tables_config *config)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->config = *config;
	t->started_ns = clock_now_ns();
	if (registry_init(&t->registry) != 0) {
		free(t);
		return NULL;
	}
	return t;
}

static void
snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	if (snapshot->classify)
		classify_table_free(snapshot->classify);
	free(snapshot->services);
	free(snapshot->alive);
	free(snapshot->targets);
	free(snapshot);
}

static void
slots_list_free(struct slots *list)
{
	while (list) {
		struct slots *next = list->next;

		free(list);
		list = next;
	}
}

void
tables_free(struct tables *t)
{
	if (!t)
		return;
	snapshot_free(atomic_load_explicit(&t->current, memory_order_relaxed));
	slots_list_free(t->slots);
	wanted_free(t->served);
	registry_fini(&t->registry);
	free(t);
}

_Atomic(struct snapshot *) *
tables_current(struct tables *t)
{
	return &t->current;
}

const struct wanted *
tables_served(const struct tables *t)
{
	return t->served;
}

/* Parts of a build. */

static void
build_free(struct build *b)
{
	if (!b)
		return;
	snapshot_free(b->snapshot);
	slots_list_free(b->fresh);
	free(b->index_of);
	free(b->service_of);
	free(b);
}

static struct build *
build_new(const struct wanted *wanted)
{
	struct build *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->wanted = wanted;
	b->snapshot = calloc(1, sizeof(*b->snapshot));
	b->index_of = malloc(ABI_BACKENDS_MAX * sizeof(*b->index_of));
	b->service_of = malloc(ABI_SERVICES_MAX * sizeof(*b->service_of));
	if (b->snapshot) {
		size_t targets = (ABI_BACKENDS_MAX + 1) * sizeof(*b->snapshot->targets);

		b->snapshot->generation = wanted->generation;
		b->snapshot->services = calloc(ABI_SERVICES_MAX, sizeof(*b->snapshot->services));
		b->snapshot->alive = calloc(ABI_BACKENDS_MAX + 1, 1);
		b->snapshot->targets = aligned_alloc(64, targets);
		if (b->snapshot->targets)
			memset(b->snapshot->targets, 0, targets);
	}
	if (b->snapshot && b->index_of && b->service_of && b->snapshot->services && b->snapshot->alive &&
	    b->snapshot->targets)
		return b;
	build_free(b);
	return NULL;
}

static uint64_t
pool_key(const struct wanted *w, unsigned pool)
{
	return w->pools[pool].pool.key;
}

static int
build_backends(struct tables *t, struct build *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		const struct abi_backend *r = &b->wanted->backends[i].backend;
		const struct abi_nexthop *hop;
		int index;

		if (!b->wanted->backends[i].type)
			continue;
		index = registry_backend(&t->registry, pool_key(b->wanted, r->pool), r, b->wanted->generation, now_ns,
					 t->longest_idle_ns);
		if (index < 0)
			return index;
		b->index_of[i] = (uint16_t)index;
		hop = r->nexthop == ABI_NEXTHOP_NONE ? NULL : &b->wanted->nexthops[r->nexthop].nexthop;
		encap_target_init(&b->snapshot->targets[index], r, hop);
		b->snapshot->alive[index] = 1;
	}
	return 0;
}

/* An index that went, while the same server is still there under another (in another pool): what the flow tables say of
 * the old index holds for as long as they may say it. */
static void
build_aliases(struct tables *t, struct build *b)
{
	const struct registry_entry *entries = t->registry.backends;

	for (unsigned old = 0; old < t->registry.n_backends; old++) {
		if (b->snapshot->alive[old])
			continue;
		for (unsigned i = 0; i < t->registry.n_backends; i++) {
			if (entries[i].generation != b->wanted->generation ||
			    !registry_target_equal(&entries[i].target, &entries[old].target))
				continue;
			b->snapshot->targets[old] = b->snapshot->targets[i];
			b->snapshot->alive[old] = 1;
			break;
		}
	}
}

/* How the owners of an earlier table are called in this pool. */
static struct slots_translation *
translation_new(const struct tables *t, const struct build *b, uint64_t pool)
{
	const struct registry_entry *entries = t->registry.backends;
	struct slots_translation *to = malloc(sizeof(*to));

	for (unsigned i = 0; to && i <= ABI_BACKENDS_MAX; i++) {
		to->to[i] = i < ABI_BACKENDS_MAX && b->snapshot->alive[i] ? (uint16_t)i : BACKEND_NONE;
		if (i >= t->registry.n_backends || entries[i].pool == pool)
			continue;
		for (unsigned k = 0; k < t->registry.n_backends; k++) {
			if (entries[k].pool == pool && entries[k].generation == b->wanted->generation &&
			    registry_target_equal(&entries[k].target, &entries[i].target))
				to->to[i] = (uint16_t)k;
		}
	}
	return to;
}

static struct slots *
slots_of_pool(const struct tables *t, uint64_t pool)
{
	for (unsigned i = 0; t->served && i < ABI_POOLS_MAX; i++) {
		if (!t->served->pools[i].type || pool_key(t->served, i) != pool)
			continue;
		for (struct slots *s = t->slots; s; s = s->next) {
			if (s->pool == pool)
				return s;
		}
	}
	return NULL;
}

/* The pool's owners by our indices. */
static void
owners_map(const struct build *b, unsigned pool, uint16_t *owners)
{
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		uint16_t owner = b->wanted->owners[pool][i];

		owners[i] = owner == ABI_OWNER_NONE ? BACKEND_NONE : b->index_of[owner];
	}
}

static struct slots *
slots_build(struct tables *t, struct build *b, unsigned pool, const uint16_t *owners, const struct slots *before)
{
	const struct abi_pool *r = &b->wanted->pools[pool].pool;
	struct slots_translation *translation = translation_new(t, b, r->key);
	struct slots *fresh = slots_new(r->key, r->seed);

	/* Under another seed a flow has another slot: what the old slots know says nothing. */
	if (before && before->seed != r->seed)
		before = NULL;
	if (fresh && translation) {
		slots_derive(fresh, owners, before, translation, b->now_s + r->window_s);
		fresh->next = b->fresh;
		b->fresh = fresh;
	} else {
		free(fresh);
		fresh = NULL;
	}
	free(translation);
	return fresh;
}

/* Nothing about the pool's slots is different: the table goes on being used, with what time does to it. */
static bool
is_unchanged(const struct slots *before, const uint16_t *owners, const uint8_t *alive, uint64_t seed)
{
	if (!before || before->seed != seed)
		return false;
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		slot_word word = before->words[i];

		if (slot_owner(word) != owners[i] || (slot_state(word) == SLOT_MOVING && !alive[slot_previous(word)]))
			return false;
	}
	return true;
}

static int
build_pools(struct tables *t, struct build *b)
{
	uint16_t *owners = malloc(ABI_SLOTS * sizeof(*owners));
	int err = owners ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && i < ABI_POOLS_MAX; i++) {
		const struct abi_pool *r = &b->wanted->pools[i].pool;
		struct slots *before;

		if (!b->wanted->pools[i].type)
			continue;
		if (r->idle_s > b->idle_s)
			b->idle_s = (uint16_t)r->idle_s;
		owners_map(b, i, owners);
		before = slots_of_pool(t, r->key);
		b->pool_slots[i] = is_unchanged(before, owners, b->snapshot->alive, r->seed)
					   ? before
					   : slots_build(t, b, i, owners, before);
		if (!b->pool_slots[i])
			err = -ENOMEM;
	}
	free(owners);
	return err;
}

/*
 * The table of a service: its pool's. A service that comes from another pool carries on with a table of its own, made
 * of the new pool's owners and its own past, until that one has become stable.
 */
static struct slots *
slots_of_service(struct tables *t, struct build *b, unsigned pool, const struct service_state *before)
{
	struct slots *shared = b->pool_slots[pool];
	struct slots *own;
	uint16_t *owners;

	if (!before->slots || before->slots->seed != shared->seed)
		return shared;
	if (before->pool == shared->pool && before->slots->pool == shared->pool)
		return shared;
	if (before->pool == shared->pool && slots_is_stable(before->slots))
		return shared;
	owners = malloc(ABI_SLOTS * sizeof(*owners));
	if (!owners)
		return NULL;
	owners_map(b, pool, owners);
	own = slots_build(t, b, pool, owners, before->slots);
	free(owners);
	if (own)
		own->pool = 0; /* not the pool's own: slots_of_pool must not find it */
	return own && slots_is_stable(own) ? shared : own;
}

static int
build_services(struct tables *t, struct build *b, uint64_t now_ns)
{
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *r = &b->wanted->services[i].service;
		const struct abi_pool *p = &b->wanted->pools[r->pool].pool;
		struct slots *slots;
		int index;

		if (!b->wanted->services[i].type)
			continue;
		index = registry_service(&t->registry, r->key, b->wanted->generation, now_ns, t->longest_idle_ns);
		if (index < 0)
			return index;
		slots = slots_of_service(t, b, r->pool, &t->services[index]);
		if (!slots)
			return -ENOMEM;
		b->service_of[i] = (uint16_t)index;
		b->services[index] = (struct service_state){.slots = slots, .pool = p->key};
		b->snapshot->services[index] = (struct steer_service){.slots = slots->words,
								      .seed = p->seed,
								      .idle_s = (uint16_t)p->idle_s,
								      .affinity = r->affinity,
								      .hash_on = r->hash_on};
	}
	return 0;
}

static int
build_classify(struct build *b)
{
	struct classify_vip *vips = calloc(ABI_VIPS_MAX, sizeof(*vips));
	struct classify_rule *rules = calloc(ABI_SERVICES_MAX, sizeof(*rules));
	uint16_t vip_of[ABI_VIPS_MAX];
	unsigned n_vips = 0, n_rules = 0;

	for (unsigned i = 0; vips && rules && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *r = &b->wanted->vips[i].vip;

		if (!b->wanted->vips[i].type)
			continue;
		vip_of[i] = (uint16_t)n_vips;
		vips[n_vips++] = (struct classify_vip){.prefix = prefix_of(&r->addr, r->len), .refuse = r->refuse};
	}
	for (unsigned i = 0; vips && rules && i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *r = &b->wanted->services[i].service;

		if (b->wanted->services[i].type)
			rules[n_rules++] = (struct classify_rule){.vip = vip_of[r->vip],
								  .service = b->service_of[i],
								  .port_first = r->port_first,
								  .port_last = r->port_last,
								  .protocol = r->protocol};
	}
	if (vips && rules)
		b->snapshot->classify = classify_table_new(vips, n_vips, rules, n_rules);
	free(vips);
	free(rules);
	return b->snapshot->classify ? 0 : -ENOMEM;
}

static int
build_all(struct tables *t, struct build *b, uint64_t now_ns)
{
	int err = build_backends(t, b, now_ns);

	if (err)
		return err;
	build_aliases(t, b);
	err = build_pools(t, b);
	if (!err)
		err = build_services(t, b, now_ns);
	return err ? err : build_classify(b);
}

/* Publication. */

static bool
has_vip(const struct wanted *w, const struct abi_vip *vip)
{
	for (unsigned i = 0; w && i < ABI_VIPS_MAX; i++) {
		if (w->vips[i].type && w->vips[i].vip.len == vip->len && addr_equal(&w->vips[i].vip.addr, &vip->addr))
			return true;
	}
	return false;
}

static void
vips_remove(const struct tables *t, const struct wanted *wanted)
{
	for (unsigned i = 0; t->served && t->config.hooks.vip_remove && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *vip = &t->served->vips[i].vip;
		struct prefix prefix = prefix_of(&vip->addr, vip->len);

		if (t->served->vips[i].type && !has_vip(wanted, vip))
			t->config.hooks.vip_remove(t->config.hooks.context, &prefix);
	}
}

static void
vips_add(const struct tables *t, const struct wanted *wanted)
{
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; t->config.hooks.vip_add && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *vip = &wanted->vips[i].vip;
		struct prefix prefix = prefix_of(&vip->addr, vip->len);
		int err;

		if (!wanted->vips[i].type || has_vip(t->served, vip))
			continue;
		err = t->config.hooks.vip_add(t->config.hooks.context, &prefix);
		if (err)
			log_error("VIP %s: not put into the XDP map: %s", prefix_format(&prefix, text), strerror(-err));
	}
}

/* Until every worker has passed a quiescent state, or sleeps. Main lcore may share its CPU with them: it doesn't spin. */
static void
grace_period(struct tables *t)
{
	static const struct timespec nap = {.tv_nsec = 50000};
	uint64_t token;

	if (!t->config.rcu)
		return;
	token = rte_rcu_qsbr_start(t->config.rcu);
	while (rte_rcu_qsbr_check(t->config.rcu, token, false) == 0)
		nanosleep(&nap, NULL);
}

/* Slot tables that the newest snapshot doesn't use are freed; nobody can hold them after the grace period. */
static void
slots_collect(struct tables *t, struct build *b)
{
	struct slots **at;

	for (struct slots *s = t->slots; s; s = s->next)
		s->in_use = false;
	for (at = &b->fresh; *at; at = &(*at)->next)
		(*at)->in_use = false;
	*at = t->slots;
	t->slots = b->fresh;
	b->fresh = NULL;
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++) {
		if (b->pool_slots[i])
			b->pool_slots[i]->in_use = true;
	}
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		if (b->services[i].slots)
			b->services[i].slots->in_use = true;
	}
	for (at = &t->slots; *at;) {
		struct slots *s = *at;

		if (s->in_use) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
}

static void
directory_write(struct abi_directory_entry *directory, const struct registry_entry *entries, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		/* Relaxed: a reader takes a counter for what its key says now; no other data hangs on it. */
		atomic_store_explicit(&directory[i].generation, entries[i].generation, memory_order_relaxed);
		atomic_store_explicit(&directory[i].key, entries[i].key, memory_order_relaxed);
	}
}

int
tables_publish(struct tables *t, struct wanted *wanted, uint64_t now_ns)
{
	struct build *b = build_new(wanted);
	struct snapshot *before;
	int err;

	if (!b)
		return -ENOMEM;
	b->now_s = (uint32_t)((now_ns - t->started_ns) / CLOCK_NS_PER_S);
	err = build_all(t, b, now_ns);
	if (err) {
		build_free(b);
		return err;
	}
	vips_remove(t, wanted);
	/* Release pairs with the workers' acquire: who sees the pointer sees the whole snapshot. */
	before = atomic_load_explicit(&t->current, memory_order_relaxed);
	atomic_store_explicit(&t->current, b->snapshot, memory_order_release);
	b->snapshot = NULL;
	grace_period(t);
	snapshot_free(before);
	registry_seal(&t->registry, wanted->generation, now_ns);
	slots_collect(t, b);
	memcpy(t->services, b->services, sizeof(t->services));
	if ((uint64_t)b->idle_s * CLOCK_NS_PER_S > t->longest_idle_ns)
		t->longest_idle_ns = (uint64_t)b->idle_s * CLOCK_NS_PER_S;
	vips_add(t, wanted);
	wanted_free(t->served);
	t->served = wanted;
	directory_write(region_services(t->config.counters), t->registry.services, t->registry.n_services);
	directory_write(region_backends(t->config.counters), t->registry.backends, t->registry.n_backends);
	build_free(b);
	return 0;
}

/* Time. */


/* A flow that isn't on its slot's owner keeps the slot from being stable. The entry names a backend and with it a pool;
 * a table of a service that changes its pool may have flows of either. */
static void
sweep_visit(void *context, uint16_t slot, uint16_t backend)
{
	struct tables *t = context;
	uint64_t pool = t->registry.backends[backend].pool;

	for (struct slots *s = t->slots; s; s = s->next) {
		if ((s->pool == pool || s->pool == 0) && slot_owner(s->words[slot]) != backend)
			s->flows[slot / 64] |= UINT64_C(1) << (slot % 64);
	}
}

static unsigned
sweep(struct tables *t, uint32_t now_s)
{
	struct flowtable_sweep how = {.now_s = now_s,
				      .idle_s = (uint16_t)(t->longest_idle_ns / CLOCK_NS_PER_S),
				      .visit = sweep_visit,
				      .context = t};
	unsigned live = 0;

	for (struct slots *s = t->slots; s; s = s->next)
		memset(s->flows, 0, sizeof(s->flows));
	for (unsigned w = 0; w < t->config.n_workers; w++)
		live += flowtable_sweep(t->config.flows[w], 0, flowtable_buckets(t->config.flows[w]), &how);
	return live;
}

struct tables_slots
tables_slots(const struct tables *t)
{
	struct tables_slots sum = {0};

	for (const struct slots *s = t->slots; s; s = s->next) {
		sum.moving += s->moving;
		sum.settling += s->settling;
	}
	return sum;
}

bool
tables_tick(struct tables *t, uint64_t now_ns, uint32_t now_s)
{
	struct tables_slots before = tables_slots(t), after;
	uint32_t tables_now_s = (uint32_t)((now_ns - t->started_ns) / CLOCK_NS_PER_S);
	struct abi_counters_header *header = region_header(t->config.counters);

	if (!t->served)
		return false;
	atomic_store_explicit(&header->flows, sweep(t, now_s), memory_order_relaxed);
	for (struct slots *s = t->slots; s; s = s->next)
		slots_advance(s, tables_now_s);
	after = tables_slots(t);
	atomic_store_explicit(&header->slots_moving, after.moving, memory_order_relaxed);
	atomic_store_explicit(&header->slots_settling, after.settling, memory_order_relaxed);
	return before.moving + before.settling > 0 && after.moving + after.settling == 0;
}
