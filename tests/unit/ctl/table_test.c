/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/table.h"

static const struct table_column columns[] = {{"NAME", "name"}, {"N", "n"}, {"WHY", "why"}, {0}};

static char *
print(const char *json, bool is_list)
{
	json_t *value = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert_not_null(value, "%s", json);
	cr_assert_not_null(out);
	if (is_list)
		table_print(out, value, columns);
	else
		table_print_object(out, value);
	fclose(out);
	json_decref(value);
	return text;
}

Test(table, aligns_rows)
{
	static const struct {
		const char *json;
		const char *text;
	} rows[] = {
		{"[]", "none\n"},
		{"[{\"name\":\"s1\",\"n\":7,\"why\":\"x\"}]", "NAME  N  WHY\n"
							      "s1    7  x\n"},
		{"[{\"name\":\"longer\",\"n\":7,\"why\":\"\"},{\"name\":\"b\",\"n\":1234,\"why\":\"no answer\"}]",
		 "NAME       N  WHY\n"
		 "longer     7  -\n"
		 "b       1234  no answer\n"},
		{"[{\"name\":\"b\",\"n\":1,\"why\":[\"65010:1\",\"no-export\"]}]", "NAME  N  WHY\n"
									 "b     1  65010:1, no-export\n"},
		{"[{\"name\":\"b\"}]", "NAME  N  WHY\n"
				       "b     -  -\n"},
		{"[{\"name\":\"\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9\",\"n\":1,\"why\":\"\"},{\"name\":\"abcde\",\"n\":2,"
		 "\"why\":\"\"}]",
		 "NAME   N  WHY\n"
		 "\u00e9\u00e9\u00e9\u00e9\u00e9  1  -\n"
		 "abcde  2  -\n"},
		{"[{\"name\":\"a\\u001b[31mb\\n\",\"n\":1,\"why\":\"\"}]", "NAME      N  WHY\n"
									   "a?[31mb?  1  -\n"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = print(rows[i].json, true);

		cr_expect_str_eq(text, rows[i].text, "row %u:\n%s", i, text);
		free(text);
	}
}

Test(table, prints_an_object_by_its_keys)
{
	char *text = print("{\"node\":\"e\",\"dataplane\":{\"connected\":true,\"workers\":2},\"share\":33.333}", false);

	cr_expect_str_eq(text, "node                    e\n"
			       "dataplane.connected     yes\n"
			       "dataplane.workers       2\n"
			       "share                   33.3\n", "%s", text);
	free(text);
}

/* Two octets a character: the cut falls inside one when the text begins with a single octet. */
Test(table, cuts_a_cell_between_characters)
{
	for (unsigned lead = 0; lead < 2; lead++) {
		char text[400] = "", cell[TABLE_CELL_MAX];
		json_t *value;

		for (unsigned i = 0; i < lead; i++)
			strcat(text, "x");
		for (unsigned i = 0; i < 100; i++)
			strcat(text, "\u00e9");
		value = json_string(text);
		table_cell(value, cell);
		json_decref(value);
		value = json_string(cell);
		cr_expect_not_null(value, "no UTF-8 any more");
		cr_expect_gt(strlen(cell), TABLE_CELL_MAX - 5);
		json_decref(value);
	}
}
