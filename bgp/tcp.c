/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bgp/codec.h"

enum {
	HOPS_MAX = 255,
	BACKLOG = 128,
	SEND_HOLD_MIN_S = 480, /* RFC 9687 5 */
	SYN_MAX = 512,	       /* octets of its headers; a SYN with more of them is refused */
};

/* TCP-AO as Linux has it from 6.7 on (include/uapi/linux/tcp.h); older headers lack it. */
enum { AO_ADD_KEY = 38, AO_DEL_KEY = 39 };

struct ao_add {
	struct sockaddr_storage addr;
	char algorithm[64];
	int32_t ifindex;
	uint32_t flags;
	uint16_t reserved;
	uint8_t prefix_len;
	uint8_t send_id;
	uint8_t receive_id;
	uint8_t mac_len; /* 0: 12 octets */
	uint8_t key_flags;
	uint8_t key_len;
	uint8_t key[BGP_KEY_MAX];
} __attribute__((aligned(8)));
_Static_assert(offsetof(struct ao_add, ifindex) == 192 && offsetof(struct ao_add, key) == 208, "the kernel's layout");
_Static_assert(sizeof(struct ao_add) == 288, "the kernel's layout");

struct ao_del {
	struct sockaddr_storage addr;
	int32_t ifindex;
	uint32_t flags;
	uint16_t reserved;
	uint8_t prefix_len;
	uint8_t send_id;
	uint8_t receive_id;
	uint8_t current_id;
	uint8_t next_id;
	uint8_t key_flags;
} __attribute__((aligned(8)));
_Static_assert(offsetof(struct ao_del, prefix_len) == 138 && sizeof(struct ao_del) == 144, "the kernel's layout");

/* Sticky: after the first option that the kernel refuses, nothing more is asked of it. */
struct options {
	int fd;
	bool is_v6;
	int err;
	char *why;
};

static void
options_fail(struct options *options, const char *what, int err)
{
	options->err = -err;
	snprintf(options->why, TCP_WHY_MAX, "%s: %s", what, strerror(err));
}

static void
option_set(struct options *options, int level, int name, int value, const char *what)
{
	if (options->err == 0 && setsockopt(options->fd, level, name, &value, sizeof(value)) != 0)
		options_fail(options, what, errno);
}

static void
hops_set(struct options *options, int hops)
{
	if (options->is_v6)
		option_set(options, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops, "hop limit");
	else
		option_set(options, IPPROTO_IP, IP_TTL, hops, "TTL");
}

/* RFC 5082 3: each router on the way takes one off, so what has at least this left has passed no more than `hops` - 1.
 */
static int
least_left(const struct bgp_config *config)
{
	return HOPS_MAX + 1 - (config->hops ? config->hops : 1);
}

static void
distance_set(struct options *options, const struct bgp_config *config)
{
	if (!config->gtsm) {
		/* RFC 4271 5.1.3: an external peer is on our link unless we are told otherwise. */
		if (config->hops || config->local_as != config->peer_as)
			hops_set(options, config->hops ? config->hops : 1);
		return;
	}
	hops_set(options, HOPS_MAX);
	if (options->is_v6)
		option_set(options, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least_left(config), "GTSM");
	else
		option_set(options, IPPROTO_IP, IP_MINTTL, least_left(config), "GTSM");
}

/*
 * The kernel counts what was sent and not acknowledged, also against a peer that acknowledges and takes nothing; so it
 * gets the time of RFC 9687 and one second more, in which the session can say why it ends. The session alone can't
 * see a path that is dead: the kernel takes many a KEEPALIVE that never arrives.
 */
static unsigned
user_timeout_ms(const struct bgp_config *config)
{
	unsigned twice_s = 2U * config->hold_s;
	unsigned send_hold_s = twice_s > SEND_HOLD_MIN_S ? twice_s : SEND_HOLD_MIN_S;

	return ((config->send_hold_s ? config->send_hold_s : send_hold_s) + 1U) * 1000U;
}

/* RFC 4271's sessions are network control (RFC 4594 3.2): class selector 6. */
static void
class_set(struct options *options)
{
	if (options->is_v6)
		option_set(options, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_CLASS_CS6, "traffic class");
	else
		option_set(options, IPPROTO_IP, IP_TOS, IPTOS_CLASS_CS6, "TOS");
}

union tcp_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_storage storage;
};

static socklen_t
address_of(const struct addr *addr, uint16_t port, union tcp_address *out)
{
	memset(out, 0, sizeof(*out));
	if (addr->family == ADDR_V4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, addr->octets, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, addr->octets, 16);
	return sizeof(out->v6);
}

