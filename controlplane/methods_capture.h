/* SPDX-License-Identifier: BSD-2-Clause */
/* The methods of captures (abi/control.h). `context` is struct methods. */
#ifndef CONTROLPLANE_METHODS_CAPTURE_H
#define CONTROLPLANE_METHODS_CAPTURE_H

#include "controlplane/control.h"

int methods_capture(void *context, struct control_call *call, const json_t *params, json_t **result,
		    struct control_error *error);
int methods_capture_stop(void *context, struct control_call *call, const json_t *params, json_t **result,
			 struct control_error *error);

#endif
