/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

int
guard_shared_init(struct guard_shared *s, unsigned limit_bits, unsigned known_bits)
{
	*s = (struct guard_shared){.limits = limit_table_new(limit_bits, SOCKET_ID_ANY),
				   .known = known_table_new(known_bits)};
	if (!s->limits || !s->known) {
		guard_shared_fini(s);
		return -ENOMEM;
	}
	/* Two turns: neither key is one that can be guessed. */
	if (getrandom(&s->seed, sizeof(s->seed), 0) != sizeof(s->seed) || challenge_keys_turn(&s->keys) != 0 ||
	    challenge_keys_turn(&s->keys) != 0) {
		guard_shared_fini(s);
		return -EIO;
	}
	return 0;
}

void
guard_shared_fini(struct guard_shared *s)
{
	limit_table_free(s->limits);
	known_table_free(s->known);
	s->limits = NULL;
	s->known = NULL;
}

/* How far the next part goes, of n that are due in so many seconds. */
static uint32_t
part_of(uint32_t n, uint32_t seconds)
{
	return n / seconds + 1;
}

int
guard_upkeep(struct guard_shared *s, uint64_t now_ns, uint32_t now_s)
{
	uint32_t limits = part_of(limit_sets(s->limits), LIMIT_SWEEP_S / 2);
	uint32_t known = part_of(known_sets(s->known), KNOWN_SWEEP_S / 2);

	limit_sweep(s->limits, s->limits_swept, limits, now_ns);
	known_sweep(s->known, s->known_swept, known, now_s);
	s->limits_swept = s->limits_swept + limits < limit_sets(s->limits) ? s->limits_swept + limits : 0;
	s->known_swept = s->known_swept + known < known_sets(s->known) ? s->known_swept + known : 0;
	if (now_s - s->turned_s < CHALLENGE_KEY_S)
		return 0;
	s->turned_s = now_s;
	return challenge_keys_turn(&s->keys);
}

void
guard_init(struct guard *g, struct guard_shared *shared, unsigned worker, uint64_t tsc_hz)
{
	*g = (struct guard){.shared = shared,
			    .ns_per_tsc = (UINT64_C(1000000000) << 32) / tsc_hz,
			    .scan = {.worker = worker,
				     .nth = GUARD_SCAN_NTH,
				     .budget_tsc = tsc_hz * GUARD_SCAN_BUDGET_NS / UINT64_C(1000000000)}};
}

/* In the record: address packets, kbit, openings, then the prefix's; 0: no limit. */
static void
rates_init(struct guard_service *service, const struct abi_guard *r)
{
	const uint32_t *values[GUARD_LIMITS] = {&r->source.packets, &r->source.kbits, &r->source.openings,
						&r->prefix.packets, &r->prefix.kbits, &r->prefix.openings};

	for (unsigned i = 0; i < GUARD_LIMITS; i++) {
		uint64_t per_s = (uint64_t)*values[i] * (i % (GUARD_LIMITS / 2) == LIMIT_BITS ? 1000 : 1);
		uint64_t burst = per_s * r->burst_ms / 1000;

		if (per_s && limit_rate_init(&service->rates[i], per_s, burst ? burst : 1) == 0)
			service->limits |= (uint8_t)(1U << i);
	}
	service->has_unknown = r->unknown && limit_rate_init(&service->unknown, r->unknown, RTE_MAX(r->unknown / 10, 1U)) == 0;
}

static void
class_init(struct guard_class *class, const struct abi_list_class *r)
{
	const uint64_t per_s[] = {r->rates.packets, r->rates.kbits * UINT64_C(1000), r->rates.openings};

	for (unsigned i = 0; i < ARRAY_LEN(per_s); i++) {
		uint64_t burst = per_s[i] * r->burst_ms / 1000;

		if (per_s[i] && limit_rate_init(&class->rates[i], per_s[i], burst ? burst : 1) == 0)
			class->limits |= (uint8_t)(1U << i);
	}
}

static void
service_init(struct guard_service *service, const struct abi_guard *r)
{
	service->filters = r->filters | r->filters_always;
	service->filters_always = r->filters_always;
	service->check = r->check;
	service->prefix_v4_len = r->prefix_v4_len;
	service->prefix_v6_len = r->prefix_v6_len;
	rates_init(service, r);
}

