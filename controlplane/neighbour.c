/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two netlink sockets: one hears that something has changed, the other asks. What a notification says isn't used: any
 * of them, or an overrun, leads to the same whole look a little later, so that nothing can be missed and a storm of
 * route changes costs one look in a tenth of a second.
 *
 * A MAC that was known stays in use while the kernel asks for it anew (INCOMPLETE, or an entry that was collected), for
 * as long as the route stays; FAILED ends it.
 */
#include "controlplane/neighbour.h"

#include <errno.h>
#include <event2/event.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

enum {
	BUFFER = 32768,	     /* the largest part of a dump that the kernel sends */
	LOOK_AFTER_MS = 100, /* notifications are gathered for so long */
	TICK_MS = 1000,	     /* what is missing is asked for on each, what is stale on every fifth */
	STALE_TICKS = 5,
	ANSWER_S = 1, /* the kernel answers at once; this is for what can't happen */
	LINKS_MAX = 256,
};

struct watched {
	struct addr addr;
	bool has_route;
	struct neighbour_route route;
	uint16_t state; /* NUD_*; 0: no entry */
	bool has_mac;
	uint8_t mac[6];
	bool has_result;
	struct neighbour result;
};

struct neighbours {
	void (*changed)(void *context);
	void *context;
	struct mnl_socket *listener;
	struct mnl_socket *asker;
	struct event *heard;
	struct event *look;
	struct event *tick;
	unsigned ticks;
	uint32_t sequence;
	unsigned n;
	struct watched *watched; /* ordered by address */
	unsigned n_links;
	struct neighbour_link links[LINKS_MAX];
	uint8_t buffer[BUFFER];
};

/*
 * Sends what lies in the buffer and gives each message of the answer to take. A dump ends by NLMSG_DONE, all else by
 * its acknowledgement (NLM_F_ACK is set on every request).
 */
