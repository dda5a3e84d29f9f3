/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model, health and next hops to records. Nothing here depends on what was compiled before: the object's slot tables are
 * taken again only when everything that they were made of is equal.
 */
#include "controlplane/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/flowhash.h"
#include "controlplane/allocate.h"
#include "controlplane/guard.h"

/* A pool's slot table and all that it was made of. */
struct cached {
	enum model_hash hash;
	uint64_t seed;
	unsigned n;
	struct allocate_backend *members;
	uint16_t *owner;
};

struct compile {
	struct cached *pools; /* by the pool's index at the last run */
	unsigned n_pools;
};

uint64_t
compile_key(const char *name)
{
	uint64_t key = flowhash_bytes(0, name, strlen(name));

	return key ? key : 1;
}

uint64_t
compile_backend_key(const char *pool, const char *backend)
{
	char name[2 * MODEL_NAME_MAX];

	snprintf(name, sizeof(name), "%s/%s", pool, backend);
	return compile_key(name);
}

int
compile_new(struct compile **out)
{
	struct compile *compile = calloc(1, sizeof(*compile));

	if (!compile)
		return -ENOMEM;
	*out = compile;
	return 0;
}

static void
cached_fini(struct cached *cached)
{
	free(cached->members);
	free(cached->owner);
	*cached = (struct cached){0};
}

void
compile_free(struct compile *compile)
{
	if (!compile)
		return;
	for (unsigned i = 0; i < compile->n_pools; i++)
		cached_fini(&compile->pools[i]);
	free(compile->pools);
	free(compile);
}

void
compiled_free(struct compiled *image)
{
	if (!image)
		return;
	free(image->vips);
	free(image->services);
	free(image->pools);
	free(image->backends);
	free(image->nexthops);
	free(image->guards);
	free(image->bogons);
	free(image->reflectors);
	free(image->list_classes);
	free(image->rule_parts);
	free(image->rule_sets);
	free(image->filters);
	free(image->filter_parts);
	free(image->slots);
	free(image);
}

static union abi_record *
records_new(unsigned n)
{
	return calloc(n ? n : 1, sizeof(union abi_record));
}

static int
image_new(const struct compile_input *input, struct compiled **out)
{
	const struct model *model = input->model;
	const struct rules *rules = input->rules;
	unsigned n_filters = input->filters ? filters_count(input->filters) : 0;
	unsigned n_backends = 0;
	struct compiled *image;

	for (unsigned i = 0; i < model->n_pools; i++)
		n_backends += model->pools[i].n_backends;
	if (model->n_vips > ABI_VIPS_MAX || model->n_services > ABI_SERVICES_MAX || model->n_pools > ABI_POOLS_MAX ||
	    n_backends > ABI_BACKENDS_MAX)
		return -E2BIG;
	image = calloc(1, sizeof(*image));
	if (!image)
		return -ENOMEM;
	*image = (struct compiled){.n_vips = model->n_vips,
				   .n_services = model->n_services,
				   .n_pools = model->n_pools,
				   .n_backends = n_backends,
				   .n_nexthops = n_backends,
				   .n_guards = model->n_services,
				   .n_bogons = model->n_bogons,
				   .n_reflectors = model->n_reflectors,
				   .n_list_classes = ABI_LIST_CLASSES,
				   .n_rule_parts = rules ? rules->n * ABI_RULE_PARTS : 0,
				   .n_rule_sets = model->n_services,
				   .n_filters = n_filters,
				   .n_filter_parts = n_filters * ABI_FILTER_PARTS};
	image->vips = records_new(image->n_vips);
	image->services = records_new(image->n_services);
	image->pools = records_new(image->n_pools);
	image->backends = records_new(image->n_backends);
	image->nexthops = records_new(image->n_nexthops);
	image->guards = records_new(image->n_guards);
	image->bogons = records_new(image->n_bogons);
	image->reflectors = records_new(image->n_reflectors);
	image->list_classes = records_new(image->n_list_classes);
	image->rule_parts = records_new(image->n_rule_parts);
	image->rule_sets = records_new(image->n_rule_sets);
	image->filters = records_new(image->n_filters);
	image->filter_parts = records_new(image->n_filter_parts);
	image->slots = malloc((image->n_pools ? image->n_pools : 1) * ABI_SLOTS * sizeof(*image->slots));
	if (!image->vips || !image->services || !image->pools || !image->backends || !image->nexthops ||
	    !image->guards || !image->bogons || !image->reflectors || !image->list_classes ||
	    !image->rule_parts || !image->rule_sets || !image->filters || !image->filter_parts ||
	    !image->slots) {
		compiled_free(image);
		return -ENOMEM;
	}
	*out = image;
	return 0;
}