static void
rules_init(struct guard_table *table, unsigned index, const struct abi_rule_set *r)
{
	struct guard_service *service = &table->services[index];

	if (!r->type)
		return;
	memcpy(service->rules.words, r->words, sizeof(r->words));
	service->scans = signature_set_first(&service->rules) != SIGNATURE_NONE;
	service->scans_always = service->scans && r->always;
	table->has_scans = table->has_scans || service->scans;
	table->has_always = table->has_always || service->scans_always;
}

struct guard_table *
guard_table_new(const struct guard_spec *spec)
{
	struct guard_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->services = calloc(ABI_SERVICES_MAX, sizeof(*table->services));
	table->classes = calloc(ABI_LIST_CLASSES, sizeof(*table->classes));
	if (!table->services || !table->classes) {
		guard_table_free(table);
		return NULL;
	}
	memcpy(table->reflectors, spec->reflectors, sizeof(table->reflectors));
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		if (!spec->guards[i].type)
			continue;
		service_init(&table->services[i], &spec->guards[i]);
		if (spec->guards[i].filters_always)
			table->has_always = true;
	}
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++)
		rules_init(table, i, &spec->rules[i]);
	for (unsigned i = 0; i < ABI_LIST_CLASSES; i++) {
		if (spec->classes[i].type)
			class_init(&table->classes[i], &spec->classes[i]);
	}
	return table;
}

void
guard_table_free(struct guard_table *table)
{
	if (!table)
		return;
	free(table->services);
	free(table->classes);
	free(table);
}

/* Of a TCP segment. In the mode that only checks, what isn't a SYN or a proof goes its way. */
static enum guard_unknown
tcp_unknown(struct guard *g, const struct guard_service *service, const struct guard_item *item, struct packet *p,
	    uint32_t now_s)
{
	struct guard_shared *s = g->shared;
	const uint8_t *tcp = packet_at(p, p->l4_at);
	bool is_cookie = service->check == ABI_GUARD_CHECK_SYN_COOKIE;

	if (p->flags & PACKET_OPENS)
		return answer_is_due(p) ? GUARD_UNKNOWN_ASK : GUARD_UNKNOWN_NOBODY;
	if (!is_cookie && (tcp[13] & TCP_RST) && challenge_is_met(&s->keys, p, answer_load(tcp + 4))) {
		known_pass(s->known, item->known_key, now_s);
		packet_settle(p, VERDICT_CHECK_PASSED);
		return GUARD_UNKNOWN_SETTLED;
	}
	if (is_cookie && (tcp[13] & (TCP_ACK | TCP_RST)) == TCP_ACK &&
	    challenge_is_met(&s->keys, p, answer_load(tcp + 8) - 1)) {
		known_pass(s->known, item->known_key, now_s);
		challenge_reset(p);
		return GUARD_UNKNOWN_SETTLED;
	}
	if ((tcp[13] & TCP_RST) && item->mode == GUARD_ARMED && (service->filters & ABI_GUARD_NOT_CLIENT)) {
		packet_settle(p, VERDICT_NOT_CLIENT);
		return GUARD_UNKNOWN_SETTLED;
	}
	return GUARD_UNKNOWN_NOBODY;
}

/* A fragment can't be answered, and brings no proof. */
enum guard_unknown
guard_unknown(struct guard *g, const struct guard_service *service, const struct guard_item *item, struct packet *p,
	      uint32_t now_s)
{
	if (p->flags & PACKET_FRAGMENT)
		return GUARD_UNKNOWN_NOBODY;
	switch (service->check) {
	case ABI_GUARD_CHECK_SYN:
	case ABI_GUARD_CHECK_SYN_COOKIE:
		return p->protocol == IPPROTO_TCP ? tcp_unknown(g, service, item, p, now_s) : GUARD_UNKNOWN_NOBODY;
	case ABI_GUARD_CHECK_DNS:
		return p->protocol == IPPROTO_UDP && item->mode == GUARD_ARMED && answer_is_due(p) &&
				       challenge_dns_question(packet_at(p, p->l4_at) + 8, challenge_udp_len(p))
			       ? GUARD_UNKNOWN_ASK
			       : GUARD_UNKNOWN_NOBODY;
	default:
		return GUARD_UNKNOWN_NOBODY;
	}
}

void
guard_ask(struct guard *g, const struct guard_service *service, struct packet *p)
{
	switch (service->check) {
	case ABI_GUARD_CHECK_SYN:
		challenge_syn(&g->shared->keys, p);
		break;
	case ABI_GUARD_CHECK_SYN_COOKIE:
		challenge_syn_cookie(&g->shared->keys, p);
		break;
	default:
		challenge_dns(p);
		break;
	}
}
