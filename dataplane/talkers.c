/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/talkers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/flowhash.h"
#include "dataplane/sketch.h"

enum {
	TOLD_PART = 200,      /* of all: who has surely sent less than one in so many packets is no talker */
	STOPPED_PERCENT = 10, /* of all: with fewer stopped, the vector is that of all */
	SERVICES_A_TICK = 4,
	PAYLOAD_AT = 2,
};

/* What an attack's port is found by: other traffic has ports too. */
struct cause {
	uint16_t port; /* the source's */
	uint8_t vector;
	uint8_t is_stopped;
};

/* Of a stretch of time. Weights are packets. */
struct tally {
	uint64_t samples;
	uint64_t vectors[ABI_VECTORS];
	uint64_t stopped[ABI_VECTORS]; /* of those, what reached no backend */
	struct sketch causes;	       /* by struct cause */
	struct sketch sketches[ABI_TALKERS];
};

struct service {
	uint64_t key;
	uint8_t prefix_v4_len;
	uint8_t prefix_v6_len;
	bool is_fresh;	 /* there is something that wasn't told yet */
	uint32_t attack; /* id, 0: none */
	uint64_t told_ns;
	struct tally recent;
	struct tally since; /* the attack's begin */
};

struct talkers {
	struct talkers_config config;
	uint64_t halved_ns;
	unsigned next;				    /* to be told, by its index */
	unsigned n_told;			    /* records, since the last tick */
	uint64_t packets_per_s;			    /* of the services that were told so far */
	struct service *services[ABI_SERVICES_MAX]; /* NULL: not guarded, or no memory */
};

_Static_assert(SKETCH_KEY == sizeof(((struct abi_talker *)NULL)->value), "a talker's value is the sketch's key");

struct talkers *
talkers_new(const struct talkers_config *config)
{
	struct talkers *t = calloc(1, sizeof(*t));

	if (t)
		t->config = *config;
	return t;
}

void
talkers_free(struct talkers *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++)
		free(t->services[i]);
	free(t);
}

/* A line that all workers read: written only when there is news. */
static void
line_write(_Atomic uint8_t *at, uint8_t value)
{
	if (atomic_load_explicit(at, memory_order_relaxed) != value)
		atomic_store_explicit(at, value, memory_order_relaxed);
}

void
talkers_follow(struct talkers *t, unsigned service, uint64_t key, const struct abi_guard *guard)
{
	struct service *s = t->services[service];

	if (!s && key == 0)
		return;
	if (s && s->key == key && s->prefix_v4_len == guard->prefix_v4_len && s->prefix_v6_len == guard->prefix_v6_len)
		return;
	free(s);
	s = key ? calloc(1, sizeof(*s)) : NULL;
	t->services[service] = s;
	if (s) {
		s->key = key;
		s->prefix_v4_len = guard->prefix_v4_len;
		s->prefix_v6_len = guard->prefix_v6_len;
	}
	line_write(&t->config.shared->shifts[service], 0);
}

void
talkers_rate(struct talkers *t, unsigned service, uint64_t packets_per_s, bool is_armed)
{
	uint64_t n = packets_per_s / (is_armed ? TALKERS_ARMED_HZ : TALKERS_PEACE_HZ);
	uint8_t shift = n > 1 ? (uint8_t)(63 - __builtin_clzll(n)) : 1; /* less than a stride: the stride */

	t->packets_per_s += packets_per_s;
	line_write(&t->config.shared->shifts[service], shift);
}

void
talkers_stride(struct talkers *t, bool some_is_armed)
{
	uint8_t stride = t->packets_per_s < TALKERS_QUIET_PPS ? TALKERS_STRIDE_QUIET : SAMPLE_STRIDE_DEFAULT;

	t->packets_per_s = 0;
	line_write(&t->config.shared->stride, some_is_armed ? TALKERS_STRIDE_ARMED : stride);
}

static enum abi_vector
tcp_vector(uint8_t flags)
{
	enum { SYN = 0x02, RST = 0x04, ACK = 0x10 };

	if (flags & RST)
		return ABI_VECTOR_RST;
	if (flags & SYN)
		return flags & ACK ? ABI_VECTOR_SYN_ACK : ABI_VECTOR_SYN;
	return flags & ACK ? ABI_VECTOR_ACK : ABI_VECTOR_TCP_FLAGS;
}

static enum abi_vector
vector_of(const struct sample *sample)
{
	if (sample->flags & PACKET_ICMP_ERROR)
		return ABI_VECTOR_ICMP_ERRORS;
	if (sample->flags & PACKET_FRAGMENT)
		return ABI_VECTOR_FRAGMENTS;
	if (sample->protocol == IPPROTO_UDP)
		return ABI_VECTOR_UDP;
	return sample->protocol == IPPROTO_TCP ? tcp_vector(sample->tcp_flags) : ABI_VECTOR_OTHER;
}

