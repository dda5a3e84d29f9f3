/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

struct loading {
	struct yaml_tree *stack[YAML_DEPTH_MAX];
	unsigned depth;
	struct yaml_tree *root;
	unsigned documents;
	struct yaml_fault *fault;
};

static int
fault_at(struct yaml_fault *fault, yaml_mark_t mark, const char *text)
{
	fault->line = (unsigned)mark.line + 1;
	fault->column = (unsigned)mark.column + 1;
	snprintf(fault->text, sizeof(fault->text), "%s", text);
	return -EINVAL;
}

/* What makes a node mean other than it reads. */
static int
refuse_properties(struct loading *l, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		return fault_at(l->fault, event->start_mark, "anchors are not taken");
	if (tag)
		return fault_at(l->fault, event->start_mark, "tags are not taken");
	return 0;
}

static int
add(struct loading *l, const yaml_event_t *event, enum yaml_kind kind, struct yaml_tree **out)
{
	struct yaml_tree *tree = calloc(1, sizeof(*tree));
	struct yaml_tree *parent = l->depth > 0 ? l->stack[l->depth - 1] : NULL;

	if (!tree)
		return -ENOMEM;
	tree->kind = kind;
	tree->line = (unsigned)event->start_mark.line + 1;
	tree->column = (unsigned)event->start_mark.column + 1;
	if (!parent) {
		l->root = tree;
	} else {
		if (parent->last)
			parent->last->next = tree;
		else
			parent->first = tree;
		parent->last = tree;
		parent->n++;
	}
	*out = tree;
	return 0;
}

static int
enter(struct loading *l, const yaml_event_t *event, enum yaml_kind kind)
{
	struct yaml_tree *tree;
	int err;

	if (l->depth == YAML_DEPTH_MAX)
		return fault_at(l->fault, event->start_mark, "nested too deeply");
	err = add(l, event, kind, &tree);
	if (err == 0)
		l->stack[l->depth++] = tree;
	return err;
}

static int
add_scalar(struct loading *l, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	struct yaml_tree *tree;
	int err = refuse_properties(l, event, event->data.scalar.anchor, event->data.scalar.tag);

	if (err != 0)
		return err;
	if (memchr(value, '\0', event->data.scalar.length))
		return fault_at(l->fault, event->start_mark, "a NUL character is not taken");
	err = add(l, event, YAML_KIND_SCALAR, &tree);
	if (err != 0)
		return err;
	tree->text = strdup(value);
	return tree->text ? 0 : -ENOMEM;
}

static int
take(struct loading *l, const yaml_event_t *event)
{
	int err;

	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return l->documents++ == 0 ? 0 : fault_at(l->fault, event->start_mark, "a second document");
	case YAML_ALIAS_EVENT:
		return fault_at(l->fault, event->start_mark, "aliases are not taken");
	case YAML_SCALAR_EVENT:
		return add_scalar(l, event);
	case YAML_SEQUENCE_START_EVENT:
		err = refuse_properties(l, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
		return err != 0 ? err : enter(l, event, YAML_KIND_LIST);
	case YAML_MAPPING_START_EVENT:
		err = refuse_properties(l, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
		return err != 0 ? err : enter(l, event, YAML_KIND_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		l->depth--;
		return 0;
	default:
		return 0;
	}
}

static int
take_all(struct loading *l, yaml_parser_t *parser)
{
	bool done = false;
	int err = 0;

	while (!done && err == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(parser, &event)) {
			if (parser->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			return fault_at(l->fault, parser->problem_mark, parser->problem ? parser->problem : "not YAML");
		}
		done = event.type == YAML_STREAM_END_EVENT;
		err = take(l, &event);
		yaml_event_delete(&event);
	}
	return err;
}

int
yaml_tree_load(const char *text, size_t len, struct yaml_tree **root, struct yaml_fault *fault)
{
	struct loading l = {.fault = fault};
	yaml_parser_t parser;
	int err;

	if (len > YAML_TEXT_MAX)
		return fault_at(fault, (yaml_mark_t){0}, "the file is above 4 MiB");
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	err = take_all(&l, &parser);
	yaml_parser_delete(&parser);
	if (err == 0 && !l.root)
		err = fault_at(fault, (yaml_mark_t){0}, "the file is empty");
	if (err != 0) {
		yaml_tree_free(l.root);
		return err;
	}
	*root = l.root;
	return 0;
}

/* Recursion ends: take() lets no tree be deeper than YAML_DEPTH_MAX. */
void
yaml_tree_free(struct yaml_tree *tree)
{
	if (!tree)
		return;
	for (struct yaml_tree *child = tree->first, *next; child; child = next) {
		next = child->next;
		yaml_tree_free(child);
	}
	free(tree->text);
	free(tree);
}

const struct yaml_tree *
yaml_tree_get(const struct yaml_tree *map, const char *key)
{
	if (!map || map->kind != YAML_KIND_MAP)
		return NULL;
	for (const struct yaml_tree *k = map->first; k && k->next; k = k->next->next) {
		if (k->kind == YAML_KIND_SCALAR && strcmp(k->text, key) == 0)
			return k->next;
	}
	return NULL;
}

const struct yaml_tree *
yaml_tree_item(const struct yaml_tree *list, unsigned index)
{
	const struct yaml_tree *item = list && list->kind == YAML_KIND_LIST ? list->first : NULL;

	while (item && index-- > 0)
		item = item->next;
	return item;
}
