/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/importing.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/node.h"

static const char *
name_of(const struct bgp_session *session)
{
	return bgp_session_config(session)->name;
}

static void
on_joined(void *context, const struct bgp_session *session)
{
	struct node *node = context;

	imports_join(node->imports, bgp_session_config(session));
}

static void
on_left(void *context, const struct bgp_session *session)
{
	struct node *node = context;

	imports_leave(node->imports, name_of(session));
}

static void
on_update(void *context, const struct bgp_session *session, const struct bgp_update *update)
{
	struct node *node = context;

	imports_update(node->imports, name_of(session), update);
}

static void
on_end_of_rib(void *context, const struct bgp_session *session, enum bgp_family family)
{
	struct node *node = context;

	imports_end_of_rib(node->imports, name_of(session), family);
}

static void
on_refresh(void *context, const struct bgp_session *session, enum bgp_family family, bool begins)
{
	struct node *node = context;

	imports_refresh(node->imports, name_of(session), family, begins);
}

static void
on_family_down(void *context, const struct bgp_session *session, enum bgp_family family)
{
	struct node *node = context;

	imports_family_down(node->imports, name_of(session), family);
}

/* F bits count after a restart only: before it they say nothing (RFC 4724 4.2). A family that only RFC 9494 keeps has no
 * restart time. */
static void
restarts_of(const struct bgp_negotiated *n, bool is_up, struct rib_in_restart restarts[BGP_FAMILIES])
{
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		restarts[f] = (struct rib_in_restart){
			.is_kept = n->graceful_restart && (n->keeps[f] || n->llgr_s[f]) && (!is_up || n->forwards[f]),
			.ends = n->graceful_restart,
			.restart_ns = n->keeps[f] ? n->restart_s * CLOCK_NS_PER_S : 0,
			.long_lived_ns = n->llgr_s[f] * CLOCK_NS_PER_S};
}

static void
on_state(void *context, const struct bgp_session *session, enum bgp_state old, enum bgp_state now)
{
	struct bgp_status status = bgp_session_status(session);
	struct rib_in_restart restarts[BGP_FAMILIES];
	struct node *node = context;
	bool is_up = now == BGP_ESTABLISHED;

	if (is_up == (old == BGP_ESTABLISHED))
		return;
	restarts_of(&status.negotiated, is_up, restarts);
	imports_state(node->imports, name_of(session), is_up, is_up || status.may_keep ? restarts : NULL);
}

static void
on_changed(void *context)
{
	struct node *node = context;

	imports_fill(node->imports, node->filters);
	node_changed(node);
}

/* Once for all changes of a moment: a peer that changes its mind all the time fills no log. */
static void
on_tallied(void *context, const char *peer, const struct imports_tally *now)
{
	struct node *node = context;
	char over[48] = "";

	if (now->over)
		snprintf(over, sizeof(over), ", %llu over its cap", (unsigned long long)now->over);
	log_notice("bgp %s: imported: %u used, %u refused, %u not applied%s", peer, now->used, now->refused, now->held, over);
	journal_add(node->journal, "import", peer, "%u used, %u refused, %u not applied%s", now->used, now->refused,
		    now->held, over);
}

static void
on_refresh_due(void *context, const char *peer, enum bgp_family family)
{
	struct node *node = context;
	int index = peering_lookup(node->peering, peer);

	if (index < 0 || !bgp_session_status(peering_session(node->peering, (unsigned)index)).negotiated.family[family])
		return;
	if (peering_refresh(node->peering, (unsigned)index, family) == -EOPNOTSUPP)
		log_warning("bgp %s: can't be asked to tell all again: what it told dies with its lifetime", peer);
}

int
importing_new(struct node *node)
{
	static const struct peering_watcher watcher = {.joined = on_joined,
						       .left = on_left,
						       .state = on_state,
						       .update = on_update,
						       .end_of_rib = on_end_of_rib,
						       .refresh = on_refresh,
						       .family_down = on_family_down};
	const struct imports_events events = {
		.changed = on_changed, .tallied = on_tallied, .refresh = on_refresh_due, .context = node};

	node->imports = imports_new(node->base, &events);
	return node->imports ? peering_watch(node->peering, &watcher, node) : -ENOMEM;
}

void
importing_free(struct node *node)
{
	imports_free(node->imports);
}

int
importing_adopt(struct node *node, const struct model *model)
{
	return imports_apply(node->imports, model);
}
