/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/checker.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/flowhash.h"
#include "controlplane/probe.h"

struct target;

/* One check of a running round; probe is NULL when it has answered. */
struct running_check {
	struct target *target;
	struct probe *probe;
};

/* One backend of one pool. Owned by the group; the timer runs while no round does. */
struct target {
	struct checker *checker;
	const struct model_health *settings; /* the group's */
	unsigned pool;
	unsigned backend;
	char name[MODEL_NAME_MAX];
	struct addr addr;
	struct health health;
	uint64_t seed;
	uint64_t round;
	uint64_t due_ns; /* the running or next round's start by the schedule */
	uint64_t started_ns;
	uint32_t latency_us;
	unsigned n_running;
	struct running_check running[MODEL_CHECKS_MAX];
	struct event timer;
};

struct group {
	char name[MODEL_NAME_MAX];
	struct model_health settings;
	unsigned n_targets;
	struct target **targets;
};

struct checker {
	struct event_base *base;
	struct prober *prober;
	checker_changed *changed;
	void *context;
	uint64_t seed; /* of this process, so that two nodes don't check in step */
	unsigned n_groups;
	struct group *groups;
};

static void round_start(struct target *target);

static void
timer_set(struct target *target, uint64_t now_ns)
{
	uint64_t wait_ns = target->due_ns > now_ns ? target->due_ns - now_ns : 0;
	struct timeval wait = {
		.tv_sec = (time_t)(wait_ns / CLOCK_NS_PER_S),
		.tv_usec = (suseconds_t)(wait_ns % CLOCK_NS_PER_S / 1000),
	};

	event_add(&target->timer, &wait);
}

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	round_start(context);
}

static void
round_cancel(struct target *target)
{
	for (unsigned i = 0; i < target->settings->n_checks; i++) {
		probe_cancel(target->running[i].probe);
		target->running[i].probe = NULL;
	}
	target->n_running = 0;
}

/* A late round doesn't make the next one early: the schedule goes on from now. */
static void
round_end(struct target *target, bool passed, const char *reason)
{
	struct checker *checker = target->checker;
	uint64_t now_ns = clock_now_ns();

	round_cancel(target);
	if (passed)
		target->latency_us = (uint32_t)((now_ns - target->started_ns) / 1000);
	target->round++;
	target->due_ns = health_next_ns(target->settings, target->seed, target->round, target->due_ns);
	if (target->due_ns < now_ns)
		target->due_ns = now_ns;
	timer_set(target, now_ns);
	if (health_result(&target->health, target->settings, now_ns, passed, reason))
		checker->changed(checker->context, target->pool, target->backend);
}

/* The first failure decides the round; the others' answers are not waited for. */
static void
on_probed(void *context, bool passed, const char *reason)
{
	struct running_check *check = context;
	struct target *target = check->target;

	check->probe = NULL;
	target->n_running--;
	if (!passed || target->n_running == 0)
		round_end(target, passed, reason);
}

static void
round_start(struct target *target)
{
	struct checker *checker = target->checker;

	target->started_ns = clock_now_ns();
	for (unsigned i = 0; i < target->settings->n_checks; i++) {
		struct running_check *check = &target->running[i];

		check->target = target;
		check->probe = probe_start(checker->prober, &target->addr, &target->settings->checks[i],
					   target->settings->timeout_ms, on_probed, check);
		if (!check->probe) {
			/* Out of memory tells nothing of the backend: try again a round later. */
			round_cancel(target);
			target->due_ns = target->started_ns + target->settings->interval_ms * CLOCK_NS_PER_MS;
			timer_set(target, target->started_ns);
			return;
		}
		target->n_running++;
	}
}

static void
target_free(struct target *target)
{
	if (!target)
		return;
	round_cancel(target);
	event_del(&target->timer);
	free(target);
}

static struct target *
target_new(struct checker *checker, const struct group *group, const struct model_backend *backend)
{
	struct target *target = calloc(1, sizeof(*target));
	uint64_t now_ns = clock_now_ns();

	if (!target)
		return NULL;
	target->checker = checker;
	target->settings = &group->settings;
	snprintf(target->name, sizeof(target->name), "%s", backend->name);
	target->addr = backend->addr;
	target->seed = flowhash_bytes(flowhash_bytes(checker->seed, group->name, strlen(group->name)), target->name,
				      strlen(target->name));
	health_init(&target->health, target->settings, now_ns);
	target->due_ns = health_first_ns(target->settings, target->seed, now_ns);
	event_assign(&target->timer, checker->base, -1, 0, on_timer, target);
	if (target->settings->n_checks > 0)
		timer_set(target, now_ns);
	return target;
}

static void
groups_free(struct group *groups, unsigned n_groups)
{
	for (unsigned i = 0; i < n_groups; i++) {
		for (unsigned j = 0; groups[i].targets && j < groups[i].n_targets; j++)
			target_free(groups[i].targets[j]);
		free(groups[i].targets);
	}
	free(groups);
}

