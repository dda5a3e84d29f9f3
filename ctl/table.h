/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON results as text for people: a list of objects as an aligned table, an object as lines of key and value. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <jansson.h>
#include <stdio.h>

#include "base/types.h"

enum { TABLE_CELL_MAX = 96 };

/* One column: what stands above it and the member that fills it. Numbers are set to the right, the rest to the left. */
struct table_column {
	const char *title; /* NULL ends a list of columns */
	const char *member;
};

void table_print(FILE *out, const json_t *list, const struct table_column *columns);
/* Nested objects give "outer.inner" keys. */
void table_print_object(FILE *out, const json_t *object);
/* Text of a value: numbers without needless digits, yes and no, "-" for an empty string. */
void table_cell(const json_t *value, char text[static TABLE_CELL_MAX]);

#endif
