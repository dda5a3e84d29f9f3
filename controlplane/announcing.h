/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's part that announces: carries what is known and what the operator said to routes, drains the node step by
 * step, and writes down what happens to sessions.
 */
#ifndef CONTROLPLANE_ANNOUNCING_H
#define CONTROLPLANE_ANNOUNCING_H

#include "controlplane/admin.h"
#include "controlplane/config.h"
#include "controlplane/facts.h"

struct node;

MUST_CHECK int announcing_new(struct node *node); /* what announces, in the node */
/* Withdraws everything and ends all sessions. */
void announcing_free(struct node *node);

/*
 * The model's peers and prefixes. After -ENOMEM the old prefixes hold, which belong to the old model. When it can't be
 * listened as the model says, *errors has the reason, and nothing has changed.
 */
MUST_CHECK int announcing_adopt(struct node *node, const struct model *model, struct config_errors *errors);

/* Sessions begin: we dial, and take connections. */
void announcing_start(struct node *node);

/* The prefixes that the image may serve, sorted, into node->wanted. */
void announcing_want(struct node *node, const struct facts *facts);
/* Routes as they should be now. */
void announcing_update(struct node *node, const struct facts *facts);
void announcing_tick(struct node *node); /* each second */

/* The node leaves, or is back; `at_once`: without saying goodbye. */
MUST_CHECK int announcing_drain(struct node *node, bool draining, bool at_once);
/* A prefix by hand, for this long (0: for good). -ENOENT: it is neither a VIP's nor an aggregate's. */
MUST_CHECK int announcing_hand(struct node *node, const struct prefix *prefix, enum admin_hand hand, uint64_t for_s);
/* reason NULL: open again. -ENOENT: no such peer. */
MUST_CHECK int announcing_shut(struct node *node, const char *peer, const char *reason);

/* Every peer knows of every route what it should. */
bool announcing_is_settled(const struct node *node);

#endif
