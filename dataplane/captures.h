/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts and stops captures (stage/capture.h), one at a time, by the control plane's records, in which nothing is
 * believed. A capture ends by itself when its time is over or its control plane has gone. Main lcore only.
 */
#ifndef DATAPLANE_CAPTURES_H
#define DATAPLANE_CAPTURES_H

#include "abi/region.h"
#include "dataplane/stage/capture.h"

struct captures;

struct captures_config {
	const struct region_counters *counters; /* whose directory says which index is whose */
	unsigned n_workers;
	uint64_t tsc_hz;
	void (*grace)(void *context); /* returns when no worker holds what it loaded before */
	void *context;
};

struct captures *captures_new(const struct captures_config *config); /* NULL: no memory */
void captures_free(struct captures *captures); /* NULL is fine. No worker copies any more. */
const struct capture_handle *captures_handle(const struct captures *captures);

/* New rings for a new control plane, and away with them (NULL is fine): what runs is stopped. */
MUST_CHECK int captures_open(struct captures *captures);
void captures_close(struct captures *captures);
const struct region_captures *captures_region(const struct captures *captures);

/* A CAPTURE or CAPTURE_PART record. True: *reply is its answer. Only between open and close. */
bool captures_record(struct captures *captures, const union abi_record *record, struct abi_captured *reply);

/* Stops what has had its time. */
void captures_tick(struct captures *captures, uint64_t now_ns);

#endif