/* A link-local address names somebody on an interface only (RFC 4007 6). One that is not there fails in the kernel. */
static socklen_t
scoped_address_of(const struct addr *addr, uint16_t port, const struct bgp_config *config, union tcp_address *out)
{
	socklen_t len = address_of(addr, port, out);

	if (addr_is_link_local(addr))
		out->v6.sin6_scope_id = if_nametoindex(config->interface);
	return len;
}

static struct addr
address_from(const union tcp_address *address)
{
	if (address->any.sa_family == AF_INET)
		return addr_v4(&address->v4.sin_addr);
	if (address->any.sa_family != AF_INET6)
		return (struct addr){.family = ADDR_NONE};
	if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return addr_v4(&address->v6.sin6_addr.s6_addr[12]);
	return addr_v6(&address->v6.sin6_addr);
}

static void
md5_set(struct options *options, const struct prefix *peers, const uint8_t *key, uint8_t key_len)
{
	struct tcp_md5sig md5 = {
		.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX,
		.tcpm_prefixlen = peers->len,
		.tcpm_keylen = key_len,
	};
	union tcp_address address;

	_Static_assert(sizeof(md5.tcpm_key) >= BGP_KEY_MAX, "every key fits");
	address_of(&peers->addr, 0, &address);
	md5.tcpm_addr = address.storage;
	memcpy(md5.tcpm_key, key, key_len);
	if (setsockopt(options->fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &md5, sizeof(md5)) != 0)
		options_fail(options, "TCP MD5 key", errno);
}

static void
ao_fail(struct options *options, int err)
{
	options_fail(options, "TCP-AO key", err);
	if (err == ENOPROTOOPT)
		snprintf(options->why, TCP_WHY_MAX, "this kernel has no TCP-AO (Linux 6.7 built with CONFIG_TCP_AO)");
}

static void
ao_clear(struct options *options, const struct prefix *peers, const struct bgp_config *config)
{
	struct ao_del del = {.prefix_len = peers->len, .send_id = config->key_id, .receive_id = config->key_id};
	union tcp_address address;

	address_of(&peers->addr, 0, &address);
	del.addr = address.storage;
	if (setsockopt(options->fd, IPPROTO_TCP, AO_DEL_KEY, &del, sizeof(del)) != 0)
		ao_fail(options, errno);
}

static void
ao_set(struct options *options, const struct prefix *peers, const struct bgp_config *config)
{
	struct ao_add add = {
		.algorithm = "hmac(sha1)", /* RFC 5926 3.2: HMAC-SHA-1-96, which all must have */
		.prefix_len = peers->len,
		.send_id = config->key_id,
		.receive_id = config->key_id,
		.key_len = config->key_len,
	};
	union tcp_address address;

	address_of(&peers->addr, 0, &address);
	add.addr = address.storage;
	memcpy(add.key, config->key, config->key_len);
	if (setsockopt(options->fd, IPPROTO_TCP, AO_ADD_KEY, &add, sizeof(add)) == 0)
		return;
	ao_fail(options, errno);
}

static void
key_set(struct options *options, const struct prefix *peers, const struct bgp_config *config)
{
	if (options->err)
		return;
	if (config->auth == BGP_AUTH_MD5)
		md5_set(options, peers, config->key, config->key_len);
	else if (config->auth == BGP_AUTH_AO)
		ao_set(options, peers, config);
}

int
tcp_key_set(int fd, const struct prefix *peers, const struct bgp_config *config, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = fd, .why = why};

	key_set(&options, peers, config);
	return options.err;
}

int
tcp_key_clear(int fd, const struct prefix *peers, const struct bgp_config *config, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = fd, .why = why};

	if (config->auth == BGP_AUTH_MD5)
		md5_set(&options, peers, (const uint8_t *)"", 0);
	else if (config->auth == BGP_AUTH_AO)
		ao_clear(&options, peers, config);
	return options.err;
}

int
tcp_prepare(int fd, const struct bgp_config *config, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = fd, .is_v6 = config->peer.family == ADDR_V6, .why = why};
	struct prefix peer = prefix_of(&config->peer, addr_bits(&config->peer));

	key_set(&options, &peer, config);
	/* An accepted socket has the listener's key, and Linux takes an AO key with the same identifiers no second
	 * time. */
	if (options.err == -EEXIST)
		options.err = 0;
	distance_set(&options, config);
	class_set(&options);
	option_set(&options, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	option_set(&options, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms(config), "TCP_USER_TIMEOUT");
	return options.err;
}

static void
tcp_bind(struct options *options, const struct addr *local, uint16_t port, const union tcp_address *address, socklen_t len)
{
	char text[ADDR_TEXT_MAX], what[64];

	if (options->err || bind(options->fd, &address->any, len) == 0)
		return;
	snprintf(what, sizeof(what), port ? "bind to %s port %u" : "bind to %s", addr_format(local, text), port);
	options_fail(options, what, errno);
}

