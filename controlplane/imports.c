/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/imports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/flowhash.h"
#include "base/log.h"
#include "controlplane/match.h"

_Static_assert((int)MODEL_IMPORT_FLOWSPEC == (int)RIB_IN_FLOWSPEC && (int)MODEL_IMPORTS == (int)RIB_IN_KINDS, "kinds");

/* Changes of a moment are worked off together, and what changes without end costs one round in so long. */
#define SETTLE_NS (20 * CLOCK_NS_PER_MS)
#define ROUND_NS (200 * CLOCK_NS_PER_MS)
/* A peer that has more than there is room for is asked again that often. */
#define GAP_NS (60 * CLOCK_NS_PER_S)

static const char no_room[] = "full: the guard has no room for more imported rules";
static const char said_better[] = "another peer says it too";

struct peer {
	const struct imports *imports;
	struct bgp_config config;
	struct rib_in *rib;
	struct imports_tally tally; /* that was told last */
	bool is_up;
	uint64_t asked_ns[BGP_FAMILIES]; /* to send all again */
};

struct imports {
	struct event_base *base;
	struct imports_events events;
	struct event *timer;
	struct model_import limits[MODEL_IMPORTS];
	unsigned n_ours;
	struct prefix *ours;
	unsigned n;
	struct peer **peers; /* in the order in which they joined */
	uint64_t version;   /* the sum of the ribs', when `changed` was called last */
	uint64_t round_ns;  /* when that was */
	uint64_t settle_ns; /* something may have changed: when that is looked at; 0: nothing */
};

/* RFC 8955 7.1: a rate of 0 drops. Without a rate, what matches is let through, and counted or sampled. */
static enum abi_filter_action
action_of(const struct flowspec_action *action)
{
	if ((action->has_bytes && action->bytes_s == 0) || (action->has_packets && action->packets_s == 0))
		return ABI_FILTER_DROP;
	if (action->has_bytes || action->has_packets)
		return ABI_FILTER_LIMIT;
	return action->sample ? ABI_FILTER_SAMPLE : ABI_FILTER_COUNT;
}

static bool
is_within(const struct model_import *import, const struct flowspec *rule)
{
	struct prefix dst;

	if (import->n_within == 0)
		return true;
	if (!flowspec_destination(rule, &dst))
		return false;
	for (unsigned i = 0; i < import->n_within; i++) {
		if (import->within[i].len <= dst.len && prefix_contains(&import->within[i], &dst.addr))
			return true;
	}
	return false;
}

static bool
is_short(const struct model_import *import, const struct flowspec *rule)
{
	struct prefix dst = {.len = 0};

	(void)flowspec_destination(rule, &dst);
	return dst.len < (rule->family == ADDR_V6 ? import->shortest_v6 : import->shortest_v4);
}

/* The operator's filter, and what the dataplane can't do. */
static const char *
fault_of(void *context, const struct rib_in_entry *entry)
{
	const struct peer *peer = context;
	const struct model_import *import = &peer->imports->limits[entry->kind];
	char fault[PROGRAM_FAULT_MAX];
	struct program program;

	if (!is_within(import, &entry->rule))
		return "not in bgp.import's within";
	if (is_short(import, &entry->rule))
		return "wider than bgp.import's shortest";
	if (!(import->actions & 1U << action_of(&entry->action)))
		return "not one of bgp.import's actions";
	return match_compile(&entry->rule, &program, fault) == 0 ? NULL : "too many comparisons";
}

static uint64_t
version_of(const struct imports *imports)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < imports->n; i++)
		sum += rib_in_version(imports->peers[i]->rib);
	return sum;
}

static void
timer_set(struct imports *imports, uint64_t at_ns)
{
	uint64_t now = clock_now_ns(), wait = at_ns > now ? at_ns - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(wait / CLOCK_NS_PER_S),
			     .tv_usec = (suseconds_t)(wait % CLOCK_NS_PER_S / 1000 + 1)};

	if (at_ns == UINT64_MAX)
		evtimer_del(imports->timer);
	else
		evtimer_add(imports->timer, &tv);
}

