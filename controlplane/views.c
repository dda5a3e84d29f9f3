/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/views.h"

#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "controlplane/facts.h"
#include "controlplane/node.h"
#include "controlplane/totals.h"

static json_int_t
seconds_since(uint64_t then_ns)
{
	return (json_int_t)((clock_now_ns() - then_ns) / CLOCK_NS_PER_S);
}

static json_int_t
header_value(const struct region_counters *counters, size_t offset)
{
	const uint8_t *base = counters ? counters->base : NULL;

	if (!base)
		return 0;
	return (json_int_t)atomic_load_explicit((const _Atomic uint64_t *)(const void *)(base + offset),
						memory_order_relaxed);
}

json_t *
view_status(const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);

	return json_pack("{s:s, s:s, s:I, s:I, s:{s:b, s:I, s:i}, s:{s:s, s:I, s:s}, s:{s:I, s:I}, s:I, s:{s:I, s:I}, s:b}", "node",
			 node->model->node_name, "version", NEARCAST_VERSION, "uptime_s",
			 seconds_since(node->started_ns),
			 "generation", (json_int_t)node->generation, "dataplane", "connected", node->dataplane_alive,
			 "generation", (json_int_t)publish_generation(node->publish), "workers",
			 counters ? (int)counters->n_workers : 0, "config", "file", node->config_path, "loaded_s",
			 seconds_since(node->loaded_ns), "error", node->config_error, "slots", "moving",
			 header_value(counters, offsetof(struct abi_counters_header, slots_moving)), "settling",
			 header_value(counters, offsetof(struct abi_counters_header, slots_settling)), "flows",
			 header_value(counters, offsetof(struct abi_counters_header, flows)), "payloads", "scanned",
			 header_value(counters, offsetof(struct abi_counters_header, scanned)), "unscanned",
			 header_value(counters, offsetof(struct abi_counters_header, unscanned)), "draining",
			 admin_node_draining(node->admin));
}

static json_t *
ports_of(const struct model_service *service)
{
	char text[16];

	if (service->port_first == 0 && service->port_last == UINT16_MAX)
		return json_string("any");
	if (service->port_first == service->port_last)
		snprintf(text, sizeof(text), "%u", service->port_first);
	else
		snprintf(text, sizeof(text), "%u-%u", service->port_first, service->port_last);
	return json_string(text);
}

static const char *
protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	default:
		return "any";
	}
}

/* Why the service's VIP isn't announced; what stands in its own pool's way says more than the VIP's verdict. */
static const char *
service_reason(const struct node *node, const struct facts *facts, const struct model_service *service)
{
	enum announce_verdict verdict = node_verdict(node, service->vip);
	unsigned first = 0;

	if (verdict == ANNOUNCE_YES)
		return "";
	if (verdict != ANNOUNCE_POOL_DOWN || facts->pool_serves[service->pool])
		return announce_reason(verdict);
	for (unsigned i = 0; i < service->pool; i++)
		first += node->model->pools[i].n_backends;
	for (unsigned k = 0; k < node->model->pools[service->pool].n_backends; k++) {
		if (facts->is_healthy[first + k] && facts->way_faults[first + k])
			return facts->way_faults[first + k];
	}
	return announce_reason(verdict);
}

static const char *
guard_word(const struct node *node, const struct model_service *s)
{
	if (s->guard.mode == MODEL_GUARD_OFF)
		return "off";
	return s->guard.mode == MODEL_GUARD_ALWAYS || attacks_is_armed(node->attacks, s->name) ? "armed" : "watching";
}

static json_t *
view_service(const struct node *node, const struct facts *facts, const struct model_service *s)
{
	struct totals_service sum = totals_service(publish_counters(node->publish), compile_key(s->name));

	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:s, s:b, s:s}", "name", s->name, "vip",
			 node->model->vips[s->vip].name, "protocol", protocol_name(s->protocol), "port", ports_of(s),
			 "pool", node->model->pools[s->pool].name, "packets", (json_int_t)sum.packets, "bytes",
			 (json_int_t)sum.bytes, "openings", (json_int_t)sum.openings, "dropped",
			 (json_int_t)sum.dropped, "guard", guard_word(node, s), "announced", node_verdict(node, s->vip) == ANNOUNCE_YES, "reason",
			 service_reason(node, facts, s));
}

