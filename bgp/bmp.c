/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bmp.h"

enum { VERSION = 3, LENGTH_OFFSET = 1 };
enum { ROUTE_MONITORING, STATISTICS, PEER_DOWN, PEER_UP, INITIATION, TERMINATION };
enum { FLAG_V6 = 0x80, FLAG_POST_POLICY = 0x40, FLAG_AS2 = 0x20, FLAG_OUT = 0x10 };
enum { INFO_STRING = 0, INFO_DESCRIPTION = 1, INFO_NAME = 2 }; /* RFC 7854 4.4 */
enum { TERMINATION_REASON = 1 };
enum { INFO_MAX = 255 };

/* The length is filled in by message_end. */
static uint8_t *
message_begin(struct writer *w, uint8_t type)
{
	uint8_t *start = w->at;

	write_u8(w, VERSION);
	write_u32(w, 0);
	write_u8(w, type);
	return start;
}

static void
message_end(struct writer *w, uint8_t *start)
{
	struct writer length = writer_init(start + LENGTH_OFFSET, 4);

	if (!w->failed)
		write_u32(&length, (uint32_t)written_since(w, start));
}

static void
write_zeros(struct writer *w, size_t len)
{
	uint8_t *room = write_room(w, len);

	if (room)
		memset(room, 0, len);
}

/* RFC 7854 4.2: an IPv4 address is in the last four of sixteen octets. */
static void
write_address(struct writer *w, const struct addr *address)
{
	size_t len = addr_len(address);

	write_zeros(w, 16 - len);
	write_bytes(w, address->octets, len);
}

/* RFC 7854 4.2. The only kind of peer is the global instance's (type 0), which has no distinguisher. */
static void
write_peer(struct writer *w, const struct bmp_peer *peer)
{
	unsigned flags = (peer->address.family == ADDR_V6 ? FLAG_V6 : 0U) | (peer->is_as2 ? FLAG_AS2 : 0U) |
			 (peer->is_out ? FLAG_OUT | FLAG_POST_POLICY : 0U);

	write_u8(w, 0);
	write_u8(w, (uint8_t)flags);
	write_zeros(w, 8);
	write_address(w, &peer->address);
	write_u32(w, peer->as);
	write_u32(w, peer->router_id);
	write_u32(w, (uint32_t)(peer->time_us / 1000000));
	write_u32(w, (uint32_t)(peer->time_us % 1000000));
}

static void
write_text(struct writer *w, uint16_t type, const char *text)
{
	size_t len = strnlen(text, INFO_MAX);

	write_u16(w, type);
	write_u16(w, (uint16_t)len);
	write_bytes(w, text, len);
}

void
bmp_initiation_encode(struct writer *w, const char *system, const char *description)
{
	uint8_t *start = message_begin(w, INITIATION);

	write_text(w, INFO_DESCRIPTION, description);
	write_text(w, INFO_NAME, system);
	message_end(w, start);
}

void
bmp_termination_encode(struct writer *w, enum bmp_termination reason)
{
	uint8_t *start = message_begin(w, TERMINATION);

	write_u16(w, TERMINATION_REASON);
	write_u16(w, 2);
	write_u16(w, (uint16_t)reason);
	message_end(w, start);
}

void
bmp_peer_up_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_up *up)
{
	uint8_t *start = message_begin(w, PEER_UP);

	write_peer(w, peer);
	write_address(w, &up->local);
	write_u16(w, up->local_port);
	write_u16(w, up->peer_port);
	write_bytes(w, up->sent_open.octets, up->sent_open.len);
	write_bytes(w, up->received_open.octets, up->received_open.len);
	write_text(w, INFO_STRING, up->name);
	message_end(w, start);
}

void
bmp_peer_down_encode(struct writer *w, const struct bmp_peer *peer, enum bmp_down reason,
		     const struct bmp_pdu *notification, uint16_t event)
{
	uint8_t *start = message_begin(w, PEER_DOWN);

	write_peer(w, peer);
	write_u8(w, (uint8_t)reason);
	if (reason == BMP_DOWN_LOCAL_NOTIFICATION || reason == BMP_DOWN_REMOTE_NOTIFICATION)
		write_bytes(w, notification->octets, notification->len);
	else if (reason == BMP_DOWN_LOCAL_EVENT)
		write_u16(w, event);
	message_end(w, start);
}

void
bmp_route_monitoring_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_pdu *update)
{
	uint8_t *start = message_begin(w, ROUTE_MONITORING);

	write_peer(w, peer);
	write_bytes(w, update->octets, update->len);
	message_end(w, start);
}

static void
write_count(struct writer *w, const struct bmp_count *count)
{
	bool is_gauge = count->stat == BMP_STAT_ROUTES_IN || count->stat == BMP_STAT_ROUTES_OUT;

	write_u16(w, (uint16_t)count->stat);
	write_u16(w, is_gauge ? 8 : 4);
	if (is_gauge)
		write_u32(w, (uint32_t)(count->value >> 32));
	write_u32(w, (uint32_t)count->value);
}

void
bmp_stats_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_count *counts, unsigned n)
{
	uint8_t *start = message_begin(w, STATISTICS);

	write_peer(w, peer);
	write_u32(w, n);
	for (unsigned i = 0; i < n; i++)
		write_count(w, &counts[i]);
	message_end(w, start);
}
