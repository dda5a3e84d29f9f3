/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/match.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct maker {
	unsigned n; /* may be above the maximum: what doesn't fit isn't written */
	struct abi_match_term terms[ABI_MATCH_TERMS_MAX];
};

static void
add(struct maker *m, struct abi_match_term term)
{
	if (m->n < ABI_MATCH_TERMS_MAX)
		m->terms[m->n] = term;
	m->n++;
}

static void
component_end(struct maker *m)
{
	if (m->n > 0 && m->n <= ABI_MATCH_TERMS_MAX)
		m->terms[m->n - 1].op |= ABI_MATCH_END;
}

static const struct {
	uint8_t field;
	uint32_t max; /* of the field; a larger value is compared with, never equal */
} fields[FLOWSPEC_TYPES] = {
	[FLOWSPEC_PROTO] = {ABI_MATCH_PROTOCOL, 0xff},
	[FLOWSPEC_PORT] = {ABI_MATCH_SPORT, 0xffff}, /* and then DPORT */
	[FLOWSPEC_DPORT] = {ABI_MATCH_DPORT, 0xffff},
	[FLOWSPEC_SPORT] = {ABI_MATCH_SPORT, 0xffff},
	[FLOWSPEC_ICMP_TYPE] = {ABI_MATCH_ICMP_TYPE, 0xff},
	[FLOWSPEC_ICMP_CODE] = {ABI_MATCH_ICMP_CODE, 0xff},
	[FLOWSPEC_TCP_FLAGS] = {ABI_MATCH_TCP_FLAGS, 0xfff},
	[FLOWSPEC_LENGTH] = {ABI_MATCH_LENGTH, 0xffff},
	[FLOWSPEC_DSCP] = {ABI_MATCH_DSCP, 0x3f},
	[FLOWSPEC_FRAGMENT] = {ABI_MATCH_FRAGMENT, 0xf},
	[FLOWSPEC_FLOW_LABEL] = {ABI_MATCH_FLOW_LABEL, 0xfffff},
};

/* RFC 8955 4.2.1.1: the values that the operator takes are one range, or all but one value. */
static struct abi_match_term
numeric_term(const struct flowspec_term *t, uint32_t max)
{
	struct abi_match_term term = {.mask = UINT32_MAX, .first = 1, .last = 0}; /* nothing is in it */
	bool eq = t->op & FLOWSPEC_EQ, gt = t->op & FLOWSPEC_GT, lt = t->op & FLOWSPEC_LT;
	uint64_t first = 0, last = max;

	if (lt && gt) {
		if (!eq && t->value <= max)
			return (struct abi_match_term){.op = ABI_MATCH_NOT, .mask = UINT32_MAX,
						       .first = (uint32_t)t->value, .last = (uint32_t)t->value};
	} else {
		if (!lt && !gt && !eq)
			return term;
		if (t->value > max)
			return lt ? (struct abi_match_term){.mask = UINT32_MAX, .last = max} : term;
		if (!lt)
			first = eq ? t->value : t->value + 1;
		if (lt && !eq && t->value == 0)
			return term;
		if (!gt)
			last = lt && !eq ? t->value - 1 : t->value;
		if (first > last)
			return term;
	}
	term.first = (uint32_t)first;
	term.last = (uint32_t)last;
	return term;
}

/* 4.2.1.2: all bits, or any. What lies beyond the field is ignored (4.2.2.9). */
static struct abi_match_term
bitmask_term(const struct flowspec_term *t, uint32_t max)
{
	uint32_t bits = (uint32_t)t->value & max;

	return (struct abi_match_term){.op = t->op & FLOWSPEC_NOT ? ABI_MATCH_NOT : 0,
				       .mask = bits,
				       .first = t->op & FLOWSPEC_MATCH ? bits : 1,
				       .last = t->op & FLOWSPEC_MATCH ? bits : max};
}

/* The component is passed by value: its terms are walked once for each field. */
static void
terms_add(struct maker *m, struct flowspec_component c, uint8_t field)
{
	bool is_bitmask = c.type == FLOWSPEC_TCP_FLAGS || c.type == FLOWSPEC_FRAGMENT;
	struct flowspec_term t;

	while (flowspec_term_next(&c, &t)) {
		struct abi_match_term term =
			is_bitmask ? bitmask_term(&t, fields[c.type].max) : numeric_term(&t, fields[c.type].max);

		term.field = field;
		term.op |= t.op & FLOWSPEC_AND ? ABI_MATCH_AND : 0;
		add(m, term);
	}
}

/* The words of the address of which some bits count, all of which must fit. */
static void
prefix_add(struct maker *m, const struct flowspec_component *c)
{
	bool is_first = true;

	for (unsigned word = 0; word < 4; word++) {
		const uint8_t *o = &c->addr.octets[4 * word];
		struct abi_match_term term = {.field = (uint8_t)((c->type == FLOWSPEC_DST ? ABI_MATCH_DST : ABI_MATCH_SRC) + word)};

		for (unsigned bit = 32 * word; bit < 32 * word + 32; bit++) {
			if (bit >= c->offset && bit < c->len)
				term.mask |= UINT32_C(1) << (31 - bit % 32);
		}
		if (term.mask == 0)
			continue;
		term.first = ((uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3]) & term.mask;
		term.last = term.first;
		term.op = is_first ? 0 : ABI_MATCH_AND;
		is_first = false;
		add(m, term);
	}
}

static void
component_add(struct maker *m, const struct flowspec_component *c)
{
	if (c->type == FLOWSPEC_DST || c->type == FLOWSPEC_SRC)
		prefix_add(m, c);
	else
		terms_add(m, *c, fields[c->type].field);
	if (c->type == FLOWSPEC_PORT)
		terms_add(m, *c, ABI_MATCH_DPORT); /* either port; a range is of one of them */
	component_end(m);
}

int
match_compile(const struct flowspec *rule, struct program *program, char fault[static PROGRAM_FAULT_MAX])
{
	struct maker m = {.n = 0};
	struct flowspec_component c;
	size_t at = 0;

	add(&m, (struct abi_match_term){
			.field = ABI_MATCH_FAMILY, .mask = UINT32_MAX, .first = rule->family, .last = rule->family});
	component_end(&m);
	while (flowspec_next(rule, &at, &c))
		component_add(&m, &c);
	if (m.n > ABI_MATCH_TERMS_MAX) {
		snprintf(fault, PROGRAM_FAULT_MAX, "%u comparisons, above %d", m.n, ABI_MATCH_TERMS_MAX);
		return -E2BIG;
	}
	program->kind = ABI_FILTER_MATCH;
	program->n = (uint16_t)(2 * m.n);
	memset(program->insns, 0, sizeof(program->insns));
	memcpy(program->insns, m.terms, m.n * sizeof(*m.terms));
	return 0;
}
