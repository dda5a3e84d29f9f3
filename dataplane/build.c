/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/build.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"

/* A build in the making. */
struct work {
	const struct build *before; /* NULL: the first */
	struct build *b;
	struct registry_time time;
	uint32_t now_s;
	uint16_t index_of[ABI_BACKENDS_MAX];	/* the control plane's index → ours */
};

static void
snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	classify_table_free(snapshot->classify);
	guard_table_free(snapshot->guard);
	free(snapshot->services);
	free(snapshot->alive);
	free(snapshot->targets);
	free(snapshot);
}

static struct snapshot *
snapshot_new(uint64_t generation)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	size_t targets = (ABI_BACKENDS_MAX + 1) * sizeof(*s->targets);

	if (!s)
		return NULL;
	s->generation = generation;
	s->services = calloc(ABI_SERVICES_MAX, sizeof(*s->services));
	s->alive = calloc(ABI_BACKENDS_MAX + 1, 1);
	s->targets = aligned_alloc(64, targets);
	if (!s->services || !s->alive || !s->targets) {
		snapshot_free(s);
		return NULL;
	}
	memset(s->targets, 0, targets);
	return s;
}

void
build_free(struct build *b)
{
	if (!b)
		return;
	snapshot_free(b->snapshot);
	build_slots_free(b->fresh);
	registry_fini(&b->registry);
	wanted_free(b->wanted);
	free(b);
}

static uint64_t
pool_key(const struct wanted *w, unsigned pool)
{
	return w->pools[pool].pool.key;
}

static int
build_backends(struct work *k)
{
	struct build *b = k->b;

	for (unsigned i = 0; i < ABI_BACKENDS_MAX; i++) {
		const struct abi_backend *r = &b->wanted->backends[i].backend;
		const struct abi_nexthop *hop;
		int index;

		if (!b->wanted->backends[i].type)
			continue;
		index = registry_backend(&b->registry, pool_key(b->wanted, r->pool), r, &k->time);
		if (index < 0)
			return index;
		k->index_of[i] = (uint16_t)index;
		hop = r->nexthop == ABI_NEXTHOP_NONE ? NULL : &b->wanted->nexthops[r->nexthop].nexthop;
		encap_target_init(&b->snapshot->targets[index], r, hop);
		b->snapshot->alive[index] = 1;
	}
	return 0;
}

static bool
has_pool(const struct wanted *w, uint64_t key)
{
	for (unsigned i = 0; i < ABI_POOLS_MAX; i++) {
		if (w->pools[i].type && pool_key(w, i) == key)
			return true;
	}
	return false;
}

/*
 * An index whose pool went, while the same server is still there in another: what the flow tables say of the old index
 * holds for as long as they may say it. A backend that its own pool left out is dead, whatever other pools say.
 */
static void
build_aliases(struct build *b)
{
	const struct registry_list *list = &b->registry.backends;

	for (unsigned old = 0; old < list->n; old++) {
		uint16_t twin;

		if (b->snapshot->alive[old])
			continue;
		twin = registry_twin(&b->registry, old, NULL, b->wanted->generation);
		if (twin == REGISTRY_NONE || has_pool(b->wanted, list->entries[old].scope))
			continue;
		b->snapshot->targets[old] = b->snapshot->targets[twin];
		b->snapshot->alive[old] = 1;
	}
}

/* How the owners of an earlier table are called in this pool. */
static struct slots_translation *
translation_new(const struct build *b, uint64_t pool)
{
	const struct registry_list *list = &b->registry.backends;
	struct slots_translation *to = malloc(sizeof(*to));

	for (unsigned i = 0; to && i <= ABI_BACKENDS_MAX; i++) {
		uint16_t twin = REGISTRY_NONE;

		if (i < list->n && list->entries[i].scope != pool)
			twin = registry_twin(&b->registry, i, &pool, b->wanted->generation);
		if (twin != REGISTRY_NONE)
			to->to[i] = twin;
		else
			to->to[i] = i < list->n && b->snapshot->alive[i] ? (uint16_t)i : BACKEND_NONE;
	}
	return to;
}

static struct slots *
slots_of_pool(const struct build *before, uint64_t pool)
{
	for (unsigned i = 0; before && i < ABI_POOLS_MAX; i++) {
		if (before->wanted->pools[i].type && pool_key(before->wanted, i) == pool)
			return before->pools[i];
	}
	return NULL;
}

