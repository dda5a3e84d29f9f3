/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and addresses come from the configuration, whose alphabet needs no escaping in labels or HTML. */
#include "controlplane/metrics.h"

#include <event2/buffer.h>

#include "base/clock.h"
#include "controlplane/node.h"
#include "controlplane/totals.h"
#include "controlplane/views_monitor.h"

static void
family(struct evbuffer *out, const char *name, const char *type, const char *help)
{
	evbuffer_add_printf(out, "# HELP nearcast_%s %s\n# TYPE nearcast_%s %s\n", name, help, name, type);
}

static void
single(struct evbuffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	family(out, name, type, help);
	evbuffer_add_printf(out, "nearcast_%s %llu\n", name, (unsigned long long)value);
}

static void
write_node(struct evbuffer *out, const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);

	single(out, "dataplane_up", "gauge", "1 while the dataplane is connected and its heart beats.",
	       node->dataplane_alive);
	single(out, "generation", "gauge", "Generation of the tables that all workers serve.", node->generation);
	single(out, "config_valid", "gauge", "0 when the last reload was refused.", node->config_error[0] == '\0');
	if (!counters)
		return;
	single(out, "slots_moving", "gauge", "Slots whose owner changed lately.",
	       atomic_load_explicit(&region_header(counters)->slots_moving, memory_order_relaxed));
	single(out, "slots_settling", "gauge", "Slots that keep running flows on an earlier owner.",
	       atomic_load_explicit(&region_header(counters)->slots_settling, memory_order_relaxed));
	single(out, "flows", "gauge", "Flows in the flow tables.",
	       atomic_load_explicit(&region_header(counters)->flows, memory_order_relaxed));
}

static void
write_workers(struct evbuffer *out, const struct region_counters *counters)
{
	family(out, "packets_total", "counter", "Packets by what became of them.");
	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++)
		evbuffer_add_printf(out, "nearcast_packets_total{verdict=\"%s\"} %llu\n", abi_verdict_info(v)->name,
				    (unsigned long long)totals_verdict(counters, v));
	for (unsigned c = 0; c < WORKER_COUNTER_COUNT; c++) {
		const struct abi_counter_info *info = abi_worker_counter_info(c);

		evbuffer_add_printf(out, "# HELP nearcast_%s_total %s\n# TYPE nearcast_%s_total counter\n", info->name,
				    info->text, info->name);
		for (unsigned w = 0; w < (counters ? counters->n_workers : 0); w++)
			evbuffer_add_printf(out, "nearcast_%s_total{worker=\"%u\"} %llu\n", info->name, w,
					    (unsigned long long)atomic_load_explicit(
						    &region_worker(counters, w)->counters[c], memory_order_relaxed));
	}
}

static void
write_services(struct evbuffer *out, const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);

	family(out, "service_packets_total", "counter", "Packets of a service.");
	for (unsigned i = 0; i < node->model->n_services; i++) {
		const char *name = node->model->services[i].name;
		struct totals_service sum = totals_service(counters, compile_key(name));

		evbuffer_add_printf(out, "nearcast_service_packets_total{service=\"%s\"} %llu\n", name,
				    (unsigned long long)sum.packets);
	}
}

static void
write_attacks(struct evbuffer *out, const struct node *node)
{
	single(out, "attacks_total", "counter", "Attacks that have begun.", attacks_count(node->attacks));
	family(out, "service_under_attack", "gauge", "1 while an attack on the service goes on.");
	for (unsigned i = 0; i < node->model->n_services; i++) {
		const char *name = node->model->services[i].name;

		evbuffer_add_printf(out, "nearcast_service_under_attack{service=\"%s\"} %d\n", name,
				    attacks_is_armed(node->attacks, name));
	}
}

static void
write_backends(struct evbuffer *out, const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);

	family(out, "backend_up", "gauge", "1 while the backend passes its checks.");
	for (unsigned i = 0; i < node->model->n_pools; i++) {
		const struct model_pool *p = &node->model->pools[i];

		for (unsigned k = 0; k < p->n_backends; k++)
			evbuffer_add_printf(out, "nearcast_backend_up{pool=\"%s\",backend=\"%s\"} %d\n", p->name,
					    p->backends[k].name, node_backend_usable(node, i, k));
	}
	family(out, "backend_packets_total", "counter", "Packets sent to a backend.");
	for (unsigned i = 0; i < node->model->n_pools; i++) {
		const struct model_pool *p = &node->model->pools[i];

		for (unsigned k = 0; k < p->n_backends; k++) {
			uint64_t key = compile_backend_key(p->name, p->backends[k].name);

			evbuffer_add_printf(out, "nearcast_backend_packets_total{pool=\"%s\",backend=\"%s\"} %llu\n",
					    p->name, p->backends[k].name,
					    (unsigned long long)totals_backend(counters, key).packets);
		}
	}
}

