/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people said on the control socket: which backends are drained, whether the node is, which peers are shut down, and
 * what is announced or withdrawn by hand. Kept in a file beside
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
/* The drain has come as far as the withdrawal: it goes on from there. */
MUST_CHECK int admin_set_withdrawn(struct admin *admin);
bool admin_node_withdrawn(const struct admin *admin);

/* Peers that were shut down. reason NULL: it is open again. */
MUST_CHECK int admin_set_shut(struct admin *admin, const char *peer, const char *reason);
const char *admin_shut(const struct admin *admin, const char *peer); /* NULL: it is not */

/* What is to be announced or withdrawn whatever else is known, by prefix, until a time of day (0: for good). */
enum admin_hand { ADMIN_HAND_NONE = 0, ADMIN_HAND_ANNOUNCE, ADMIN_HAND_WITHDRAW };

MUST_CHECK int admin_set_hand(struct admin *admin, const char *prefix, enum admin_hand hand, uint64_t until_s);
enum admin_hand admin_hand(const struct admin *admin, const char *prefix, uint64_t *until_s);
bool admin_has_hands(const struct admin *admin);
bool admin_expire_hands(struct admin *admin, uint64_t now_s); /* true: some have */

#endif
