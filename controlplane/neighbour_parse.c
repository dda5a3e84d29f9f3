/* SPDX-License-Identifier: BSD-2-Clause */
/* What one netlink message says (neighbour.h): pure, every length checked, for the kernel's messages come as octets. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/socket.h>

#include "controlplane/neighbour.h"

enum { VLAN_MAX = 4094 }; /* 802.1Q: 4095 is reserved */

/* Attributes by type, each checked to lie within the message. */
struct attrs {
	const struct nlattr *at[64];
};

static int
attrs_take(const struct nlattr *attr, void *data)
{
	struct attrs *attrs = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < ARRAY_LEN(attrs->at))
		attrs->at[type] = attr;
	return MNL_CB_OK;
}

static bool
attrs_parse(const struct nlmsghdr *message, size_t header, struct attrs *attrs)
{
	*attrs = (struct attrs){0};
	if (message->nlmsg_len < NLMSG_HDRLEN || mnl_nlmsg_get_payload_len(message) < MNL_ALIGN(header))
		return false;
	/* Not mnl_attr_parse: it rounds the message's length up, and would read up to 3 octets behind it. */
	return mnl_attr_parse_payload((const uint8_t *)mnl_nlmsg_get_payload(message) + MNL_ALIGN(header),
				      mnl_nlmsg_get_payload_len(message) - MNL_ALIGN(header), attrs_take, attrs) >= 0;
}

static bool
attr_u32(const struct nlattr *attr, uint32_t *out)
{
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(*out))
		return false;
	memcpy(out, mnl_attr_get_payload(attr), sizeof(*out));
	return true;
}

static bool
attr_u16(const struct nlattr *attr, uint16_t *out)
{
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(*out))
		return false;
	memcpy(out, mnl_attr_get_payload(attr), sizeof(*out));
	return true;
}

static bool
addr_of(int family, const uint8_t *octets, size_t len, struct addr *out)
{
	if (family == AF_INET && len == 4)
		*out = addr_v4(octets);
	else if (family == AF_INET6 && len == 16)
		*out = addr_v6(octets);
	else
		return false;
	return true;
}

static bool
attr_addr(const struct nlattr *attr, int family, struct addr *out)
{
	return attr && addr_of(family, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), out);
}

static bool
attr_mac(const struct nlattr *attr, uint8_t mac[static 6])
{
	if (!attr || mnl_attr_get_payload_len(attr) != 6)
		return false;
	memcpy(mac, mnl_attr_get_payload(attr), 6);
	return true;
}

/* RTA_VIA: a gateway of the other family (struct rtvia: family, then the address). */
static bool
attr_via(const struct nlattr *attr, struct addr *out)
{
	const uint8_t *payload;
	uint16_t family;

	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(family))
		return false;
	payload = mnl_attr_get_payload(attr);
	memcpy(&family, payload, sizeof(family));
	return addr_of(family, payload + sizeof(family), mnl_attr_get_payload_len(attr) - sizeof(family), out);
}

bool
neighbour_parse_route(const struct nlmsghdr *message, struct neighbour_route *out)
{
	struct neighbour_route route = {0};
	struct attrs attrs, metrics = {0};
	const struct rtmsg *header;

	if (!attrs_parse(message, sizeof(*header), &attrs))
		return false;
	header = mnl_nlmsg_get_payload(message);
	if (header->rtm_type != RTN_UNICAST || !attr_u32(attrs.at[RTA_OIF], &route.ifindex) || route.ifindex == 0)
		return false;
	if (attrs.at[RTA_GATEWAY] && !attr_addr(attrs.at[RTA_GATEWAY], header->rtm_family, &route.gateway))
		return false;
	if (attrs.at[RTA_VIA] && !attr_via(attrs.at[RTA_VIA], &route.gateway))
		return false;
	if (attrs.at[RTA_METRICS] && mnl_attr_parse_nested(attrs.at[RTA_METRICS], attrs_take, &metrics) >= 0)
		attr_u32(metrics.at[RTAX_MTU], &route.mtu);
	*out = route;
	return true;
}

bool
neighbour_parse_entry(const struct nlmsghdr *message, struct neighbour_entry *out)
{
	struct neighbour_entry entry = {0};
	struct attrs attrs;
	const struct ndmsg *header;

	if (!attrs_parse(message, sizeof(*header), &attrs))
		return false;
	header = mnl_nlmsg_get_payload(message);
	if (header->ndm_ifindex <= 0 || !attr_addr(attrs.at[NDA_DST], header->ndm_family, &entry.addr))
		return false;
	entry.ifindex = (uint32_t)header->ndm_ifindex;
	entry.state = header->ndm_state;
	entry.has_mac = attr_mac(attrs.at[NDA_LLADDR], entry.mac);
	*out = entry;
	return true;
}

/* The device's kind and, of a VLAN's, the tag. False: a VLAN whose frames we can't make. */
static bool
parse_vlan(const struct nlattr *info, const struct nlattr *carrier, struct neighbour_link *link)
{
	struct attrs outer = {0}, inner = {0};
	uint16_t vlan, protocol = htons(ETH_P_8021Q);

	if (!info || mnl_attr_parse_nested(info, attrs_take, &outer) < 0 || !outer.at[IFLA_INFO_KIND] ||
	    mnl_attr_get_payload_len(outer.at[IFLA_INFO_KIND]) < sizeof("vlan") - 1 ||
	    strncmp(mnl_attr_get_payload(outer.at[IFLA_INFO_KIND]), "vlan",
		    mnl_attr_get_payload_len(outer.at[IFLA_INFO_KIND])) != 0)
		return true;
	if (!outer.at[IFLA_INFO_DATA] || mnl_attr_parse_nested(outer.at[IFLA_INFO_DATA], attrs_take, &inner) < 0 ||
	    !attr_u16(inner.at[IFLA_VLAN_ID], &vlan) || vlan == 0 || vlan > VLAN_MAX ||
	    !attr_u32(carrier, &link->carrier) || link->carrier == 0)
		return false;
	/* The dataplane writes 802.1Q's tag type only, not 802.1ad's. */
	if (inner.at[IFLA_VLAN_PROTOCOL] && !attr_u16(inner.at[IFLA_VLAN_PROTOCOL], &protocol))
		return false;
	link->vlan = vlan;
	return protocol == htons(ETH_P_8021Q);
}

bool
neighbour_parse_link(const struct nlmsghdr *message, struct neighbour_link *out)
{
	struct neighbour_link link = {0};
	struct attrs attrs;
	const struct ifinfomsg *header;

	if (!attrs_parse(message, sizeof(*header), &attrs))
		return false;
	header = mnl_nlmsg_get_payload(message);
	if (header->ifi_index <= 0)
		return false;
	link.ifindex = (uint32_t)header->ifi_index;
	link.is_usable = header->ifi_type == ARPHRD_ETHER && (header->ifi_flags & IFF_UP) &&
			 !(header->ifi_flags & IFF_LOOPBACK) && attr_mac(attrs.at[IFLA_ADDRESS], link.mac) &&
			 attr_u32(attrs.at[IFLA_MTU], &link.mtu) &&
			 parse_vlan(attrs.at[IFLA_LINKINFO], attrs.at[IFLA_LINK], &link);
	/* The carrier is in another network namespace: its index there says nothing here. */
	if (link.vlan && attrs.at[IFLA_LINK_NETNSID])
		link.is_usable = false;
	*out = link;
	return true;
}
