/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/flowspec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *name;
	unsigned value;
};

static const char *const component_names[FLOWSPEC_TYPES] = {
	[FLOWSPEC_DST] = "dst",
	[FLOWSPEC_SRC] = "src",
	[FLOWSPEC_PROTO] = "proto",
	[FLOWSPEC_PORT] = "port",
	[FLOWSPEC_DPORT] = "dport",
	[FLOWSPEC_SPORT] = "sport",
	[FLOWSPEC_ICMP_TYPE] = "icmp-type",
	[FLOWSPEC_ICMP_CODE] = "icmp-code",
	[FLOWSPEC_TCP_FLAGS] = "tcp-flags",
	[FLOWSPEC_LENGTH] = "length",
	[FLOWSPEC_DSCP] = "dscp",
	[FLOWSPEC_FRAGMENT] = "fragment",
	[FLOWSPEC_FLOW_LABEL] = "flow-label",
};

static const struct word protocols[] = {{"icmp", 1}, {"tcp", 6},    {"udp", 17},   {"gre", 47},
					{"esp", 50}, {"icmp6", 58}, {"sctp", 132}, {NULL, 0}};
static const struct word flags[] = {{"fin", 1},	 {"syn", 2},  {"rst", 4},   {"psh", 8}, {"ack", 16},
				    {"urg", 32}, {"ece", 64}, {"cwr", 128}, {NULL, 0}};
static const struct word fragments[] = {{"df", FLOWSPEC_DONT_FRAGMENT},
					{"is", FLOWSPEC_IS_FRAGMENT},
					{"first", FLOWSPEC_FIRST_FRAGMENT},
					{"last", FLOWSPEC_LAST_FRAGMENT},
					{NULL, 0}};

/* By EQ, GT, LT. */
static const char *const comparisons[8] = {"false", "=", ">", ">=", "<", "<=", "!=", "true"};

static const struct word *
bits_of(unsigned type)
{
	return type == FLOWSPEC_TCP_FLAGS ? flags : type == FLOWSPEC_FRAGMENT ? fragments : NULL;
}

/* Text out. */

struct text {
	char *at;
	size_t room; /* with the closing zero */
	size_t len;  /* of it all */
};

static void put(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);

static void
put(struct text *t, const char *format, ...)
{
	size_t used = t->len < t->room ? t->len : t->room;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->room > used ? t->at + used : NULL, t->room - used, format, args);
	va_end(args);
	t->len += n > 0 ? (size_t)n : 0;
}

static void
put_bits(struct text *t, const struct flowspec_term *term, const struct word *names)
{
	uint64_t left = term->value;
	const char *between = "";

	put(t, "%s%s", term->op & FLOWSPEC_NOT ? "!" : "", term->op & FLOWSPEC_MATCH ? "=" : "");
	for (const struct word *w = names; w->name; w++)
		left &= ~(uint64_t)w->value;
	if (left || !term->value) {
		put(t, "0x%llx", (unsigned long long)term->value);
		return;
	}
	for (const struct word *w = names; w->name; w++) {
		if (!(term->value & w->value))
			continue;
		put(t, "%s%s", between, w->name);
		between = "+";
	}
}

static void
put_number(struct text *t, const struct flowspec_term *term, unsigned type)
{
	unsigned op = term->op & 7;

	if (op == 0 || op == 7) {
		put(t, "%s", comparisons[op]);
		return;
	}
	put(t, "%s", op == FLOWSPEC_EQ ? "" : comparisons[op]);
	for (const struct word *w = protocols; type == FLOWSPEC_PROTO && w->name; w++) {
		if (term->value == w->value) {
			put(t, "%s", w->name);
			return;
		}
	}
	put(t, "%llu", (unsigned long long)term->value);
}

static void
put_prefix(struct text *t, const struct flowspec_component *c)
{
	char text[ADDR_TEXT_MAX];

	put(t, " %s/", addr_format(&c->addr, text));
	if (c->offset)
		put(t, "%u-", c->offset);
	put(t, "%u", c->len);
}

