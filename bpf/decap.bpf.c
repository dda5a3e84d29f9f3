/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * On a server's NIC: takes the outer headers off packets that an edge sent, so that the kernel meets the client's packet
 * as if the edge had not been there. One reading of the packet for both hooks, XDP and TC; each has its own way to strip.
 * What is no tunnel packet, or comes from a source that is not allowed, stays as it is: the kernel may have tunnels too.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/decap.h"

/* Flags of bpf_skb_adjust_room that are younger than Debian 12's headers; an older kernel refuses them. */
enum { ROOM_DECAP_L3_IPV4 = 1 << 7, ROOM_DECAP_L3_IPV6 = 1 << 8 };

enum {
	TAGS_MAX = 2,
	IP_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	GRE_CHECKSUM = 0x8000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_REFUSED = 0x4fff, /* routing, recursion, reserved bits and version (RFC 2784 2.3, RFC 2890 2) */
	GUE_REFUSED = 0xe0,   /* variant other than 0, or a control message (draft-ietf-intarea-gue 3.1) */
	GUE_WORDS = 0x1f,
	ECN_MASK = 3,
	ECN_ECT1 = 1,
	ECN_ECT0 = 2,
	ECN_CE = 3,
};

struct key4 {
	__u32 prefix_len;
	__u8 octets[4];
};

struct key6 {
	__u32 prefix_len;
	__u8 octets[16];
};

#define PREFIXES(name, key_type)                                                                                       \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                                   \
		__uint(max_entries, DECAP_PREFIXES_MAX);                                                               \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                                  \
		__type(key, key_type);                                                                                 \
		__type(value, __u32);                                                                                  \
	} name SEC(".maps")

PREFIXES(sources4, struct key4);
PREFIXES(sources6, struct key6);
PREFIXES(vips4, struct key4);
PREFIXES(vips6, struct key6);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

enum outcome { TO_KERNEL, DROP, STRIP };

/* What was read so far. `at` moves from header to header; the verifier wants it checked before each use. */
struct reading {
	void *data;
	void *end;
	__u32 len; /* of the frame; a TC program sees only the first part of it */
	__u32 l3_at;
	__u32 at;
	__u8 protocol;	/* of what follows */
	__u8 ecn;	/* of the outer header */
	__u8 outer_is_v6;
	__u8 inner_is_v6;
	__u32 counter;
};

static __always_inline void
count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++;
}

/* The next n octets, or NULL. The bound keeps the verifier's arithmetic small; no chain of headers is that long. */
static __always_inline void *
take(struct reading *r, __u32 n)
{
	void *here = r->data + (r->at & 0x1ff);

	if (r->at > 0x1ff || here + n > r->end)
		return 0;
	r->at += n;
	return here;
}

static __always_inline int
is_source4(__be32 address)
{
	struct key4 key = {.prefix_len = 32};

	__builtin_memcpy(key.octets, &address, sizeof(key.octets));
	return bpf_map_lookup_elem(&sources4, &key) != 0;
}

static __always_inline int
is_source6(const struct in6_addr *address)
{
	struct key6 key = {.prefix_len = 128};

	__builtin_memcpy(key.octets, address, sizeof(key.octets));
	return bpf_map_lookup_elem(&sources6, &key) != 0;
}

static __always_inline int
is_tunnel(__u8 protocol, __be16 port)
{
	__u32 zero = 0;
	const struct decap_config *c = bpf_map_lookup_elem(&config, &zero);

	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE ||
	       (protocol == IPPROTO_UDP && c && port == c->gue_port);
}

/* The destination port of a datagram whose header is at r->at, or 0. */
static __always_inline __be16
peek_port(struct reading *r, __u8 protocol)
{
	struct reading ahead = *r;
	const struct udphdr *udp;

	if (protocol != IPPROTO_UDP)
		return 0;
	udp = take(&ahead, sizeof(*udp));
	return udp ? udp->dest : 0;
}

static __always_inline enum outcome
refuse(struct reading *r, enum decap_counter counter, enum outcome outcome)
{
	r->counter = counter;
	return outcome;
}

/* STRIP here means: go on reading. */
static __always_inline enum outcome
read_outer4(struct reading *r)
{
	const struct iphdr *ip = take(r, sizeof(*ip));
	int is_whole;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return TO_KERNEL;
	is_whole = (bpf_ntohs(ip->frag_off) & IP_FRAGMENT) == 0;
	r->at += (__u32)(ip->ihl - 5) * 4;
	r->protocol = ip->protocol;
	r->ecn = ip->tos & ECN_MASK;
	if (!is_tunnel(ip->protocol, is_whole ? peek_port(r, ip->protocol) : 0))
		return TO_KERNEL;
	if (!is_source4(ip->saddr))
		return refuse(r, DECAP_SOURCE, TO_KERNEL);
	return is_whole ? STRIP : refuse(r, DECAP_OUTER, DROP);
}

