/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/dynamic.h"

#include <stdio.h>
#include <string.h>

const struct model_dynamic *
dynamic_lookup(const struct model_dynamic *ranges, unsigned n, const struct addr *addr)
{
	for (unsigned i = 0; i < n; i++) {
		if (prefix_contains(&ranges[i].range, addr))
			return &ranges[i];
	}
	return NULL;
}

struct model_peer
dynamic_peer(const struct model_dynamic *range, const struct addr *addr)
{
	struct model_peer peer = range->peer;
	char text[ADDR_TEXT_MAX];

	_Static_assert(sizeof(peer.session.name) >= sizeof(peer.group) + ADDR_TEXT_MAX, "GROUP@ADDRESS fits");
	memcpy(peer.group, range->peer.session.name, sizeof(peer.group));
	memset(peer.session.name, 0, sizeof(peer.session.name)); /* sessions are compared as octets */
	snprintf(peer.session.name, sizeof(peer.session.name), "%s@%s", peer.group, addr_format(addr, text));
	peer.session.peer = *addr;
	return peer;
}

bool
dynamic_is_one(const struct bgp_config *session)
{
	return strchr(session->name, '@') != NULL;
}

bool
dynamic_renew(const struct model *model, const struct model_peer *peer, struct model_peer *out)
{
	const struct addr *addr = &peer->session.peer;
	const struct model_dynamic *range = dynamic_lookup(model->dynamic, model->n_dynamic, addr);

	for (unsigned i = 0; i < model->n_peers; i++) {
		if (addr_equal(&model->peers[i].session.peer, addr))
			return false;
	}
	if (range)
		*out = dynamic_peer(range, addr);
	return range != NULL;
}
