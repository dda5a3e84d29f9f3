/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's part that imports: carries what the sessions hear to imports, and what comes of it to the filters. */
#ifndef CONTROLPLANE_IMPORTING_H
#define CONTROLPLANE_IMPORTING_H

#include "controlplane/model.h"

struct node;

/* After announcing_new(), before the first session. */
MUST_CHECK int importing_new(struct node *node);
/* After announcing_free(), whose sessions' ends it hears. */
void importing_free(struct node *node);

/* Before announcing_adopt(): sessions that are made then are held to these limits. */
MUST_CHECK int importing_adopt(struct node *node, const struct model *model);

#endif