/* After everything that may have changed a rib; costs the same however many entries there are. */
static void
settle(struct imports *imports)
{
	uint64_t soon = clock_now_ns() + SETTLE_NS, next_round = imports->round_ns + ROUND_NS;

	if (imports->settle_ns)
		return;
	imports->settle_ns = soon > next_round ? soon : next_round;
	timer_set(imports, imports->settle_ns);
}

static enum rib_in_kind
kind_of(enum bgp_family family)
{
	return family == BGP_FLOW4 || family == BGP_FLOW6 ? RIB_IN_FLOWSPEC : RIB_IN_BLACKHOLE;
}

/* When the family is to be asked for again: half of its lifetime after its oldest entry, and after the last asking; sooner
 * when something was refused for which there is room now. */
static uint64_t
ask_at_ns(const struct peer *peer, enum bgp_family family)
{
	uint64_t half_ns = peer->imports->limits[kind_of(family)].lifetime_s * CLOCK_NS_PER_S / 2;
	uint64_t oldest_ns = rib_in_oldest_ns(peer->rib, family), asked_ns = peer->asked_ns[family];

	if (!peer->is_up)
		return UINT64_MAX;
	if (rib_in_has_gap(peer->rib, kind_of(family)))
		return asked_ns + GAP_NS;
	if (half_ns == 0 || oldest_ns == UINT64_MAX)
		return UINT64_MAX;
	return (oldest_ns > asked_ns ? oldest_ns : asked_ns) + half_ns;
}

static uint64_t
deadline_ns(const struct imports *imports)
{
	uint64_t first = imports->settle_ns ? imports->settle_ns : UINT64_MAX;

	for (unsigned i = 0; i < imports->n; i++) {
		uint64_t at = rib_in_deadline_ns(imports->peers[i]->rib);

		first = at < first ? at : first;
		for (unsigned f = 0; f < BGP_FAMILIES; f++) {
			at = ask_at_ns(imports->peers[i], (enum bgp_family)f);
			first = at < first ? at : first;
		}
	}
	return first;
}

/* All of a kind's families are asked before it is noted: what is short of room is the kind. */
static void
ask(struct peer *peer, uint64_t now)
{
	const struct imports *imports = peer->imports;
	bool is_asked[RIB_IN_KINDS] = {false};

	for (unsigned f = 0; f < BGP_FAMILIES; f++) {
		if (ask_at_ns(peer, (enum bgp_family)f) > now)
			continue;
		peer->asked_ns[f] = now;
		is_asked[kind_of((enum bgp_family)f)] = true;
		imports->events.refresh(imports->events.context, peer->config.name, (enum bgp_family)f);
	}
	for (unsigned k = 0; k < RIB_IN_KINDS; k++) {
		if (is_asked[k])
			rib_in_asks(peer->rib, (enum rib_in_kind)k);
	}
}

static void
tallies_tell(struct imports *imports)
{
	for (unsigned i = 0; i < imports->n; i++) {
		struct peer *peer = imports->peers[i];
		struct imports_tally now = imports_tally(imports, i);

		if (now.used == peer->tally.used && now.refused == peer->tally.refused && now.held == peer->tally.held &&
		    now.over == peer->tally.over)
			continue;
		peer->tally = now;
		imports->events.tallied(imports->events.context, peer->config.name, &now);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	struct imports *imports = context;
	uint64_t now = clock_now_ns(), version;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < imports->n; i++)
		rib_in_expire(imports->peers[i]->rib, now);
	version = version_of(imports);
	if (version != imports->version) {
		imports->version = version;
		imports->round_ns = now;
		imports->events.changed(imports->events.context);
	}
	tallies_tell(imports);
	for (unsigned i = 0; i < imports->n; i++)
		ask(imports->peers[i], now);
	imports->settle_ns = 0;
	timer_set(imports, deadline_ns(imports));
}

