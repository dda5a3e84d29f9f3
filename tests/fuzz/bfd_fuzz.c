/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/bfd*.c base/?*.c */
/* packages: libcrypto */
/*
 * Sessions of each kind of authentication, driven by the octets: packets of anybody, packets that the peer has signed,
 * time, and the operator. What a session says must be well-formed and signed, and it must come to rest.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "bgp/bfd_mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

#define START_NS (UINT64_C(1) << 40)

static struct bfd_mux mux;
static struct bfd_auth peers[BFD_AUTH_TYPES]; /* by what they sign with */
static struct bfd_auth ears[BFD_AUTH_TYPES];  /* by what they believe */
static uint64_t now_ns;

static struct addr
peer_addr(unsigned type)
{
	return addr_v4((const uint8_t[]){192, 0, 2, (uint8_t)type});
}

static void
begin(void)
{
	bfd_mux_init(&mux, 7);
	now_ns = START_NS;
	for (unsigned type = 0; type < BFD_AUTH_TYPES; type++) {
		struct bfd_config config = {.desired_us = 50000, .required_us = 50000, .multiplier = 3,
					    .auth = {.type = type, .key_id = 1, .key_len = type ? 3 : 0, .key = "key"}};
		struct bfd_path path = {.peer = peer_addr(type), .is_multihop = type % 2, .ttl_min = 2};

		peers[type] = ears[type] = (struct bfd_auth){.config = config.auth};
		if (bfd_mux_add(&mux, &path, &config, now_ns) != (int)type)
			abort();
	}
}

/* Says what the session has to say: at most a handful of packets for a moment, then it waits. */
static void
drain(unsigned type)
{
	struct bfd_session *session = &mux.members[type].session;
	uint8_t out[BFD_PACKET_MAX];
	struct bfd_packet packet;
	unsigned n = 0;

	for (size_t len; (len = bfd_session_output(session, now_ns, out)) > 0;) {
		if (++n > 2 || bfd_packet_decode(out, len, &packet) || packet.len != len || packet.poll > !packet.final ||
		    packet.state != session->status.state)
			abort();
		ears[type].is_sequence_known = false;
		if (bfd_auth_check(&ears[type], &packet))
			abort();
	}
	if (bfd_session_deadline_ns(session) <= now_ns)
		abort();
	if ((session->status.state == BFD_UP) != (session->status.health == BFD_ALIVE) ||
	    session->status.failures > session->status.downs || session->status.downs > session->status.ups ||
	    (session->status.state != BFD_UP && session->status.transmit_us && session->status.transmit_us < 1000000))
		abort();
}

/* Octets as they are from the peer of that type; signed: its header is the input's, the rest is right. */
static void
hear(struct reader *r, unsigned type, bool is_signed)
{
	size_t n = is_signed ? BFD_HEADER_LEN : read_u8(r) % 64;
	const uint8_t *given = read_bytes(r, n);
	struct bfd_arrival arrival = {.from = peer_addr(type), .to = addr_v4("\1\1\1\1"), .ttl = 255,
				      .is_multihop = type % 2};
	uint8_t octets[64] = {0};

	if (!given)
		return;
	memcpy(octets, given, n);
	if (is_signed) {
		uint32_t to_us = mux.members[type].session.status.discriminator;
		size_t auth_len = bfd_auth_len(&peers[type].config);

		octets[0] = (uint8_t)(1 << 5 | (octets[0] & 0x1f));
		octets[1] = (uint8_t)((octets[1] & 0xfa) | (auth_len ? 4 : 0));
		octets[3] = (uint8_t)(BFD_HEADER_LEN + auth_len);
		if (octets[1] & 0xc0)
			memcpy(octets + 8, (uint8_t[]){to_us >> 24, to_us >> 16, to_us >> 8, to_us}, 4);
		bfd_auth_sign(&peers[type], octets);
		n = BFD_HEADER_LEN + auth_len;
	}
	bfd_mux_input(&mux, &arrival, octets, n, now_ns);
}

static void
operate(struct reader *r, struct bfd_session *session)
{
	struct bfd_config config = {.desired_us = 1 + read_u16(r) * 100, .multiplier = 1 + read_u8(r) % 250};

	config.required_us = config.desired_us;
	if (config.multiplier == 7)
		bfd_session_disable(session, now_ns);
	else if (config.multiplier == 8)
		bfd_session_enable(session, now_ns);
	else
		bfd_session_configure(session, &config, now_ns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct reader r = reader_init(octets, len);

	begin();
	while (reader_left(&r) > 0) {
		uint8_t what = read_u8(&r);
		unsigned type = what / 4 % BFD_AUTH_TYPES;

		switch (what % 4) {
		case 0:
			now_ns += read_u16(&r) * UINT64_C(100000);
			break;
		case 1:
			hear(&r, type, false);
			break;
		case 2:
			hear(&r, type, true);
			break;
		default:
			operate(&r, &mux.members[type].session);
		}
		drain(type);
	}
	return 0;
}
