/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/traffic.h"

#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "base/flowhash.h"
#include "tests/bench/world.h"

enum { L2_LEN = 14, FLAG_SYN = 0x02, FLAG_ACK = 0x10 };

bool
traffic_is_udp(enum traffic_kind kind)
{
	return kind == TRAFFIC_UDP || kind == TRAFFIC_QUIC || kind == TRAFFIC_UDP_FLOOD;
}

uint16_t
traffic_port(enum traffic_kind kind)
{
	return kind == TRAFFIC_UDP || kind == TRAFFIC_UDP_FLOOD ? WORLD_UDP_PORT : WORLD_TCP_PORT;
}

static void
write_ip(struct writer *w, const struct traffic_spec *spec)
{
	uint8_t protocol = traffic_is_udp(spec->kind) ? IPPROTO_UDP : IPPROTO_TCP;
	struct addr none = world_vip(spec->is_v6, 0);

	if (spec->is_v6) {
		write_u32(w, 6u << 28);
		write_u16(w, (uint16_t)(spec->frame - L2_LEN - 40));
		write_u8(w, protocol);
		write_u8(w, 60);
	} else {
		write_u16(w, 0x4500);
		write_u16(w, (uint16_t)(spec->frame - L2_LEN));
		write_u32(w, 0x4000); /* DF */
		write_u8(w, 60);
		write_u8(w, protocol);
		write_u16(w, 0);
	}
	write_bytes(w, none.octets, addr_len(&none));
	write_bytes(w, none.octets, addr_len(&none));
}

static void
write_l4(struct writer *w, const struct traffic_spec *spec)
{
	unsigned payload = spec->frame - L2_LEN - (spec->is_v6 ? 40 : 20);

	write_u16(w, 0);
	write_u16(w, traffic_port(spec->kind));
	if (traffic_is_udp(spec->kind)) {
		write_u16(w, (uint16_t)payload);
		write_u16(w, 0);
		write_u8(w, 0x40); /* QUIC: a short header */
		return;
	}
	write_u32(w, 1);
	write_u32(w, 1);
	write_u8(w, 5 << 4);
	write_u8(w, spec->kind == TRAFFIC_SYN_FLOOD ? FLAG_SYN : FLAG_ACK);
	write_u16(w, 65535);
	write_u32(w, 0);
}

void
traffic_init(struct traffic *t, const struct traffic_spec *spec)
{
	struct writer w = writer_init(t->headers, sizeof(t->headers));

	memset(t, 0, sizeof(*t));
	t->spec = *spec;
	t->state = 1;
	write_bytes(&w, (const uint8_t[]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, 12);
	write_u16(&w, spec->is_v6 ? 0x86dd : 0x0800);
	write_ip(&w, spec);
	t->l4_at = (uint8_t)written_since(&w, t->headers);
	t->src_len = spec->is_v6 ? 16 : 4;
	t->dst_at = (uint8_t)(t->l4_at - t->src_len);
	write_l4(&w, spec);
}

static uint64_t
mix(uint64_t value, uint64_t key)
{
	return flowhash_mum(value ^ FLOWHASH_K0, key);
}

uint64_t
traffic_draw(struct traffic *t)
{
	uint64_t random = mix(t->state++, FLOWHASH_K2);

	switch (t->spec.kind) {
	case TRAFFIC_SYN_FLOOD:
	case TRAFFIC_ACK_FLOOD:
	case TRAFFIC_UDP_FLOOD:
		return t->state;
	default:
		return (uint64_t)((unsigned __int128)random * t->spec.flows >> 64);
	}
}

void
traffic_fill(const struct traffic *t, struct rte_mbuf *mbuf, uint64_t number, bool opens)
{
	uint64_t tuple = mix(number, FLOWHASH_K1), more = mix(tuple, FLOWHASH_K2);
	struct addr vip = world_vip(t->spec.is_v6, (unsigned)(more % t->spec.services));
	uint8_t *frame;

	rte_pktmbuf_reset(mbuf);
	mbuf->data_len = t->spec.frame;
	mbuf->pkt_len = t->spec.frame;
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	memcpy(frame, t->headers, sizeof(t->headers));
	if (t->spec.is_v6) {
		memcpy(frame + t->dst_at - 12, &more, 8);
		frame[t->dst_at - 16] = 0x20; /* global unicast */
	}
	memcpy(frame + t->dst_at - 4, &tuple, 4);
	frame[t->dst_at - 4] = (uint8_t)((frame[t->dst_at - 4] & 0x3f) | 0x10); /* 16.0.0.0 to 63.255.255.255 */
	memcpy(frame + t->dst_at, vip.octets, t->src_len);
	memcpy(frame + t->l4_at, (const uint8_t *)&tuple + 4, 2);
	frame[t->l4_at] |= 0x04; /* no well-known port, least of all 0 */
	if (opens && !traffic_is_udp(t->spec.kind))
		frame[t->l4_at + 13] = FLAG_SYN;
}
