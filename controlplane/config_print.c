/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <netinet/in.h>

#include "controlplane/config_print.h"

static void
print_check(FILE *file, const struct model_check *check)
{
	static const char *const kinds[] = {"tcp", "http", "https", "dns", "icmp"};
	static const char *const types[] = {[1] = "A", [2] = "NS", [5] = "CNAME", [6] = "SOA", [12] = "PTR", [15] = "MX",
					    [16] = "TXT", [28] = "AAAA", [33] = "SRV"};
	static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

	fprintf(file, "        - {kind: %s", kinds[check->kind]);
	if (check->kind != MODEL_CHECK_ICMP)
		fprintf(file, ", port: %u", check->port);
	if (check->kind == MODEL_CHECK_HTTP || check->kind == MODEL_CHECK_HTTPS) {
		print_key(file, ", path: ", check->path);
		if (check->host[0])
			print_key(file, ", host: ", check->host);
		fprintf(file, ", status: %u-%u", check->status_min, check->status_max);
		if (check->match[0])
			print_key(file, ", match: ", check->match);
	}
	if (check->kind == MODEL_CHECK_HTTPS)
		fprintf(file, ", verify: %s", check->tls_verify ? "true" : "false");
	if (check->kind == MODEL_CHECK_DNS) {
		print_key(file, ", query: ", check->query);
		fprintf(file, ", type: %s, rcode: %s", types[check->query_type], rcodes[check->rcode]);
	}
	fputs("}\n", file);
}

static void
print_health(FILE *file, const struct model_health *h)
{
	fprintf(file, "    health:\n      interval: %" PRIu32 "ms\n      timeout: %" PRIu32 "ms\n", h->interval_ms,
		h->timeout_ms);
	fprintf(file, "      rise: %u\n      fall: %u\n      jitter: %u%%\n", h->rise, h->fall, h->jitter_percent);
	fprintf(file, "      hold_down: {flaps: %u, within: %" PRIu32 "s, for: %" PRIu32 "s}\n", h->hold_flaps,
		h->hold_window_s, h->hold_s);
	fputs(h->n_checks > 0 ? "      checks:\n" : "      checks: []\n", file);
	for (unsigned i = 0; i < h->n_checks; i++)
		print_check(file, &h->checks[i]);
}

static void
print_pool(FILE *file, const struct model_pool *pool)
{
	static const char *const encaps[] = {"l2", "ipip", "gue", "gre"};
	char text[ADDR_TEXT_MAX];

	print_key(file, "  - name: ", pool->name);
	fprintf(file, "\n    hash: %s\n    seed: 0x%016" PRIx64 "\n", pool->hash == MODEL_HASH_MAGLEV ? "maglev" : "stable",
		pool->seed);
	fprintf(file, "    window: %" PRIu32 "s\n    idle: %" PRIu32 "s\n", pool->window_s, pool->idle_s);
	fprintf(file, "    encapsulation: {kind: %s, port: %u, checksum: %s, dscp: ", encaps[pool->encap], pool->gue_port,
		pool->gue_checksum ? "true" : "false");
	if (pool->dscp_mode == ABI_DSCP_COPY)
		fputs("copy", file);
	else
		fprintf(file, "%u", pool->dscp);
	fprintf(file, ", vary_source: %u}\n    min_healthy: %" PRIu32 "\n    min_weight: %u%%\n    fail_open: %s\n",
		pool->source_vary_bits, pool->min_healthy, pool->min_weight_percent, pool->fail_open ? "true" : "false");
	print_health(file, &pool->health);
	fputs("    backends:\n", file);
	for (unsigned i = 0; i < pool->n_backends; i++) {
		print_key(file, "      - {name: ", pool->backends[i].name);
		fprintf(file, ", address: \"%s\", weight: %u}\n", addr_format(&pool->backends[i].addr, text),
			pool->backends[i].weight);
	}
}

static void
print_rates(FILE *file, const char *key, const struct abi_guard_rates *rates)
{
	fprintf(file, "%spackets: %" PRIu32 ", bits: %" PRIu32 "k, openings: %" PRIu32 "}", key, rates->packets,
		rates->kbits, rates->openings);
}

static void
print_guard(FILE *file, const char *indent, const struct model_guard *g)
{
	static const char *const modes[] = {"off", "auto", "always"};
	static const char *const filters[] = {"auto", "off", "armed", "always"};
	static const char *const checks[] = {"auto", "none", "syn", "syn_cookie", "dns"};

	fprintf(file, "%smode: %s\n%sthresholds: {packets: %" PRIu32 ", bits: %" PRIu32 "k, openings: %" PRIu32
		", fragments: %" PRIu32 "}\n", indent, modes[g->mode], indent, g->thresholds[ABI_METER_PACKETS],
		g->thresholds[ABI_METER_BITS], g->thresholds[ABI_METER_OPENINGS], g->thresholds[ABI_METER_FRAGMENTS]);
	fprintf(file, "%shold: %us\n%srelease: %u%%\n%sreflectors: %s\n%snot_client: %s\n%sdns: %s\n%ssignatures: %s\n%scheck: %s\n", indent,
		g->hold_s, indent, g->percent, indent, filters[g->reflectors], indent, filters[g->not_client], indent,
		filters[g->dns], indent, filters[g->signatures], indent, checks[g->check]);
	fputs(indent, file);
	print_rates(file, "source: {", &g->source);
	fprintf(file, "\n%sprefix: {ipv4: %u, ipv6: %u, ", indent, g->prefix_v4_len, g->prefix_v6_len);
	print_rates(file, "", &g->prefix);
	fprintf(file, "\n%sburst: %ums\n%sunknown: %" PRIu32 "\n", indent, g->burst_ms, indent, g->unknown);
}

