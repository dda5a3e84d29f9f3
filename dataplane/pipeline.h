/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a packet: the order of the stages. */
#ifndef DATAPLANE_PIPELINE_H
#define DATAPLANE_PIPELINE_H

#include "dataplane/stage/parse.h"
#include "dataplane/worker.h"

static inline void
pipeline_run(struct worker *w, const struct snapshot *tables)
{
	struct burst *b = &w->burst;

	parse_burst(b);
	classify_vips_burst(tables->classify, b);
	fragment_burst(w->fragments, b);
	classify_services_burst(tables->classify, b);
	steer_burst(&w->steer, tables->services, tables->alive, b);
	encap_burst(&w->encap, tables->targets, b);
	icmp_burst(&w->icmp, b);
	tx_burst(&w->tx, b);
}

#endif
