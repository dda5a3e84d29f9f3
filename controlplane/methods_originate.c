/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/methods_originate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/methods.h"
#include "controlplane/node.h"
#include "controlplane/originating.h"
#include "controlplane/views_bgp.h"

/* A float of 32 bits carries a rate (RFC 8955 7.1); nobody has a link of a petabyte a second. */
#define RATE_MAX INT64_C(1000000000000000)

static const char *
text_param(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

static const char *
word_of(const struct origin *origin)
{
	return origin->kind == ORIGINATE_FLOWSPEC ? "rule" : "prefix";
}

/* What is spoken of. */
static int
take_what(const json_t *params, struct origin *origin, struct control_error *error)
{
	const char *text = text_param(params, word_of(origin));
	char fault[FLOWSPEC_FAULT_MAX] = "it is missing";

	if (origin->kind == ORIGINATE_FLOWSPEC) {
		if (!text || flowspec_parse(text, &origin->rule, fault) != 0)
			return control_fail(error, CONTROL_INVALID_PARAMS, "rule: %s", fault);
		return 0;
	}
	if (!text || prefix_parse(text, &origin->prefix) != 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "\"%.64s\" is no prefix", text ? text : "");
	return 0;
}

static int
take_rate(const json_t *params, const char *name, bool *has, uint64_t *rate, struct control_error *error)
{
	const json_t *value = json_object_get(params, name);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > RATE_MAX)
		return control_fail(error, CONTROL_INVALID_PARAMS, "%s is a number from 0, which drops, to 10^15", name);
	*has = true;
	*rate = (uint64_t)json_integer_value(value);
	return 0;
}

static int
take_action(const json_t *params, struct flowspec_action *action, struct control_error *error)
{
	if (take_rate(params, "bytes_s", &action->has_bytes, &action->bytes_s, error) != 0 ||
	    take_rate(params, "packets_s", &action->has_packets, &action->packets_s, error) != 0)
		return -1;
	action->sample = json_is_true(json_object_get(params, "sample"));
	if (!action->has_bytes && !action->has_packets && !action->sample)
		return control_fail(error, CONTROL_INVALID_PARAMS,
				    "what is to be done? --rate BYTES (0 drops), --packets NUMBER or --sample");
	return 0;
}

/* A list of words with commas between them. */
static int
take_communities(const json_t *params, struct origin *origin, struct control_error *error)
{
	const char *text = text_param(params, "communities");
	struct path path;

	for (size_t n; text && *text; text += n + (text[n] == ',')) {
		char *word = origin->communities[origin->n_communities];

		n = strcspn(text, ",");
		if (origin->n_communities == ORIGINATE_COMMUNITIES_MAX || n >= sizeof(*origin->communities))
			return control_fail(error, CONTROL_INVALID_PARAMS, "%d communities at most", ORIGINATE_COMMUNITIES_MAX);
		snprintf(word, sizeof(*origin->communities), "%.*s", (int)n, text);
		origin->n_communities++;
	}
	if (originate_path(origin, 1, &path) != 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "communities: one of them is none");
	return 0;
}

static int
take_terms(const struct node *node, const json_t *params, struct origin *origin, struct control_error *error)
{
	const char *peer = text_param(params, "to"), *lasts = text_param(params, "for");
	uint64_t for_s = 0;

	if (peer && peering_lookup(node->peering, peer) < 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "there is no peer \"%.40s\": `nearcastctl bgp peers` has them",
				    peer);
	if (lasts && list_duration_parse(lasts, &for_s) != 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "for \"%.40s\" is no duration such as 90s, 10m, 2h or 7d",
				    lasts);
	snprintf(origin->peer, sizeof(origin->peer), "%s", peer ? peer : "");
	origin->until_s = for_s ? (uint64_t)time(NULL) + for_s : 0;
	return 0;
}

