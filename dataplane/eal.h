/* SPDX-License-Identifier: BSD-2-Clause */
/* DPDK's environment: its arguments follow from ours. */
#ifndef DATAPLANE_EAL_H
#define DATAPLANE_EAL_H

#include "dataplane/options.h"

/* 0, or -1: told on standard error or the log with what to do. */
MUST_CHECK int eal_init(const struct options *options);

#endif
