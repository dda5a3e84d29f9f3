/* SPDX-License-Identifier: BSD-2-Clause */
/* The bgp section: the node's sessions, who may open one, and what holds for all routes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/schema_path.h"

void
schema_families(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	/* All users have the IPv4 address right in front of the IPv6 one. */
	static const struct schema_key keys[] = {
		{.name = "ipv4", .parse = scalar_ipv4, .offset = 0},
		{.name = "ipv6", .parse = scalar_ipv6, .offset = sizeof(struct addr)},
	};
	_Static_assert(offsetof(struct model, source_v6) == offsetof(struct model, source_v4) + sizeof(struct addr),
		       "pair");
	_Static_assert(offsetof(struct bgp_config, next_hop_v6) ==
			       offsetof(struct bgp_config, next_hop_v4) + sizeof(struct addr), "pair");

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

static void
read_auth(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct auth {
		enum bgp_auth kind;
		char key[BGP_KEY_MAX + 1];
		uint8_t id;
	} auth = {0};
	static const struct schema_key keys[] = {
		{.name = "kind", .parse = scalar_word, FIELD(auth, kind), .required = true,
		 .words = WORDS({"md5", BGP_AUTH_MD5}, {"ao", BGP_AUTH_AO})},
		{.name = "key", .parse = scalar_string, FIELD(auth, key), .required = true},
		{.name = "id", .parse = scalar_integer, FIELD(auth, id), .max = UINT8_MAX},
	};
	struct bgp_config *config = &((struct model_peer *)target)->session;

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), &auth);
	if (auth.kind == BGP_AUTH_MD5 && yaml_tree_get(value, "id"))
		reading_fail(r, yaml_tree_get(value, "id"), "id has no meaning with md5");
	config->auth = auth.kind;
	config->key_id = auth.id;
	config->key_len = (uint8_t)strlen(auth.key);
	memcpy(config->key, auth.key, config->key_len);
}

static void
read_longest(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "ipv4", .parse = scalar_integer, FIELD(model_peer, longest_v4), .max = 32},
		{.name = "ipv6", .parse = scalar_integer, FIELD(model_peer, longest_v6), .max = 128},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

/* Shorter than its place, in which a dynamic peer's address follows. */
static void
read_peer_name(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const struct schema_key shorter = {.name = key->name, .size = MODEL_PEER_NAME_MAX};

	scalar_name(r, value, &shorter, target);
}

#define SESSION(member) FIELD(model_peer, session.member)
#define ROLES                                                                                                          \
	WORDS({"provider", BGP_ROLE_PROVIDER}, {"rs", BGP_ROLE_RS}, {"rs-client", BGP_ROLE_RS_CLIENT},                 \
	      {"customer", BGP_ROLE_CUSTOMER}, {"peer", BGP_ROLE_PEER}, {"none", BGP_ROLE_NONE})

/* What a peer and a range of dynamic peers have in common. RFC 4724 3: the restart time has 12 bits. */
#define PEER_KEYS                                                                                                      \
	{.name = "name", .parse = read_peer_name, SESSION(name), .required = true},                                   \
	{.name = "local_as", .parse = scalar_integer, SESSION(local_as), .min = 1, .max = AS_MAX},            \
	{.name = "hold", .parse = scalar_seconds, SESSION(hold_s), .max = UINT16_MAX},                                \
	{.name = "send_hold", .parse = scalar_seconds, SESSION(send_hold_s), .max = UINT16_MAX},                      \
	{.name = "delay_open", .parse = scalar_seconds, SESSION(delay_open_s), .max = 240},                           \
	{.name = "graceful_restart", .parse = scalar_seconds, SESSION(graceful_restart_s), .max = 4095},              \
	{.name = "role", .parse = scalar_word, SESSION(role), .words = ROLES},                                        \
	{.name = "role_strict", .parse = scalar_bool, SESSION(role_strict)},                                          \
	{.name = "auth", .parse = read_auth},                                                                         \
	{.name = "hops", .parse = scalar_integer, SESSION(hops), .min = 1, .max = 255},                               \
	{.name = "gtsm", .parse = scalar_bool, SESSION(gtsm)},                                                        \
	{.name = "extended_next_hop", .parse = scalar_bool, SESSION(extended_next_hop)},                              \
	{.name = "flowspec", .parse = scalar_bool, SESSION(flowspec)},                                                \
	{.name = "validation", .parse = scalar_word, SESSION(no_validation), .words = WORDS({"true", 0}, {"false", 1})}, \
	{.name = "blackhole", .parse = scalar_bool, SESSION(import_blackhole)},                                       \
	{.name = "max_prefixes", .parse = scalar_integer, SESSION(max_prefixes), .max = BGP_PREFIXES_MAX},            \
	{.name = "next_hop", .parse = schema_families, SESSION(next_hop_v4)},                                         \
	{.name = "longest", .parse = read_longest},                                                                   \
	{.name = "path", .parse = schema_path, FIELD(model_peer, path)},                                              \
	{.name = "bfd", .parse = schema_bfd, FIELD(model_peer, bfd)}

