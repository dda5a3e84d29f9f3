/* SPDX-License-Identifier: BSD-2-Clause */
/* The bgp section and the VIPs, which are announced. */
#include <inttypes.h>
#include <string.h>

#include "bgp/community.h"
#include "controlplane/config_print.h"

/* Double quotes keep any printable text as it is, but for these two. */
static void
print_text(FILE *file, const char *text)
{
	fputc('"', file);
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', file);
		fputc(*c, file);
	}
	fputc('"', file);
}

void
print_key(FILE *file, const char *key, const char *text)
{
	fputs(key, file);
	print_text(file, text);
}

/* "{ipv4: A, ipv6: B}" of what there is. */
static void
print_pair(FILE *file, const struct addr *v4, const struct addr *v6)
{
	char text[ADDR_TEXT_MAX];

	fputc('{', file);
	if (v4->family != ADDR_NONE)
		fprintf(file, "ipv4: %s", addr_format(v4, text));
	if (v6->family != ADDR_NONE)
		fprintf(file, "%sipv6: \"%s\"", v4->family != ADDR_NONE ? ", " : "", addr_format(v6, text));
	fputc('}', file);
}

void
print_families(FILE *file, const char *key, const struct addr *v4, const struct addr *v6)
{
	if (v4->family == ADDR_NONE && v6->family == ADDR_NONE)
		return;
	fprintf(file, "%s: ", key);
	print_pair(file, v4, v6);
	fputc('\n', file);
}

static void
print_communities(FILE *file, const struct path *path)
{
	char text[COMMUNITY_TEXT_MAX];
	const char *comma = "";

	fputs("communities: [", file);
	for (unsigned i = 0; i < path->n_communities; i++, comma = ", ")
		fprintf(file, "%s\"%s\"", comma, community_format(path->communities[i], text));
	for (unsigned i = 0; i < path->n_extended; i++, comma = ", ")
		fprintf(file, "%s\"%s\"", comma, community_format_extended(path->extended[i], text));
	for (unsigned i = 0; i < path->n_large; i++, comma = ", ")
		fprintf(file, "%s\"%s\"", comma, community_format_large(&path->large[i], text));
	fputc(']', file);
}

/* The keys of a path, in the middle of a mapping. */
static void
print_path(FILE *file, const struct model_path *p)
{
	static const char *const origins[] = {"igp", "egp", "incomplete"};

	print_communities(file, &p->path);
	if (p->marks & MODEL_PATH_PREPEND)
		fprintf(file, ", prepend: %u", p->path.prepend);
	if (p->marks & MODEL_PATH_MED)
		fprintf(file, ", med: %" PRIu32, p->path.med);
	if (p->marks & MODEL_PATH_LOCAL_PREF)
		fprintf(file, ", local_pref: %" PRIu32, p->path.local_pref);
	if (p->marks & MODEL_PATH_ORIGIN)
		fprintf(file, ", origin: %s", origins[p->path.origin]);
	if (!(p->marks & MODEL_PATH_NEXT_HOP))
		return;
	fputs(", next_hop: ", file);
	if (p->next_hop_v4.family == ADDR_NONE && p->next_hop_v6.family == ADDR_NONE)
		fputs("self", file);
	else
		print_pair(file, &p->next_hop_v4, &p->next_hop_v6);
}

static void
print_degraded(FILE *file, const struct model_degraded *degraded)
{
	fprintf(file, "degraded: {below: %u%%, ", degraded->below_percent);
	print_path(file, &degraded->path);
	fputs("}", file);
}

static void
print_damping(FILE *file, const struct model_damping *d)
{
	fprintf(file, "damping: {rise: %" PRIu32 "ms, flaps: %u, within: %" PRIu32 "s, for: %" PRIu32
		"s, longest: %" PRIu32 "s}", d->rise_ms, d->flaps, d->window_s, d->hold_s, d->hold_max_s);
}

static const char *
truth(bool fact)
{
	return fact ? "true" : "false";
}

static void
print_auth(FILE *file, const struct bgp_config *c)
{
	char key[BGP_KEY_MAX + 1] = "";

	if (c->auth == BGP_AUTH_NONE)
		return;
	for (unsigned i = 0; i < c->key_len; i++)
		key[i] = (char)c->key[i];
	print_key(file, c->auth == BGP_AUTH_MD5 ? "      auth: {kind: md5, key: " : "      auth: {kind: ao, key: ", key);
	if (c->auth == BGP_AUTH_AO)
		fprintf(file, ", id: %u", c->key_id);
	fputs("}\n", file);
}

