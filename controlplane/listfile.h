/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A text file of the guard's lists: entries, or a list of what is wrong with it, each with its place. One entry a line:
 *
 *   PREFIX drop|allow|limit CLASS [for DURATION | until UNIX-SECONDS] [# comment]
 *   192.0.2.0/24 drop for 1h # scanner
 *   2001:db8::/32 limit 3
 *
 * Words are separated by blanks; empty lines and lines of a comment are passed over. CLASS is 0..255, DURATION a number
 * with s, m, h or d, counted from when the file is read. What `until` says is past is left out without a word. Of two
 * lines with one prefix the later counts. No state; any thread.
 */
#ifndef CONTROLPLANE_LISTFILE_H
#define CONTROLPLANE_LISTFILE_H

#include "abi/list.h"
#include "base/addr.h"
#include "controlplane/config.h"

enum {
	LISTFILE_TEXT_MAX = 256 << 20,
	LIST_COMMENT_MAX = 120, /* octets; what is longer is cut */
	LIST_DURATION_MAX_S = 10 * 366 * 86400,
};

/* What somebody wants of a prefix. */
struct list_entry {
	struct prefix prefix;
	uint8_t action; /* enum abi_list_action, never LIST_NONE */
	uint8_t class;	/* with LIST_LIMIT, else 0 */
	uint64_t until_s; /* Unix time; 0: for good */
	char *comment;	  /* printable ASCII, what is not became '?'; NULL: none */
};

struct listfile {
	unsigned n;
	struct list_entry *entries; /* in the file's order */
};

/* -EINVAL with at least one error in the list (a file that can't be read is one too); after CONFIG_ERRORS_MAX the rest
 * is not read. -ENOMEM. now_s: Unix time. */
MUST_CHECK int listfile_load(const char *path, uint64_t now_s, struct listfile **out, struct config_errors *errors);
/* name stands before the errors. */
MUST_CHECK int listfile_parse(const char *name, const char *text, size_t len, uint64_t now_s, struct listfile **out,
			      struct config_errors *errors);
void listfile_free(struct listfile *file); /* NULL is fine */

/* "90s", "10m", "2h", "7d": 1 s up to LIST_DURATION_MAX_S. For the command line as well. */
MUST_CHECK int list_duration_parse(const char *text, uint64_t *out_s); /* -EINVAL */

#endif
