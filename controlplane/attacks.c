/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/attacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/compile.h"

/* A ring: the newest is at next - 1. */
struct attacks {
	uint64_t n; /* that have begun */
	unsigned next;
	struct talkers *talkers;
	uint32_t told_of;	       /* attack that `told` is of */
	struct talkers_lists told; /* since the last event */
	struct attack list[ATTACKS_MAX];
};

struct attacks *
attacks_new(void)
{
	struct attacks *a = calloc(1, sizeof(*a));

	if (a && !(a->talkers = talkers_new())) {
		free(a);
		return NULL;
	}
	return a;
}

void
attacks_free(struct attacks *a)
{
	if (!a)
		return;
	talkers_free(a->talkers);
	free(a);
}

void
attacks_meters_format(uint8_t meters, char text[static 64])
{
	static const char *const names[ABI_METERS] = {"packets", "bits", "openings", "fragments"};
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ABI_METERS; i++) {
		if (meters >> i & 1)
			len += (size_t)snprintf(text + len, 64 - len, "%s%s", len ? ", " : "", names[i]);
	}
}

void
attacks_reasons_format(const struct abi_attack *attack, char text[static 160])
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ABI_ATTACK_REASONS; i++) {
		const struct abi_counter_info *info = abi_verdict_info(attack->reasons[i]);

		if (info && attack->reasons[i] != VERDICT_OPEN && attack->percents[i] > 0)
			len += (size_t)snprintf(text + len, 160 - len, "%s%s %u%%", len ? ", " : "", info->name,
						attack->percents[i]);
	}
}

static const char *
service_name(const struct model *model, uint64_t key)
{
	for (unsigned i = 0; i < model->n_services; i++) {
		if (compile_key(model->services[i].name) == key)
			return model->services[i].name;
	}
	return "?";
}

static struct attack *
find(struct attacks *a, uint32_t id)
{
	for (unsigned i = 0; i < ATTACKS_MAX; i++) {
		if (a->list[i].last.type && a->list[i].last.id == id && !a->list[i].ended_ns)
			return &a->list[i];
	}
	return NULL;
}

static const char *
reflector_name(const struct model *model, uint16_t port)
{
	for (unsigned i = 0; i < model->n_reflectors; i++) {
		if (model->reflectors[i].port == port)
			return model->reflectors[i].name;
	}
	return NULL;
}

/* UDP that mostly comes from the port of a known reflector is what those answer. */
static void
vector_format(const struct model *model, const struct abi_attack *e, char text[static ATTACKS_VECTOR_MAX])
{
	static const char *const names[ABI_VECTORS] = {
		[ABI_VECTOR_UNKNOWN] = "unknown",	  [ABI_VECTOR_MIXED] = "mixed",
		[ABI_VECTOR_SYN] = "SYN flood",		  [ABI_VECTOR_SYN_ACK] = "SYN-ACK reflection",
		[ABI_VECTOR_ACK] = "ACK flood",		  [ABI_VECTOR_RST] = "RST flood",
		[ABI_VECTOR_TCP_FLAGS] = "TCP flags flood", [ABI_VECTOR_UDP] = "UDP flood",
		[ABI_VECTOR_FRAGMENTS] = "fragment flood",  [ABI_VECTOR_ICMP_ERRORS] = "ICMP error flood",
		[ABI_VECTOR_OTHER] = "flood of other protocols",
	};
	const char *reflector = e->vector == ABI_VECTOR_UDP && e->vector_port ? reflector_name(model, e->vector_port) : NULL;

	if (reflector)
		snprintf(text, ATTACKS_VECTOR_MAX, "UDP amplification, %s (port %u)", reflector, e->vector_port);
	else if (e->vector_port)
		snprintf(text, ATTACKS_VECTOR_MAX, "%s from port %u", names[e->vector], e->vector_port);
	else
		snprintf(text, ATTACKS_VECTOR_MAX, "%s", names[e->vector]);
}

