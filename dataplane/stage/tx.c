/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/tx.h"

/* Where a packet with this verdict goes; NULL: nowhere. */
static struct tx_way *
way_of(struct tx *tx, struct packet *p)
{
	switch (p->verdict) {
	case VERDICT_FORWARDED:
	case VERDICT_ECHO_REPLIED:
	case VERDICT_REFUSED_RST:
	case VERDICT_REFUSED_UNREACHABLE:
	case VERDICT_TOO_BIG:
	case VERDICT_CHALLENGED:
	case VERDICT_CHECK_RESET:
		return &tx->ports[p->tx_port];
	case VERDICT_KERNEL_UNICAST:
	case VERDICT_KERNEL_MULTICAST:
	case VERDICT_KERNEL_BROADCAST:
		if (tx->kernel[p->rx_port].ethdev != UINT16_MAX)
			return &tx->kernel[p->rx_port];
		p->verdict = VERDICT_NO_EXCEPTION;
		return NULL;
	default:
		return NULL;
	}
}

static void
count_service(struct tx *tx, unsigned index, const struct packet *p)
{
	struct abi_service_counters *service = &tx->services[index];

	if (p->verdict == VERDICT_HELD)
		return; /* it comes again */
	tx_add(&service->packets, 1);
	tx_add(&service->bytes, p->ip_len);
	tx_add(&service->openings, p->flags / PACKET_OPENS & 1);
	if (p->verdict != VERDICT_FORWARDED)
		tx_add(&tx->reasons[index].verdicts[p->verdict], 1);
	tx_add(&service->dropped, p->verdict != VERDICT_FORWARDED);
}

__rte_noinline void
tx_other(struct tx *tx, struct packet *p)
{
	struct tx_way *way;

	/* Every stage settles what is its own; what none settled has no service. */
	if (p->verdict == VERDICT_OPEN)
		p->verdict = VERDICT_NO_SERVICE;
	way = way_of(tx, p);
	if (way && !way->has_multi_segs && p->mbuf->nb_segs > 1 && rte_pktmbuf_linearize(p->mbuf) != 0) {
		p->verdict = VERDICT_NO_HEADROOM;
		way = NULL;
	}
	tx_add(&tx->block->verdicts[p->verdict], 1);
	if (p->service != SERVICE_NONE)
		count_service(tx, p->service & ~SERVICE_SETTLED, p);
	if (p->verdict == VERDICT_FORWARDED)
		tx_count_backend(tx, p);
	if (way)
		tx_put(way, p->mbuf);
	else if (p->verdict != VERDICT_HELD)
		rte_pktmbuf_free(p->mbuf);
}
