/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/methods_bgp.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "controlplane/announcing.h"
#include "controlplane/methods.h"
#include "controlplane/node.h"
#include "controlplane/views.h"
#include "controlplane/views_bgp.h"

static const char *
text_param(const json_t *params, const char *name)
{
	return json_string_value(json_object_get(params, name));
}

/* The peer that the params name; -1: *error says which there are. */
static int
peer_param(const struct node *node, const json_t *params, struct control_error *error)
{
	const char *name = text_param(params, "peer");
	int index = name ? peering_lookup(node->peering, name) : -ENOENT;

	if (index < 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "there is no peer \"%.40s\": `nearcastctl bgp peers` has them",
				    name ? name : "");
	return index;
}

/* A VIP's name, or a prefix that is configured; -1: *error. */
static int
route_param(const struct node *node, const json_t *params, const char *member, struct control_error *error)
{
	const char *text = text_param(params, member);
	struct prefix prefix;
	int index = -ENOENT;

	for (unsigned i = 0; text && i < node->model->n_vips; i++) {
		if (strcmp(node->model->vips[i].name, text) == 0)
			return (int)i;
	}
	if (text && prefix_parse(text, &prefix) == 0)
		index = routes_lookup(node->routes, &prefix);
	if (index < 0)
		return control_fail(error, CONTROL_INVALID_PARAMS,
				    "\"%.64s\" is no vip and no prefix of one or of an aggregate: `nearcastctl vips` has them",
				    text ? text : "");
	return index;
}

int
methods_bgp_peer(void *context, struct control_call *call, const json_t *params, json_t **result,
		 struct control_error *error)
{
	const struct node *node = methods_node(context);
	int index = peer_param(node, params, error);

	(void)call;
	if (index < 0)
		return -1;
	*result = view_bgp_peer(node, (unsigned)index);
	return *result ? 0 : -ENOMEM;
}

int
methods_bgp_listen(void *context, struct control_call *call, const json_t *params, json_t **result,
		   struct control_error *error)
{
	(void)call, (void)params, (void)error;
	*result = view_bgp_listen(methods_node(context));
	return *result ? 0 : -ENOMEM;
}

static void
append_received(const struct node *node, const char *peer, json_t *list)
{
	for (unsigned i = 0; i < imports_count(node->imports); i++) {
		if (!peer || strcmp(peer, imports_peer(node->imports, i)) == 0)
			view_imports_of(node, i, list);
	}
}

/* Without a peer: of all. received: what it told us, of what is imported. */
int
methods_bgp_routes(void *context, struct control_call *call, const json_t *params, json_t **result,
		   struct control_error *error)
{
	const struct node *node = methods_node(context);
	int index = json_object_get(params, "peer") ? peer_param(node, params, error) : (int)peering_count(node->peering);

	(void)call;
	if (index < 0)
		return -1;
	*result = json_array();
	if (json_is_true(json_object_get(params, "received"))) {
		append_received(node, text_param(params, "peer"), *result);
		return *result ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; i < peering_count(node->peering); i++) {
		if (index == (int)i || index == (int)peering_count(node->peering))
			view_bgp_routes(node, i, *result);
	}
	return *result ? 0 : -ENOMEM;
}

int
methods_bgp_explain(void *context, struct control_call *call, const json_t *params, json_t **result,
		    struct control_error *error)
{
	const struct node *node = methods_node(context);
	int index = route_param(node, params, "vip", error);

	(void)call;
	if (index < 0)
		return -1;
	*result = view_bgp_explain(node, (unsigned)index);
	return *result ? 0 : -ENOMEM;
}

int
methods_bgp_log(void *context, struct control_call *call, const json_t *params, json_t **result,
		struct control_error *error)
{
	const struct node *node = methods_node(context);
	json_int_t after = json_integer_value(json_object_get(params, "after"));

	(void)call;
	if (after < 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "after is the id of an entry, or 0");
	*result = view_bgp_log(node, (uint64_t)after);
	return *result ? 0 : -ENOMEM;
}

