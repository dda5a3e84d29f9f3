/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bfd_packet.h"

#include "base/cursor.h"

enum {
	VERSION = 1,
	AUTH_LEN_MIN = 2, /* type and length */
	FLAG_POLL = 0x20,
	FLAG_FINAL = 0x10,
	FLAG_INDEPENDENT = 0x08,
	FLAG_AUTH = 0x04,
	FLAG_DEMAND = 0x02,
	FLAG_MULTIPOINT = 0x01,
};

const char *
bfd_packet_decode(const uint8_t *octets, size_t len, struct bfd_packet *out)
{
	struct reader r = reader_init(octets, len);
	uint8_t version_diag = read_u8(&r), flags = read_u8(&r), multiplier = read_u8(&r), length = read_u8(&r);
	struct bfd_packet packet = {
		.state = flags >> 6,
		.diag = version_diag & 0x1f,
		.multiplier = multiplier,
		.poll = flags & FLAG_POLL,
		.final = flags & FLAG_FINAL,
		.independent = flags & FLAG_INDEPENDENT,
		.demand = flags & FLAG_DEMAND,
		.has_auth = flags & FLAG_AUTH,
		.octets = octets,
		.len = length,
	};

	packet.my_discriminator = read_u32(&r);
	packet.your_discriminator = read_u32(&r);
	packet.desired_us = read_u32(&r);
	packet.required_us = read_u32(&r);
	packet.echo_us = read_u32(&r);
	/* RFC 5880 6.8.6, in its order. */
	if (r.failed)
		return "shorter than a control packet";
	if (version_diag >> 5 != VERSION)
		return "version is not 1";
	if (length < BFD_HEADER_LEN + (packet.has_auth ? AUTH_LEN_MIN : 0))
		return "Length is below the least";
	if (length > len)
		return "Length is above the payload's";
	if (multiplier == 0)
		return "Detect Mult is zero";
	if (flags & FLAG_MULTIPOINT)
		return "Multipoint is set";
	if (packet.my_discriminator == 0)
		return "My Discriminator is zero";
	if (packet.your_discriminator == 0 && packet.state != BFD_DOWN && packet.state != BFD_ADMIN_DOWN)
		return "Your Discriminator is zero in a state that knows it";
	*out = packet;
	return NULL;
}

void
bfd_packet_encode(const struct bfd_packet *packet, size_t auth_len, uint8_t out[static BFD_HEADER_LEN])
{
	struct writer w = writer_init(out, BFD_HEADER_LEN);

	write_u8(&w, (uint8_t)(VERSION << 5 | (packet->diag & 0x1f)));
	write_u8(&w, (uint8_t)(packet->state << 6 | (packet->poll ? FLAG_POLL : 0) | (packet->final ? FLAG_FINAL : 0) |
			       (packet->independent ? FLAG_INDEPENDENT : 0) | (packet->has_auth ? FLAG_AUTH : 0) |
			       (packet->demand ? FLAG_DEMAND : 0)));
	write_u8(&w, packet->multiplier);
	write_u8(&w, (uint8_t)(BFD_HEADER_LEN + auth_len));
	write_u32(&w, packet->my_discriminator);
	write_u32(&w, packet->your_discriminator);
	write_u32(&w, packet->desired_us);
	write_u32(&w, packet->required_us);
	write_u32(&w, packet->echo_us);
}

const char *
bfd_state_name(unsigned state)
{
	static const char *const names[BFD_STATES] = {"admin-down", "down", "init", "up"};

	return state < BFD_STATES ? names[state] : "unknown";
}

const char *
bfd_diag_name(unsigned diag)
{
	static const char *const names[] = {
		"none", "control detection time expired", "echo function failed", "neighbor signaled session down",
		"forwarding plane reset", "path down", "concatenated path down", "administratively down",
		"reverse concatenated path down",
	};

	return diag < ARRAY_LEN(names) ? names[diag] : "reserved";
}
