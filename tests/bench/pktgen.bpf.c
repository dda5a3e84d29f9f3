/* SPDX-License-Identifier: BSD-2-Clause */
/* The load generator's end of a veth: all that comes is its. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps"); /* DPDK's af_xdp driver looks for this name */

SEC("xdp")
int
pktgen(struct xdp_md *context)
{
	return (int)bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
