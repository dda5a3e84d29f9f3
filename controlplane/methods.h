/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be asked of the node on its control socket (abi/control.h): the table of methods, and those that wait. */
#ifndef CONTROLPLANE_METHODS_H
#define CONTROLPLANE_METHODS_H

#include "base/types.h"

struct methods;
struct node;

/* Opens the control socket. */
MUST_CHECK int methods_new(struct node *node, struct methods **out);
void methods_free(struct methods *methods); /* NULL is fine */

/* Something changed that a waiting call may wait for. NULL is fine. */
void methods_progress(struct methods *methods);

/* For the methods of other files: whose node it is. */
struct node *methods_node(const struct methods *methods);

#endif
