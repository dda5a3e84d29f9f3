/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/methods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi/control.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/announcing.h"
#include "controlplane/capturing.h"
#include "controlplane/methods_bgp.h"
#include "controlplane/methods_capture.h"
#include "controlplane/methods_originate.h"
#include "controlplane/node.h"
#include "controlplane/views.h"
#include "controlplane/views_bfd.h"
#include "controlplane/views_bgp.h"
#include "controlplane/views_monitor.h"

enum {
	WAITS_MAX = 64,
	WAIT_POLL_MS = 100, /* some conditions have no event of their own */
	TIMEOUT_MAX_S = 86400,
};

struct wait {
	struct control_call *call; /* NULL: free */
	bool (*met)(const struct methods *methods);
	uint64_t deadline_ns;
};

struct methods {
	struct node *node;
	struct control *control;
	struct event *poll;
	struct wait waits[WAITS_MAX];
};

/* Conditions of `wait`. */

static bool
met_dataplane(const struct methods *m)
{
	return m->node->dataplane_alive;
}

static bool
met_generation(const struct methods *m)
{
	return m->node->generation > 0 && !event_pending(m->node->reconcile, EV_TIMEOUT, NULL) &&
	       publish_is_current(m->node->publish);
}

static bool
met_settled(const struct methods *m)
{
	const struct region_counters *counters = publish_counters(m->node->publish);

	return met_generation(m) && counters &&
	       atomic_load_explicit(&region_header(counters)->slots_moving, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&region_header(counters)->slots_settling, memory_order_relaxed) == 0;
}

static bool
met_established(const struct methods *m)
{
	unsigned n = peering_count(m->node->peering);

	for (unsigned i = 0; i < n; i++) {
		if (bgp_session_status(peering_session(m->node->peering, i)).state != BGP_ESTABLISHED)
			return false;
	}
	return n > 0;
}

static bool
met_announced(const struct methods *m)
{
	for (unsigned i = 0; i < m->node->model->n_vips; i++) {
		enum announce_verdict verdict = node_verdict(m->node, i);

		if (verdict != ANNOUNCE_YES && verdict != ANNOUNCE_NEVER && verdict != ANNOUNCE_BY_HAND)
			return false;
	}
	return met_established(m) && announcing_is_settled(m->node);
}

static bool
met_drained(const struct methods *m)
{
	return m->node->drain.step == DRAIN_SAFE;
}

static const struct {
	const char *name;
	bool (*met)(const struct methods *methods);
} conditions[] = {
	{"dataplane", met_dataplane},	  {"generation", met_generation}, {"settled", met_settled},
	{"established", met_established}, {"announced", met_announced},	  {"drained", met_drained},
};

void
methods_progress(struct methods *m)
{
	uint64_t now = clock_now_ns();

	if (!m)
		return;
	for (unsigned i = 0; i < WAITS_MAX; i++) {
		struct wait *w = &m->waits[i];
		bool met = w->call && w->met(m);

		if (!w->call || (!met && now < w->deadline_ns))
			continue;
		control_reply(w->call, json_pack("{s:b}", "met", met));
		w->call = NULL;
	}
}

static void
on_poll(evutil_socket_t fd, short what, void *context)
{
	struct methods *m = context;

	(void)fd;
	(void)what;
	methods_progress(m);
}

/* A client that goes away takes its call with it. */
static void
on_gone(void *context, struct control_call *call)
{
	struct methods *m = context;

	capturing_gone(m->node->capturing, call);
	for (unsigned i = 0; i < WAITS_MAX; i++) {
		if (m->waits[i].call == call)
			m->waits[i].call = NULL;
	}
}

