/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * XDP on the edge's NIC: frames to this interface's MAC whose IP destination is in a VIP prefix go to the AF_XDP socket
 * of their queue; all else goes to the kernel as it came, counted by kind. Up to two VLAN tags are looked through.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/steer.h"

struct vlan {
	__be16 tag;
	__be16 protocol;
};

struct key4 {
	__u32 prefix_len;
	__u8 octets[4];
};

struct key6 {
	__u32 prefix_len;
	__u8 octets[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, STEER_VIPS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key4);
	__type(value, __u32);
} vips4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, STEER_VIPS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key6);
	__type(value, __u32);
} vips6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_config);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} kernel SEC(".maps");

static __always_inline int
to_kernel(const struct ethhdr *eth)
{
	const __u8 *mac = eth->h_dest;
	__u32 kind = STEER_UNICAST;
	__u64 *count;

	if ((mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff)
		kind = STEER_BROADCAST;
	else if (mac[0] & 1)
		kind = STEER_MULTICAST;
	count = bpf_map_lookup_elem(&kernel, &kind);
	if (count)
		(*count)++;
	return XDP_PASS;
}

static __always_inline int
is_for_us(const struct ethhdr *eth)
{
	__u32 zero = 0;
	const struct steer_config *c = bpf_map_lookup_elem(&config, &zero);

	return c && __builtin_memcmp(eth->h_dest, c->mac, 4) == 0 && eth->h_dest[4] == c->mac[4] &&
	       eth->h_dest[5] == c->mac[5];
}

static __always_inline int
is_vip4(const void *at, const void *end)
{
	const struct iphdr *ip = at;
	struct key4 key = {.prefix_len = 32};

	if ((const void *)(ip + 1) > end)
		return 0;
	__builtin_memcpy(key.octets, &ip->daddr, sizeof(key.octets));
	return bpf_map_lookup_elem(&vips4, &key) != 0;
}

static __always_inline int
is_vip6(const void *at, const void *end)
{
	const struct ipv6hdr *ip = at;
	struct key6 key = {.prefix_len = 128};

	if ((const void *)(ip + 1) > end)
		return 0;
	__builtin_memcpy(key.octets, &ip->daddr, sizeof(key.octets));
	return bpf_map_lookup_elem(&vips6, &key) != 0;
}

static __always_inline int
is_vip(const void *at, const void *end, __be16 protocol)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const struct vlan *vlan = at;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((const void *)(vlan + 1) > end)
			return 0;
		protocol = vlan->protocol;
		at = vlan + 1;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		return is_vip4(at, end);
	return protocol == bpf_htons(ETH_P_IPV6) && is_vip6(at, end);
}

SEC("xdp")
int
nearcast_steer(struct xdp_md *context)
{
	const void *end = (const void *)(long)context->data_end;
	const struct ethhdr *eth = (const void *)(long)context->data;

	if ((const void *)(eth + 1) > end)
		return XDP_PASS;
	if (!is_for_us(eth) || !is_vip(eth + 1, end, eth->h_proto))
		return to_kernel(eth);
	return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