static int
ask(struct neighbours *nb, struct nlmsghdr *request, mnl_cb_t take, void *data)
{
	unsigned port = mnl_socket_get_portid(nb->asker);
	int err;

	request->nlmsg_seq = ++nb->sequence;
	if (mnl_socket_sendto(nb->asker, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t len = mnl_socket_recvfrom(nb->asker, nb->buffer, sizeof(nb->buffer));

		if (len < 0)
			return -errno;
		/* An answer that an earlier request timed out on: not ours, and over. */
		if ((size_t)len >= sizeof(struct nlmsghdr) &&
		    ((const struct nlmsghdr *)(const void *)nb->buffer)->nlmsg_seq != nb->sequence) {
			err = MNL_CB_OK;
			continue;
		}
		err = mnl_cb_run(nb->buffer, (size_t)len, nb->sequence, port, take, data);
		if (err < 0)
			return -errno;
	} while (err > MNL_CB_STOP);
	return 0;
}

static struct nlmsghdr *
request_new(struct neighbours *nb, uint16_t type, uint16_t flags, size_t header_len, void **header)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(nb->buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	*header = mnl_nlmsg_put_extra_header(request, header_len);
	return request;
}

static int
family_of(const struct addr *addr)
{
	return addr->family == ADDR_V6 ? AF_INET6 : AF_INET;
}

static int
route_take(const struct nlmsghdr *message, void *data)
{
	struct watched *w = data;

	if (message->nlmsg_type == RTM_NEWROUTE)
		w->has_route = neighbour_parse_route(message, &w->route);
	return MNL_CB_OK;
}

static void
route_look(struct neighbours *nb, struct watched *w)
{
	struct neighbour_route before = w->route;
	struct nlmsghdr *request;
	struct rtmsg *header;
	void *room;

	request = request_new(nb, RTM_GETROUTE, 0, sizeof(*header), &room);
	header = room;
	header->rtm_family = (unsigned char)family_of(&w->addr);
	header->rtm_dst_len = (unsigned char)addr_bits(&w->addr);
	mnl_attr_put(request, RTA_DST, addr_len(&w->addr), w->addr.octets);
	w->has_route = false;
	/* "No route" is an error answer (-ENETUNREACH and others), and is what has_route says. */
	if (ask(nb, request, route_take, w) != 0)
		w->has_route = false;
	if (!w->has_route || before.ifindex != w->route.ifindex || !addr_equal(&before.gateway, &w->route.gateway))
		w->has_mac = false;
}

static const struct addr *
next_hop(const struct watched *w)
{
	return w->route.gateway.family != ADDR_NONE ? &w->route.gateway : &w->addr;
}

static int
entry_take(const struct nlmsghdr *message, void *data)
{
	struct neighbours *nb = data;
	struct neighbour_entry entry;

	if (message->nlmsg_type != RTM_NEWNEIGH || !neighbour_parse_entry(message, &entry))
		return MNL_CB_OK;
	for (unsigned i = 0; i < nb->n; i++) {
		struct watched *w = &nb->watched[i];

		if (!w->has_route || w->route.ifindex != entry.ifindex || !addr_equal(next_hop(w), &entry.addr))
			continue;
		w->state = entry.state;
		if (entry.state & NUD_FAILED) {
			w->has_mac = false;
		} else if (entry.has_mac && !(entry.state & NUD_INCOMPLETE)) {
			w->has_mac = true;
			memcpy(w->mac, entry.mac, sizeof(w->mac));
		}
	}
	return MNL_CB_OK;
}

static int
link_take(const struct nlmsghdr *message, void *data)
{
	struct neighbours *nb = data;
	struct neighbour_link link;

	if (message->nlmsg_type == RTM_NEWLINK && nb->n_links < LINKS_MAX && neighbour_parse_link(message, &link) &&
	    link.is_usable)
		nb->links[nb->n_links++] = link;
	return MNL_CB_OK;
}

static int
dump(struct neighbours *nb, uint16_t type, int family, mnl_cb_t take)
{
	struct nlmsghdr *request;
	struct rtgenmsg *generic;
	void *room;
	size_t header_len = type == RTM_GETLINK ? sizeof(struct ifinfomsg) : sizeof(struct ndmsg);

	request = request_new(nb, type, NLM_F_DUMP, header_len, &room);
	generic = room;
	generic->rtgen_family = (unsigned char)family;
	return ask(nb, request, take, nb);
}

static const struct neighbour_link *
link_lookup(const struct neighbours *nb, uint32_t ifindex)
{
	for (unsigned i = 0; i < nb->n_links; i++) {
		if (nb->links[i].ifindex == ifindex)
			return &nb->links[i];
	}
	return NULL;
}

/* A VLAN's device needs the one that it lies on, which carries its frames with one tag. */
static const struct neighbour_link *
link_usable(const struct neighbours *nb, uint32_t ifindex)
{
	const struct neighbour_link *link = link_lookup(nb, ifindex);
	const struct neighbour_link *carrier = link && link->vlan ? link_lookup(nb, link->carrier) : link;

	return carrier && (carrier == link || carrier->vlan == 0) ? link : NULL;
}

/* True: the answer for this address is another than before. */
static bool
result_update(struct neighbours *nb, struct watched *w)
{
	const struct neighbour_link *link = w->has_route ? link_usable(nb, w->route.ifindex) : NULL;
	struct neighbour before = w->result;
	bool had = w->has_result;
	uint32_t mtu;

	memset(&w->result, 0, sizeof(w->result));
	w->has_result = link && w->has_mac;
	if (!w->has_result)
		return had;
	mtu = w->route.mtu && w->route.mtu < link->mtu ? w->route.mtu : link->mtu;
	w->result.ifindex = link->vlan ? link->carrier : link->ifindex;
	w->result.vlan = link->vlan;
	w->result.mtu = (uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu);
	w->result.via_gateway = w->route.gateway.family != ADDR_NONE;
	memcpy(w->result.source, link->mac, sizeof(link->mac));
	memcpy(w->result.mac, w->mac, sizeof(w->mac));
	return !had || memcmp(&before, &w->result, sizeof(before)) != 0;
}

/* NTF_USE: the kernel behaves as if it had a packet to send, asks for what is missing and confirms what is stale. */
static void
probe(struct neighbours *nb, const struct watched *w)
{
	const struct addr *addr = next_hop(w);
	struct nlmsghdr *request;
	struct ndmsg *header;
	void *room;
	int err;

	request = request_new(nb, RTM_NEWNEIGH, NLM_F_CREATE, sizeof(*header), &room);
	header = room;
	header->ndm_family = (unsigned char)family_of(addr);
	header->ndm_ifindex = (int)w->route.ifindex;
	header->ndm_state = NUD_NONE;
	header->ndm_flags = NTF_USE;
	mnl_attr_put(request, NDA_DST, addr_len(addr), addr->octets);
	err = ask(nb, request, NULL, NULL);
	if (err)
		log_debug("neighbour: the kernel doesn't probe on interface %u: %s", w->route.ifindex, strerror(-err));
}

static void
look(struct neighbours *nb)
{
	bool is_changed = false;
	int err;

	nb->n_links = 0;
	err = dump(nb, RTM_GETLINK, AF_UNSPEC, link_take);
	for (unsigned i = 0; i < nb->n; i++) {
		nb->watched[i].state = 0;
		route_look(nb, &nb->watched[i]);
	}
	err = err ? err : dump(nb, RTM_GETNEIGH, AF_INET, entry_take);
	err = err ? err : dump(nb, RTM_GETNEIGH, AF_INET6, entry_take);
	if (err) {
		/* Half a look says nothing; the next tick takes another. */
		log_warning("neighbour: netlink: %s", strerror(-err));
		return;
	}
	for (unsigned i = 0; i < nb->n; i++)
		is_changed |= result_update(nb, &nb->watched[i]);
	if (is_changed)
		nb->changed(nb->context);
}

static void
probe_due(struct neighbours *nb, bool stale_too)
{
	enum { FRESH = NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP | NUD_DELAY | NUD_PROBE | NUD_INCOMPLETE };

	for (unsigned i = 0; i < nb->n; i++) {
		const struct watched *w = &nb->watched[i];

		if (!w->has_route || !link_lookup(nb, w->route.ifindex) || (w->state & FRESH))
			continue;
		if (stale_too || !(w->state & NUD_STALE))
			probe(nb, w);
	}
}

static void
on_look(evutil_socket_t fd, short what, void *context)
{
	struct neighbours *nb = context;

	(void)fd;
	(void)what;
	look(nb);
	probe_due(nb, false);
}

/* Every fifth tick looks besides, for an answer that failed half-way and for what has no notification. */
static void
on_tick(evutil_socket_t fd, short what, void *context)
{
	struct neighbours *nb = context;
	bool is_fifth = ++nb->ticks % STALE_TICKS == 0;

	(void)fd;
	(void)what;
	if (is_fifth)
		look(nb);
	probe_due(nb, is_fifth);
}

/* ENOBUFS (an overrun) is a change like any other. */
static void
on_heard(evutil_socket_t fd, short what, void *context)
{
	struct neighbours *nb = context;
	const struct timeval after = {.tv_usec = LOOK_AFTER_MS * 1000};

	(void)what;
	for (unsigned i = 0; i < 64; i++) {
		ssize_t len = recv(fd, nb->buffer, sizeof(nb->buffer), MSG_DONTWAIT);

		if (len < 0 && errno != ENOBUFS)
			break;
	}
	if (!event_pending(nb->look, EV_TIMEOUT, NULL))
		event_add(nb->look, &after);
}

static int
socket_open(unsigned groups, struct mnl_socket **out)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) != 0 ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
		err = -errno;
		mnl_socket_close(socket);
		return err;
	}
	*out = socket;
	return 0;
}

