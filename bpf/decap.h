/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps of the decapsulator (decap.bpf.c), for it and for nearcast-backend, which fills them.
 *
 *  sources4, sources6  LPM_TRIE      {prefix length, address octets} → 1: outer sources that are believed
 *  vips4, vips6        LPM_TRIE      likewise: inner destinations that are taken in
 *  config              ARRAY, 1      struct decap_config
 *  counters            PERCPU_ARRAY  enum decap_counter → packets
 */
#ifndef BPF_DECAP_H
#define BPF_DECAP_H

/* The programs' names: with one of them --show finds what is attached. */
#define DECAP_PROGRAM_XDP "nearcast_decap"
#define DECAP_PROGRAM_TC "nearcast_unwrap"

enum { DECAP_PREFIXES_MAX = 1024, DECAP_GUE_PORT = 6080 };

struct decap_config {
	unsigned short gue_port; /* network byte order */
	unsigned char zero[2];
};

/* X(name, text, what became of the packet and why) */
#define DECAP_COUNTERS(X)                                                                                              \
	X(IP4_IN_4, "4in4", "taken in: IPv4 in IPv4")                                                                  \
	X(IP6_IN_4, "6in4", "taken in: IPv6 in IPv4")                                                                  \
	X(IP4_IN_6, "4in6", "taken in: IPv4 in IPv6")                                                                  \
	X(IP6_IN_6, "6in6", "taken in: IPv6 in IPv6")                                                                  \
	X(GUE, "gue", "taken in: Generic UDP Encapsulation")                                                           \
	X(GRE, "gre", "taken in: Generic Routing Encapsulation")                                                       \
	X(SOURCE, "source", "left to the kernel: the outer source is not allowed")                                     \
	X(VIP, "vip", "dropped: the inner destination is not a VIP")                                                   \
	X(OUTER, "outer", "dropped: outer header cut short or in fragments")                                           \
	X(HEADER, "header", "dropped: GUE or GRE header of a kind that nobody asked for")                              \
	X(INNER, "inner", "dropped: inner header malformed or longer than the packet")                                 \
	X(ECN, "ecn", "dropped: congestion met by a flow that can't be told (RFC 6040 4.2)")

#define DECAP_COUNTER_ENUM(name, text, what) DECAP_##name,
enum decap_counter { DECAP_COUNTERS(DECAP_COUNTER_ENUM) DECAP_COUNTER_COUNT };

#endif
