/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/signatures.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct signatures_fault *fault, int err, unsigned rule, const char *text, ...) PRINTF_LIKE(4, 5);

static int
fail(struct signatures_fault *fault, int err, unsigned rule, const char *text, ...)
{
	va_list args;

	fault->rule = rule;
	va_start(args, text);
	vsnprintf(fault->text, sizeof(fault->text), text, args);
	va_end(args);
	return err;
}

static int
no_memory(struct signatures_fault *fault)
{
	return fail(fault, -ENOMEM, SIGNATURE_NONE, "out of memory for the signatures");
}

static int
spec_check(const struct signatures_spec *spec, struct signatures_fault *fault)
{
	if (hs_valid_platform() != HS_SUCCESS)
		return fail(fault, -ENOTSUP, SIGNATURE_NONE, "this CPU lacks SSSE3, which Hyperscan needs");
	if (spec->n > ABI_SIGNATURES_MAX)
		return fail(fault, -EINVAL, SIGNATURE_NONE, "%u rules, above %u", spec->n, ABI_SIGNATURES_MAX);
	if (spec->n_workers == 0 || spec->depth > SIGNATURES_DEPTH_MAX)
		return fail(fault, -EINVAL, SIGNATURE_NONE, "%u workers, %u octets of payload", spec->n_workers,
			    spec->depth);
	for (unsigned i = 0; i < spec->n; i++) {
		const char *wrong = abi_signature_fault(&spec->rules[i]);

		if (wrong)
			return fail(fault, -EINVAL, i, "rule %.63s has %s", spec->rules[i].name, wrong);
	}
	return 0;
}

static int
refused(hs_compile_error_t *error, const struct signatures_spec *spec, struct signatures_fault *fault)
{
	bool has_rule = error && error->expression >= 0 && (unsigned)error->expression < spec->n;
	unsigned rule = has_rule ? (unsigned)error->expression : SIGNATURE_NONE;
	int err;

	if (!error)
		return no_memory(fault);
	err = fail(fault, -EINVAL, rule, "%s%.63s: Hyperscan: %.100s", has_rule ? "rule " : "the rules",
		   has_rule ? spec->rules[rule].name : "", error->message);
	hs_free_compile_error(error);
	return err;
}

static int
compile(struct signatures *t, const struct signatures_spec *spec, struct signatures_fault *fault)
{
	const char *patterns[ABI_SIGNATURES_MAX];
	unsigned flags[ABI_SIGNATURES_MAX], ids[ABI_SIGNATURES_MAX];
	hs_compile_error_t *error = NULL;

	for (unsigned i = 0; i < spec->n; i++) {
		uint8_t wanted = spec->rules[i].flags;

		patterns[i] = spec->rules[i].pattern;
		/* One match of a rule says all; where it is doesn't matter. */
		flags[i] = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH |
			   (wanted & ABI_SIGNATURE_CASELESS ? HS_FLAG_CASELESS : 0U) |
			   (wanted & ABI_SIGNATURE_MULTILINE ? HS_FLAG_MULTILINE : 0U);
		ids[i] = i;
	}
	if (spec->n == 0)
		return 0;
	if (hs_compile_multi(patterns, flags, ids, spec->n, HS_MODE_BLOCK, NULL, &t->database, &error) != HS_SUCCESS)
		return refused(error, spec, fault);
	return 0;
}

static int
workers_new(struct signatures *t, unsigned n)
{
	t->workers = aligned_alloc(_Alignof(struct signature_worker), n * sizeof(*t->workers));
	if (!t->workers)
		return -ENOMEM;
	memset(t->workers, 0, n * sizeof(*t->workers));
	t->n_workers = n;
	for (unsigned i = 0; i < n && t->database; i++) {
		if (hs_alloc_scratch(t->database, &t->workers[i].scratch) != HS_SUCCESS)
			return -ENOMEM;
	}
	return 0;
}

/* The ports of one direction: those of a rule begin at `first`, n of them. */
struct direction {
	size_t ports_at; /* in struct abi_signature */
	size_t n_at;
	uint16_t *classes;
	struct signature_set **sets;
};

