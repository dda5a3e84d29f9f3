/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people said on the control socket: which backends are drained, and whether the node is. Kept in a file beside
 * the control socket, so that a control plane that starts again knows it too (else its first tables would move flows
 * back).
 */
#ifndef CONTROLPLANE_ADMIN_H
#define CONTROLPLANE_ADMIN_H

#include "base/types.h"

struct admin;

struct admin *admin_open(const char *path); /* NULL: no memory. A file that can't be read is logged and passed over */
void admin_close(struct admin *admin);

/* name: "POOL/NAME". Each change is on disk when the call returns 0; else -errno, and nothing changed. */
MUST_CHECK int admin_set_backend(struct admin *admin, const char *name, bool drained);
MUST_CHECK int admin_set_node(struct admin *admin, bool draining);
bool admin_backend_drained(const struct admin *admin, const char *name);
bool admin_node_draining(const struct admin *admin);

#endif
