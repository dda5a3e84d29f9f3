/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The announce policy: may this VIP be announced now, and if not, why not; to this peer, and by which path. Pure: facts in,
 * a verdict and a path out.
 *
 * A VIP is announced only while the workers serve tables in which it can be served: `served` tells what the generation
 * in force was compiled from, `pools` what is known at this moment. Losing is believed at once, gaining only when served.
 */
#ifndef CONTROLPLANE_ANNOUNCE_H
#define CONTROLPLANE_ANNOUNCE_H

#include "controlplane/model.h"

/* What the operator said of a prefix by hand, until it expires. */
enum announce_hand { ANNOUNCE_HAND_NONE = 0, ANNOUNCE_HAND_YES, ANNOUNCE_HAND_NO };

/* How the services of a VIP are, all counted in one pass. */
struct announce_services {
	unsigned all;
	unsigned serving;
	uint8_t percent; /* of its weight that the worst of their pools has up; 100 without services */
};

/* out: [n_vips] */
void announce_count(const struct model *model, const bool *pool_serves, const uint8_t *pool_percent,
		    struct announce_services *out);

/* Could the VIP be served, going by its pools alone? What compile notes for `served`. */
bool announce_can(const struct model_vip *vip, const struct announce_services *services, enum announce_hand hand);

struct announce_facts {
	const struct model *model;
	const struct announce_services *services; /* [n_vips]: now */
	const uint8_t *hands;			  /* [n_vips]: enum announce_hand */
	bool dataplane_alive;
	bool leaving;  /* the node is, but still there for those who have no other */
	bool draining; /* it is withdrawn */
	/* VIPs that could be served when the generation in force was compiled, sorted by prefix_compare */
	const struct prefix *served;
	unsigned n_served;
};

enum announce_verdict {
	ANNOUNCE_YES = 0,
	ANNOUNCE_NEVER,	      /* the configuration says so */
	ANNOUNCE_BY_HAND,     /* withdrawn by the operator */
	ANNOUNCE_DRAINING,
	ANNOUNCE_NO_DATAPLANE,
	ANNOUNCE_NO_SERVICE,  /* none is configured on the VIP */
	ANNOUNCE_POOL_DOWN,   /* too few healthy backends that packets can reach */
	ANNOUNCE_NOT_SERVED,  /* the workers don't have it yet */
	ANNOUNCE_RISING,      /* well again, but not for long enough (controlplane/damping.h) */
	ANNOUNCE_HELD,	      /* it was announced and lost too often */
	ANNOUNCE_NO_MEMBER,   /* an aggregate of which no VIP is announced */
};

/* How a prefix stands, whoever the peer. */
struct announce_standing {
	enum announce_verdict verdict;
	bool is_degraded;
	bool is_leaving;
};

enum announce_verdict announce_decide(const struct announce_facts *facts, unsigned vip);
bool announce_is_degraded(const struct announce_facts *facts, unsigned vip);
/* Lost by itself, as opposed to by the operator's word: what counts as a flap. */
bool announce_is_lost(enum announce_verdict verdict);
const char *announce_reason(enum announce_verdict verdict);

/* A prefix that may be announced: a VIP's or an aggregate's. */
struct announce_route {
	struct prefix prefix;
	const struct model_vip *vip;	   /* NULL: it is an aggregate */
	const struct model_aggregate *sum; /* the aggregate; of a VIP: the one that it is inside of; NULL: none */
	struct announce_standing standing;
};

enum announce_offer {
	ANNOUNCE_OFFERED = 0,
	ANNOUNCE_WITHHELD,   /* by its standing */
	ANNOUNCE_NOT_HIM,    /* the VIP is never announced to this peer */
	ANNOUNCE_TOO_LONG,   /* for this peer */
	ANNOUNCE_AGGREGATED, /* its aggregate is announced in its place */
	ANNOUNCE_CROWDED,    /* the layers have more communities than a path holds */
};

/* The path is written when the route is offered. */
enum announce_offer announce_offer(const struct model *model, const struct announce_route *route,
				   const struct model_peer *peer, struct path *path);
const char *announce_offer_reason(enum announce_offer offer);

#endif