static const struct abi_signature_ports *
ports_of(const struct abi_signature *rule, const struct direction *d, unsigned *n)
{
	static const struct abi_signature_ports any = {0, UINT16_MAX};

	*n = *((const uint8_t *)rule + d->n_at);
	if (*n > 0)
		return (const void *)((const char *)rule + d->ports_at);
	*n = 1;
	return &any;
}

/* Ports between two neighbouring ends of ranges are taken by the same rules: they are one class. At most two ends for
 * each range, so 2 * 256 * 16 + 1 classes. */
static int
classes_new(const struct signatures_spec *spec, const struct direction *d)
{
	bool *begins = calloc(UINT16_MAX + 2, sizeof(*begins));
	unsigned n, class = 0;

	if (!begins)
		return -ENOMEM;
	for (unsigned i = 0; i < spec->n; i++) {
		const struct abi_signature_ports *ports = ports_of(&spec->rules[i], d, &n);

		for (unsigned k = 0; k < n; k++) {
			begins[ports[k].first] = true;
			begins[ports[k].last + 1] = true;
		}
	}
	for (unsigned port = 0; port <= UINT16_MAX; port++) {
		class += port > 0 && begins[port];
		d->classes[port] = (uint16_t) class;
	}
	free(begins);
	*d->sets = calloc(class + 1, sizeof(**d->sets));
	return *d->sets ? 0 : -ENOMEM;
}

static int
ports_new(const struct signatures_spec *spec, const struct direction *d)
{
	int err = classes_new(spec, d);
	unsigned n;

	for (unsigned i = 0; err == 0 && i < spec->n; i++) {
		const struct abi_signature_ports *ports = ports_of(&spec->rules[i], d, &n);

		for (unsigned k = 0; k < n; k++) {
			for (unsigned class = d->classes[ports[k].first]; class <= d->classes[ports[k].last]; class ++)
				signature_set_add(&(*d->sets)[class], i);
		}
	}
	return err;
}

static int
tables_new(struct signatures *t, const struct signatures_spec *spec)
{
	struct direction src = {offsetof(struct abi_signature, src), offsetof(struct abi_signature, n_src),
				t->src_class, &t->src_sets};
	struct direction dst = {offsetof(struct abi_signature, dst), offsetof(struct abi_signature, n_dst),
				t->dst_class, &t->dst_sets};
	int err;

	for (unsigned i = 0; i < spec->n; i++) {
		t->actions[i] = spec->rules[i].action;
		t->keys[i] = abi_signature_key(&spec->rules[i]);
		if (spec->rules[i].protocol != IPPROTO_UDP)
			signature_set_add(&t->tcp, i);
		if (spec->rules[i].protocol != IPPROTO_TCP)
			signature_set_add(&t->udp, i);
	}
	err = ports_new(spec, &src);
	if (err == 0)
		err = ports_new(spec, &dst);
	return err;
}

int
signatures_new(const struct signatures_spec *spec, struct signatures **out, struct signatures_fault *fault)
{
	struct signatures *t;
	int err = spec_check(spec, fault);

	if (err != 0)
		return err;
	t = calloc(1, sizeof(*t));
	if (!t)
		return no_memory(fault);
	t->n = spec->n;
	t->depth = spec->depth ? spec->depth : SIGNATURES_DEPTH_DEFAULT;
	err = compile(t, spec, fault);
	if (err == 0 && (tables_new(t, spec) != 0 || workers_new(t, spec->n_workers) != 0))
		err = no_memory(fault);
	if (err != 0) {
		signatures_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void
signatures_free(struct signatures *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->n_workers; i++)
		hs_free_scratch(t->workers[i].scratch);
	free(t->workers);
	free(t->dst_sets);
	free(t->src_sets);
	hs_free_database(t->database);
	free(t);
}

uint64_t
signatures_hits(const struct signatures *t, unsigned rule)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->n_workers; i++)
		sum += atomic_load_explicit(&t->workers[i].hits[rule], memory_order_relaxed);
	return sum;
}