static int
call_wait(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	struct methods *m = context;
	const char *name = json_string_value(json_object_get(params, "for"));
	const json_t *timeout = json_object_get(params, "timeout_s");
	double timeout_s = json_number_value(timeout);
	unsigned at = 0;

	if ((timeout && !json_is_number(timeout)) || !(timeout_s >= 0 && timeout_s <= TIMEOUT_MAX_S))
		return control_fail(error, CONTROL_INVALID_PARAMS, "timeout_s is a number of seconds, 0 to %d",
				    TIMEOUT_MAX_S);
	for (unsigned i = 0; i < ARRAY_LEN(conditions); i++) {
		if (!name || strcmp(conditions[i].name, name) != 0)
			continue;
		if (conditions[i].met(m)) {
			*result = json_pack("{s:b}", "met", true);
			return 0;
		}
		while (at < WAITS_MAX && m->waits[at].call)
			at++;
		if (at == WAITS_MAX)
			return control_fail(error, CONTROL_REFUSED, "too many calls wait already");
		m->waits[at] = (struct wait){call, conditions[i].met,
					     clock_now_ns() + (uint64_t)(timeout_s * (double)CLOCK_NS_PER_S)};
		return CONTROL_LATER;
	}
	return control_fail(error, CONTROL_INVALID_PARAMS,
			    "wait for one of dataplane, generation, settled, established, announced, drained");
}

/* Views. */

#define VIEW(name)                                                                                                     \
	static int call_##name(void *context, struct control_call *call, const json_t *params, json_t **result,       \
			       struct control_error *error)                                                            \
	{                                                                                                              \
		const struct methods *m = context;                                                                    \
                                                                                                                       \
		(void)call;                                                                                            \
		(void)params;                                                                                          \
		(void)error;                                                                                           \
		*result = view_##name(m->node);                                                                        \
		return *result ? 0 : -ENOMEM;                                                                          \
	}

VIEW(status)
VIEW(services)
VIEW(backends)
VIEW(vips)
VIEW(bgp)
VIEW(bfd)
VIEW(monitors)
VIEW(workers)
VIEW(ports)
VIEW(drops)
VIEW(attacks)
VIEW(lists)
VIEW(filters)
VIEW(imports)
VIEW(signatures)

/* Changes. */

static int
call_reload(void *context, struct control_call *call, const json_t *params, json_t **result,
	    struct control_error *error)
{
	struct methods *m = context;

	(void)call;
	(void)params;
	if (node_reload(m->node) != 0)
		return control_fail(error, CONTROL_REFUSED, "%s", m->node->config_error);
	*result = json_pack("{s:I}", "generation", (json_int_t)m->node->generation);
	return 0;
}

static bool
backend_exists(const struct model *model, const char *name)
{
	char text[2 * MODEL_NAME_MAX + 1];

	for (unsigned i = 0; i < model->n_pools; i++) {
		for (unsigned k = 0; k < model->pools[i].n_backends; k++) {
			snprintf(text, sizeof(text), "%s/%s", model->pools[i].name, model->pools[i].backends[k].name);
			if (strcmp(text, name) == 0)
				return true;
		}
	}
	return false;
}

static int
set_backend(struct methods *m, const json_t *params, bool drained, json_t **result, struct control_error *error)
{
	const char *name = json_string_value(json_object_get(params, "backend"));
	int err;

	if (!name || !backend_exists(m->node->model, name))
		return control_fail(error, CONTROL_INVALID_PARAMS, "there is no backend \"%s\": name it as POOL/NAME",
				    name ? name : "");
	err = admin_set_backend(m->node->admin, name, drained);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "the state file can't be written: %s", strerror(-err));
	log_notice("backend %s: %s by the operator", name, drained ? "drained" : "undrained");
	node_changed(m->node);
	*result = json_pack("{s:s, s:b}", "backend", name, "drained", drained);
	return 0;
}

static int
call_backend_drain(void *context, struct control_call *call, const json_t *params, json_t **result,
		   struct control_error *error)
{
	(void)call;
	return set_backend(context, params, true, result, error);
}

static int
call_backend_undrain(void *context, struct control_call *call, const json_t *params, json_t **result,
		     struct control_error *error)
{
	(void)call;
	return set_backend(context, params, false, result, error);
}

