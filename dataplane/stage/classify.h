/* SPDX-License-Identifier: BSD-2-Clause */
/* Contract only (the owner of the stage completes this file). */
#ifndef DATAPLANE_STAGE_CLASSIFY_H
#define DATAPLANE_STAGE_CLASSIFY_H

#include "abi/records.h"
#include "dataplane/packet.h"

struct classify_table; /* immutable after classify_table_new */

/* A service as classify needs it. Range first..last of ports, host order; protocol 0 takes any protocol. */
struct classify_rule {
	uint16_t vip;	  /* index into vips[] */
	uint16_t service; /* the result: the dataplane's service index */
	uint16_t port_first;
	uint16_t port_last;
	uint8_t protocol;
};

struct classify_vip {
	struct prefix prefix;
	bool refuse;
};

/* NULL: out of memory. The longest VIP prefix that contains the destination decides; in it the narrowest service. */
struct classify_table *classify_table_new(const struct classify_vip *vips, unsigned n_vips,
					  const struct classify_rule *rules, unsigned n_rules);
void classify_table_free(struct classify_table *table);

#endif
