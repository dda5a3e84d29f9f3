/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{attacks,talkers,compile,allocate,guard,filters,program}.c base/?*.c abi/?*.c */
/* packages: jansson libpcap libelf libevent libmnl libhs */
/*
 * Any records as events of attacks and talkers, and whatever comes of them made into text: the dataplane is another
 * process, and may be hostile.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/attacks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model_service services[] = {{.name = "web"}, {.name = "dns"}};
static struct model_reflector reflectors[] = {{.name = "ntp", .port = 123}};
static const struct model model = {.n_services = 2, .services = services, .n_reflectors = 1, .reflectors = reflectors};

static void
lists_show(const struct talkers_lists *lists)
{
	char summary[TALKERS_SUMMARY_MAX], value[TALKERS_VALUE_MAX];

	talkers_summary_format(lists, summary);
	for (unsigned of = 0; of < ABI_TALKERS; of++) {
		if (lists->n[of] > ABI_TALKER_RANKS)
			abort();
		for (unsigned i = 0; i < lists->n[of]; i++) {
			const struct abi_talker *t = &lists->ranks[of][i];
			double share = talkers_share_percent(t), error = talkers_error_percent(t);

			talkers_value_format(t, value);
			if (share < 0 || share > 100 || error < 0 || error > 100 || strlen(value) == 0)
				abort();
		}
	}
}

static void
attacks_show(const struct attacks *attacks)
{
	const struct attack *attack;
	char meters[64], reasons[160];

	for (unsigned n = 0; (attack = attacks_lookup(attacks, n)); n++) {
		double stopped = attacks_stopped_percent(&attack->last);

		attacks_meters_format(attack->last.meters, meters);
		attacks_reasons_format(&attack->last, reasons);
		lists_show(&attack->talkers);
		if (stopped < 0 || stopped > 100 || strlen(attack->vector) == 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attacks *attacks = attacks_new();
	union abi_record record;

	log_init("fuzz", LOG_ERROR);
	if (!attacks)
		return 0;
	for (uint64_t now_ns = 1; size >= sizeof(record); now_ns *= 3, data += sizeof(record), size -= sizeof(record)) {
		const struct talkers_lists *lists;

		memcpy(&record, data, sizeof(record));
		if (record.type & 1)
			attacks_take(attacks, &model, &record.attack, now_ns);
		else
			attacks_take_talker(attacks, &record.talker);
		lists = talkers_lookup(attacks_talkers(attacks), record.talker.service);
		if (lists)
			lists_show(lists);
	}
	attacks_show(attacks);
	attacks_end_all(attacks, UINT64_MAX);
	attacks_show(attacks);
	attacks_free(attacks);
	return 0;
}
