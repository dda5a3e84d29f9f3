/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/{codec,open,attributes,update,update_encode,flowspec,path}.c base/?*.c */
/*
 * The first octet says what the rest is, the body of an UPDATE, OPEN, NOTIFICATION or ROUTE-REFRESH, and what the session
 * is. What is read is walked to its end, and what is accepted is written anew and must read the same.
 */
#include <stdlib.h>

#include "bgp/open.h"
#include "bgp/update.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static size_t
nlri_walk(struct bgp_nlri nlri, struct bgp_update_writer *into)
{
	struct prefix prefix;
	struct bgp_octets flow;
	size_t count = 0;

	if (!nlri.is_known)
		return 0;
	if (nlri.family == BGP_V4 || nlri.family == BGP_V6) {
		for (; bgp_nlri_next(&nlri, &prefix); count++) {
			must(prefix.len <= addr_bits(&prefix.addr));
			must(!into || bgp_update_add(into, &prefix));
		}
	} else {
		for (; bgp_nlri_next_flow(&nlri, &flow); count++)
			must(!into || bgp_update_add_flow(into, flow.octets, flow.len));
	}
	must(nlri.len == 0);
	return count;
}

static void
attributes_walk(const struct bgp_attributes *a, size_t size)
{
	struct bgp_octets communities = a->communities, extended = a->extended, large = a->large;
	uint32_t community;
	uint64_t eight;
	struct path_large twelve;

	while (bgp_community_next(&communities, &community))
		must(bgp_has_community(a, community));
	while (bgp_extended_next(&extended, &eight))
		;
	while (bgp_large_next(&large, &twelve))
		;
	must(bgp_as_path_length(&a->as_path) <= size);
	must(!bgp_as_path_contains(&a->as_path, 0));
	(void)bgp_as_path_origin(&a->as_path);
	(void)bgp_as_path_neighbour(&a->as_path);
}

static void
rewrite(const struct bgp_nlri *nlri, const struct bgp_route *route, const struct bgp_update_context *context)
{
	static uint8_t out[2 * BGP_EXTENDED_MAX];
	struct bgp_update_writer writer;
	struct bgp_update again;
	size_t count;
	size_t len;

	if (!nlri->is_known || nlri->len == 0)
		return;
	bgp_update_begin(&writer, route, nlri->family, out, BGP_EXTENDED_MAX);
	count = nlri_walk(*nlri, &writer);
	len = bgp_update_end(&writer);
	must(len <= BGP_EXTENDED_MAX);
	bgp_update_decode(out + BGP_HEADER_LEN, len - BGP_HEADER_LEN, context, &again);
	must(again.outcome == BGP_ACCEPT);
	must(nlri_walk(again.withdrawn, NULL) + nlri_walk(again.announced, NULL) + nlri_walk(again.reach, NULL) +
		     nlri_walk(again.unreach, NULL) == count);
}

static void
update_run(const uint8_t *body, size_t size, const struct bgp_update_context *context)
{
	struct bgp_update update;
	struct bgp_route route = {.local_as = 65002, .ibgp = context->ibgp, .peer_as4 = context->as4,
				  .role = BGP_ROLE_NONE};

	bgp_update_decode(body, size, context, &update);
	must((update.outcome == BGP_ACCEPT) == !update.fault);
	must((update.outcome == BGP_SESSION_RESET) == (update.error.code != 0));
	(void)nlri_walk(update.withdrawn, NULL);
	(void)nlri_walk(update.announced, NULL);
	(void)nlri_walk(update.reach, NULL);
	(void)nlri_walk(update.unreach, NULL);
	attributes_walk(&update.attributes, size);
	if (update.outcome != BGP_ACCEPT || size > BGP_MESSAGE_MAX)
		return;
	rewrite(&update.withdrawn, NULL, context);
	rewrite(&update.unreach, NULL, context);
	route.next_hop = update.attributes.next_hop;
	rewrite(&update.announced, &route, context);
	route.next_hop = update.reach_next_hop;
	route.link_local = update.reach_link_local;
	/* NEXT_HOP must be a host's; MP_REACH_NLRI's may be any. */
	if (route.next_hop.family != ADDR_V4)
		rewrite(&update.reach, &route, context);
}

static void
open_run(const uint8_t *body, size_t size)
{
	uint8_t out[BGP_MESSAGE_MAX], again[BGP_MESSAGE_MAX];
	struct bgp_open open, read;
	struct bgp_error error;
	size_t len;

	if (bgp_open_decode(body, size, &open, &error) != 0)
		return;
	len = bgp_open_encode(&open, out);
	must(bgp_open_decode(out + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &read, &error) == 0);
	must(bgp_open_encode(&read, again) == len && memcmp(out, again, len) == 0);
}

static void
notification_run(const uint8_t *body, size_t size)
{
	char text[BGP_TEXT_MAX + 1];
	struct bgp_error error, hard;

	bgp_notification_decode(body, size, &error);
	bgp_shutdown_text(&error, text);
	for (const char *at = text; *at; at++)
		must((uint8_t)*at >= 0x20 && *at != 0x7f);
	hard = bgp_error_hard_reset(&error);
	bgp_shutdown_text(&hard, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bgp_update_context context = {.peer_as = 65002};
	struct bgp_refresh refresh;
	struct bgp_error error;
	unsigned role;

	if (size == 0)
		return 0;
	context.as4 = data[0] & 1;
	context.ibgp = data[0] & 2;
	context.extended_next_hop = data[0] & 4;
	role = data[0] >> 3 & 7;
	context.role = role <= BGP_ROLE_PEER ? (enum bgp_role)role : BGP_ROLE_NONE;
	switch (data[0] >> 6) {
	case 0:
		update_run(data + 1, size - 1, &context);
		break;
	case 1:
		open_run(data + 1, size - 1);
		break;
	case 2:
		notification_run(data + 1, size - 1);
		break;
	default:
		(void)!bgp_refresh_decode(data + 1, size - 1, &refresh, &error);
	}
	return 0;
}
