/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c is compiled more than once: whatever comes in, every compilation gives the same frames and the same counters. Good
 * packets of all kinds, the same with octets gone wrong, and cut ones, in one world for each compilation.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "base/flowhash.h"
#include "tests/bench/traffic.h"
#include "tests/bench/world.h"
#include "tests/unit/stage/frames.h"

enum { BURST = 32, BURSTS = 200, PAYLOAD_MAX = 1000, SENT_MAX = 8 << 20 };

/* What a world has sent, one frame after the other with its length before it. */
struct sent {
	size_t len;
	uint8_t octets[SENT_MAX];
};

static struct sent *sent;
static uint64_t random_state;

static uint64_t
random64(void)
{
	return flowhash_mum(++random_state ^ FLOWHASH_K0, FLOWHASH_K1);
}

static uint16_t
transmit(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	(void)queue;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t len = mbufs[i]->data_len;

		cr_assert_leq(sent->len + len + 2U, sizeof(sent->octets));
		cr_assert_eq(mbufs[i]->pkt_len, len);
		memcpy(sent->octets + sent->len, &len, 2);
		memcpy(sent->octets + sent->len + 2, rte_pktmbuf_mtod(mbufs[i], void *), len);
		sent->len += len + 2U;
		rte_pktmbuf_free(mbufs[i]);
	}
	return n;
}

/* One in four is left whole; the others have up to three octets changed, or end early. */
static void
spoil(struct rte_mbuf *mbuf)
{
	unsigned changes = (unsigned)(random64() % 4);

	for (unsigned i = 0; i < changes; i++)
		rte_pktmbuf_mtod(mbuf, uint8_t *)[random64() % mbuf->data_len] = (uint8_t)random64();
	if (changes == 3)
		rte_pktmbuf_trim(mbuf, (uint16_t)(random64() % mbuf->data_len));
}

static void
bursts_run(struct world *world, struct traffic *traffic, uint64_t tsc)
{
	struct rte_mbuf *mbufs[BURST];

	random_state = 1;
	traffic->state = 1;
	for (unsigned b = 0; b < BURSTS; b++) {
		for (unsigned i = 0; i < BURST; i++) {
			mbufs[i] = frames_mbuf("00");
			/* traffic_fill leaves the payload as it was. */
			for (unsigned at = 0; at < PAYLOAD_MAX; at++)
				rte_pktmbuf_mtod(mbufs[i], uint8_t *)[at] = (uint8_t)(at * (b + i));
			traffic_fill(traffic, mbufs[i], traffic_draw(traffic), i % 5 == 0);
			spoil(mbufs[i]);
		}
		world->code->burst(world->worker, mbufs, BURST, 0, tsc);
	}
}

static void
world_run(const struct world_spec *spec, const struct traffic_spec *kind, bool moves, struct sent *out,
	  uint64_t verdicts[VERDICT_COUNT])
{
	struct world *world = world_new(spec);
	struct traffic traffic;

	sent = out;
	sent->len = 0;
	rte_eth_fp_ops[0].tx_pkt_burst = transmit;
	traffic_init(&traffic, kind);
	if (moves)
		world_publish(world, 1);
	bursts_run(world, &traffic, world->shared.start_tsc);
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		verdicts[v] = world_verdict(world, (enum abi_verdict)v);
	world_free(world);
}

static const struct {
	enum abi_encap encap;
	enum traffic_kind kind;
	bool is_v6, moves;
	unsigned services;
	uint16_t frame;
} cases[] = {
	{ABI_ENCAP_L2, TRAFFIC_TCP, false, false, 1, 64},   {ABI_ENCAP_IPIP, TRAFFIC_TCP, false, true, 30, 96},
	{ABI_ENCAP_IPIP, TRAFFIC_TCP, true, true, 30, 90},  {ABI_ENCAP_GRE, TRAFFIC_UDP, false, false, 3, 81},
	{ABI_ENCAP_GUE, TRAFFIC_UDP, false, true, 30, 777}, {ABI_ENCAP_GUE, TRAFFIC_QUIC, true, false, 3, 128},
};

Test(code, does_the_same_in_every_compilation)
{
	static struct sent base, wide;
	uint64_t base_verdicts[VERDICT_COUNT], wide_verdicts[VERDICT_COUNT];

	if (strcmp(worker_code(NULL)->name, worker_code("base")->name) == 0)
		cr_skip("this CPU runs one compilation only");
	frames_init();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct world_spec spec = {.is_v6 = cases[i].is_v6,
					  .is_udp = traffic_is_udp(cases[i].kind),
					  .has_checksum = true,
					  .encap = cases[i].encap,
					  .port = traffic_port(cases[i].kind),
					  .services = cases[i].services,
					  .backends = 40};
		struct traffic_spec kind = {.kind = cases[i].kind,
					    .is_v6 = cases[i].is_v6,
					    .flows = 1000,
					    .services = cases[i].services,
					    .frame = cases[i].frame};

		spec.code = "base";
		world_run(&spec, &kind, cases[i].moves, &base, base_verdicts);
		spec.code = NULL;
		world_run(&spec, &kind, cases[i].moves, &wide, wide_verdicts);
		cr_expect_arr_eq(base_verdicts, wide_verdicts, sizeof(base_verdicts), "case %u", i);
		cr_expect_gt(base_verdicts[VERDICT_FORWARDED], BURST * BURSTS / 4, "case %u", i);
		cr_assert_eq(base.len, wide.len, "case %u", i);
		cr_expect_arr_eq(base.octets, wide.octets, base.len, "case %u", i);
		cr_expect_eq(frames_in_use(), 0, "case %u", i);
	}
}

Test(code, is_asked_for_by_name)
{
	cr_expect_str_eq(worker_code("base")->name, "base");
	cr_expect_not_null(worker_code(NULL));
	cr_expect_null(worker_code("z80"));
}
