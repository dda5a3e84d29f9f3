/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/methods_capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/capturing.h"
#include "controlplane/methods.h"
#include "controlplane/node.h"

enum { COUNT_DEFAULT = 10000, SECONDS_DEFAULT = 60, NTH_MAX = 1000000000 };

/* False: *error says what it must be. */
static bool
number_param(const json_t *params, const char *name, json_int_t most, uint32_t *out, struct control_error *error)
{
	const json_t *value = json_object_get(params, name);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > most) {
		control_fail(error, CONTROL_INVALID_PARAMS, "%s is a number from 1 to %lld", name, (long long)most);
		return false;
	}
	*out = (uint32_t)json_integer_value(value);
	return true;
}

static bool
kind_is_asked_for(char kind, const char *ends)
{
	if (kind == 'H')
		return false;
	if (strcmp(ends, "dropped") == 0)
		return kind == 'D';
	if (strcmp(ends, "passed") == 0)
		return kind == 'F' || kind == 'K';
	return true;
}

static bool
verdicts_param(const json_t *params, struct abi_capture *record, struct control_error *error)
{
	const char *ends = json_string_value(json_object_get(params, "ends"));
	const char *reason = json_string_value(json_object_get(params, "reason"));
	bool any = false;

	ends = ends ? ends : "all";
	if (strcmp(ends, "dropped") != 0 && strcmp(ends, "passed") != 0 && strcmp(ends, "all") != 0) {
		control_fail(error, CONTROL_INVALID_PARAMS, "ends \"%.40s\" is not dropped, passed or all", ends);
		return false;
	}
	for (unsigned v = VERDICT_OPEN + 1; v < VERDICT_COUNT; v++) {
		const struct abi_counter_info *verdict = abi_verdict_info(v);

		if (!kind_is_asked_for(verdict->kind, ends) || (reason && strcmp(verdict->name, reason) != 0))
			continue;
		record->verdicts[v / 64] |= UINT64_C(1) << v % 64;
		any = true;
	}
	if (!any)
		control_fail(error, CONTROL_INVALID_PARAMS, "no packet is %s by the reason \"%.40s\": `nearcastctl drops --all` has them",
			     strcmp(ends, "all") == 0 ? "dropped, passed or answered" : ends, reason ? reason : "");
	return any;
}

static bool
service_param(const struct model *model, const json_t *params, struct abi_capture *record, struct control_error *error)
{
	const char *name = json_string_value(json_object_get(params, "service"));

	for (unsigned i = 0; name && i < model->n_services; i++) {
		if (strcmp(model->services[i].name, name) == 0)
			record->service = compile_key(name);
	}
	if (name && !record->service)
		control_fail(error, CONTROL_INVALID_PARAMS, "there is no service %.64s", name);
	return !name || record->service;
}

static bool
expression_param(const json_t *params, struct program *program, struct control_error *error)
{
	const char *expression = json_string_value(json_object_get(params, "expression"));
	char fault[PROGRAM_FAULT_MAX];

	if (!expression)
		return true;
	if (strlen(expression) > PROGRAM_EXPRESSION_MAX)
		snprintf(fault, sizeof(fault), "longer than %d octets", PROGRAM_EXPRESSION_MAX);
	else if (program_compile(expression, program, fault) == 0)
		return true;
	control_fail(error, CONTROL_INVALID_PARAMS, "expression: %s", fault);
	return false;
}

static bool
request_params(const struct model *model, const json_t *params, struct capturing_request *request,
	       struct control_error *error)
{
	struct abi_capture *r = &request->record;
	uint32_t snap = ABI_CAPTURE_SNAP_MAX;

	*r = (struct abi_capture){.nth = 1, .limit = COUNT_DEFAULT, .duration_s = SECONDS_DEFAULT};
	r->only_marked = json_is_true(json_object_get(params, "sampled"));
	if (!number_param(params, "count", CAPTURING_COUNT_MAX, &r->limit, error) ||
	    !number_param(params, "seconds", ABI_CAPTURE_DURATION_MAX_S, &r->duration_s, error) ||
	    !number_param(params, "sample", NTH_MAX, &r->nth, error) ||
	    !number_param(params, "snap", ABI_CAPTURE_SNAP_MAX, &snap, error))
		return false;
	r->snap = (uint16_t)snap;
	return verdicts_param(params, r, error) && service_param(model, params, r, error) &&
	       expression_param(params, &request->program, error);
}

int
methods_capture(void *context, struct control_call *call, const json_t *params, json_t **result,
		struct control_error *error)
{
	const struct node *node = methods_node(context);
	struct capturing_request *request = calloc(1, sizeof(*request));
	int err = -EINVAL;

	(void)result;
	if (!request)
		return -ENOMEM;
	if (request_params(node->model, params, request, error))
		err = capturing_start(node->capturing, call, request);
	free(request);
	if (err == -EBUSY)
		return control_fail(error, CONTROL_REFUSED, "another capture runs: there is one at a time");
	if (err == -ENOTCONN)
		return control_fail(error, CONTROL_REFUSED, "the dataplane is not there");
	return err ? err : CONTROL_LATER;
}

int
methods_capture_stop(void *context, struct control_call *call, const json_t *params, json_t **result,
		     struct control_error *error)
{
	const struct node *node = methods_node(context);

	(void)params;
	if (!capturing_stop(node->capturing, call))
		return control_fail(error, CONTROL_REFUSED, "this client has no capture");
	*result = json_object();
	return 0;
}