static void
vips_fill(const struct model *model, struct compiled *image)
{
	for (unsigned i = 0; i < model->n_vips; i++) {
		const struct model_vip *vip = &model->vips[i];

		image->vips[i].vip = (struct abi_vip){.type = ABI_VIP,
						      .index = (uint16_t)i,
						      .len = vip->prefix.len,
						      .refuse = vip->refuse,
						      .key = compile_key(vip->name),
						      .addr = vip->prefix.addr};
	}
}

static void
services_fill(const struct model *model, struct compiled *image)
{
	for (unsigned i = 0; i < model->n_services; i++) {
		const struct model_service *service = &model->services[i];

		image->services[i].service = (struct abi_service){.type = ABI_SERVICE,
								  .index = (uint16_t)i,
								  .vip = (uint16_t)service->vip,
								  .pool = (uint16_t)service->pool,
								  .key = compile_key(service->name),
								  .port_first = service->port_first,
								  .port_last = service->port_last,
								  .protocol = service->protocol,
								  .affinity = (uint8_t)service->affinity,
								  .hash_on = (uint8_t)service->hash_on};
	}
}

static void
guards_fill(const struct model *model, struct compiled *image)
{
	for (unsigned i = 0; i < model->n_services; i++) {
		if (!guard_record(model, i, &image->guards[i].guard))
			image->guards[i].type = 0;
	}
	for (unsigned i = 0; i < model->n_bogons; i++)
		image->bogons[i].bogon = (struct abi_bogon){.type = ABI_BOGON,
							    .index = (uint16_t)i,
							    .len = model->bogons[i].len,
							    .addr = model->bogons[i].addr};
	for (unsigned i = 0; i < model->n_list_classes; i++) {
		const struct model_list_class *class = &model->list_classes[i];

		image->list_classes[class->class].list_class = (struct abi_list_class){
			.type = ABI_LIST_CLASS, .index = class->class, .burst_ms = class->burst_ms, .rates = class->rates};
	}
	for (unsigned i = 0; i < model->n_reflectors; i++)
		image->reflectors[i].reflector = (struct abi_reflector){
			.type = ABI_REFLECTOR, .index = (uint16_t)i, .port = model->reflectors[i].port};
}

static void
rule_parts_fill(const struct rules *rules, struct compiled *image)
{
	for (unsigned i = 0; i < image->n_rule_parts; i++) {
		const uint8_t *octets = (const uint8_t *)&rules->list[i / ABI_RULE_PARTS].signature;
		size_t at = i % ABI_RULE_PARTS * ABI_RULE_OCTETS, left = sizeof(struct abi_signature) - at;
		struct abi_rule_part part = {.type = ABI_RULE_PART, .index = (uint16_t)i};

		memcpy(part.octets, octets + at, left < ABI_RULE_OCTETS ? left : ABI_RULE_OCTETS);
		image->rule_parts[i].rule_part = part;
	}
}

/* The only VIP that a filter's packets can be for; ABI_FILTER_EVERY: there are more, or it isn't known; -1: none. */
static int
vip_of_filter(const struct model *model, const struct filter *f)
{
	int found = -1;

	if (f->dst.addr.family == ADDR_NONE)
		return ABI_FILTER_EVERY;
	for (unsigned i = 0; i < model->n_vips; i++) {
		if (prefix_overlaps(&model->vips[i].prefix, &f->dst))
			found = found < 0 ? (int)i : ABI_FILTER_EVERY;
	}
	return found;
}

