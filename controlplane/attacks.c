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
	unsigned next;
	struct attack list[ATTACKS_MAX];
};

struct attacks *
attacks_new(void)
{
	return calloc(1, sizeof(struct attacks));
}

void
attacks_free(struct attacks *attacks)
{
	free(attacks);
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

		if (info)
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

static void
tell(const struct attack *attack)
{
	static const char *const states[] = {"begins", "goes on", "is over"};
	const struct abi_attack *e = &attack->last;
	unsigned stopped = e->packets ? (unsigned)(100 * (double)e->stopped / (double)e->packets) : 0;
	char meters[64], reasons[160];

	attacks_meters_format(e->meters, meters);
	attacks_reasons_format(e, reasons);
	log_notice("attack %u on service %s %s: over in %s; peak %llu packets/s, %llu kbit/s; %llu packets in %u s, %u%% "
		   "stopped%s%s",
		   e->id, attack->service, states[e->state], meters, (unsigned long long)e->peak_pps,
		   (unsigned long long)e->peak_bps / 1000, (unsigned long long)e->packets, e->duration_ms / 1000, stopped,
		   reasons[0] ? ": " : "", reasons);
}

void
attacks_take(struct attacks *a, const struct model *model, const struct abi_attack *event, uint64_t now_ns)
{
	struct attack *attack;

	if (event->state > ABI_ATTACK_END)
		return;
	attack = find(a, event->id);
	if (!attack) {
		attack = &a->list[a->next++ % ATTACKS_MAX];
		*attack = (struct attack){.begun_ns = now_ns - event->duration_ms * CLOCK_NS_PER_MS};
	}
	attack->last = *event;
	snprintf(attack->service, sizeof(attack->service), "%s", service_name(model, event->service));
	if (event->state == ABI_ATTACK_END)
		attack->ended_ns = now_ns;
	tell(attack);
}

void
attacks_end_all(struct attacks *a, uint64_t now_ns)
{
	for (unsigned i = 0; i < ATTACKS_MAX; i++) {
		if (a->list[i].last.type && !a->list[i].ended_ns)
			a->list[i].ended_ns = now_ns;
	}
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
