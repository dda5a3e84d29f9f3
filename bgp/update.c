/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding of UPDATE. Each error is noted with what it leads to, reading goes on as far as it can, and the strongest
 * wins (RFC 7606 3(h)): so the MP_UNREACH_NLRI behind a malformed attribute is still found and applied.
 */
#include "bgp/update.h"

#include <errno.h>

#include "bgp/flowspec.h"

enum {
	TYPES = 256,
	LINK_LOCAL_LEN = 32, /* RFC 2545 3: a global next hop and a link-local one */
	FLOW_LONG = 0xf0,    /* RFC 8955 4.1: from here on, a length has 12 bits */
};

struct decoding {
	const struct bgp_update_context *context;
	struct bgp_update *out;
	bool seen[TYPES];
	unsigned attributes;
	bool has_reachable; /* some prefix is announced, whatever its family (RFC 7606 5.2) */
};

static void
note(struct decoding *d, enum bgp_outcome outcome, uint8_t type, const char *fault)
{
	struct bgp_update *out = d->out;

	if (outcome == BGP_TREAT_AS_WITHDRAW)
		out->is_withdrawal = true;
	if (outcome <= out->outcome)
		return;
	out->outcome = outcome;
	out->fault_type = type;
	out->fault = fault;
}

static void
note_reset(struct decoding *d, struct bgp_error error, uint8_t type, const char *fault)
{
	if (d->out->outcome != BGP_SESSION_RESET)
		d->out->error = error;
	note(d, BGP_SESSION_RESET, type, fault);
}

static void
note_list_reset(struct decoding *d, uint8_t type, const char *fault)
{
	note_reset(d, bgp_error_make(BGP_ERROR_UPDATE, BGP_UPDATE_ATTRIBUTES), type, fault);
}

/* RFC 7606 5.3: each prefix has a length that its family knows, and the octets for it. */
static bool
prefixes_are_sound(struct reader r, unsigned bits_max)
{
	while (reader_left(&r) > 0) {
		unsigned bits = read_u8(&r);

		if (bits > bits_max || !read_bytes(&r, (bits + 7) / 8))
			return false;
	}
	return true;
}

/* The components of one flow, or NULL: cut, or empty. */
static const uint8_t *
flow_read(struct reader *r, size_t *len)
{
	*len = read_u8(r);
	if (*len >= FLOW_LONG)
		*len = (*len & 0x0fU) << 8 | read_u8(r);
	return *len > 0 ? read_bytes(r, *len) : NULL;
}

static bool
flows_are_sound(struct reader r)
{
	size_t len;

	while (reader_left(&r) > 0) {
		if (!flow_read(&r, &len))
			return false;
	}
	return true;
}

static bool
is_flow(const struct bgp_nlri *nlri)
{
	return nlri->is_known && (nlri->family == BGP_FLOW4 || nlri->family == BGP_FLOW6);
}

/* Can the routes be told from each other? */
static bool
nlri_is_sound(const struct bgp_nlri *nlri, struct reader r)
{
	if (!nlri->is_known)
		return true;
	if (is_flow(nlri))
		return flows_are_sound(r);
	return prefixes_are_sound(r, nlri->family == BGP_V4 ? 32 : 128);
}

/* RFC 8955 4.2: against its encoding, or with a component that we don't know. One that is merely longer than what we hold
 * is sound. */
static bool
has_malformed_flow(const struct bgp_nlri *nlri, struct reader r)
{
	enum addr_family family = nlri->family == BGP_FLOW4 ? ADDR_V4 : ADDR_V6;
	struct flowspec rule;

	while (is_flow(nlri) && reader_left(&r) > 0) {
		const uint8_t *start = r.at;
		int err = flowspec_decode(&r, family, &rule);

		if (err == -EBADMSG || (err == -ENOTSUP && r.at - start < FLOWSPEC_OCTETS_MAX))
			return true;
	}
	return false;
}

static void
nlri_set(struct bgp_nlri *nlri, const struct reader *r)
{
	nlri->octets = r->at;
	nlri->len = reader_left(r);
}

static struct bgp_nlri
ipv4_nlri(const struct reader *r)
{
	struct bgp_nlri nlri = {.family = BGP_V4, .is_known = true, .afi = bgp_family_afi(BGP_V4),
				.safi = bgp_family_safi(BGP_V4)};

	nlri_set(&nlri, r);
	return nlri;
}