/* A filter whose service or VIP has gone matches nothing, and keeps its place: it may come back. */
static void
filters_fill(const struct compile_input *input, struct compiled *image)
{
	for (unsigned i = 0; i < image->n_filters; i++) {
		const struct filter *f = filters_at(input->filters, i);
		int vip = vip_of_filter(input->model, f);
		unsigned service = 0;

		while (service < input->model->n_services && strcmp(input->model->services[service].name, f->service) != 0)
			service++;
		if (vip < 0 || (f->service[0] && service == input->model->n_services))
			continue;
		image->filters[i].filter = (struct abi_filter){
			.type = ABI_FILTER,
			.index = (uint16_t)i,
			.service = f->service[0] ? (uint16_t)service : ABI_FILTER_EVERY,
			.n_insns = f->program.n,
			.key = f->key,
			.kind = f->program.kind,
			.action = f->action,
			.last = f->is_last,
			.vip = (uint16_t)vip,
			.packets_s = f->packets_s,
			.bytes_s = f->bytes_s};
		for (unsigned k = 0; k * ABI_FILTER_PART_INSNS < f->program.n; k++) {
			unsigned index = i * ABI_FILTER_PARTS + k;
			struct abi_filter_part part = {.type = ABI_FILTER_PART, .index = (uint16_t)index};

			memcpy(part.insns, &f->program.insns[k * ABI_FILTER_PART_INSNS], sizeof(part.insns));
			image->filter_parts[index].filter_part = part;
		}
	}
}

/* A service is scanned for the signatures of its protocol; which ports they are for, they say themselves. */
static void
rule_sets_fill(const struct model *model, const struct rules *rules, struct compiled *image)
{
	for (unsigned i = 0; rules && i < model->n_services; i++) {
		const struct model_service *s = &model->services[i];
		struct abi_rule_set set = {.type = ABI_RULE_SET,
					   .index = (uint16_t)i,
					   .always = s->guard.signatures == MODEL_FILTER_ALWAYS};

		if (s->guard.mode == MODEL_GUARD_OFF || s->guard.signatures == MODEL_FILTER_OFF)
			continue;
		for (unsigned k = 0; k < rules->n; k++) {
			uint8_t protocol = rules->list[k].signature.protocol;

			if (protocol == 0 || s->protocol == 0 || protocol == s->protocol)
				set.words[k / 64] |= UINT64_C(1) << (k % 64);
		}
		image->rule_sets[i].rule_set = set;
	}
}

/* NULL, and the next hop; or why there is none. */
static const char *
nexthop_resolve(const struct compile_input *input, const struct model_pool *pool, const struct addr *addr,
		struct abi_nexthop *out)
{
	struct neighbour neighbour;

	if (!input->lookup || !input->lookup(input->lookup_context, addr, &neighbour))
		return "no next hop: there is no route, or no neighbour has answered yet";
	/* A frame for the backend itself can't go through a router: the router would send it back to us. */
	if (pool->encap == ABI_ENCAP_L2 && neighbour.via_gateway)
		return "not on the same link: encapsulation l2 needs a backend on the link, ipip, gue and gre reach further";
	for (unsigned i = 0; i < input->n_ports && i < ABI_PORTS_MAX; i++) {
		uint16_t mtu = neighbour.mtu;

		if (input->ports[i].ifindex == 0 || input->ports[i].ifindex != neighbour.ifindex)
			continue;
		if (input->ports[i].mtu != 0 && input->ports[i].mtu < mtu)
			mtu = input->ports[i].mtu;
		*out = (struct abi_nexthop){.type = ABI_NEXTHOP, .port = (uint16_t)i, .vlan = neighbour.vlan};
		out->mtu = mtu < 576 ? 576 : mtu > 9216 ? 9216 : mtu;
		memcpy(out->source_mac, neighbour.source, sizeof(out->source_mac));
		memcpy(out->destination_mac, neighbour.mac, sizeof(out->destination_mac));
		return NULL;
	}
	return "no next hop: the route leaves by an interface that is no port of the dataplane";
}

const char *
compile_way_fault(const struct compile_input *input, const struct model_pool *pool, const struct addr *addr)
{
	struct abi_nexthop nexthop;

	return nexthop_resolve(input, pool, addr, &nexthop);
}

static bool
nexthop_equal(const struct abi_nexthop *a, const struct abi_nexthop *b)
{
	return a->port == b->port && a->vlan == b->vlan && a->mtu == b->mtu &&
	       memcmp(a->source_mac, b->source_mac, sizeof(a->source_mac)) == 0 &&
	       memcmp(a->destination_mac, b->destination_mac, sizeof(a->destination_mac)) == 0;
}

