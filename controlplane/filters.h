/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's filters, in the order in which they run: those of the configuration, then those that were added by hand,
 * which are kept in a state file over a restart, then those that BGP peers asked for (controlplane/imports.h), which are kept
 * nowhere. One thread.
 */
#ifndef CONTROLPLANE_FILTERS_H
#define CONTROLPLANE_FILTERS_H

#include "controlplane/config.h"
#include "controlplane/program.h"

struct filter {
	uint32_t id;		      /* by hand: 1, 2, ...; else 0 */
	char origin[BGP_NAME_MAX + 4]; /* "bgp/PEER" of what was imported; else "" */
	char name[MODEL_NAME_MAX];    /* of the configuration; by hand "" */
	char text[PROGRAM_EXPRESSION_MAX + 1]; /* expression, or an object's path */
	char section[64];	      /* of an object; "": text is an expression */
	char service[MODEL_NAME_MAX]; /* "": all */
	uint8_t action;		      /* enum abi_filter_action */
	bool is_last;		      /* filters behind it don't see what it matches */
	uint64_t packets_s;	      /* of ABI_FILTER_LIMIT; 0: any number */
	uint64_t bytes_s;
	struct prefix dst;	      /* all that it matches goes there; family ADDR_NONE: not known */
	uint64_t until_s;	      /* Unix time; 0: for good */
	uint64_t key;
	struct program program;
};

struct filters;

/* The state file may be missing. A filter in it that can't be compiled any more is told of and left out. NULL: no memory. */
struct filters *filters_new(const char *state_path);
void filters_free(struct filters *filters); /* NULL is fine */

/* Those of the model in place of the ones before. -EINVAL with the errors: nothing has changed; -ENOSPC; -ENOMEM. */
MUST_CHECK int filters_adopt(struct filters *filters, const struct model *model, struct config_errors *errors);

/* Compiles `like` (text, section, service, action, until_s) and adds it; *id is what it is called. -EINVAL with why not;
 * -ENOSPC: MODEL_FILTERS_MAX; or the state file's fault. */
MUST_CHECK int filters_add(struct filters *filters, const struct filter *like, uint32_t *id,
			   char fault[static PROGRAM_FAULT_MAX]);
MUST_CHECK int filters_remove(struct filters *filters, uint32_t id); /* -ENOENT: none by hand is called so */

/* Takes away what is due; how many. */
unsigned filters_expire(struct filters *filters, uint64_t now_s);

/* Imported ones in place of those before, at most MODEL_IMPORTED_MAX, in their order; their programs are made. They are
 * the filters' from now on; the array stays the caller's. */
void filters_import(struct filters *filters, struct filter *const *list, unsigned n);

unsigned filters_count(const struct filters *filters);
const struct filter *filters_at(const struct filters *filters, unsigned index);

#endif