static int
set_node(struct methods *m, bool draining, bool at_once, json_t **result, struct control_error *error)
{
	int err = announcing_drain(m->node, draining, at_once);

	if (err)
		return control_fail(error, CONTROL_REFUSED, "the state file can't be written: %s", strerror(-err));
	log_notice("node: %s by the operator", draining ? "drained" : "undrained");
	*result = json_pack("{s:b, s:s}", "draining", draining, "step", drain_step_name(m->node->drain.step));
	return 0;
}

static int
call_node_drain(void *context, struct control_call *call, const json_t *params, json_t **result,
		struct control_error *error)
{
	(void)call;
	return set_node(context, true, json_is_true(json_object_get(params, "now")), result, error);
}

static int
call_node_undrain(void *context, struct control_call *call, const json_t *params, json_t **result,
		  struct control_error *error)
{
	(void)call;
	(void)params;
	return set_node(context, false, false, result, error);
}

/* The prefix in the call's params; false: *error says why not. */
static bool
prefix_param(const json_t *params, struct prefix *prefix, struct control_error *error)
{
	const char *text = json_string_value(json_object_get(params, "prefix"));

	if (text && prefix_parse(text, prefix) == 0)
		return true;
	control_fail(error, CONTROL_INVALID_PARAMS, "\"%s\" is no prefix such as 192.0.2.0/24 or 2001:db8::/32", text ? text : "");
	return false;
}

static bool
entry_param(const json_t *params, struct list_entry *entry, struct control_error *error)
{
	static const char *const actions[] = {[LIST_DROP] = "drop", [LIST_ALLOW] = "allow", [LIST_LIMIT] = "limit"};
	const char *action = json_string_value(json_object_get(params, "action"));
	const char *lasts = json_string_value(json_object_get(params, "for"));
	json_int_t class = json_integer_value(json_object_get(params, "class"));
	uint64_t for_s = 0;

	*entry = (struct list_entry){.action = LIST_NONE};
	for (unsigned i = LIST_DROP; action && i <= LIST_LIMIT; i++) {
		if (strcmp(actions[i], action) == 0)
			entry->action = (uint8_t)i;
	}
	if (entry->action == LIST_NONE || class < 0 || class >= ABI_LIST_CLASSES || (class && entry->action != LIST_LIMIT)) {
		control_fail(error, CONTROL_INVALID_PARAMS, "action is drop, allow or limit; limit takes a class, 0 to %d",
			     ABI_LIST_CLASSES - 1);
		return false;
	}
	if (lasts && list_duration_parse(lasts, &for_s) != 0) {
		control_fail(error, CONTROL_INVALID_PARAMS, "for \"%s\" is no duration such as 90s, 10m, 2h or 7d", lasts);
		return false;
	}
	entry->class = (uint8_t)class;
	entry->until_s = for_s ? (uint64_t)time(NULL) + for_s : 0;
	return prefix_param(params, &entry->prefix, error);
}

static int
call_list_add(void *context, struct control_call *call, const json_t *params, json_t **result,
	      struct control_error *error)
{
	struct methods *m = context;
	const char *comment = json_string_value(json_object_get(params, "comment"));
	char text[LIST_COMMENT_MAX + 1] = "";
	struct list_entry entry;
	int err;

	(void)call;
	if (!entry_param(params, &entry, error))
		return -1;
	for (size_t i = 0; comment && comment[i] && i < LIST_COMMENT_MAX; i++)
		text[i] = comment[i];
	for (char *c = text; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	entry.comment = text[0] ? text : NULL;
	err = listing_add(m->node->listing, &entry);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "the entry is not kept: %s", strerror(-err));
	log_notice("lists: %s added by the operator", json_string_value(json_object_get(params, "prefix")));
	*result = json_pack("{s:O}", "prefix", json_object_get(params, "prefix"));
	return 0;
}

static int
call_list_remove(void *context, struct control_call *call, const json_t *params, json_t **result,
		 struct control_error *error)
{
	struct methods *m = context;
	struct prefix prefix;
	int err;