/* Backends behind one router share a next hop. Its index is that of the first one that uses it. */
static uint16_t
nexthop_index(struct compiled *image, unsigned backend, struct abi_nexthop *nexthop)
{
	for (unsigned i = 0; i < backend; i++) {
		if (image->nexthops[i].type != 0 && nexthop_equal(&image->nexthops[i].nexthop, nexthop))
			return (uint16_t)i;
	}
	nexthop->index = (uint16_t)backend;
	image->nexthops[backend].nexthop = *nexthop;
	return (uint16_t)backend;
}

static void
backend_fill(const struct compile_input *input, unsigned pool_index, unsigned i, unsigned index,
	     struct compiled *image)
{
	const struct model *model = input->model;
	const struct model_pool *pool = &model->pools[pool_index];
	const struct model_backend *backend = &pool->backends[i];
	struct abi_nexthop nexthop;
	struct abi_backend record = {.type = ABI_BACKEND,
				     .index = (uint16_t)index,
				     .pool = (uint16_t)pool_index,
				     .nexthop = ABI_NEXTHOP_NONE,
				     .key = compile_backend_key(pool->name, backend->name),
				     .addr = backend->addr,
				     .encap = (uint8_t)pool->encap,
				     .dscp_mode = (uint8_t)pool->dscp_mode,
				     .dscp = pool->dscp,
				     .source_vary_bits = pool->source_vary_bits,
				     .gue_port = pool->gue_port,
				     .gue_checksum = pool->gue_checksum};

	if (pool->encap != ABI_ENCAP_L2)
		record.source = backend->addr.family == ADDR_V6 ? model->source_v6 : model->source_v4;
	if (!nexthop_resolve(input, pool, &backend->addr, &nexthop))
		record.nexthop = nexthop_index(image, index, &nexthop);
	image->backends[index].backend = record;
}

struct compile_pool_facts
compile_pool_facts(const struct compile_input *input, unsigned first)
{
	return (struct compile_pool_facts){input->usable + first, input->reachable ? input->reachable + first : NULL,
					   input->drained + first};
}

/* None is usable and the pool fails open: health is taken as unknown rather than bad. */
static bool
pool_is_open(const struct model_pool *pool, const struct compile_pool_facts *facts)
{
	if (!pool->fail_open)
		return false;
	for (unsigned i = 0; i < pool->n_backends; i++) {
		if (facts->usable[i])
			return false;
	}
	return true;
}

/* Open or not, what no packet can reach gets none: failing open is about health, not about ways. */
static bool
is_in(const struct compile_pool_facts *facts, bool is_open, unsigned backend)
{
	return is_open ? facts->reachable[backend] : facts->usable[backend];
}

static unsigned
weight_of(const struct model_pool *pool, const struct compile_pool_facts *facts, bool is_open, unsigned backend)
{
	return is_in(facts, is_open, backend) && !facts->drained[backend] ? pool->backends[backend].weight : 0;
}

unsigned
compile_weight(const struct model_pool *pool, const struct compile_pool_facts *facts, unsigned backend)
{
	return weight_of(pool, facts, pool_is_open(pool, facts), backend);
}

static bool
cached_equal(const struct cached *cached, const struct model_pool *pool, const struct allocate_backend *members,
	     unsigned n)
{
	if (!cached->owner || cached->hash != pool->hash || cached->seed != pool->seed || cached->n != n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (cached->members[i].key != members[i].key || cached->members[i].weight != members[i].weight ||
		    cached->members[i].index != members[i].index)
			return false;
	}
	return true;
}

/* Takes over members in every case. */
static int
slots_fill(struct cached *cached, const struct model_pool *pool, struct allocate_backend *members, unsigned n,
	   uint16_t *owner)
{
	int err;

	if (cached_equal(cached, pool, members, n)) {
		free(members);
		memcpy(owner, cached->owner, ABI_SLOTS * sizeof(*owner));
		return 0;
	}
	cached_fini(cached);
	*cached = (struct cached){.hash = pool->hash, .seed = pool->seed, .n = n, .members = members};
	err = allocate(pool->hash, pool->seed, members, n, owner);
	if (err)
		return err;
	cached->owner = malloc(ABI_SLOTS * sizeof(*owner));
	if (!cached->owner)
		return -ENOMEM;
	memcpy(cached->owner, owner, ABI_SLOTS * sizeof(*owner));
	return 0;
}