#define AS_MAX (UINT32_MAX - 1) /* RFC 7607, RFC 7300: the first and the last number are nobody's */

enum { LONGEST_V4 = 24, LONGEST_V6 = 48, BGP_PORT = 179 };

static const struct model_peer peer_default = {
	.session = {.hold_s = 9, .reconnect_s = 5, .role = BGP_ROLE_NONE},
	.longest_v4 = 32,
	.longest_v6 = 128,
};

/* RFC 6996: AS numbers that nobody has on the Internet. */
static bool
is_private(uint32_t as)
{
	return (as >= 64512 && as <= 65534) || as >= 4200000000;
}

/* What a key has to do with others, and what follows from the section. */
static void
finish_peer(struct reading *r, const struct yaml_tree *item, struct model_peer *peer)
{
	const struct yaml_tree *longest = yaml_tree_get(item, "longest"), *bfd = yaml_tree_get(item, "bfd");
	struct bgp_config *session = &peer->session;

	/* RFC 4271 4.2: a hold time of one or two seconds is unacceptable. */
	if (session->hold_s == 1 || session->hold_s == 2)
		reading_fail(r, yaml_tree_get(item, "hold"), "hold %us must be 0s or at least 3s", session->hold_s);
	if (session->role_strict && session->role == BGP_ROLE_NONE)
		reading_fail(r, yaml_tree_get(item, "role_strict"), "role_strict needs a role");
	if (session->gtsm && session->hops == 0)
		session->hops = 1;
	if (peer->bfd.enabled && session->hops > 1 && !yaml_tree_get(bfd, "multihop"))
		peer->bfd.is_multihop = true;
	if (peer->bfd.ttl_min > 0 && !peer->bfd.is_multihop)
		reading_fail(r, yaml_tree_get(bfd, "min_ttl"), "min_ttl needs multihop: a neighbour's packets have 255");
	if (session->peer_as_last && session->local_as >= session->peer_as && session->local_as <= session->peer_as_last)
		reading_fail(r, yaml_tree_get(item, "as"), "as %u-%u holds our own, %u", session->peer_as,
			     session->peer_as_last, session->local_as);
	/* Another network than ours: the Internet takes no longer ones, and a router there may not filter. */
	if (is_private(session->local_as) || is_private(session->peer_as) || session->local_as == session->peer_as)
		return;
	if (!longest || !yaml_tree_get(longest, "ipv4"))
		peer->longest_v4 = LONGEST_V4;
	if (!longest || !yaml_tree_get(longest, "ipv6"))
		peer->longest_v6 = LONGEST_V6;
}

static void
check_interface(struct reading *r, const struct yaml_tree *item, const struct bgp_config *session)
{
	bool has_interface = session->interface[0] != '\0';

	if (addr_is_link_local(&session->peer) && !has_interface)
		reading_fail(r, yaml_tree_get(item, "address"), "a link-local address needs an interface");
	if (has_interface && !addr_is_link_local(&session->peer))
		reading_fail(r, yaml_tree_get(item, "interface"), "interface is for a link-local address only");
}

