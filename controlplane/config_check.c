/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the values mean together. What had the wrong shape is reported already and was left as nothing: no name, an
 * address of no family, an empty list. It is passed over here, so that one fault has one line. A list that was read
 * matches its tree by index.
 */
#include <netinet/in.h>
#include <string.h>

#include "abi/layout.h"
#include "controlplane/guard.h"
#include "controlplane/schema.h"

/* The place of key in the index-th entry of a list; the entry itself where the key is left out. */
static const struct yaml_tree *
place(const struct yaml_tree *list, unsigned index, const char *key)
{
	const struct yaml_tree *item = yaml_tree_item(list, index);
	const struct yaml_tree *value = yaml_tree_get(item, key);

	return value ? value : item;
}

static void
check_names(struct reading *r, const struct yaml_tree *list, const char *what, const void *items, size_t size,
	    unsigned n)
{
	/* Each entry begins with its name. */
	_Static_assert(offsetof(struct model_peer, session.name) == 0 && offsetof(struct model_vip, name) == 0 &&
			       offsetof(struct model_pool, name) == 0 && offsetof(struct model_service, name) == 0 &&
			       offsetof(struct model_backend, name) == 0 && offsetof(struct model_collector, name) == 0 &&
			       offsetof(struct model_dynamic, peer.session.name) == 0,
		       "names come first");
	const char *names = items;

	for (unsigned i = 1; i < n; i++) {
		for (unsigned j = 0; names[i * size] && j < i; j++) {
			if (strcmp(names + i * size, names + j * size) != 0)
				continue;
			reading_fail(r, place(list, i, "name"), "%s %s is there twice", what, names + i * size);
			break;
		}
	}
}

static bool
has_peer(const struct model *m, const char *name)
{
	for (unsigned i = 0; i < m->n_peers; i++) {
		if (strcmp(m->peers[i].session.name, name) == 0)
			return true;
	}
	for (unsigned i = 0; i < m->n_dynamic; i++) {
		if (strcmp(m->dynamic[i].peer.session.name, name) == 0)
			return true;
	}
	return false;
}

static void
check_peers(struct reading *r, const struct yaml_tree *peers)
{
	const struct model *m = r->model;
	char text[ADDR_TEXT_MAX];

	check_names(r, peers, "peer", m->peers, sizeof(*m->peers), m->n_peers);
	for (unsigned i = 0; i < m->n_peers; i++) {
		const struct bgp_config *peer = &m->peers[i].session;

		if (peer->peer.family == ADDR_NONE)
			continue;
		if (peer->local.family != ADDR_NONE && peer->local.family != peer->peer.family)
			reading_fail(r, place(peers, i, "local"), "local %s is not of the peer's address family",
				     addr_format(&peer->local, text));
		for (unsigned j = 0; j < i; j++) {
			if (!addr_equal(&peer->peer, &m->peers[j].session.peer) ||
			    strcmp(peer->interface, m->peers[j].session.interface) != 0)
				continue;
			reading_fail(r, place(peers, i, "address"), "address %s is peer %s's too",
				     addr_format(&peer->peer, text), m->peers[j].session.name);
			break;
		}
	}
}

/* The kernel has no way to leave an address out of a prefix. */
static bool
is_locked_out(const struct model_dynamic *range, const struct bgp_config *peer)
{
	return range->peer.session.auth != BGP_AUTH_NONE && peer->auth == BGP_AUTH_NONE && peer->passive &&
	       range->range.addr.family != ADDR_NONE && prefix_contains(&range->range, &peer->peer);
}

static void
check_dynamic(struct reading *r, const struct yaml_tree *list)
{
	const struct model *m = r->model;
	char text[PREFIX_TEXT_MAX];

	check_names(r, list, "range", m->dynamic, sizeof(*m->dynamic), m->n_dynamic);
	for (unsigned i = 0; i < m->n_dynamic; i++) {
		const struct model_dynamic *d = &m->dynamic[i];

		for (unsigned j = 0; d->range.addr.family != ADDR_NONE && j < i; j++) {
			if (prefix_overlaps(&d->range, &m->dynamic[j].range))
				reading_fail(r, place(list, i, "range"), "range %s overlaps range %s's",
					     prefix_format(&d->range, text), m->dynamic[j].peer.session.name);
		}
		for (unsigned j = 0; j < m->n_peers; j++) {
			if (d->peer.session.name[0] && strcmp(d->peer.session.name, m->peers[j].session.name) == 0)
				reading_fail(r, place(list, i, "name"), "name %s is a peer's too",
					     d->peer.session.name);
			if (is_locked_out(d, &m->peers[j].session))
				reading_fail(r, place(list, i, "auth"),
					     "peer %s lies in the range, whose key it would be asked for: give it one",
					     m->peers[j].session.name);
		}
	}
}