static void
put_terms(struct text *t, struct flowspec_component *c)
{
	struct flowspec_term term;
	const char *between = " ";

	while (flowspec_term_next(c, &term)) {
		put(t, "%s", term.op & FLOWSPEC_AND ? "&" : between);
		if (bits_of(c->type))
			put_bits(t, &term, bits_of(c->type));
		else
			put_number(t, &term, c->type);
		between = ",";
	}
}

size_t
flowspec_format(const struct flowspec *rule, char *text, size_t room)
{
	struct text t = {.at = text, .room = room};
	struct flowspec_component c;
	bool has_prefix = false;
	size_t at = 0;

	if (room)
		text[0] = '\0';
	while (flowspec_next(rule, &at, &c))
		has_prefix = has_prefix || c.type == FLOWSPEC_DST || c.type == FLOWSPEC_SRC;
	if (rule->family == ADDR_V6 && !has_prefix)
		put(&t, "ipv6");
	for (at = 0; flowspec_next(rule, &at, &c);) {
		put(&t, "%s%s", t.len ? " " : "", component_names[c.type]);
		if (c.type == FLOWSPEC_DST || c.type == FLOWSPEC_SRC)
			put_prefix(&t, &c);
		else
			put_terms(&t, &c);
	}
	return t.len;
}

/* Text in: the terms of a word, then octets by component, whose order is the rule's; flowspec_decode() has the last
 * word. */

enum { WORD_MAX = 1024, TERMS_MAX = WORD_MAX / 2 };

struct parser {
	const char *at;
	char *fault;
	uint8_t family; /* ADDR_NONE until something says it */
	size_t len[FLOWSPEC_TYPES];
	uint8_t octets[FLOWSPEC_TYPES][FLOWSPEC_OCTETS_MAX];
	char word[WORD_MAX];
	unsigned n_terms;
	struct flowspec_term terms[TERMS_MAX];
};

static const uint64_t value_max[FLOWSPEC_TYPES] = {
	[FLOWSPEC_PROTO] = 0xff,      [FLOWSPEC_PORT] = 0xffff,	       [FLOWSPEC_DPORT] = 0xffff,
	[FLOWSPEC_SPORT] = 0xffff,    [FLOWSPEC_ICMP_TYPE] = 0xff,     [FLOWSPEC_ICMP_CODE] = 0xff,
	[FLOWSPEC_TCP_FLAGS] = 0xfff, [FLOWSPEC_LENGTH] = 0xffff,      [FLOWSPEC_DSCP] = 0x3f,
	[FLOWSPEC_FRAGMENT] = 0xf,    [FLOWSPEC_FLOW_LABEL] = 0xfffff,
};

static int refuse(struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);

static int
refuse(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->fault, FLOWSPEC_FAULT_MAX, format, args);
	va_end(args);
	return -EINVAL;
}

static bool
next_word(struct parser *p)
{
	size_t len;

	p->at += strspn(p->at, " \t");
	len = strcspn(p->at, " \t");
	if (len == 0 || len >= WORD_MAX)
		return false;
	memcpy(p->word, p->at, len);
	p->word[len] = '\0';
	p->at += len;
	return true;
}

/* A number, or the longest name that the text begins with. */
static bool
number_read(const char **at, const struct word *names, uint64_t max, uint64_t *value)
{
	size_t longest = 0;
	char *end;

	for (const struct word *w = names; w && w->name; w++) {
		size_t len = strlen(w->name);

		if (len > longest && strncmp(*at, w->name, len) == 0) {
			longest = len;
			*value = w->value;
		}
	}
	*at += longest;
	if (longest > 0)
		return true;
	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*value = strtoull(*at, &end, 0);
	*at = end;
	return errno == 0 && *value <= max;
}

