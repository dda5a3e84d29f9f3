/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ../shared/bgp/messages.jsonl: messages from other projects' tests and from recorded traffic, with what must happen to
 * each. A row that the RFCs contradict stands in `exceptions` with the section.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/open.h"
#include "bgp/update.h"
#include "hex.h"

enum { ERROR = -1 }; /* beside outcomes: a message other than UPDATE, or one whose header is refused */

static const struct exception {
	const char *id;
	int outcome;
	const char *why;
} exceptions[] = {
	{"", 0, ""},
};

struct row {
	char line[65536];
	uint8_t octets[32768];
	size_t len;
	char id[16];
};

static const char *
field(const struct row *row, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(row->line, key);
	return at ? at + strlen(key) : "";
}

static bool
is(const struct row *row, const char *name, const char *value)
{
	return strncmp(field(row, name), value, strlen(value)) == 0;
}

static const struct exception *
exception_of(const struct row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++) {
		if (strcmp(exceptions[i].id, row->id) == 0)
			return &exceptions[i];
	}
	return NULL;
}

static FILE *
messages_open(void)
{
	const char *folder = getenv("NEARCAST_SHARED");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/bgp/messages.jsonl", folder ? folder : SHARED_DEFAULT);
	file = fopen(path, "r");
	if (!file)
		cr_skip_test("no test data at %s", path);
	return file;
}

static bool
row_next(FILE *file, struct row *row)
{
	if (!fgets(row->line, sizeof(row->line), file)) {
		fclose(file);
		return false;
	}
	row->len = unhex(field(row, "hex") + 1, row->octets, sizeof(row->octets));
	memcpy(row->id, field(row, "id") + 1, 12);
	row->id[12] = '\0';
	return true;
}

static void
view_walk(const struct bgp_octets *view)
{
	struct bgp_octets a = *view, b = *view, c = *view;
	uint32_t community;
	uint64_t extended;
	struct path_large large;

	while (bgp_community_next(&a, &community))
		;
	while (bgp_extended_next(&b, &extended))
		;
	while (bgp_large_next(&c, &large))
		;
}

static void
nlri_walk(const struct bgp_nlri *nlri)
{
	struct bgp_nlri rest = *nlri;
	struct prefix prefix;
	struct bgp_octets flow;

	if (!rest.is_known)
		return;
	if (rest.family == BGP_V4 || rest.family == BGP_V6) {
		while (bgp_nlri_next(&rest, &prefix))
			cr_assert(prefix.len <= addr_bits(&prefix.addr));
	} else {
		while (bgp_nlri_next_flow(&rest, &flow))
			cr_assert(flow.len > 0);
	}
	cr_assert_eq(rest.len, 0, "what decoding checked can be walked to its end");
}

/* Reads an UPDATE's body, and all that its views point at. */
static void
update_walk(const uint8_t *body, size_t len, const struct bgp_update_context *context)
{
	struct bgp_update update;

	bgp_update_decode(body, len, context, &update);
	nlri_walk(&update.withdrawn);
	nlri_walk(&update.announced);
	nlri_walk(&update.reach);
	nlri_walk(&update.unreach);
	view_walk(&update.attributes.communities);
	view_walk(&update.attributes.extended);
	view_walk(&update.attributes.large);
	view_walk(&update.attributes.cluster_list);
	cr_assert(bgp_as_path_length(&update.attributes.as_path) <= len);
	(void)bgp_as_path_contains(&update.attributes.as_path, UINT32_MAX);
}

/* A heap copy of exactly len octets is read as every kind of message, so that a sanitizer sees a read past the end. */
static void
message_survive(const uint8_t *octets, size_t len)
{
	size_t body_len = len - BGP_HEADER_LEN;
	uint8_t *copy = malloc(body_len + 1);
	uint8_t *body = copy + 1;
	char text[BGP_TEXT_MAX + 1];
	struct bgp_refresh refresh;
	struct bgp_error error;
	struct bgp_open open;

	memcpy(body, octets + BGP_HEADER_LEN, body_len);
	(void)!bgp_open_decode(body, body_len, &open, &error);
	(void)!bgp_refresh_decode(body, body_len, &refresh, &error);
	bgp_notification_decode(body, body_len, &error);
	(void)bgp_shutdown_text(&error, text);
	for (unsigned i = 0; i < 4; i++) {
		const struct bgp_update_context context = {.as4 = i & 1, .ibgp = i & 2, .extended_next_hop = i & 1,
							   .role = i & 2 ? BGP_ROLE_PEER : BGP_ROLE_NONE,
							   .peer_as = 65001};

		update_walk(body, body_len, &context);
	}
	free(copy);
}

