/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one peer told us of the two things that we import: FlowSpec rules, and unicast routes with BLACKHOLE (RFC 7999), which
 * are kept as the rule `dst PREFIX`. Everything else that it tells is passed over. Bounded by its limits, whatever comes:
 * over them the newest is refused and counted. An entry that can't be used (RFC 9117's validation, an action that nobody
 * here does, the operator's filter) is kept with its reason: what we announce may change, and people ask. No clock, no
 * socket; one thread.
 */
#ifndef BGP_RIB_IN_H
#define BGP_RIB_IN_H

#include "bgp/flowspec.h"
#include "bgp/update.h"

#define RIB_IN_RESEND_NS (UINT64_C(300) * 1000000000)

enum rib_in_kind { RIB_IN_FLOWSPEC = 0, RIB_IN_BLACKHOLE, RIB_IN_KINDS };

struct rib_in_config {
	bool takes[RIB_IN_KINDS];
	uint32_t max[RIB_IN_KINDS];
	uint64_t lifetime_ns[RIB_IN_KINDS]; /* an entry that isn't told again for so long goes; 0: never */
	bool ibgp;
	bool no_validation;   /* the peer is a controller that we trust: its rules may be for anything */
	uint32_t local_as;
	uint32_t peer_as;
	uint32_t router_id;   /* ours */
};

struct rib_in_entry {
	enum rib_in_kind kind;
	enum bgp_family family; /* as it came */
	struct flowspec rule;
	struct flowspec_action action;
	const char *refused;	/* why it may not be used; NULL: it may */
	const char *held;	/* the owner's reason (rib_in_hold) why it isn't used although it may, "not yet" at first; NULL: it is */
	uint64_t since_ns;
	uint64_t told_ns;	/* last */
	uint64_t stale_until_ns; /* the peer went away, or sends all again; 0: it stands by it */
	bool is_long_lived;	/* RFC 9494: a last choice, since the restart time is over or the peer says so */
	bool no_llgr;
	bool loops;		/* our AS is in its path, or we are its originator (RFC 4456 8) */
	bool leads;		/* the path is what RFC 9117 4.1, 4.2 want: our neighbour's, or of our own AS */
};

/* What the peer's OPEN said of a family (RFC 4724 3, RFC 9494 4.2). */
struct rib_in_restart {
	bool is_kept; /* graceful restart holds for it, and (after the restart) it was forwarded on */
	bool ends;    /* the peer has the capability at all: it sends End-of-RIB, and BoRR only after it (RFC 7313 4) */
	uint64_t restart_ns;
	uint64_t long_lived_ns; /* 0: not at all */
};

struct rib_in;

/* The operator's filter: why not; NULL: it may be used. */
typedef const char *rib_in_filter(void *context, const struct rib_in_entry *entry);

struct rib_in *rib_in_new(const struct rib_in_config *config); /* NULL: no memory */
void rib_in_free(struct rib_in *rib);			       /* NULL is fine */
void rib_in_filter_set(struct rib_in *rib, rib_in_filter *filter, void *context);

/* What we announce: rules and blackholes must be within one of these. All entries are looked at again. */
MUST_CHECK int rib_in_ours(struct rib_in *rib, const struct prefix *prefixes, unsigned n);

void rib_in_update(struct rib_in *rib, const struct bgp_update *update, uint64_t now_ns);
/* A family is forgotten: the peer has sent what can't be repaired. */
void rib_in_drop(struct rib_in *rib, enum bgp_family family);

/* The session is lost: a family whose restart is kept becomes stale; what was so already goes (RFC 4724 4.2), or has what
 * is left of its long-lived time (RFC 9494 4.2). NULL: all goes. The session is up again: a family that isn't kept any more
 * goes, the others have RIB_IN_RESEND_NS until their End-of-RIB. */
void rib_in_lost(struct rib_in *rib, const struct rib_in_restart restarts[BGP_FAMILIES], uint64_t now_ns);
void rib_in_up(struct rib_in *rib, const struct rib_in_restart restarts[BGP_FAMILIES], uint64_t now_ns);
void rib_in_end_of_rib(struct rib_in *rib, enum bgp_family family);
/* RFC 7313: the peer begins to send a family again, which takes RIB_IN_RESEND_NS at most; it has sent it. */
void rib_in_refresh(struct rib_in *rib, enum bgp_family family, bool begins, uint64_t now_ns);

/* Takes away what is due at rib_in_deadline_ns (UINT64_MAX: nothing). */
void rib_in_expire(struct rib_in *rib, uint64_t now_ns);
uint64_t rib_in_deadline_ns(const struct rib_in *rib);

/* When the entry of the family that was told longest ago was told; UINT64_MAX: there is none. */
uint64_t rib_in_oldest_ns(const struct rib_in *rib, enum bgp_family family);

/* Why an entry that may be used isn't; NULL: it is. The reason is a static text, and holds until the entry goes. */
void rib_in_hold(struct rib_in *rib, unsigned index, const char *held);

/* Something was refused for want of room, and there is room now: the peer is to be asked for all of it again. That it
 * is being asked is told by the second. */
bool rib_in_has_gap(const struct rib_in *rib, enum rib_in_kind kind);
void rib_in_asks(struct rib_in *rib, enum rib_in_kind kind);

unsigned rib_in_count(const struct rib_in *rib);
const struct rib_in_entry *rib_in_at(const struct rib_in *rib, unsigned index); /* by kind, then as rules are ordered */
uint64_t rib_in_over(const struct rib_in *rib, enum rib_in_kind kind);	/* refused for want of room since the session came up */
uint64_t rib_in_unusable(const struct rib_in *rib); /* NLRI that no value could be made of */
uint64_t rib_in_version(const struct rib_in *rib);  /* grows with each change of what is used */

#endif
