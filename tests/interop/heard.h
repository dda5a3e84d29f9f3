/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session of bgp/ hears and says, as lines on standard output for tests to wait for. */
#ifndef HEARD_H
#define HEARD_H

#include "bgp/session.h"

extern const struct bgp_session_events heard; /* the context is not used */

/* Prints what has changed, and keeps it. */
void heard_status(struct bgp_status *shown, const struct bgp_status *now);

#endif
