/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/build.h"
#include "dataplane/filters.h"
#include "dataplane/signatures.h"

struct tables {
	struct tables_config config;
	_Atomic(struct snapshot *) current;
	struct build *in_force; /* NULL before the first */
	struct slots *slots;	/* list of all that the current snapshot uses */
	uint64_t started_ns;
};

/* After the grace period, or of a build that was never in force: but for those that another build has. */
static void
programs_drop(const struct build *b, const struct build *other)
{
	if (b && (!other || b->signatures != other->signatures))
		signatures_free(b->signatures);
	if (b && (!other || b->filters != other->filters))
		filters_free(b->filters);
}

struct tables *
tables_new(const struct tables_config *config)
{
	struct tables *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->config = *config;
	t->started_ns = clock_now_ns();
	return t;
}

void
tables_free(struct tables *t)
{
	if (!t)
		return;
	programs_drop(t->in_force, NULL);
	build_free(t->in_force);
	build_slots_free(t->slots);
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
	return t->in_force ? t->in_force->wanted : NULL;
}

const struct build_guard *
tables_guards(const struct tables *t)
{
	return t->in_force ? t->in_force->guards : NULL;
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

/* What `of` has and `but` doesn't is taken out of the map. */
static void
vips_remove(const struct tables *t, const struct wanted *of, const struct wanted *but)
{
	for (unsigned i = 0; of && t->config.hooks.vip_remove && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *vip = &of->vips[i].vip;
		struct prefix prefix = prefix_of(&vip->addr, vip->len);

		if (of->vips[i].type && !has_vip(but, vip))
			t->config.hooks.vip_remove(t->config.hooks.context, &prefix);
	}
}

/* All of the new ones or none. */
static int
vips_add(const struct tables *t, const struct wanted *wanted)
{
	const struct wanted *served = tables_served(t);
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; t->config.hooks.vip_add && i < ABI_VIPS_MAX; i++) {
		const struct abi_vip *vip = &wanted->vips[i].vip;
		struct prefix prefix = prefix_of(&vip->addr, vip->len);
		int err;

		if (!wanted->vips[i].type || has_vip(served, vip))
			continue;
		err = t->config.hooks.vip_add(t->config.hooks.context, &prefix);
		if (!err)
			continue;
		log_error("VIP %s: not put into the XDP map: %s; the tables stay as they are",
			  prefix_format(&prefix, text), strerror(-err));
		vips_remove(t, wanted, served);
		return err;
	}
	return 0;
}

/* Until every worker has passed a quiescent state, or sleeps. Main lcore may share its CPU with them: it doesn't spin. */
void
tables_grace(struct tables *t)
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
		if (b->pools[i])
			b->pools[i]->in_use = true;
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

static void
backend_counters_clear(const struct tables *t, unsigned index)
{
	for (unsigned w = 0; w < t->config.n_workers; w++) {
		struct abi_backend_counters *c = &region_worker_backends(t->config.counters, w)[index];

		atomic_store_explicit(&c->packets, 0, memory_order_relaxed);
		atomic_store_explicit(&c->bytes, 0, memory_order_relaxed);
		atomic_store_explicit(&c->openings, 0, memory_order_relaxed);
		atomic_store_explicit(&c->icmp, 0, memory_order_relaxed);
	}
}

static void
service_counters_clear(const struct tables *t, unsigned index)
{
	for (unsigned w = 0; w < t->config.n_workers; w++) {
		struct abi_service_counters *c = &region_worker_services(t->config.counters, w)[index];

		atomic_store_explicit(&c->packets, 0, memory_order_relaxed);
		atomic_store_explicit(&c->bytes, 0, memory_order_relaxed);
		atomic_store_explicit(&c->openings, 0, memory_order_relaxed);
		atomic_store_explicit(&c->dropped, 0, memory_order_relaxed);
		atomic_store_explicit(&c->fragments, 0, memory_order_relaxed);
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			atomic_store_explicit(&region_worker_reasons(t->config.counters, w)[index].verdicts[v], 0,
					      memory_order_relaxed);
	}
}