static void
check_aggregates(struct reading *r, const struct yaml_tree *list)
{
	const struct model *m = r->model;
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; i < m->n_aggregates; i++) {
		const struct prefix *prefix = &m->aggregates[i].prefix;
		unsigned inside = 0;

		if (prefix->addr.family == ADDR_NONE)
			continue;
		for (unsigned j = 0; j < i; j++) {
			if (prefix_overlaps(prefix, &m->aggregates[j].prefix))
				reading_fail(r, place(list, i, "prefix"), "aggregate %s overlaps another",
					     prefix_format(prefix, text));
		}
		for (unsigned j = 0; j < m->n_vips; j++)
			inside += prefix_contains(prefix, &m->vips[j].prefix.addr) && prefix->len < m->vips[j].prefix.len;
		if (inside == 0 && m->n_vips > 0)
			reading_fail(r, place(list, i, "prefix"), "aggregate %s has no vip inside",
				     prefix_format(prefix, text));
	}
}

static void
check_vip_peers(struct reading *r, const struct yaml_tree *vip_tree, const struct model_vip *vip)
{
	const struct yaml_tree *list = yaml_tree_get(vip_tree, "peers");

	for (unsigned i = 0; i < vip->n_peers; i++) {
		const char *name = vip->peers[i].name;

		if (name[0] && !has_peer(r->model, name))
			reading_fail(r, place(list, i, "name"), "there is no peer %s", name);
		for (unsigned j = 0; name[0] && j < i; j++) {
			if (strcmp(name, vip->peers[j].name) == 0)
				reading_fail(r, place(list, i, "name"), "peer %s is there twice", name);
		}
	}
}

/* A node that steers its own, a router's or a backend's address cuts itself off, or sends what it steers to itself. */
static void
check_vip_covers(struct reading *r, const struct yaml_tree *at, const struct model_vip *vip)
{
	const struct model *m = r->model;
	const struct addr *sources[] = {&m->source_v4, &m->source_v6};
	char prefix[PREFIX_TEXT_MAX], addr[ADDR_TEXT_MAX];

	prefix_format(&vip->prefix, prefix);
	for (unsigned i = 0; i < ARRAY_LEN(sources); i++) {
		if (sources[i]->family != ADDR_NONE && prefix_contains(&vip->prefix, sources[i]))
			reading_fail(r, at, "prefix %s holds the node's source %s", prefix,
				     addr_format(sources[i], addr));
	}
	for (unsigned i = 0; i < m->n_peers; i++) {
		if (m->peers[i].session.peer.family != ADDR_NONE && prefix_contains(&vip->prefix, &m->peers[i].session.peer))
			reading_fail(r, at, "prefix %s holds peer %s's address %s", prefix,
				     m->peers[i].session.name, addr_format(&m->peers[i].session.peer, addr));
	}
	for (unsigned p = 0; p < m->n_pools; p++) {
		for (unsigned b = 0; b < m->pools[p].n_backends; b++) {
			const struct model_backend *backend = &m->pools[p].backends[b];

			if (backend->addr.family != ADDR_NONE && prefix_contains(&vip->prefix, &backend->addr))
				reading_fail(r, at, "prefix %s holds backend %s's address %s", prefix, backend->name,
					     addr_format(&backend->addr, addr));
		}
	}
}

static void
check_vips(struct reading *r, const struct yaml_tree *vips)
{
	const struct model *m = r->model;
	char text[PREFIX_TEXT_MAX];

	check_names(r, vips, "vip", m->vips, sizeof(*m->vips), m->n_vips);
	for (unsigned i = 0; i < m->n_vips; i++) {
		const struct yaml_tree *at = place(vips, i, "prefix");

		if (m->vips[i].prefix.addr.family == ADDR_NONE)
			continue;
		check_vip_covers(r, at, &m->vips[i]);
		check_vip_peers(r, yaml_tree_item(vips, i), &m->vips[i]);
		for (unsigned j = 0; j < i; j++) {
			if (!prefix_equal(&m->vips[i].prefix, &m->vips[j].prefix))
				continue;
			reading_fail(r, at, "prefix %s is vip %s's too", prefix_format(&m->vips[i].prefix, text),
				     m->vips[j].name);
			break;
		}
	}
}

