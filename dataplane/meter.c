/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/meter.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct reading {
	uint64_t values[ABI_METERS]; /* bits in octets */
};

struct attack {
	uint32_t id;
	uint8_t meters;
	uint64_t since_ns; /* 0: there is none */
	uint64_t told_ns;
	uint64_t loud_ns; /* when a meter was last above the lower bound */
	uint64_t peak_pps;
	uint64_t peak_bps;
	uint64_t packets; /* of the service when it began */
	uint64_t reasons[VERDICT_COUNT];
};

/* Of one service. */
struct gauge {
	uint64_t key; /* of the service that the reading is of; 0: none yet */
	struct reading last;
	bool is_always; /* armed by its configuration */
	struct attack attack;
};

struct meter {
	struct meter_config config;
	uint64_t last_ns;
	uint32_t n_attacks;
	struct gauge gauges[ABI_SERVICES_MAX];
};

struct meter *
meter_new(const struct meter_config *config)
{
	struct meter *m = calloc(1, sizeof(*m));

	if (m)
		m->config = *config;
	return m;
}

void
meter_free(struct meter *m)
{
	free(m);
}

/* Relaxed loads: a counter stands for itself. */
static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static struct reading
reading_take(const struct meter *m, unsigned service)
{
	struct reading r = {0};

	for (unsigned w = 0; w < m->config.counters->n_workers; w++) {
		const struct abi_service_counters *c = &region_worker_services(m->config.counters, w)[service];

		r.values[ABI_METER_PACKETS] += load(&c->packets);
		r.values[ABI_METER_BITS] += load(&c->bytes);
		r.values[ABI_METER_OPENINGS] += load(&c->openings);
		r.values[ABI_METER_FRAGMENTS] += load(&c->fragments);
	}
	return r;
}

static uint64_t
reason_take(const struct meter *m, unsigned service, unsigned verdict)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < m->config.counters->n_workers; w++)
		sum += load(&region_worker_reasons(m->config.counters, w)[service].verdicts[verdict]);
	return sum;
}

/* What a meter and its threshold count a second, bits in bits. */
static uint64_t
rate_of(const struct reading *before, const struct reading *now, unsigned meter, uint64_t passed_ns)
{
	unsigned __int128 n = now->values[meter] - before->values[meter];

	return (uint64_t)(n * (meter == ABI_METER_BITS ? 8 : 1) * CLOCK_NS_PER_S / passed_ns);
}

static uint64_t
threshold_of(const struct abi_guard *r, unsigned meter)
{
	return (uint64_t)r->thresholds[meter] * (meter == ABI_METER_BITS ? 1000 : 1);
}

/* Bit of each meter that is above so many percent of its threshold. */
static uint8_t
meters_above(const struct abi_guard *r, const uint64_t rates[static ABI_METERS], unsigned percent)
{
	uint8_t above = 0;

	for (unsigned i = 0; i < ABI_METERS; i++) {
		if (r->thresholds[i] && rates[i] > threshold_of(r, i) * percent / 100)
			above |= (uint8_t)(1U << i);
	}
	return above;
}

/* The reasons that stopped the most, up to ABI_ATTACK_REASONS; the sum of all. */
static uint64_t
reasons_rank(const struct meter *m, unsigned service, struct abi_attack *out)
{
	const struct attack *a = &m->gauges[service].attack;
	uint64_t counts[VERDICT_COUNT] = {0}, sum = 0;

	for (unsigned v = VERDICT_FORWARDED + 1; v < VERDICT_COUNT; v++) {
		counts[v] = reason_take(m, service, v) - a->reasons[v];
		sum += counts[v];
	}
	for (unsigned i = 0; i < ABI_ATTACK_REASONS; i++) {
		unsigned most = 0;

		for (unsigned v = 1; v < VERDICT_COUNT; v++)
			most = counts[v] > counts[most] ? v : most;
		if (!counts[most])
			break;
		out->reasons[i] = (uint8_t)most;
		out->percents[i] = (uint8_t)(counts[most] * 100 / sum);
		counts[most] = 0;
	}
	return sum;
}

static void
attack_tell(struct meter *m, unsigned service, enum abi_attack_state state, uint64_t now_ns)
{
	struct gauge *g = &m->gauges[service];
	union abi_record event = {
		.attack = {.type = ABI_ATTACK,
			   .state = (uint8_t)state,
			   .meters = g->attack.meters,
			   .id = g->attack.id,
			   .service = g->key,
			   .peak_pps = g->attack.peak_pps,
			   .peak_bps = g->attack.peak_bps,
			   .packets = g->last.values[ABI_METER_PACKETS] - g->attack.packets,
			   .duration_ms = (uint32_t)((now_ns - g->attack.since_ns) / CLOCK_NS_PER_MS)}};

	event.attack.stopped = reasons_rank(m, service, &event.attack);
	g->attack.told_ns = now_ns;
	talkers_attack_tell(m->config.talkers, service, &event.attack);
	m->config.tell(m->config.context, &event);
}

