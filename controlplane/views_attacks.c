/* SPDX-License-Identifier: BSD-2-Clause */
/* Attacks, and who sends the most. */
#include <string.h>

#include "base/clock.h"
#include "controlplane/node.h"
#include "controlplane/views.h"

/* service: NULL: left out, and the estimated packets are given. */
static void
view_lists_append(json_t *list, const char *service, const struct talkers_lists *lists)
{
	char value[TALKERS_VALUE_MAX];

	for (unsigned of = 0; of < ABI_TALKERS; of++) {
		for (unsigned i = 0; i < lists->n[of]; i++) {
			const struct abi_talker *t = &lists->ranks[of][i];
			json_t *row;

			talkers_value_format(t, value);
			row = json_pack("{s:s, s:s, s:f, s:f}", "of", talkers_of_name((enum abi_talker_of)of), "value",
					value, "share_percent", talkers_share_percent(t), "error_percent",
					talkers_error_percent(t));
			if (service)
				json_object_set_new(row, "service", json_string(service));
			else
				json_object_set_new(row, "packets", json_integer((json_int_t)t->packets));
			json_array_append_new(list, row);
		}
	}
}

static json_t *
view_attack(const struct attack *attack, uint64_t now_ns)
{
	const struct abi_attack *e = &attack->last;
	uint64_t until_ns = attack->ended_ns ? attack->ended_ns : now_ns;
	char meters[64], reasons[160], summary[TALKERS_SUMMARY_MAX];
	json_t *talkers = json_array();

	attacks_meters_format(e->meters, meters);
	attacks_reasons_format(e, reasons);
	talkers_summary_format(&attack->talkers, summary);
	view_lists_append(talkers, NULL, &attack->talkers);
	return json_pack("{s:I, s:s, s:s, s:s, s:i, s:I, s:I, s:s, s:I, s:I, s:I, s:f, s:s, s:s, s:o}", "id",
			 (json_int_t)e->id, "service", attack->service, "state", attack->ended_ns ? "over" : "goes on",
			 "vector", attack->vector, "vector_percent", e->vector_percent, "begun_s",
			 (json_int_t)((now_ns - attack->begun_ns) / CLOCK_NS_PER_S), "lasted_s",
			 (json_int_t)((until_ns - attack->begun_ns) / CLOCK_NS_PER_S), "meters", meters, "peak_pps",
			 (json_int_t)e->peak_pps, "peak_kbps", (json_int_t)(e->peak_bps / 1000), "packets",
			 (json_int_t)e->packets, "stopped_percent", attacks_stopped_percent(e), "by", reasons, "top",
			 summary, "talkers", talkers);
}

json_t *
view_attacks(const struct node *node)
{
	uint64_t now_ns = clock_now_ns();
	json_t *list = json_array();
	const struct attack *attack;

	for (unsigned n = 0; (attack = attacks_lookup(node->attacks, n)); n++)
		json_array_append_new(list, view_attack(attack, now_ns));
	return list;
}

json_t *
view_talkers(const struct node *node, const char *service)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < node->model->n_services; i++) {
		const char *name = node->model->services[i].name;
		const struct talkers_lists *lists = talkers_lookup(attacks_talkers(node->attacks), compile_key(name));

		if (lists && (!service || strcmp(service, name) == 0))
			view_lists_append(list, name, lists);
	}
	return list;
}
