/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's state as text: for Prometheus, and as a page for people. Reads only; may be called at any time. */
#ifndef CONTROLPLANE_METRICS_H
#define CONTROLPLANE_METRICS_H

struct evbuffer;
struct node;

void metrics_write(struct evbuffer *out, const struct node *node);
void metrics_page(struct evbuffer *out, const struct node *node);

#endif