/* The pool's owners by our indices. */
static void
owners_map(const struct work *k, unsigned pool, uint16_t *owners)
{
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		uint16_t owner = k->b->wanted->owners[pool][i];

		owners[i] = owner == ABI_OWNER_NONE ? BACKEND_NONE : k->index_of[owner];
	}
}

static struct slots *
slots_build(struct work *k, unsigned pool, const uint16_t *owners, const struct slots *before)
{
	const struct abi_pool *r = &k->b->wanted->pools[pool].pool;
	struct slots_translation *translation = NULL;
	struct slots *fresh = slots_new(r->key, r->seed);

	/* Under another seed a flow has another slot: what the old slots know says nothing. */
	if (before && before->seed != r->seed)
		before = NULL;
	if (before)
		translation = translation_new(k->b, r->key);
	if (fresh && (translation || !before)) {
		slots_derive(fresh, owners, before, translation, k->now_s + r->window_s);
		fresh->next = k->b->fresh;
		k->b->fresh = fresh;
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
build_pools(struct work *k)
{
	struct build *b = k->b;
	uint16_t *owners = malloc(ABI_SLOTS * sizeof(*owners));
	int err = owners ? 0 : -ENOMEM;

	for (unsigned i = 0; !err && i < ABI_POOLS_MAX; i++) {
		const struct abi_pool *r = &b->wanted->pools[i].pool;
		struct slots *before;

		if (!b->wanted->pools[i].type)
			continue;
		if (r->idle_s > b->longest_idle_s)
			b->longest_idle_s = r->idle_s;
		owners_map(k, i, owners);
		before = slots_of_pool(k->before, r->key);
		b->pools[i] = is_unchanged(before, owners, b->snapshot->alive, r->seed)
				      ? before
				      : slots_build(k, i, owners, before);
		if (!b->pools[i])
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
slots_of_service(struct work *k, unsigned pool, const struct build_service *before)
{
	struct slots *shared = k->b->pools[pool];
	struct slots *own;
	uint16_t *owners;

	if (!before || !before->slots || before->slots->seed != shared->seed)
		return shared;
	if (before->pool == shared->pool && (before->slots->pool == shared->pool || slots_is_stable(before->slots)))
		return shared;
	owners = malloc(ABI_SLOTS * sizeof(*owners));
	if (!owners)
		return NULL;
	owners_map(k, pool, owners);
	own = slots_build(k, pool, owners, before->slots);
	free(owners);
	if (own)
		own->pool = 0; /* not the pool's own */
	return own && slots_is_stable(own) ? shared : own;
}

static int
build_services(struct work *k)
{
	struct build *b = k->b;

	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *r = &b->wanted->services[i].service;
		const struct abi_pool *p = &b->wanted->pools[r->pool].pool;
		const uint16_t *owners;
		struct slots *slots;
		int index;

		if (!b->wanted->services[i].type)
			continue;
		index = registry_service(&b->registry, r->key, &k->time);
		if (index < 0)
			return index;
		slots = slots_of_service(k, r->pool, k->before ? &k->before->services[index] : NULL);
		if (!slots)
			return -ENOMEM;
		owners = r->affinity == ABI_AFFINITY_TRACKED ? steer_tracked : slots->owners;
		k->b->service_of[i] = (uint16_t)index;
		b->services[index] = (struct build_service){.slots = slots, .pool = p->key};
		b->snapshot->services[index] = (struct steer_service){.owners = owners,
								      .slots = slots->words,
								      .seed = p->seed,
								      .idle_s = (uint16_t)p->idle_s,
								      .affinity = r->affinity,
								      .hash_on = r->hash_on};
	}
	return 0;
}

static int
build_bogons(struct work *k)
{
	const struct wanted *w = k->b->wanted;
	struct prefix bogons[ABI_BOGONS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < ABI_BOGONS_MAX; i++) {
		if (w->bogons[i].type)
			bogons[n++] = prefix_of(&w->bogons[i].bogon.addr, w->bogons[i].bogon.len);
	}
	return n ? classify_table_bogons(k->b->snapshot->classify, bogons, n) : 0;
}

static int
build_classify(struct work *k)
{
	const struct wanted *w = k->b->wanted;
	struct classify_vip *vips = calloc(ABI_VIPS_MAX, sizeof(*vips));
	struct classify_rule *rules = calloc(ABI_SERVICES_MAX, sizeof(*rules));
	uint16_t vip_of[ABI_VIPS_MAX];
	unsigned n_vips = 0, n_rules = 0;

	for (unsigned i = 0; vips && rules && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *r = &w->vips[i].vip;

		if (!w->vips[i].type)
			continue;
		vip_of[i] = (uint16_t)n_vips;
		vips[n_vips++] = (struct classify_vip){.prefix = prefix_of(&r->addr, r->len), .refuse = r->refuse};
	}
	for (unsigned i = 0; vips && rules && i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *r = &w->services[i].service;

		if (w->services[i].type)
			rules[n_rules++] = (struct classify_rule){.vip = vip_of[r->vip],
								  .service = k->b->service_of[i],
								  .port_first = r->port_first,
								  .port_last = r->port_last,
								  .protocol = r->protocol};
	}
	if (vips && rules)
		k->b->snapshot->classify = classify_table_new(vips, n_vips, rules, n_rules);
	free(vips);
	free(rules);
	return k->b->snapshot->classify ? build_bogons(k) : -ENOMEM;
}

/* The service on the same VIP that takes the port by TCP. */
static uint16_t
checker_of(const struct work *k, const struct abi_service *of)
{
	const struct wanted *w = k->b->wanted;

	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_service *s = &w->services[i].service;

		if (w->services[i].type && s->vip == of->vip && s->protocol == IPPROTO_TCP &&
		    s->port_first <= of->port_first && s->port_last >= of->port_last)
			return k->b->service_of[i];
	}
	return SERVICE_NONE;
}

static void
guards_gather(struct work *k, struct guard_spec *spec)
{
	const struct wanted *w = k->b->wanted;

	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const struct abi_guard *r = &w->guards[i].guard;
		const struct abi_service *s = &w->services[i].service;

		if (!r->type)
			continue;
		spec->guards[k->b->service_of[i]] = *r;
		k->b->guards[k->b->service_of[i]] =
			(struct build_guard){.record = *r,
					     .key = s->key,
					     .checker = r->check == ABI_GUARD_CHECK_DNS ? checker_of(k, s) : SERVICE_NONE};
	}
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		if (w->rule_sets[i].type)
			spec->rules[k->b->service_of[i]] = w->rule_sets[i].rule_set;
	}
	for (unsigned i = 0; i < ABI_LIST_CLASSES; i++)
		spec->classes[i] = w->list_classes[i].list_class;
	for (unsigned i = 0; i < ABI_REFLECTORS_MAX; i++) {
		const struct abi_reflector *r = &w->reflectors[i].reflector;

		if (r->type)
			spec->reflectors[r->port / 64] |= UINT64_C(1) << (r->port % 64);
	}
}