static void
source_add(struct tally *tally, const struct sample *sample, const struct service *s, uint64_t weight)
{
	bool is_v6 = sample->flags & PACKET_V6;
	struct prefix prefixes[] = {
		[ABI_TALKER_SOURCE] = {.addr = is_v6 ? addr_v6(sample->source) : addr_v4(sample->source),
				       .len = is_v6 ? 128 : 32},
	};
	struct prefix wide = prefix_of(&prefixes[0].addr, is_v6 ? s->prefix_v6_len : s->prefix_v4_len);
	struct sketch_key key;

	_Static_assert(sizeof(struct prefix) == SKETCH_KEY, "a prefix is a key");
	memcpy(&key, &prefixes[0], sizeof(key));
	sketch_add(&tally->sketches[ABI_TALKER_SOURCE], &key, weight);
	memcpy(&key, &wide, sizeof(key));
	sketch_add(&tally->sketches[ABI_TALKER_PREFIX], &key, weight);
}

static void
number_add(struct tally *tally, enum abi_talker_of of, uint32_t number, uint64_t weight)
{
	struct sketch_key key = {0};

	memcpy(&key, &number, sizeof(number));
	sketch_add(&tally->sketches[of], &key, weight);
}

static void
payload_add(struct tally *tally, const struct sample *sample, uint64_t weight)
{
	struct sketch_key key = {0};
	unsigned len = RTE_MIN((unsigned)sample->payload_len, (unsigned)(PAYLOAD_AT + ABI_TALKER_OCTETS));
	uint64_t hash;

	if (len <= PAYLOAD_AT)
		return;
	memcpy(key.octets + sizeof(hash), sample->payload + PAYLOAD_AT, len - PAYLOAD_AT);
	hash = flowhash_bytes(0, key.octets + sizeof(hash), ABI_TALKER_OCTETS);
	memcpy(key.octets, &hash, sizeof(hash));
	sketch_add(&tally->sketches[ABI_TALKER_PAYLOAD], &key, weight);
}

static void
cause_add(struct tally *tally, const struct sample *sample, enum abi_vector vector, uint64_t weight)
{
	bool is_stopped = sample->verdict != VERDICT_FORWARDED;
	struct cause cause = {.port = sample->src_port, .vector = (uint8_t)vector, .is_stopped = is_stopped};
	struct sketch_key key = {0};

	memcpy(&key, &cause, sizeof(cause));
	sketch_add(&tally->causes, &key, weight);
	tally->vectors[vector] += weight;
	tally->stopped[vector] += is_stopped ? weight : 0;
}

static void
tally_add(struct tally *tally, const struct sample *sample, const struct service *s)
{
	uint64_t weight = UINT64_C(1) << sample->shift;

	tally->samples++;
	cause_add(tally, sample, vector_of(sample), weight);
	source_add(tally, sample, s, weight);
	if (sample->src_port)
		number_add(tally, ABI_TALKER_PORT, sample->src_port, weight);
	number_add(tally, ABI_TALKER_LENGTH, sample->len, weight);
	number_add(tally, ABI_TALKER_TTL, sample->ttl, weight);
	payload_add(tally, sample, weight);
}

void
talkers_take(struct talkers *t, struct sample_ring *ring)
{
	struct sample sample;

	for (unsigned i = 0; i < SAMPLE_RING && sample_ring_pop(ring, &sample); i++) {
		struct service *s = t->services[sample.service];

		if (!s)
			continue;
		tally_add(&s->recent, &sample, s);
		if (s->attack)
			tally_add(&s->since, &sample, s);
		s->is_fresh = true;
	}
}

static uint64_t
total_of(const struct tally *tally)
{
	return tally->sketches[ABI_TALKER_LENGTH].total; /* every sample has one */
}

static void
tally_halve(struct tally *tally)
{
	tally->samples = (tally->samples + 1) / 2;
	for (unsigned i = 0; i < ABI_VECTORS; i++) {
		tally->vectors[i] /= 2;
		tally->stopped[i] /= 2;
	}
	sketch_halve(&tally->causes);
	for (unsigned i = 0; i < ABI_TALKERS; i++)
		sketch_halve(&tally->sketches[i]);
}

/* Newton's; off the packet path. */
static uint64_t
root(uint64_t n)
{
	uint64_t x = n, y = (n + 1) / 2;

	while (y < x) {
		x = y;
		y = (x + n / x) / 2;
	}
	return x;
}

static void
talker_tell(struct talkers *t, const union abi_record *record)
{
	if (t->n_told >= TALKERS_RECORDS_MAX)
		return;
	t->n_told++;
	t->config.tell(t->config.context, record);
}

/* What a count may be off by: what the sketch says, and two standard deviations of the sampling, which of n packets seen by
 * samples of `weight` is the root of n * weight. */
