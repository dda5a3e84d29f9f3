/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/rate.h"

#include <string.h>

#include "base/siphash.h"

void
rate_init(struct rate *rate, uint64_t period_ns, unsigned burst, const uint64_t key[static 2])
{
	memset(rate, 0, sizeof(*rate));
	rate->period_ns = period_ns;
	rate->burst_ns = period_ns * burst;
	memcpy(rate->key, key, sizeof(rate->key));
}

/* The address's entry, or the one that gives way to it. */
static struct rate_entry *
entry_of(struct rate *rate, const struct addr *addr)
{
	uint64_t words[(sizeof(*addr) + 7) / 8] = {0};
	struct rate_entry *set, *least;

	memcpy(words, addr, sizeof(*addr));
	set = rate->sets[siphash(rate->key, words, ARRAY_LEN(words), SIPHASH_QUICK_WORD, SIPHASH_QUICK_END) %
			 RATE_SETS];
	least = set;
	for (unsigned i = 0; i < RATE_WAYS; i++) {
		if (addr_equal(&set[i].addr, addr))
			return &set[i];
		if (set[i].clear_ns < least->clear_ns)
			least = &set[i];
	}
	*least = (struct rate_entry){.addr = *addr};
	return least;
}

bool
rate_take(struct rate *rate, const struct addr *addr, uint64_t now_ns)
{
	struct rate_entry *entry = entry_of(rate, addr);
	uint64_t from_ns = entry->clear_ns > now_ns ? entry->clear_ns : now_ns;

	if (from_ns + rate->period_ns > now_ns + rate->burst_ns)
		return false;
	entry->clear_ns = from_ns + rate->period_ns;
	return true;
}