static struct bgp_nlri
family_read(struct reader *r)
{
	struct bgp_nlri nlri = {.afi = read_u16(r)};

	nlri.safi = read_u8(r);
	nlri.is_known = bgp_family_of(nlri.afi, nlri.safi, &nlri.family);
	return nlri;
}

/* A length that the family has: RFC 4760 3, RFC 2545 3, RFC 8950 3. FlowSpec's is ignored (RFC 8955 4). */
static bool
next_hop_decode(struct decoding *d, enum bgp_family family, struct reader hop)
{
	bool is_ipv4 = family == BGP_V4 && reader_left(&hop) == 4;
	bool may_be_ipv6 = family == BGP_V6 || (family == BGP_V4 && d->context->extended_next_hop);

	if (family == BGP_FLOW4 || family == BGP_FLOW6)
		return true;
	if (is_ipv4) {
		d->out->reach_next_hop = addr_v4(hop.at);
		return true;
	}
	if (!may_be_ipv6 || (reader_left(&hop) != 16 && reader_left(&hop) != LINK_LOCAL_LEN))
		return false;
	d->out->reach_next_hop = addr_v6(hop.at);
	if (reader_left(&hop) == LINK_LOCAL_LEN)
		d->out->reach_link_local = addr_v6(hop.at + 16);
	return true;
}

/* RFC 4760 7: the NOTIFICATION for an attribute that can't be followed; its data is the attribute. */
static void
mp_reset(struct decoding *d, uint8_t type, const struct reader *attribute, const char *fault)
{
	note_reset(d, bgp_error_with(BGP_ERROR_UPDATE, BGP_UPDATE_OPTIONAL, attribute->at, reader_left(attribute)), type,
		   fault);
}

/*
 * RFC 7606 3(j), 7.11 leave the choice between the session's reset and the family's end. Where the attribute can be
 * walked to its end by its own lengths, the peer and we agree on the framing, and the family alone goes.
 */
static void
mp_disable(struct decoding *d, uint8_t type, const struct bgp_nlri *nlri, const char *fault)
{
	note(d, BGP_AFISAFI_DISABLE, type, fault);
	d->out->disabled = *nlri;
}

static void
mp_reach_decode(struct decoding *d, const struct reader *attribute, struct reader value)
{
	struct bgp_nlri nlri = family_read(&value);
	struct reader hop = read_sub(&value, read_u8(&value));

	(void)read_u8(&value); /* reserved */
	if (value.failed) {
		mp_reset(d, BGP_MP_REACH, attribute, "is cut");
		return;
	}
	if (!nlri_is_sound(&nlri, value)) {
		mp_reset(d, BGP_MP_REACH, attribute, "its routes can't be told apart");
		return;
	}
	d->has_reachable = d->has_reachable || reader_left(&value) > 0;
	if (nlri.is_known && !next_hop_decode(d, nlri.family, hop))
		mp_disable(d, BGP_MP_REACH, &nlri, "next hop has a length that the family doesn't know");
	else if (has_malformed_flow(&nlri, value))
		mp_disable(d, BGP_MP_REACH, &nlri, "a flow is malformed");
	else
		nlri_set(&nlri, &value);
	d->out->reach = nlri;
}

static void
mp_unreach_decode(struct decoding *d, const struct reader *attribute, struct reader value)
{
	struct bgp_nlri nlri = family_read(&value);

	if (value.failed || !nlri_is_sound(&nlri, value)) {
		mp_reset(d, BGP_MP_UNREACH, attribute, value.failed ? "is cut" : "its routes can't be told apart");
		return;
	}
	if (has_malformed_flow(&nlri, value))
		mp_disable(d, BGP_MP_UNREACH, &nlri, "a flow is malformed");
	else
		nlri_set(&nlri, &value);
	d->out->unreach = nlri;
}

/* RFC 7606 3(g). */
static void
repeated(struct decoding *d, uint8_t type)
{
	if (type == BGP_MP_REACH || type == BGP_MP_UNREACH)
		note_list_reset(d, type, "appears twice");
	else
		note(d, BGP_ATTRIBUTE_DISCARD, type, "appears twice");
}

