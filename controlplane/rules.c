/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/rules_pattern.h"
#include "controlplane/scalar.h"

/* What the key's field is in struct rule: the ports and how many there are of them. */
struct port_list {
	struct abi_signature_ports *ports;
	uint8_t *n;
};

static bool
read_range(struct reading *r, const struct yaml_tree *value, const struct schema_key *key,
	   struct abi_signature_ports *out)
{
	unsigned before = r->errors->n;
	uint16_t range[2] = {0, 0};

	scalar_port_range(r, value, key, range);
	*out = (struct abi_signature_ports){.first = range[0], .last = range[1]};
	return r->errors->n == before;
}

static void
read_port_list(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, struct port_list list)
{
	struct abi_signature_ports ports[ABI_SIGNATURE_PORTS_MAX];
	bool is_list = value->kind == YAML_KIND_LIST;
	unsigned n = 0;

	if (is_list && value->n == 0) {
		reading_fail(r, value, "%s is an empty list: leave it out, or write any", key->name);
		return;
	}
	if (is_list && value->n > ABI_SIGNATURE_PORTS_MAX) {
		reading_fail(r, value, "%s has %u entries, above %u", key->name, value->n, ABI_SIGNATURE_PORTS_MAX);
		return;
	}
	for (const struct yaml_tree *item = is_list ? value->first : value; item; item = is_list ? item->next : NULL) {
		if (!read_range(r, item, key, &ports[n++]))
			return;
	}
	memcpy(list.ports, ports, n * sizeof(*ports));
	*list.n = (uint8_t)n;
}

static void
read_source_ports(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct rule *rule = target;

	read_port_list(r, value, key, (struct port_list){rule->signature.src, &rule->signature.n_src});
}

static void
read_destination_ports(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct rule *rule = target;

	read_port_list(r, value, key, (struct port_list){rule->signature.dst, &rule->signature.n_dst});
}

static void
read_flags(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "letters of i and m");
	uint8_t flags = 0;

	if (!text)
		return;
	for (const char *c = text; *c; c++) {
		if (*c == 'i') {
			flags |= ABI_SIGNATURE_CASELESS;
		} else if (*c == 'm') {
			flags |= ABI_SIGNATURE_MULTILINE;
		} else {
			reading_fail(r, value, "flags %.64s may hold i and m only", text);
			return;
		}
	}
	*(uint8_t *)target = flags;
}

#define SIGNATURE(member)                                                                                              \
	.offset = offsetof(struct rule, signature.member), .size = sizeof(((struct rule *)0)->signature.member)

static const struct schema_key rule_keys[] = {
	{.name = "name", .parse = scalar_name, SIGNATURE(name), .required = true},
	{.name = "protocol",
	 .parse = scalar_word,
	 SIGNATURE(protocol),
	 .words = WORDS({"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"any", 0})},
	{.name = "source_port", .parse = read_source_ports},
	{.name = "destination_port", .parse = read_destination_ports},
	{.name = "pattern", .parse = scalar_string, SIGNATURE(pattern), .required = true},
	{.name = "flags", .parse = read_flags, SIGNATURE(flags)},
	{.name = "action",
	 .parse = scalar_word,
	 SIGNATURE(action),
	 .required = true,
	 .words = WORDS({"drop", ABI_SIGNATURE_DROP}, {"limit", ABI_SIGNATURE_LIMIT}, {"count", ABI_SIGNATURE_COUNT},
			{"sample", ABI_SIGNATURE_SAMPLE})},
	{.name = "source", .parse = scalar_string, FIELD(rule, source)},
};

/* What only the whole rule shows; its keys have been taken. */
static void
check_pattern(struct reading *r, const struct yaml_tree *item, const struct rule *rule)
{
	const struct yaml_tree *at = yaml_tree_get(item, "pattern");
	const char *fault = abi_signature_fault(&rule->signature);
	char text[RULES_PATTERN_TEXT];

	if (fault) {
		reading_fail(r, at, "rule %s has %s", rule->signature.name, fault);
		return;
	}
	switch (rules_pattern_check(&rule->signature, text)) {
	case 0:
		break;
	case -ENOMEM:
		r->no_memory = true;
		break;
	default:
		reading_fail(r, at, "pattern %s", text);
		break;
	}
}

static void
read_rule(struct reading *r, const struct yaml_tree *item, struct rules *rules, unsigned index)
{
	struct rule *rule = &rules->list[index];
	unsigned before = r->errors->n;
	int twin;

	rule->line = item->line;
	rule->column = item->column;
	schema_map(r, item, "a rule", rule_keys, ARRAY_LEN(rule_keys), rule);
	/* Earlier rules only: index is not counted in yet. */
	twin = rule->signature.name[0] ? rules_lookup(rules, rule->signature.name) : -1;
	if (twin >= 0)
		reading_fail(r, yaml_tree_get(item, "name"), "rule %s is there twice, first in line %u",
			     rule->signature.name, rules->list[twin].line);
	if (r->errors->n == before)
		check_pattern(r, item, rule);
}

static void
read_rules(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	struct rules *rules = target;
	unsigned n = 0;

	rules->list = schema_list(r, value, key, sizeof(*rules->list), &n);
	for (const struct yaml_tree *item = value->first; rules->list && item; item = item->next) {
		read_rule(r, item, rules, rules->n);
		rules->n++;
	}
}

static void
read_file(struct reading *r, const struct yaml_tree *root, struct rules *rules)
{
	static const struct schema_key keys[] = {
		{.name = "rules", .parse = read_rules, .required = true, .max = ABI_SIGNATURES_MAX},
	};

	schema_map(r, root, "the file", keys, ARRAY_LEN(keys), rules);
}

int
rules_parse(const char *name, const char *text, size_t len, struct rules **out, struct config_errors *errors)
{
	struct reading r = {.name = name, .errors = errors};
	struct rules *rules = calloc(1, sizeof(*rules));
	struct yaml_fault fault = {0};
	struct yaml_tree *root = NULL;
	int err;

	*errors = (struct config_errors){0};
	if (!rules)
		return -ENOMEM;
	err = yaml_tree_load(text, len, &root, &fault);
	if (err == -EINVAL)
		reading_fail(&r, &(struct yaml_tree){.line = fault.line, .column = fault.column}, "%s", fault.text);
	if (err == 0) {
		read_file(&r, root, rules);
		yaml_tree_free(root);
		if (errors->n > 0)
			err = -EINVAL;
		else if (r.no_memory)
			err = -ENOMEM;
	}
	if (err != 0) {
		rules_free(rules);
		return err;
	}
	*out = rules;
	return 0;
}

int
rules_load(const char *path, struct rules **out, struct config_errors *errors)
{
	struct reading r = {.name = path, .errors = errors};
	FILE *file = fopen(path, "re");
	char *text = malloc(YAML_TEXT_MAX + 1);
	int err = file && text ? 0 : -ENOMEM;
	size_t len;

	*errors = (struct config_errors){0};
	if (!file) {
		reading_fail(&r, NULL, "%s", strerror(errno));
		free(text);
		return -EINVAL;
	}
	if (!err) {
		len = fread(text, 1, YAML_TEXT_MAX + 1, file);
		err = rules_parse(path, text, len, out, errors);
	}
	free(text);
	fclose(file);
	return err;
}

void
rules_free(struct rules *rules)
{
	if (!rules)
		return;
	free(rules->list);
	free(rules);
}

int
rules_lookup(const struct rules *rules, const char *name)
{
	for (unsigned i = 0; i < rules->n; i++) {
		if (strcmp(rules->list[i].signature.name, name) == 0)
			return (int)i;
	}
	return -1;
}
