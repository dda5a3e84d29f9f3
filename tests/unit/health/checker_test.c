/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/checker.h"

struct seen {
	struct event_base *base;
	struct checker *checker;
	unsigned n_changed;
};

static void
on_changed(void *context, unsigned pool, unsigned backend)
{
	struct seen *seen = context;

	(void)pool;
	(void)backend;
	seen->n_changed++;
	if (checker_is_settled(seen->checker))
		event_base_loopbreak(seen->base);
}

static struct model_backend
backend_of(const char *name, uint8_t last)
{
	struct model_backend backend = {.weight = 1};
	uint8_t octets[4] = {127, 2, 0, last};

	snprintf(backend.name, sizeof(backend.name), "%s", name);
	backend.addr = addr_v4(octets);
	return backend;
}

static struct model_pool
pool_of(const char *name, struct model_backend *backends, unsigned n, unsigned n_checks)
{
	struct model_pool pool = {
		.health = {.interval_ms = 200,
			   .timeout_ms = 100,
			   .rise = 2,
			   .fall = 2,
			   .n_checks = n_checks,
			   .checks = {{.kind = MODEL_CHECK_ICMP}, {.kind = MODEL_CHECK_TCP, .port = 1}}},
		.n_backends = n,
		.backends = backends,
	};

	snprintf(pool.name, sizeof(pool.name), "%s", name);
	return pool;
}

static void
run(struct seen *seen, uint32_t limit_ms)
{
	struct timeval limit = {.tv_sec = limit_ms / 1000, .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000};

	event_base_loopexit(seen->base, &limit);
	event_base_dispatch(seen->base);
}

Test(checker, one_failure_of_all_these_fails_the_round)
{
	struct seen seen = {.base = event_base_new()};
	struct model_backend backends[] = {backend_of("a", 1), backend_of("b", 2)};
	struct model_pool pools[] = {
		pool_of("ping", backends, 2, 1),
		pool_of("both", backends, 2, 2),
		pool_of("unchecked", backends, 2, 0),
	};
	struct model model = {.n_pools = 3, .pools = pools};

	seen.checker = checker_new(seen.base, on_changed, &seen);
	cr_assert_eq(checker_apply(seen.checker, &model), 0);
	cr_expect_not(checker_is_settled(seen.checker));
	cr_expect_eq(checker_state(seen.checker, 0, 0), HEALTH_UNKNOWN);
	cr_expect_eq(checker_state(seen.checker, 2, 1), HEALTH_UP);
	run(&seen, 900);
	cr_expect(checker_is_settled(seen.checker));
	cr_expect_eq(seen.n_changed, 4);
	for (unsigned i = 0; i < 2; i++) {
		cr_expect_eq(checker_state(seen.checker, 0, i), HEALTH_UP);
		cr_expect_eq(checker_state(seen.checker, 1, i), HEALTH_DOWN);
		cr_expect_str_eq(checker_reason(seen.checker, 1, i), "tcp 1: connection refused");
		cr_expect_gt(checker_latency_us(seen.checker, 0, i), 0);
	}
	cr_expect_eq(checker_state(seen.checker, 9, 9), HEALTH_UNKNOWN);
	checker_free(seen.checker);
	event_base_free(seen.base);
}

Test(checker, a_reload_keeps_what_stays)
{
	struct seen seen = {.base = event_base_new()};
	struct model_backend before[] = {backend_of("a", 1), backend_of("b", 2), backend_of("c", 3)};
	struct model_backend after[] = {backend_of("new", 9), backend_of("c", 3), backend_of("b", 7),
					backend_of("a", 1)};
	struct model_pool old_pool = pool_of("p", before, 3, 1), new_pool = pool_of("p", after, 4, 1);
	struct model old = {.n_pools = 1, .pools = &old_pool}, new = {.n_pools = 1, .pools = &new_pool};
	uint64_t since_c;

	seen.checker = checker_new(seen.base, on_changed, &seen);
	cr_assert_eq(checker_apply(seen.checker, &old), 0);
	run(&seen, 900);
	cr_assert(checker_is_settled(seen.checker));
	since_c = checker_since_ns(seen.checker, 0, 2);
	cr_assert_eq(checker_apply(seen.checker, &new), 0);
	cr_expect_eq(checker_state(seen.checker, 0, 0), HEALTH_UNKNOWN);
	cr_expect_eq(checker_state(seen.checker, 0, 1), HEALTH_UP);
	cr_expect_eq(checker_since_ns(seen.checker, 0, 1), since_c);
	cr_expect_eq(checker_state(seen.checker, 0, 2), HEALTH_UNKNOWN, "its address changed");
	cr_expect_eq(checker_state(seen.checker, 0, 3), HEALTH_UP);
	run(&seen, 900);
	cr_expect(checker_is_settled(seen.checker));
	new_pool.health.fall = 5;
	cr_assert_eq(checker_apply(seen.checker, &new), 0);
	cr_expect_eq(checker_state(seen.checker, 0, 3), HEALTH_UNKNOWN, "the settings changed");
	checker_free(seen.checker);
	event_base_free(seen.base);
}
