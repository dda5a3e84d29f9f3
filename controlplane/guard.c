/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/guard.h"

#include <netinet/in.h>
#include <string.h>

enum { DNS_PORT = 53 };

int
guard_checker(const struct model *model, unsigned service)
{
	const struct model_service *of = &model->services[service];

	for (unsigned i = 0; i < model->n_services; i++) {
		const struct model_service *s = &model->services[i];

		if (s->vip == of->vip && s->protocol == IPPROTO_TCP && s->port_first <= of->port_first &&
		    s->port_last >= of->port_last)
			return (int)i;
	}
	return -1;
}

static bool
is_dns(const struct model_service *s)
{
	return s->protocol == IPPROTO_UDP && s->port_first == DNS_PORT && s->port_last == DNS_PORT;
}

static void
filter_add(struct abi_guard *record, enum abi_guard_filter filter, enum model_filter how, bool is_right)
{
	if (how == MODEL_FILTER_ARMED || (how == MODEL_FILTER_AUTO && is_right))
		record->filters |= (uint8_t)filter;
	else if (how == MODEL_FILTER_ALWAYS)
		record->filters_always |= (uint8_t)filter;
}

static enum abi_guard_check
check_of(const struct model *model, unsigned service)
{
	const struct model_service *s = &model->services[service];

	switch (s->guard.check) {
	case MODEL_CHECK_SOURCE_SYN:
		return ABI_GUARD_CHECK_SYN;
	case MODEL_CHECK_SOURCE_SYN_COOKIE:
		return ABI_GUARD_CHECK_SYN_COOKIE;
	case MODEL_CHECK_SOURCE_DNS:
		return ABI_GUARD_CHECK_DNS;
	case MODEL_CHECK_SOURCE_NONE:
		return ABI_GUARD_CHECK_NONE;
	default:
		break;
	}
	if (s->protocol != IPPROTO_UDP)
		return ABI_GUARD_CHECK_SYN;
	return is_dns(s) && guard_checker(model, service) >= 0 ? ABI_GUARD_CHECK_DNS : ABI_GUARD_CHECK_NONE;
}

bool
guard_record(const struct model *model, unsigned service, struct abi_guard *record)
{
	const struct model_service *s = &model->services[service];
	const struct model_guard *g = &s->guard;

	if (g->mode == MODEL_GUARD_OFF)
		return false;
	*record = (struct abi_guard){.type = ABI_GUARD,
				     .index = (uint16_t)service,
				     .mode = g->mode == MODEL_GUARD_ALWAYS ? ABI_GUARD_ALWAYS : ABI_GUARD_AUTO,
				     .check = (uint8_t)check_of(model, service),
				     .hold_s = g->hold_s,
				     .percent = g->percent,
				     .prefix_v4_len = g->prefix_v4_len,
				     .prefix_v6_len = g->prefix_v6_len,
				     .burst_ms = g->burst_ms,
				     .source = g->source,
				     .prefix = g->prefix,
				     .unknown = g->unknown};
	memcpy(record->thresholds, g->thresholds, sizeof(record->thresholds));
	filter_add(record, ABI_GUARD_REFLECTORS, g->reflectors, s->protocol != IPPROTO_TCP);
	filter_add(record, ABI_GUARD_NOT_CLIENT, g->not_client, s->protocol != IPPROTO_UDP);
	filter_add(record, ABI_GUARD_DNS, g->dns, is_dns(s));
	return true;
}