	(void)call;
	if (!prefix_param(params, &prefix, error))
		return -1;
	err = listing_remove(m->node->listing, &prefix);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "%s",
				    err == -ENOENT ? "there is no such entry that was made by hand" : strerror(-err));
	log_notice("lists: %s removed by the operator", json_string_value(json_object_get(params, "prefix")));
	*result = json_pack("{s:O}", "prefix", json_object_get(params, "prefix"));
	return 0;
}

static bool
service_exists(const struct model *model, const char *name)
{
	for (unsigned i = 0; i < model->n_services; i++) {
		if (strcmp(model->services[i].name, name) == 0)
			return true;
	}
	return false;
}

static int
call_talkers(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	const struct methods *m = context;
	const char *service = json_string_value(json_object_get(params, "service"));

	(void)call;
	if (service && !service_exists(m->node->model, service))
		return control_fail(error, CONTROL_INVALID_PARAMS, "there is no service %s", service);
	*result = view_talkers(m->node, service);
	return 0;
}

/* -1: there is none of that name. */
static int
filter_action(const char *name)
{
	static const struct {
		const char *name;
		enum abi_filter_action action;
	} actions[] = {{"drop", ABI_FILTER_DROP}, {"count", ABI_FILTER_COUNT}, {"sample", ABI_FILTER_SAMPLE}};

	for (unsigned i = 0; i < ARRAY_LEN(actions); i++) {
		if (!name || strcmp(actions[i].name, name) == 0)
			return actions[i].action;
	}
	return -1;
}

/* False: *error says what is wrong. */
static bool
filter_param(const struct model *model, const json_t *params, struct filter *f, struct control_error *error)
{
	const char *expression = json_string_value(json_object_get(params, "expression"));
	const char *object = json_string_value(json_object_get(params, "object"));
	const char *section = json_string_value(json_object_get(params, "section"));
	const char *service = json_string_value(json_object_get(params, "service"));
	const char *action = json_string_value(json_object_get(params, "action"));
	const char *lasts = json_string_value(json_object_get(params, "for"));
	uint64_t for_s = 0;

	if (!expression == !object)
		control_fail(error, CONTROL_INVALID_PARAMS, "a filter has either an expression or an object");
	else if (strlen(expression ? expression : object) >= sizeof(f->text) || (section && strlen(section) >= sizeof(f->section)))
		control_fail(error, CONTROL_INVALID_PARAMS, "longer than %zu octets", sizeof(f->text) - 1);
	else if (object && object[0] != '/')
		control_fail(error, CONTROL_INVALID_PARAMS, "object %s: give the whole path", object);
	else if (service && !service_exists(model, service))
		control_fail(error, CONTROL_INVALID_PARAMS, "there is no service %s", service);
	else if (filter_action(action) < 0)
		control_fail(error, CONTROL_INVALID_PARAMS, "action %s is not drop, count or sample", action);
	else if (lasts && list_duration_parse(lasts, &for_s) != 0)
		control_fail(error, CONTROL_INVALID_PARAMS, "for \"%s\" is no duration such as 90s, 10m, 2h or 7d", lasts);
	else {
		snprintf(f->text, sizeof(f->text), "%s", expression ? expression : object);
		snprintf(f->section, sizeof(f->section), "%s", !object ? "" : section ? section : PROGRAM_SECTION);
		snprintf(f->service, sizeof(f->service), "%s", service ? service : "");
		f->action = (uint8_t)filter_action(action);
		f->until_s = for_s ? (uint64_t)time(NULL) + for_s : 0;
		return true;
	}
	return false;
}

static int
call_filter_add(void *context, struct control_call *call, const json_t *params, json_t **result,
		struct control_error *error)
{
	struct methods *m = context;
	struct filter *like = calloc(1, sizeof(*like));
	char fault[PROGRAM_FAULT_MAX];
	uint32_t id = 0;
	int err;