static void
attack_begin(struct meter *m, unsigned service, uint64_t now_ns)
{
	struct attack *a = &m->gauges[service].attack;

	*a = (struct attack){.id = ++m->n_attacks,
			     .since_ns = now_ns,
			     .packets = m->gauges[service].last.values[ABI_METER_PACKETS]};
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		a->reasons[v] = reason_take(m, service, v);
	talkers_attack_begin(m->config.talkers, service, a->id);
}

static void
attack_go_on(struct meter *m, unsigned service, const struct abi_guard *r, const uint64_t rates[static ABI_METERS],
	     uint64_t now_ns)
{
	struct attack *a = &m->gauges[service].attack;
	bool is_new = a->told_ns == 0;
	uint64_t wait_ns = is_new ? METER_BEGIN_MS * CLOCK_NS_PER_MS : METER_TELL_S * CLOCK_NS_PER_S;

	a->meters |= meters_above(r, rates, 100);
	if (rates[ABI_METER_PACKETS] > a->peak_pps)
		a->peak_pps = rates[ABI_METER_PACKETS];
	if (rates[ABI_METER_BITS] > a->peak_bps)
		a->peak_bps = rates[ABI_METER_BITS];
	if (meters_above(r, rates, r->percent))
		a->loud_ns = now_ns;
	if (now_ns - a->loud_ns >= r->hold_s * CLOCK_NS_PER_S) {
		attack_tell(m, service, ABI_ATTACK_END, now_ns);
		a->since_ns = 0;
	} else if (now_ns - (is_new ? a->since_ns : a->told_ns) >= wait_ns) {
		attack_tell(m, service, is_new ? ABI_ATTACK_BEGIN : ABI_ATTACK_GOES_ON, now_ns);
	}
}

/* An index that another service has now, or none: what was known of the one before is over. */
static void
gauge_follow(struct meter *m, unsigned service, const struct build_guard *guard, uint64_t now_ns)
{
	struct gauge *g = &m->gauges[service];
	uint64_t key = guard && guard->record.type ? guard->key : 0;

	if (g->key != key) {
		if (g->attack.since_ns)
			attack_tell(m, service, ABI_ATTACK_END, now_ns);
		*g = (struct gauge){.key = key};
		if (key)
			g->last = reading_take(m, service);
	}
	talkers_follow(m->config.talkers, service, key, guard ? &guard->record : NULL);
}

static void
gauge_tick(struct meter *m, unsigned service, const struct abi_guard *r, uint64_t now_ns)
{
	struct gauge *g = &m->gauges[service];
	struct reading before = g->last;
	uint64_t rates[ABI_METERS];

	g->last = reading_take(m, service);
	g->is_always = r->mode == ABI_GUARD_ALWAYS;
	for (unsigned i = 0; i < ABI_METERS; i++)
		rates[i] = rate_of(&before, &g->last, i, now_ns - m->last_ns);
	if (!g->attack.since_ns && meters_above(r, rates, 100))
		attack_begin(m, service, now_ns);
	if (g->attack.since_ns)
		attack_go_on(m, service, r, rates, now_ns);
	talkers_rate(m->config.talkers, service, rates[ABI_METER_PACKETS], g->is_always || g->attack.since_ns);
}

/* What the workers are told: who is armed, and where sources of others prove themselves. */
static void
states_write(struct meter *m, const struct build_guard *guards, uint32_t now_s)
{
	uint8_t modes[ABI_SERVICES_MAX] = {0};
	uint32_t n = 0;

	for (unsigned i = 0; guards && i < ABI_SERVICES_MAX; i++) {
		if (!m->gauges[i].attack.since_ns && !m->gauges[i].is_always)
			continue;
		modes[i] = GUARD_ARMED;
		if (guards[i].checker != SERVICE_NONE && modes[guards[i].checker] == GUARD_PEACE)
			modes[guards[i].checker] = GUARD_CHECKING;
	}
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		_Atomic uint32_t *state = &m->config.guard->states[i];

		n += modes[i] != GUARD_PEACE;
		if ((atomic_load_explicit(state, memory_order_relaxed) & 3) != modes[i])
			atomic_store_explicit(state, guard_state(modes[i], now_s), memory_order_relaxed);
	}
	atomic_store_explicit(&m->config.guard->n_armed, n, memory_order_relaxed);
	talkers_stride(m->config.talkers, n > 0);
}

void
meter_tick(struct meter *m, const struct build_guard *guards, uint64_t now_ns, uint32_t now_s)
{
	if (m->last_ns && now_ns - m->last_ns < METER_PERIOD_MS * CLOCK_NS_PER_MS)
		return;
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		gauge_follow(m, i, guards ? &guards[i] : NULL, now_ns);
		if (m->gauges[i].key && m->last_ns)
			gauge_tick(m, i, &guards[i].record, now_ns);
	}
	m->last_ns = now_ns;
	states_write(m, guards, now_s);
	talkers_tick(m->config.talkers, now_ns);
}
