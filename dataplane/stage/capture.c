/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/stage/capture.h"

static uint16_t
service_of(const struct packet *p)
{
	return p->service == SERVICE_NONE ? ABI_CAPTURE_NO_SERVICE : (uint16_t)(p->service & ~SERVICE_SETTLED);
}

static bool
is_for_service(const struct capture *c, const struct packet *p)
{
	uint16_t service = service_of(p);

	return c->spec.service == 0 ||
	       (service != ABI_CAPTURE_NO_SERVICE && c->services[service / 64] >> service % 64 & 1);
}

/* What is held comes again; its mbuf is the fragment table's. */
static bool
may_be_wanted(const struct capture *c, const struct packet *p)
{
	return p->verdict != VERDICT_HELD && is_for_service(c, p) &&
	       (!c->filters || filter_classic(&c->filters->list[0], p));
}

static bool
has_enough(const struct capture_state *s, const struct capture *c)
{
	return c->workers[s->worker].taken >= c->spec.limit;
}

static void
head_keep(struct capture_head *head, const struct packet *p)
{
	uint16_t first = rte_pktmbuf_data_len(p->mbuf);

	head->is_kept = true;
	head->kept = (uint16_t)RTE_MIN(first, CAPTURE_HEAD);
	head->len = rte_pktmbuf_pkt_len(p->mbuf);
	head->rest = p->frame + head->kept;
	head->rest_len = (uint32_t)(first - head->kept);
	head->next = p->mbuf->next;
	memcpy(head->octets, p->frame, head->kept);
}

void
capture_keep(struct capture_state *s, const struct capture *c, const struct burst *b)
{
	bool is_done = has_enough(s, c);

	for (unsigned i = 0; i < b->n; i++) {
		s->heads[i].is_kept = false;
		if (!is_done && may_be_wanted(c, &b->packets[i]))
			head_keep(&s->heads[i], &b->packets[i]);
	}
}

/* Answers are written over the packet, and cut it. */
static bool
is_answered(uint8_t verdict)
{
	return abi_verdict_info(verdict)->kind == 'A';
}

static uint16_t
octets_append(struct abi_capture_slot *slot, uint16_t at, const uint8_t *octets, uint32_t len, uint16_t snap)
{
	uint16_t n = (uint16_t)RTE_MIN(len, (uint32_t)(snap - at));

	memcpy(slot->octets + at, octets, n);
	return (uint16_t)(at + n);
}

static uint16_t
octets_fill(struct abi_capture_slot *slot, const struct capture_head *head, uint16_t snap, bool has_rest)
{
	uint16_t held = octets_append(slot, 0, head->octets, head->kept, snap);

	if (!has_rest)
		return held;
	held = octets_append(slot, held, head->rest, head->rest_len, snap);
	for (const struct rte_mbuf *m = head->next; m && held < snap; m = m->next)
		held = octets_append(slot, held, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len, snap);
	return held;
}

static uint64_t
time_of(const struct capture *c, uint64_t tsc)
{
	/* A burst may have begun before the capture did. */
	uint64_t since = tsc > c->base_tsc ? tsc - c->base_tsc : 0;

	return c->base_ns + (uint64_t)((unsigned __int128)since * c->ns_per_tsc >> 32);
}

static bool
is_wanted(const struct capture *c, const struct packet *p, uint64_t mark)
{
	return c->spec.verdicts[p->verdict / 64] >> p->verdict % 64 & 1 && (!c->spec.only_marked || mark != 0);
}

/* The first of what is wanted, and then every Nth. */
static bool
has_turn(const struct capture *c, struct capture_worker *own)
{
	if (own->turn > 0) {
		own->turn--;
		return false;
	}
	own->turn = c->spec.nth - 1;
	return true;
}

static void
copy(struct capture_state *s, struct capture *c, const struct capture_head *head, const struct packet *p, uint64_t mark,
     uint64_t tsc)
{
	struct capture_worker *own = &c->workers[s->worker];
	struct abi_capture_slot *slot;

	if (!is_wanted(c, p, mark) || has_enough(s, c) || !has_turn(c, own))
		return;
	slot = capture_ring_claim(own->ring);
	if (!slot)
		return;
	slot->time_ns = time_of(c, tsc);
	slot->mark = mark;
	slot->token = c->spec.token;
	slot->len = head->len;
	slot->service = service_of(p);
	slot->port = p->rx_port;
	slot->verdict = p->verdict;
	memset(slot->zero, 0, sizeof(slot->zero));
	slot->held = octets_fill(slot, head, c->spec.snap, !is_answered(p->verdict));
	capture_ring_push(own->ring);
	own->taken++;
}

void
capture_copy(struct capture_state *s, struct capture *c, const struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (s->heads[i].is_kept)
			copy(s, c, &s->heads[i], &b->packets[i], b->has_marks ? b->marks[i] : 0, b->now_tsc);
	}
}

void
capture_ended(struct capture_state *s, struct rte_mbuf *const *mbufs, unsigned n, enum abi_verdict verdict,
	      uint64_t now_tsc)
{
	struct capture *c = capture_load(s);

	for (unsigned i = 0; c && i < n; i++) {
		struct packet p;

		packet_init(&p, mbufs[i], mbufs[i]->port);
		p.verdict = (uint8_t)verdict;
		if (!may_be_wanted(c, &p))
			continue;
		head_keep(&s->heads[0], &p);
		copy(s, c, &s->heads[0], &p, 0, now_tsc);
	}
}