	(void)call;
	if (!like || !filter_param(m->node->model, params, like, error)) {
		free(like);
		return -1;
	}
	err = filters_add(m->node->filters, like, &id, fault);
	if (id) {
		log_notice("filter %u added by the operator: %s", id, like->text);
		node_changed(m->node);
	}
	free(like);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "%s", fault);
	*result = json_pack("{s:I}", "id", (json_int_t)id);
	return 0;
}

static int
call_filter_remove(void *context, struct control_call *call, const json_t *params, json_t **result,
		   struct control_error *error)
{
	struct methods *m = context;
	json_int_t id = json_integer_value(json_object_get(params, "id"));
	int err = id > 0 && id <= UINT32_MAX ? filters_remove(m->node->filters, (uint32_t)id) : -ENOENT;

	(void)call;
	if (err == -ENOENT)
		return control_fail(error, CONTROL_REFUSED, "there is no such filter that was added by hand");
	log_notice("filter %lld removed by the operator", (long long)id);
	node_changed(m->node);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "removed, but the state file can't be written: %s", strerror(-err));
	*result = json_pack("{s:I}", "id", id);
	return 0;
}

static const struct control_method table[] = {
	{"status", call_status},
	{"services", call_services},
	{"backends", call_backends},
	{"vips", call_vips},
	{"bgp", call_bgp},
	{"bfd", call_bfd},
	{"bgp.peer", methods_bgp_peer},
	{"bgp.listen", methods_bgp_listen},
	{"bgp.routes", methods_bgp_routes},
	{"bgp.explain", methods_bgp_explain},
	{"bgp.log", methods_bgp_log},
	{"bgp.monitors", call_monitors},
	{"bgp.announce", methods_bgp_announce},
	{"bgp.withdraw", methods_bgp_withdraw},
	{"bgp.release", methods_bgp_release},
	{"bgp.refresh", methods_bgp_refresh},
	{"bgp.shutdown", methods_bgp_shutdown},
	{"bgp.open", methods_bgp_open},
	{"bgp.flowspec", methods_flowspec},
	{"bgp.flowspec.announce", methods_flowspec_announce},
	{"bgp.flowspec.withdraw", methods_flowspec_withdraw},
	{"bgp.blackhole", methods_blackhole},
	{"bgp.blackhole.announce", methods_blackhole_announce},
	{"bgp.blackhole.withdraw", methods_blackhole_withdraw},
	{"workers", call_workers},
	{"ports", call_ports},
	{"drops", call_drops},
	{"attacks", call_attacks},
	{"talkers", call_talkers},
	{"lists", call_lists},
	{"filters", call_filters},
	{"imports", call_imports},
	{"filter.add", call_filter_add},
	{"filter.remove", call_filter_remove},
	{"signatures", call_signatures},
	{"capture", methods_capture},
	{"capture.stop", methods_capture_stop},
	{"list.add", call_list_add},
	{"list.remove", call_list_remove},
	{"reload", call_reload},
	{"backend.drain", call_backend_drain},
	{"backend.undrain", call_backend_undrain},
	{"node.drain", call_node_drain},
	{"node.undrain", call_node_undrain},
	{"wait", call_wait},
};

int
methods_new(struct node *node, struct methods **out)
{
	static const struct timeval period = {.tv_usec = WAIT_POLL_MS * 1000};
	struct methods *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->node = node;
	m->control = control_new(node->base, node->model->control_socket, table, ARRAY_LEN(table), on_gone, m);
	m->poll = event_new(node->base, -1, EV_PERSIST, on_poll, m);
	if (!m->control || !m->poll) {
		methods_free(m);
		return -EADDRINUSE;
	}
	event_add(m->poll, &period);
	*out = m;
	return 0;
}

struct node *
methods_node(const struct methods *m)
{
	return m->node;
}

void
methods_free(struct methods *m)
{
	if (!m)
		return;
	if (m->poll)
		event_free(m->poll);
	control_free(m->control);
	free(m);
}