static uint64_t
error_of(const struct sketch_counter *c, const struct tally *tally)
{
	return c->error + 2 * root(c->count * (total_of(tally) / tally->samples));
}

/* A talker is one that has surely sent its part, and whose count is more than what it may be off by. */
static void
list_tell(struct talkers *t, const struct service *s, const struct tally *tally, enum abi_talker_of of, uint32_t attack)
{
	const struct sketch_counter *top[ABI_TALKER_RANKS];
	union abi_record record = {.talker = {.type = ABI_TALKER,
					      .of = (uint8_t)of,
					      .attack = attack,
					      .service = s->key,
					      .total = total_of(tally)}};
	unsigned n = sketch_top(&tally->sketches[of], top, ABI_TALKER_RANKS), told = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t error = error_of(top[i], tally);

		if ((top[i]->count - top[i]->error) * TOLD_PART < record.talker.total || error >= top[i]->count)
			continue;
		record.talker.rank = (uint8_t)told++;
		record.talker.packets = top[i]->count;
		record.talker.error = error;
		memcpy(record.talker.value, &top[i]->key, SKETCH_KEY);
		talker_tell(t, &record);
	}
	if (told == 0)
		talker_tell(t, &record);
}

static void
tally_tell(struct talkers *t, const struct service *s, const struct tally *tally, uint32_t attack)
{
	for (unsigned i = 0; i < ABI_TALKERS; i++)
		list_tell(t, s, tally, (enum abi_talker_of)i, attack);
}

static void
service_tick(struct talkers *t, struct service *s, uint64_t now_ns)
{
	s->is_fresh = false;
	s->told_ns = now_ns;
	tally_tell(t, s, &s->recent, 0);
}

void
talkers_tick(struct talkers *t, uint64_t now_ns)
{
	bool halves = now_ns - t->halved_ns >= TALKERS_HALF_S * CLOCK_NS_PER_S;
	unsigned told = 0;

	t->n_told = 0;
	for (unsigned i = 0; halves && i < ABI_SERVICES_MAX; i++) {
		struct service *s = t->services[i];

		if (!s || total_of(&s->recent) == 0)
			continue;
		tally_halve(&s->recent);
		s->is_fresh = true;
	}
	if (halves)
		t->halved_ns = now_ns;
	for (unsigned i = 0; told < SERVICES_A_TICK && i < ABI_SERVICES_MAX;
	     i++, t->next = (t->next + 1) % ABI_SERVICES_MAX) {
		struct service *s = t->services[t->next];

		if (!s || !s->is_fresh || now_ns - s->told_ns < TALKERS_TELL_S * CLOCK_NS_PER_S)
			continue;
		service_tick(t, s, now_ns);
		told++;
	}
}

void
talkers_attack_begin(struct talkers *t, unsigned service, uint32_t id)
{
	struct service *s = t->services[service];

	if (!s)
		return;
	s->attack = id;
	memset(&s->since, 0, sizeof(s->since));
}

/* The source port of at least half of the vector's packets, which come to `weight`; 0: there is none. */
static uint16_t
vector_port(const struct tally *tally, unsigned vector, bool of_stopped, uint64_t weight)
{
	for (unsigned i = 0; i < SKETCH_COUNTERS; i++) {
		const struct sketch_counter *c = &tally->causes.counters[i];
		struct cause cause;

		memcpy(&cause, &c->key, sizeof(cause));
		if (cause.vector == vector && (cause.is_stopped || !of_stopped) && c->count > 0 &&
		    (c->count - c->error) * 2 >= weight)
			return cause.port;
	}
	return 0;
}

static void
vector_fill(const struct tally *tally, struct abi_attack *event)
{
	const uint64_t *weights;
	uint64_t sum = 0, stopped = 0;
	bool of_stopped;
	unsigned most = 0;

	for (unsigned i = 0; i < ABI_VECTORS; i++)
		stopped += tally->stopped[i];
	of_stopped = stopped * 100 >= total_of(tally) * STOPPED_PERCENT;
	weights = of_stopped ? tally->stopped : tally->vectors;
	for (unsigned i = 0; i < ABI_VECTORS; i++) {
		sum += weights[i];
		most = weights[i] > weights[most] ? i : most;
	}
	if (sum == 0)
		return;
	event->vector_percent = (uint8_t)(weights[most] * 100 / sum);
	event->vector = ABI_VECTOR_MIXED;
	if (weights[most] * 2 < sum)
		return;
	event->vector = (uint8_t)most;
	event->vector_port = vector_port(tally, most, of_stopped, weights[most]);
}

void
talkers_attack_tell(struct talkers *t, unsigned service, struct abi_attack *event)
{
	struct service *s = t->services[service];

	if (!s || s->attack != event->id)
		return;
	vector_fill(&s->since, event);
	tally_tell(t, s, &s->since, event->id);
	if (event->state == ABI_ATTACK_END)
		s->attack = 0;
}