static void
print_bfd(FILE *file, const struct model_bfd *bfd)
{
	const struct bfd_auth_config *auth = &bfd->session.auth;
	char key[BFD_KEY_MAX + 1] = "";

	if (!bfd->enabled)
		return;
	fprintf(file, "      bfd: {interval: %" PRIu32 "ms, multiplier: %u, multihop: %s", bfd->session.desired_us / 1000,
		bfd->session.multiplier, truth(bfd->is_multihop));
	if (bfd->ttl_min > 0)
		fprintf(file, ", min_ttl: %u", bfd->ttl_min);
	if (auth->type != BFD_AUTH_NONE) {
		memcpy(key, auth->key, auth->key_len);
		fprintf(file, ", auth: {kind: %s, id: %u, ", bfd_auth_name(auth->type), auth->key_id);
		print_key(file, "key: ", key);
		fputc('}', file);
	}
	fputs("}\n", file);
}

/* What a peer and a range of dynamic peers have in common. */
static void
print_peer_keys(FILE *file, const struct model_peer *peer)
{
	static const char *const roles[] = {"provider", "rs", "rs-client", "customer", "peer"};
	const struct bgp_config *c = &peer->session;

	fprintf(file, "      as: %" PRIu32, c->peer_as);
	if (c->peer_as_last)
		fprintf(file, "-%" PRIu32, c->peer_as_last);
	fprintf(file, "\n      local_as: %" PRIu32 "\n", c->local_as);
	fprintf(file, "      hold: %us\n      send_hold: %us\n      delay_open: %us\n      graceful_restart: %us\n",
		c->hold_s, c->send_hold_s, c->delay_open_s, c->graceful_restart_s);
	fprintf(file, "      role: %s\n      role_strict: %s\n", c->role == BGP_ROLE_NONE ? "none" : roles[c->role],
		truth(c->role_strict));
	print_auth(file, c);
	if (c->hops)
		fprintf(file, "      hops: %u\n", c->hops);
	fprintf(file, "      gtsm: %s\n      extended_next_hop: %s\n      flowspec: %s\n      validation: %s\n",
		truth(c->gtsm), truth(c->extended_next_hop), truth(c->flowspec), truth(!c->no_validation));
	fprintf(file, "      blackhole: %s\n      max_prefixes: %" PRIu32 "\n", truth(c->import_blackhole),
		c->max_prefixes);
	print_families(file, "      next_hop", &c->next_hop_v4, &c->next_hop_v6);
	fprintf(file, "      longest: {ipv4: %u, ipv6: %u}\n      path: {", peer->longest_v4, peer->longest_v6);
	print_path(file, &peer->path);
	fputs("}\n", file);
	print_bfd(file, &peer->bfd);
}

static void
print_peers(FILE *file, const struct model *m)
{
	char text[PREFIX_TEXT_MAX];

	fputs(m->n_peers ? "  peers:\n" : "  peers: []\n", file);
	for (unsigned i = 0; i < m->n_peers; i++) {
		const struct bgp_config *c = &m->peers[i].session;

		print_key(file, "    - name: ", c->name);
		fprintf(file, "\n      address: \"%s\"\n", addr_format(&c->peer, text));
		if (c->interface[0])
			fprintf(file, "      interface: %s\n", c->interface);
		if (c->local.family != ADDR_NONE)
			fprintf(file, "      local: \"%s\"\n", addr_format(&c->local, text));
		if (c->port != 0)
			fprintf(file, "      port: %u\n", c->port);
		fprintf(file, "      reconnect: %us\n      passive: %s\n", c->reconnect_s, truth(c->passive));
		print_peer_keys(file, &m->peers[i]);
	}
	fputs(m->n_dynamic ? "  dynamic:\n" : "  dynamic: []\n", file);
	for (unsigned i = 0; i < m->n_dynamic; i++) {
		print_key(file, "    - name: ", m->dynamic[i].peer.session.name);
		fprintf(file, "\n      range: \"%s\"\n      max: %u\n", prefix_format(&m->dynamic[i].range, text),
			m->dynamic[i].max);
		print_peer_keys(file, &m->dynamic[i].peer);
	}
}