/* One destination options header is looked through: a kernel's ip6tnl puts its encapsulation limit there (RFC 2473 4.1.1). */
static __always_inline enum outcome
read_outer6(struct reading *r)
{
	const struct ipv6hdr *ip = take(r, sizeof(*ip));
	const __u8 *options;

	if (!ip || ip->version != 6)
		return TO_KERNEL;
	r->protocol = ip->nexthdr;
	r->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
	r->outer_is_v6 = 1;
	if (r->protocol == IPPROTO_DSTOPTS) {
		options = take(r, 8);
		if (!options)
			return TO_KERNEL;
		r->protocol = options[0];
		r->at += (__u32)(options[1] & 0xf) * 8;
	}
	if (!is_tunnel(r->protocol, peek_port(r, r->protocol)))
		return TO_KERNEL;
	return is_source6(&ip->saddr) ? STRIP : refuse(r, DECAP_SOURCE, TO_KERNEL);
}

static __always_inline enum outcome
read_gre(struct reading *r)
{
	const __be16 *gre = take(r, 4);
	__u16 flags;

	if (!gre)
		return refuse(r, DECAP_OUTER, DROP);
	flags = bpf_ntohs(gre[0]);
	if (flags & GRE_REFUSED || (gre[1] != bpf_htons(ETH_P_IP) && gre[1] != bpf_htons(ETH_P_IPV6)))
		return refuse(r, DECAP_HEADER, DROP);
	r->inner_is_v6 = gre[1] == bpf_htons(ETH_P_IPV6);
	r->at += (flags & GRE_CHECKSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
	r->counter = DECAP_GRE;
	return STRIP;
}

static __always_inline enum outcome
read_gue(struct reading *r)
{
	const struct udphdr *udp = take(r, sizeof(*udp));
	const __u8 *gue = take(r, 4);

	if (!udp || !gue)
		return refuse(r, DECAP_OUTER, DROP);
	if (gue[0] & GUE_REFUSED || (gue[1] != IPPROTO_IPIP && gue[1] != IPPROTO_IPV6))
		return refuse(r, DECAP_HEADER, DROP);
	r->inner_is_v6 = gue[1] == IPPROTO_IPV6;
	r->at += (__u32)(gue[0] & GUE_WORDS) * 4;
	r->counter = DECAP_GUE;
	return STRIP;
}

static __always_inline enum outcome
read_tunnel(struct reading *r)
{
	if (r->protocol == IPPROTO_GRE)
		return read_gre(r);
	if (r->protocol == IPPROTO_UDP)
		return read_gue(r);
	r->inner_is_v6 = r->protocol == IPPROTO_IPV6;
	r->counter = r->outer_is_v6 ? (r->inner_is_v6 ? DECAP_IP6_IN_6 : DECAP_IP4_IN_6)
				    : (r->inner_is_v6 ? DECAP_IP6_IN_4 : DECAP_IP4_IN_4);
	return STRIP;
}

/* What the inner packet's ECN field becomes, or -1: drop (RFC 6040 4.2, figure 4). */
static __always_inline int
ecn_combine(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner == 0 ? -1 : ECN_CE;
	return outer == ECN_ECT1 && inner == ECN_ECT0 ? ECN_ECT1 : inner;
}

/* The field is in the first 16-bit word, so the sum changes by as much as the word does (RFC 1624 3). */
static __always_inline void
ecn_set4(struct iphdr *ip, __u8 ecn)
{
	__u32 sum = (__u16)~bpf_ntohs(ip->check);

	sum += (__u16)~ip->tos & 0xff;
	sum += 0xff00;
	ip->tos = (ip->tos & ~ECN_MASK) | ecn;
	sum += ip->tos;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = bpf_htons((__u16)~sum);
}

static __always_inline enum outcome
read_inner4(struct reading *r)
{
	__u32 room = r->len - r->at;
	struct iphdr *ip = take(r, sizeof(*ip));
	struct key4 key = {.prefix_len = 32};
	int ecn;

	if (!ip || ip->version != 4 || ip->ihl < 5 || bpf_ntohs(ip->tot_len) < ip->ihl * 4 ||
	    bpf_ntohs(ip->tot_len) > room)
		return refuse(r, DECAP_INNER, DROP);
	__builtin_memcpy(key.octets, &ip->daddr, sizeof(key.octets));
	if (!bpf_map_lookup_elem(&vips4, &key))
		return refuse(r, DECAP_VIP, DROP);
	ecn = ecn_combine(r->ecn, ip->tos & ECN_MASK);
	if (ecn < 0)
		return refuse(r, DECAP_ECN, DROP);
	if (ecn != (ip->tos & ECN_MASK))
		ecn_set4(ip, (__u8)ecn);
	return STRIP;
}

static __always_inline enum outcome
read_inner6(struct reading *r)
{
	__u32 room = r->len - r->at;
	struct ipv6hdr *ip = take(r, sizeof(*ip));
	struct key6 key = {.prefix_len = 128};
	int ecn;

	if (!ip || ip->version != 6 || bpf_ntohs(ip->payload_len) + sizeof(*ip) > room)
		return refuse(r, DECAP_INNER, DROP);
	__builtin_memcpy(key.octets, &ip->daddr, sizeof(key.octets));
	if (!bpf_map_lookup_elem(&vips6, &key))
		return refuse(r, DECAP_VIP, DROP);
	ecn = ecn_combine(r->ecn, ip->flow_lbl[0] >> 4 & ECN_MASK);
	if (ecn < 0)
		return refuse(r, DECAP_ECN, DROP);
	ip->flow_lbl[0] = (ip->flow_lbl[0] & ~(ECN_MASK << 4)) | (__u8)(ecn << 4);
	return STRIP;
}

/* Ethernet and up to two VLAN tags: the protocol of what they carry. */
static __always_inline __be16
read_l2(struct reading *r)
{
	const struct ethhdr *eth = take(r, sizeof(*eth));
	__be16 protocol = eth ? eth->h_proto : 0;

#pragma unroll
	for (int i = 0; i < TAGS_MAX; i++) {
		const __be16 *tag;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		tag = take(r, 4);
		protocol = tag ? tag[1] : 0;
	}
	r->l3_at = r->at;
	return protocol;
}

/* STRIP: from l3_at on, `strip` octets of outer headers go. */
static __always_inline enum outcome
read_frame(struct reading *r, __u32 *strip)
{
	__be16 protocol = read_l2(r);
	enum outcome outcome = TO_KERNEL;

	r->counter = DECAP_COUNTER_COUNT;
	if (protocol == bpf_htons(ETH_P_IP))
		outcome = read_outer4(r);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		outcome = read_outer6(r);
	if (outcome == STRIP)
		outcome = read_tunnel(r);
	*strip = r->at - r->l3_at;
	if (outcome == STRIP)
		outcome = r->inner_is_v6 ? read_inner6(r) : read_inner4(r);
	if (r->counter < DECAP_COUNTER_COUNT)
		count(r->counter);
	return outcome;
}

/* Moves the Ethernet header and its tags over the outer headers; n is a constant at each call. */
static __always_inline int
move_l2(struct xdp_md *context, __u32 n, __u32 strip, __be16 protocol)
{
	__u8 l2[sizeof(struct ethhdr) + TAGS_MAX * 4];
	void *data = (void *)(long)context->data;

	if (data + n > (void *)(long)context->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(l2, data, n);
	__builtin_memcpy(l2 + n - 2, &protocol, 2);
	if (bpf_xdp_adjust_head(context, (int)strip) != 0)
		return XDP_ABORTED;
	data = (void *)(long)context->data;
	if (data + n > (void *)(long)context->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(data, l2, n);
	return XDP_PASS;
}

SEC("xdp")
int
nearcast_decap(struct xdp_md *context)
{
	struct reading r = {.data = (void *)(long)context->data, .end = (void *)(long)context->data_end};
	__be16 protocol;
	__u32 strip;

	r.len = (__u32)(r.end - r.data);
	switch (read_frame(&r, &strip)) {
	case TO_KERNEL:
		return XDP_PASS;
	case DROP:
		return XDP_DROP;
	default:
		break;
	}
	protocol = r.inner_is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	if (r.l3_at == sizeof(struct ethhdr))
		return move_l2(context, sizeof(struct ethhdr), strip, protocol);
	if (r.l3_at == sizeof(struct ethhdr) + 4)
		return move_l2(context, sizeof(struct ethhdr) + 4, strip, protocol);
	return move_l2(context, sizeof(struct ethhdr) + 8, strip, protocol);
}

/* The kernel has VLAN tags out of the frame by now. FIXED_GSO: merged segments keep their size, only headers go. */
SEC("tc")
int
nearcast_unwrap(struct __sk_buff *skb)
{
	__u32 head = skb->len < 256 ? skb->len : 256, strip;
	struct reading r = {.len = skb->len};
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	__be16 protocol;

	if (bpf_skb_pull_data(skb, head) != 0)
		return TC_ACT_OK;
	r.data = (void *)(long)skb->data;
	r.end = (void *)(long)skb->data_end;
	switch (read_frame(&r, &strip)) {
	case TO_KERNEL:
		return TC_ACT_OK;
	case DROP:
		return TC_ACT_SHOT;
	default:
		break;
	}
	protocol = r.inner_is_v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	if (r.inner_is_v6 != r.outer_is_v6)
		flags |= r.inner_is_v6 ? ROOM_DECAP_L3_IPV6 : ROOM_DECAP_L3_IPV4;
	if (bpf_skb_adjust_room(skb, -(int)strip, BPF_ADJ_ROOM_MAC, flags) != 0)
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, __builtin_offsetof(struct ethhdr, h_proto), &protocol, sizeof(protocol), 0) != 0)
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