/* Not there, rather than there and faulty. */
static bool
source_lacks(const struct reading *r, const struct yaml_tree *root, bool v6)
{
	const struct addr *source = v6 ? &r->model->source_v6 : &r->model->source_v4;
	const struct yaml_tree *tree = yaml_tree_get(yaml_tree_get(root, "node"), "source");

	return source->family == ADDR_NONE && (!tree || tree->kind == YAML_KIND_MAP) &&
	       !yaml_tree_get(tree, v6 ? "ipv6" : "ipv4");
}

static void
check_backends(struct reading *r, const struct yaml_tree *root, const struct yaml_tree *backends,
	       const struct model_pool *pool)
{
	char text[ADDR_TEXT_MAX];

	check_names(r, backends, "backend", pool->backends, sizeof(*pool->backends), pool->n_backends);
	for (unsigned i = 0; i < pool->n_backends; i++) {
		const struct model_backend *backend = &pool->backends[i];
		bool v6 = backend->addr.family == ADDR_V6;

		if (backend->addr.family == ADDR_NONE)
			continue;
		if (pool->encap != ABI_ENCAP_L2 && source_lacks(r, root, v6))
			reading_fail(r, place(backends, i, "address"),
				     "address %s needs an outer source: node.source.%s is not there",
				     addr_format(&backend->addr, text), v6 ? "ipv6" : "ipv4");
		for (unsigned j = 0; j < i; j++) {
			if (!addr_equal(&backend->addr, &pool->backends[j].addr))
				continue;
			reading_fail(r, place(backends, i, "address"), "address %s is backend %s's too",
				     addr_format(&backend->addr, text), pool->backends[j].name);
			break;
		}
	}
}

static void
check_pools(struct reading *r, const struct yaml_tree *root)
{
	const struct model *m = r->model;
	const struct yaml_tree *pools = yaml_tree_get(root, "pools"), *item = yaml_tree_item(pools, 0);
	unsigned total = 0;

	check_names(r, pools, "pool", m->pools, sizeof(*m->pools), m->n_pools);
	for (unsigned i = 0; i < m->n_pools; i++, item = item->next) {
		const struct model_pool *pool = &m->pools[i];
		const struct yaml_tree *backends = yaml_tree_get(item, "backends");
		unsigned weights = 0;

		for (unsigned b = 0; b < pool->n_backends; b++)
			weights += pool->backends[b].weight;
		if (weights == 0 && backends && backends->kind == YAML_KIND_LIST && backends->n == pool->n_backends)
			reading_fail(r, backends, "pool %s has no backend with a weight above 0", pool->name);
		total += pool->n_backends;
		if (total > ABI_BACKENDS_MAX) {
			reading_fail(r, backends, "%u backends in all pools, above %d", total, ABI_BACKENDS_MAX);
			return;
		}
		check_backends(r, root, backends, pool);
	}
}

/* Both could take a packet, and neither is the narrower one. */
static bool
collide(const struct model_service *a, const struct model_service *b)
{
	unsigned a_ports = a->port_last - a->port_first, b_ports = b->port_last - b->port_first;
	bool a_in_b = a->port_first >= b->port_first && a->port_last <= b->port_last;
	bool b_in_a = b->port_first >= a->port_first && b->port_last <= a->port_last;

	if (a->port_first > a->port_last || b->port_first > b->port_last)
		return false; /* one that couldn't be read */
	if (a->vip != b->vip || (a->protocol != b->protocol && a->protocol != 0 && b->protocol != 0))
		return false;
	if (a->port_first > b->port_last || b->port_first > a->port_last)
		return false;
	return a_ports == b_ports || !(a_in_b || b_in_a);
}

static void
check_link_layer(struct reading *r, const struct yaml_tree *at, const struct model_service *service)
{
	const struct model_pool *pool = &r->model->pools[service->pool];
	const struct model_vip *vip = &r->model->vips[service->vip];

	for (unsigned i = 0; pool->encap == ABI_ENCAP_L2 && i < pool->n_backends; i++) {
		if (pool->backends[i].addr.family == vip->prefix.addr.family || vip->prefix.addr.family == ADDR_NONE ||
		    pool->backends[i].addr.family == ADDR_NONE)
			continue;
		reading_fail(r, at, "pool %s has encapsulation l2, but backend %s is not of vip %s's address family",
			     pool->name, pool->backends[i].name, vip->name);
		return;
	}
}