json_t *
view_services(const struct node *node)
{
	json_t *list = json_array();
	struct facts facts;

	if (facts_gather(node, &facts) != 0) {
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < node->model->n_services; i++)
		json_array_append_new(list, view_service(node, &facts, &node->model->services[i]));
	facts_fini(&facts);
	return list;
}

/* at: its place in facts; total: what the pool's weights come to. */
static json_t *
view_backend(const struct node *node, const struct facts *facts, unsigned pool, unsigned backend, unsigned at,
	     unsigned total)
{
	const struct model_pool *p = &node->model->pools[pool];
	const struct model_backend *b = &p->backends[backend];
	struct compile_pool_facts own = compile_pool_facts(&facts->input, at - backend);
	struct totals_backend sum =
		totals_backend(publish_counters(node->publish), compile_backend_key(p->name, b->name));
	const char *fault = facts->way_faults[at];
	char text[ADDR_TEXT_MAX];
	double share = total ? 100.0 * compile_weight(p, &own, backend) / total : 0.0;

	return json_pack("{s:s, s:s, s:s, s:i, s:f, s:s, s:s, s:s, s:I, s:I, s:I}", "pool", p->name, "name", b->name,
			 "address", addr_format(&b->addr, text), "weight", b->weight, "share_percent", share, "health",
			 health_state_name(checker_state(node->checker, pool, backend)), "reason",
			 fault ? fault : checker_reason(node->checker, pool, backend), "admin",
			 facts->drained[at] ? "drained" : "in", "packets", (json_int_t)sum.packets, "bytes",
			 (json_int_t)sum.bytes, "openings", (json_int_t)sum.openings);
}

json_t *
view_backends(const struct node *node)
{
	json_t *list = json_array();
	struct facts facts;
	unsigned first = 0;

	if (facts_gather(node, &facts) != 0) {
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < node->model->n_pools; i++) {
		const struct model_pool *pool = &node->model->pools[i];
		struct compile_pool_facts own = compile_pool_facts(&facts.input, first);
		unsigned total = 0;

		for (unsigned k = 0; k < pool->n_backends; k++)
			total += compile_weight(pool, &own, k);
		for (unsigned k = 0; k < pool->n_backends; k++)
			json_array_append_new(list, view_backend(node, &facts, i, k, first + k, total));
		first += pool->n_backends;
	}
	facts_fini(&facts);
	return list;
}

json_t *
view_vips(const struct node *node)
{
	json_t *list = json_array();
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; i < node->model->n_vips; i++) {
		const struct model_vip *vip = &node->model->vips[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", vip->name, "prefix",
						      prefix_format(&vip->prefix, text), "state",
						      node_verdict(node, i) == ANNOUNCE_YES ? "announced" : "withdrawn",
						      "reason", announce_reason(node_verdict(node, i))));
	}
	return list;
}

static json_t *
view_worker(const struct region_counters *counters, unsigned worker)
{
	const struct abi_worker_block *block = region_worker(counters, worker);
	uint64_t beat = atomic_load_explicit(&block->heartbeat_ns, memory_order_relaxed);
	uint64_t now = clock_now_ns();
	json_t *view = json_pack("{s:i, s:I}", "worker", worker, "heartbeat_ms",
				 (json_int_t)(beat < now ? (now - beat) / CLOCK_NS_PER_MS : 0));

	for (unsigned c = 0; c < WORKER_COUNTER_COUNT; c++)
		json_object_set_new(view, abi_worker_counter_info(c)->name,
				    json_integer((json_int_t)atomic_load_explicit(&block->counters[c],
										  memory_order_relaxed)));
	return view;
}

json_t *
view_workers(const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *list = json_array();

	for (unsigned w = 0; w < (counters ? counters->n_workers : 0); w++)
		json_array_append_new(list, view_worker(counters, w));
	return list;
}

json_t *
view_ports(const struct node *node)
{
	struct abi_port ports[ABI_PORTS_MAX];
	unsigned n = publish_ports(node->publish, ports, ABI_PORTS_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++) {
		const struct abi_port *port = &ports[i];

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "port", port->name,
					"interface", port->interface, "link", port->is_up ? "up" : "down", "mtu",
					(int)port->mtu, "rx_packets", (json_int_t)port->rx_packets, "rx_missed",
					(json_int_t)port->rx_missed, "tx_packets", (json_int_t)port->tx_packets,
					"kernel_unicast", (json_int_t)port->kernel_unicast, "kernel_multicast",
					(json_int_t)port->kernel_multicast, "kernel_broadcast",
					(json_int_t)port->kernel_broadcast));
	}
	return list;
}

