/* SPDX-License-Identifier: BSD-2-Clause */
/* The pools' part of the file's shape. */
#include <stdlib.h>
#include <string.h>

#include "abi/layout.h"
#include "base/flowhash.h"
#include "controlplane/scalar.h"

#define ENCAPSULATIONS \
	WORDS({"l2", ABI_ENCAP_L2}, {"ipip", ABI_ENCAP_IPIP}, {"gue", ABI_ENCAP_GUE}, {"gre", ABI_ENCAP_GRE})

static void
read_dscp(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "copy or a number");
	struct model_pool *pool = target;
	uint64_t number;

	if (!text)
		return;
	if (strcmp(text, "copy") == 0) {
		pool->dscp_mode = ABI_DSCP_COPY;
	} else if (scalar_number(text, &number) && number <= 63) {
		pool->dscp_mode = ABI_DSCP_FIXED;
		pool->dscp = (uint8_t)number;
	} else {
		reading_fail(r, value, "%s %.64s is neither copy nor 0 to 63", key->name, text);
	}
}

static void
read_encapsulation(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "kind", .parse = scalar_word, FIELD(model_pool, encap), .required = true,
		 .words = ENCAPSULATIONS},
		{.name = "port", .parse = scalar_integer, FIELD(model_pool, gue_port), .min = 1, .max = UINT16_MAX},
		{.name = "checksum", .parse = scalar_bool, FIELD(model_pool, gue_checksum)},
		{.name = "dscp", .parse = read_dscp},
		{.name = "vary_source", .parse = scalar_integer, FIELD(model_pool, source_vary_bits), .max = 16},
	};
	const struct schema_key word = {.name = key->name, FIELD(model_pool, encap), .words = ENCAPSULATIONS};
	struct model_pool *pool = target;

	if (value->kind == YAML_KIND_MAP)
		schema_map(r, value, key->name, keys, ARRAY_LEN(keys), pool);
	else
		scalar_word(r, value, &word, &pool->encap);
}

static void
read_hold_down(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "flaps", .parse = scalar_integer, FIELD(model_health, hold_flaps), .max = UINT8_MAX},
		{.name = "within", .parse = scalar_seconds, FIELD(model_health, hold_window_s), .min = 1, .max = 86400},
		{.name = "for", .parse = scalar_seconds, FIELD(model_health, hold_s), .min = 1, .max = 86400},
	};

	schema_map(r, value, key->name, keys, ARRAY_LEN(keys), target);
}

enum { KIND_HTTP = 1 << MODEL_CHECK_HTTP | 1 << MODEL_CHECK_HTTPS, KIND_DNS = 1 << MODEL_CHECK_DNS };

/* What a check's kind has to do with its other keys. */
static void
finish_check(struct reading *r, const struct yaml_tree *item, struct model_check *check)
{
	static const uint16_t ports[] = {[MODEL_CHECK_TCP] = 0, [MODEL_CHECK_HTTP] = 80, [MODEL_CHECK_HTTPS] = 443,
					 [MODEL_CHECK_DNS] = 53, [MODEL_CHECK_ICMP] = 0};
	static const struct {
		const char *key;
		unsigned kinds;
	} only[] = {{"path", KIND_HTTP}, {"host", KIND_HTTP}, {"status", KIND_HTTP}, {"match", KIND_HTTP},
		    {"verify", 1 << MODEL_CHECK_HTTPS}, {"query", KIND_DNS}, {"type", KIND_DNS}, {"rcode", KIND_DNS},
		    {"port", ~(1u << MODEL_CHECK_ICMP)}};
	const struct yaml_tree *kind = yaml_tree_get(item, "kind");

	if (!kind || kind->kind != YAML_KIND_SCALAR)
		return; /* said already */
	for (unsigned i = 0; i < ARRAY_LEN(only); i++) {
		const struct yaml_tree *value = yaml_tree_get(item, only[i].key);

		if (value && !(only[i].kinds & 1u << check->kind))
			reading_fail(r, value, "%s has no meaning for a check of kind %.64s", only[i].key, kind->text);
	}
	if (!yaml_tree_get(item, "port"))
		check->port = ports[check->kind];
	if (check->kind == MODEL_CHECK_TCP && !yaml_tree_get(item, "port"))
		reading_fail(r, item, "a check of kind tcp lacks the key port");
	if (check->kind == MODEL_CHECK_DNS && !yaml_tree_get(item, "query"))
		reading_fail(r, item, "a check of kind dns lacks the key query");
	if (check->path[0] != '/' || strchr(check->path, ' '))
		reading_fail(r, yaml_tree_get(item, "path"), "path %.64s must begin with / and hold no space",
			     check->path);
	if (strchr(check->host, ' '))
		reading_fail(r, yaml_tree_get(item, "host"), "host %.64s holds a space", check->host);
}

