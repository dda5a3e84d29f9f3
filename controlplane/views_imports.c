/* SPDX-License-Identifier: BSD-2-Clause */
/* FlowSpec rules and blackholes: what BGP peers told us, and what we ask of them. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "controlplane/node.h"
#include "controlplane/originating.h"
#include "controlplane/totals.h"
#include "controlplane/views.h"
#include "controlplane/views_bgp.h"

static const char *const kinds[RIB_IN_KINDS] = {[RIB_IN_FLOWSPEC] = "flowspec", [RIB_IN_BLACKHOLE] = "blackhole"};

static const char *
state_of(const struct rib_in_entry *entry)
{
	if (entry->refused)
		return "refused";
	if (entry->held)
		return "not applied";
	if (entry->is_long_lived)
		return "long-lived stale";
	return entry->stale_until_ns ? "stale" : "used";
}

static void
action_format(const struct flowspec_action *action, char *text, size_t room)
{
	int n = 0;

	if ((action->has_bytes && !action->bytes_s) || (action->has_packets && !action->packets_s))
		n = snprintf(text, room, "drop");
	else if (!action->has_bytes && !action->has_packets)
		n = snprintf(text, room, "pass");
	else if (action->has_bytes && action->has_packets)
		n = snprintf(text, room, "%llu bytes/s %llu packets/s", (unsigned long long)action->bytes_s,
			     (unsigned long long)action->packets_s);
	else if (action->has_bytes)
		n = snprintf(text, room, "%llu bytes/s", (unsigned long long)action->bytes_s);
	else
		n = snprintf(text, room, "%llu packets/s", (unsigned long long)action->packets_s);
	snprintf(text + n, room - (size_t)n, "%s%s", action->sample ? " sample" : "", action->goes_on ? " go-on" : "");
}

/* What the filter that was made of it has met. */
static json_int_t
hits_of(const struct node *node, const struct rib_in_entry *entry)
{
	uint64_t key = imports_key(entry);

	for (unsigned i = 0; !entry->refused && !entry->held && i < filters_count(node->filters); i++) {
		if (filters_at(node->filters, i)->key == key)
			return (json_int_t)totals_filter_hits(publish_counters(node->publish), i);
	}
	return 0;
}

static json_t *
view_entry(const struct node *node, const char *peer, const struct rib_in_entry *entry)
{
	const char *reason = entry->refused ? entry->refused : entry->held;
	uint64_t now_ns = clock_now_ns();
	char rule[2048], action[128];

	flowspec_format(&entry->rule, rule, sizeof(rule));
	action_format(&entry->action, action, sizeof(action));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "peer", peer, "kind", kinds[entry->kind], "rule", rule,
			 "action", action, "state", state_of(entry), "reason", reason ? reason : "", "hits",
			 hits_of(node, entry), "since_s", (json_int_t)((now_ns - entry->since_ns) / CLOCK_NS_PER_S), "told_s",
			 (json_int_t)((now_ns - entry->told_ns) / CLOCK_NS_PER_S));
}

/* What was refused for want of room has left nothing but its number. */
static json_t *
view_over(const char *peer, enum rib_in_kind kind, uint64_t over)
{
	char text[96];

	snprintf(text, sizeof(text), "full: refused %llu times since the session came up", (unsigned long long)over);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "peer", peer, "kind", kinds[kind], "rule", "",
			 "action", "", "state", "not applied", "reason", text, "hits", 0, "since_s", 0, "told_s", 0);
}

void
view_imports_of(const struct node *node, unsigned peer, json_t *list)
{
	const struct rib_in *rib = imports_rib(node->imports, peer);
	const char *name = imports_peer(node->imports, peer);

	for (unsigned i = 0; i < rib_in_count(rib); i++)
		json_array_append_new(list, view_entry(node, name, rib_in_at(rib, i)));
	for (unsigned k = 0; k < RIB_IN_KINDS; k++) {
		if (rib_in_over(rib, (enum rib_in_kind)k) > 0)
			json_array_append_new(list, view_over(name, (enum rib_in_kind)k,
							      rib_in_over(rib, (enum rib_in_kind)k)));
	}
}

json_t *
view_imports(const struct node *node)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < imports_count(node->imports); i++)
		view_imports_of(node, i, list);
	return list;
}

static json_t *
view_origin(const struct node *node, const struct origin *origin, unsigned told)
{
	uint64_t now_s = (uint64_t)time(NULL);
	json_t *communities = json_array(), *view;
	char text[2048], action[128] = "blackhole";
	unsigned wanted = 0;

	originate_format(origin, text, sizeof(text));
	if (origin->kind == ORIGINATE_FLOWSPEC)
		action_format(&origin->action, action, sizeof(action));
	for (unsigned i = 0; i < peering_count(node->peering); i++)
		wanted += originating_is_for(node, origin, i);
	for (unsigned i = 0; i < origin->n_communities; i++)
		json_array_append_new(communities, json_string(origin->communities[i]));
	view = json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:o}", origin->kind == ORIGINATE_FLOWSPEC ? "rule" : "prefix", text,
			 "action", action, "to", origin->peer[0] ? origin->peer : "all", "peers", (int)wanted, "told", (int)told,
			 "left_s", (json_int_t)(origin->until_s > now_s ? origin->until_s - now_s : 0), "communities",
			 communities);
	return view;
}

json_t *
view_originated(const struct node *node, int kind)
{
	unsigned told[ORIGINATE_MAX];
	json_t *list = json_array();

	originating_count(node, told);
	for (unsigned i = 0; i < originate_count(node->originate); i++) {
		if (originate_at(node->originate, i)->kind == (enum originate_kind)kind)
			json_array_append_new(list, view_origin(node, originate_at(node->originate, i), told[i]));
	}
	return list;
}
