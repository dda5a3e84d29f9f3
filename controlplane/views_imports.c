/* SPDX-License-Identifier: BSD-2-Clause */
/* What BGP peers told us of what we import. */
#include <stdio.h>

#include "base/clock.h"
#include "controlplane/node.h"
#include "controlplane/totals.h"
#include "controlplane/views.h"

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
