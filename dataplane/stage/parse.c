/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/parse.h"

/* In place when the first segment has room and nobody shares it; else by a copy, whose first segment is filled up. */
bool
parse_gather(struct packet *p)
{
	struct rte_mbuf *mbuf = p->mbuf, *copy;
	uint32_t missing = rte_pktmbuf_pkt_len(mbuf) - rte_pktmbuf_data_len(mbuf);

	if (rte_pktmbuf_data_len(mbuf) >= PARSE_WINDOW)
		return true;
	if (RTE_MBUF_DIRECT(mbuf) && rte_mbuf_refcnt_read(mbuf) == 1 && missing <= rte_pktmbuf_tailroom(mbuf) &&
	    rte_pktmbuf_linearize(mbuf) == 0)
		return true;
	copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	if (!copy)
		return false;
	rte_pktmbuf_free(mbuf);
	p->mbuf = copy;
	return true;
}
