/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/rounds.h"

#include <string.h>

#include <rte_cycles.h>
#include <rte_ether.h>

#include "tests/bench/bench.h"

void
rounds_burst(const struct rounds *r)
{
	for (unsigned i = 0; i < ROUND; i += r->burst)
		r->world->code->burst(r->world->worker, r->mbufs + i, r->burst, 0, rte_rdtsc());
}

static __rte_noinline uint64_t
baseline_run(struct rte_mbuf **mbufs)
{
	static const uint8_t mac[RTE_ETHER_ADDR_LEN] = {2, 0, 0, 0, 0, 9};
	uint64_t sum = 0;

	for (unsigned i = 0; i < ROUND; i++) {
		uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], uint8_t *);

		sum += frame[23];
		memcpy(frame, mac, sizeof(mac));
	}
	return sum;
}

/* The lines that a NIC writes a packet and its descriptor's mbuf to, out of every cache. */
static void
chill(struct rte_mbuf **mbufs)
{
#ifdef __x86_64__
	for (unsigned i = 0; i < ROUND; i++) {
		const char *frame = rte_pktmbuf_mtod(mbufs[i], const char *);

		for (int line = -64; line < 128; line += 64)
			__builtin_ia32_clflush(frame + line);
		__builtin_ia32_clflush(mbufs[i]);
		__builtin_ia32_clflush((const char *)mbufs[i] + 64);
	}
	__builtin_ia32_mfence();
#else
	(void)mbufs;
#endif
}

/* What was sent goes back to the pool, where the dropped ones are already. */
static void
renew(const struct rounds *r)
{
	struct world_sent *sent = &r->world->sent;
	struct rte_mempool *pool = r->mbufs[0]->pool;

	rte_pktmbuf_free_bulk(sent->mbufs, sent->n);
	sent->n = 0;
	if (rte_pktmbuf_alloc_bulk(pool, r->mbufs, ROUND) != 0)
		rte_panic("mbufs were lost\n");
}

static void
rounds_fill(const struct rounds *r)
{
	for (unsigned i = 0; i < ROUND; i++)
		traffic_fill(r->traffic, r->mbufs[i], traffic_draw(r->traffic), false);
	if (r->is_cold)
		chill(r->mbufs);
}

static double
ns_each(uint64_t cycles)
{
	return (double)cycles * 1e9 / (double)rte_get_tsc_hz() / ROUND;
}

void
rounds_measure(const struct rounds *r, double *ns, double *baseline_ns)
{
	static double rounds[ROUNDS], baselines[ROUNDS];
	static volatile uint64_t sink __rte_unused;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start;

		rounds_fill(r);
		start = rte_rdtsc_precise();
		rounds_burst(r);
		rounds[i] = ns_each(rte_rdtsc_precise() - start);
		if (r->world->spec.collects)
			renew(r);
		rounds_fill(r);
		start = rte_rdtsc_precise();
		sink = baseline_run(r->mbufs);
		baselines[i] = ns_each(rte_rdtsc_precise() - start);
	}
	*ns = bench_median(rounds, ROUNDS);
	*baseline_ns = bench_median(baselines, ROUNDS);
}
