/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UDP ports whose answers attackers turn on others: what a guarded service drops from there while it is under attack.
 * The list holds unless the configuration has one of its own.
 */
#ifndef CONTROLPLANE_REFLECTORS_H
#define CONTROLPLANE_REFLECTORS_H

#include "controlplane/model.h"

extern const struct model_reflector reflectors_default[];
extern const unsigned reflectors_n;

#endif
