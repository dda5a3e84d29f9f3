/* SPDX-License-Identifier: BSD-2-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_bpf_convert */
#include "dataplane/filters.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_malloc.h>

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

static int
filter_init(struct filter *f, const struct abi_filter *r, const uint64_t *insns)
{
	*f = (struct filter){.key = r->key, .service = r->service, .kind = r->kind, .action = r->action};
	return r->kind == ABI_FILTER_EBPF ? ebpf_load(f, insns, r->n_insns) : classic_load(f, insns, r->n_insns);
}

static uint64_t
hits_of_key(const struct filters *before, uint64_t key)
{
	for (unsigned i = 0; before && i < before->n; i++) {
		if (before->list[i].key == key)
			return filters_hits(before, i);
	}
	return 0;
}

int
filters_new(const struct filters_spec *spec, struct filters **out, unsigned *fault)
{
	struct filters *filters = calloc(1, sizeof(*filters));
	size_t size = spec->n_workers * sizeof(*filters->workers);

	if (!filters)
		return -ENOMEM;
	filters->n_workers = spec->n_workers;
	filters->workers = aligned_alloc(64, size);
	if (!filters->workers) {
		free(filters);
		return -ENOMEM;
	}
	memset(filters->workers, 0, size);
	for (; filters->n < spec->n; filters->n++) {
		unsigned i = filters->n;
		int err = filter_init(&filters->list[i], &spec->filters[i], spec->insns[i]);

		if (err) {
			*fault = i;
			filters_free(filters);
			return err;
		}
		filters->hits_before[i] = hits_of_key(spec->before, filters->list[i].key);
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
	}
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