static int
build_guards(struct work *k)
{
	struct guard_spec *spec = calloc(1, sizeof(*spec));

	if (!spec)
		return -ENOMEM;
	guards_gather(k, spec);
	k->b->snapshot->guard = guard_table_new(spec);
	free(spec);
	return k->b->snapshot->guard ? 0 : -ENOMEM;
}

/* A flow's clock is a worker's, and both count whole seconds: nothing is given away a moment too early. */
static uint64_t
reserve_ns(const struct build *before)
{
	return before ? (before->longest_idle_s + (uint64_t)FLOWTABLE_SKEW_S) * CLOCK_NS_PER_S : 0;
}

static int
build_all(struct work *k)
{
	struct build *b = k->b;
	int err = k->before ? registry_copy(&b->registry, &k->before->registry) : registry_init(&b->registry);

	if (!err && !(b->snapshot = snapshot_new(b->wanted->generation)))
		err = -ENOMEM;
	if (!err)
		err = build_backends(k);
	if (err)
		return err;
	build_aliases(b);
	err = build_pools(k);
	if (!err)
		err = build_services(k);
	if (!err)
		err = build_classify(k);
	if (!err)
		err = build_guards(k);
	registry_seal(&b->registry, &k->time);
	return err;
}

int
build_new(const struct build *before, struct wanted *wanted, uint64_t now_ns, uint32_t now_s, struct build **out)
{
	struct build *b = calloc(1, sizeof(*b));
	struct work *k = calloc(1, sizeof(*k));
	int err = -ENOMEM;

	if (b && k) {
		b->wanted = wanted;
		b->longest_idle_s = before ? before->longest_idle_s : 0;
		*k = (struct work){.before = before, .b = b, .now_s = now_s};
		k->time = (struct registry_time){wanted->generation, now_ns, reserve_ns(before)};
		err = build_all(k);
	}
	free(k);
	if (err) {
		if (b)
			b->wanted = NULL;
		build_free(b);
		return err;
	}
	*out = b;
	return 0;
}
