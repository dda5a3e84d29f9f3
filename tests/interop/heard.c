/* SPDX-License-Identifier: BSD-2-Clause */
#include "heard.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bgp/community.h"
#include "bgp/flowspec.h"
#include "bgp/update.h"

static const char *const families[BGP_FAMILIES] = {
	[BGP_V4] = "ipv4",
	[BGP_V6] = "ipv6",
	[BGP_FLOW4] = "flow4",
	[BGP_FLOW6] = "flow6",
};

static void
communities_show(const struct bgp_attributes *attributes)
{
	struct bgp_octets standard = attributes->communities;
	struct bgp_octets extended = attributes->extended;
	struct bgp_octets large = attributes->large;
	char text[COMMUNITY_TEXT_MAX];
	struct path_large triple;
	uint32_t number;
	uint64_t octets;

	while (bgp_community_next(&standard, &number))
		printf(" %s", community_format(number, text));
	while (bgp_extended_next(&extended, &octets))
		printf(" %s", community_format_extended(octets, text));
	while (bgp_large_next(&large, &triple))
		printf(" %s", community_format_large(&triple, text));
}

static void
path_show(const struct bgp_attributes *attributes, const struct addr *next_hop)
{
	struct bgp_as_walk walk = bgp_as_path_walk(&attributes->as_path);
	char text[ADDR_TEXT_MAX];
	uint32_t as;

	printf(" via %s as", next_hop->family == ADDR_NONE ? "-" : addr_format(next_hop, text));
	while (bgp_as_walk_next(&walk, &as))
		printf(" %" PRIu32, as);
	printf(" with");
	communities_show(attributes);
	if (bgp_has(attributes, BGP_OTC))
		printf(" otc %" PRIu32, attributes->otc);
}

/* The route's octets to text; false: none is left. */
static bool
route_next(struct bgp_nlri *rest, char *text, size_t room)
{
	struct bgp_octets components;
	struct prefix prefix;
	struct flowspec rule = {.family = rest->family == BGP_FLOW4 ? ADDR_V4 : ADDR_V6};

	if (rest->family == BGP_V4 || rest->family == BGP_V6) {
		if (!bgp_nlri_next(rest, &prefix))
			return false;
		prefix_format(&prefix, text);
		return true;
	}
	if (!bgp_nlri_next_flow(rest, &components))
		return false;
	rule.len = (uint16_t)(components.len < FLOWSPEC_OCTETS_MAX ? components.len : FLOWSPEC_OCTETS_MAX);
	memcpy(rule.octets, components.octets, rule.len);
	flowspec_format(&rule, text, room);
	return true;
}

static void
gone_show(struct bgp_nlri routes)
{
	char text[512];

	while (routes.is_known && route_next(&routes, text, sizeof(text)))
		printf("lost %s\n", text);
}

static void
come_show(struct bgp_nlri routes, const struct bgp_attributes *attributes, const struct addr *next_hop)
{
	char text[512];

	while (routes.is_known && route_next(&routes, text, sizeof(text))) {
		printf("heard %s", text);
		path_show(attributes, next_hop);
		printf("\n");
	}
}

static void
update(void *context, const struct bgp_update *update)
{
	(void)context;
	if (update->outcome != BGP_ACCEPT)
		printf("fault %s: %s\n", bgp_attribute_name(update->fault_type), update->fault ? update->fault : "");
	gone_show(update->withdrawn);
	gone_show(update->unreach);
	if (update->is_withdrawal) {
		gone_show(update->announced);
		gone_show(update->reach);
		return;
	}
	come_show(update->announced, &update->attributes, &update->attributes.next_hop);
	come_show(update->reach, &update->attributes, &update->reach_next_hop);
}

static void
end_of_rib(void *context, enum bgp_family family)
{
	(void)context;
	printf("end-of-rib %s\n", families[family]);
}

static void
refresh(void *context, enum bgp_family family, bool begins)
{
	(void)context;
	printf("refresh %s %s\n", begins ? "begins" : "ends", families[family]);
}

/* What has no event of its own: of our UPDATEs it is enough to know that they go and how long they are. */
static void
message(void *context, bool sent, const uint8_t *octets, size_t len)
{
	static const char *const subtypes[] = {
		[BGP_REFRESH_REQUEST] = "request",
		[BGP_REFRESH_BEGIN] = "begin",
		[BGP_REFRESH_END] = "end",
	};
	enum bgp_type type = octets[BGP_HEADER_LEN - 1];
	struct bgp_refresh asked;
	struct bgp_error error;

	(void)context;
	if (sent && type == BGP_UPDATE)
		printf("sent update of %zu\n", len);
	if (type != BGP_ROUTE_REFRESH ||
	    bgp_refresh_decode(octets + BGP_HEADER_LEN, len - BGP_HEADER_LEN, &asked, &error) != 0 || !asked.is_known)
		return;
	if (sent || asked.subtype == BGP_REFRESH_REQUEST)
		printf("%s refresh %s %s\n", sent ? "sent" : "received", subtypes[asked.subtype],
		       families[asked.family]);
}

const struct bgp_session_events heard = {
	.update = update,
	.end_of_rib = end_of_rib,
	.refresh = refresh,
	.message = message,
};

static void
negotiated_show(const struct bgp_status *now)
{
	const struct bgp_negotiated *n = &now->negotiated;

	printf("negotiated hold %u", now->hold_s);
	for (int i = 0; i < BGP_FAMILIES; i++)
		printf("%s%s", n->family[i] ? " " : "", n->family[i] ? families[i] : "");
	printf("%s%s%s%s%s%s", n->as4 ? " as4" : "", n->refresh ? " refresh" : "",
	       n->enhanced_refresh ? " enhanced-refresh" : "", n->extended_message ? " extended-message" : "",
	       n->extended_next_hop ? " extended-next-hop" : "", n->graceful_restart ? " graceful-restart" : "");
	if (n->peer_role != BGP_ROLE_NONE)
		printf(" role %d", (int)n->peer_role);
	printf("\n");
}

void
heard_status(struct bgp_status *shown, const struct bgp_status *now)
{
	if (now->errors != shown->errors)
		printf("%s %u/%u\n", now->last_error_ours ? "sent" : "received", now->last_error.code,
		       now->last_error.subcode);
	if (now->errors != shown->errors && !now->last_error_ours && now->text[0])
		printf("text %s\n", now->text);
	if (now->state != shown->state) {
		if (now->state == BGP_ESTABLISHED)
			negotiated_show(now);
		if (shown->state == BGP_ESTABLISHED)
			printf("%s\n", now->may_keep ? "may keep its routes" : "must forget its routes");
		printf("%s\n", bgp_state_name(now->state));
	}
	*shown = *now;
}
