/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/output.h"

#include <string.h>

enum { HEADER_TYPE = 18 }; /* the type's place in a header (RFC 4271 4.1) */

void
output_clear(struct output *out)
{
	out->taken = 0;
	out->at = 0;
	out->len = 0;
	out->flight = 0;
}

uint8_t *
output_room(struct output *out, size_t *room)
{
	if (out->at > 0)
		memmove(out->octets, out->octets + out->at, out->len);
	out->at = 0;
	*room = sizeof(out->octets) - out->len;
	return out->octets + out->len;
}

void
output_put(struct output *out, size_t len)
{
	const uint8_t *message = out->octets + out->at + out->len;

	out->len += len;
	out->counts[message[HEADER_TYPE]]++;
	if (out->events && out->events->message)
		out->events->message(out->context, true, message, len);
}

void
output_message(struct output *out, const uint8_t *message, size_t len)
{
	size_t room;
	uint8_t *at = output_room(out, &room);

	if (len > room)
		return;
	memcpy(at, message, len);
	output_put(out, len);
}

void
output_taken(struct output *out, size_t len)
{
	out->taken += len;
	out->at += len;
	out->len -= len;
	out->flight -= len < out->flight ? len : out->flight;
}
