/* SPDX-License-Identifier: BSD-2-Clause */
/* The methods that ask routers for FlowSpec rules and blackholes, and show what is asked (abi/control.h: bgp.flowspec.*, bgp.blackhole.*). */
#ifndef CONTROLPLANE_METHODS_ORIGINATE_H
#define CONTROLPLANE_METHODS_ORIGINATE_H

#include "controlplane/methods_bgp.h"

methods_bgp_call methods_flowspec;
methods_bgp_call methods_flowspec_announce;
methods_bgp_call methods_flowspec_withdraw;
methods_bgp_call methods_blackhole;
methods_bgp_call methods_blackhole_announce;
methods_bgp_call methods_blackhole_withdraw;

#endif
