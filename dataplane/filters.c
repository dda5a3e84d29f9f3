/* SPDX-License-Identifier: BSD-2-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_bpf_convert */
#include "dataplane/filters.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_malloc.h>

enum { BURSTS_PER_S = 20 }; /* of what a filter lets through */

_Static_assert(sizeof(struct bpf_insn) == sizeof(uint64_t), "a classic instruction");
_Static_assert(sizeof(struct ebpf_insn) == sizeof(uint64_t), "an eBPF instruction");

/*
 * DPDK 22.11 gets BPF_JSET with a constant of -128 to 127 wrong on x86, as machine code: written with an operand of one octet
 * where x86 has none but of four, it makes another program of what follows. Such a program is left to an interpreter.
 */
static bool
is_miscompiled(unsigned code, int32_t constant)
{
	return code == (BPF_JMP | BPF_JSET | BPF_K) && constant >= INT8_MIN && constant <= INT8_MAX;
}

/* By libpcap, whose program it is. */
static int
classic_interpret(struct filter *f, const struct bpf_insn *insns, unsigned n)
{
	f->insns = malloc(n * sizeof(*insns));
	if (!f->insns)
		return -ENOMEM;
	memcpy(f->insns, insns, n * sizeof(*insns));
	return 0;
}

static void
machine_code_take(struct filter *f)
{
	struct rte_bpf_jit jit = {0};

	if (rte_bpf_get_jit(f->bpf, &jit) == 0)
		f->run = jit.func;
}

static int
classic_load(struct filter *f, const uint64_t *insns, unsigned n)
{
	struct bpf_insn copy[ABI_FILTER_INSNS_MAX];
	struct bpf_program program = {.bf_len = n, .bf_insns = copy};
	struct rte_bpf_prm *prm;

	memcpy(copy, insns, n * sizeof(*copy));
	if (!bpf_validate(copy, (int)n))
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		if (is_miscompiled(copy[i].code, (int32_t)copy[i].k))
			return classic_interpret(f, copy, n);
	}
	prm = rte_bpf_convert(&program);
	if (prm)
		f->bpf = rte_bpf_load(prm);
	rte_free(prm);
	if (f->bpf)
		machine_code_take(f);
	return f->run ? 0 : classic_interpret(f, copy, n);
}

static int
ebpf_load(struct filter *f, const uint64_t *insns, unsigned n)
{
	struct ebpf_insn copy[ABI_FILTER_INSNS_MAX];
	struct rte_bpf_prm prm = {.ins = copy,
				  .nb_ins = n,
				  .prog_arg = {.type = RTE_BPF_ARG_PTR, .size = sizeof(struct abi_filter_view)}};
	bool has_code = true;

	memcpy(copy, insns, n * sizeof(*copy));
	for (unsigned i = 0; i < n; i++)
		has_code = has_code && !is_miscompiled(copy[i].code, copy[i].imm);
	f->bpf = rte_bpf_load(&prm);
	if (!f->bpf)
		return rte_errno == ENOMEM ? -ENOMEM : -EINVAL;
	if (has_code)
		machine_code_take(f);
	return 0;
}

static bool
terms_are_sound(const struct abi_match_term *terms, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (terms[i].field >= ABI_MATCH_FIELDS || terms[i].op & ~ABI_MATCH_OPS || terms[i].zero[0] || terms[i].zero[1])
			return false;
	}
	return terms[n - 1].op & ABI_MATCH_END;
}

static int
terms_load(struct filter *f, const uint64_t *insns, unsigned n)
{
	if (n % 2 != 0)
		return -EINVAL;
	f->n_terms = n / 2;
	f->terms = malloc(n * sizeof(*insns));
	if (!f->terms)
		return -ENOMEM;
	memcpy(f->terms, insns, n * sizeof(*insns));
	return terms_are_sound(f->terms, f->n_terms) ? 0 : -EINVAL;
}

/* A rate that no packet path reaches is none. */
static bool
rate_init(struct limit_rate *rate, uint64_t per_s)
{
	uint64_t burst = per_s / BURSTS_PER_S;

	return per_s > 0 && limit_rate_init(rate, per_s, burst ? burst : 1) == 0;
}

