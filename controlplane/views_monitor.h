/* SPDX-License-Identifier: BSD-2-Clause */
/* Who watches BGP, as JSON and as metrics. Reads only. */
#ifndef CONTROLPLANE_VIEWS_MONITOR_H
#define CONTROLPLANE_VIEWS_MONITOR_H

#include <jansson.h>

struct evbuffer;
struct node;

json_t *view_monitors(const struct node *node); /* a new reference; NULL: no memory */
void monitor_metrics(struct evbuffer *out, const struct node *node);

#endif
