/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/table.h"

#include <string.h>

enum { COLUMNS_MAX = 32 };

/* Text that came from afar (a server's answer, an address that lies): no terminal escapes, no half characters. */
static void
clean(char text[static TABLE_CELL_MAX])
{
	size_t len = strlen(text), start = len;

	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	if (len < TABLE_CELL_MAX - 1)
		return;
	/* Cut at the end: the last character may have lost a part. */
	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0)
		text[start - 1] = '\0';
}

/* Characters of UTF-8, each taken for one column wide. */
static size_t
width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* The members of a small object: "http4 12, dns4 3". */
static void
object_cell(const json_t *object, char text[static TABLE_CELL_MAX])
{
	size_t len = 0;
	const char *key;
	json_t *value;

	snprintf(text, TABLE_CELL_MAX, "-");
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (len < TABLE_CELL_MAX)
			len += (size_t)snprintf(text + len, TABLE_CELL_MAX - len, "%s%s %lld", len ? ", " : "", key,
						(long long)json_integer_value(value));
	}
}

/* Words of a list, "65010:1, no-export". */
static void
array_cell(const json_t *array, char text[static TABLE_CELL_MAX])
{
	size_t len = 0, i;
	json_t *value;

	snprintf(text, TABLE_CELL_MAX, "-");
	json_array_foreach(array, i, value)
	{
		const char *word = json_string_value(value);

		if (len < TABLE_CELL_MAX && word)
			len += (size_t)snprintf(text + len, TABLE_CELL_MAX - len, "%s%s", len ? ", " : "", word);
	}
}

void
table_cell(const json_t *value, char text[static TABLE_CELL_MAX])
{
	if (json_is_boolean(value))
		snprintf(text, TABLE_CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_integer(value))
		snprintf(text, TABLE_CELL_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, TABLE_CELL_MAX, "%.1f", json_real_value(value));
	else if (json_is_string(value) && json_string_length(value) > 0)
		snprintf(text, TABLE_CELL_MAX, "%s", json_string_value(value));
	else if (json_is_object(value))
		object_cell(value, text);
	else if (json_is_array(value))
		array_cell(value, text);
	else
		snprintf(text, TABLE_CELL_MAX, "-");
	clean(text);
}

static void
print_cell(FILE *out, const char *text, size_t width, bool is_right, bool is_last)
{
	size_t own = width_of(text);
	int pad = (int)(own < width ? width - own : 0);

	if (is_right)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, is_last ? 0 : pad, "");
	fputs(is_last ? "\n" : "  ", out);
}

static size_t
column_width(const json_t *list, const struct table_column *column)
{
	size_t width = strlen(column->title), index;
	char text[TABLE_CELL_MAX];
	json_t *row;

	json_array_foreach(list, index, row)
	{
		table_cell(json_object_get(row, column->member), text);
		if (width_of(text) > width)
			width = width_of(text);
	}
	return width;
}

void
table_print(FILE *out, const json_t *list, const struct table_column *columns)
{
	size_t widths[COLUMNS_MAX], index;
	char text[TABLE_CELL_MAX];
	unsigned n = 0;
	json_t *row;

	if (json_array_size(list) == 0) {
		fputs("none\n", out);
		return;
	}
	for (; n < COLUMNS_MAX && columns[n].title; n++)
		widths[n] = column_width(list, &columns[n]);
	for (unsigned i = 0; i < n; i++)
		print_cell(out, columns[i].title, widths[i],
			   json_is_number(json_object_get(json_array_get(list, 0), columns[i].member)), i == n - 1);
	json_array_foreach(list, index, row)
	{
		for (unsigned i = 0; i < n; i++) {
			const json_t *value = json_object_get(row, columns[i].member);

			table_cell(value, text);
			print_cell(out, text, widths[i], json_is_number(value), i == n - 1);
		}
	}
}

static void
print_members(FILE *out, const json_t *object, const char *outer)
{
	char text[TABLE_CELL_MAX], name[TABLE_CELL_MAX];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		snprintf(name, sizeof(name), "%s%s%s", outer, *outer ? "." : "", key);
		if (json_is_object(value)) {
			print_members(out, value, name);
			continue;
		}
		table_cell(value, text);
		fprintf(out, "%-22s  %s\n", name, text);
	}
}

void
table_print_object(FILE *out, const json_t *object)
{
	print_members(out, object, "");
}