/*
 * Counters of an index that gets another owner, before the workers see the generation that has it. They are the workers'
 * to write, but no worker does: the generation that they serve hasn't had the index since a grace period that is over,
 * and the next one's release puts the zeros before whatever they count. Until then nobody's name stands at the index.
 */
static void
counters_clear(const struct tables *t, const struct registry *now)
{
	const struct registry *before = t->in_force ? &t->in_force->registry : NULL;

	for (unsigned i = 0; before && i < before->services.n; i++) {
		if (!registry_is_reused(&before->services, &now->services, i))
			continue;
		atomic_store_explicit(&region_services(t->config.counters)[i].key, 0, memory_order_relaxed);
		service_counters_clear(t, i);
	}
	for (unsigned i = 0; before && i < before->backends.n; i++) {
		if (!registry_is_reused(&before->backends, &now->backends, i))
			continue;
		atomic_store_explicit(&region_backends(t->config.counters)[i].key, 0, memory_order_relaxed);
		backend_counters_clear(t, i);
	}
}

/* The signatures of a build: those in force when they are the same, else compiled anew, which takes its time. */
static int
signatures_settle(const struct tables *t, struct build *b)
{
	const struct build *before = t->in_force;
	struct abi_signature *rules = calloc(ABI_SIGNATURES_MAX, sizeof(*rules));
	struct signatures_spec spec = {.rules = rules, .n_workers = t->config.n_workers};
	struct signatures_fault fault;
	int n = rules ? wanted_signatures(b->wanted, rules) : 0, err = rules ? 0 : -ENOMEM;

	if (!err && before && memcmp(before->wanted->rule_parts, b->wanted->rule_parts, sizeof(b->wanted->rule_parts)) == 0) {
		b->signatures = before->signatures;
	} else if (!err && n > 0) {
		spec.n = (unsigned)n;
		err = signatures_new(&spec, &b->signatures, &fault);
		if (err)
			log_error("signatures: %s", fault.text);
	}
	b->snapshot->guard->signatures = b->signatures;
	free(rules);
	return err;
}

/* The filters' records as filters_new wants them. */
struct programs {
	unsigned n;
	struct abi_filter filters[ABI_FILTERS_MAX];
	uint64_t insns[ABI_FILTERS_MAX][ABI_FILTER_INSNS_MAX];
	uint16_t vip_of_service[ABI_SERVICES_MAX]; /* by the registry's index; the VIP by the control plane's */
};

static struct programs *
programs_gather(const struct build *b)
{
	struct programs *programs = calloc(1, sizeof(*programs));

	for (unsigned i = 0; programs && i < ABI_FILTERS_MAX; i++) {
		struct abi_filter *f = &programs->filters[programs->n];

		if (!b->wanted->filters[i].type)
			continue;
		*f = b->wanted->filters[i].filter;
		if (f->service != ABI_FILTER_EVERY)
			f->service = b->service_of[f->service];
		for (unsigned k = 0; k * ABI_FILTER_PART_INSNS < f->n_insns; k++)
			memcpy(&programs->insns[programs->n][k * ABI_FILTER_PART_INSNS],
			       b->wanted->filter_parts[i * ABI_FILTER_PARTS + k].filter_part.insns,
			       ABI_FILTER_PART_INSNS * sizeof(uint64_t));
		programs->n++;
	}
	for (unsigned i = 0; programs && i < ABI_SERVICES_MAX; i++) {
		if (b->wanted->services[i].type)
			programs->vip_of_service[b->service_of[i]] = b->wanted->services[i].service.vip;
	}
	return programs;
}

static bool
filters_are_as_before(const struct build *before, const struct build *b)
{
	return before && memcmp(before->wanted->filters, b->wanted->filters, sizeof(b->wanted->filters)) == 0 &&
	       memcmp(before->wanted->filter_parts, b->wanted->filter_parts, sizeof(b->wanted->filter_parts)) == 0 &&
	       memcmp(before->service_of, b->service_of, sizeof(b->service_of)) == 0 &&
	       memcmp(before->wanted->services, b->wanted->services, sizeof(b->wanted->services)) == 0;
}

