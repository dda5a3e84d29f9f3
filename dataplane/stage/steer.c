/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/steer.h"

const uint16_t steer_tracked[ABI_SLOTS] = {[0 ... ABI_SLOTS - 1] = STEER_UNSTABLE};

/* RSS may have given the error to another worker than its flow's. Nothing is recorded or refreshed: a forged error must
 * not keep a flow, nor make one. */
uint16_t
steer_icmp(struct steer *s, const struct steer_service *service, const struct packet *p, uint32_t now_s,
	   const uint8_t *alive)
{
	slot_word slot = steer_slot(service, p);
	struct flowtable_entry entry = flowtable_lookup(s->flows, p->flow, now_s, service->idle_s);

	for (unsigned i = 0; !entry.at && i < s->n_others; i++)
		entry = flowtable_lookup(s->others[i], p->flow, now_s, service->idle_s);
	if (!entry.at)
		return steer_unknown(slot, alive);
	steer_count(s, WORKER_FLOW_HITS);
	return alive[flowtable_backend(entry.word)] ? flowtable_backend(entry.word) : steer_unknown(slot, alive);
}
