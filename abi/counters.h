/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every end that a packet can meet, and what else is counted. One list each: the dataplane's index, the name that
 * people see and the sentence that explains it can't drift apart.
 */
#ifndef ABI_COUNTERS_H
#define ABI_COUNTERS_H

#include "base/types.h"

/* Kinds: F forwarded to a backend, K to the kernel, A answered by the node, H held for a while, D dropped. */
#define ABI_VERDICTS(X)                                                                                                \
	X(FORWARDED, F, "forwarded", "sent to a backend")                                                              \
	X(KERNEL_UNICAST, K, "kernel_unicast", "not for a VIP: the node's own traffic")                                \
	X(KERNEL_MULTICAST, K, "kernel_multicast", "not for a VIP: multicast")                                         \
	X(KERNEL_BROADCAST, K, "kernel_broadcast", "not for a VIP: broadcast")                                         \
	X(ECHO_REPLIED, A, "echo_replied", "ICMP echo to a VIP, answered by the node")                                 \
	X(REFUSED_RST, A, "refused_rst", "no service on that port: TCP reset sent")                                    \
	X(REFUSED_UNREACHABLE, A, "refused_unreachable", "no service on that port: port unreachable sent")             \
	X(TOO_BIG, A, "too_big", "larger than the way to its backend: fragmentation needed or packet too big sent")    \
	X(CHALLENGED, A, "challenged", "source is unknown: it was asked to prove itself")                              \
	X(CHECK_PASSED, A, "check_passed", "the reset that proves a source: it ends here")                             \
	X(CHECK_RESET, A, "check_reset", "the ACK that proves a source by SYN cookie: answered by a reset")            \
	X(HELD, H, "held", "fragment that waits for the datagram's first one")                                         \
	X(L2_TRUNCATED, D, "l2_truncated", "frame shorter than its Ethernet and VLAN headers")                         \
	X(IP_TRUNCATED, D, "ip_truncated", "packet shorter than its IP header")                                        \
	X(IP_HEADER, D, "ip_header", "IP version or header length is wrong")                                           \
	X(IP_LENGTH, D, "ip_length", "IP total length is smaller than its headers or larger than the frame")           \
	X(IP_CHECKSUM, D, "ip_checksum", "the NIC found the IPv4 header checksum wrong")                               \
	X(IP6_EXTENSIONS, D, "ip6_extensions", "too many IPv6 extension headers, or a malformed one")                  \
	X(L4_TRUNCATED, D, "l4_truncated", "too short for its TCP, UDP or ICMP header")                                \
	X(PORT_ZERO, D, "port_zero", "TCP or UDP from or to port 0")                                                   \
	X(TCP_FLAGS, D, "tcp_flags", "TCP flags that no stack sends together")                                         \
	X(UDP_LENGTH, D, "udp_length", "UDP length is smaller than its header or larger than the IP packet")           \
	X(LAND, D, "land", "source and destination are the same address")                                              \
	X(SOURCE_MARTIAN, D, "source_martian", "source is multicast, broadcast, loopback, link-local or nobody")       \
	X(SOURCE_VIP, D, "source_vip", "source is one of the VIPs")                                                    \
	X(SOURCE_BOGON, D, "source_bogon", "source is in the configured list of bogons")                               \
	X(FRAGMENT_INVALID, D, "fragment_invalid", "fragment with an impossible offset or length")                     \
	X(FRAGMENT_TINY, D, "fragment_tiny", "first fragment too short for its TCP, UDP or ICMP header")               \
	X(FRAGMENT_OVERLAP, D, "fragment_overlap", "fragment that overlays another one, or the TCP header")            \
	X(FRAGMENT_ORPHAN, D, "fragment_orphan", "the datagram's first fragment didn't come in time")                  \
	X(FRAGMENT_FULL, D, "fragment_full", "no room to hold another early fragment")                                 \
	X(ICMP_QUOTE, D, "icmp_quote", "ICMP error whose quotation is too short or not of a VIP's flow")               \
	X(ICMP_OTHER, D, "icmp_other", "ICMP to a VIP that is neither echo request nor error")                         \
	X(ICMP_CHECKSUM, D, "icmp_checksum", "ICMP echo request with a wrong checksum")                                \
	X(LISTED, D, "listed", "source is in a list of prefixes to drop")                                              \
	X(LIST_LIMIT, D, "list_limit", "over the limit that a list of prefixes sets for its source")                   \
	X(REFLECTOR, D, "reflector", "UDP from the port of a service that attackers make answer to others")            \
	X(NOT_CLIENT, D, "not_client", "TCP segment that no client of a server sends: SYN and ACK, a stray reset")     \
	X(DNS_MALFORMED, D, "dns_malformed", "to a DNS service, but not a well-formed query")                          \
	X(SOURCE_LIMIT, D, "source_limit", "over the limit of its source address")                                     \
	X(PREFIX_LIMIT, D, "prefix_limit", "over the limit of its source prefix")                                      \
	X(SOURCE_UNKNOWN, D, "source_unknown", "source is unknown, and the allowance for all such is used up")         \
	X(SIGNATURE, D, "signature", "its payload has a signature that is to be dropped")                              \
	X(SIGNATURE_LIMIT, D, "signature_limit", "its payload has a signature that is limited, and its source is over") \
	X(FILTERED, D, "filtered", "a filter of the operator's matches it")                                            \
	X(NO_SERVICE, D, "no_service", "to a VIP, but no service on that protocol and port")                           \
	X(NO_BACKEND, D, "no_backend", "the service's pool has no backend")                                            \
	X(NO_NEXTHOP, D, "no_nexthop", "the backend's next hop is not resolved")                                       \
	X(NO_HEADROOM, D, "no_headroom", "no room in the mbuf for the outer header, or no mbuf for an answer")         \
	X(REPLY_LIMITED, D, "reply_limited", "an answer of the node's own was due but over its rate limit")            \
	X(NO_EXCEPTION, D, "no_exception", "for the kernel, but the port has no exception port or it was full")        \
	X(TX_FULL, D, "tx_full", "the NIC's transmit queue was full")

