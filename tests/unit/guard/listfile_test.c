/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "controlplane/lists.h"

enum { NOW = 1000000 };

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static struct listfile *
parsed(const char *text)
{
	struct config_errors errors;
	struct listfile *file = NULL;

	cr_assert_eq(listfile_parse("x", text, strlen(text), NOW, &file, &errors), 0, "%s", errors.list[0].text);
	return file;
}

Test(listfile, reads_what_a_line_says)
{
	static const struct {
		const char *line, *prefix;
		enum abi_list_action action;
		uint8_t class;
		uint64_t until_s;
		const char *comment;
	} rows[] = {
		{"192.0.2.0/24 drop", "192.0.2.0/24", LIST_DROP, 0, 0, NULL},
		{"192.0.2.1 drop for 1h # scanner", "192.0.2.1/32", LIST_DROP, 0, NOW + 3600, "scanner"},
		{"2001:db8::/32 allow", "2001:db8::/32", LIST_ALLOW, 0, 0, NULL},
		{"::/0\tlimit 0\r", "::/0", LIST_LIMIT, 0, 0, NULL},
		{"  0.0.0.0/0  limit  255  for 90s#x ", "0.0.0.0/0", LIST_LIMIT, 255, NOW + 90, "x"},
		{"10.0.0.0/8 drop until 1000001 #\t a # b\r", "10.0.0.0/8", LIST_DROP, 0, NOW + 1, "a # b"},
		{"10.0.0.0/8 drop for 2m # \033[1mbold\xff", "10.0.0.0/8", LIST_DROP, 0, NOW + 120, "?[1mbold?"},
		{"10.0.0.0/8 drop for 3d #", "10.0.0.0/8", LIST_DROP, 0, NOW + 3 * 86400, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct listfile *file = parsed(rows[i].line);
		struct prefix p = prefix(rows[i].prefix);

		cr_assert_eq(file->n, 1, "%s", rows[i].line);
		cr_expect(prefix_equal(&file->entries[0].prefix, &p), "%s", rows[i].line);
		cr_expect_eq(file->entries[0].action, rows[i].action, "%s", rows[i].line);
		cr_expect_eq(file->entries[0].class, rows[i].class, "%s", rows[i].line);
		cr_expect_eq(file->entries[0].until_s, rows[i].until_s, "%s", rows[i].line);
		if (rows[i].comment)
			cr_expect_str_eq(file->entries[0].comment, rows[i].comment);
		else
			cr_expect_null(file->entries[0].comment);
		listfile_free(file);
	}
}

Test(listfile, passes_over_what_is_no_entry)
{
	struct listfile *file = parsed("\n# head\n \t\r\n10.0.0.0/8 drop\n10.0.0.1 drop until 1000000\n\n10.0.0.2 allow");

	cr_expect_eq(file->n, 2);
	listfile_free(file);
	file = parsed("");
	cr_expect_eq(file->n, 0);
	listfile_free(file);
}

Test(listfile, tells_what_is_wrong_and_where)
{
	static const struct {
		const char *line, *error;
	} rows[] = {
		{"10.0.0 drop", "x:1:1: 10.0.0 is no prefix such as 192.0.2.0/24 or 2001:db8::/32"},
		{"\n  drop 10.0.0.0/8", "x:2:3: drop is no prefix such as 192.0.2.0/24 or 2001:db8::/32"},
		{"10.0.0.0/ drop", "x:1:1: 10.0.0.0/ is no prefix such as 192.0.2.0/24 or 2001:db8::/32"},
		{"10.0.0.0/33 drop", "x:1:1: 10.0.0.0/33: the length is above 32"},
		{"fd77::/129 drop", "x:1:1: fd77::/129: the length is above 128"},
		{"10.0.0.1/8 drop", "x:1:1: 10.0.0.1/8 has bits behind its length: write 10.0.0.0/8"},
		{"fd77::1/64 drop", "x:1:1: fd77::1/64 has bits behind its length: write fd77::/64"},
		{"10.0.0.0/8", "x:1:11: the action is missing: drop, allow or limit CLASS"},
		{"10.0.0.0/8 # drop", "x:1:12: the action is missing: drop, allow or limit CLASS"},
		{"10.0.0.0/8 deny", "x:1:12: deny is no action: drop, allow or limit CLASS"},
		{"10.0.0.0/8 limit", "x:1:17: the class is missing: limit 0 to limit 255"},
		{"10.0.0.0/8 limit 256", "x:1:18: 256 is no class from 0 to 255"},
		{"10.0.0.0/8 limit -1", "x:1:18: -1 is no class from 0 to 255"},
		{"10.0.0.0/8 drop 1h", "x:1:17: 1h is not expected here: for DURATION, until UNIX-SECONDS or # comment"},
		{"10.0.0.0/8 drop for", "x:1:20: for : a duration such as 90s, 10m, 2h or 7d is expected, up to ten years"},
		{"10.0.0.0/8 drop for 0s",
		 "x:1:21: for 0s: a duration such as 90s, 10m, 2h or 7d is expected, up to ten years"},
		{"10.0.0.0/8 drop for 3661d",
		 "x:1:21: for 3661d: a duration such as 90s, 10m, 2h or 7d is expected, up to ten years"},
		{"10.0.0.0/8 drop until 1h", "x:1:23: until 1h: a time in seconds since 1970 is expected"},
		{"10.0.0.0/8 drop for 1h for 2h", "x:1:24: for is not expected here: only # comment"},
		{"10.0.0.\x1b drop", "x:1:1: 10.0.0.? is no prefix such as 192.0.2.0/24 or 2001:db8::/32"},
		{"1000000000000000000000000000000000000000000000000000000000000000000000/8 drop",
		 "x:1:1: 1000000000000000000000000000000000000000 is no prefix such as 192.0.2.0/24 or 2001:db8::/32"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_errors errors;
		struct listfile *file = NULL;

		cr_expect_eq(listfile_parse("x", rows[i].line, strlen(rows[i].line), NOW, &file, &errors), -EINVAL);
		cr_assert_eq(errors.n, 1);
		cr_expect_str_eq(errors.list[0].text, rows[i].error);
		cr_expect_null(file);
	}
}

Test(listfile, stops_at_twenty_errors)
{
	struct config_errors errors;
	struct listfile *file = NULL;
	char text[512] = "10.0.0.0/8 drop\n";

	for (unsigned i = 0; i < 30; i++)
		strcat(text, "bad drop\n");
	cr_expect_eq(listfile_parse("x", text, strlen(text), NOW, &file, &errors), -EINVAL);
	cr_expect_eq(errors.n, CONFIG_ERRORS_MAX);
	cr_expect_eq(errors.list[19].line, 21);
	cr_expect_eq(listfile_parse("x", "10.0.0.0\0/8 drop", 16, NOW, &file, &errors), -EINVAL);
	cr_expect_eq(listfile_load("/nonexistent/list", NOW, &file, &errors), -EINVAL);
	cr_expect_str_eq(errors.list[0].text, "/nonexistent/list: No such file or directory");
}

Test(listfile, takes_a_million_lines)
{
	enum { LINE = 40 };
	char path[] = "/tmp/listfile-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");
	struct config_errors errors;
	struct listfile *file = NULL;

	cr_assert_not_null(out);
	for (unsigned i = 0; i < LIST_ENTRIES_MAX; i++)
		fprintf(out, "10.%u.%u.%u drop\n", i >> 16, i >> 8 & 0xff, i & 0xff);
	fflush(out);
	cr_expect_eq(listfile_load(path, NOW, &file, &errors), 0);
	cr_expect_eq(file->n, LIST_ENTRIES_MAX);
	listfile_free(file);
	fprintf(out, "11.0.0.0 drop\n");
	fclose(out);
	cr_expect_eq(listfile_load(path, NOW, &file, &errors), -EINVAL);
	cr_expect_eq(errors.list[0].line, LIST_ENTRIES_MAX + 1);
	unlink(path);
}

/* The feed, as text: "+PREFIX ACTION CLASS;" or "-PREFIX;". */
struct feed {
	size_t len;
	char text[1024];
};

static void
note(void *context, const struct list_change *change)
{
	struct feed *feed = context;
	char text[PREFIX_TEXT_MAX];
	size_t room = sizeof(feed->text) - feed->len;

	prefix_format(&change->prefix, text);
	if (change->action == LIST_NONE)
		feed->len += (size_t)snprintf(feed->text + feed->len, room, "-%s;", text);
	else
		feed->len += (size_t)snprintf(feed->text + feed->len, room, "+%s %u %u;", text, change->action,
					      change->class);
}

static void
expect_feed(struct feed *feed, const char *expected)
{
	cr_expect_str_eq(feed->text, expected);
	*feed = (struct feed){0};
}

static struct lists *
store(struct feed *feed)
{
	struct lists *l = lists_new(&(struct lists_config){.seed = 7, .changed = note, .context = feed});

	cr_assert_not_null(l);
	return l;
}

static int
set(struct lists *l, unsigned source, const char *line)
{
	struct listfile *file = parsed(line);
	int err = lists_set(l, source, &file->entries[0]);

	listfile_free(file);
	return err;
}

static int
replace(struct lists *l, unsigned source, const char *text)
{
	struct listfile *file = parsed(text);
	int err = lists_replace(l, source, file);

	listfile_free(file);
	return err;
}

Test(lists, puts_the_console_first_then_the_strictest)
{
	struct feed feed = {0};
	struct lists *l = store(&feed);
	struct prefix p = prefix("10.0.0.0/8");

	cr_assert_eq(lists_source(l, "a"), 1);
	cr_assert_eq(lists_source(l, "b"), 2);
	cr_assert_eq(lists_source(l, "a"), 1);
	cr_expect_str_eq(lists_source_name(l, 2), "b");
	cr_expect_null(lists_source_name(l, 3));
	static const struct {
		unsigned source;
		const char *line; /* NULL: remove */
		const char *feed;
	} steps[] = {
		{1, "10.0.0.0/8 allow", "+10.0.0.0/8 2 0;"},
		{2, "10.0.0.0/8 limit 9", "+10.0.0.0/8 3 9;"},
		{1, "10.0.0.0/8 limit 8", "+10.0.0.0/8 3 8;"},
		{2, "10.0.0.0/8 drop", "+10.0.0.0/8 1 0;"},
		{1, "10.0.0.0/8 drop", ""},
		{LISTS_MANUAL, "10.0.0.0/8 allow # known", "+10.0.0.0/8 2 0;"},
		{1, NULL, ""},
		{LISTS_MANUAL, NULL, "+10.0.0.0/8 1 0;"},
		{2, NULL, "-10.0.0.0/8;"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		cr_expect_eq(steps[i].line ? set(l, steps[i].source, steps[i].line)
					   : lists_remove(l, steps[i].source, &p), 0, "%u", i);
		expect_feed(&feed, steps[i].feed);
		if (steps[i].source == LISTS_MANUAL && steps[i].line)
			cr_expect_str_eq(lists_lookup(l, &p)->comment, "known");
	}
	cr_expect_eq(lists_remove(l, 2, &p), -ENOENT);
	cr_expect_null(lists_lookup(l, &p));
	cr_expect_eq(set(l, 3, "10.0.0.0/8 drop"), -EINVAL);
	cr_expect_eq(lists_count(l), 0);
	lists_free(l);
}

Test(lists, changes_only_what_a_new_file_changes)
{
	struct feed feed = {0};
	struct lists *l = store(&feed);

	cr_assert_eq(lists_source(l, "a"), 1);
	cr_expect_eq(replace(l, 1, "10.0.0.0/8 drop\nfd77::/16 allow # x\n10.1.0.0/16 drop\n"), 0);
	expect_feed(&feed, "+10.0.0.0/8 1 0;+fd77::/16 2 0;+10.1.0.0/16 1 0;");
	cr_expect_eq(set(l, LISTS_MANUAL, "10.2.0.0/16 drop"), 0);
	expect_feed(&feed, "+10.2.0.0/16 1 0;");
	cr_expect_eq(replace(l, 1, "10.0.0.0/8 drop # again\nfd77::/16 limit 1\nfd77::/16 limit 2 # y"), 0);
	expect_feed(&feed, "+fd77::/16 3 1;+fd77::/16 3 2;-10.1.0.0/16;");
	cr_expect_eq(lists_count(l), 3);
	cr_expect_eq(lists_replace(l, 1, NULL), 0);
	cr_expect_eq(lists_count(l), 1);
	lists_free(l);
}

Test(lists, ends_what_is_due_and_nothing_else)
{
	struct feed feed = {0};
	struct lists *l = store(&feed);
	char line[64];
	unsigned left = 0;

	cr_expect_eq(lists_next_expiry(l), 0);
	l = (lists_free(l), lists_new(&(struct lists_config){.seed = 1}));
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "10.0.%u.%u drop for %us", i % 1000 >> 8, i % 1000 & 0xff,
			 1 + (i * 7919U) % 3000);
		cr_assert_eq(set(l, LISTS_MANUAL, line), 0);
	}
	cr_expect_eq(set(l, LISTS_MANUAL, "10.9.0.0/16 drop"), 0);
	cr_expect_eq(lists_count(l), 1001);
	for (unsigned s = 0; s <= 3000; s += 100) {
		left += lists_expire(l, NOW + s);
		cr_expect(lists_next_expiry(l) == 0 || lists_next_expiry(l) > NOW + s);
	}
	cr_expect_eq(left, 1000);
	cr_expect_eq(lists_count(l), 1);
	lists_free(l);
}

static void
count_in_force(void *context, unsigned source, const struct list_entry *entry, bool is_in_force)
{
	unsigned *n = context;

	(void)source;
	(void)entry;
	n[is_in_force]++;
}

Test(lists, brings_the_next_into_force_when_one_ends)
{
	struct feed feed = {0};
	struct lists *l = store(&feed);
	unsigned n[2] = {0};

	cr_assert_eq(lists_source(l, "a"), 1);
	cr_expect_eq(set(l, 1, "10.0.0.0/8 drop"), 0);
	cr_expect_eq(set(l, LISTS_MANUAL, "10.0.0.0/8 allow for 10s"), 0);
	lists_each(l, count_in_force, n);
	cr_expect_eq(n[0], 1);
	cr_expect_eq(n[1], 1);
	expect_feed(&feed, "+10.0.0.0/8 1 0;+10.0.0.0/8 2 0;");
	cr_expect_eq(lists_next_expiry(l), NOW + 10);
	cr_expect_eq(lists_expire(l, NOW + 9), 0);
	cr_expect_eq(lists_expire(l, NOW + 10), 1);
	expect_feed(&feed, "+10.0.0.0/8 1 0;");
	lists_free(l);
}