static void
read_checks(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "kind", .parse = scalar_word, FIELD(model_check, kind), .required = true,
		 .words = WORDS({"tcp", MODEL_CHECK_TCP}, {"http", MODEL_CHECK_HTTP}, {"https", MODEL_CHECK_HTTPS},
				{"dns", MODEL_CHECK_DNS}, {"icmp", MODEL_CHECK_ICMP})},
		{.name = "port", .parse = scalar_integer, FIELD(model_check, port), .min = 1, .max = UINT16_MAX},
		{.name = "path", .parse = scalar_string, FIELD(model_check, path)},
		{.name = "host", .parse = scalar_string, FIELD(model_check, host)},
		{.name = "status", .parse = scalar_status, FIELD(model_check, status_min)},
		{.name = "match", .parse = scalar_string, FIELD(model_check, match)},
		{.name = "verify", .parse = scalar_bool, FIELD(model_check, tls_verify)},
		{.name = "query", .parse = scalar_string, FIELD(model_check, query)},
		{.name = "type", .parse = scalar_word, FIELD(model_check, query_type),
		 .words = WORDS({"A", 1}, {"NS", 2}, {"CNAME", 5}, {"SOA", 6}, {"PTR", 12}, {"MX", 15}, {"TXT", 16},
				{"AAAA", 28}, {"SRV", 33})},
		{.name = "rcode", .parse = scalar_word, FIELD(model_check, rcode),
		 .words = WORDS({"NOERROR", 0}, {"FORMERR", 1}, {"SERVFAIL", 2}, {"NXDOMAIN", 3}, {"NOTIMP", 4},
				{"REFUSED", 5})},
	};
	struct model_health *health = target;

	if (value->kind != YAML_KIND_LIST || value->n > MODEL_CHECKS_MAX) {
		reading_fail(r, value, "%s must be a list of at most %d checks", key->name, MODEL_CHECKS_MAX);
		return;
	}
	for (const struct yaml_tree *item = value->first; item; item = item->next) {
		struct model_check *check = &health->checks[health->n_checks++];

		check->path[0] = '/';
		check->status_min = 200;
		check->status_max = 299;
		check->query_type = 1;
		if (schema_map(r, item, "a check", keys, ARRAY_LEN(keys), check))
			finish_check(r, item, check);
	}
}

static void
read_health(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "interval", .parse = scalar_ms, FIELD(model_health, interval_ms), .min = 100, .max = 3600000},
		{.name = "timeout", .parse = scalar_ms, FIELD(model_health, timeout_ms), .min = 10, .max = 3600000},
		{.name = "rise", .parse = scalar_integer, FIELD(model_health, rise), .min = 1, .max = 100},
		{.name = "fall", .parse = scalar_integer, FIELD(model_health, fall), .min = 1, .max = 100},
		{.name = "jitter", .parse = scalar_percent, FIELD(model_health, jitter_percent), .max = 50},
		{.name = "hold_down", .parse = read_hold_down},
		{.name = "checks", .parse = read_checks},
	};
	struct model_health *health = target;
	unsigned before = r->errors->n;

	if (!schema_map(r, value, key->name, keys, ARRAY_LEN(keys), health) || r->errors->n > before)
		return;
	if (health->timeout_ms > health->interval_ms) {
		const struct yaml_tree *at = yaml_tree_get(value, "timeout");

		reading_fail(r, at ? at : yaml_tree_get(value, "interval"), "timeout %ums is above the interval %ums",
			     health->timeout_ms, health->interval_ms);
	}
}

static void
read_backends(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_backend, name), .required = true},
		{.name = "address", .parse = scalar_address, FIELD(model_backend, addr), .required = true},
		{.name = "weight", .parse = scalar_integer, FIELD(model_backend, weight), .max = MODEL_WEIGHT_MAX},
	};
	struct model_pool *pool = target;
	unsigned i = 0;

	pool->backends = schema_list(r, value, key, sizeof(*pool->backends), &pool->n_backends);
	for (const struct yaml_tree *item = value->first; pool->backends && item; item = item->next, i++) {
		pool->backends[i].weight = 100;
		schema_map(r, item, "a backend", keys, ARRAY_LEN(keys), &pool->backends[i]);
	}
}

static const struct model_pool defaults = {
	.hash = MODEL_HASH_STABLE,
	.window_s = 60,
	.idle_s = 300,
	.encap = ABI_ENCAP_IPIP,
	.gue_port = 6080,
	.dscp_mode = ABI_DSCP_COPY,
	.min_healthy = 1,
	.health = {.interval_ms = 2000, .timeout_ms = 1000, .rise = 2, .fall = 3, .jitter_percent = 10, .hold_flaps = 5,
		   .hold_window_s = 60, .hold_s = 30},
};

void
schema_pools(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const struct schema_key keys[] = {
		{.name = "name", .parse = scalar_name, FIELD(model_pool, name), .required = true},
		{.name = "hash", .parse = scalar_word, FIELD(model_pool, hash),
		 .words = WORDS({"stable", MODEL_HASH_STABLE}, {"maglev", MODEL_HASH_MAGLEV})},
		{.name = "seed", .parse = scalar_integer, FIELD(model_pool, seed), .max = UINT64_MAX},
		{.name = "window", .parse = scalar_seconds, FIELD(model_pool, window_s), .min = 1, .max = 3600},
		{.name = "idle", .parse = scalar_seconds, FIELD(model_pool, idle_s), .min = 1, .max = 36000},
		{.name = "encapsulation", .parse = read_encapsulation},
		{.name = "min_healthy", .parse = scalar_integer, FIELD(model_pool, min_healthy), .min = 1,
		 .max = ABI_BACKENDS_MAX},
		{.name = "min_weight", .parse = scalar_percent, FIELD(model_pool, min_weight_percent), .max = 100},
		{.name = "fail_open", .parse = scalar_bool, FIELD(model_pool, fail_open)},
		{.name = "health", .parse = read_health, FIELD(model_pool, health)},
		{.name = "backends", .parse = read_backends, .required = true, .max = ABI_BACKENDS_MAX},
	};
	struct model_pool *pools = schema_list(r, value, key, sizeof(*pools), &r->model->n_pools);
	unsigned i = 0;

	(void)target;
	r->model->pools = pools;
	for (const struct yaml_tree *item = value->first; pools && item; item = item->next, i++) {
		pools[i] = defaults;
		schema_map(r, item, "a pool", keys, ARRAY_LEN(keys), &pools[i]);
		if (!yaml_tree_get(item, "seed"))
			pools[i].seed = flowhash_bytes(0, pools[i].name, strlen(pools[i].name));
	}
}