static void
tcp_connect(struct options *options, const struct bgp_config *config)
{
	union tcp_address address;
	socklen_t len = scoped_address_of(&config->peer, config->port ? config->port : BGP_PORT, config, &address);

	if (options->err == 0 && connect(options->fd, &address.any, len) != 0 && errno != EINPROGRESS)
		options_fail(options, "connect", errno);
}

static int
tcp_socket(enum addr_family family)
{
	return socket(family == ADDR_V6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int
tcp_open(const struct bgp_config *config, int *fd, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = tcp_socket(config->peer.family), .why = why};
	union tcp_address local;
	socklen_t len;

	if (options.fd < 0) {
		options_fail(&options, "socket", errno);
		return options.err;
	}
	options.err = tcp_prepare(options.fd, config, why);
	if (config->local.family != ADDR_NONE) {
		len = scoped_address_of(&config->local, 0, config, &local);
		tcp_bind(&options, &config->local, 0, &local, len);
	}
	tcp_connect(&options, config);
	if (options.err)
		close(options.fd);
	else
		*fd = options.fd;
	return options.err;
}

int
tcp_listen(const struct addr *local, uint16_t port, int *fd, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = tcp_socket(local->family), .is_v6 = local->family == ADDR_V6, .why = why};
	union tcp_address address;
	socklen_t len;

	if (options.fd < 0) {
		options_fail(&options, "socket", errno);
		return options.err;
	}
	if (options.is_v6)
		option_set(&options, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
	option_set(&options, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	option_set(&options, IPPROTO_TCP, TCP_SAVE_SYN, 1, "TCP_SAVE_SYN");
	/* A peer with GTSM drops a SYN+ACK with less; others don't mind. */
	hops_set(&options, HOPS_MAX);
	class_set(&options);
	len = address_of(local, port ? port : BGP_PORT, &address);
	tcp_bind(&options, local, port ? port : BGP_PORT, &address, len);
	if (options.err == 0 && listen(options.fd, BACKLOG) != 0)
		options_fail(&options, "listen", errno);
	if (options.err)
		close(options.fd);
	else
		*fd = options.fd;
	return options.err;
}

/* Octets that the kernel took before it knew how far away they may come from. */
static bool
has_unread(int fd)
{
	int unread = 0;

	return ioctl(fd, FIONREAD, &unread) != 0 || unread > 0;
}

int
tcp_admit(int fd, const struct bgp_config *config, char why[static TCP_WHY_MAX])
{
	struct options options = {.fd = fd, .is_v6 = config->peer.family == ADDR_V6, .why = why};
	uint8_t syn[SYN_MAX] = {0};
	socklen_t len = sizeof(syn);
	int left;

	if (!config->gtsm)
		return 0;
	distance_set(&options, config);
	if (options.err == 0 && getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len) != 0)
		options_fail(&options, "GTSM: the SYN's headers", errno);
	if (options.err)
		return options.err;
	if (len == 0) { /* a flood of SYNs made the kernel keep none of them */
		snprintf(why, TCP_WHY_MAX, "GTSM: nothing tells from how far away it came");
		return has_unread(fd) ? -EHOSTUNREACH : 0;
	}
	left = options.is_v6 ? syn[offsetof(struct ip6_hdr, ip6_hlim)] : syn[offsetof(struct iphdr, ttl)];
	if (left >= least_left(config))
		return 0;
	snprintf(why, TCP_WHY_MAX, "GTSM: its SYN came with a TTL of %d, below %d", left, least_left(config));
	return -EHOSTUNREACH;
}

int
tcp_accept(int listener, int *fd, struct tcp_peer *peer)
{
	union tcp_address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(address);
	int accepted = accept4(listener, &address.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (accepted < 0)
		return -errno;
	*fd = accepted;
	*peer = (struct tcp_peer){.addr = address_from(&address)};
	if (addr_is_link_local(&peer->addr) && !if_indextoname(address.v6.sin6_scope_id, peer->interface))
		peer->interface[0] = '\0';
	return 0;
}

struct addr
tcp_local(int fd)
{
	union tcp_address own = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t len = sizeof(own);

	return getsockname(fd, &own.any, &len) == 0 ? address_from(&own) : (struct addr){.family = ADDR_NONE};
}

static uint16_t
port_of(const union tcp_address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

void
tcp_ports(int fd, uint16_t *local, uint16_t *peer)
{
	union tcp_address ours = {.any = {.sa_family = AF_UNSPEC}}, theirs = ours;
	socklen_t our_len = sizeof(ours), their_len = sizeof(theirs);

	*local = getsockname(fd, &ours.any, &our_len) == 0 ? port_of(&ours) : 0;
	*peer = getpeername(fd, &theirs.any, &their_len) == 0 ? port_of(&theirs) : 0;
}
