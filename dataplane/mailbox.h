/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dataplane's end of the contract: listens for one control plane at a time, hands it the shared memory, takes its
 * transactions off the command ring, publishes them and answers. Main lcore only; a control plane that breaks the
 * contract loses its connection, never the tables.
 */
#ifndef DATAPLANE_MAILBOX_H
#define DATAPLANE_MAILBOX_H

#include "abi/region.h"
#include "dataplane/captures.h"
#include "dataplane/lists.h"
#include "dataplane/tables.h"

struct mailbox;

struct mailbox_config {
	const char *path; /* of the socket; a stale one is replaced */
	struct tables *tables;
	struct lists *lists; /* of prefixes */
	struct captures *captures;
	const struct region_counters *counters;
	unsigned n_workers;
	unsigned n_ports;
};

/* 0 or -errno; -EADDRINUSE: another dataplane listens there; -EEXIST: the path is something else than a socket. */
MUST_CHECK int mailbox_new(const struct mailbox_config *config, struct mailbox **out);
void mailbox_free(struct mailbox *mailbox); /* NULL is fine; removes the socket */

/* One round: waits at most timeout_ms for something to do and does a bounded part of it. */
void mailbox_run(struct mailbox *mailbox, int timeout_ms);

/* To the control plane, if one is connected; an event that finds the ring full is lost, for the counters say the same. */
void mailbox_port_changed(struct mailbox *mailbox, unsigned port, bool is_up);
void mailbox_tell(struct mailbox *mailbox, const union abi_record *event);
void mailbox_settled(struct mailbox *mailbox);

#endif
