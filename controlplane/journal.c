/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct journal {
	uint64_t last; /* the newest id; 0: none */
	struct journal_entry ring[JOURNAL_ENTRIES]; /* an entry's place is its id modulo the size */
};

struct journal *
journal_new(void)
{
	return calloc(1, sizeof(struct journal));
}

void
journal_free(struct journal *journal)
{
	free(journal);
}

void
journal_add(struct journal *journal, const char *kind, const char *subject, const char *format, ...)
{
	struct journal_entry *entry = &journal->ring[++journal->last % JOURNAL_ENTRIES];
	struct timespec now;
	va_list args;

	clock_gettime(CLOCK_REALTIME, &now);
	entry->id = journal->last;
	entry->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	snprintf(entry->kind, sizeof(entry->kind), "%s", kind);
	snprintf(entry->subject, sizeof(entry->subject), "%s", subject);
	va_start(args, format);
	vsnprintf(entry->text, sizeof(entry->text), format, args);
	va_end(args);
}

const struct journal_entry *
journal_after(const struct journal *journal, uint64_t id)
{
	uint64_t oldest = journal->last > JOURNAL_ENTRIES ? journal->last - JOURNAL_ENTRIES + 1 : 1;
	uint64_t next = id < oldest ? oldest : id + 1;

	return next <= journal->last ? &journal->ring[next % JOURNAL_ENTRIES] : NULL;
}
