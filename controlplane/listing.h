/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's lists of prefixes: those of the configuration's files, and what the operator added by hand, which is kept in a
 * state file of the lists' own format over a restart. What changes goes to the dataplane at once; a new dataplane is sent all.
 * Event loop's thread.
 */
#ifndef CONTROLPLANE_LISTING_H
#define CONTROLPLANE_LISTING_H

#include "controlplane/lists.h"
#include "controlplane/model.h"
#include "controlplane/publish.h"

struct listing;

/* The state file may be missing; one that can't be read is told of and left alone. NULL: no memory. */
struct listing *listing_new(const char *state_path);
void listing_free(struct listing *listing); /* NULL is fine */

/* From now on changes go there. */
void listing_attach(struct listing *listing, struct publish *publish);
/* A dataplane is connected: everything, in place of what it has. */
void listing_send(struct listing *listing);

/* Reads the model's files, all of them before anything changes: -EINVAL with the errors, -ENOSPC, -ENOMEM. */
MUST_CHECK int listing_adopt(struct listing *listing, const struct model *model, struct config_errors *errors);

/* By hand. 0 or -errno; of the state file too, which nothing is kept without. -ENOENT: there is no such entry. */
MUST_CHECK int listing_add(struct listing *listing, const struct list_entry *entry);
MUST_CHECK int listing_remove(struct listing *listing, const struct prefix *prefix);

/* About once a second: takes away what is due. */
void listing_tick(struct listing *listing, uint64_t now_s);

const struct lists *listing_lists(const struct listing *listing);

#endif
