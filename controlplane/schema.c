/* SPDX-License-Identifier: BSD-2-Clause */
/* The file's shape as tables: which keys there are, what they take, where it goes, and what holds without them. */
#include "abi/control.h"
#include "controlplane/schema.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "abi/layout.h"
#include "base/flowhash.h"
#include "controlplane/scalar.h"

static void
read_families(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	/* Both users have the IPv4 address right in front of the IPv6 one. */
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
read_node(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model, node_name), .required = true},
		{.name = "dataplane", .parse = scalar_string, FIELD(model, dataplane_socket)},
		{.name = "control", .parse = scalar_string, FIELD(model, control_socket)},
		{.name = "http", .parse = scalar_listen, FIELD(model, http_listen)},
		{.name = "source", .parse = read_families, FIELD(model, source_v4)},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

struct bgp_section {
	uint32_t as;
	uint32_t router_id;
};

static void
read_peers(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(bgp_config, name), .required = true},
		{.name = "address", .parse = scalar_address, FIELD(bgp_config, peer), .required = true},
		{.name = "as", .parse = scalar_integer, FIELD(bgp_config, peer_as), .required = true, .min = 1,
		 .max = UINT32_MAX - 1},
		{.name = "local_as", .parse = scalar_integer, FIELD(bgp_config, local_as), .min = 1,
		 .max = UINT32_MAX - 1},
		{.name = "local", .parse = scalar_address, FIELD(bgp_config, local)},
		{.name = "port", .parse = scalar_integer, FIELD(bgp_config, port), .min = 1, .max = UINT16_MAX},
		{.name = "hold", .parse = scalar_seconds, FIELD(bgp_config, hold_s), .max = UINT16_MAX},
		{.name = "reconnect", .parse = scalar_seconds, FIELD(bgp_config, reconnect_s), .min = 1, .max = 3600},
		/* RFC 4724 3: the restart time has 12 bits. */
		{.name = "graceful_restart", .parse = scalar_seconds, FIELD(bgp_config, graceful_restart_s),
		 .max = 4095},
		{.name = "next_hop", .parse = read_families, FIELD(bgp_config, next_hop_v4)},
	};
	struct bgp_config *peers = schema_list(r, value, key, sizeof(*peers), &r->model->n_peers);
	unsigned i = 0;

	(void)target;
	r->model->peers = peers;
	for (const struct yaml_tree *item = value->first; peers && item; item = item->next, i++) {
		peers[i].hold_s = 9;
		peers[i].reconnect_s = 5;
		peers[i].role = BGP_ROLE_NONE;
		schema_map(r, item, "a peer", keys, ARRAY_LEN(keys), &peers[i]);
		/* RFC 4271 4.2: a hold time of one or two seconds is unacceptable. */
		if (peers[i].hold_s == 1 || peers[i].hold_s == 2)
			reading_fail(r, yaml_tree_get(item, "hold"), "hold %us must be 0s or at least 3s",
				     peers[i].hold_s);
	}
}

static void
read_bgp(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "as", .parse = scalar_integer, FIELD(bgp_section, as), .required = true, .min = 1,
		 .max = UINT32_MAX - 1},
		{.name = "router_id", .parse = scalar_router_id, FIELD(bgp_section, router_id), .required = true},
		{.name = "peers", .parse = read_peers, .required = true, .max = 64},
		{.name = "bmp", .parse = schema_bmp, .max = MODEL_COLLECTORS_MAX},
		{.name = "mrt", .parse = schema_mrt},
	};
	struct bgp_section section = {0};
	struct model *model = r->model;

	(void)target;
	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), &section);
	for (unsigned i = 0; i < model->n_peers; i++) {
		model->peers[i].router_id = section.router_id;
		if (model->peers[i].local_as == 0)
			model->peers[i].local_as = section.as;
	}
}