static int
filter_init(struct filter *f, const struct abi_filter *r, const uint64_t *insns)
{
	*f = (struct filter){.key = r->key, .service = r->service, .kind = r->kind, .action = r->action, .is_last = r->last};
	f->has_packets = rate_init(&f->packets, r->packets_s);
	f->has_bytes = rate_init(&f->bytes, r->bytes_s);
	if (r->kind == ABI_FILTER_MATCH)
		return terms_load(f, insns, r->n_insns);
	return r->kind == ABI_FILTER_EBPF ? ebpf_load(f, insns, r->n_insns) : classic_load(f, insns, r->n_insns);
}

/* What it was before goes on; workers charge the old bucket up to the swap, and a charge or two of that moment is lost. */
static void
filter_inherit(struct filters *filters, unsigned index, const struct filters *before)
{
	for (unsigned i = 0; before && i < before->n; i++) {
		if (before->list[i].key != filters->list[index].key)
			continue;
		filters->hits_before[index] = filters_hits(before, i);
		atomic_init(&filters->buckets[index].packets,
			    atomic_load_explicit(&before->buckets[i].packets, memory_order_relaxed));
		atomic_init(&filters->buckets[index].bytes,
			    atomic_load_explicit(&before->buckets[i].bytes, memory_order_relaxed));
		return;
	}
}

static void
sets_fill(struct filters *filters, const struct filters_spec *spec)
{
	for (unsigned s = 0; s < ABI_SERVICES_MAX; s++) {
		for (unsigned i = 0; i < spec->n; i++) {
			const struct abi_filter *f = &spec->filters[i];

			if ((f->service == ABI_FILTER_EVERY || f->service == s) &&
			    (f->vip == ABI_FILTER_EVERY || !spec->vip_of_service || spec->vip_of_service[s] == f->vip))
				filters->of_service[s].words[i / 64] |= UINT64_C(1) << i % 64;
		}
	}
}

static void *
lines_new(size_t size)
{
	void *lines = aligned_alloc(64, size);

	if (lines)
		memset(lines, 0, size);
	return lines;
}

static struct filters *
room_new(unsigned n_workers)
{
	struct filters *filters = calloc(1, sizeof(*filters));

	if (!filters)
		return NULL;
	filters->n_workers = n_workers;
	filters->workers = lines_new(n_workers * sizeof(*filters->workers));
	filters->buckets = lines_new(ABI_FILTERS_MAX * sizeof(*filters->buckets));
	filters->of_service = lines_new(ABI_SERVICES_MAX * sizeof(*filters->of_service));
	if (filters->workers && filters->buckets && filters->of_service)
		return filters;
	filters_free(filters);
	return NULL;
}

int
filters_new(const struct filters_spec *spec, struct filters **out, unsigned *fault)
{
	struct filters *filters = room_new(spec->n_workers);

	if (!filters)
		return -ENOMEM;
	sets_fill(filters, spec);
	for (; filters->n < spec->n; filters->n++) {
		unsigned i = filters->n;
		int err = filter_init(&filters->list[i], &spec->filters[i], spec->insns[i]);

		if (err) {
			*fault = i;
			filters_free(filters);
			return err;
		}
		filter_inherit(filters, i, spec->before);
	}
	*out = filters;
	return 0;
}

void
filters_free(struct filters *filters)
{
	if (!filters)
		return;
	for (unsigned i = 0; i < ABI_FILTERS_MAX; i++) {
		rte_bpf_destroy(filters->list[i].bpf);
		free(filters->list[i].insns);
		free(filters->list[i].terms);
	}
	free(filters->of_service);
	free(filters->buckets);
	free(filters->workers);
	free(filters);
}

uint64_t
filters_hits(const struct filters *filters, unsigned index)
{
	uint64_t sum = filters->hits_before[index];

	for (unsigned w = 0; w < filters->n_workers; w++)
		sum += atomic_load_explicit(&filters->workers[w].hits[index], memory_order_relaxed);
	return sum;
}
