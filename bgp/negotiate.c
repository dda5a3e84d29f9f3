/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/negotiate.h"

static bool
is_ibgp(const struct bgp_config *config)
{
	return config->local_as == config->peer_as;
}

static bool
wants_family(const struct bgp_config *config, enum bgp_family family)
{
	return family == BGP_V4 || family == BGP_V6 || config->flowspec;
}

struct bgp_open
negotiate_open(const struct bgp_config *config)
{
	struct bgp_open open;

	bgp_open_init(&open);
	open.as2 = config->local_as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)config->local_as;
	open.hold_s = config->hold_s;
	open.id = config->router_id;
	open.as4 = config->local_as;
	open.has_as4 = true;
	open.has_mp = true;
	open.extended_next_hop = config->extended_next_hop;
	open.route_refresh = true;
	open.enhanced_refresh = true;
	open.extended_message = true;
	/* RFC 9234 4.1: for eBGP only. */
	open.role = is_ibgp(config) ? BGP_ROLE_NONE : config->role;
	/* A helper has it too, without families (RFC 4724 4.2). As for restarting: the workers forward on without us, and
	 * a session that is new to us may be old to the peer, so what it kept stays until our End-of-RIB. */
	open.graceful_restart = config->graceful_restart_s > 0 || config->flowspec || config->import_blackhole;
	open.gr_notification = open.graceful_restart;
	open.llgr = config->flowspec || config->import_blackhole;
	open.restarting = config->graceful_restart_s > 0;
	open.restart_s = config->graceful_restart_s;
	for (int i = 0; i < BGP_FAMILIES; i++) {
		open.family[i] = wants_family(config, (enum bgp_family)i);
		open.restart[i].is_listed = open.family[i] && config->graceful_restart_s > 0;
		open.restart[i].forwarding = open.restart[i].is_listed;
	}
	return open;
}

/* RFC 9234 4.2. */
static bool
roles_fit(enum bgp_role ours, enum bgp_role theirs)
{
	static const enum bgp_role counterpart[] = {
		[BGP_ROLE_PROVIDER] = BGP_ROLE_CUSTOMER,
		[BGP_ROLE_RS] = BGP_ROLE_RS_CLIENT,
		[BGP_ROLE_RS_CLIENT] = BGP_ROLE_RS,
		[BGP_ROLE_CUSTOMER] = BGP_ROLE_PROVIDER,
		[BGP_ROLE_PEER] = BGP_ROLE_PEER,
	};

	return ours < ARRAY_LEN(counterpart) && counterpart[ours] == theirs;
}

struct bgp_error
negotiate_judge(const struct bgp_config *config, const struct bgp_open *peer)
{
	bool has_roles = config->role != BGP_ROLE_NONE && !is_ibgp(config);
	uint32_t as = bgp_open_as(peer), last = config->peer_as_last ? config->peer_as_last : config->peer_as;

	if (as < config->peer_as || as > last)
		return bgp_error_make(BGP_ERROR_OPEN, BGP_OPEN_PEER_AS);
	/* RFC 6286 2.1: identifiers are unique within an AS only. */
	if (is_ibgp(config) && peer->id == config->router_id)
		return bgp_error_make(BGP_ERROR_OPEN, BGP_OPEN_ID);
	if (has_roles && (peer->role == BGP_ROLE_NONE ? config->role_strict : !roles_fit(config->role, peer->role)))
		return bgp_error_make(BGP_ERROR_OPEN, BGP_OPEN_ROLE);
	return bgp_error_make(0, 0);
}

struct bgp_negotiated
negotiate(const struct bgp_config *config, const struct bgp_open *peer)
{
	struct bgp_negotiated negotiated = {
		.peer_as = bgp_open_as(peer),
		.as4 = peer->has_as4,
		.refresh = peer->route_refresh,
		.enhanced_refresh = peer->enhanced_refresh && peer->route_refresh,
		.extended_message = peer->extended_message,
		.extended_next_hop = config->extended_next_hop && peer->extended_next_hop,
		.peer_role = peer->role,
		.graceful_restart = peer->graceful_restart,
		.restarting = peer->restarting,
		.restart_s = peer->restart_s,
		.notification = negotiate_open(config).gr_notification && peer->gr_notification,
	};

	for (int i = 0; i < BGP_FAMILIES; i++) {
		const struct bgp_open_restart *restart = &peer->restart[i];

		negotiated.family[i] = wants_family(config, (enum bgp_family)i) && peer->family[i];
		negotiated.keeps[i] = negotiated.family[i] && peer->graceful_restart && restart->is_listed;
		negotiated.forwards[i] = negotiated.keeps[i] && restart->forwarding;
		/* RFC 9494 4.2: it means nothing without the capability that it extends. */
		if (negotiated.family[i] && peer->graceful_restart && restart->is_long_lived)
			negotiated.llgr_s[i] = restart->llgr_s;
	}
	return negotiated;
}

struct bgp_update_context
negotiate_context(const struct bgp_config *config, const struct bgp_negotiated *negotiated)
{
	return (struct bgp_update_context){
		.as4 = negotiated->as4,
		.ibgp = is_ibgp(config),
		.extended_next_hop = negotiated->extended_next_hop,
		.role = is_ibgp(config) ? BGP_ROLE_NONE : config->role,
		.peer_as = negotiated->peer_as,
	};
}

static bool
is_readable(const struct bgp_negotiated *negotiated, enum bgp_family family, const struct addr *hop)
{
	if (family == BGP_V4)
		return hop->family == ADDR_V4 || (hop->family == ADDR_V6 && negotiated->extended_next_hop);
	return family == BGP_V6 && hop->family == ADDR_V6;
}

struct addr
negotiate_next_hop(const struct bgp_config *config, const struct bgp_negotiated *negotiated, enum bgp_family family,
		   const struct addr *of_path, const struct addr *local)
{
	const struct addr *hops[] = {of_path, family == BGP_V4 ? &config->next_hop_v4 : &config->next_hop_v6, local};

	for (size_t i = 0; i < ARRAY_LEN(hops); i++) {
		if (hops[i] && is_readable(negotiated, family, hops[i]))
			return *hops[i];
	}
	return (struct addr){.family = ADDR_NONE};
}

bool
negotiate_ours_stays(const struct bgp_config *config, const struct bgp_open *peer)
{
	if (config->router_id != peer->id)
		return config->router_id > peer->id;
	return config->local_as > bgp_open_as(peer);
}