static void
read_peers(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		PEER_KEYS,
		{.name = "as", .parse = scalar_integer, SESSION(peer_as), .required = true, .min = 1, .max = AS_MAX},
		{.name = "address", .parse = scalar_address, SESSION(peer), .required = true},
		{.name = "interface", .parse = scalar_name, SESSION(interface)},
		{.name = "local", .parse = scalar_address, SESSION(local)},
		{.name = "port", .parse = scalar_integer, SESSION(port), .min = 1, .max = UINT16_MAX},
		{.name = "reconnect", .parse = scalar_seconds, SESSION(reconnect_s), .min = 1, .max = 3600},
		{.name = "passive", .parse = scalar_bool, SESSION(passive)},
	};
	struct model_peer *peers = schema_list(r, value, key, sizeof(*peers), &r->model->n_peers);
	unsigned i = 0;

	(void)target;
	r->model->peers = peers;
	for (const struct yaml_tree *item = value->first; peers && item; item = item->next, i++) {
		peers[i] = peer_default;
		schema_map(r, item, "a peer", keys, ARRAY_LEN(keys), &peers[i]);
		check_interface(r, item, &peers[i].session);
	}
}

/* "65002", or "64512-64999". */
static void
read_as_range(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "an AS number or a range of them");
	struct bgp_config *session = &((struct model_peer *)target)->session;
	char first_text[16] = "";
	uint64_t first, last;
	const char *dash;

	if (!text)
		return;
	dash = strchr(text, '-');
	snprintf(first_text, sizeof(first_text), "%.*s", dash ? (int)(dash - text) : 15, text);
	if (!scalar_number(first_text, &first) || !scalar_number(dash ? dash + 1 : text, &last) || first < 1 ||
	    last < first || last > AS_MAX) {
		reading_fail(r, value, "as %.64s is no AS number and no range such as 64512-64999", text);
		return;
	}
	session->peer_as = (uint32_t)first;
	session->peer_as_last = first < last ? (uint32_t)last : 0;
}

static void
read_dynamic(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		PEER_KEYS,
		{.name = "as", .parse = read_as_range, .required = true},
		{.name = "range", .parse = scalar_prefix, FIELD(model_dynamic, range), .required = true},
		{.name = "max", .parse = scalar_integer, FIELD(model_dynamic, max), .min = 1, .max = MODEL_PEERS_MAX},
	};
	struct model_dynamic *list = schema_list(r, value, key, sizeof(*list), &r->model->n_dynamic);
	unsigned i = 0;

	_Static_assert(offsetof(struct model_dynamic, peer) == 0, "PEER_KEYS' offsets are the peer's");
	(void)target;
	r->model->dynamic = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next, i++) {
		list[i].peer = peer_default;
		list[i].peer.session.passive = true;
		list[i].max = 16;
		schema_map(r, item, "a range of dynamic peers", keys, ARRAY_LEN(keys), &list[i]);
	}
}

static void
read_aggregates(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "prefix", .parse = scalar_prefix, FIELD(model_aggregate, prefix), .required = true},
		{.name = "only", .parse = scalar_word, FIELD(model_aggregate, both),
		 .words = WORDS({"aggregate", 0}, {"both", 1})},
		PATH_KEYS(model_aggregate, path),
	};
	struct model_aggregate *list = schema_list(r, value, key, sizeof(*list), &r->model->n_aggregates);
	unsigned i = 0;

	(void)target;
	r->model->aggregates = list;
	for (const struct yaml_tree *item = value->first; list && item; item = item->next)
		schema_map(r, item, "an aggregate", keys, ARRAY_LEN(keys), &list[i++]);
}

