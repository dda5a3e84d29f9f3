/* SPDX-License-Identifier: BSD-2-Clause */
/* Monotonic time off the packet path, in nanoseconds since an arbitrary start. The one place that asks the system. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/types.h"

#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_NS_PER_S UINT64_C(1000000000)

uint64_t clock_now_ns(void);

#endif
