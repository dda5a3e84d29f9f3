/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the file's format has and the BGP sessions of this version don't do. It is refused rather than passed over: a session
 * that is to be signed must not run unsigned. Pure.
 */
#ifndef CONTROLPLANE_SUPPORT_H
#define CONTROLPLANE_SUPPORT_H

#include "controlplane/config.h"

/* -EINVAL with an error for each. */
MUST_CHECK int support_check(const char *file, const struct model *model, struct config_errors *errors);

#endif