static void
read_addresses(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct model_listen *listen = target;
	struct addr *found = schema_list(r, value, key, sizeof(*found), &listen->n_addresses);
	char text[ADDR_TEXT_MAX];
	unsigned i = 0;

	for (const struct yaml_tree *item = value->first; found && item; item = item->next, i++) {
		scalar_address(r, item, key, &found[i]);
		for (unsigned k = 0; found[i].family != ADDR_NONE && k < i; k++) {
			if (addr_equal(&found[i], &found[k]))
				reading_fail(r, item, "address %s is there twice", addr_format(&found[i], text));
		}
	}
	for (unsigned k = 0; k < i; k++)
		listen->addresses[k] = found[k];
	free(found);
}

static void
read_listen(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "addresses", .parse = read_addresses, .max = MODEL_LISTEN_MAX},
		{.name = "port", .parse = scalar_integer, FIELD(model_listen, port), .min = 1, .max = UINT16_MAX},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
	((struct model_listen *)target)->enabled = true;
}

static void
read_drain(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "timeout", .parse = scalar_seconds, FIELD(model_drain, timeout_s), .max = 86400},
		PATH_KEYS(model_drain, path),
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

/* What a VIP begins with, wherever the VIPs are in the file. */
static const struct model_damping damping_default = {.flaps = 5, .window_s = 120, .hold_s = 30, .hold_max_s = 1800};

/* The last choice of whoever has another: by RFC 8326's community, and by what a router that knows it not compares. */
static void
drain_default(struct model_drain *drain)
{
	drain->timeout_s = 60;
	drain->path.marks = MODEL_PATH_MED | MODEL_PATH_LOCAL_PREF;
	drain->path.path.med = UINT32_MAX;
}

static void
section_finish(struct reading *r, const struct yaml_tree *section)
{
	const struct yaml_tree *peers = yaml_tree_get(section, "peers"), *dynamic = yaml_tree_get(section, "dynamic");
	struct model *m = r->model;

	for (unsigned i = 0; i < m->n_peers + m->n_dynamic; i++) {
		bool is_peer = i < m->n_peers;
		struct model_peer *peer = is_peer ? &m->peers[i] : &m->dynamic[i - m->n_peers].peer;

		peer->session.router_id = m->router_id;
		if (peer->session.local_as == 0)
			peer->session.local_as = m->as;
		m->listen.enabled |= peer->session.passive;
		finish_peer(r, is_peer ? yaml_tree_item(peers, i) : yaml_tree_item(dynamic, i - m->n_peers), peer);
	}
}

void
schema_bgp_section(struct reading *r, const struct yaml_tree *root)
{
	static const struct schema_key keys[] = {
		{.name = "as", .parse = scalar_integer, FIELD(model, as), .required = true, .min = 1,
		 .max = UINT32_MAX - 1},
		{.name = "router_id", .parse = scalar_router_id, FIELD(model, router_id), .required = true},
		{.name = "peers", .parse = read_peers, .required = true, .max = MODEL_PEERS_MAX},
		{.name = "dynamic", .parse = read_dynamic, .max = MODEL_DYNAMIC_MAX},
		{.name = "listen", .parse = read_listen, FIELD(model, listen)},
		{.name = "path", .parse = schema_path, FIELD(model, path)},
		{.name = "degraded", .parse = schema_degraded, FIELD(model, degraded)},
		{.name = "damping", .parse = schema_damping, FIELD(model, damping)},
		{.name = "drain", .parse = read_drain, FIELD(model, drain)},
		{.name = "aggregates", .parse = read_aggregates, .max = MODEL_AGGREGATES_MAX},
		{.name = "bmp", .parse = schema_bmp, .max = MODEL_COLLECTORS_MAX},
		{.name = "mrt", .parse = schema_mrt},
		{.name = "import", .parse = schema_import},
	};
	const struct yaml_tree *section = yaml_tree_get(root, "bgp");

	r->model->damping = damping_default;
	r->model->listen.port = BGP_PORT;
	drain_default(&r->model->drain);
	schema_import_defaults(r->model);
	if (!section)
		return;
	schema_map(r, section, "bgp", keys, ARRAY_LEN(keys), r->model);
	section_finish(r, section);
}
