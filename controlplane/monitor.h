/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells those who watch BGP what goes over the sessions: BMP collectors, and a file of MRT records (RFC 6396 4.4). It
 * listens to peering as others do; whatever happens to a collector or to the disk, no session feels it. One thread, the event loop's.
 */
#ifndef CONTROLPLANE_MONITOR_H
#define CONTROLPLANE_MONITOR_H

#include "controlplane/collectors.h"
#include "controlplane/mrt_file.h"

struct monitor;

/* Before the first peering_apply(). NULL: no memory. */
struct monitor *monitor_new(struct event_base *base, struct peering *peering);
/* Once the peering is freed, whose last words are heard then. NULL is fine. */
void monitor_free(struct monitor *monitor);
/* What is configured as before is left alone. */
void monitor_apply(struct monitor *monitor, const struct model *model);

/* index below MODEL_COLLECTORS_MAX; NULL: there is none. */
const struct collector *monitor_collector(const struct monitor *monitor, unsigned index);
/* NULL: nothing is written. */
const struct model_mrt *monitor_mrt(const struct monitor *monitor, struct mrt_file_status *status);

#endif
