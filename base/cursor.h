/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded readers and writers of bytes. A read past the end fails, and a failed cursor stays failed: it gives zeros,
 * so that a decoder may read a whole structure and look once, at its end. A sub-message is a sub-cursor, so that a
 * length in the message can't reach outside of it. No state but the cursor; any thread. Multi-octet integers are
 * big-endian on the wire and in host order in the result.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <string.h>

#include "base/types.h"

struct reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

struct writer {
	uint8_t *at;
	uint8_t *end;
	bool failed;
};

static inline struct reader
reader_init(const void *bytes, size_t len)
{
	const uint8_t *start = bytes;

	/* What has no octets may be NULL, to which not even 0 may be added. */
	return (struct reader){.at = start, .end = len > 0 ? start + len : start};
}

static inline size_t
reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next len octets, or NULL and a failed cursor. */
static inline const uint8_t *
read_bytes(struct reader *r, size_t len)
{
	const uint8_t *bytes = r->at;

	if (r->failed || len > reader_left(r)) {
		r->failed = true;
		r->at = r->end;
		return NULL;
	}
	r->at += len;
	return bytes;
}

static inline uint8_t
read_u8(struct reader *r)
{
	const uint8_t *b = read_bytes(r, 1);

	return b ? b[0] : 0;
}

static inline uint16_t
read_u16(struct reader *r)
{
	const uint8_t *b = read_bytes(r, 2);

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t
read_u32(struct reader *r)
{
	const uint8_t *b = read_bytes(r, 4);

	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

/* A reader of the next len octets; the outer one goes on behind them. Both are failed when there are too few. */
static inline struct reader
read_sub(struct reader *r, size_t len)
{
	const uint8_t *b = read_bytes(r, len);

	if (!b)
		return (struct reader){.at = r->end, .end = r->end, .failed = true};
	return reader_init(b, len);
}

static inline struct writer
writer_init(void *bytes, size_t len)
{
	uint8_t *start = bytes;

	return (struct writer){.at = start, .end = start + len};
}

static inline size_t
writer_left(const struct writer *w)
{
	return (size_t)(w->end - w->at);
}

/* Room for len octets, or NULL and a failed cursor. */
static inline uint8_t *
write_room(struct writer *w, size_t len)
{
	uint8_t *room = w->at;

	if (w->failed || len > writer_left(w)) {
		w->failed = true;
		return NULL;
	}
	w->at += len;
	return room;
}

static inline void
write_bytes(struct writer *w, const void *bytes, size_t len)
{
	uint8_t *room = write_room(w, len);

	if (room && len > 0)
		memcpy(room, bytes, len);
}

static inline void
write_u8(struct writer *w, uint8_t value)
{
	uint8_t *room = write_room(w, 1);

	if (room)
		room[0] = value;
}

static inline void
write_u16(struct writer *w, uint16_t value)
{
	uint8_t *room = write_room(w, 2);

	if (room) {
		room[0] = (uint8_t)(value >> 8);
		room[1] = (uint8_t)value;
	}
}

static inline void
write_u32(struct writer *w, uint32_t value)
{
	write_u16(w, (uint16_t)(value >> 16));
	write_u16(w, (uint16_t)value);
}

/* Octets from a mark (an earlier w->at) to the write position. */
static inline size_t
written_since(const struct writer *w, const uint8_t *mark)
{
	return (size_t)(w->at - mark);
}

/* Fills in a big-endian length that was left open at room; NULL (a failed cursor's room) is passed over. */
static inline void
fill_u16(uint8_t *room, size_t value)
{
	if (room) {
		room[0] = (uint8_t)(value >> 8);
		room[1] = (uint8_t)value;
	}
}

#endif
