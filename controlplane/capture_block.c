/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/capture_block.h"

#include <stdio.h>

#include "abi/counters.h"

static const char *
end_of(char kind)
{
	switch (kind) {
	case 'F':
	case 'K':
		return "passed";
	case 'A':
		return "answered";
	default:
		return "dropped";
	}
}

static void
comment_format(const struct abi_capture_slot *slot, const struct capture_names *names, char *text, size_t size)
{
	const struct abi_counter_info *verdict = abi_verdict_info(slot->verdict);
	const char *rule = names->rule ? names->rule : "a rule that has gone";

	snprintf(text, size, "%s: %s%s%s%s%s", end_of(verdict->kind), verdict->name, names->service ? ", service " : "",
		 names->service ? names->service : "", slot->mark ? ", sampled by " : "", slot->mark ? rule : "");
}

size_t
capture_block_encode(uint8_t *out, const struct abi_capture_slot *slot, const struct capture_names *names)
{
	char comment[PCAPNG_COMMENT_MAX + 1];
	const struct pcapng_packet packet = {.interface = slot->port,
					     .time_ns = slot->time_ns,
					     .len = slot->len,
					     .held = slot->held,
					     .octets = slot->octets,
					     .comment = comment};

	comment_format(slot, names, comment, sizeof(comment));
	return pcapng_packet_encode(out, &packet);
}
