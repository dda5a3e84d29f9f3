/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/arrivals.h"

#include "bgp/rib_out.h"

void
arrivals_clear(struct arrivals *a)
{
	for (int i = 0; i < BGP_FAMILIES; i++)
		a->disabled[i] = false;
	if (a->tally)
		tally_clear(a->tally);
	a->status->prefixes = 0;
}

static void
pass(const struct arrivals *a, struct bgp_nlri *routes)
{
	if (!routes->is_known || !a->status->negotiated.family[routes->family] || a->disabled[routes->family])
		*routes = (struct bgp_nlri){0};
}

/* The next route in the one form that names it: a prefix has no host bits (RFC 4271 4.3). */
static bool
route_next(struct bgp_nlri *rest, uint8_t octets[static RIB_PREFIX_LEN], struct bgp_octets *out)
{
	struct prefix prefix;

	if (rest->family == BGP_FLOW4 || rest->family == BGP_FLOW6)
		return bgp_nlri_next_flow(rest, out);
	if (!bgp_nlri_next(rest, &prefix))
		return false;
	*out = (struct bgp_octets){octets, rib_nlri_of(&prefix, octets).len};
	return true;
}

static void
leave(struct arrivals *a, struct bgp_nlri routes)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct bgp_octets route;

	while (route_next(&routes, octets, &route))
		tally_remove(a->tally, routes.family, route.octets, route.len);
}

static bool
enter(struct arrivals *a, struct bgp_nlri routes)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct bgp_octets route;

	while (route_next(&routes, octets, &route)) {
		if (!tally_add(a->tally, routes.family, route.octets, route.len))
			return false;
	}
	return true;
}

/* RFC 4486 4: the data are the family and the limit. */
static struct bgp_error
too_many(const struct arrivals *a, enum bgp_family family)
{
	uint16_t afi = bgp_family_afi(family);
	uint32_t limit = a->config->max_prefixes;
	const uint8_t data[] = {
		(uint8_t)(afi >> 8),	(uint8_t)afi,		bgp_family_safi(family), (uint8_t)(limit >> 24),
		(uint8_t)(limit >> 16), (uint8_t)(limit >> 8), (uint8_t)limit,
	};

	return bgp_error_with(BGP_ERROR_CEASE, BGP_CEASE_PREFIXES, data, sizeof(data));
}

static struct bgp_error
count(struct arrivals *a, const struct bgp_update *update)
{
	struct bgp_error error = bgp_error_make(0, 0);

	if (!a->tally)
		return error;
	leave(a, update->withdrawn);
	leave(a, update->unreach);
	if (update->is_withdrawal) {
		leave(a, update->announced);
		leave(a, update->reach);
	} else if (!enter(a, update->announced)) {
		error = too_many(a, update->announced.family);
	} else if (!enter(a, update->reach)) {
		error = too_many(a, update->reach.family);
	}
	a->status->prefixes = tally_count(a->tally);
	return error;
}

static void
disable(struct arrivals *a, const struct bgp_nlri *family)
{
	if (!family->is_known || !a->status->negotiated.family[family->family] || a->disabled[family->family])
		return;
	a->disabled[family->family] = true;
	if (a->events && a->events->family_down)
		a->events->family_down(a->context, family->family);
}

static void
note_fault(struct arrivals *a, const struct bgp_update *update)
{
	if (update->outcome == BGP_ACCEPT)
		return;
	a->status->faults++;
	a->status->fault_type = update->fault_type;
	a->status->fault = update->fault;
}

struct bgp_error
arrivals_update(struct arrivals *a, struct bgp_update *update)
{
	struct bgp_nlri marked = update->unreach;
	struct bgp_error error;

	note_fault(a, update);
	if (update->outcome == BGP_AFISAFI_DISABLE)
		disable(a, &update->disabled);
	pass(a, &update->withdrawn);
	pass(a, &update->announced);
	pass(a, &update->reach);
	pass(a, &update->unreach);
	if (update->is_end_of_rib) {
		if (marked.is_known && a->status->negotiated.family[marked.family] && a->events &&
		    a->events->end_of_rib)
			a->events->end_of_rib(a->context, marked.family);
		return bgp_error_make(0, 0);
	}
	error = count(a, update);
	if (error.code == 0 && a->events && a->events->update)
		a->events->update(a->context, update);
	return error;
}

void
arrivals_refresh(struct arrivals *a, const struct bgp_refresh *refresh)
{
	if (!a->status->negotiated.enhanced_refresh || !a->status->negotiated.family[refresh->family] ||
	    a->disabled[refresh->family])
		return;
	if (a->events && a->events->refresh)
		a->events->refresh(a->context, refresh->family, refresh->subtype == BGP_REFRESH_BEGIN);
}
