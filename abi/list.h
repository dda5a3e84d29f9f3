/* SPDX-License-Identifier: BSD-2-Clause */
/* What an entry of the guard's lists of prefixes can ask for. Both processes know it; the values don't change. */
#ifndef ABI_LIST_H
#define ABI_LIST_H

#include "base/types.h"

enum abi_list_action {
	LIST_NONE = 0,	/* no entry: the packet goes on */
	LIST_DROP = 1,
	LIST_ALLOW = 2, /* skips the guard's later steps */
	LIST_LIMIT = 3, /* by the rates of the entry's class */
};

enum { LIST_ENTRIES_MAX = 1 << 20 }; /* of both families together */

#endif