struct imports *
imports_new(struct event_base *base, const struct imports_events *events)
{
	struct imports *imports = calloc(1, sizeof(*imports));

	if (!imports)
		return NULL;
	imports->base = base;
	imports->events = *events;
	imports->timer = evtimer_new(base, on_timer, imports);
	if (imports->timer)
		return imports;
	free(imports);
	return NULL;
}

static void
peer_free(struct peer *peer)
{
	if (peer)
		rib_in_free(peer->rib);
	free(peer);
}

void
imports_free(struct imports *imports)
{
	if (!imports)
		return;
	for (unsigned i = 0; i < imports->n; i++)
		peer_free(imports->peers[i]);
	free(imports->peers);
	free(imports->ours);
	event_free(imports->timer);
	free(imports);
}

/* Empty. -ENOMEM: as it was. */
static int
rib_make(struct peer *peer)
{
	const struct imports *imports = peer->imports;
	const struct bgp_config *c = &peer->config;
	struct rib_in_config config = {.takes = {c->flowspec, c->import_blackhole},
				       .ibgp = c->local_as == c->peer_as,
				       .no_validation = c->no_validation,
				       .local_as = c->local_as,
				       .router_id = c->router_id,
				       .peer_as = c->peer_as};
	struct rib_in *rib;

	for (unsigned i = 0; i < RIB_IN_KINDS; i++) {
		config.max[i] = imports->limits[i].max;
		config.lifetime_ns[i] = imports->limits[i].lifetime_s * CLOCK_NS_PER_S;
	}
	rib = rib_in_new(&config);
	if (!rib || rib_in_ours(rib, imports->ours, imports->n_ours) != 0) {
		rib_in_free(rib);
		return -ENOMEM;
	}
	rib_in_filter_set(rib, fault_of, peer);
	rib_in_free(peer->rib);
	peer->rib = rib;
	return 0;
}

static struct peer *
peer_lookup(const struct imports *imports, const char *name)
{
	for (unsigned i = 0; i < imports->n; i++) {
		if (strcmp(imports->peers[i]->config.name, name) == 0)
			return imports->peers[i];
	}
	return NULL;
}

void
imports_join(struct imports *imports, const struct bgp_config *config)
{
	struct peer **room, *peer;

	if (!config->flowspec && !config->import_blackhole)
		return;
	room = reallocarray(imports->peers, imports->n + 1, sizeof(*room));
	imports->peers = room ? room : imports->peers;
	peer = calloc(1, sizeof(*peer));
	if (peer)
		*peer = (struct peer){.imports = imports, .config = *config};
	if (!room || !peer || rib_make(peer) != 0) {
		log_error("bgp %s: out of memory; nothing is imported", config->name);
		free(peer);
		return;
	}
	imports->peers[imports->n++] = peer;
}

void
imports_leave(struct imports *imports, const char *name)
{
	for (unsigned i = 0; i < imports->n; i++) {
		if (strcmp(imports->peers[i]->config.name, name) != 0)
			continue;
		peer_free(imports->peers[i]);
		imports->n--;
		memmove(&imports->peers[i], &imports->peers[i + 1], (imports->n - i) * sizeof(*imports->peers));
		imports->version = UINT64_MAX; /* what it had is gone, which no sum tells */
		settle(imports);
		return;
	}
}

/* What we announce is our VIPs and aggregates, whether or not they are announced at this moment. */
static int
ours_set(struct imports *imports, const struct model *model)
{
	unsigned n = model->n_vips + model->n_aggregates;
	struct prefix *ours = calloc(n + 1, sizeof(*ours));
	int err = 0;

	if (!ours)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		ours[i] = i < model->n_vips ? model->vips[i].prefix : model->aggregates[i - model->n_vips].prefix;
	free(imports->ours);
	imports->ours = ours;
	imports->n_ours = n;
	for (unsigned i = 0; !err && i < imports->n; i++)
		err = rib_in_ours(imports->peers[i]->rib, ours, n);
	return err;
}

