/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/views.h"

#include <netinet/in.h>
#include <stdio.h>

#include "base/clock.h"
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

	return json_pack("{s:s, s:s, s:I, s:I, s:{s:b, s:I, s:i}, s:{s:s, s:I, s:s}, s:{s:I, s:I}, s:I, s:b}", "node",
			 node->model->node_name, "version", NEARCAST_VERSION, "uptime_s",
			 seconds_since(node->started_ns),
			 "generation", (json_int_t)node->generation, "dataplane", "connected", node->dataplane_alive,
			 "generation", (json_int_t)publish_generation(node->publish), "workers",
			 counters ? (int)counters->n_workers : 0, "config", "file", node->config_path, "loaded_s",
			 seconds_since(node->loaded_ns), "error", node->config_error, "slots", "moving",
			 header_value(counters, offsetof(struct abi_counters_header, slots_moving)), "settling",
			 header_value(counters, offsetof(struct abi_counters_header, slots_settling)), "flows",
			 header_value(counters, offsetof(struct abi_counters_header, flows)), "draining",
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

json_t *
view_services(const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *list = json_array();

	for (unsigned i = 0; i < node->model->n_services; i++) {
		const struct model_service *s = &node->model->services[i];
		struct totals_service sum = totals_service(counters, compile_key(s->name));

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:b}", "name", s->name, "vip",
					node->model->vips[s->vip].name, "protocol", protocol_name(s->protocol), "port",
					ports_of(s), "pool", node->model->pools[s->pool].name, "packets",
					(json_int_t)sum.packets, "bytes", (json_int_t)sum.bytes, "openings",
					(json_int_t)sum.openings, "dropped", (json_int_t)sum.dropped, "announced",
					node->verdicts[s->vip] == ANNOUNCE_YES));
	}
	return list;
}

/* Weight that takes new flows. */
static unsigned
active_weight(const struct node *node, unsigned pool, unsigned backend)
{
	if (!node_backend_usable(node, pool, backend) || node_backend_drained(node, pool, backend))
		return 0;
	return node->model->pools[pool].backends[backend].weight;
}

static bool
lookup(const void *context, const struct addr *addr, struct neighbour *out)
{
	return neighbours_lookup(context, addr, out);
}

/* As compile takes it; "" too while no dataplane is there, which is another matter. */
static const char *
way_fault(const struct node *node, const struct model_pool *pool, const struct addr *addr)
{
	struct abi_port ports[ABI_PORTS_MAX];
	struct compile_input input = {.lookup = lookup, .lookup_context = node->neighbours, .ports = ports};

	input.n_ports = publish_ports(node->publish, ports, ABI_PORTS_MAX);
	return input.n_ports > 0 || !neighbours_lookup(node->neighbours, addr, &(struct neighbour){0})
		       ? compile_way_fault(&input, pool, addr)
		       : "";
}

static json_t *
view_backend(const struct node *node, unsigned pool, unsigned backend, unsigned total)
{
	const struct model_pool *p = &node->model->pools[pool];
	const struct model_backend *b = &p->backends[backend];
	struct totals_backend sum =
		totals_backend(publish_counters(node->publish), compile_backend_key(p->name, b->name));
	char text[ADDR_TEXT_MAX];
	double share = total ? 100.0 * active_weight(node, pool, backend) / total : 0.0;
	const char *fault = way_fault(node, p, &b->addr);

	return json_pack("{s:s, s:s, s:s, s:i, s:f, s:s, s:s, s:s, s:I, s:I, s:I}", "pool", p->name, "name", b->name,
			 "address", addr_format(&b->addr, text), "weight", b->weight, "share_percent", share, "health",
			 health_state_name(checker_state(node->checker, pool, backend)), "reason",
			 *fault ? fault : checker_reason(node->checker, pool, backend), "admin",
			 node_backend_drained(node, pool, backend) ? "drained" : "in", "packets",
			 (json_int_t)sum.packets, "bytes", (json_int_t)sum.bytes, "openings", (json_int_t)sum.openings);
}

json_t *
view_backends(const struct node *node)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < node->model->n_pools; i++) {
		unsigned n = node->model->pools[i].n_backends;
		unsigned total = 0;

		for (unsigned k = 0; k < n; k++)
			total += active_weight(node, i, k);
		for (unsigned k = 0; k < n; k++)
			json_array_append_new(list, view_backend(node, i, k, total));
	}
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
						      node->verdicts[i] == ANNOUNCE_YES ? "announced" : "withdrawn",
						      "reason", announce_reason(node->verdicts[i])));
	}
	return list;
}

json_t *
view_bgp(const struct node *node)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		const struct bgp_session *session = peering_session(node->peering, i);
		const struct bgp_config *config = bgp_session_config(session);
		struct bgp_status status = bgp_session_status(session);

		json_array_append_new(
			list, json_pack("{s:s, s:s, s:I, s:s, s:I, s:i, s:I, s:I, s:I, s:s}", "peer", config->name,
					"address", addr_format(&config->peer, text), "as", (json_int_t)config->peer_as,
					"state", bgp_state_name(status.state), "since_s",
					seconds_since(status.since_ns),
					"hold_s", status.hold_s, "advertised", (json_int_t)status.advertised,
					"updates_sent", (json_int_t)status.updates_sent, "flaps",
					(json_int_t)status.flaps, "last_error",
					status.last_error.code ? bgp_error_name(&status.last_error) : ""));
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

json_t *
view_drops(const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);
	json_t *list = json_array();

	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++) {
		const struct abi_counter_info *info = abi_verdict_info(v);

		if (info->kind == 'D')
			json_array_append_new(list,
					      json_pack("{s:s, s:I, s:s}", "reason", info->name, "packets",
							(json_int_t)totals_verdict(counters, v), "text", info->text));
	}
	return list;
}
