/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions, routes and what happened to them as JSON, in the shapes of abi/control.h. Reads only. */
#ifndef CONTROLPLANE_VIEWS_BGP_H
#define CONTROLPLANE_VIEWS_BGP_H

#include <jansson.h>

#include "base/types.h"

struct node;

/* Each gives a new reference, or NULL when memory is out. */
json_t *view_bgp(const struct node *node); /* all peers */
json_t *view_bgp_peer(const struct node *node, unsigned peer);
json_t *view_bgp_listen(const struct node *node); /* who may open a session, and what came of those that tried */
json_t *view_bgp_explain(const struct node *node, unsigned route);
json_t *view_bgp_log(const struct node *node, uint64_t after);
json_t *view_originated(const struct node *node, int kind); /* enum originate_kind */
void view_bgp_routes(const struct node *node, unsigned peer, json_t *list); /* puts them in */

#endif