static int
pool_fill(struct compile *compile, const struct compile_input *input, unsigned pool_index, unsigned first,
	  struct compiled *image)
{
	const struct model_pool *pool = &input->model->pools[pool_index];
	struct compile_pool_facts facts = compile_pool_facts(input, first);
	bool is_open = pool_is_open(pool, &facts);
	struct allocate_backend *members = calloc(pool->n_backends ? pool->n_backends : 1, sizeof(*members));
	unsigned n = 0;

	if (!members)
		return -ENOMEM;
	image->pools[pool_index].pool = (struct abi_pool){.type = ABI_POOL,
							  .index = (uint16_t)pool_index,
							  .window_s = pool->window_s,
							  .key = compile_key(pool->name),
							  .seed = pool->seed,
							  .idle_s = pool->idle_s};
	for (unsigned i = 0; i < pool->n_backends; i++) {
		unsigned index = first + i;
		unsigned weight = weight_of(pool, &facts, is_open, i);

		if (!is_in(&facts, is_open, i))
			continue;
		backend_fill(input, pool_index, i, index, image);
		/* Without slots it gets nothing new, and what runs on it ends in peace. */
		if (weight > 0)
			members[n++] = (struct allocate_backend){.key = image->backends[index].backend.key,
								 .weight = weight,
								 .index = (uint16_t)index};
	}
	return slots_fill(&compile->pools[pool_index], pool, members, n,
			  image->slots + (size_t)pool_index * ABI_SLOTS);
}

static int
cache_resize(struct compile *compile, unsigned n)
{
	struct cached *pools;

	for (unsigned i = n; i < compile->n_pools; i++)
		cached_fini(&compile->pools[i]);
	if (n < compile->n_pools)
		compile->n_pools = n;
	pools = realloc(compile->pools, (n ? n : 1) * sizeof(*pools));
	if (!pools)
		return -ENOMEM;
	for (unsigned i = compile->n_pools; i < n; i++)
		pools[i] = (struct cached){0};
	compile->pools = pools;
	compile->n_pools = n;
	return 0;
}

int
compile_tables(struct compile *compile, const struct compile_input *input, struct compiled **out)
{
	struct compiled *image;
	unsigned first = 0;
	int err = image_new(input, &image);

	if (err)
		return err;
	err = cache_resize(compile, input->model->n_pools);
	vips_fill(input->model, image);
	services_fill(input->model, image);
	guards_fill(input->model, image);
	rule_parts_fill(input->rules, image);
	rule_sets_fill(input->model, input->rules, image);
	filters_fill(input, image);
	for (unsigned i = 0; !err && i < input->model->n_pools; i++) {
		err = pool_fill(compile, input, i, first, image);
		first += input->model->pools[i].n_backends;
	}
	if (err) {
		compiled_free(image);
		return err;
	}
	*out = image;
	return 0;
}

bool
compile_pool_can_serve(const struct model_pool *pool, const struct compile_pool_facts *facts)
{
	unsigned n_up = 0, weight_up = 0, weight = 0;
	bool is_open = pool_is_open(pool, facts);

	for (unsigned i = 0; i < pool->n_backends; i++) {
		unsigned counts = weight_of(pool, facts, is_open, i);

		weight += pool->backends[i].weight;
		weight_up += counts;
		n_up += counts > 0;
	}
	if (n_up == 0 || pool->fail_open)
		return n_up > 0;
	return n_up >= pool->min_healthy && weight_up * 100 >= weight * pool->min_weight_percent;
}

uint8_t
compile_pool_percent(const struct model_pool *pool, const struct compile_pool_facts *facts)
{
	unsigned weight_up = 0, weight = 0;
	bool is_open = pool_is_open(pool, facts);

	for (unsigned i = 0; i < pool->n_backends; i++) {
		weight += pool->backends[i].weight;
		weight_up += weight_of(pool, facts, is_open, i);
	}
	return weight ? (uint8_t)(weight_up * 100 / weight) : 0;
}
