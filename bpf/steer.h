/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps of the XDP steering program (steer.bpf.c), for it and for the dataplane that fills them.
 *
 *  xsks_map      XSKMAP        receive queue → AF_XDP socket; DPDK's af_xdp driver fills it
 *  vips4, vips6  LPM_TRIE      {prefix length, address octets} → 1: what goes to the sockets
 *  config        ARRAY, 1      struct steer_config
 *  kernel        PERCPU_ARRAY  enum steer_kind → frames that went to the kernel
 */
#ifndef BPF_STEER_H
#define BPF_STEER_H

/* The program's name: with it a dataplane knows what a killed one left on the interface. */
#define STEER_PROGRAM "nearcast_steer"

enum steer_kind {
	STEER_UNICAST,
	STEER_MULTICAST,
	STEER_BROADCAST,
	STEER_KINDS,
};

enum { STEER_VIPS_MAX = 2048 /* all old ones and all new ones */, STEER_QUEUES_MAX = 64 };

/* Frames to another MAC (a switch that floods) are not ours, whatever their IP address says. */
struct steer_config {
	unsigned char mac[6];
	unsigned char zero[2];
};

#endif
