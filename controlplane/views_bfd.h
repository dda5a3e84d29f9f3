/* SPDX-License-Identifier: BSD-2-Clause */
/* The sessions of BFD as JSON, in the shape of abi/control.h. Reads only. */
#ifndef CONTROLPLANE_VIEWS_BFD_H
#define CONTROLPLANE_VIEWS_BFD_H

#include <jansson.h>

struct node;

json_t *view_bfd(const struct node *node); /* a new reference, or NULL when memory is out */

#endif
