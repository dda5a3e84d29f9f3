/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened to sessions and routes, newest last: a ring of JOURNAL_ENTRIES, older ones are forgotten. One thread. */
#ifndef CONTROLPLANE_JOURNAL_H
#define CONTROLPLANE_JOURNAL_H

#include "bgp/bgp.h"

enum { JOURNAL_ENTRIES = 2048, JOURNAL_TEXT_MAX = 320 };

struct journal_entry {
	uint64_t id;	  /* 1, 2, ... */
	uint64_t time_ms; /* since 1970 */
	char kind[12];	  /* "session", "route", "import", "node" */
	char subject[BGP_NAME_MAX]; /* a peer's name, a prefix */
	char text[JOURNAL_TEXT_MAX];
};

struct journal;

struct journal *journal_new(void); /* NULL: no memory */
void journal_free(struct journal *journal);

void journal_add(struct journal *journal, const char *kind, const char *subject, const char *format, ...) PRINTF_LIKE(4, 5);

/* The first entry that is newer than this one; NULL: there is none. */
const struct journal_entry *journal_after(const struct journal *journal, uint64_t id);

#endif
