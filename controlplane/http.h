/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's HTTP port: /metrics (Prometheus text format 0.0.4) and / (status page). Read-only; on the node's loop. */
#ifndef CONTROLPLANE_HTTP_H
#define CONTROLPLANE_HTTP_H

struct http;
struct node;

/* Listens on node->model->http_listen. NULL: the address can't be parsed or bound. */
struct http *http_new(const struct node *node);
void http_free(struct http *http); /* NULL is fine */

#endif
