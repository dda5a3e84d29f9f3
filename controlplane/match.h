/* SPDX-License-Identifier: BSD-2-Clause */
/* A FlowSpec rule as a filter of terms (abi/filter.h), as the dataplane runs it. No state; any thread. */
#ifndef CONTROLPLANE_MATCH_H
#define CONTROLPLANE_MATCH_H

#include "bgp/flowspec.h"
#include "controlplane/program.h"

/* -E2BIG: more terms than a filter has; said in fault. */
MUST_CHECK int match_compile(const struct flowspec *rule, struct program *program, char fault[static PROGRAM_FAULT_MAX]);

#endif
