/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/pcapng.h"

#include <string.h>

enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	ENHANCED_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SECTION_APPLICATION = 4,
	INTERFACE_NAME = 2,
	INTERFACE_TSRESOL = 9,
	PACKET_FLAGS = 2,
	PACKET_INBOUND = 1,
	TEXT_MAX = 64,
	NANOSECONDS = 9,
};

static uint8_t *
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
	return at + 2;
}

static uint8_t *
put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value & 0xffff), value >> 16);
}

/* All is aligned to 32 bits. */
static uint8_t *
put_octets(uint8_t *at, const void *octets, size_t len)
{
	size_t padding = -len & 3;

	if (len > 0)
		memcpy(at, octets, len);
	memset(at + len, 0, padding);
	return at + len + padding;
}

static uint8_t *
put_option(uint8_t *at, unsigned code, const void *value, size_t len)
{
	return put_octets(put16(put16(at, code), (uint32_t)len), value, len);
}

static size_t
text_len(const char *text, size_t max)
{
	return strnlen(text, max);
}

/* The length stands at both ends of a block. */
static size_t
block_end(uint8_t *block, uint8_t *at)
{
	uint32_t len;

	at = put_option(at, OPTION_END, NULL, 0);
	len = (uint32_t)(at - block) + 4;
	put32(block + 4, len);
	put32(at, len);
	return len;
}

size_t
pcapng_section_encode(uint8_t *out, const char *application)
{
	uint8_t *at = put32(out, SECTION_HEADER) + 4;

	at = put32(at, BYTE_ORDER_MAGIC);
	at = put16(put16(at, 1), 0); /* version 1.0 */
	at = put32(put32(at, UINT32_MAX), UINT32_MAX); /* its length: not known */
	at = put_option(at, SECTION_APPLICATION, application, text_len(application, TEXT_MAX));
	return block_end(out, at);
}

size_t
pcapng_interface_encode(uint8_t *out, const char *name, uint32_t snap)
{
	static const uint8_t resolution = NANOSECONDS;
	uint8_t *at = put32(out, INTERFACE_DESCRIPTION) + 4;

	at = put16(put16(at, LINKTYPE_ETHERNET), 0);
	at = put32(at, snap);
	at = put_option(at, INTERFACE_NAME, name, text_len(name, TEXT_MAX));
	at = put_option(at, INTERFACE_TSRESOL, &resolution, 1);
	return block_end(out, at);
}

size_t
pcapng_packet_encode(uint8_t *out, const struct pcapng_packet *p)
{
	static const uint8_t flags[4] = {PACKET_INBOUND};
	uint8_t *at = put32(out, ENHANCED_PACKET) + 4;

	at = put32(at, p->interface);
	at = put32(put32(at, (uint32_t)(p->time_ns >> 32)), (uint32_t)p->time_ns);
	at = put32(put32(at, p->held), p->len);
	at = put_octets(at, p->octets, p->held);
	at = put_option(at, OPTION_COMMENT, p->comment, text_len(p->comment, PCAPNG_COMMENT_MAX));
	at = put_option(at, PACKET_FLAGS, flags, sizeof(flags));
	return block_end(out, at);
}
