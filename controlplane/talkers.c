/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/talkers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUMMARY_PERCENT = 10 };

struct service {
	uint64_t key;
	struct talkers_lists lists;
};

struct talkers {
	unsigned n;
	struct service *services[ABI_SERVICES_MAX];
};

static bool
source_is_sound(const struct abi_talker *t)
{
	struct prefix cut = prefix_of(&t->source.addr, t->source.len);

	if (t->source.addr.family != ADDR_V4 && t->source.addr.family != ADDR_V6)
		return false;
	return t->source.len <= addr_bits(&t->source.addr) && addr_equal(&cut.addr, &t->source.addr);
}

bool
talkers_check(const struct abi_talker *t)
{
	if (t->of >= ABI_TALKERS || t->rank >= ABI_TALKER_RANKS || t->service == 0)
		return false;
	if (t->packets == 0)
		return t->rank == 0;
	if (t->of == ABI_TALKER_SOURCE || t->of == ABI_TALKER_PREFIX)
		return source_is_sound(t);
	return t->of == ABI_TALKER_PAYLOAD || t->number <= UINT16_MAX;
}

void
talkers_lists_take(struct talkers_lists *lists, const struct abi_talker *t)
{
	if (t->rank == 0)
		lists->n[t->of] = 0;
	if (t->packets == 0 || t->rank != lists->n[t->of])
		return;
	lists->ranks[t->of][t->rank] = *t;
	lists->n[t->of]++;
}

const char *
talkers_of_name(enum abi_talker_of of)
{
	static const char *const names[ABI_TALKERS] = {
		[ABI_TALKER_SOURCE] = "source", [ABI_TALKER_PREFIX] = "prefix", [ABI_TALKER_PORT] = "port",
		[ABI_TALKER_LENGTH] = "length", [ABI_TALKER_TTL] = "ttl",	[ABI_TALKER_PAYLOAD] = "payload",
	};

	return names[of];
}

void
talkers_value_format(const struct abi_talker *t, char text[static TALKERS_VALUE_MAX])
{
	struct prefix prefix = {.addr = t->source.addr, .len = t->source.len};
	size_t len;

	switch (t->of) {
	case ABI_TALKER_SOURCE:
		addr_format(&prefix.addr, text);
		return;
	case ABI_TALKER_PREFIX:
		prefix_format(&prefix, text);
		return;
	case ABI_TALKER_PAYLOAD:
		len = (size_t)snprintf(text, TALKERS_VALUE_MAX, "%016" PRIx64 " ", t->payload.hash);
		for (unsigned i = 0; i < ABI_TALKER_OCTETS; i++)
			len += (size_t)snprintf(text + len, TALKERS_VALUE_MAX - len, "%02x", t->payload.octets[i]);
		return;
	default:
		snprintf(text, TALKERS_VALUE_MAX, "%" PRIu32, t->number);
	}
}

/* Estimates may be above what there is. */
static double
percent_of(uint64_t part, uint64_t total)
{
	return total == 0 || part > total ? 100.0 : (double)part / (double)total * 100.0;
}

double
talkers_share_percent(const struct abi_talker *t)
{
	return percent_of(t->packets, t->total);
}

double
talkers_error_percent(const struct abi_talker *t)
{
	return percent_of(t->error, t->total);
}

void
talkers_summary_format(const struct talkers_lists *lists, char text[static TALKERS_SUMMARY_MAX])
{
	char value[TALKERS_VALUE_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ABI_TALKERS && len < TALKERS_SUMMARY_MAX; i++) {
		const struct abi_talker *t = &lists->ranks[i][0];

		if (lists->n[i] == 0 || talkers_share_percent(t) < SUMMARY_PERCENT)
			continue;
		talkers_value_format(t, value);
		value[strcspn(value, " ")] = '\0';
		len += (size_t)snprintf(text + len, TALKERS_SUMMARY_MAX - len, "%s%s %s %.0f%%", len ? ", " : "",
					talkers_of_name((enum abi_talker_of)i), value, talkers_share_percent(t));
	}
}

struct talkers *
talkers_new(void)
{
	return calloc(1, sizeof(struct talkers));
}

void
talkers_free(struct talkers *t)
{
	if (t)
		talkers_clear(t);
	free(t);
}

void
talkers_clear(struct talkers *t)
{
	for (unsigned i = 0; i < t->n; i++)
		free(t->services[i]);
	t->n = 0;
}

static struct service *
find(const struct talkers *t, uint64_t key)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (t->services[i]->key == key)
			return t->services[i];
	}
	return NULL;
}

void
talkers_take(struct talkers *t, const struct abi_talker *talker)
{
	struct service *s = find(t, talker->service);

	if (!s && t->n < ABI_SERVICES_MAX && (s = calloc(1, sizeof(*s)))) {
		s->key = talker->service;
		t->services[t->n++] = s;
	}
	if (s)
		talkers_lists_take(&s->lists, talker);
}

const struct talkers_lists *
talkers_lookup(const struct talkers *t, uint64_t service)
{
	const struct service *s = find(t, service);

	return s ? &s->lists : NULL;
}