static void
print_guard_section(FILE *file, const struct model *m)
{
	static const char *const filter_actions[] = {
		[ABI_FILTER_DROP] = "drop", [ABI_FILTER_COUNT] = "count", [ABI_FILTER_SAMPLE] = "sample"};
	char text[PREFIX_TEXT_MAX];

	fputs("guard:\n  bogons: [", file);
	for (unsigned i = 0; i < m->n_bogons; i++)
		fprintf(file, "%s\"%s\"", i ? ", " : "", prefix_format(&m->bogons[i], text));
	fputs(m->n_reflectors ? "]\n  reflectors:\n" : "]\n  reflectors: []\n", file);
	for (unsigned i = 0; i < m->n_reflectors; i++) {
		print_key(file, "    - {name: ", m->reflectors[i].name);
		fprintf(file, ", port: %u", m->reflectors[i].port);
		if (m->reflectors[i].reason[0])
			print_key(file, ", reason: ", m->reflectors[i].reason);
		fputs("}\n", file);
	}
	if (m->signatures[0]) {
		print_key(file, "  signatures: ", m->signatures);
		fputc('\n', file);
	}
	fputs(m->n_lists ? "  lists:\n" : "  lists: []\n", file);
	for (unsigned i = 0; i < m->n_lists; i++) {
		print_key(file, "    - {name: ", m->lists[i].name);
		print_key(file, ", file: ", m->lists[i].path);
		fputs("}\n", file);
	}
	fputs(m->n_filters ? "  filters:\n" : "  filters: []\n", file);
	for (unsigned i = 0; i < m->n_filters; i++) {
		const struct model_filter_entry *f = &m->filters[i];

		print_key(file, "    - {name: ", f->name);
		print_key(file, f->object[0] ? ", object: " : ", expression: ", f->object[0] ? f->object : f->expression);
		if (f->object[0])
			print_key(file, ", section: ", f->section);
		if (f->service[0])
			print_key(file, ", service: ", f->service);
		fprintf(file, ", action: %s}\n", filter_actions[f->action]);
	}
	fputs(m->n_list_classes ? "  classes:\n" : "  classes: []\n", file);
	for (unsigned i = 0; i < m->n_list_classes; i++) {
		fprintf(file, "    - {class: %u, burst: %ums, ", m->list_classes[i].class, m->list_classes[i].burst_ms);
		print_rates(file, "", &m->list_classes[i].rates);
		fputc('\n', file);
	}
	fputs("  defaults:\n", file);
	print_guard(file, "    ", &m->guard);
}

static void
print_service(FILE *file, const struct model *m, const struct model_service *s)
{
	static const char *const affinities[] = {"flow", "tracked", "none"};

	print_key(file, "  - name: ", s->name);
	print_key(file, "\n    vip: ", m->vips[s->vip].name);
	print_key(file, "\n    pool: ", m->pools[s->pool].name);
	fprintf(file, "\n    protocol: %s\n    port: %u-%u\n    affinity: %s\n    hash_on: %s\n    guard:\n",
		s->protocol == 0 ? "any" : s->protocol == IPPROTO_TCP ? "tcp" : "udp", s->port_first, s->port_last,
		affinities[s->affinity], s->hash_on == ABI_HASH_SOURCE ? "source" : "flow");
	print_guard(file, "      ", &s->guard);
}

void
config_print(FILE *file, const struct model *m)
{
	print_key(file, "node:\n  name: ", m->node_name);
	print_key(file, "\n  dataplane: ", m->dataplane_socket);
	print_key(file, "\n  control: ", m->control_socket);
	if (m->http_listen[0])
		print_key(file, "\n  http: ", m->http_listen);
	fputc('\n', file);
	print_families(file, "  source", &m->source_v4, &m->source_v6);
	if (m->as != 0)
		print_bgp(file, m);
	print_guard_section(file, m);
	fputs(m->n_vips > 0 ? "vips:\n" : "vips: []\n", file);
	for (unsigned i = 0; i < m->n_vips; i++)
		print_vip(file, &m->vips[i]);
	fputs(m->n_pools > 0 ? "pools:\n" : "pools: []\n", file);
	for (unsigned i = 0; i < m->n_pools; i++)
		print_pool(file, &m->pools[i]);
	fputs(m->n_services > 0 ? "services:\n" : "services: []\n", file);
	for (unsigned i = 0; i < m->n_services; i++)
		print_service(file, m, &m->services[i]);
}
