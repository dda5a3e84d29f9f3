/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A discriminator is 24 bits of chance and the place in members: found without a search, not guessed from afar, and
 * another one each time a place is used again.
 */
#include "bgp/bfd_mux.h"

#include <errno.h>

enum { INDEX_BITS = 8 };
_Static_assert(BFD_SESSIONS_MAX == 1 << INDEX_BITS, "a discriminator holds the place");

static uint64_t
random_next(struct bfd_mux *mux)
{
	mux->random ^= mux->random << 13;
	mux->random ^= mux->random >> 7;
	mux->random ^= mux->random << 17;
	return mux->random;
}

void
bfd_mux_init(struct bfd_mux *mux, uint64_t seed)
{
	*mux = (struct bfd_mux){.random = seed ? seed : 1};
}

static uint32_t
discriminator_make(struct bfd_mux *mux, unsigned index)
{
	uint32_t chance;

	do
		chance = (uint32_t)(random_next(mux) >> 32) << INDEX_BITS;
	while (chance == 0);
	return chance | index;
}

int
bfd_mux_add(struct bfd_mux *mux, const struct bfd_path *path, const struct bfd_config *config, uint64_t now_ns)
{
	int at = -ENOSPC;

	for (unsigned i = BFD_SESSIONS_MAX; i-- > 0;) {
		const struct bfd_member *member = &mux->members[i];

		if (!member->is_used)
			at = (int)i;
		else if (addr_equal(&member->path.peer, &path->peer) && member->path.scope == path->scope &&
			 member->path.is_multihop == path->is_multihop)
			return -EEXIST;
	}
	if (at < 0)
		return at;
	mux->members[at] = (struct bfd_member){.is_used = true, .path = *path};
	bfd_session_init(&mux->members[at].session, config, discriminator_make(mux, (unsigned)at), random_next(mux),
			 now_ns);
	return at;
}

void
bfd_mux_remove(struct bfd_mux *mux, unsigned index)
{
	mux->members[index].is_used = false;
}

static bool
is_between(const struct bfd_path *path, const struct bfd_arrival *arrival)
{
	return path->is_multihop == arrival->is_multihop && addr_equal(&path->peer, &arrival->from) &&
	       path->scope == arrival->scope && (path->local.family == ADDR_NONE || addr_equal(&path->local, &arrival->to));
}

/*
 * By the discriminator that we gave the session, else by the addresses. A discriminator from another address than the
 * peer's is no packet of the session either: RFC 5880 6.8.6 would take it, and with it who has seen one packet.
 */
static struct bfd_member *
lookup(struct bfd_mux *mux, const struct bfd_arrival *arrival, const struct bfd_packet *packet)
{
	uint32_t discriminator = packet->your_discriminator;
	struct bfd_member *member = &mux->members[discriminator % BFD_SESSIONS_MAX];

	if (discriminator != 0)
		return member->is_used && member->session.status.discriminator == discriminator &&
				       is_between(&member->path, arrival) ? member : NULL;
	for (unsigned i = 0; i < BFD_SESSIONS_MAX; i++) {
		member = &mux->members[i];
		if (member->is_used && is_between(&member->path, arrival))
			return member;
	}
	return NULL;
}

int
bfd_mux_input(struct bfd_mux *mux, const struct bfd_arrival *arrival, const uint8_t *octets, size_t len, uint64_t now_ns)
{
	struct bfd_packet packet;
	struct bfd_member *member;

	/* RFC 5881 5: what crossed a router is not our neighbour's. */
	if (!arrival->is_multihop && arrival->ttl != BFD_TTL) {
		mux->too_far++;
		return -ENOENT;
	}
	if (bfd_packet_decode(octets, len, &packet)) {
		mux->malformed++;
		return -ENOENT;
	}
	member = lookup(mux, arrival, &packet);
	if (!member) {
		mux->unknown++;
		return -ENOENT;
	}
	if (arrival->is_multihop && arrival->ttl < member->path.ttl_min) {
		mux->too_far++;
		return -ENOENT;
	}
	bfd_session_input(&member->session, &packet, now_ns);
	return (int)(member - mux->members);
}
