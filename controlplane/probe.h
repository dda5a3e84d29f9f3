/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Health probes on one event loop: TCP connect, HTTP, HTTPS, DNS over UDP and ICMP echo, thousands at a time without a
 * thread. A prober keeps at most so many in flight and queues the rest; a probe's timeout runs from its own start, not
 * from its wait in the queue. All calls and callbacks are on the loop's thread.
 */
#ifndef CONTROLPLANE_PROBE_H
#define CONTROLPLANE_PROBE_H

#include "controlplane/model.h"

struct event_base;
struct prober;
struct probe;

enum { PROBE_REASON_MAX = 256, PROBE_IN_FLIGHT = 2048 };

/*
 * The reason is "" for a pass, else a short sentence such as "tcp 80: connection refused"; it lives for the call only.
 * The probe is gone when this is called. May start and cancel probes, but not free the prober.
 */
typedef void probe_done(void *context, bool passed, const char *reason);

/* in_flight_max 0: PROBE_IN_FLIGHT; less when the limit on open files, which is raised, doesn't allow it. */
struct prober *prober_new(struct event_base *base, unsigned in_flight_max);
void prober_free(struct prober *prober); /* cancels what is left; NULL is fine */

/* Copies the check. Never calls done before it returns. NULL: out of memory. */
struct probe *probe_start(struct prober *prober, const struct addr *backend, const struct model_check *check,
			  uint32_t timeout_ms, probe_done *done, void *context);
void probe_cancel(struct probe *probe); /* done is not called; NULL is fine */

#endif