static uint64_t
bfd_figure(const struct bfd_status *status, unsigned which)
{
	const uint64_t figures[] = {status->state == BFD_UP, status->failures, status->sent, status->received,
				    status->refused};

	return figures[which];
}

static void
write_bfd(struct evbuffer *out, const struct node *node)
{
	static const struct {
		const char *name, *type, *help;
	} rows[] = {
		{"bfd_up", "gauge", "1 while BFD hears the peer, and is heard."},
		{"bfd_failures_total", "counter", "Times the path to the peer failed."},
		{"bfd_packets_sent_total", "counter", "BFD packets sent to the peer."},
		{"bfd_packets_received_total", "counter", "BFD packets of the peer that were believed."},
		{"bfd_packets_refused_total", "counter", "BFD packets of the peer that were not."},
	};
	const struct bfd_totals *totals = bfd_peers_totals(node->bfd);

	for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
		family(out, rows[k].name, rows[k].type, rows[k].help);
		for (unsigned i = 0; i < bfd_peers_count(node->bfd); i++) {
			const struct bfd_peer *peer = bfd_peers_at(node->bfd, i);

			evbuffer_add_printf(out, "nearcast_%s{peer=\"%s\"} %llu\n", rows[k].name, peer->name,
					    (unsigned long long)bfd_figure(&peer->report.status, k));
		}
	}
	single(out, "bfd_packets_malformed_total", "counter", "BFD packets that break RFC 5880's format.",
	       totals->malformed);
	single(out, "bfd_packets_unknown_total", "counter", "BFD packets from who is no peer.", totals->unknown);
	single(out, "bfd_packets_too_far_total", "counter", "BFD packets of a multihop peer below its min_ttl.",
	       totals->too_far);
	single(out, "bfd_packets_dropped_total", "counter",
	       "BFD packets that the kernel dropped: they had crossed a router, or came too fast.", totals->dropped);
}

static void
write_announcements(struct evbuffer *out, const struct node *node)
{
	family(out, "vip_announced", "gauge", "1 while the VIP is announced.");
	for (unsigned i = 0; i < node->model->n_vips; i++)
		evbuffer_add_printf(out, "nearcast_vip_announced{vip=\"%s\"} %d\n", node->model->vips[i].name,
				    node_verdict(node, i) == ANNOUNCE_YES);
	family(out, "bgp_established", "gauge", "1 while the session is established.");
	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		const struct bgp_session *session = peering_session(node->peering, i);

		evbuffer_add_printf(out, "nearcast_bgp_established{peer=\"%s\"} %d\n",
				    bgp_session_config(session)->name,
				    bgp_session_status(session).state == BGP_ESTABLISHED);
	}
	family(out, "bgp_connections_total", "counter", "Connections that came in, by what came of them.");
	for (unsigned i = 0; i < LISTENER_RESULTS; i++) {
		enum listener_result result = (enum listener_result)i;

		evbuffer_add_printf(out, "nearcast_bgp_connections_total{result=\"%s\"} %llu\n",
				    listener_result_name(result),
				    (unsigned long long)listener_count(node->listener, result));
	}
}

static void
write_imports(struct evbuffer *out, const struct node *node)
{
	family(out, "bgp_imports", "gauge", "FlowSpec rules and blackholes that the peer told, by what became of them.");
	for (unsigned i = 0; i < imports_count(node->imports); i++) {
		struct imports_tally tally = imports_tally(node->imports, i);
		const char *peer = imports_peer(node->imports, i);

		evbuffer_add_printf(out,
				    "nearcast_bgp_imports{peer=\"%s\",state=\"used\"} %u\n"
				    "nearcast_bgp_imports{peer=\"%s\",state=\"refused\"} %u\n"
				    "nearcast_bgp_imports{peer=\"%s\",state=\"not applied\"} %u\n",
				    peer, tally.used, peer, tally.refused, peer, tally.held);
	}
	family(out, "bgp_imports_over_total", "counter", "Those refused for want of room, in this session.");
	for (unsigned i = 0; i < imports_count(node->imports); i++)
		evbuffer_add_printf(out, "nearcast_bgp_imports_over_total{peer=\"%s\"} %llu\n", imports_peer(node->imports, i),
				    (unsigned long long)imports_tally(node->imports, i).over);
}