int
neighbours_new(struct event_base *base, void (*changed)(void *), void *context, struct neighbours **out)
{
	const struct timeval period = {.tv_sec = TICK_MS / 1000};
	struct neighbours *nb = calloc(1, sizeof(*nb));
	int err;

	if (!nb)
		return -ENOMEM;
	nb->changed = changed;
	nb->context = context;
	err = socket_open(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE, &nb->listener);
	err = err ? err : socket_open(0, &nb->asker);
	if (err)
		goto failed;
	nb->heard = event_new(base, mnl_socket_get_fd(nb->listener), EV_READ | EV_PERSIST, on_heard, nb);
	nb->look = event_new(base, -1, 0, on_look, nb);
	nb->tick = event_new(base, -1, EV_PERSIST, on_tick, nb);
	err = -ENOMEM;
	if (!nb->heard || !nb->look || !nb->tick)
		goto failed;
	if (event_add(nb->heard, NULL) != 0 || event_add(nb->tick, &period) != 0)
		goto failed;
	*out = nb;
	return 0;

failed:
	neighbours_free(nb);
	return err;
}

void
neighbours_free(struct neighbours *nb)
{
	if (!nb)
		return;
	if (nb->tick)
		event_free(nb->tick);
	if (nb->look)
		event_free(nb->look);
	if (nb->heard)
		event_free(nb->heard);
	if (nb->asker)
		mnl_socket_close(nb->asker);
	if (nb->listener)
		mnl_socket_close(nb->listener);
	free(nb->watched);
	free(nb);
}

static int
watched_compare(const void *a, const void *b)
{
	return addr_compare(&((const struct watched *)a)->addr, &((const struct watched *)b)->addr);
}

static struct watched *
watched_lookup(const struct neighbours *nb, const struct addr *addr)
{
	struct watched key = {.addr = *addr};

	if (nb->n == 0)
		return NULL;
	return bsearch(&key, nb->watched, nb->n, sizeof(key), watched_compare);
}

int
neighbours_watch(struct neighbours *nb, const struct addr *addrs, unsigned n)
{
	const struct timeval now = {0};
	struct watched *watched = calloc(n ? n : 1, sizeof(*watched));

	if (!watched)
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++) {
		const struct watched *known = watched_lookup(nb, &addrs[i]);

		if (known)
			watched[i] = *known;
		watched[i].addr = addrs[i];
	}
	qsort(watched, n, sizeof(*watched), watched_compare);
	free(nb->watched);
	nb->watched = watched;
	nb->n = n;
	return event_add(nb->look, &now) == 0 ? 0 : -ENOMEM;
}

bool
neighbours_lookup(const struct neighbours *nb, const struct addr *addr, struct neighbour *out)
{
	const struct watched *w = watched_lookup(nb, addr);

	if (!w || !w->has_result)
		return false;
	*out = w->result;
	return true;
}
