/* SPDX-License-Identifier: BSD-2-Clause */
/* The methods that ask about announcements and sessions, and change them (abi/control.h: bgp.*). */
#ifndef CONTROLPLANE_METHODS_BGP_H
#define CONTROLPLANE_METHODS_BGP_H

#include "controlplane/control.h"

typedef int methods_bgp_call(void *context, struct control_call *call, const json_t *params, json_t **result,
			     struct control_error *error);

methods_bgp_call methods_bgp_peer;
methods_bgp_call methods_bgp_listen;
methods_bgp_call methods_bgp_routes;
methods_bgp_call methods_bgp_explain;
methods_bgp_call methods_bgp_log;
methods_bgp_call methods_bgp_announce;
methods_bgp_call methods_bgp_withdraw;
methods_bgp_call methods_bgp_release;
methods_bgp_call methods_bgp_refresh;
methods_bgp_call methods_bgp_shutdown;
methods_bgp_call methods_bgp_open;

#endif
