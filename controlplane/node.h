/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running node: owns the parts of the control plane and carries what changes in one to the others.
 *
 *   config, health, next hops, admin, dataplane ─► node_changed ─► compile ─► publish ─► (ACK) ─► announce ─► peering
 *
 * All on one event loop, one thread. A change only marks the node; the work is done once for all changes of a moment.
 */
#ifndef CONTROLPLANE_NODE_H
#define CONTROLPLANE_NODE_H

#include <event2/event.h>

#include "controlplane/admin.h"
#include "controlplane/announce.h"
#include "controlplane/attacks.h"
#include "controlplane/bfd_peers.h"
#include "controlplane/checker.h"
#include "controlplane/compile.h"
#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/drain.h"
#include "controlplane/facts.h"
#include "controlplane/imports.h"
#include "controlplane/listener.h"
#include "controlplane/listing.h"
#include "controlplane/monitor.h"
#include "controlplane/neighbour.h"
#include "controlplane/originate.h"
#include "controlplane/peering.h"
#include "controlplane/publish.h"
#include "controlplane/routes.h"

struct capturing;
struct http;
struct methods;

struct node {
	const char *config_path;
	uint64_t started_ns;
	uint64_t loaded_ns;
	char config_error[512]; /* of the last reload; "": it was taken */

	struct event_base *base;
	struct event *reconcile; /* pending: something changed */
	struct event *patience;	 /* pending: BGP waits for the first tables, but not for ever */
	struct model *model;
	struct admin *admin;
	struct attacks *attacks;
	struct listing *listing;
	struct filters *filters;
	struct originate *originate;
	struct imports *imports;
	struct rules *rules; /* payload signatures; NULL: none */
	struct event *second; /* each second */
	struct checker *checker;
	struct neighbours *neighbours;
	struct compile *compile;
	struct publish *publish;
	struct journal *journal;
	struct peering *peering;
	struct listener *listener;
	struct bfd_peers *bfd;
	struct monitor *monitor;
	struct routes *routes;
	struct event *again; /* pending: time alone changes what is announced */
	struct drain drain;
	struct control *control;
	struct capturing *capturing;
	struct methods *methods;
	struct http *http;

	uint64_t hold_until_ns; /* after a load: wait for first health verdicts at most so long */
	bool dataplane_alive;
	uint64_t generation; /* that the workers serve */

	/* what the newest image, and the one that is served, allow to announce: prefixes, sorted */
	const struct compiled *wanted_image; /* publish's; only compared */
	struct prefix wanted[ABI_VIPS_MAX];
	unsigned n_wanted;
	struct prefix served[ABI_VIPS_MAX];
	unsigned n_served;
	uint8_t *hands;			 /* enum announce_hand, of all routes */
	struct facts_way *ways;		 /* to the backends, flattened */
};

MUST_CHECK int node_init(struct node *node, struct event_base *base, const char *config_path);
void node_fini(struct node *node);

/* Reads the file again. On an error nothing changes, and node->config_error says why. */
MUST_CHECK int node_reload(struct node *node);
/* Something that tables or announcements depend on is different now. */
void node_changed(struct node *node);

bool node_backend_usable(const struct node *node, unsigned pool, unsigned backend);
bool node_backend_drained(const struct node *node, unsigned pool, unsigned backend);
/* How the VIP stands, whoever the peer. */
enum announce_verdict node_verdict(const struct node *node, unsigned vip);

#endif