/* Nobody's addresses but ours, unless it is meant; and somebody must be there to be told. */
static int
judge(const struct node *node, const json_t *params, const struct origin *origin, struct control_error *error)
{
	bool is_rule = origin->kind == ORIGINATE_FLOWSPEC;
	struct prefix dst = origin->prefix;
	bool is_ours = (!is_rule || flowspec_destination(&origin->rule, &dst)) && originating_is_ours(node, &dst);
	unsigned listeners = 0;

	if (!is_ours && !(is_rule && json_is_true(json_object_get(params, "anyway"))))
		return control_fail(error, CONTROL_REFUSED, "its destination is not inside of a vip or an aggregate of ours%s",
				    is_rule ? ": --anyway announces it all the same" : "");
	for (unsigned i = 0; i < peering_count(node->peering); i++)
		listeners += originating_is_for(node, origin, i);
	if (listeners == 0)
		return control_fail(error, CONTROL_REFUSED, "no such peer takes it: FlowSpec needs `flowspec: true`");
	return 0;
}

static int
announce(struct node *node, const json_t *params, enum originate_kind kind, json_t **result, struct control_error *error)
{
	struct origin origin = {.kind = kind};
	char text[ORIGINATE_TEXT_MAX];
	int err;

	if (take_what(params, &origin, error) != 0 || take_terms(node, params, &origin, error) != 0 ||
	    (kind == ORIGINATE_FLOWSPEC ? take_action(params, &origin.action, error)
					: take_communities(params, &origin, error)) != 0 ||
	    judge(node, params, &origin, error) != 0)
		return -1;
	err = originating_announce(node, &origin);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "%s",
				    err == -ENOSPC ? "256 are announced already" : "the state file can't be written");
	originate_format(&origin, text, sizeof(text));
	*result = json_pack("{s:s, s:s, s:I}", word_of(&origin), text, "to", origin.peer[0] ? origin.peer : "all", "until",
			    (json_int_t)origin.until_s);
	return *result ? 0 : -ENOMEM;
}

static int
withdraw(struct node *node, const json_t *params, enum originate_kind kind, json_t **result, struct control_error *error)
{
	struct origin origin = {.kind = kind};
	char text[ORIGINATE_TEXT_MAX];
	int at;

	if (take_what(params, &origin, error) != 0)
		return -1;
	at = kind == ORIGINATE_FLOWSPEC ? originate_rule(node->originate, &origin.rule)
					: originate_blackhole(node->originate, &origin.prefix);
	if (at < 0)
		return control_fail(error, CONTROL_REFUSED, "that is not announced: `nearcastctl bgp %s` has what is",
				    kind == ORIGINATE_FLOWSPEC ? "flowspec" : "blackhole");
	originating_withdraw(node, (unsigned)at, "withdrawn by the operator");
	originate_format(&origin, text, sizeof(text));
	*result = json_pack("{s:s, s:b}", word_of(&origin), text, "announced", 0);
	return *result ? 0 : -ENOMEM;
}

int
methods_flowspec(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	(void)call, (void)params, (void)error;
	*result = view_originated(methods_node(context), ORIGINATE_FLOWSPEC);
	return *result ? 0 : -ENOMEM;
}

int
methods_flowspec_announce(void *context, struct control_call *call, const json_t *params, json_t **result,
			  struct control_error *error)
{
	(void)call;
	return announce(methods_node(context), params, ORIGINATE_FLOWSPEC, result, error);
}

int
methods_flowspec_withdraw(void *context, struct control_call *call, const json_t *params, json_t **result,
			  struct control_error *error)
{
	(void)call;
	return withdraw(methods_node(context), params, ORIGINATE_FLOWSPEC, result, error);
}

int
methods_blackhole(void *context, struct control_call *call, const json_t *params, json_t **result, struct control_error *error)
{
	(void)call, (void)params, (void)error;
	*result = view_originated(methods_node(context), ORIGINATE_BLACKHOLE);
	return *result ? 0 : -ENOMEM;
}

int
methods_blackhole_announce(void *context, struct control_call *call, const json_t *params, json_t **result,
			   struct control_error *error)
{
	(void)call;
	return announce(methods_node(context), params, ORIGINATE_BLACKHOLE, result, error);
}

int
methods_blackhole_withdraw(void *context, struct control_call *call, const json_t *params, json_t **result,
			   struct control_error *error)
{
	(void)call;
	return withdraw(methods_node(context), params, ORIGINATE_BLACKHOLE, result, error);
}
