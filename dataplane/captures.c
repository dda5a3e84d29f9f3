/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/captures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/filters.h"

struct captures {
	struct captures_config config;
	struct capture_handle handle;
	struct region_captures region;
	struct capture *running; /* NULL: none */
	uint64_t end_ns;
	unsigned n_insns; /* that have come for the next START */
	uint64_t insns[1][ABI_FILTER_INSNS_MAX];
};

struct captures *
captures_new(const struct captures_config *config)
{
	struct captures *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->config = *config;
	c->region.memfd = -1;
	return c;
}

static void
capture_free(struct capture *capture)
{
	if (!capture)
		return;
	filters_free(capture->filters);
	free(capture);
}

static void
stop(struct captures *c)
{
	if (!c->running)
		return;
	/* Relaxed: who sees it late goes on copying, and the grace period waits for that. */
	atomic_store_explicit(&c->handle.current, NULL, memory_order_relaxed);
	c->config.grace(c->config.context);
	log_info("capture %u has ended", c->running->spec.token);
	capture_free(c->running);
	c->running = NULL;
}

void
captures_free(struct captures *c)
{
	if (!c)
		return;
	capture_free(c->running);
	region_captures_free(&c->region);
	free(c);
}

const struct capture_handle *
captures_handle(const struct captures *c)
{
	return &c->handle;
}

int
captures_open(struct captures *c)
{
	captures_close(c);
	return region_captures_new(&c->region, c->config.n_workers);
}

void
captures_close(struct captures *c)
{
	if (!c)
		return;
	stop(c);
	c->n_insns = 0;
	region_captures_free(&c->region);
}

const struct region_captures *
captures_region(const struct captures *c)
{
	return &c->region;
}

/* Of a START. */
static bool
is_sound(const struct abi_capture *r)
{
	static const uint8_t zero[sizeof(r->zero)];
	uint64_t all[ABI_CAPTURE_WORDS] = {0}, any = 0;

	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++)
		all[v / 64] |= v == VERDICT_HELD ? 0 : UINT64_C(1) << v % 64;
	for (unsigned i = 0; i < ABI_CAPTURE_WORDS; i++) {
		if (r->verdicts[i] & ~all[i])
			return false;
		any |= r->verdicts[i];
	}
	return any && r->op == ABI_CAPTURE_START && r->only_marked <= 1 && r->nth > 0 && r->limit > 0 && r->duration_s > 0 &&
	       r->duration_s <= ABI_CAPTURE_DURATION_MAX_S && r->snap > 0 && r->snap <= ABI_CAPTURE_SNAP_MAX &&
	       r->n_insns <= ABI_FILTER_INSNS_MAX && memcmp(r->zero, zero, sizeof(zero)) == 0;
}

/* As a filter of all services. */
static int
expression_take(struct captures *c, struct capture *capture)
{
	const struct abi_filter filter = {.type = ABI_FILTER, .service = ABI_FILTER_EVERY, .vip = ABI_FILTER_EVERY,
					  .n_insns = capture->spec.n_insns, .key = 1, .kind = ABI_FILTER_CLASSIC,
					  .action = ABI_FILTER_COUNT};
	const struct filters_spec spec = {
		.n = 1, .n_workers = c->config.n_workers, .filters = &filter, .insns = (const void *)c->insns};
	unsigned fault;

	if (capture->spec.n_insns == 0)
		return 0;
	return capture->spec.n_insns <= c->n_insns ? filters_new(&spec, &capture->filters, &fault) : -EINVAL;
}

static int
services_find(const struct captures *c, struct capture *capture)
{
	const struct abi_directory_entry *directory = region_services(c->config.counters);
	int err = capture->spec.service ? -ENOENT : 0;

	for (unsigned i = 0; capture->spec.service && i < ABI_SERVICES_MAX; i++) {
		/* Relaxed: written by this thread. */
		if (atomic_load_explicit(&directory[i].key, memory_order_relaxed) != capture->spec.service)
			continue;
		capture->services[i / 64] |= UINT64_C(1) << i % 64;
		err = 0;
	}
	return err;
}

static void
clock_set(const struct captures *c, struct capture *capture)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	capture->base_tsc = rte_rdtsc();
	capture->base_ns = (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
	capture->ns_per_tsc = (uint64_t)(((unsigned __int128)CLOCK_NS_PER_S << 32) / c->config.tsc_hz);
}

/* What ran before has been stopped: nobody writes to the rings. */
static int
start(struct captures *c, const struct abi_capture *r)
{
	struct capture *capture;
	int err;

	if (!is_sound(r))
		return -EINVAL;
	capture = aligned_alloc(_Alignof(struct capture), sizeof(*capture));
	if (!capture)
		return -ENOMEM;
	memset(capture, 0, sizeof(*capture));
	capture->spec = *r;
	err = expression_take(c, capture);
	if (!err)
		err = services_find(c, capture);
	if (err) {
		capture_free(capture);
		return err;
	}
	for (unsigned i = 0; i < c->config.n_workers; i++)
		capture->workers[i].ring = &c->region.rings[i];
	clock_set(c, capture);
	c->running = capture;
	c->end_ns = clock_now_ns() + r->duration_s * CLOCK_NS_PER_S;
	/* Release pairs with the acquire in capture_load. */
	atomic_store_explicit(&c->handle.current, capture, memory_order_release);
	return 0;
}

static void
part_take(struct captures *c, const struct abi_filter_part *r)
{
	if (r->index == 0)
		c->n_insns = 0;
	if (r->index != c->n_insns / ABI_FILTER_PART_INSNS || r->index >= ABI_FILTER_PARTS)
		return; /* START finds too few */
	memcpy(&c->insns[0][c->n_insns], r->insns, sizeof(r->insns));
	c->n_insns += ABI_FILTER_PART_INSNS;
}

bool
captures_record(struct captures *c, const union abi_record *record, struct abi_captured *reply)
{
	const struct abi_capture *r = &record->capture;
	int err = 0;

	if (record->type == ABI_CAPTURE_PART) {
		part_take(c, &record->filter_part);
		return false;
	}
	stop(c);
	if (r->op != ABI_CAPTURE_STOP)
		err = start(c, r);
	if (err)
		log_warning("capture %u is refused: %s", r->token, strerror(-err));
	c->n_insns = 0;
	*reply = (struct abi_captured){.type = ABI_CAPTURED, .error = (uint16_t)-err, .token = r->token};
	return true;
}

void
captures_tick(struct captures *c, uint64_t now_ns)
{
	if (c->running && now_ns >= c->end_ns)
		stop(c);
}