static uint8_t
comparison_read(const char **at)
{
	static const uint8_t by_length[] = {0, 7, 3, 5, 6, 1, 2, 4};

	for (size_t i = 0; i < ARRAY_LEN(by_length); i++) {
		const char *name = comparisons[by_length[i]];

		if (strncmp(*at, name, strlen(name)) == 0) {
			*at += strlen(name);
			return by_length[i];
		}
	}
	return FLOWSPEC_EQ;
}

static void
term_add(struct parser *p, unsigned type, unsigned op, uint64_t value)
{
	uint8_t octets = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : 4;

	if (type == FLOWSPEC_FLOW_LABEL)
		octets = 4; /* RFC 8956 3.7 */
	if (p->n_terms < TERMS_MAX)
		p->terms[p->n_terms++] = (struct flowspec_term){.op = (uint8_t)op, .octets = octets, .value = value};
}

static int
bits_read(struct parser *p, const char **at, unsigned type, unsigned op)
{
	const char *start = *at;
	uint64_t value = 0, one;

	for (; **at == '!' || **at == '='; (*at)++)
		op |= **at == '!' ? FLOWSPEC_NOT : FLOWSPEC_MATCH;
	do {
		if (!number_read(at, bits_of(type), value_max[type], &one))
			return refuse(p, "%s: no bits: \"%.40s\"", component_names[type], start);
		value |= one;
	} while (**at == '+' && (*at)++);
	term_add(p, type, op, value);
	return 0;
}

static int
comparison_term_read(struct parser *p, const char **at, unsigned type, unsigned and)
{
	const struct word *names = type == FLOWSPEC_PROTO ? protocols : NULL;
	uint64_t max = value_max[type], value = 0, last;
	const char *start = *at;
	uint8_t op = comparison_read(at);
	bool is_plain = *at == start;

	if (op == 0 || op == 7) {
		term_add(p, type, op | and, 0);
		return 0;
	}
	if (!number_read(at, names, max, &value))
		return refuse(p, "%s: no number up to %llu: \"%.40s\"", component_names[type], (unsigned long long)max,
			      start);
	if (!is_plain || **at != '-') {
		term_add(p, type, op | and, value);
		return 0;
	}
	(*at)++;
	if (!number_read(at, names, max, &last) || last < value)
		return refuse(p, "%s: no range: \"%.40s\"", component_names[type], start);
	term_add(p, type, FLOWSPEC_GT | FLOWSPEC_EQ | and, value);
	term_add(p, type, FLOWSPEC_LT | FLOWSPEC_EQ | FLOWSPEC_AND, last);
	return 0;
}

static int
terms_parse(struct parser *p, unsigned type, struct writer *w)
{
	const char *at = p->word;
	unsigned and = 0;
	int err;

	p->n_terms = 0;
	for (;;) {
		err = bits_of(type) ? bits_read(p, &at, type, and) : comparison_term_read(p, &at, type, and);
		if (err)
			return err;
		if (*at != ',' && *at != '&')
			break;
		and = *at++ == '&' ? FLOWSPEC_AND : 0;
	}
	if (*at)
		return refuse(p, "%s: what is \"%.40s\"?", component_names[type], at);
	for (unsigned i = 0; i < p->n_terms; i++)
		flowspec_term_write(w, &p->terms[i], i + 1 == p->n_terms);
	return 0;
}

static int
family_set(struct parser *p, uint8_t family)
{
	if (p->family && p->family != family)
		return refuse(p, "IPv4 and IPv6 in one rule");
	p->family = family;
	return 0;
}

/* Behind the slash: LEN or OFFSET-LEN. */
static bool
lengths_parse(const char *text, unsigned bits, unsigned *offset, unsigned *len)
{
	char rest;

	if (sscanf(text, "%3u-%3u%c", offset, len, &rest) == 2)
		return *len <= bits && *offset < *len;
	*offset = 0;
	return sscanf(text, "%3u%c", len, &rest) == 1 && *len <= bits;
}