static int
set_hand(struct node *node, const json_t *params, enum admin_hand hand, json_t **result, struct control_error *error)
{
	const char *lasts = text_param(params, "for");
	int index = route_param(node, params, "prefix", error), err;
	char text[PREFIX_TEXT_MAX];
	uint64_t for_s = 0;

	if (index < 0)
		return -1;
	if (lasts && list_duration_parse(lasts, &for_s) != 0)
		return control_fail(error, CONTROL_INVALID_PARAMS, "for \"%.40s\" is no duration such as 90s, 10m, 2h or 7d",
				    lasts);
	err = announcing_hand(node, &routes_at(node->routes, (unsigned)index)->prefix, hand, for_s);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "the state file can't be written: %s", strerror(-err));
	prefix_format(&routes_at(node->routes, (unsigned)index)->prefix, text);
	*result = json_pack("{s:s, s:s, s:I}", "prefix", text, "by_hand",
			    hand == ADMIN_HAND_NONE	  ? "no"
			    : hand == ADMIN_HAND_ANNOUNCE ? "announced"
							  : "withdrawn",
			    "for_s", (json_int_t)for_s);
	return 0;
}

int
methods_bgp_announce(void *context, struct control_call *call, const json_t *params, json_t **result,
		     struct control_error *error)
{
	(void)call;
	return set_hand(methods_node(context), params, ADMIN_HAND_ANNOUNCE, result, error);
}

int
methods_bgp_withdraw(void *context, struct control_call *call, const json_t *params, json_t **result,
		     struct control_error *error)
{
	(void)call;
	return set_hand(methods_node(context), params, ADMIN_HAND_WITHDRAW, result, error);
}

int
methods_bgp_release(void *context, struct control_call *call, const json_t *params, json_t **result,
		    struct control_error *error)
{
	(void)call;
	return set_hand(methods_node(context), params, ADMIN_HAND_NONE, result, error);
}

/* Both unicast families, and what of FlowSpec the session has. */
int
methods_bgp_refresh(void *context, struct control_call *call, const json_t *params, json_t **result,
		    struct control_error *error)
{
	struct node *node = methods_node(context);
	int index = peer_param(node, params, error), err = -ENOTCONN;
	unsigned asked = 0;

	(void)call;
	for (unsigned f = 0; index >= 0 && f < BGP_FAMILIES; f++) {
		struct bgp_status status = bgp_session_status(peering_session(node->peering, (unsigned)index));

		if (status.state != BGP_ESTABLISHED || !status.negotiated.family[f])
			continue;
		err = peering_refresh(node->peering, (unsigned)index, (enum bgp_family)f);
		asked += err == 0;
	}
	if (index < 0)
		return -1;
	if (asked == 0)
		return control_fail(error, CONTROL_REFUSED, "%s",
				    err == -ENOTCONN ? "the session is not established: `nearcastctl bgp peer NAME` says why"
						     : "the peer has no route refresh (RFC 2918)");
	journal_add(node->journal, "session", text_param(params, "peer"), "asked for its routes again by the operator");
	*result = json_pack("{s:O, s:i}", "peer", json_object_get(params, "peer"), "families", (int)asked);
	return 0;
}

static int
set_shut(struct node *node, const json_t *params, const char *reason, json_t **result, struct control_error *error)
{
	int index = peer_param(node, params, error), err;

	if (index < 0)
		return -1;
	if (reason && strlen(reason) > BGP_TEXT_MAX)
		return control_fail(error, CONTROL_INVALID_PARAMS, "the reason is longer than %d octets (RFC 9003)",
				    BGP_TEXT_MAX);
	err = announcing_shut(node, text_param(params, "peer"), reason);
	if (err)
		return control_fail(error, CONTROL_REFUSED, "the state file can't be written: %s", strerror(-err));
	*result = json_pack("{s:O, s:b}", "peer", json_object_get(params, "peer"), "shut", reason != NULL);
	return 0;
}

int
methods_bgp_shutdown(void *context, struct control_call *call, const json_t *params, json_t **result,
		     struct control_error *error)
{
	const char *reason = text_param(params, "reason");

	(void)call;
	return set_shut(methods_node(context), params, reason ? reason : "", result, error);
}

int
methods_bgp_open(void *context, struct control_call *call, const json_t *params, json_t **result,
		 struct control_error *error)
{
	(void)call;
	return set_shut(methods_node(context), params, NULL, result, error);
}