static void
log_begin(const struct attack *attack)
{
	const struct abi_attack *e = &attack->last;
	char meters[64], talkers[TALKERS_SUMMARY_MAX];

	attacks_meters_format(e->meters, meters);
	talkers_summary_format(&attack->talkers, talkers);
	log_notice("attack %u on service %s begins: %s, %llu packets/s, %llu kbit/s, over in %s%s%s", e->id, attack->service,
		   attack->vector, (unsigned long long)e->peak_pps, (unsigned long long)e->peak_bps / 1000, meters,
		   talkers[0] ? ": " : "", talkers);
}

static void
log_end(const struct attack *attack)
{
	const struct abi_attack *e = &attack->last;
	char reasons[160], talkers[TALKERS_SUMMARY_MAX];

	attacks_reasons_format(e, reasons);
	talkers_summary_format(&attack->talkers, talkers);
	log_notice("attack %u on service %s is over after %u s: %s, peak %llu packets/s, %llu kbit/s, %llu packets, %.0f%% "
		   "stopped%s%s%s%s",
		   e->id, attack->service, e->duration_ms / 1000, attack->vector, (unsigned long long)e->peak_pps,
		   (unsigned long long)e->peak_bps / 1000, (unsigned long long)e->packets, attacks_stopped_percent(e),
		   reasons[0] ? ": " : "", reasons, talkers[0] ? "; " : "", talkers);
}

double
attacks_stopped_percent(const struct abi_attack *e)
{
	return e->packets == 0 ? 0 : e->stopped > e->packets ? 100 : (double)e->stopped / (double)e->packets * 100.0;
}

void
attacks_take_talker(struct attacks *a, const struct abi_talker *talker)
{
	if (!talkers_check(talker))
		return;
	if (talker->attack == 0) {
		talkers_take(a->talkers, talker);
		return;
	}
	if (talker->attack != a->told_of)
		a->told = (struct talkers_lists){0};
	a->told_of = talker->attack;
	talkers_lists_take(&a->told, talker);
}

static bool
event_is_sound(const struct abi_attack *e)
{
	return e->state <= ABI_ATTACK_END && e->vector < ABI_VECTORS && e->id != 0;
}

void
attacks_take(struct attacks *a, const struct model *model, const struct abi_attack *event, uint64_t now_ns)
{
	uint64_t duration_ns = event->duration_ms * CLOCK_NS_PER_MS;
	struct attack *attack;
	bool is_new;

	if (!event_is_sound(event))
		return;
	attack = find(a, event->id);
	is_new = !attack;
	if (is_new) {
		a->n++;
		attack = &a->list[a->next++ % ATTACKS_MAX];
		*attack = (struct attack){.begun_ns = now_ns > duration_ns ? now_ns - duration_ns : 0};
	}
	attack->last = *event;
	snprintf(attack->service, sizeof(attack->service), "%s", service_name(model, event->service));
	vector_format(model, event, attack->vector);
	if (a->told_of == event->id)
		attack->talkers = a->told;
	a->told_of = 0;
	if (event->state == ABI_ATTACK_END)
		attack->ended_ns = now_ns;
	if (is_new)
		log_begin(attack);
	if (attack->ended_ns)
		log_end(attack);
}

void
attacks_end_all(struct attacks *a, uint64_t now_ns)
{
	for (unsigned i = 0; i < ATTACKS_MAX; i++) {
		if (a->list[i].last.type && !a->list[i].ended_ns)
			a->list[i].ended_ns = now_ns;
	}
	talkers_clear(a->talkers);
}

uint64_t
attacks_count(const struct attacks *a)
{
	return a->n;
}

const struct talkers *
attacks_talkers(const struct attacks *a)
{
	return a->talkers;
}

const struct attack *
attacks_lookup(const struct attacks *a, unsigned n)
{
	const struct attack *attack = &a->list[(a->next - 1 - n) % ATTACKS_MAX];

	return n < ATTACKS_MAX && attack->last.type ? attack : NULL;
}

bool
attacks_is_armed(const struct attacks *a, const char *service)
{
	const struct attack *attack;

	for (unsigned n = 0; (attack = attacks_lookup(a, n)); n++) {
		if (!attack->ended_ns && strcmp(attack->service, service) == 0)
			return true;
	}
	return false;
}