enum abi_verdict {
	VERDICT_OPEN = 0, /* not settled yet; never counted */
#define X(id, kind, name, text) VERDICT_##id,
	ABI_VERDICTS(X)
#undef X
	VERDICT_COUNT,
};

/* What a worker counts besides verdicts. */
#define ABI_WORKER_COUNTERS(X)                                                                                         \
	X(RX_PACKETS, "rx_packets", "packets taken from the NIC queues")                                               \
	X(RX_BYTES, "rx_bytes", "octets of them, Ethernet header included")                                            \
	X(TX_PACKETS, "tx_packets", "packets given to the NIC queues")                                                 \
	X(TX_BYTES, "tx_bytes", "octets of them")                                                                      \
	X(KERNEL_TX, "kernel_tx", "packets of the kernel sent out for it")                                             \
	X(BURSTS, "bursts", "polls that gave packets")                                                                 \
	X(EMPTY_POLLS, "empty_polls", "polls that gave none")                                                          \
	X(SLEEPS, "sleeps", "times the worker slept (idle: adaptive)")                                                 \
	X(FLOW_LOOKUPS, "flow_lookups", "flow table lookups (moving and settling slots, affinity tracked)")            \
	X(FLOW_HITS, "flow_hits", "lookups that found their flow")                                                     \
	X(FLOW_INSERTS, "flow_inserts", "flows recorded")                                                              \
	X(FLOW_EVICTIONS, "flow_evictions", "live flows that gave way to a new one")                                   \
	X(MOVING_PREVIOUS, "moving_previous", "packets that a moving slot sent to the previous owner")                 \
	X(FRAGMENTS, "fragments", "fragments seen")                                                                    \
	X(SAMPLES, "samples", "packets taken as samples of who sends to a service")                                    \
	X(SAMPLES_LOST, "samples_lost", "samples that found their ring full")

enum abi_worker_counter {
#define X(id, name, text) WORKER_##id,
	ABI_WORKER_COUNTERS(X)
#undef X
	WORKER_COUNTER_COUNT,
};

struct abi_counter_info {
	const char *name;
	const char *text;
	char kind; /* verdicts: F K A H D; else 0 */
};

/* NULL when the index is outside of the list. */
const struct abi_counter_info *abi_verdict_info(unsigned verdict);
const struct abi_counter_info *abi_worker_counter_info(unsigned counter);

#endif