static void
attribute_judge(struct decoding *d, uint8_t flags, uint8_t type, const struct reader *attribute, struct reader value)
{
	const char *fault = NULL;
	enum bgp_outcome outcome;

	if (d->seen[type]) {
		repeated(d, type);
		return;
	}
	d->seen[type] = true;
	outcome = bgp_attribute_decode(flags, type, value, d->context, &d->out->attributes, &fault);
	if (outcome == BGP_SESSION_RESET) /* RFC 4271 6.3: well-known, and not recognised */
		note_reset(d,
			   bgp_error_with(BGP_ERROR_UPDATE, BGP_UPDATE_WELL_KNOWN, attribute->at, reader_left(attribute)),
			   type, fault);
	else
		note(d, outcome, type, fault);
	if (type == BGP_MP_REACH)
		mp_reach_decode(d, attribute, value);
	else if (type == BGP_MP_UNREACH)
		mp_unreach_decode(d, attribute, value);
}

/* RFC 7606 4: what doesn't fit ends the walk; the list's own length says where the prefixes begin. */
static void
attributes_walk(struct decoding *d, struct reader list)
{
	while (reader_left(&list) > 0) {
		struct reader attribute = {.at = list.at};
		uint8_t flags = read_u8(&list);
		uint8_t type = read_u8(&list);
		size_t len = flags & BGP_FLAG_EXTENDED ? read_u16(&list) : read_u8(&list);
		struct reader value = read_sub(&list, len);

		d->attributes++;
		if (list.failed) {
			d->seen[0] = true; /* something else than MP_UNREACH_NLRI, whatever it was */
			note(d, BGP_TREAT_AS_WITHDRAW, type, "is longer than what is left of the list");
			return;
		}
		attribute.end = list.at;
		attribute_judge(d, flags, type, &attribute, value);
	}
}

static bool
is_host(const struct addr *v4)
{
	return v4->octets[0] != 0 && v4->octets[0] != 127 && v4->octets[0] < 224;
}

/* RFC 7606 3(d): a route must have these; a withdrawal needs none. */
static void
mandatory_check(struct decoding *d)
{
	const struct bgp_attributes *a = &d->out->attributes;
	bool has_ipv4 = d->out->announced.len > 0;
	const struct {
		enum bgp_attribute type;
		bool is_mandatory;
	} mandatory[] = {
		{BGP_ORIGIN, true},
		{BGP_AS_PATH, true},
		{BGP_NEXT_HOP, has_ipv4},
		{BGP_LOCAL_PREF, d->context->ibgp}, /* RFC 4271 5.1.5 */
	};

	for (size_t i = 0; i < ARRAY_LEN(mandatory); i++) {
		if (mandatory[i].is_mandatory && !bgp_has(a, mandatory[i].type))
			note(d, BGP_TREAT_AS_WITHDRAW, (uint8_t)mandatory[i].type, "is missing");
	}
	/* Beside MP_REACH_NLRI alone it means nothing (RFC 4760 3). */
	if (has_ipv4 && bgp_has(a, BGP_NEXT_HOP) && !is_host(&a->next_hop))
		note(d, BGP_TREAT_AS_WITHDRAW, BGP_NEXT_HOP, "is no host's address");
}

/* RFC 7606 7.2 with RFC 4271 6.3. A route server shows its clients' paths, not itself (RFC 7947 2.2.2). */
static void
first_as_check(struct decoding *d)
{
	const struct bgp_update_context *context = d->context;

	if (context->ibgp || context->peer_as == 0 || context->role == BGP_ROLE_RS_CLIENT)
		return;
	if (bgp_has(&d->out->attributes, BGP_AS_PATH) &&
	    bgp_as_path_neighbour(&d->out->attributes.as_path) != context->peer_as)
		note(d, BGP_TREAT_AS_WITHDRAW, BGP_AS_PATH, "doesn't begin with the peer's AS");
}

static bool
is_unicast(const struct bgp_nlri *nlri)
{
	return nlri->len > 0 && nlri->is_known && (nlri->family == BGP_V4 || nlri->family == BGP_V6);
}

