/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/counters.h"

static const struct abi_counter_info verdicts[VERDICT_COUNT] = {
	[VERDICT_OPEN] = {"open", "not settled", 0},
#define X(id, kind_letter, label, sentence) [VERDICT_##id] = {label, sentence, (#kind_letter)[0]},
	ABI_VERDICTS(X)
#undef X
};

static const struct abi_counter_info worker_counters[WORKER_COUNTER_COUNT] = {
#define X(id, label, sentence) [WORKER_##id] = {label, sentence, 0},
	ABI_WORKER_COUNTERS(X)
#undef X
};

const struct abi_counter_info *
abi_verdict_info(unsigned verdict)
{
	return verdict < VERDICT_COUNT ? &verdicts[verdict] : NULL;
}

const struct abi_counter_info *
abi_worker_counter_info(unsigned counter)
{
	return counter < WORKER_COUNTER_COUNT ? &worker_counters[counter] : NULL;
}
