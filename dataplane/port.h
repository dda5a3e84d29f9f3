/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ports: opened from options to running DPDK ports, with their exception ports and XDP steering. Main lcore opens
 * and closes; workers read the fields and use the queues.
 */
#ifndef DATAPLANE_PORT_H
#define DATAPLANE_PORT_H

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "abi/region.h"
#include "dataplane/options.h"
#include "dataplane/steering.h"

enum { PORT_NO_EXCEPTION = UINT16_MAX };

struct port {
	const struct options_port *options;
	uint16_t ethdev;
	uint16_t exception; /* ethdev of the TAP, or PORT_NO_EXCEPTION */
	uint16_t n_rx;
	uint16_t n_tx;	       /* fewer than workers: they share, under the lock */
	bool has_multi_segs;   /* the driver sends chains of mbufs */
	bool has_steering;
	rte_spinlock_t tx_lock;
	rte_spinlock_t exception_lock;
	struct rte_mempool *pool;
	struct steering steering;
	int claim; /* steering_claim's, or negative */
	char device[40]; /* for hot removal; "": none */
	char exception_device[40];
	const char *bus;
};

struct ports {
	struct port list[ABI_PORTS_MAX];
	unsigned n;
};

/* Opens and starts all; a failure is told on the log with what to do, and what was opened is closed. */
MUST_CHECK int ports_open(struct ports *ports, const struct options *options);
void ports_close(struct ports *ports);

/* Fills in what the control plane sees of the port; returns whether the link is up. */
bool port_describe(const struct port *port, struct abi_port *out);

#endif