static int
prefix_parse_and_write(struct parser *p, unsigned type, struct writer *w)
{
	char *slash = strchr(p->word, '/');
	unsigned offset = 0, len;
	struct addr addr, inside;

	if (slash)
		*slash = '\0';
	if (addr_parse(p->word, &addr) != 0)
		return refuse(p, "%s: no address: \"%.40s\"", component_names[type], p->word);
	len = addr_bits(&addr);
	if (slash && (!lengths_parse(slash + 1, len, &offset, &len) || (offset && addr.family == ADDR_V4)))
		return refuse(p, "%s: no length: \"%.40s\"", component_names[type], slash + 1);
	inside = prefix_of(&addr, len).addr;
	if (!addr_equal(&inside, &addr))
		return refuse(p, "%s: host bits are set: %.40s/%u", component_names[type], p->word, len);
	flowspec_prefix_write(
		w, &(struct flowspec_component){
			   .type = (uint8_t)type, .offset = (uint8_t)offset, .len = (uint8_t)len, .addr = addr});
	return family_set(p, addr.family);
}

static int
component_parse(struct parser *p)
{
	struct writer w;
	unsigned type = FLOWSPEC_DST;
	int err;

	while (type < FLOWSPEC_TYPES && strcmp(component_names[type], p->word) != 0)
		type++;
	if (type == FLOWSPEC_TYPES)
		return refuse(p, "\"%.40s\" is no component", p->word);
	if (p->len[type])
		return refuse(p, "%s: twice", component_names[type]);
	if (!next_word(p))
		return refuse(p, "%s: of what?", component_names[type]);
	w = writer_init(p->octets[type], sizeof(p->octets[type]));
	write_u8(&w, (uint8_t)type);
	err = type <= FLOWSPEC_SRC ? prefix_parse_and_write(p, type, &w) : terms_parse(p, type, &w);
	p->len[type] = written_since(&w, p->octets[type]);
	return !err && w.failed ? refuse(p, "%s: too long", component_names[type]) : err;
}

static int
assemble(struct parser *p, struct flowspec *out)
{
	uint8_t nlri[2 + FLOWSPEC_OCTETS_MAX];
	struct writer w = writer_init(nlri, sizeof(nlri));
	uint8_t *room = write_room(&w, 2);
	struct reader r;

	for (unsigned type = FLOWSPEC_DST; type < FLOWSPEC_TYPES; type++)
		write_bytes(&w, p->octets[type], p->len[type]);
	if (w.failed)
		return refuse(p, "longer than %d octets", FLOWSPEC_OCTETS_MAX);
	fill_u16(room, 0xf000 | (written_since(&w, nlri) - 2));
	r = reader_init(nlri, written_since(&w, nlri));
	if (flowspec_decode(&r, p->family == ADDR_V6 ? ADDR_V6 : ADDR_V4, out) != 0)
		return refuse(p, p->len[FLOWSPEC_FLOW_LABEL] ? "flow-label is IPv6's" : "nothing to match");
	return 0;
}

static int
words_parse(struct parser *p)
{
	int err = 0;

	while (!err && next_word(p)) {
		if (strcmp(p->word, "ipv4") == 0 || strcmp(p->word, "ipv6") == 0)
			err = family_set(p, p->word[3] == '4' ? ADDR_V4 : ADDR_V6);
		else
			err = component_parse(p);
	}
	return !err && *p->at ? refuse(p, "a word of more than %d letters", WORD_MAX - 1) : err;
}

int
flowspec_parse(const char *text, struct flowspec *out, char fault[static FLOWSPEC_FAULT_MAX])
{
	struct parser *p = calloc(1, sizeof(*p)); /* too much for a stack */
	int err;

	if (!p) {
		snprintf(fault, FLOWSPEC_FAULT_MAX, "out of memory");
		return -ENOMEM;
	}
	p->at = text;
	p->fault = fault;
	err = words_parse(p);
	if (!err)
		err = assemble(p, out);
	free(p);
	return err;
}