static void
read_vips(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_vip, name), .required = true},
		{.name = "prefix", .parse = scalar_prefix, FIELD(model_vip, prefix), .required = true},
		{.name = "unmatched", .parse = scalar_word, FIELD(model_vip, refuse),
		 .words = WORDS({"drop", 0}, {"refuse", 1})},
		{.name = "announce", .parse = scalar_word, FIELD(model_vip, announce),
		 .words = WORDS({"all", MODEL_ANNOUNCE_ALL}, {"any", MODEL_ANNOUNCE_ANY},
				{"always", MODEL_ANNOUNCE_ALWAYS},
				{"never", MODEL_ANNOUNCE_NEVER})},
	};
	struct model_vip *vips = schema_list(r, value, key, sizeof(*vips), &r->model->n_vips);
	unsigned i = 0;

	(void)target;
	r->model->vips = vips;
	for (const struct yaml_tree *item = value->first; vips && item; item = item->next)
		schema_map(r, item, "a vip", keys, ARRAY_LEN(keys), &vips[i++]);
}

static void
read_services(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	/* vip and pool are names: config_check() looks them up, when all are read. */
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_service, name), .required = true},
		{.name = "vip", .parse = schema_reference, .required = true},
		{.name = "pool", .parse = schema_reference, .required = true},
		{.name = "protocol", .parse = scalar_word, FIELD(model_service, protocol),
		 .words = WORDS({"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"any", 0})},
		{.name = "port", .parse = scalar_port_range, FIELD(model_service, port_first)},
		{.name = "affinity", .parse = scalar_word, FIELD(model_service, affinity),
		 .words = WORDS({"flow", ABI_AFFINITY_FLOW}, {"tracked", ABI_AFFINITY_TRACKED},
				{"none", ABI_AFFINITY_NONE})},
		{.name = "hash_on", .parse = scalar_word, FIELD(model_service, hash_on),
		 .words = WORDS({"flow", ABI_HASH_FLOW}, {"source", ABI_HASH_SOURCE})},
		{.name = "guard", .parse = schema_guard, FIELD(model_service, guard)},
	};
	struct model_service *services = schema_list(r, value, key, sizeof(*services), &r->model->n_services);
	unsigned i = 0;

	(void)target;
	r->model->services = services;
	for (const struct yaml_tree *item = value->first; services && item; item = item->next, i++) {
		unsigned before = r->errors->n;

		services[i].port_last = UINT16_MAX;
		services[i].guard = r->model->guard;
		schema_map(r, item, "a service", keys, ARRAY_LEN(keys), &services[i]);
		/* What it would take is unknown: an empty range overlaps nothing. */
		if (r->errors->n > before) {
			services[i].port_first = 1;
			services[i].port_last = 0;
		}
	}
}

/* Read already: a service begins with what its section says, wherever the section is. */
static void
pass_over(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	(void)r, (void)value, (void)key, (void)target;
}

void
schema_read(struct reading *r, const struct yaml_tree *root)
{
	static const struct schema_key keys[] = {
		{.name = "node", .parse = read_node, .required = true},
		{.name = "bgp", .parse = read_bgp},
		{.name = "guard", .parse = pass_over},
		{.name = "vips", .parse = read_vips, .required = true, .max = ABI_VIPS_MAX},
		{.name = "pools", .parse = schema_pools, .required = true, .max = ABI_POOLS_MAX},
		{.name = "services", .parse = read_services, .required = true, .max = ABI_SERVICES_MAX},
	};
	struct model *model = r->model;

	memcpy(model->dataplane_socket, ABI_DATAPLANE_SOCKET, sizeof(ABI_DATAPLANE_SOCKET));
	memcpy(model->control_socket, CONTROL_SOCKET_DEFAULT, sizeof(CONTROL_SOCKET_DEFAULT));
	schema_guard_section(r, root);
	schema_map(r, root, "the file", keys, ARRAY_LEN(keys), model);
}