/* The running group whose targets may stay; NULL: none. */
static struct group *
group_find(struct checker *checker, const struct model_pool *pool)
{
	for (unsigned i = 0; i < checker->n_groups; i++) {
		struct group *group = &checker->groups[i];

		if (strcmp(group->name, pool->name) == 0)
			return health_settings_equal(&group->settings, &pool->health) ? group : NULL;
	}
	return NULL;
}

/* Index in the old group, or n_targets. Lists keep their order mostly, so the search begins behind the last find. */
static unsigned
target_find(const struct group *old, const struct model_backend *backend, unsigned hint)
{
	for (unsigned i = 0; i < old->n_targets; i++) {
		unsigned at = (hint + i) % old->n_targets;
		const struct target *target = old->targets[at];

		if (target && strcmp(target->name, backend->name) == 0)
			return addr_equal(&target->addr, &backend->addr) ? at : old->n_targets;
	}
	return old->n_targets;
}

/* Fills in the targets that have no state to keep. Nothing of the old groups is touched, so failure changes nothing. */
static int
group_build(struct checker *checker, struct group *group, const struct model_pool *pool)
{
	const struct group *old = group_find(checker, pool);
	unsigned hint = 0;

	snprintf(group->name, sizeof(group->name), "%s", pool->name);
	group->settings = pool->health;
	group->n_targets = pool->n_backends;
	group->targets = calloc(pool->n_backends + 1, sizeof(*group->targets));
	if (!group->targets)
		return -ENOMEM;
	for (unsigned i = 0; i < pool->n_backends; i++) {
		unsigned at = old ? target_find(old, &pool->backends[i], hint) : 0;

		if (old && at < old->n_targets) {
			hint = at + 1;
			continue;
		}
		group->targets[i] = target_new(checker, group, &pool->backends[i]);
		if (!group->targets[i])
			return -ENOMEM;
	}
	return 0;
}

/* Moves what stays from the old groups into the gaps, and numbers all targets by the new model. */
static void
group_adopt(struct checker *checker, struct group *group, const struct model_pool *pool, unsigned pool_index)
{
	struct group *old = group_find(checker, pool);
	unsigned hint = 0;

	for (unsigned i = 0; i < group->n_targets; i++) {
		if (!group->targets[i]) {
			unsigned at = target_find(old, &pool->backends[i], hint);

			group->targets[i] = old->targets[at];
			old->targets[at] = NULL;
			hint = at + 1;
		}
		group->targets[i]->settings = &group->settings;
		group->targets[i]->pool = pool_index;
		group->targets[i]->backend = i;
	}
}

int
checker_apply(struct checker *checker, const struct model *model)
{
	struct group *groups = calloc(model->n_pools + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	for (unsigned i = 0; i < model->n_pools; i++) {
		if (group_build(checker, &groups[i], &model->pools[i])) {
			groups_free(groups, model->n_pools);
			return -ENOMEM;
		}
	}
	for (unsigned i = 0; i < model->n_pools; i++)
		group_adopt(checker, &groups[i], &model->pools[i], i);
	groups_free(checker->groups, checker->n_groups);
	checker->groups = groups;
	checker->n_groups = model->n_pools;
	return 0;
}

struct checker *
checker_new(struct event_base *base, checker_changed *changed, void *context)
{
	struct checker *checker = calloc(1, sizeof(*checker));

	if (!checker)
		return NULL;
	checker->base = base;
	checker->changed = changed;
	checker->context = context;
	checker->prober = prober_new(base, 0);
	if (!checker->prober || getrandom(&checker->seed, sizeof(checker->seed), 0) != sizeof(checker->seed)) {
		checker_free(checker);
		return NULL;
	}
	return checker;
}

void
checker_free(struct checker *checker)
{
	if (!checker)
		return;
	groups_free(checker->groups, checker->n_groups);
	prober_free(checker->prober);
	free(checker);
}

static const struct target *
target_at(const struct checker *checker, unsigned pool, unsigned backend)
{
	if (pool >= checker->n_groups || backend >= checker->groups[pool].n_targets)
		return NULL;
	return checker->groups[pool].targets[backend];
}

enum health_state
checker_state(const struct checker *checker, unsigned pool, unsigned backend)
{
	const struct target *target = target_at(checker, pool, backend);

	return target ? target->health.state : HEALTH_UNKNOWN;
}

const char *
checker_reason(const struct checker *checker, unsigned pool, unsigned backend)
{
	const struct target *target = target_at(checker, pool, backend);

	return target ? target->health.reason : "";
}

uint64_t
checker_since_ns(const struct checker *checker, unsigned pool, unsigned backend)
{
	const struct target *target = target_at(checker, pool, backend);

	return target ? target->health.since_ns : 0;
}

uint32_t
checker_latency_us(const struct checker *checker, unsigned pool, unsigned backend)
{
	const struct target *target = target_at(checker, pool, backend);

	return target ? target->latency_us : 0;
}

bool
checker_is_settled(const struct checker *checker)
{
	for (unsigned i = 0; i < checker->n_groups; i++) {
		for (unsigned j = 0; j < checker->groups[i].n_targets; j++) {
			if (checker->groups[i].targets[j]->health.state == HEALTH_UNKNOWN)
				return false;
		}
	}
	return true;
}
