/* SPDX-License-Identifier: BSD-2-Clause */
/* How a service is guarded, from what its configuration says and what is right for its protocol. Pure. */
#ifndef CONTROLPLANE_GUARD_H
#define CONTROLPLANE_GUARD_H

#include "controlplane/model.h"

/* False: the service isn't guarded. record's index is the service's in the model. */
bool guard_record(const struct model *model, unsigned service, struct abi_guard *record);

/* Index of the TCP service on the same VIP where clients of a DNS service over UDP ask again; -1: there is none. */
int guard_checker(const struct model *model, unsigned service);

#endif
