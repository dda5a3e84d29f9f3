/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{listfile,lists}.c base/?*.c */
/* Any octets as a file of lists: entries, or errors; and a store that takes them, changes and ends them. */
#include <stdlib.h>

#include "controlplane/lists.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

static void
feed(void *context, const struct list_change *change)
{
	unsigned *changes = context;

	if (change->prefix.len > addr_bits(&change->prefix.addr) || change->action > LIST_LIMIT)
		abort();
	*changes += 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct config_errors errors;
	struct listfile *file = NULL;
	unsigned changes = 0;
	struct lists *l;

	if (listfile_parse("fuzz", (const char *)octets, len, 1000, &file, &errors) != 0) {
		if (errors.n == 0 || errors.n > CONFIG_ERRORS_MAX)
			abort();
		return 0;
	}
	l = lists_new(&(struct lists_config){.changed = feed, .context = &changes});
	if (!l || lists_source(l, "fuzz") != 1)
		abort();
	for (unsigned i = 0; i < file->n; i += 2) {
		if (lists_set(l, LISTS_MANUAL, &file->entries[i]) != 0)
			abort();
	}
	if (lists_replace(l, 1, file) != 0)
		abort();
	lists_expire(l, 5000);
	for (unsigned i = 0; i < file->n; i++) {
		if (lists_remove(l, LISTS_MANUAL, &file->entries[i].prefix) == 0 && changes == 0)
			abort();
	}
	if (lists_replace(l, 1, NULL) != 0 || lists_count(l) != 0)
		abort();
	lists_free(l);
	listfile_free(file);
	return 0;
}
