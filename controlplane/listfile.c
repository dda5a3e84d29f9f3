/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/listfile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 64, SHOWN_MAX = 40 };

/* A line on its way: what is left of it, and who reads. */
struct line {
	const char *name;
	const char *start;
	const char *at;
	const char *end;
	unsigned number;
	uint64_t now_s;
	struct config_errors *errors;
};

struct word {
	const char *at;
	size_t len; /* 0: the line has ended */
	char text[WORD_MAX]; /* empty when it doesn't fit or has a NUL: no word that we know */
};

static void PRINTF_LIKE(3, 4)
fail(const struct line *line, const char *at, const char *format, ...)
{
	struct config_errors *errors = line->errors;
	struct config_error *error;
	va_list args;
	int n;

	if (errors->n >= CONFIG_ERRORS_MAX)
		return;
	error = &errors->list[errors->n++];
	error->line = line->number;
	error->column = (unsigned)(at - line->start) + 1;
	n = snprintf(error->text, sizeof(error->text), "%.120s:%u:%u: ", line->name, error->line, error->column);
	va_start(args, format);
	vsnprintf(error->text + n, sizeof(error->text) - (size_t)n, format, args);
	va_end(args);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void
copy_printable(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[len] = '\0';
}

static struct word
word_next(struct line *line)
{
	struct word word;

	while (line->at < line->end && is_blank(*line->at))
		line->at++;
	word.at = line->at;
	while (line->at < line->end && !is_blank(*line->at) && *line->at != '#')
		line->at++;
	word.len = (size_t)(line->at - word.at);
	word.text[0] = '\0';
	if (word.len < sizeof(word.text) && !memchr(word.at, '\0', word.len)) {
		memcpy(word.text, word.at, word.len);
		word.text[word.len] = '\0';
	}
	return word;
}

struct shown {
	char text[SHOWN_MAX + 1];
};

static struct shown
word_show(const struct word *word)
{
	struct shown shown;

	copy_printable(shown.text, word->at, word->len < SHOWN_MAX ? word->len : SHOWN_MAX);
	return shown;
}

/* Decimal, at most max. */
static bool
number(const char *text, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (len == 0 || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

int
list_duration_parse(const char *text, uint64_t *out_s)
{
	static const struct {
		char unit;
		uint32_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = strlen(text);
	uint64_t value;

	for (unsigned i = 0; len > 0 && i < ARRAY_LEN(units); i++) {
		if (text[len - 1] == units[i].unit &&
		    number(text, len - 1, (uint64_t)LIST_DURATION_MAX_S / units[i].s, &value) && value > 0) {
			*out_s = value * units[i].s;
			return 0;
		}
	}
	return -EINVAL;
}

static bool
read_prefix(struct line *line, struct prefix *out)
{
	struct word word = word_next(line);
	char text[PREFIX_TEXT_MAX];
	struct prefix clean;
	struct addr a;

	switch (prefix_parse(word.text, out)) {
	case 0:
		return true;
	case -ERANGE:
		fail(line, word.at, "%s: the length is above %s", word_show(&word).text,
		     memchr(word.at, ':', word.len) ? "128" : "32");
		return false;
	case -EDOM:
		*strchr(word.text, '/') = '\0';
		if (addr_parse(word.text, &a) == 0) {
			clean = prefix_of(&a, (unsigned)strtoul(word.text + strlen(word.text) + 1, NULL, 10));
			fail(line, word.at, "%s has bits behind its length: write %s", word_show(&word).text,
			     prefix_format(&clean, text));
			return false;
		}
		FALLTHROUGH;
	default:
		fail(line, word.at, "%s is no prefix such as 192.0.2.0/24 or 2001:db8::/32", word_show(&word).text);
		return false;
	}
}

static bool
read_action(struct line *line, struct list_entry *entry)
{
	static const struct {
		const char *word;
		enum abi_list_action action;
	} actions[] = {{"drop", LIST_DROP}, {"allow", LIST_ALLOW}, {"limit", LIST_LIMIT}};
	struct word word = word_next(line), class;
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(word.text, actions[i].word) == 0)
			entry->action = (uint8_t)actions[i].action;
	}
	if (entry->action == LIST_NONE && word.len == 0)
		fail(line, word.at, "the action is missing: drop, allow or limit CLASS");
	else if (entry->action == LIST_NONE)
		fail(line, word.at, "%s is no action: drop, allow or limit CLASS", word_show(&word).text);
	if (entry->action != LIST_LIMIT)
		return entry->action != LIST_NONE;
	class = word_next(line);
	if (!number(class.text, strlen(class.text), UINT8_MAX, &value)) {
		fail(line, class.at, class.len == 0 ? "the class is missing%s: limit 0 to limit 255"
						    : "%s is no class from 0 to 255", word_show(&class).text);
		return false;
	}
	entry->class = (uint8_t)value;
	return true;
}

/* false: something is wrong. An entry whose time is over gets until_s 1. */
static bool
read_end(struct line *line, struct list_entry *entry)
{
	struct word word = word_next(line), value;
	uint64_t s;

	if (word.len == 0)
		return true;
	if (strcmp(word.text, "for") == 0) {
		value = word_next(line);
		if (list_duration_parse(value.text, &s) != 0) {
			fail(line, value.at, "for %s: a duration such as 90s, 10m, 2h or 7d is expected, up to ten years",
			     word_show(&value).text);
			return false;
		}
		entry->until_s = line->now_s + s;
	} else if (strcmp(word.text, "until") == 0) {
		value = word_next(line);
		if (!number(value.text, strlen(value.text), UINT64_MAX, &s)) {
			fail(line, value.at, "until %s: a time in seconds since 1970 is expected", word_show(&value).text);
			return false;
		}
		entry->until_s = s > line->now_s ? s : 1;
	} else {
		fail(line, word.at, "%s is not expected here: for DURATION, until UNIX-SECONDS or # comment",
		     word_show(&word).text);
		return false;
	}
	word = word_next(line);
	if (word.len > 0)
		fail(line, word.at, "%s is not expected here: only # comment", word_show(&word).text);
	return word.len == 0;
}

/* Behind the entry: NULL or the comment. -ENOMEM */
static int
read_comment(struct line *line, char **out)
{
	const char *at = line->at, *end = line->end;
	size_t len;

	if (at < end && *at == '#')
		at++;
	while (at < end && is_blank(*at))
		at++;
	while (at < end && is_blank(end[-1]))
		end--;
	len = (size_t)(end - at) < LIST_COMMENT_MAX ? (size_t)(end - at) : LIST_COMMENT_MAX;
	if (len == 0)
		return 0;
	*out = malloc(len + 1);
	if (!*out)
		return -ENOMEM;
	copy_printable(*out, at, len);
	return 0;
}

static bool
is_nothing(const struct line *line)
{
	const char *at = line->start;

	while (at < line->end && is_blank(*at))
		at++;
	return at == line->end || *at == '#';
}

/* Room for one more entry. -ENOMEM */
static int
file_grow(struct listfile *file)
{
	struct list_entry *entries;

	/* Full at powers of two, from 64. */
	if (file->n > 0 && (file->n < 64 || (file->n & (file->n - 1)) != 0))
		return 0;
	entries = reallocarray(file->entries, file->n ? file->n * 2 : 64, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	file->entries = entries;
	return 0;
}

/* What is wrong with the line goes to its errors. -ENOMEM */
static int
line_read(struct line *line, struct listfile *file)
{
	struct list_entry entry = {0};

	if (is_nothing(line) || !read_prefix(line, &entry.prefix) || !read_action(line, &entry) ||
	    !read_end(line, &entry) || entry.until_s == 1)
		return 0;
	if (file->n >= LIST_ENTRIES_MAX) {
		fail(line, line->start, "more than %u entries", LIST_ENTRIES_MAX);
		return -EINVAL;
	}
	if (file_grow(file) != 0 || read_comment(line, &entry.comment) != 0)
		return -ENOMEM;
	file->entries[file->n++] = entry;
	return 0;
}

int
listfile_parse(const char *name, const char *text, size_t len, uint64_t now_s, struct listfile **out,
	       struct config_errors *errors)
{
	struct line line = {.name = name, .errors = errors, .now_s = now_s};
	struct listfile *file = calloc(1, sizeof(*file));
	const char *at = text, *end = text + len;
	int err = file ? 0 : -ENOMEM;

	errors->n = 0;
	while (!err && at < end && errors->n < CONFIG_ERRORS_MAX) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		line.number++;
		line.start = line.at = at;
		line.end = newline ? newline : end;
		err = line_read(&line, file);
		at = newline ? newline + 1 : end;
	}
	if (!err && errors->n > 0)
		err = -EINVAL;
	if (err) {
		listfile_free(file);
		return err;
	}
	*out = file;
	return 0;
}

void
listfile_free(struct listfile *file)
{
	if (!file)
		return;
	for (unsigned i = 0; i < file->n; i++)
		free(file->entries[i].comment);
	free(file->entries);
	free(file);
}

/* The whole file, -ENOMEM, or another -errno. */
static int
file_read(FILE *in, char **out, size_t *out_len)
{
	size_t len = 0, size = 1 << 16, got = 1;
	char *text = malloc(size), *more;

	while (text && got > 0) {
		got = fread(text + len, 1, size - len, in);
		len += got;
		if (len > LISTFILE_TEXT_MAX || ferror(in)) {
			free(text);
			return len > LISTFILE_TEXT_MAX ? -EFBIG : -EIO;
		}
		if (len < size)
			continue;
		size *= 2;
		more = realloc(text, size);
		if (!more)
			free(text);
		text = more;
	}
	*out = text;
	*out_len = len;
	return text ? 0 : -ENOMEM;
}

int
listfile_load(const char *path, uint64_t now_s, struct listfile **out, struct config_errors *errors)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	size_t len = 0;
	int err = in ? file_read(in, &text, &len) : -errno;

	errors->n = 0;
	if (in)
		fclose(in);
	if (err == -ENOMEM)
		return err;
	if (err) {
		errors->n = 1;
		errors->list[0] = (struct config_error){0};
		snprintf(errors->list[0].text, sizeof(errors->list[0].text), "%.120s: %s", path, strerror(-err));
		return -EINVAL;
	}
	err = listfile_parse(path, text, len, now_s, out, errors);
	free(text);
	return err;
}
