/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's part that originates: tells the sessions what the operator has us ask of routers (originate.h), withdraws it
 * when its time is over, and keeps routes from speaking of a prefix that is a blackhole meanwhile.
 */
#ifndef CONTROLPLANE_ORIGINATING_H
#define CONTROLPLANE_ORIGINATING_H

#include "controlplane/originate.h"

struct node;

MUST_CHECK int originating_new(struct node *node); /* after announcing_new() */
void originating_free(struct node *node);	   /* after announcing_free() */

/* After the node has the model: whose destinations are ours, and which peers there are. */
void originating_adopt(struct node *node);
void originating_tick(struct node *node, uint64_t now_s); /* each second */

/* Is this destination inside of what we announce? */
bool originating_is_ours(const struct node *node, const struct prefix *prefix);
/* Is it asked of this peer: a blackhole of ours, a rule where FlowSpec is switched on? */
bool originating_is_for(const struct node *node, const struct origin *origin, unsigned peer);

bool originating_is_blackhole(const struct node *node, const struct prefix *prefix, unsigned peer);

/* As originate_set(). */
MUST_CHECK int originating_announce(struct node *node, const struct origin *origin);
void originating_withdraw(struct node *node, unsigned index, const char *why);

/* To how many peers each is told by now. */
void originating_count(const struct node *node, unsigned told[static ORIGINATE_MAX]);

#endif