/* RFC 9234 5, ingress, in its order. The role is ours: a provider's peer is a customer. */
static void
only_to_customer(struct decoding *d)
{
	const struct bgp_update_context *context = d->context;
	struct bgp_attributes *a = &d->out->attributes;
	bool has = bgp_has(a, BGP_OTC);

	if (context->ibgp || (!is_unicast(&d->out->announced) && !is_unicast(&d->out->reach)))
		return;
	switch (context->role) {
	case BGP_ROLE_PROVIDER:
	case BGP_ROLE_RS:
		d->out->is_leak = has;
		break;
	case BGP_ROLE_PEER:
		d->out->is_leak = has && a->otc != context->peer_as;
		break;
	default:
		break;
	}
	if (has || (context->role != BGP_ROLE_CUSTOMER && context->role != BGP_ROLE_PEER &&
		    context->role != BGP_ROLE_RS_CLIENT))
		return;
	a->otc = context->peer_as;
	a->present |= 1ULL << BGP_OTC;
}

/* RFC 7606 5.2: attributes that describe no route, so that we can't be sure to have found all of them. */
static void
unreachable_check(struct decoding *d)
{
	bool only_unreach = d->attributes == 1 && d->seen[BGP_MP_UNREACH];

	if (!d->has_reachable && !only_unreach && d->out->outcome > BGP_ATTRIBUTE_DISCARD)
		note_list_reset(d, d->out->fault_type, d->out->fault);
}

/* RFC 4724 2: an UPDATE without anything, or with an empty MP_UNREACH_NLRI and nothing else. */
static void
end_of_rib_check(struct decoding *d)
{
	struct bgp_update *out = d->out;

	if (out->outcome != BGP_ACCEPT || out->withdrawn.len > 0 || out->announced.len > 0)
		return;
	if (d->attributes == 0)
		out->unreach = out->announced;
	out->is_end_of_rib = d->attributes == 0 ||
			     (d->attributes == 1 && d->seen[BGP_MP_UNREACH] && out->unreach.len == 0);
}

static void
family_clear(struct bgp_nlri *nlri, const struct bgp_nlri *disabled)
{
	if (nlri->is_known && nlri->family == disabled->family)
		nlri->len = 0;
}

void
bgp_update_decode(const uint8_t *body, size_t len, const struct bgp_update_context *context, struct bgp_update *out)
{
	struct reader r = reader_init(body, len);
	struct reader withdrawn = read_sub(&r, read_u16(&r));
	struct reader list = read_sub(&r, read_u16(&r));
	struct decoding d = {.context = context, .out = out};

	*out = (struct bgp_update){.outcome = BGP_ACCEPT};
	if (r.failed) { /* RFC 7606 3(b) */
		note_list_reset(&d, 0, "its lengths are longer than the message");
		return;
	}
	if (!prefixes_are_sound(withdrawn, 32) || !prefixes_are_sound(r, 32)) { /* RFC 7606 3(i), 3(j), 5.3 */
		note_reset(&d, bgp_error_make(BGP_ERROR_UPDATE, BGP_UPDATE_NETWORK), 0, "its prefixes can't be told apart");
		return;
	}
	out->withdrawn = ipv4_nlri(&withdrawn);
	out->announced = ipv4_nlri(&r);
	d.has_reachable = out->announced.len > 0;
	attributes_walk(&d, list);
	bgp_attributes_merge(&out->attributes, context);
	if (d.has_reachable) {
		mandatory_check(&d);
		first_as_check(&d);
		only_to_customer(&d);
	}
	unreachable_check(&d);
	end_of_rib_check(&d);
	out->is_withdrawal = out->is_withdrawal || out->is_leak;
	if (out->disabled.is_known) {
		family_clear(&out->reach, &out->disabled);
		family_clear(&out->unreach, &out->disabled);
	}
}

bool
bgp_nlri_next(struct bgp_nlri *rest, struct prefix *out)
{
	struct reader r = reader_init(rest->octets, rest->len);
	uint8_t octets[16] = {0};
	unsigned bits = read_u8(&r);
	const uint8_t *from = read_bytes(&r, (bits + 7) / 8);
	struct addr addr;

	if (!from || bits > 128)
		return false;
	memcpy(octets, from, (bits + 7) / 8);
	addr = rest->family == BGP_V4 ? addr_v4(octets) : addr_v6(octets);
	*out = prefix_of(&addr, bits);
	nlri_set(rest, &r);
	return true;
}

bool
bgp_nlri_next_flow(struct bgp_nlri *rest, struct bgp_octets *out)
{
	struct reader r = reader_init(rest->octets, rest->len);
	size_t len;
	const uint8_t *components = flow_read(&r, &len);

	if (!components)
		return false;
	*out = (struct bgp_octets){.octets = components, .len = len};
	nlri_set(rest, &r);
	return true;
}
