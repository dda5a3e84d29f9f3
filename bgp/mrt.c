/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/mrt.h"

enum { BGP4MP_ET = 17, LENGTH_OFFSET = 8, HEADER_LEN = 12, AS_TRANS = 23456, AFI_V4 = 1, AFI_V6 = 2 };

/* RFC 6396 4.4; _LOCAL: RFC 6396 4.4.5 and 4.4.6. */
enum { MESSAGE = 1, MESSAGE_AS4 = 4, STATE_CHANGE_AS4 = 5, MESSAGE_LOCAL = 6, MESSAGE_AS4_LOCAL = 7 };

static void
write_as2(struct writer *w, uint32_t as)
{
	write_u16(w, as > UINT16_MAX ? AS_TRANS : (uint16_t)as);
}

/* Both addresses have the peer's family; one that has another is as good as unknown. */
static void
write_address(struct writer *w, const struct addr *address, size_t len)
{
	uint8_t *room = write_room(w, len);

	if (!room)
		return;
	memset(room, 0, len);
	if (addr_len(address) == len)
		memcpy(room, address->octets, len);
}

/* The header and what all records of BGP4MP begin with; the length is filled in by record_end. */
static uint8_t *
record_begin(struct writer *w, const struct mrt_session *session, uint16_t subtype)
{
	bool is_as2 = subtype == MESSAGE || subtype == MESSAGE_LOCAL;
	uint8_t *start = w->at;

	write_u32(w, (uint32_t)(session->time_us / 1000000));
	write_u16(w, BGP4MP_ET);
	write_u16(w, subtype);
	write_u32(w, 0);
	write_u32(w, (uint32_t)(session->time_us % 1000000));
	if (is_as2) {
		write_as2(w, session->peer_as);
		write_as2(w, session->local_as);
	} else {
		write_u32(w, session->peer_as);
		write_u32(w, session->local_as);
	}
	write_u16(w, 0); /* the interface's index: not known */
	write_u16(w, session->peer.family == ADDR_V6 ? AFI_V6 : AFI_V4);
	write_address(w, &session->peer, addr_len(&session->peer));
	write_address(w, &session->local, addr_len(&session->peer));
	return start;
}

/* RFC 6396 3: the microseconds are part of the length. */
static void
record_end(struct writer *w, uint8_t *start)
{
	struct writer length = writer_init(start + LENGTH_OFFSET, 4);

	if (!w->failed)
		write_u32(&length, (uint32_t)(written_since(w, start) - HEADER_LEN));
}

void
mrt_message_encode(struct writer *w, const struct mrt_session *session, bool is_sent, const uint8_t *octets, size_t len)
{
	uint16_t as4 = is_sent ? MESSAGE_AS4_LOCAL : MESSAGE_AS4;
	uint16_t as2 = is_sent ? MESSAGE_LOCAL : MESSAGE;
	uint8_t *start = record_begin(w, session, session->is_as2 ? as2 : as4);

	write_bytes(w, octets, len);
	record_end(w, start);
}

/* RFC 6396 4.4.1 counts the states from 1, in bgp_state's order. */
void
mrt_state_encode(struct writer *w, const struct mrt_session *session, enum bgp_state before, enum bgp_state after)
{
	uint8_t *start = record_begin(w, session, STATE_CHANGE_AS4);

	write_u16(w, (uint16_t)(before + 1));
	write_u16(w, (uint16_t)(after + 1));
	record_end(w, start);
}