/* The session stays; what it told is asked for again. */
static int
peer_renew(struct imports *imports, struct peer *peer)
{
	int err = rib_make(peer);

	for (unsigned f = 0; !err && peer->is_up && f < BGP_FAMILIES; f++)
		imports->events.refresh(imports->events.context, peer->config.name, (enum bgp_family)f);
	return err;
}

int
imports_apply(struct imports *imports, const struct model *model)
{
	bool is_renewed = memcmp(imports->limits, model->imports, sizeof(imports->limits)) != 0;
	int err = ours_set(imports, model);

	memcpy(imports->limits, model->imports, sizeof(imports->limits));
	for (unsigned i = 0; !err && is_renewed && i < imports->n; i++)
		err = peer_renew(imports, imports->peers[i]);
	if (is_renewed)
		imports->version = UINT64_MAX;
	settle(imports);
	return err;
}

/* What the sessions hear. */

void
imports_update(struct imports *imports, const char *name, const struct bgp_update *update)
{
	struct peer *peer = peer_lookup(imports, name);

	if (!peer)
		return;
	rib_in_update(peer->rib, update, clock_now_ns());
	settle(imports);
}

void
imports_end_of_rib(struct imports *imports, const char *name, enum bgp_family family)
{
	struct peer *peer = peer_lookup(imports, name);

	if (!peer)
		return;
	rib_in_end_of_rib(peer->rib, family);
	settle(imports);
}

void
imports_refresh(struct imports *imports, const char *name, enum bgp_family family, bool begins)
{
	struct peer *peer = peer_lookup(imports, name);

	if (!peer)
		return;
	rib_in_refresh(peer->rib, family, begins, clock_now_ns());
	settle(imports);
}

void
imports_family_down(struct imports *imports, const char *name, enum bgp_family family)
{
	struct peer *peer = peer_lookup(imports, name);

	if (!peer)
		return;
	rib_in_drop(peer->rib, family);
	settle(imports);
}

void
imports_state(struct imports *imports, const char *name, bool is_up, const struct rib_in_restart restarts[BGP_FAMILIES])
{
	static const struct rib_in_restart none[BGP_FAMILIES];
	struct peer *peer = peer_lookup(imports, name);

	if (!peer || peer->is_up == is_up)
		return;
	peer->is_up = is_up;
	if (is_up)
		rib_in_up(peer->rib, restarts ? restarts : none, clock_now_ns());
	else
		rib_in_lost(peer->rib, restarts, clock_now_ns());
	settle(imports);
}

/* Filters of what is used. */

struct candidate {
	unsigned rank; /* of the peer, in the configuration */
	unsigned index; /* in its rib */
	const struct peer *peer;
	const struct rib_in_entry *entry;
};

/* Blackholes before rules, rules in their order; of the same rule the better first: what is not long-lived stale (RFC 9494
 * 4.3; other staleness makes no difference, RFC 4724 4.2), then the peer that comes first in the configuration. */
static int
compare(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = (y->entry->kind > x->entry->kind) - (y->entry->kind < x->entry->kind);

	if (order == 0)
		order = flowspec_compare(&x->entry->rule, &y->entry->rule);
	if (order == 0)
		order = x->entry->is_long_lived - y->entry->is_long_lived;
	if (order == 0)
		order = (x->rank > y->rank) - (x->rank < y->rank);
	return order;
}

static void
text_make(const struct rib_in_entry *entry, char *text, size_t room)
{
	size_t n = entry->kind == RIB_IN_BLACKHOLE ? (size_t)snprintf(text, room, "blackhole ") : 0;

	flowspec_format(&entry->rule, text + n, room - n);
}

