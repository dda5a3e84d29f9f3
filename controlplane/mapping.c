/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings by their tables of keys, and lists. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/scalar.h"

enum { SCHEMA_KEYS_MAX = 48, SCHEMA_NEAR = 3 };

/* Levenshtein's distance, of words cut at 31 characters. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[32];
	size_t a_len = strnlen(a, 31), b_len = strnlen(b, 31);

	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

static void
fail_unknown(struct reading *r, const struct yaml_tree *at, const struct schema_key *keys, unsigned n)
{
	const char *nearest = NULL;
	unsigned least = SCHEMA_NEAR + 1;

	for (unsigned i = 0; i < n; i++) {
		unsigned d = distance(at->text, keys[i].name);

		if (d < least) {
			least = d;
			nearest = keys[i].name;
		}
	}
	if (strcmp(at->text, "<<") == 0)
		reading_fail(r, at, "merge keys are not taken");
	else if (nearest)
		reading_fail(r, at, "unknown key %.64s; did you mean %s?", at->text, nearest);
	else
		reading_fail(r, at, "unknown key %.64s", at->text);
}

bool
schema_map(struct reading *r, const struct yaml_tree *map, const char *what, const struct schema_key *keys, unsigned n,
	   void *target)
{
	bool seen[SCHEMA_KEYS_MAX] = {false};

	if (map->kind != YAML_KIND_MAP) {
		reading_fail(r, map, "%s must be a mapping", what);
		return false;
	}
	for (const struct yaml_tree *key = map->first; key && key->next; key = key->next->next) {
		unsigned i = 0;

		if (key->kind != YAML_KIND_SCALAR) {
			reading_fail(r, key, "a key must be a word");
			continue;
		}
		while (i < n && strcmp(keys[i].name, key->text) != 0)
			i++;
		if (i == n)
			fail_unknown(r, key, keys, n);
		else if (seen[i])
			reading_fail(r, key, "key %s is there twice", key->text);
		else
			keys[i].parse(r, key->next, &keys[i], (char *)target + keys[i].offset);
		if (i < n)
			seen[i] = true;
	}
	for (unsigned i = 0; i < n; i++) {
		if (keys[i].required && !seen[i])
			reading_fail(r, map, "%s lacks the key %s", what, keys[i].name);
	}
	return true;
}

void *
schema_list(struct reading *r, const struct yaml_tree *list, const struct schema_key *key, size_t size, unsigned *n)
{
	void *items;

	if (list->kind != YAML_KIND_LIST) {
		reading_fail(r, list, "%s must be a list", key->name);
		return NULL;
	}
	if (list->n > key->max) {
		reading_fail(r, list, "%s has %u entries, above %llu", key->name, list->n,
			     (unsigned long long)key->max);
		return NULL;
	}
	if (list->n == 0)
		return NULL;
	items = calloc(list->n, size);
	if (!items) {
		r->no_memory = true;
		return NULL;
	}
	*n = list->n;
	return items;
}

void
schema_reference(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	(void)target;
	scalar_text(r, value, key->name, "a name");
}
