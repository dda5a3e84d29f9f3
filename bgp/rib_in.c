/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/rib_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rib_in {
	struct rib_in_config config;
	rib_in_filter *filter;
	void *filter_context;
	unsigned n_ours;
	struct prefix *ours;
	unsigned n;
	unsigned n_kind[RIB_IN_KINDS];
	struct rib_in_entry **entries; /* room for all; sorted */
	struct rib_in_restart restarts[BGP_FAMILIES];
	bool awaits_end[BGP_FAMILIES]; /* End-of-RIB, of this session */
	bool lacks[RIB_IN_KINDS];      /* some were refused for want of room */
	uint64_t over[RIB_IN_KINDS];
	uint64_t unusable;
	uint64_t version;
};

struct rib_in *
rib_in_new(const struct rib_in_config *config)
{
	struct rib_in *rib = calloc(1, sizeof(*rib));
	size_t room = (size_t)config->max[RIB_IN_FLOWSPEC] + config->max[RIB_IN_BLACKHOLE];

	if (!rib)
		return NULL;
	rib->config = *config;
	rib->entries = calloc(room ? room : 1, sizeof(*rib->entries));
	if (rib->entries)
		return rib;
	free(rib);
	return NULL;
}

void
rib_in_free(struct rib_in *rib)
{
	if (!rib)
		return;
	for (unsigned i = 0; i < rib->n; i++)
		free(rib->entries[i]);
	free(rib->entries);
	free(rib->ours);
	free(rib);
}

void
rib_in_filter_set(struct rib_in *rib, rib_in_filter *filter, void *context)
{
	rib->filter = filter;
	rib->filter_context = context;
}

