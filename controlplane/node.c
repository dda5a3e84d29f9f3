/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/announcing.h"
#include "controlplane/capturing.h"
#include "controlplane/http.h"
#include "controlplane/importing.h"
#include "controlplane/methods.h"
#include "controlplane/originating.h"

/* Changes of one moment (a reload, a switch that reboots) are worked off together. */
static const struct timeval RECONCILE_DELAY = {.tv_usec = 5000};
static const struct timeval SECOND = {.tv_sec = 1};
static const struct timeval AGAIN_DELAY = {.tv_usec = 50000};

bool
node_backend_usable(const struct node *node, unsigned pool, unsigned backend)
{
	return checker_state(node->checker, pool, backend) == HEALTH_UP;
}

bool
node_backend_drained(const struct node *node, unsigned pool, unsigned backend)
{
	const struct model_pool *p = &node->model->pools[pool];
	char name[2 * MODEL_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s/%s", p->name, p->backends[backend].name);
	return admin_backend_drained(node->admin, name);
}

enum announce_verdict
node_verdict(const struct node *node, unsigned vip)
{
	return routes_at(node->routes, vip)->standing.verdict;
}

static int
compile_and_publish(struct node *node, const struct facts *facts)
{
	struct compiled *image;
	int err;

	err = compile_tables(node->compile, &facts->input, &image);
	if (err)
		return err;
	announcing_want(node, facts);
	node->wanted_image = image;
	publish_want(node->publish, image);
	return 0;
}

/* Remembers since when each way is gone, for facts to judge the next time by. */
static void
ways_note(struct node *node, const struct facts *facts)
{
	uint64_t now_ns = clock_now_ns();

	if (!node->dataplane_alive)
		return;
	for (unsigned i = 0, n = model_backends(node->model); i < n; i++) {
		struct facts_way *way = &node->ways[i];

		way->had = way->had || !facts->way_faults[i];
		if (!facts->way_faults[i])
			way->fault_ns = 0;
		else if (way->fault_ns == 0)
			way->fault_ns = now_ns;
	}
}

/* A healthy backend that gets no packet is nothing that a check shows: told once, and when it is over. */
static void
way_tell(const struct facts *facts, unsigned at, const struct model_pool *pool, unsigned backend, struct facts_way *way)
{
	const char *name = pool->backends[backend].name, *fault = facts->way_faults[at];

	if (!facts->reachable[at] && facts->is_healthy[at] && fault != way->told) {
		log_error("backend %s/%s is healthy but gets no packet: %s", pool->name, name, fault);
		way->told = fault;
	} else if (!fault && way->told) {
		log_notice("backend %s/%s can be reached again", pool->name, name);
		way->told = NULL;
	}
}

static void
ways_tell(struct node *node, const struct facts *facts)
{
	unsigned at = 0;

	for (unsigned i = 0; node->dataplane_alive && i < node->model->n_pools; i++) {
		const struct model_pool *pool = &node->model->pools[i];

		for (unsigned k = 0; k < pool->n_backends; k++, at++)
			way_tell(facts, at, pool, k, &node->ways[at]);
	}
}

/*
 * Right after a load, tables made of half-known health would move flows for nothing: what is served stays until each
 * backend had its first verdict (or would have had it). The loss of the dataplane is acted upon at once.
 */
static void
reconcile(evutil_socket_t fd, short what, void *context)
{
	struct node *node = context;
	struct facts facts;
	int err;

	(void)fd;
	(void)what;
	err = facts_gather(node, &facts);
	if (err) {
		log_error("out of memory; tables stay as they are");
		return;
	}
	ways_note(node, &facts);
	if (node->dataplane_alive && !facts.is_settled && clock_now_ns() < node->hold_until_ns) {
		event_add(node->reconcile, &AGAIN_DELAY);
	} else {
		ways_tell(node, &facts);
		if (node->dataplane_alive && (err = compile_and_publish(node, &facts)) != 0)
			log_error("tables can't be compiled: %s; they stay as they are", strerror(-err));
		announcing_update(node, &facts);
		if (facts.is_patient && !event_pending(node->reconcile, EV_TIMEOUT, NULL))
			event_add(node->reconcile, &AGAIN_DELAY);
	}
	facts_fini(&facts);
}

void
node_changed(struct node *node)
{
	if (!event_pending(node->reconcile, EV_TIMEOUT, NULL))
		event_add(node->reconcile, &RECONCILE_DELAY);
}

static void
on_neighbours(void *context)
{
	node_changed(context);
}

static void
on_health(void *context, unsigned pool, unsigned backend)
{
	struct node *node = context;
	const struct model_pool *p = &node->model->pools[pool];
	const char *state = health_state_name(checker_state(node->checker, pool, backend));
	const char *reason = checker_reason(node->checker, pool, backend);

	log_notice("backend %s/%s is %s%s%s", p->name, p->backends[backend].name, state, *reason ? ": " : "", reason);
	node_changed(node);
}

static void
on_connected(void *context)
{
	struct node *node = context;

	node->dataplane_alive = true;
	listing_send(node->listing);
	node_changed(node);
}

static void
on_served(void *context, uint64_t generation, const struct compiled *image)
{
	struct node *node = context;
	struct facts facts;

	node->generation = generation;
	if (image == node->wanted_image) {
		memcpy(node->served, node->wanted, node->n_wanted * sizeof(*node->wanted));
		node->n_served = node->n_wanted;
	}
	if (facts_gather(node, &facts) != 0)
		return;
	announcing_update(node, &facts);
	if (image == node->wanted_image)
		announcing_start(node);
	facts_fini(&facts);
}

static void
on_patience_end(evutil_socket_t fd, short what, void *context)
{
	struct node *node = context;

	(void)fd;
	(void)what;
	announcing_start(node);
}

static void
on_rejected(void *context, const struct abi_nak *nak)
{
	(void)context;
	log_error("dataplane refused generation %llu: %s (record %u)", (unsigned long long)nak->generation, nak->text,
		  nak->record);
}

/* Withdrawn before anything else happens. */
static void
on_lost(void *context)
{
	struct node *node = context;
	struct facts facts;

	node->dataplane_alive = false;
	node->generation = 0;
	node->n_served = 0;
	node->wanted_image = NULL;
	attacks_end_all(node->attacks, clock_now_ns());
	capturing_lost(node->capturing);
	if (facts_gather(node, &facts) != 0) {
		log_error("out of memory; sessions end, for nothing may be announced");
		peering_end(node->peering, "the dataplane is not there");
		return;
	}
	announcing_update(node, &facts);
	facts_fini(&facts);
}

static void
on_settled(void *context, uint64_t generation)
{
	struct node *node = context;

	log_info("generation %llu: all slots are stable", (unsigned long long)generation);
	methods_progress(node->methods);
}

static void
on_attack(void *context, const struct abi_attack *attack)
{
	struct node *node = context;

	attacks_take(node->attacks, node->model, attack, clock_now_ns());
}

static void
on_talker(void *context, const struct abi_talker *talker)
{
	struct node *node = context;

	attacks_take_talker(node->attacks, talker);
}

static void
on_listed(void *context, const struct abi_listed *listed)
{
	(void)context;
	if (listed->error)
		log_error("lists: the dataplane did not take the change: %s; it goes on with what it has", strerror(listed->error));
	else
		log_info("lists: %u entries are in force", listed->entries);
}

static void
on_captured(void *context, const struct abi_captured *captured)
{
	struct node *node = context;

	capturing_answered(node->capturing, captured);
}

static void
on_second(evutil_socket_t fd, short what, void *context)
{
	struct node *node = context;

	(void)fd;
	(void)what;
	announcing_tick(node);
	originating_tick(node, (uint64_t)time(NULL));
	listing_tick(node->listing, (uint64_t)time(NULL));
	if (filters_expire(node->filters, (uint64_t)time(NULL)) > 0)
		node_changed(node);
}

static const struct publish_events PUBLISH_EVENTS = {
	.connected = on_connected,
	.served = on_served,
	.rejected = on_rejected,
	.lost = on_lost,
	.port_changed = on_neighbours,
	.settled = on_settled,
	.attack = on_attack,
	.talker = on_talker,
	.listed = on_listed,
	.captured = on_captured,
};

static int
watch_backends(struct node *node, const struct model *model)
{
	struct addr *addrs = calloc(model_backends(model) + 1, sizeof(*addrs));
	unsigned n = 0;
	int err;

	if (!addrs)
		return -ENOMEM;
	for (unsigned i = 0; i < model->n_pools; i++) {
		for (unsigned k = 0; k < model->pools[i].n_backends; k++)
			addrs[n++] = model->pools[i].backends[k].addr;
	}
	err = neighbours_watch(node->neighbours, addrs, n);
	free(addrs);
	return err;
}

/* How long first verdicts may take: the slowest check's timeout, and the spread of the starts over an interval. */
static uint64_t
first_verdicts_ns(const struct model *model)
{
	uint64_t longest_ms = 0;

	for (unsigned i = 0; i < model->n_pools; i++) {
		const struct model_health *h = &model->pools[i].health;
		uint64_t ms = (uint64_t)h->interval_ms + h->timeout_ms;

		if (h->n_checks > 0 && ms > longest_ms)
			longest_ms = ms;
	}
	return longest_ms * CLOCK_NS_PER_MS + 500 * CLOCK_NS_PER_MS;
}

/* Takes the model over. All that can fail comes first, and what a file can be wrong in, with its errors, first of all. */
static int
adopt(struct node *node, struct model *model, struct config_errors *errors)
{
	struct facts_way *ways = calloc(model_backends(model) + 1, sizeof(*ways));
	struct rules *rules = NULL;
	int err = ways ? 0 : -ENOMEM;

	if (!err && model->signatures[0])
		err = rules_load(model->signatures, &rules, errors);
	if (!err)
		err = filters_adopt(node->filters, model, errors);
	if (!err)
		err = listing_adopt(node->listing, model, errors);
	if (!err)
		err = watch_backends(node, model);
	if (!err)
		err = checker_apply(node->checker, model);
	if (!err)
		err = importing_adopt(node, model);
	if (!err)
		err = announcing_adopt(node, model, errors);
	if (err) {
		free(ways);
		rules_free(rules);
		return err;
	}
	free(node->ways);
	model_free(node->model);
	node->ways = ways;
	rules_free(node->rules);
	node->rules = rules;
	node->model = model;
	originating_adopt(node);
	node->loaded_ns = clock_now_ns();
	node->hold_until_ns = node->loaded_ns + first_verdicts_ns(model);
	node_changed(node);
	return 0;
}

static int
refuse_moved_sockets(struct node *node, const struct model *model)
{
	if (strcmp(node->model->control_socket, model->control_socket) == 0 &&
	    strcmp(node->model->dataplane_socket, model->dataplane_socket) == 0 &&
	    strcmp(node->model->http_listen, model->http_listen) == 0)
		return 0;
	snprintf(node->config_error, sizeof(node->config_error),
		 "%s: node.control, node.dataplane and node.http change with a restart only", node->config_path);
	return -EBUSY;
}

int
node_reload(struct node *node)
{
	struct config_errors errors = {0};
	struct model *model = NULL;
	int err = config_load(node->config_path, &model, &errors);

	if (err) {
		config_errors_format(&errors, node->config_error, sizeof(node->config_error));
		return err;
	}
	err = refuse_moved_sockets(node, model);
	if (!err) {
		err = adopt(node, model, &errors);
		if (err && errors.n)
			config_errors_format(&errors, node->config_error, sizeof(node->config_error));
		else if (err)
			snprintf(node->config_error, sizeof(node->config_error), "%s", strerror(-err));
	}
	if (err) {
		model_free(model);
		return err;
	}
	node->config_error[0] = '\0';
	log_notice("%s: loaded", node->config_path);
	return 0;
}

static int
load_first(const char *path, struct model **model)
{
	struct config_errors errors = {0};
	int err = config_load(path, model, &errors);

	if (err)
		config_errors_print(&errors, stderr);
	return err;
}

static int
parts_new(struct node *node)
{
	char state[128];
	int err;

	snprintf(state, sizeof(state), "%s.state", node->model->control_socket);
	node->admin = admin_open(state);
	node->reconcile = evtimer_new(node->base, reconcile, node);
	node->patience = evtimer_new(node->base, on_patience_end, node);
	node->checker = checker_new(node->base, on_health, node);
	node->attacks = attacks_new();
	snprintf(state, sizeof(state), "%s.lists", node->model->control_socket);
	node->listing = listing_new(state);
	snprintf(state, sizeof(state), "%s.filters", node->model->control_socket);
	node->filters = filters_new(state);
	node->capturing = capturing_new(node);
	node->second = event_new(node->base, -1, EV_PERSIST, on_second, node);
	if (!node->admin || !node->reconcile || !node->patience || !node->checker || !node->attacks ||
	    !node->listing || !node->filters || !node->capturing || !node->second || event_add(node->second, &SECOND) != 0)
		return -ENOMEM;
	err = announcing_new(node);
	if (!err)
		err = importing_new(node);
	if (!err)
		err = originating_new(node);
	if (!err)
		err = compile_new(&node->compile);
	if (!err)
		err = neighbours_new(node->base, on_neighbours, node, &node->neighbours);
	if (!err)
		err = methods_new(node, &node->methods);
	if (err)
		return err;
	if (node->model->http_listen[0] && !(node->http = http_new(node))) {
		log_error("http: can't listen on %s", node->model->http_listen);
		return -EADDRNOTAVAIL;
	}
	err = publish_new(node->base, node->model->dataplane_socket, &PUBLISH_EVENTS, node, &node->publish);
	if (!err)
		listing_attach(node->listing, node->publish);
	return err;
}

/* Sessions come up even when no dataplane does: people and routers should see that the node is there. */
static void
patience_start(struct node *node)
{
	uint64_t ns = first_verdicts_ns(node->model) + 2 * CLOCK_NS_PER_S;
	struct timeval wait = {.tv_sec = (time_t)(ns / CLOCK_NS_PER_S), .tv_usec = (suseconds_t)(ns % CLOCK_NS_PER_S / 1000)};

	event_add(node->patience, &wait);
}

int
node_init(struct node *node, struct event_base *base, const char *config_path)
{
	struct config_errors errors = {0};
	struct model *model = NULL;
	int err;

	*node = (struct node){.config_path = config_path, .base = base, .started_ns = clock_now_ns()};
	err = load_first(config_path, &model);
	if (err)
		return err;
	node->model = model;
	err = parts_new(node);
	if (!err) {
		node->model = NULL;
		err = adopt(node, model, &errors);
		config_errors_print(&errors, stderr);
		if (err)
			node->model = model;
		else
			patience_start(node);
	}
	if (err) {
		log_error("can't start: %s", strerror(-err));
		node_fini(node);
	}
	return err;
}

void
node_fini(struct node *node)
{
	http_free(node->http);
	methods_free(node->methods);
	node->methods = NULL; /* what ends below tells of its progress */
	announcing_free(node);
	importing_free(node);
	originating_free(node);
	publish_free(node->publish);
	capturing_free(node->capturing);
	checker_free(node->checker);
	neighbours_free(node->neighbours);
	compile_free(node->compile);
	attacks_free(node->attacks);
	listing_free(node->listing);
	filters_free(node->filters);
	rules_free(node->rules);
	if (node->second)
		event_free(node->second);
	if (node->patience)
		event_free(node->patience);
	if (node->reconcile)
		event_free(node->reconcile);
	admin_close(node->admin);
	free(node->ways);
	model_free(node->model);
}
