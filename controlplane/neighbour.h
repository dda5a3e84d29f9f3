/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops by the kernel's word: for each watched address the route, the neighbour's MAC and the interface, kept
 * current over netlink. The kernel does ARP and neighbour discovery; this module makes it probe what is missing or
 * stale. One object, used from its event loop's thread.
 */
#ifndef CONTROLPLANE_NEIGHBOUR_H
#define CONTROLPLANE_NEIGHBOUR_H

#include <linux/netlink.h>

#include "base/addr.h"

struct event_base;
struct neighbours;

struct neighbour {
	uint32_t ifindex;  /* of the device that frames leave by: a VLAN's carrier */
	uint16_t vlan;	   /* 802.1Q tag, 0: none */
	uint8_t source[6]; /* MAC of the interface */
	uint8_t mac[6];	   /* of the next hop */
	uint16_t mtu;	   /* octets of an IP packet: the route's, or else the interface's */
	bool via_gateway;  /* the next hop is a router, not the address itself */
};

/* changed: some lookup may answer differently now. It may call every function here but neighbours_free. */
MUST_CHECK int neighbours_new(struct event_base *base, void (*changed)(void *), void *context, struct neighbours **out);
void neighbours_free(struct neighbours *neighbours); /* NULL is fine */

/* The addresses of interest from now on, in place of the earlier ones; what was known of the ones that stay is kept. */
MUST_CHECK int neighbours_watch(struct neighbours *neighbours, const struct addr *addrs, unsigned n);

/* False: not watched, no route, a local address, or no MAC (yet). */
bool neighbours_lookup(const struct neighbours *neighbours, const struct addr *addr, struct neighbour *out);

/* What one netlink message says. The parsers are pure, check every length, and give false for what they can't use. */
struct neighbour_route {
	uint32_t ifindex;
	struct addr gateway; /* ADDR_NONE: on the link */
	uint32_t mtu;	     /* 0: the interface's */
};

struct neighbour_entry {
	uint32_t ifindex;
	struct addr addr;
	uint16_t state; /* NUD_* */
	bool has_mac;
	uint8_t mac[6];
};

struct neighbour_link {
	uint32_t ifindex;
	uint32_t mtu;
	uint16_t vlan;	  /* 802.1Q tag of a VLAN's device, 0: it is none */
	uint32_t carrier; /* ifindex of the device below it */
	bool is_usable;	  /* up, Ethernet, no loopback; a VLAN with one tag at most */
	uint8_t mac[6];
};

bool neighbour_parse_route(const struct nlmsghdr *message, struct neighbour_route *out); /* unicast routes only */
bool neighbour_parse_entry(const struct nlmsghdr *message, struct neighbour_entry *out);
bool neighbour_parse_link(const struct nlmsghdr *message, struct neighbour_link *out);

#endif