/* True when some entry of the list goes by the name, whether or not the rest of it could be read. */
static bool
is_named(const struct yaml_tree *list, const char *name)
{
	const struct yaml_tree *item = list ? list->first : NULL;

	for (; list && list->kind == YAML_KIND_LIST && item; item = item->next) {
		const struct yaml_tree *value = yaml_tree_get(item, "name");

		if (value && value->text && strcmp(value->text, name) == 0)
			return true;
	}
	return false;
}

/* The index of what the value names in a list of n; n: of none, which is reported unless the name itself is missing. */
static unsigned
resolve(struct reading *r, const struct yaml_tree *value, const struct yaml_tree *list, const char *what,
	const void *items, size_t size, unsigned n)
{
	const char *names = items;
	unsigned i = 0;

	if (!value || !value->text || !*value->text)
		return n;
	while (i < n && strcmp(names + i * size, value->text) != 0)
		i++;
	if (i == n && list && list->kind == YAML_KIND_LIST && !is_named(list, value->text))
		reading_fail(r, value, "there is no %s %.64s", what, value->text);
	return i;
}

static void
check_services(struct reading *r, const struct yaml_tree *root)
{
	struct model *m = r->model;
	const struct yaml_tree *vips = yaml_tree_get(root, "vips"), *pools = yaml_tree_get(root, "pools");
	const struct yaml_tree *services = yaml_tree_get(root, "services"), *item = yaml_tree_item(services, 0);

	check_names(r, services, "service", m->services, sizeof(*m->services), m->n_services);
	for (unsigned i = 0; i < m->n_services; i++, item = item->next) {
		struct model_service *s = &m->services[i];

		s->vip = resolve(r, yaml_tree_get(item, "vip"), vips, "vip", m->vips, sizeof(*m->vips), m->n_vips);
		s->pool = resolve(r, yaml_tree_get(item, "pool"), pools, "pool", m->pools, sizeof(*m->pools),
				  m->n_pools);
		if (s->vip == m->n_vips)
			continue;
		if (s->pool < m->n_pools)
			check_link_layer(r, yaml_tree_get(item, "pool"), s);
		for (unsigned j = 0; j < i; j++) {
			if (!collide(s, &m->services[j]))
				continue;
			reading_fail(r, item, "service %s overlaps service %s", s->name, m->services[j].name);
			break;
		}
	}
}

static void
check_filters(struct reading *r, const struct yaml_tree *list)
{
	for (unsigned i = 0; i < r->model->n_filters; i++) {
		const char *service = r->model->filters[i].service;
		unsigned k = 0;

		while (k < r->model->n_services && strcmp(r->model->services[k].name, service) != 0)
			k++;
		if (service[0] && k == r->model->n_services)
			reading_fail(r, place(list, i, "service"), "there is no service %s", service);
	}
}

static void
check_guards(struct reading *r, const struct yaml_tree *root)
{
	const struct yaml_tree *item = yaml_tree_item(yaml_tree_get(root, "services"), 0);
	struct model *m = r->model;

	for (unsigned i = 0; i < m->n_services; i++, item = item->next) {
		const struct model_service *s = &m->services[i];
		const struct yaml_tree *guard = yaml_tree_get(item, "guard");
		const struct yaml_tree *check = guard ? yaml_tree_get(guard, "check") : NULL;

		if (s->guard.check != MODEL_CHECK_SOURCE_DNS || s->vip >= m->n_vips)
			continue;
		if (s->protocol != IPPROTO_UDP || guard_checker(m, i) < 0)
			reading_fail(r, check ? check : item,
				     "service %s: check dns sends clients to TCP, but vip %.64s has no TCP service on that port",
				     s->name, m->vips[s->vip].name);
	}
}

void
config_check(struct reading *r, const struct yaml_tree *root)
{
	const struct yaml_tree *bgp = yaml_tree_get(root, "bgp");

	check_peers(r, yaml_tree_get(bgp, "peers"));
	check_dynamic(r, yaml_tree_get(bgp, "dynamic"));
	check_aggregates(r, yaml_tree_get(bgp, "aggregates"));
	check_names(r, yaml_tree_get(bgp, "bmp"), "collector", r->model->collectors,
		    sizeof(*r->model->collectors), r->model->n_collectors);
	check_pools(r, root);
	check_vips(r, yaml_tree_get(root, "vips"));
	check_services(r, root);
	check_guards(r, root);
	check_filters(r, yaml_tree_get(yaml_tree_get(root, "guard"), "filters"));
}