/* The place of a rule, or where it belongs. */
static unsigned
place(const struct rib_in *rib, enum rib_in_kind kind, const struct flowspec *rule, bool *found)
{
	unsigned low = 0, high = rib->n;

	*found = false;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		const struct rib_in_entry *e = rib->entries[middle];
		int order = e->kind != kind ? (e->kind > kind) - (e->kind < kind) : flowspec_compare(&e->rule, rule);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
take_away(struct rib_in *rib, unsigned index)
{
	rib->version += !rib->entries[index]->refused;
	rib->n_kind[rib->entries[index]->kind]--;
	free(rib->entries[index]);
	rib->n--;
	memmove(&rib->entries[index], &rib->entries[index + 1], (rib->n - index) * sizeof(*rib->entries));
}

/* Validation. */

static bool
is_ours(const struct rib_in *rib, const struct prefix *dst)
{
	for (unsigned i = 0; i < rib->n_ours; i++) {
		if (rib->ours[i].len <= dst->len && prefix_contains(&rib->ours[i], &dst->addr))
			return true;
	}
	return false;
}

/*
 * RFC 9117 4.1 asks whether whoever sends the rule is who announces its destination to us. What nearcast can filter for is
 * its own VIPs, whose routes are its own; so the rule must be for one of them (4.1 a, and b with ourselves as originator),
 * and come from our neighbour or from inside our AS.
 */
static const char *
fault_of(const struct rib_in *rib, const struct rib_in_entry *e)
{
	struct prefix dst;

	if (e->loops)
		return "it comes from us";
	if (e->action.refused)
		return e->action.refused;
	if (e->kind == RIB_IN_FLOWSPEC && rib->config.no_validation)
		return NULL;
	if (!flowspec_destination(&e->rule, &dst))
		return "no destination (RFC 9117)";
	if (!is_ours(rib, &dst))
		return "not for a VIP of ours (RFC 9117)";
	return e->leads ? NULL : "the path doesn't begin with the neighbour's AS (RFC 9117)";
}

/* A reason is a static text; changes of it are changes of what is used when one is NULL. */
static void
judge(struct rib_in *rib, struct rib_in_entry *e)
{
	const char *refused = fault_of(rib, e);

	if (!refused && rib->filter)
		refused = rib->filter(rib->filter_context, e);
	if (!refused != !e->refused)
		rib->version++;
	if (!refused && e->refused)
		e->held = "not yet"; /* the owner is about to see */
	e->refused = refused;
}

int
rib_in_ours(struct rib_in *rib, const struct prefix *prefixes, unsigned n)
{
	struct prefix *copy = malloc((n ? n : 1) * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, prefixes, n * sizeof(*copy));
	free(rib->ours);
	rib->ours = copy;
	rib->n_ours = n;
	for (unsigned i = 0; i < rib->n; i++)
		judge(rib, rib->entries[i]);
	return 0;
}

/* Taking in. */

static bool
path_leads(const struct rib_in *rib, const struct bgp_attributes *a)
{
	struct bgp_as_walk walk = bgp_as_path_walk(&a->as_path);
	uint32_t as;

	if (!rib->config.ibgp)
		return bgp_as_path_neighbour(&a->as_path) == rib->config.peer_as;
	/* RFC 9117 4.1 b.2: empty, or of our own confederation. */
	while (bgp_as_walk_next(&walk, &as)) {
		if (walk.type != BGP_CONFED_SEQUENCE && walk.type != BGP_CONFED_SET)
			return false;
	}
	return true;
}

static struct rib_in_entry *
entry_of(struct rib_in *rib, enum rib_in_kind kind, const struct flowspec *rule)
{
	bool found;
	unsigned at = place(rib, kind, rule, &found);
	struct rib_in_entry *e;

	if (found)
		return rib->entries[at];
	e = rib->n_kind[kind] < rib->config.max[kind] ? calloc(1, sizeof(*e)) : NULL;
	if (!e) {
		rib->over[kind]++;
		rib->lacks[kind] = true;
		return NULL;
	}
	e->kind = kind;
	e->rule = *rule;
	e->refused = "new";
	memmove(&rib->entries[at + 1], &rib->entries[at], (rib->n - at) * sizeof(*rib->entries));
	rib->entries[at] = e;
	rib->n++;
	rib->n_kind[kind]++;
	return e;
}

static bool
action_equal(const struct flowspec_action *a, const struct flowspec_action *b)
{
	return a->has_bytes == b->has_bytes && a->has_packets == b->has_packets && a->sample == b->sample &&
	       a->goes_on == b->goes_on && a->bytes_s == b->bytes_s && a->packets_s == b->packets_s;
}

/* What all routes of an UPDATE share, as an entry without a rule. */
static struct rib_in_entry
entry_like(const struct rib_in *rib, const struct bgp_update *u, enum rib_in_kind kind, uint64_t now_ns)
{
	const struct bgp_attributes *a = &u->attributes;
	struct rib_in_entry like = {.kind = kind, .told_ns = now_ns};

	if (kind == RIB_IN_FLOWSPEC)
		like.action = flowspec_action_decode(a->extended.octets, a->extended.len, a->ipv6_extended.octets,
						     a->ipv6_extended.len);
	else
		like.action.has_bytes = true; /* of which none */
	like.is_long_lived = bgp_has_community(a, BGP_LLGR_STALE);
	like.no_llgr = bgp_has_community(a, BGP_NO_LLGR);
	like.loops = bgp_as_path_contains(&a->as_path, rib->config.local_as) ||
		     (bgp_has(a, BGP_ORIGINATOR_ID) && a->originator_id == rib->config.router_id);
	like.leads = path_leads(rib, a);
	return like;
}

static void
announce(struct rib_in *rib, const struct rib_in_entry *like, enum bgp_family family, const struct flowspec *rule)
{
	struct rib_in_entry *e = entry_of(rib, like->kind, rule);

	if (!e)
		return;
	if (!e->refused && (!action_equal(&e->action, &like->action) || e->is_long_lived != like->is_long_lived))
		rib->version++;
	if (e->told_ns == 0)
		e->since_ns = like->told_ns;
	e->family = family;
	e->action = like->action;
	e->told_ns = like->told_ns;
	e->stale_until_ns = 0;
	e->is_long_lived = like->is_long_lived;
	e->no_llgr = like->no_llgr;
	e->loops = like->loops;
	e->leads = like->leads;
	judge(rib, e);
}

static void
withdraw(struct rib_in *rib, enum rib_in_kind kind, const struct flowspec *rule)
{
	bool found;
	unsigned at = place(rib, kind, rule, &found);

	if (found)
		take_away(rib, at);
}

static struct flowspec
rule_of_prefix(const struct prefix *prefix)
{
	uint8_t octets[24] = {0, FLOWSPEC_DST};
	struct flowspec_component c = {.type = FLOWSPEC_DST, .len = prefix->len, .addr = prefix->addr};
	struct writer w = writer_init(octets + 2, sizeof(octets) - 2);
	struct flowspec rule = {0};
	struct reader r;

	flowspec_prefix_write(&w, &c);
	octets[0] = (uint8_t)(1 + written_since(&w, octets + 2));
	r = reader_init(octets, 1U + octets[0]);
	if (flowspec_decode(&r, prefix->addr.family == ADDR_V4 ? ADDR_V4 : ADDR_V6, &rule) != 0)
		return (struct flowspec){.family = ADDR_NONE};
	return rule;
}

/* like NULL: withdrawn. */
static void
flows_take(struct rib_in *rib, const struct bgp_nlri *nlri, const struct rib_in_entry *like)
{
	struct reader r = reader_init(nlri->octets, nlri->len);
	enum addr_family family = nlri->family == BGP_FLOW4 ? ADDR_V4 : ADDR_V6;
	struct flowspec rule;

	while (!r.failed && reader_left(&r) > 0) {
		if (flowspec_decode(&r, family, &rule) != 0)
			rib->unusable += like != NULL;
		else if (like)
			announce(rib, like, nlri->family, &rule);
		else
			withdraw(rib, RIB_IN_FLOWSPEC, &rule);
	}
}

/* A route that has lost its BLACKHOLE is no longer one: like is NULL for it too. */
static void
prefixes_take(struct rib_in *rib, const struct bgp_nlri *nlri, const struct rib_in_entry *like)
{
	struct bgp_nlri rest = *nlri;
	struct prefix prefix;

	while (bgp_nlri_next(&rest, &prefix)) {
		struct flowspec rule = rule_of_prefix(&prefix);

		if (like)
			announce(rib, like, nlri->family, &rule);
		else
			withdraw(rib, RIB_IN_BLACKHOLE, &rule);
	}
}

static void
nlri_take(struct rib_in *rib, const struct bgp_update *u, const struct bgp_nlri *nlri, bool is_announced, uint64_t now_ns)
{
	enum rib_in_kind kind = nlri->family == BGP_FLOW4 || nlri->family == BGP_FLOW6 ? RIB_IN_FLOWSPEC : RIB_IN_BLACKHOLE;
	bool is_taken = is_announced && !u->is_withdrawal;
	struct rib_in_entry like;

	if (!nlri->is_known || nlri->len == 0 || !rib->config.takes[kind])
		return;
	if (kind == RIB_IN_BLACKHOLE)
		is_taken = is_taken && bgp_has_community(&u->attributes, BGP_BLACKHOLE);
	if (is_taken)
		like = entry_like(rib, u, kind, now_ns);
	if (kind == RIB_IN_FLOWSPEC)
		flows_take(rib, nlri, is_taken ? &like : NULL);
	else
		prefixes_take(rib, nlri, is_taken ? &like : NULL);
}

void
rib_in_update(struct rib_in *rib, const struct bgp_update *update, uint64_t now_ns)
{
	if (update->outcome == BGP_SESSION_RESET)
		return;
	nlri_take(rib, update, &update->withdrawn, false, now_ns);
	nlri_take(rib, update, &update->unreach, false, now_ns);
	nlri_take(rib, update, &update->announced, true, now_ns);
	nlri_take(rib, update, &update->reach, true, now_ns);
	if (update->disabled.is_known)
		rib_in_drop(rib, update->disabled.family);
}

void
rib_in_drop(struct rib_in *rib, enum bgp_family family)
{
	for (unsigned i = rib->n; i-- > 0;) {
		if (rib->entries[i]->family == family)
			take_away(rib, i);
	}
}

/* Staleness. */

void
rib_in_lost(struct rib_in *rib, const struct rib_in_restart restarts[BGP_FAMILIES], uint64_t now_ns)
{
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		rib->restarts[f] = restarts ? restarts[f] : (struct rib_in_restart){.is_kept = false};
	for (unsigned i = rib->n; i-- > 0;) {
		struct rib_in_entry *e = rib->entries[i];
		bool is_running = e->stale_until_ns && e->is_long_lived && rib->restarts[e->family].long_lived_ns;

		if (!rib->restarts[e->family].is_kept || (e->stale_until_ns && !is_running))
			take_away(rib, i);
		else if (!is_running)
			e->stale_until_ns = now_ns + rib->restarts[e->family].restart_ns;
	}
	rib_in_expire(rib, now_ns); /* a restart time of 0 leads to RFC 9494's at once */
}

void
rib_in_up(struct rib_in *rib, const struct rib_in_restart restarts[BGP_FAMILIES], uint64_t now_ns)
{
	for (unsigned i = rib->n; i-- > 0;) {
		struct rib_in_entry *e = rib->entries[i];
		const struct rib_in_restart *restart = &restarts[e->family];

		if (!restart->is_kept)
			take_away(rib, i);
		else if (e->stale_until_ns && !e->is_long_lived)
			e->stale_until_ns = now_ns + RIB_IN_RESEND_NS;
	}
	for (unsigned f = 0; f < BGP_FAMILIES; f++)
		rib->awaits_end[f] = restarts[f].ends;
	memset(rib->over, 0, sizeof(rib->over));
	memcpy(rib->restarts, restarts, sizeof(rib->restarts));
}

static void
sweep(struct rib_in *rib, enum bgp_family family)
{
	for (unsigned i = rib->n; i-- > 0;) {
		if (rib->entries[i]->family == family && rib->entries[i]->stale_until_ns)
			take_away(rib, i);
	}
}

void
rib_in_end_of_rib(struct rib_in *rib, enum bgp_family family)
{
	rib->awaits_end[family] = false;
	sweep(rib, family);
}

void
rib_in_refresh(struct rib_in *rib, enum bgp_family family, bool begins, uint64_t now_ns)
{
	if (rib->awaits_end[family])
		return; /* RFC 7313 4 */
	if (!begins) {
		sweep(rib, family);
		return;
	}
	for (unsigned i = 0; i < rib->n; i++) {
		if (rib->entries[i]->family == family)
			rib->entries[i]->stale_until_ns = now_ns + RIB_IN_RESEND_NS;
	}
}

/* The restart time is over: RFC 9494 4.3 keeps it on, as a last choice, unless it is marked NO_LLGR. */
static bool
lives_on(struct rib_in *rib, struct rib_in_entry *e)
{
	uint64_t long_lived_ns = rib->restarts[e->family].long_lived_ns;

	if (e->is_long_lived || e->no_llgr || long_lived_ns == 0)
		return false;
	e->is_long_lived = true;
	e->stale_until_ns += long_lived_ns;
	rib->version += !e->refused;
	return true;
}

void
rib_in_expire(struct rib_in *rib, uint64_t now_ns)
{
	for (unsigned i = rib->n; i-- > 0;) {
		struct rib_in_entry *e = rib->entries[i];
		uint64_t lifetime_ns = rib->config.lifetime_ns[e->kind];
		bool is_stale = e->stale_until_ns && e->stale_until_ns <= now_ns;

		if (is_stale && lives_on(rib, e))
			is_stale = e->stale_until_ns <= now_ns;
		if (is_stale || (lifetime_ns && now_ns - e->told_ns >= lifetime_ns))
			take_away(rib, i);
	}
}

uint64_t
rib_in_deadline_ns(const struct rib_in *rib)
{
	uint64_t first = UINT64_MAX;

	for (unsigned i = 0; i < rib->n; i++) {
		const struct rib_in_entry *e = rib->entries[i];
		uint64_t lifetime_ns = rib->config.lifetime_ns[e->kind];

		if (e->stale_until_ns && e->stale_until_ns < first)
			first = e->stale_until_ns;
		if (lifetime_ns && e->told_ns + lifetime_ns < first)
			first = e->told_ns + lifetime_ns;
	}
	return first;
}

void
rib_in_hold(struct rib_in *rib, unsigned index, const char *held)
{
	rib->entries[index]->held = held;
}

bool
rib_in_has_gap(const struct rib_in *rib, enum rib_in_kind kind)
{
	return rib->lacks[kind] && rib->n_kind[kind] < rib->config.max[kind];
}

void
rib_in_asks(struct rib_in *rib, enum rib_in_kind kind)
{
	rib->lacks[kind] = false;
}

uint64_t
rib_in_oldest_ns(const struct rib_in *rib, enum bgp_family family)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < rib->n; i++) {
		if (rib->entries[i]->family == family && rib->entries[i]->told_ns < oldest)
			oldest = rib->entries[i]->told_ns;
	}
	return oldest;
}

unsigned
rib_in_count(const struct rib_in *rib)
{
	return rib->n;
}

const struct rib_in_entry *
rib_in_at(const struct rib_in *rib, unsigned index)
{
	return rib->entries[index];
}

uint64_t
rib_in_over(const struct rib_in *rib, enum rib_in_kind kind)
{
	return rib->over[kind];
}

uint64_t
rib_in_unusable(const struct rib_in *rib)
{
	return rib->unusable;
}

uint64_t
rib_in_version(const struct rib_in *rib)
{
	return rib->version;
}
