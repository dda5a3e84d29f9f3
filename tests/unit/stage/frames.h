/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames as hexadecimal text, put together from pieces, and a burst to put them in. The EAL is started once a process.
 */
#ifndef TESTS_UNIT_STAGE_FRAMES_H
#define TESTS_UNIT_STAGE_FRAMES_H

#include "dataplane/packet.h"

/* Destination (the node), source (the router). */
#define ETH	"020000000001 020000000002 "
#define ETH4	ETH "0800 "
#define ETH6	ETH "86dd "
#define CLIENT4 "0a4d0009 "
#define VIP4	"0a630001 "
#define CLIENT6 "fd770000000000000000000000000009 "
#define VIP6	"fd990000000000000000000000000001 "
/* len: total length, 4 digits; fragment: flags and offset, 4 digits; protocol: 2 digits. */
#define IP4(len, fragment, protocol) "4500" len "1234" fragment "40" protocol "0000 " CLIENT4 VIP4
#define IP6(len, next)		     "60000000 " len next "40 " CLIENT6 VIP6
/* The same from the VIP to the client, as an ICMP error quotes it. */
#define QUOTED4(len, fragment, protocol) "4500" len "1234" fragment "40" protocol "0000 " VIP4 CLIENT4
#define QUOTED6(len, next)		 "60000000 " len next "40 " VIP6 CLIENT6
/* Ports 5000 → 443, 20 octets. flags: 2 digits. */
#define TCP(flags)   "138801bb 00000001 00000000 50" flags "ffff 00000000 "
#define UDP(len)     "13880035 " len "0000 " /* 5000 → 53 */
#define UDP_443(len) "138801bb " len "0000 "

void frames_init(void); /* starts the EAL and makes the pool */
/* A new burst of none, or one more frame in it. The mbufs are freed by frames_clear. */
void frames_clear(struct burst *b);
struct packet *frames_add(struct burst *b, const char *hex);
struct packet *frames_add_mbuf(struct burst *b, struct rte_mbuf *mbuf);
/* The short way of parse; false: the packet isn't for it. */
bool frames_parse_plain(struct packet *p, struct rte_mbuf *mbuf, uint16_t rx_port);

/* parse of the whole burst, by both of its ways: a packet that the short one takes must come out alike. */
void frames_parse(struct burst *b);
struct rte_mbuf *frames_mbuf(const char *hex);
/* The frame in segments of `piece` octets each. */
struct rte_mbuf *frames_mbuf_in_pieces(const char *hex, unsigned piece);
unsigned frames_in_use(void); /* mbufs not in the pool */

#endif
