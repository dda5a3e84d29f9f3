/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's lists: which prefixes are to be dropped, allowed or limited, from whom, why and for how long; and a feed
 * of changes of what that comes to, for the dataplane. One thread.
 *
 * An entry belongs to a source: LISTS_MANUAL (commands) or a file by its name. Sources don't know of each other: each has
 * its own entry for a prefix, and one in force is what they come to. The one in force is the manual one if there is one
 * (who is at the console has seen what files do); else the strictest: drop before limit before allow; of two limits the
 * lower class; of equal ones the source named first. When it goes, the next comes into force. Prefixes that hold one
 * another are not merged: the longest match decides, in the dataplane.
 */
#ifndef CONTROLPLANE_LISTS_H
#define CONTROLPLANE_LISTS_H

#include "controlplane/listfile.h"

enum { LISTS_MANUAL = 0, LISTS_SOURCES_MAX = 64 };

struct list_change {
	struct prefix prefix;
	uint8_t action; /* enum abi_list_action; LIST_NONE: remove the prefix */
	uint8_t class;
};

struct lists_config {
	uint64_t seed; /* of the hash of prefixes: random, so that a foreign list can't aim at one bucket */
	void (*changed)(void *context, const struct list_change *change); /* NULL: nobody listens. Calls nothing here */
	void *context;
};

typedef void lists_visit(void *context, unsigned source, const struct list_entry *entry, bool is_in_force);

struct lists;
struct lists *lists_new(const struct lists_config *config); /* NULL: out of memory */
void lists_free(struct lists *l);			    /* NULL is fine; feeds nothing */

/* The number of a file's source by its name, a new one if there is none; -ENOSPC: LISTS_SOURCES_MAX; -ENOMEM. */
MUST_CHECK int lists_source(struct lists *l, const char *name);
const char *lists_source_name(const struct lists *l, unsigned source); /* NULL: there is none */

/* Of two of one source and prefix the later replaces. comment is copied. -EINVAL: no action, no source; -ENOSPC:
 * LIST_ENTRIES_MAX of all sources; -ENOMEM. Nothing has changed then. */
MUST_CHECK int lists_set(struct lists *l, unsigned source, const struct list_entry *entry);
MUST_CHECK int lists_remove(struct lists *l, unsigned source, const struct prefix *prefix); /* -ENOENT */
/* The source has what the file has and nothing else; NULL: nothing. Takes the file's comments; the file is still the
 * caller's to free. As lists_set, whole or not at all. */
MUST_CHECK int lists_replace(struct lists *l, unsigned source, struct listfile *file);

/* Removes what is due; how many. O(log n) for each. */
unsigned lists_expire(struct lists *l, uint64_t now_s);
uint64_t lists_next_expiry(const struct lists *l); /* Unix time; 0: never */

unsigned lists_count(const struct lists *l); /* entries of all sources */
/* The entry in force of exactly this prefix, valid until the next change; NULL: none. */
const struct list_entry *lists_lookup(const struct lists *l, const struct prefix *prefix);
void lists_each(const struct lists *l, lists_visit *visit, void *context); /* in no order; changes nothing meanwhile */

#endif