static struct filter *
filter_of(const struct candidate *c)
{
	const struct rib_in_entry *e = c->entry;
	struct filter *f = calloc(1, sizeof(*f));
	char fault[PROGRAM_FAULT_MAX];

	if (!f || match_compile(&e->rule, &f->program, fault) != 0) {
		free(f);
		return NULL;
	}
	snprintf(f->origin, sizeof(f->origin), "bgp/%s", c->peer->config.name);
	text_make(e, f->text, sizeof(f->text));
	f->action = (uint8_t)action_of(&e->action);
	f->is_last = !e->action.goes_on;
	f->packets_s = f->action == ABI_FILTER_LIMIT ? e->action.packets_s : 0;
	f->bytes_s = f->action == ABI_FILTER_LIMIT ? e->action.bytes_s : 0;
	if (!flowspec_destination(&e->rule, &f->dst))
		f->dst.addr.family = ADDR_NONE;
	f->key = imports_key(e);
	return f;
}

/* All that is used, sorted; NULL: none, or no memory. */
static struct candidate *
candidates_new(const struct imports *imports, unsigned *n)
{
	struct candidate *list;
	unsigned room = 0;

	for (unsigned i = 0; i < imports->n; i++)
		room += rib_in_count(imports->peers[i]->rib);
	list = room ? calloc(room, sizeof(*list)) : NULL;
	for (unsigned i = 0; list && i < imports->n; i++) {
		const struct peer *peer = imports->peers[i];

		for (unsigned k = 0; k < rib_in_count(peer->rib); k++) {
			if (!rib_in_at(peer->rib, k)->refused)
				list[(*n)++] = (struct candidate){i, k, peer, rib_in_at(peer->rib, k)};
		}
	}
	if (list)
		qsort(list, *n, sizeof(*list), compare);
	return list;
}

void
imports_fill(struct imports *imports, struct filters *filters)
{
	struct filter *made[MODEL_IMPORTED_MAX];
	unsigned n = 0, n_made = 0;
	struct candidate *list = candidates_new(imports, &n);

	for (unsigned i = 0; i < n; i++) {
		const struct candidate *c = &list[i];
		bool is_said = i > 0 && c[-1].entry->kind == c->entry->kind &&
			       flowspec_compare(&c[-1].entry->rule, &c->entry->rule) == 0;
		struct filter *f = !is_said && n_made < MODEL_IMPORTED_MAX ? filter_of(c) : NULL;

		if (f)
			made[n_made++] = f;
		rib_in_hold(c->peer->rib, c->index, f ? NULL : is_said ? said_better : no_room);
	}
	filters_import(filters, made, n_made);
	free(list);
}

unsigned
imports_count(const struct imports *imports)
{
	return imports->n;
}

const char *
imports_peer(const struct imports *imports, unsigned index)
{
	return imports->peers[index]->config.name;
}

const struct rib_in *
imports_rib(const struct imports *imports, unsigned index)
{
	return imports->peers[index]->rib;
}

struct imports_tally
imports_tally(const struct imports *imports, unsigned index)
{
	const struct rib_in *rib = imports->peers[index]->rib;
	struct imports_tally tally = {0};

	for (unsigned i = 0; i < rib_in_count(rib); i++) {
		const struct rib_in_entry *e = rib_in_at(rib, i);

		tally.refused += e->refused != NULL;
		tally.held += !e->refused && e->held;
		tally.used += !e->refused && !e->held;
	}
	for (unsigned k = 0; k < RIB_IN_KINDS; k++)
		tally.over += rib_in_over(rib, (enum rib_in_kind)k);
	return tally;
}

uint64_t
imports_key(const struct rib_in_entry *entry)
{
	uint64_t key = flowhash_bytes(entry->kind + 1, entry->rule.octets, entry->rule.len);

	return key ? key : 1;
}
