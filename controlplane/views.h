/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's state as JSON, in the shapes that abi/control.h gives for the control socket's results. Reads only. */
#ifndef CONTROLPLANE_VIEWS_H
#define CONTROLPLANE_VIEWS_H

#include <jansson.h>

struct node;

/* Each gives a new reference, or NULL when memory is out. */
json_t *view_status(const struct node *node);
json_t *view_services(const struct node *node);
json_t *view_backends(const struct node *node);
json_t *view_vips(const struct node *node);
json_t *view_workers(const struct node *node);
json_t *view_ports(const struct node *node);
json_t *view_signatures(const struct node *node);
json_t *view_filters(const struct node *node);
json_t *view_imports(const struct node *node);
void view_imports_of(const struct node *node, unsigned peer, json_t *list); /* imports_peer(); puts them in */
json_t *view_lists(const struct node *node); /* 10,000 entries at most */
json_t *view_attacks(const struct node *node);
json_t *view_talkers(const struct node *node, const char *service); /* NULL: of all */
json_t *view_drops(const struct node *node);

#endif
