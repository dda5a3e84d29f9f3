/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/http_reply.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *at;
	const char *end;
};

/* What the header says of the body (RFC 9112 6.3). */
struct framing {
	bool chunked;
	bool has_length;
	size_t length;
};

static size_t
span_len(struct span s)
{
	return (size_t)(s.end - s.at);
}

static enum http_verdict failed(char *reason, const char *format, ...) PRINTF_LIKE(2, 3);

static enum http_verdict
failed(char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, HTTP_REASON_MAX, format, args);
	va_end(args);
	return HTTP_FAILED;
}

/* Cuts the next line off, without its end (RFC 9112 2.2 lets a recipient take a lone LF). False: no whole line yet. */
static bool
take_line(struct span *from, struct span *line)
{
	const char *lf = memchr(from->at, '\n', span_len(*from));

	if (!lf)
		return false;
	*line = (struct span){from->at, lf};
	if (lf > line->at && lf[-1] == '\r')
		line->end--;
	from->at = lf + 1;
	return true;
}

/* "HTTP/1.x NNN", 100..599; -1 for all else. */
static int
status_parse(struct span line)
{
	const char *at = line.at;

	if (span_len(line) < 12 || memcmp(at, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)at[7]) || at[8] != ' ')
		return -1;
	if (span_len(line) > 12 && at[12] != ' ')
		return -1;
	for (int i = 9; i < 12; i++) {
		if (!isdigit((unsigned char)at[i]))
			return -1;
	}
	if (at[9] < '1' || at[9] > '5')
		return -1;
	return (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
}

/* The field's value without the spaces around it, when the line is that field. */
static bool
field_is(struct span line, const char *name, struct span *value)
{
	size_t len = strlen(name);

	if (span_len(line) <= len || strncasecmp(line.at, name, len) != 0 || line.at[len] != ':')
		return false;
	*value = (struct span){line.at + len + 1, line.end};
	while (value->at < value->end && isblank((unsigned char)value->at[0]))
		value->at++;
	while (value->at < value->end && isblank((unsigned char)value->end[-1]))
		value->end--;
	return true;
}

/* Digits in the base; stops at the first other character. False: none, or more than any body here can have. */
static bool
number_parse(struct span *from, unsigned radix, size_t *out)
{
	size_t value = 0;
	const char *start = from->at;

	for (; from->at < from->end && isxdigit((unsigned char)from->at[0]); from->at++) {
		char c = (char)tolower((unsigned char)from->at[0]);
		unsigned digit = isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);

		if (digit >= radix || value > SIZE_MAX / 32)
			return false;
		value = value * radix + digit;
	}
	if (from->at == start)
		return false;
	*out = value;
	return true;
}

static void
framing_note(struct framing *framing, struct span line)
{
	struct span value;

	/* RFC 9112 6.3: the transfer coding overrides a length. */
	if (field_is(line, "transfer-encoding", &value) && span_len(value) >= 7 &&
	    strncasecmp(value.end - 7, "chunked", 7) == 0)
		framing->chunked = true;
	if (field_is(line, "content-length", &value))
		framing->has_length = number_parse(&value, 10, &framing->length);
}

/* Reads the fields up to and with the blank line. False: it hasn't come yet. */
static bool
take_head(struct span *from, struct framing *framing)
{
	struct span line;

	while (take_line(from, &line)) {
		if (span_len(line) == 0)
			return true;
		framing_note(framing, line);
	}
	return false;
}

/* Joins the chunks' data in out, which has room for all of the body. True: the body is whole, or can't be read on. */
static bool
join_chunks(struct span body, char *out, size_t *out_len)
{
	struct span line;
	size_t size;

	*out_len = 0;
	while (take_line(&body, &line)) {
		if (!number_parse(&line, 16, &size) || size == 0)
			return true;
		if (size > span_len(body))
			size = span_len(body);
		memcpy(out + *out_len, body.at, size);
		*out_len += size;
		body.at += size;
		if (span_len(body) < 2)
			return false;
		body.at += body.at[0] == '\r' ? 2 : 1;
	}
	return false;
}

static bool
holds(struct span body, const struct framing *framing, const char *match, bool *is_whole)
{
	size_t len = span_len(body);
	char *joined;
	bool found;

	if (!framing->chunked) {
		*is_whole = framing->has_length && len >= framing->length;
		return memmem(body.at, len, match, strlen(match)) != NULL;
	}
	joined = malloc(len + 1);
	if (!joined)
		return false;
	*is_whole = join_chunks(body, joined, &len);
	found = memmem(joined, len, match, strlen(match)) != NULL;
	free(joined);
	return found;
}

static enum http_verdict
judge_body(const struct model_check *check, struct span body, const struct framing *framing, bool ended, char *reason)
{
	bool is_whole = false;

	if (span_len(body) >= HTTP_BODY_MAX) {
		body.end = body.at + HTTP_BODY_MAX;
		ended = true;
	}
	if (holds(body, framing, check->match, &is_whole))
		return HTTP_PASSED;
	if (ended || is_whole)
		return failed(reason, "the body doesn't hold \"%.64s\"", check->match);
	return HTTP_MORE;
}

static enum http_verdict
judge_short(size_t len, bool ended, char *reason)
{
	if (ended)
		return failed(reason, len == 0 ? "closed without an answer" : "closed amid the answer's header");
	if (len >= HTTP_HEAD_MAX)
		return failed(reason, "the answer's header is above %d octets", HTTP_HEAD_MAX);
	return HTTP_MORE;
}

enum http_verdict
http_reply_judge(const struct model_check *check, const char *bytes, size_t len, bool ended,
		 char reason[static HTTP_REASON_MAX])
{
	struct span rest = {bytes, bytes + len};
	struct framing framing;
	struct span line;
	bool head_is_whole, is_wanted;
	int status;

	do {
		framing = (struct framing){0};
		if (!take_line(&rest, &line))
			return judge_short(len, ended, reason);
		status = status_parse(line);
		if (status < 0)
			return failed(reason, "the answer isn't HTTP/1");
		is_wanted = status >= check->status_min && status <= check->status_max;
		head_is_whole = take_head(&rest, &framing);
		/* RFC 9110 15.2: interim answers come before the final one. */
	} while (status < 200 && !is_wanted && head_is_whole);

	if (status < 200 && !is_wanted)
		return judge_short(len, ended, reason);
	if (!is_wanted)
		return failed(reason, "status %d, wanted %u-%u", status, check->status_min, check->status_max);
	if (check->match[0] == '\0')
		return HTTP_PASSED;
	if (!head_is_whole)
		return judge_short(len, ended, reason);
	return judge_body(check, rest, &framing, ended, reason);
}