static void
print_policy(FILE *file, const struct model *m)
{
	char text[PREFIX_TEXT_MAX];

	fputs("  path: {", file);
	print_path(file, &m->path);
	fputs("}\n  ", file);
	print_degraded(file, &m->degraded);
	fputs("\n  ", file);
	print_damping(file, &m->damping);
	fprintf(file, "\n  drain: {timeout: %" PRIu32 "s, ", m->drain.timeout_s);
	print_path(file, &m->drain.path);
	fputs(m->n_aggregates ? "}\n  aggregates:\n" : "}\n  aggregates: []\n", file);
	for (unsigned i = 0; i < m->n_aggregates; i++) {
		fprintf(file, "    - {prefix: \"%s\", only: %s, ", prefix_format(&m->aggregates[i].prefix, text),
			m->aggregates[i].both ? "both" : "aggregate");
		print_path(file, &m->aggregates[i].path);
		fputs("}\n", file);
	}
}

static void
print_import(FILE *file, const char *name, const struct model_import *import, bool has_actions)
{
	static const char *const actions[] = {"drop", "count", "limit", "sample"}; /* enum abi_filter_action */
	char text[PREFIX_TEXT_MAX];
	const char *comma = "";

	fprintf(file, "    %s: {max: %" PRIu32 ", lifetime: %" PRIu32 "s, within: [", name, import->max, import->lifetime_s);
	for (unsigned i = 0; i < import->n_within; i++)
		fprintf(file, "%s\"%s\"", i ? ", " : "", prefix_format(&import->within[i], text));
	fprintf(file, "], shortest: {ipv4: %u, ipv6: %u}", import->shortest_v4, import->shortest_v6);
	fputs(has_actions ? ", actions: [" : "", file);
	for (unsigned i = 0; has_actions && i < ARRAY_LEN(actions); i++) {
		if (!(import->actions & 1U << i))
			continue;
		fprintf(file, "%s%s", comma, actions[i]);
		comma = ", ";
	}
	fputs(has_actions ? "]}\n" : "}\n", file);
}

static void
print_monitors(FILE *file, const struct model *m)
{
	char text[ADDR_TEXT_MAX];

	fputs(m->n_collectors ? "  bmp:\n" : "  bmp: []\n", file);
	for (unsigned i = 0; i < m->n_collectors; i++) {
		const struct model_collector *c = &m->collectors[i];

		print_key(file, "    - {name: ", c->name);
		fprintf(file, ", address: \"%s\", port: %u, stats: %us}\n", addr_format(&c->address, text), c->port,
			c->stats_s);
	}
	if (m->mrt.file[0]) {
		print_key(file, "  mrt: {file: ", m->mrt.file);
		fprintf(file, ", rotate: %" PRIu32 ", age: %" PRIu32 "s, keep: %u}\n", m->mrt.rotate, m->mrt.age_s, m->mrt.keep);
	}
}

void
print_bgp(FILE *file, const struct model *m)
{
	uint32_t id = m->router_id;
	char text[ADDR_TEXT_MAX];

	fprintf(file, "bgp:\n  as: %" PRIu32 "\n  router_id: %u.%u.%u.%u\n", m->as, id >> 24, id >> 16 & 255,
		id >> 8 & 255, id & 255);
	if (m->listen.enabled) {
		fprintf(file, "  listen: {port: %u", m->listen.port);
		for (unsigned i = 0; i < m->listen.n_addresses; i++)
			fprintf(file, "%s\"%s\"", i ? ", " : ", addresses: [", addr_format(&m->listen.addresses[i], text));
		if (m->listen.n_addresses)
			fputs("]", file);
		fputs("}\n", file);
	}
	print_peers(file, m);
	print_policy(file, m);
	fputs("  import:\n", file);
	print_import(file, "flowspec", &m->imports[MODEL_IMPORT_FLOWSPEC], true);
	print_import(file, "blackhole", &m->imports[MODEL_IMPORT_BLACKHOLE], false);
	print_monitors(file, m);
}

void
print_vip(FILE *file, const struct model_vip *vip)
{
	static const char *const announces[] = {"all", "any", "always", "never"};
	char text[PREFIX_TEXT_MAX];

	print_key(file, "  - {name: ", vip->name);
	fprintf(file, ", prefix: \"%s\", unmatched: %s, announce: %s, ", prefix_format(&vip->prefix, text),
		vip->refuse ? "refuse" : "drop", announces[vip->announce]);
	print_path(file, &vip->path);
	fputs(",\n     ", file);
	print_degraded(file, &vip->degraded);
	fputs(", ", file);
	print_damping(file, &vip->damping);
	for (unsigned i = 0; i < vip->n_peers; i++) {
		print_key(file, i ? ", {name: " : ",\n     peers: [{name: ", vip->peers[i].name);
		fprintf(file, ", announce: %s, ", vip->peers[i].never ? "never" : "yes");
		print_path(file, &vip->peers[i].path);
		fputs("}", file);
	}
	fputs(vip->n_peers ? "]}\n" : "}\n", file);
}