/* As the signatures. */
static int
filters_settle(const struct tables *t, struct build *b)
{
	const struct build *before = t->in_force;
	struct programs *programs;
	struct filters_spec spec = {.n_workers = t->config.n_workers, .before = before ? before->filters : NULL};
	unsigned fault = 0;
	int err = 0;

	if (filters_are_as_before(before, b)) {
		b->filters = before->filters;
	} else {
		programs = programs_gather(b);
		if (!programs)
			return -ENOMEM;
		spec.n = programs->n;
		spec.filters = programs->filters;
		spec.vip_of_service = programs->vip_of_service;
		spec.insns = (const uint64_t(*)[ABI_FILTER_INSNS_MAX])programs->insns;
		if (spec.n > 0)
			err = filters_new(&spec, &b->filters, &fault);
		if (err)
			log_error("filter %u: its program is refused: %s", programs->filters[fault].index, strerror(-err));
		free(programs);
	}
	b->snapshot->guard->filters = b->filters;
	return err;
}

int
tables_publish(struct tables *t, struct wanted *wanted, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)((now_ns - t->started_ns) / CLOCK_NS_PER_S);
	struct build *before = t->in_force, *b;
	int err = build_new(before, wanted, now_ns, now_s, &b);

	if (err)
		return err;
	err = signatures_settle(t, b);
	if (!err)
		err = filters_settle(t, b);
	if (!err)
		err = vips_add(t, wanted);
	if (err) {
		programs_drop(b, before);
		b->wanted = NULL; /* the caller's still */
		build_free(b);
		return err;
	}
	vips_remove(t, tables_served(t), wanted);
	counters_clear(t, &b->registry);
	/* Release pairs with the workers' acquire: who sees the pointer sees the whole snapshot. */
	atomic_store_explicit(&t->current, b->snapshot, memory_order_release);
	tables_grace(t);
	slots_collect(t, b);
	t->in_force = b;
	programs_drop(before, b);
	build_free(before);
	directory_write(region_services(t->config.counters), b->registry.services.entries, b->registry.services.n);
	directory_write(region_backends(t->config.counters), b->registry.backends.entries, b->registry.backends.n);
	return 0;
}

/* Time. */

/* A flow that isn't on its slot's owner keeps the slot from being stable. The entry names a backend and with it a pool;
 * a table of a service that changes its pool may have flows of either. */
static void
sweep_visit(void *context, uint16_t slot, uint16_t backend)
{
	struct tables *t = context;
	uint64_t pool = t->in_force->registry.backends.entries[backend].scope;

	for (struct slots *s = t->slots; s; s = s->next) {
		if ((s->pool == pool || s->pool == 0) && slot_owner(s->words[slot]) != backend)
			s->flows[slot / 64] |= UINT64_C(1) << (slot % 64);
	}
}

static unsigned
sweep(struct tables *t, uint32_t now_s)
{
	struct flowtable_sweep how = {.now_s = now_s,
				      .idle_s = (uint16_t)t->in_force->longest_idle_s,
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

	if (!t->in_force)
		return false;
	atomic_store_explicit(&header->flows, sweep(t, now_s), memory_order_relaxed);
	for (struct slots *s = t->slots; s; s = s->next)
		slots_advance(s, tables_now_s);
	after = tables_slots(t);
	atomic_store_explicit(&header->slots_moving, after.moving, memory_order_relaxed);
	atomic_store_explicit(&header->slots_settling, after.settling, memory_order_relaxed);
	return before.moving + before.settling > 0 && after.moving + after.settling == 0;
}

uint64_t
tables_rule_hits(const struct tables *t, unsigned rule)
{
	const struct signatures *s = t->in_force ? t->in_force->signatures : NULL;

	return s && rule < s->n ? signatures_hits(s, rule) : 0;
}

uint64_t
tables_filter_hits(const struct tables *t, unsigned index)
{
	const struct build *b = t->in_force;
	unsigned at = 0;

	if (!b || !b->filters || !b->wanted->filters[index].type)
		return 0;
	for (unsigned i = 0; i < index; i++)
		at += b->wanted->filters[i].type != 0;
	return filters_hits(b->filters, at);
}
