/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet vector: what the stages of the pipeline pass along. A stage reads what earlier stages found and writes what
 * it finds; a packet is settled by a verdict, and later stages leave settled packets alone. Owned by one worker.
 *
 * Offsets count from `frame`. Headers up to and including the L4 header (of the quotation, for an
 * ICMP error) are contiguous in the first segment: parse sees to it.
 */
#ifndef DATAPLANE_PACKET_H
#define DATAPLANE_PACKET_H

#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "abi/counters.h"
#include "abi/layout.h"

/* 0: the packet path without sanity checks and guard, for the benchmark that measures what they cost. */
#ifndef PACKET_GUARD
#define PACKET_GUARD 1
#endif

enum {
	BURST_MAX = 256,
	BURST_AHEAD = 4, /* packets that a loop's fetches are ahead of its work */
	SERVICE_NONE = 0xffff,
	SERVICE_SETTLED = 0x8000, /* with the index: the packet is settled before steer, and was for that service */
	BACKEND_NONE = ABI_OWNER_NONE,
};

enum packet_flag {
	PACKET_V6 = 1 << 0,
	PACKET_FRAGMENT = 1 << 1,	/* any fragment of a datagram */
	PACKET_FRAGMENT_LATER = 1 << 2, /* not the first: ports come from the fragment table */
	PACKET_OPENS = 1 << 3,		/* opens a flow: TCP SYN without ACK, QUIC Initial */
	PACKET_ICMP_ERROR = 1 << 4,	/* the flow is the one that the error quotes */
	PACKET_ECHO = 1 << 5,		/* ICMP or ICMPv6 echo request */
	PACKET_HAS_PORTS = 1 << 6,	/* src_port and dst_port hold */
	PACKET_DONT_FRAGMENT = 1 << 7,	/* IPv4 DF; IPv6 always */
};

/* What the icmp stage owes the sender of an open packet. */
enum packet_need { NEED_NONE = 0, NEED_TOO_BIG };

/* One cache line. "Source" is the client's side of the flow even in an ICMP error, where it comes from the quotation.
 * What is the same for most packets is side by side: it is written in one. */
struct packet {
	struct rte_mbuf *mbuf;
	uint8_t *frame;	       /* its first octet; kept in step with the mbuf until encap is done with it */
	uint64_t flow;	       /* flow hash; steer writes it */
	const uint16_t *owner; /* of the flow's slot; steer writes it */
	uint16_t l3_at;	       /* offset of the IP header */
	uint16_t l4_at;	       /* offset of the L4 header */
	uint16_t src_at;       /* offset of the flow's client address, 4 or 16 octets */
	uint16_t dst_at;       /* offset of the flow's VIP address */
	uint16_t identification_at; /* fragments: offset of the datagram's identification, 2 octets in IPv4, 4 in IPv6 */
	union {
		uint16_t fragment_at; /* octets of payload before this fragment; up to steer */
		uint16_t mtu; /* with NEED_TOO_BIG: the largest IP packet that fits; encap writes it */
	};
	uint16_t backend;  /* index in the snapshot; steer writes it. Not NONE: open up to encap */
	uint16_t tx_port;  /* encap writes it; answers go out by rx_port */
	uint8_t verdict;   /* enum abi_verdict */
	uint8_t error;	   /* enum abi_verdict: what parse found wrong; the verdict if the packet is for a VIP, else
			    * the kernel gets the packet as it came */
	uint8_t need;	   /* enum packet_need; encap writes it */
	uint8_t vip;	   /* classify: 1: the destination is a VIP, service or not; 2: it refuses what no service takes */
	uint16_t service;  /* index in the snapshot; classify writes it. Below SERVICE_SETTLED: open up to steer */
	uint16_t rx_port;
	union { /* host order */
		uint32_t ports; /* source above destination */
		struct {
			uint16_t dst_port;
			uint16_t src_port;
		};
	};
	uint16_t ip_len;   /* octets of the IP packet, as its header says and the frame holds */
	uint8_t protocol;  /* of the flow: IPPROTO_* (in an ICMP error: the quoted one) */
	uint8_t flags;	   /* enum packet_flag */
} __rte_aligned(64);
_Static_assert(sizeof(struct packet) == 64, "struct packet");
_Static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "struct packet: the order of its ports");

struct burst {
	uint64_t now_tsc; /* read once for the burst */
	uint32_t now_s;	  /* seconds since the dataplane's start; a flow table entry keeps the low 16 bits */
	uint16_t n;
	bool has_fragments; /* some packet is PACKET_FRAGMENT */
	bool has_open;	    /* encap left some packet open: icmp's */
	bool has_marks;	    /* the guard has marked some packet; else marks mean nothing */
	struct packet packets[BURST_MAX + BURST_AHEAD]; /* what lies beyond n is only looked at to fetch something */
	uint64_t marks[BURST_MAX]; /* key of the first rule with the action `sample` that each packet met; 0: none */
};

static inline uint8_t *
packet_at(const struct packet *p, uint16_t offset)
{
	return p->frame + offset;
}

/* Before parse. */
static inline void
packet_init(struct packet *p, struct rte_mbuf *mbuf, uint16_t rx_port)
{
	*p = (struct packet){
		.mbuf = mbuf,
		.frame = rte_pktmbuf_mtod(mbuf, uint8_t *),
		.rx_port = rx_port,
		.service = SERVICE_NONE,
		.backend = BACKEND_NONE,
	};
}

/* Nobody's address as a source: RFC 1122 3.2.1.3, RFC 6890. */
static inline bool
packet_is_martian_v4(uint8_t first)
{
	return first == 0 || first == 127 || first >= 224;
}

static inline bool
packet_is_martian_v6(const uint8_t *src)
{
	static const uint8_t zero[15], mapped[12] = {[10] = 0xff, [11] = 0xff};

	return src[0] == 0xff || (src[0] == 0xfe && (src[1] & 0xc0) == 0x80) ||
	       (memcmp(src, zero, sizeof(zero)) == 0 && src[15] <= 1) || memcmp(src, mapped, sizeof(mapped)) == 0;
}

static inline bool
packet_is_martian(const uint8_t *src, bool is_v6)
{
	return is_v6 ? packet_is_martian_v6(src) : packet_is_martian_v4(src[0]);
}

static inline void
packet_mark(struct burst *b, unsigned at, uint64_t mark)
{
	if (!b->has_marks)
		memset(b->marks, 0, b->n * sizeof(*b->marks));
	b->has_marks = true;
	if (b->marks[at] == 0)
		b->marks[at] = mark;
}

/* The packet has a service and is open up to steer. */
static inline bool
packet_is_served(const struct packet *p)
{
	return p->service < SERVICE_SETTLED;
}

/* For stages before steer: what the packet is settled by, and it is counted for its service. */
static inline void
packet_settle(struct packet *p, enum abi_verdict verdict)
{
	p->verdict = (uint8_t)verdict;
	p->service |= SERVICE_SETTLED; /* NONE stays NONE */
}

static inline bool
packet_is_open(const struct packet *p)
{
	return p->verdict == VERDICT_OPEN;
}

#endif
