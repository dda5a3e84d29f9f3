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
	/* Sound by the row, not by the RFC. */
	{"2a829b560c78", BGP_TREAT_AS_WITHDRAW, "RFC 4271 6.3: NEXT_HOP is a loopback address"},
	{"1db8efa3ef8d", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"5949910ab218", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"bbb68c4f26d1", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"0e06e218fad9", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"c3ad7920ac98", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"9cc88a93c2fa", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"97482ff41a3f", BGP_TREAT_AS_WITHDRAW, "RFC 4271 6.3: NEXT_HOP is the broadcast address"},
	{"b59633fddd37", BGP_TREAT_AS_WITHDRAW, "RFC 7606 7.1: ORIGIN of two octets"},
	{"bb8f7deb591d", BGP_TREAT_AS_WITHDRAW, "RFC 7607 2: AS 0, read with 2-octet AS numbers as the row says"},
	{"5e97dc0934c9", BGP_TREAT_AS_WITHDRAW, "the same"},
	{"e5ff77187d49", BGP_AFISAFI_DISABLE, "RFC 8956 3.1: a pattern longer than its length less its offset"},
	{"c9158e59b1c9", ERROR, "RFC 6286 2.1: the identifier is 0"},
	/* Malformed by the row, not by the RFC. */
	{"6e3bc320e890", BGP_ACCEPT, "RFC 4271 5: an unknown optional attribute is no error"},
	{"f06682c58643", BGP_ACCEPT, "the same"},
	{"22ee17e29ede", BGP_ACCEPT, "the same"},
	{"de26a8fe5826", BGP_ACCEPT, "the same"},
	{"ea23cb175818", BGP_ACCEPT, "RFC 8955 4.2.1.1: AND in a first term is read as unset"},
	{"15880e78166a", BGP_ACCEPT, "RFC 7911 4: an undefined send/receive value is ignored, and so is all of it by us"},
	{"a14ec57385cc", BGP_ACCEPT, "RFC 5492 3: a capability that we don't know"},
	{"93077f2e901e", BGP_ACCEPT, "RFC 4271 4.3: an extended length may be short"},
	{"b05182f193bc", BGP_ACCEPT, "RFC 4486 4: Cease, peer de-configured"},
	{"eb78f5ef7f08", BGP_ACCEPT, "RFC 4271 6.2: unsupported version, with the one that we have"},
	/* Another outcome. */
	{"79bb7fb11048", BGP_ATTRIBUTE_DISCARD, "RFC 6793 6: AS4_PATH is discarded"},
	{"2365f3e452d9", BGP_ATTRIBUTE_DISCARD, "the same"},
	{"998577718223", BGP_AFISAFI_DISABLE, "RFC 7606 7.11 allows either, and effa9e778bd2 wants this"},
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

