/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/flowspec.c bgp/flowspec_text.c base/?*.c */
#include <stdlib.h>

#include "bgp/flowspec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written and read again as it was; its text means the same; order turns round. */
static void
rule_check(const struct flowspec *rule, const struct flowspec *before)
{
	uint8_t octets[2 + FLOWSPEC_OCTETS_MAX];
	struct writer w = writer_init(octets, sizeof(octets));
	struct flowspec again;
	struct prefix dst;
	char text[16384];
	struct reader r;

	flowspec_encode(rule, &w);
	r = reader_init(octets, written_since(&w, octets));
	if (w.failed || flowspec_decode(&r, rule->family, &again) != 0 || memcmp(&again, rule, sizeof(again)) != 0)
		abort();
	if (flowspec_compare(rule, &again) != 0 || (flowspec_compare(rule, before) < 0) != (flowspec_compare(before, rule) > 0))
		abort();
	if (flowspec_format(rule, text, sizeof(text)) >= sizeof(text))
		abort();
	(void)flowspec_destination(rule, &dst);
}

static void
nlri(const uint8_t *data, size_t size, enum addr_family family)
{
	struct flowspec rule, before = {0};
	struct reader r = reader_init(data, size);

	while (!r.failed && reader_left(&r) > 0) {
		if (flowspec_decode(&r, family, &rule) != 0)
			continue;
		rule_check(&rule, &before);
		before = rule;
	}
}

static void
text(const uint8_t *data, size_t size)
{
	char fault[FLOWSPEC_FAULT_MAX], *copy = malloc(size + 1);
	struct flowspec rule;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	if (flowspec_parse(copy, &rule, fault) == 0)
		rule_check(&rule, &rule);
	free(copy);
}

/* The first octet says what the rest is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0: nlri(data + 1, size - 1, ADDR_V4); break;
	case 1: nlri(data + 1, size - 1, ADDR_V6); break;
	case 2: text(data + 1, size - 1); break;
	default: (void)flowspec_action_decode(data + 1, (size - 1) / 2, data + 1 + (size - 1) / 2, (size - 1) / 2); break;
	}
	return 0;
}
