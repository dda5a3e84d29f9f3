/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks the backends of all pools: health.h's states driven by probe.h's probes and the loop's timers. Indices of
 * pools and backends are those of the model that was applied last. On the loop's thread only.
 */
#ifndef CONTROLPLANE_CHECKER_H
#define CONTROLPLANE_CHECKER_H

#include "controlplane/health.h"
#include "controlplane/model.h"

struct event_base;
struct checker;

/* A backend's verdict changed, its first one included. Never called from within checker_apply. */
typedef void checker_changed(void *context, unsigned pool, unsigned backend);

struct checker *checker_new(struct event_base *base, checker_changed *changed, void *context);
void checker_free(struct checker *checker); /* NULL is fine */

/*
 * Backends whose pool's name, own name, address and pool's health settings stay keep their state and their running
 * round; the others start anew, spread over an interval. What it needs of the model it copies. -ENOMEM: nothing
 * changed.
 */
MUST_CHECK int checker_apply(struct checker *checker, const struct model *model);

enum health_state checker_state(const struct checker *checker, unsigned pool, unsigned backend);
const char *checker_reason(const struct checker *checker, unsigned pool, unsigned backend); /* "" when it passes */
uint64_t checker_since_ns(const struct checker *checker, unsigned pool, unsigned backend);
uint32_t checker_latency_us(const struct checker *checker, unsigned pool,
			    unsigned backend); /* of the last pass; 0: none */

/* True when every backend has had its first verdict: before it, tables made of the states would move flows in vain. */
bool checker_is_settled(const struct checker *checker);

#endif