/* Packets by service name, without those that have none. */
static json_t *
services_of_drop(const struct node *node, enum abi_verdict verdict)
{
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *services = json_object();

	for (unsigned i = 0; i < node->model->n_services; i++) {
		const char *name = node->model->services[i].name;
		uint64_t packets = totals_reason(counters, compile_key(name), verdict);

		if (packets)
			json_object_set_new(services, name, json_integer((json_int_t)packets));
	}
	return services;
}

json_t *
view_drops(const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *list = json_array();

	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++) {
		const struct abi_counter_info *info = abi_verdict_info(v);

		if (info->kind == 'D')
			json_array_append_new(list,
					      json_pack("{s:s, s:I, s:o, s:s}", "reason", info->name, "packets",
							(json_int_t)totals_verdict(counters, v), "services",
							services_of_drop(node, v), "text", info->text));
	}
	return list;
}

enum { LISTS_SHOWN_MAX = 10000 };

struct lists_view {
	const struct lists *lists;
	json_t *list;
	uint64_t now_s;
};

static void
view_list_entry(void *context, unsigned source, const struct list_entry *e, bool is_in_force)
{
	static const char *const actions[] = {[LIST_DROP] = "drop", [LIST_ALLOW] = "allow", [LIST_LIMIT] = "limit"};
	struct lists_view *view = context;
	const char *name = lists_source_name(view->lists, source);
	char text[PREFIX_TEXT_MAX], action[16];

	if (json_array_size(view->list) >= LISTS_SHOWN_MAX)
		return;
	snprintf(action, sizeof(action), e->action == LIST_LIMIT ? "%s %u" : "%s", actions[e->action], (unsigned)e->class);
	json_array_append_new(view->list,
			      json_pack("{s:s, s:s, s:s, s:b, s:I, s:s}", "prefix", prefix_format(&e->prefix, text), "action",
					action, "source", source == LISTS_MANUAL || !name ? "by hand" : name, "in_force",
					is_in_force, "left_s",
					(json_int_t)(e->until_s > view->now_s ? e->until_s - view->now_s : 0), "comment",
					e->comment ? e->comment : ""));
}

json_t *
view_lists(const struct node *node)
{
	struct lists_view view = {
		.lists = listing_lists(node->listing), .list = json_array(), .now_s = (uint64_t)time(NULL)};

	lists_each(view.lists, view_list_entry, &view);
	return view.list;
}

json_t *
view_signatures(const struct node *node)
{
	static const char *const actions[] = {[ABI_SIGNATURE_DROP] = "drop", [ABI_SIGNATURE_LIMIT] = "limit",
					      [ABI_SIGNATURE_COUNT] = "count", [ABI_SIGNATURE_SAMPLE] = "sample"};
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *list = json_array();

	for (unsigned i = 0; node->rules && i < node->rules->n; i++) {
		const struct rule *rule = &node->rules->list[i];
		json_int_t hits = header_value(counters, offsetof(struct abi_counters_header, rule_hits) + i * sizeof(uint64_t));

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", rule->signature.name, "protocol",
						      protocol_name(rule->signature.protocol), "action",
						      actions[rule->signature.action], "hits", hits, "known_by",
						      rule->source));
	}
	return list;
}

json_t *
view_filters(const struct node *node)
{
	static const char *const actions[] = {
		[ABI_FILTER_DROP] = "drop", [ABI_FILTER_COUNT] = "count", [ABI_FILTER_LIMIT] = "limit",
		[ABI_FILTER_SAMPLE] = "sample"};
	const struct region_counters *counters = publish_counters(node->publish);
	uint64_t now_s = (uint64_t)time(NULL);
	json_t *list = json_array();

	for (unsigned i = 0; i < filters_count(node->filters); i++) {
		const struct filter *f = filters_at(node->filters, i);
		char id[MODEL_NAME_MAX + 16];

		snprintf(id, sizeof(id), f->id ? "%s%u" : "%s", f->name, f->id);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "id", id, "origin",
					f->origin[0] ? f->origin : f->id ? "by hand" : "configuration", "service",
					f->service[0] ? f->service : "all", "action", actions[f->action], "filter", f->text,
					"packets_s", (json_int_t)f->packets_s, "bytes_s", (json_int_t)f->bytes_s, "left_s",
					(json_int_t)(f->until_s > now_s ? f->until_s - now_s : 0), "hits",
					(json_int_t)totals_filter_hits(counters, i)));
	}
	return list;
}