/* Who doesn't speak ADD-PATH (RFC 7911) and BGPsec (RFC 8205: no AS_PATH) is not sent them. */
static bool
is_readable(const struct row *row)
{
	return is(row, "in_scope", "true") && is(row, "framed", "true") && !is(row, "addpath", "true") &&
	       !strstr(row->line, "/bgp-bgpsec.pcap");
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

/* What of an UPDATE a struct path can say; false: there are more communities than it holds. */
static bool
path_of(const struct bgp_attributes *a, struct path *path)
{
	struct bgp_octets communities = a->communities, extended = a->extended, large = a->large;
	uint32_t community;
	uint64_t eight;
	struct path_large twelve;
	int err = 0;

	path_init(path);
	path->origin = a->origin;
	path->has_med = bgp_has(a, BGP_MED);
	path->med = a->med;
	if (bgp_has(a, BGP_LOCAL_PREF))
		path->local_pref = a->local_pref;
	while (bgp_community_next(&communities, &community))
		err |= path_add_community(path, community);
	while (bgp_extended_next(&extended, &eight))
		err |= path_add_extended(path, eight);
	while (bgp_large_next(&large, &twelve))
		err |= path_add_large(path, &twelve);
	return err == 0;
}

static void
nlri_expect_equal(const struct row *row, struct bgp_nlri a, struct bgp_nlri b)
{
	struct prefix of_a, of_b;
	struct bgp_octets flow_a, flow_b;

	cr_assert_eq(a.family, b.family, "%s", row->id);
	if (a.family == BGP_V4 || a.family == BGP_V6) {
		while (bgp_nlri_next(&a, &of_a)) {
			cr_assert(bgp_nlri_next(&b, &of_b), "%s", row->id);
			cr_assert(prefix_equal(&of_a, &of_b), "%s", row->id);
		}
	} else {
		while (bgp_nlri_next_flow(&a, &flow_a)) {
			cr_assert(bgp_nlri_next_flow(&b, &flow_b), "%s", row->id);
			cr_assert_eq(flow_a.len, flow_b.len, "%s", row->id);
			cr_assert_eq(memcmp(flow_a.octets, flow_b.octets, flow_a.len), 0, "%s", row->id);
		}
	}
	cr_assert(a.len == 0 && b.len == 0, "%s", row->id);
}

/* Writes the routes of one field anew, and reads them back. */
static struct bgp_update
rewrite(const struct row *row, struct bgp_nlri nlri, const struct bgp_route *route,
	const struct bgp_update_context *context, uint8_t *out)
{
	struct bgp_update_writer writer;
	struct bgp_update again;
	struct prefix prefix;
	struct bgp_octets flow;
	size_t len;

	bgp_update_begin(&writer, route, nlri.family, out, BGP_EXTENDED_MAX);
	if (nlri.family == BGP_V4 || nlri.family == BGP_V6) {
		while (bgp_nlri_next(&nlri, &prefix))
			cr_assert(bgp_update_add(&writer, &prefix));
	} else {
		while (bgp_nlri_next_flow(&nlri, &flow))
			cr_assert(bgp_update_add_flow(&writer, flow.octets, flow.len));
	}
	len = bgp_update_end(&writer);
	bgp_update_decode(out + BGP_HEADER_LEN, len - BGP_HEADER_LEN, context, &again);
	cr_assert_eq(again.outcome, BGP_ACCEPT, "%s: %s", row->id, again.fault);
	return again;
}

static void
announcement_round(const struct row *row, const struct bgp_update *update, const struct bgp_nlri *nlri,
		   const struct bgp_update_context *context)
{
	static uint8_t out[BGP_EXTENDED_MAX];
	bool is_reach = nlri == &update->reach;
	struct path path, path_again;
	struct bgp_route route = {.path = &path, .local_as = 65001, .ibgp = context->ibgp, .peer_as4 = context->as4,
				  .role = BGP_ROLE_NONE,
				  .next_hop = is_reach ? update->reach_next_hop : update->attributes.next_hop,
				  .link_local = update->reach_link_local};
	struct bgp_update again;

	(void)path_of(&update->attributes, &path); /* with more communities than it holds, the first of them */
	again = rewrite(row, *nlri, &route, context, out);
	nlri_expect_equal(row, *nlri, again.reach.len > 0 ? again.reach : again.announced);
	cr_assert(path_of(&again.attributes, &path_again), "%s", row->id);
	cr_assert_eq(memcmp(&path_again, &path, sizeof(path)), 0, "%s", row->id);
	if (again.reach.len > 0)
		cr_assert(addr_equal(&again.reach_next_hop, &route.next_hop) &&
				  addr_equal(&again.reach_link_local, &route.link_local), "%s", row->id);
	else
		cr_assert(addr_equal(&again.attributes.next_hop, &route.next_hop), "%s", row->id);
}

static void
update_round(const struct row *row)
{
	static uint8_t out[BGP_EXTENDED_MAX];
	struct bgp_update_context context;
	struct bgp_update update = update_of(row, &context);
	struct bgp_update again;

	if (update.is_end_of_rib) {
		size_t len = bgp_end_of_rib_encode(update.unreach.family, out);

		bgp_update_decode(out + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &context, &again);
		cr_assert(again.is_end_of_rib && again.unreach.family == update.unreach.family, "%s", row->id);
		return;
	}
	if (update.withdrawn.len > 0) {
		again = rewrite(row, update.withdrawn, NULL, &context, out);
		nlri_expect_equal(row, update.withdrawn, again.withdrawn);
	}
	if (update.unreach.is_known && update.unreach.len > 0) {
		again = rewrite(row, update.unreach, NULL, &context, out);
		nlri_expect_equal(row, update.unreach, update.unreach.family == BGP_V4 ? again.withdrawn : again.unreach);
	}
	if (update.announced.len > 0)
		announcement_round(row, &update, &update.announced, &context);
	if (update.reach.is_known && update.reach.len > 0)
		announcement_round(row, &update, &update.reach, &context);
}

static void
message_round(const struct row *row)
{
	const uint8_t *body = row->octets + BGP_HEADER_LEN;
	size_t len = row->len - BGP_HEADER_LEN;
	uint8_t out[BGP_MESSAGE_MAX], again[BGP_MESSAGE_MAX];
	struct bgp_open open, open_again;
	struct bgp_refresh refresh;
	struct bgp_error error;
	size_t out_len;

	switch (row->octets[18]) {
	case BGP_OPEN:
		cr_assert_eq(bgp_open_decode(body, len, &open, &error), 0);
		out_len = bgp_open_encode(&open, out);
		cr_assert_eq(bgp_open_decode(out + BGP_HEADER_LEN, out_len - BGP_HEADER_LEN, &open_again, &error), 0, "%s",
			     row->id);
		cr_assert_eq(bgp_open_encode(&open_again, again), out_len, "%s", row->id);
		cr_assert_eq(memcmp(out, again, out_len), 0, "%s", row->id);
		cr_assert_eq(bgp_open_as(&open), bgp_open_as(&open_again), "%s", row->id);
		break;
	case BGP_NOTIFICATION:
		bgp_notification_decode(body, len, &error);
		cr_assert_eq(bgp_notification_encode(&error, out), row->len, "%s", row->id);
		cr_assert_eq(memcmp(out, row->octets, row->len), 0, "%s", row->id);
		break;
	case BGP_ROUTE_REFRESH:
		cr_assert_eq(bgp_refresh_decode(body, len, &refresh, &error), 0, "%s", row->id);
		out_len = bgp_refresh_encode(refresh.family, refresh.subtype, out);
		cr_assert(!refresh.is_known || memcmp(out + BGP_HEADER_LEN, body, 4) == 0, "%s", row->id);
		cr_assert_eq(out_len, 23);
		break;
	case BGP_KEEPALIVE:
		cr_assert_eq(bgp_keepalive_encode(out), row->len);
		cr_assert_eq(memcmp(out, row->octets, row->len), 0);
		break;
	default:
		update_round(row);
	}
}

/*
 * Decode, encode, decode, compare. Of an UPDATE, what we may announce: the prefixes, the next hops and the attributes of
 * a struct path; the AS path that is written is our own.
 */
Test(messages, that_are_sound_survive_being_written_anew)
{
	static struct row row;
	FILE *file = messages_open();
	unsigned count = 0;

	while (row_next(file, &row)) {
		if (!is(&row, "expect", "\"valid\"") || !is_readable(&row) || judge(&row) != BGP_ACCEPT)
			continue;
		message_round(&row);
		count++;
	}
	cr_expect_gt(count, 880, "%u", count);
}
