/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: dataplane/stage/?*.c abi/?*.c base/?*.c */
/* packages: libdpdk libhs libpcap */
/*
 * Hostile packets through parse, classify, sample and an armed guard with all that it can do, without an EAL: the mbuf is a plain
 * one whose data ends where the frame ends, so that the sanitizer sees every octet read or written beyond it. The first
 * octet says how the service is guarded.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/stage/classify.h"
#include "dataplane/stage/guard.h"
#include "dataplane/stage/parse.h"
#include "dataplane/stage/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TSC_HZ = 1000000000 };

static struct classify_table *
classify_new(void)
{
	/* 128.0.0.0/1 and fd00::/8: what the seeds are for. */
	static const struct classify_vip vips[] = {
		{.prefix = {.addr = {.family = ADDR_V4, .octets = {0x80}}, .len = 1}},
		{.prefix = {.addr = {.family = ADDR_V4, .octets = {10, 99}}, .len = 16}},
		{.prefix = {.addr = {.family = ADDR_V6, .octets = {0xfd, 0x99}}, .len = 16}},
	};
	static const struct classify_rule rules[] = {
		{.vip = 0, .service = 0, .port_last = UINT16_MAX},
		{.vip = 1, .service = 0, .port_last = UINT16_MAX},
		{.vip = 2, .service = 0, .port_last = UINT16_MAX},
	};

	return classify_table_new(vips, ARRAY_LEN(vips), rules, ARRAY_LEN(rules));
}

static struct guard_table *
guard_new(uint8_t how)
{
	static struct guard_spec spec = {.reflectors = {[123 / 64] = UINT64_C(1) << (123 % 64)}};

	spec.guards[0] = (struct abi_guard){.type = ABI_GUARD,
					.check = how & 3,
					.filters = how >> 2 & ABI_GUARD_FILTERS,
					.prefix_v4_len = 24,
					.prefix_v6_len = 56,
					.burst_ms = 1000,
					.source = {1000, 1000, 1000},
					.prefix = {2000, 2000, 2000},
					.unknown = how & 0x20 ? 1 : 0};
	return guard_table_new(&spec);
}

/* A packet that is answered is no longer than it was, and what it says of its length holds. */
static void
answer_check(const struct packet *p, uint32_t len)
{
	uint8_t *ip = packet_at(p, p->l3_at);
	uint32_t ip_len = p->flags & PACKET_V6 ? parse_be16(ip + 4) + 40U : parse_be16(ip + 2);

	if (p->mbuf->pkt_len > len || p->mbuf->data_len != p->mbuf->pkt_len || p->l3_at + ip_len != p->mbuf->pkt_len)
		abort();
}

/* What is served or was settled for its service is sampled, whatever it says of itself. */
static void
sample_check(struct sample_state *state, struct burst *b, struct sample_ring *ring)
{
	struct sample sample;

	sample_settle(state, b);
	if (sample_ring_pop(ring, &sample) != (b->packets[0].service != SERVICE_NONE && b->packets[0].verdict != VERDICT_HELD))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(64) struct guard_shared shared;
	static struct burst burst;
	static struct classify_table *classify;
	uint32_t len = (uint32_t)size - 1;
	struct rte_mbuf mbuf = {.nb_segs = 1, .data_len = (uint16_t)len, .pkt_len = len};
	struct packet *p = &burst.packets[0];
	static struct sample_shared wanted = {.shifts = {1}};
	static struct sample_ring *ring;
	_Atomic uint64_t counters[WORKER_COUNTER_COUNT] = {0};
	struct sample_state sample;
	struct guard_table *table;
	struct guard guard;

	if (size < 2 || size > UINT16_MAX)
		return -1;
	if (!classify && (!(classify = classify_new()) || guard_shared_init(&shared, 0, 0) != 0 ||
			  !(ring = sample_ring_new())))
		abort();
	table = guard_new(data[0]);
	mbuf.buf_addr = malloc(len);
	if (!table || !mbuf.buf_addr)
		abort();
	memcpy(mbuf.buf_addr, data + 1, len);
	guard_init(&guard, &shared, 0, TSC_HZ);
	burst.n = 1;
	burst.now_tsc += TSC_HZ / 100;
	atomic_store(&shared.states[0], guard_state(data[0] & 0x40 ? GUARD_ARMED : GUARD_CHECKING, 0));
	atomic_store(&shared.n_armed, 1);
	packet_init(p, &mbuf, 0);
	parse_any(p);
	classify_packet(classify, p);
	classify_fragment(classify, p);
	sample_init(&sample, &wanted, ring, counters, 0);
	sample.left = 0;
	sample_burst(&sample, &burst);
	guard_burst(&guard, table, &burst, true);
	sample_check(&sample, &burst, ring);
	if (p->verdict == VERDICT_CHALLENGED || p->verdict == VERDICT_CHECK_RESET)
		answer_check(p, len);
	if (packet_is_served(p) != (p->service == 0) || (packet_is_served(p) && !packet_is_open(p)))
		abort();
	free(mbuf.buf_addr);
	guard_table_free(table);
	return 0;
}