Test(messages, survive_whole_and_cut_at_every_octet)
{
	static struct row row;
	FILE *file = messages_open();
	unsigned count = 0;

	for (; row_next(file, &row); count++) {
		for (size_t len = BGP_HEADER_LEN; len <= row.len; len++)
			message_survive(row.octets, len);
	}
	cr_expect_eq(count, 1483);
}

/* What the row says of the session, and where it says nothing, what the message looks like. */
static struct bgp_update_context
context_of(const struct row *row, bool as4)
{
	struct bgp_update update;
	struct bgp_update_context context = {.as4 = as4, .extended_next_hop = true, .role = BGP_ROLE_NONE};

	context.ibgp = is(row, "peer", "\"ibgp\"");
	if (*field(row, "peer") || is(row, "expect", "\"invalid\""))
		return context;
	context.ibgp = true;
	bgp_update_decode(row->octets + BGP_HEADER_LEN, row->len - BGP_HEADER_LEN, &context, &update);
	context.ibgp = bgp_has(&update.attributes, BGP_LOCAL_PREF);
	return context;
}

static struct bgp_update
update_of(const struct row *row, struct bgp_update_context *context)
{
	struct bgp_update update;

	*context = context_of(row, !is(row, "asn4", "false"));
	bgp_update_decode(row->octets + BGP_HEADER_LEN, row->len - BGP_HEADER_LEN, context, &update);
	if (update.outcome == BGP_ACCEPT || *field(row, "asn4"))
		return update;
	*context = context_of(row, false);
	bgp_update_decode(row->octets + BGP_HEADER_LEN, row->len - BGP_HEADER_LEN, context, &update);
	return update;
}

/* An outcome, or ERROR. */
static int
judge(const struct row *row)
{
	const uint8_t *body = row->octets + BGP_HEADER_LEN;
	size_t len = row->len - BGP_HEADER_LEN;
	struct bgp_update_context context;
	struct bgp_header header;
	struct bgp_error error;
	struct bgp_refresh refresh;
	struct bgp_open open;

	if (row->len < BGP_HEADER_LEN || bgp_header_decode(row->octets, true, &header, &error) != 0 ||
	    header.len != row->len)
		return ERROR;
	switch (header.type) {
	case BGP_OPEN:
		return bgp_open_decode(body, len, &open, &error) ? ERROR : BGP_ACCEPT;
	case BGP_ROUTE_REFRESH:
		return bgp_refresh_decode(body, len, &refresh, &error) ? ERROR : BGP_ACCEPT;
	case BGP_UPDATE:
		return update_of(row, &context).outcome;
	default:
		return BGP_ACCEPT;
	}
}

static bool
is_readable(const struct row *row)
{
	return is(row, "in_scope", "true") && is(row, "framed", "true") && !is(row, "addpath", "true");
}

static const char *const actions[] = {"\"accept\"", "\"attribute-discard\"", "\"treat-as-withdraw\"",
				      "\"afisafi-disable\"", "\"session-reset\""};

Test(messages, have_the_outcome_that_their_rows_say)
{
	static struct row row;
	FILE *file = messages_open();
	unsigned with_action = 0;

	while (row_next(file, &row)) {
		const struct exception *exception = exception_of(&row);
		int outcome = judge(&row);

		if (exception) {
			cr_expect_eq(outcome, exception->outcome, "%s: %d, not %d: %s", row.id, outcome, exception->outcome,
				     exception->why);
			continue;
		}
		for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
			if (!is(&row, "action", actions[i]))
				continue;
			cr_expect_eq(outcome, (int)i, "%s: %d, not %s", row.id, outcome, actions[i]);
			with_action++;
		}
		if (is(&row, "expect", "\"invalid\"") && !*field(&row, "action"))
			cr_expect_neq(outcome, BGP_ACCEPT, "%s: accepted", row.id);
		if (is(&row, "expect", "\"valid\"") && is_readable(&row))
			cr_expect_eq(outcome, BGP_ACCEPT, "%s: %d", row.id, outcome);
	}
	cr_expect_gt(with_action, 90);
}