void
metrics_write(struct evbuffer *out, const struct node *node)
{
	write_node(out, node);
	write_workers(out, publish_counters(node->publish));
	write_services(out, node);
	write_attacks(out, node);
	write_backends(out, node);
	write_announcements(out, node);
	write_imports(out, node);
	write_bfd(out, node);
	monitor_metrics(out, node);
}

static const char page_head[] =
	"<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=5><title>nearcast</title><style>"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
	"table{border-collapse:collapse;margin:0 0 1.5em;width:100%}th,td{text-align:left;padding:.25em .8em;"
	"border-bottom:1px solid #ddd}th{font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}"
	".ok{color:#0a7a33}.bad{color:#b3261e}h2{font-size:1.05em;margin:1.2em 0 .4em}</style>";

static void
page_vips(struct evbuffer *out, const struct node *node)
{
	char text[PREFIX_TEXT_MAX];

	evbuffer_add_printf(out, "<h2>VIPs</h2><table><tr><th>VIP<th>prefix<th>state");
	for (unsigned i = 0; i < node->model->n_vips; i++) {
		const struct model_vip *vip = &node->model->vips[i];

		evbuffer_add_printf(out, "<tr><td>%s<td>%s<td class=%s>%s", vip->name,
				    prefix_format(&vip->prefix, text),
				    node_verdict(node, i) == ANNOUNCE_YES ? "ok" : "bad",
				    announce_reason(node_verdict(node, i)));
	}
	evbuffer_add_printf(out, "</table>");
}

static void
page_backends(struct evbuffer *out, const struct node *node)
{
	const struct region_counters *counters = publish_counters(node->publish);
	char text[ADDR_TEXT_MAX];

	evbuffer_add_printf(out, "<h2>Backends</h2><table>"
				 "<tr><th>pool<th>backend<th>address<th>weight<th>health<th>packets");
	for (unsigned i = 0; i < node->model->n_pools; i++) {
		const struct model_pool *p = &node->model->pools[i];

		for (unsigned k = 0; k < p->n_backends; k++) {
			const struct model_backend *b = &p->backends[k];
			uint64_t key = compile_backend_key(p->name, b->name);
			bool is_up = node_backend_usable(node, i, k);

			evbuffer_add_printf(out,
					    "<tr><td>%s<td>%s<td>%s<td class=n>%u<td class=%s>%s%s<td class=n>%llu",
					    p->name, b->name, addr_format(&b->addr, text), b->weight,
					    is_up ? "ok" : "bad", is_up ? "up" : "down",
					    node_backend_drained(node, i, k) ? ", drained" : "",
					    (unsigned long long)totals_backend(counters, key).packets);
		}
	}
	evbuffer_add_printf(out, "</table>");
}

static void
page_peers(struct evbuffer *out, const struct node *node)
{
	char text[ADDR_TEXT_MAX];

	evbuffer_add_printf(out, "<h2>BGP</h2><table><tr><th>peer<th>address<th>state<th>advertised");
	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		const struct bgp_session *session = peering_session(node->peering, i);
		const struct bgp_config *config = bgp_session_config(session);
		struct bgp_status status = bgp_session_status(session);

		evbuffer_add_printf(out, "<tr><td>%s<td>%s<td class=%s>%s<td class=n>%u", config->name,
				    addr_format(&config->peer, text), status.state == BGP_ESTABLISHED ? "ok" : "bad",
				    bgp_state_name(status.state), status.advertised);
	}
	evbuffer_add_printf(out, "</table>");
}

void
metrics_page(struct evbuffer *out, const struct node *node)
{
	evbuffer_add_printf(out, "%s<h1>nearcast %s</h1><p>Dataplane <b class=%s>%s</b>, generation %llu, up %llu s",
			    page_head, node->model->node_name, node->dataplane_alive ? "ok" : "bad",
			    node->dataplane_alive ? "serves" : "is not there", (unsigned long long)node->generation,
			    (unsigned long long)((clock_now_ns() - node->started_ns) / CLOCK_NS_PER_S));
	page_vips(out, node);
	page_backends(out, node);
	page_peers(out, node);
}
