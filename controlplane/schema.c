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
read_node(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model, node_name), .required = true},
		{.name = "dataplane", .parse = scalar_string, FIELD(model, dataplane_socket)},
		{.name = "control", .parse = scalar_string, FIELD(model, control_socket)},
		{.name = "http", .parse = scalar_listen, FIELD(model, http_listen)},
		{.name = "source", .parse = schema_families, FIELD(model, source_v4)},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
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

/* Read already: a service (a VIP) begins with what guard's (bgp's) section says, wherever the section is. */
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
		{.name = "bgp", .parse = pass_over},
		{.name = "guard", .parse = pass_over},
		{.name = "vips", .parse = schema_vips, .required = true, .max = ABI_VIPS_MAX},
		{.name = "pools", .parse = schema_pools, .required = true, .max = ABI_POOLS_MAX},
		{.name = "services", .parse = read_services, .required = true, .max = ABI_SERVICES_MAX},
	};
	struct model *model = r->model;

	memcpy(model->dataplane_socket, ABI_DATAPLANE_SOCKET, sizeof(ABI_DATAPLANE_SOCKET));
	memcpy(model->control_socket, CONTROL_SOCKET_DEFAULT, sizeof(CONTROL_SOCKET_DEFAULT));
	schema_guard_section(r, root);
	schema_bgp_section(r, root);
	schema_map(r, root, "the file", keys, ARRAY_LEN(keys), model);
}
