/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of real connections over the loopback; that a segment was dropped is read from the kernel's own counters.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bgp/tcp.h"

enum { WAIT_MS = 5000, DEFAULT_TTL = 0 };

static struct addr
address(const char *text)
{
	struct addr addr;

	cr_assert_eq(addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static struct bgp_config
config_to(const char *peer, uint16_t port)
{
	return (struct bgp_config){
		.peer = address(peer), .port = port, .local_as = 65001, .peer_as = 65002, .hold_s = 9};
}

static void
sign(struct bgp_config *config, enum bgp_auth auth, const char *key)
{
	config->auth = *key ? auth : BGP_AUTH_NONE;
	config->key_len = (uint8_t)strlen(key);
	memcpy(config->key, key, config->key_len);
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_in6 own;
	socklen_t len = sizeof(own);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&own, &len), 0);
	return ntohs(own.sin6_port); /* at the same place as IPv4's */
}

/* A listening socket on a port that nobody has. */
static int
listen_on(const char *local)
{
	struct addr addr = address(local);
	char why[TCP_WHY_MAX] = "";
	int fd = -1;

	for (uint16_t port = (uint16_t)(20000 + getpid() % 20000); tcp_listen(&addr, port, &fd, why) != 0; port++)
		cr_assert(strstr(why, strerror(EADDRINUSE)), "%s", why);
	return fd;
}

static bool
wait_for(int fd, short events, int ms)
{
	struct pollfd ready = {.fd = fd, .events = events};

	return poll(&ready, 1, ms) == 1 && (ready.revents & events);
}

static int
accept_from(int listener, const char *peer)
{
	struct addr expected = address(peer);
	struct tcp_peer from;
	int fd = -1;

	cr_assert(wait_for(listener, POLLIN, WAIT_MS), "nobody connects");
	cr_assert_eq(tcp_accept(listener, &fd, &from), 0);
	cr_assert(addr_equal(&from.addr, &expected) && from.interface[0] == '\0');
	return fd;
}

static int
option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0, "%s", strerror(errno));
	return value;
}

static unsigned long
netstat(const char *name)
{
	FILE *file = fopen("/proc/net/netstat", "r");
	char names[8192], values[8192], *in_names, *in_values;
	unsigned long value = 0;

	cr_assert(file && fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file));
	fclose(file);
	for (char *n = strtok_r(names, " \n", &in_names), *v = strtok_r(values, " \n", &in_values); n && v;
	     n = strtok_r(NULL, " \n", &in_names), v = strtok_r(NULL, " \n", &in_values)) {
		if (strcmp(n, name) == 0)
			value = strtoul(v, NULL, 10);
	}
	return value;
}

static void
expect_drop(const char *counter, unsigned long before)
{
	for (int i = 0; i < WAIT_MS && netstat(counter) == before; i++)
		(void)poll(NULL, 0, 1);
	cr_assert_gt(netstat(counter), before, "%s", counter);
}

Test(tcp, gives_a_socket_the_hops_and_times_of_its_peer)
{
	static const struct {
		const char *peer;
		uint32_t peer_as;
		uint8_t hops;
		bool gtsm;
		uint16_t hold_s, send_hold_s;
		int ttl, least, timeout_s;
	} rows[] = {
		{"127.0.0.1", 65002, 0, false, 9, 0, 1, 0, 481},
		{"127.0.0.1", 65001, 0, false, 0, 0, DEFAULT_TTL, 0, 481},
		{"127.0.0.1", 65001, 4, false, 300, 0, 4, 0, 601},
		{"127.0.0.1", 65002, 4, false, 90, 20, 4, 0, 21},
		{"127.0.0.1", 65002, 0, true, 9, 0, 255, 255, 481},
		{"127.0.0.1", 65001, 3, true, 9, 0, 255, 253, 481},
		{"127.0.0.1", 65001, 255, true, 9, 0, 255, 1, 481},
		{"::1", 65002, 0, false, 9, 0, 1, 0, 481},
		{"::1", 65001, 0, false, 9, 0, DEFAULT_TTL, 0, 481},
		{"::1", 65002, 2, true, 9, 0, 255, 254, 481},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bgp_config config = config_to(rows[i].peer, 1);
		bool is_v6 = config.peer.family == ADDR_V6;
		int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
		int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
		int ttl = rows[i].ttl ? rows[i].ttl : option(fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL);
		char why[TCP_WHY_MAX] = "";

		config.peer_as = rows[i].peer_as;
		config.hops = rows[i].hops;
		config.gtsm = rows[i].gtsm;
		config.hold_s = rows[i].hold_s;
		config.send_hold_s = rows[i].send_hold_s;
		cr_expect_eq(tcp_prepare(fd, &config, why), 0, "row %zu: %s", i, why);
		cr_expect_eq(option(fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL), ttl, "row %zu", i);
		cr_expect_eq(option(fd, level, is_v6 ? IPV6_MINHOPCOUNT : IP_MINTTL), rows[i].least, "row %zu", i);
		cr_expect_eq(option(fd, level, is_v6 ? IPV6_TCLASS : IP_TOS), IPTOS_CLASS_CS6, "row %zu", i);
		cr_expect_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), rows[i].timeout_s * 1000, "row %zu", i);
		cr_expect_neq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0, "row %zu", i);
		close(fd);
	}
}

Test(tcp, connects_from_its_local_address)
{
	int listener = listen_on("127.0.0.1"), fd = -1, accepted;
	struct bgp_config config = config_to("127.0.0.1", port_of(listener));
	struct addr local;
	uint16_t ours, theirs, here, there;
	char why[TCP_WHY_MAX] = "";

	config.local = address("127.0.0.7");
	cr_assert_eq(tcp_open(&config, &fd, why), 0, "%s", why);
	accepted = accept_from(listener, "127.0.0.7");
	local = tcp_local(fd);
	cr_expect(addr_equal(&local, &config.local));
	local = tcp_local(accepted);
	cr_expect(addr_equal(&local, &config.peer));
	tcp_ports(fd, &ours, &theirs);
	cr_expect(ours != 0 && theirs == port_of(listener));
	tcp_ports(accepted, &there, &here);
	cr_expect(there == theirs && here == ours);
	close(fd), close(accepted), close(listener);
}

Test(tcp, says_what_the_kernel_refused_and_opens_nothing)
{
	int listener = listen_on("127.0.0.1"), fd = -1, again = -1;
	struct bgp_config foreign = config_to("127.0.0.1", port_of(listener)), keyless = foreign, signed_v6 = foreign;
	struct addr local = address("127.0.0.1");
	struct prefix v6 = prefix("2001:db8::/32");
	char why[TCP_WHY_MAX] = "";

	foreign.local = address("192.0.2.1");
	cr_expect_eq(tcp_open(&foreign, &fd, why), -EADDRNOTAVAIL);
	cr_expect_str_eq(why, "bind to 192.0.2.1: Cannot assign requested address");
	keyless.auth = BGP_AUTH_MD5;
	cr_expect_lt(tcp_open(&keyless, &fd, why), 0);
	cr_expect(strstr(why, "TCP MD5 key: "), "%s", why);
	cr_expect_eq(fd, -1);
	sign(&signed_v6, BGP_AUTH_MD5, "secret");
	cr_expect_eq(tcp_key_set(listener, &v6, &signed_v6, why), -EINVAL);
	cr_expect_eq(tcp_listen(&local, port_of(listener), &again, why), -EADDRINUSE);
	cr_expect(strstr(why, "bind to 127.0.0.1 port ") && strstr(why, "in use"), "%s", why);
	cr_expect_eq(again, -1);
	close(listener);
}

/* Keys that the listener has, in order, for prefixes; what the peer signs with; and the counter of what is dropped. */
Test(tcp, connects_when_both_have_the_same_md5_key)
{
	static const struct {
		const char *address, *peers, *key, *more_peers, *more_key, *peers_key, *dropped;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1/32", "secret", NULL, NULL, "secret", NULL},
		{"127.0.0.1", "127.0.0.1/32", "secret", NULL, NULL, "Secret", "TCPMD5Failure"},
		{"127.0.0.1", "127.0.0.1/32", "secret", NULL, NULL, "", "TCPMD5NotFound"},
		{"127.0.0.1", "127.0.0.2/32", "secret", NULL, NULL, "", NULL},
		{"127.0.0.1", "127.0.0.2/32", "secret", NULL, NULL, "secret", "TCPMD5Unexpected"},
		{"127.0.0.1", "127.0.0.0/24", "range", NULL, NULL, "range", NULL},
		{"127.0.0.1", "127.0.0.0/24", "range", NULL, NULL, "", "TCPMD5NotFound"},
		{"127.0.0.1", "127.0.0.0/24", "range", "127.0.0.1/32", "its own", "its own", NULL},
		{"127.0.0.1", "127.0.0.0/24", "range", "127.0.0.1/32", "its own", "range", "TCPMD5Failure"},
		{"127.0.0.1", "127.0.0.1/32", "old", "127.0.0.1/32", "new", "new", NULL},
		{"127.0.0.1", "127.0.0.1/32", "old", "127.0.0.1/32", "new", "old", "TCPMD5Failure"},
		{"127.0.0.1", "127.0.0.1/32", "old", "127.0.0.1/32", "", "", NULL}, /* cleared */
		{"::1", "::1/128", "secret", NULL, NULL, "secret", NULL},
		{"::1", "::/64", "secret", NULL, NULL, "secret", NULL},
		{"::1", "::/64", "secret", NULL, NULL, "Secret", "TCPMD5Failure"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int listener = listen_on(rows[i].address), fd = -1, accepted = -1;
		struct bgp_config server = config_to(rows[i].address, 0), more = server;
		struct bgp_config client = config_to(rows[i].address, port_of(listener));
		unsigned long before = rows[i].dropped ? netstat(rows[i].dropped) : 0;
		struct prefix peers = prefix(rows[i].peers);
		char why[TCP_WHY_MAX] = "";

		sign(&server, BGP_AUTH_MD5, rows[i].key);
		cr_assert_eq(tcp_key_set(listener, &peers, &server, why), 0, "row %zu: %s", i, why);
		if (rows[i].more_peers) {
			peers = prefix(rows[i].more_peers);
			sign(&more, BGP_AUTH_MD5, rows[i].more_key);
			cr_assert_eq(more.auth ? tcp_key_set(listener, &peers, &more, why)
					       : tcp_key_clear(listener, &peers, &server, why),
				     0, "row %zu: %s", i, why);
		}
		sign(&client, BGP_AUTH_MD5, rows[i].peers_key);
		cr_assert_eq(tcp_open(&client, &fd, why), 0, "row %zu: %s", i, why);
		if (rows[i].dropped) {
			expect_drop(rows[i].dropped, before);
			cr_expect_not(wait_for(listener, POLLIN, 0), "row %zu", i);
		} else {
			accepted = accept_from(listener, rows[i].address);
			sign(&server, BGP_AUTH_MD5, rows[i].peers_key);
			cr_expect_eq(tcp_prepare(accepted, &server, why), 0, "row %zu: %s", i, why);
			cr_expect_eq(write(fd, "x", 1), 1);
			cr_expect(wait_for(accepted, POLLIN, WAIT_MS), "row %zu", i);
			close(accepted);
		}
		close(fd), close(listener);
	}
}

Test(tcp, has_tcp_ao_or_says_that_the_kernel_has_not)
{
	int listener = listen_on("127.0.0.1"), fd = -1;
	struct bgp_config config = config_to("127.0.0.1", port_of(listener));
	struct prefix peers = prefix("127.0.0.1/32");
	char why[TCP_WHY_MAX] = "";
	int err;

	sign(&config, BGP_AUTH_AO, "secret");
	config.key_id = 7;
	err = tcp_key_set(listener, &peers, &config, why);
	if (err) {
		cr_expect_eq(err, -ENOPROTOOPT);
		cr_expect_str_eq(why, "this kernel has no TCP-AO (Linux 6.7 built with CONFIG_TCP_AO)");
		cr_expect_eq(tcp_open(&config, &fd, why), -ENOPROTOOPT);
		cr_expect_eq(fd, -1);
		return;
	}
	cr_assert_eq(tcp_open(&config, &fd, why), 0, "%s", why);
	cr_expect_eq(tcp_prepare(accept_from(listener, "127.0.0.1"), &config, why), 0, "%s", why);
}

Test(tcp, accepts_what_gtsm_lets_through)
{
	static const struct {
		const char *address;
		uint8_t hops;
		int ttl; /* that the SYN has left */
		const char *why;
	} rows[] = {
		{"127.0.0.1", 1, 255, NULL}, {"127.0.0.1", 1, 254, "GTSM: its SYN came with a TTL of 254, below 255"},
		{"127.0.0.1", 3, 253, NULL}, {"127.0.0.1", 3, 252, "GTSM: its SYN came with a TTL of 252, below 253"},
		{"::1", 1, 255, NULL},	     {"::1", 2, 64, "GTSM: its SYN came with a TTL of 64, below 254"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int listener = listen_on(rows[i].address), fd = -1, accepted, err;
		struct bgp_config server = config_to(rows[i].address, 0);
		struct bgp_config client = config_to(rows[i].address, port_of(listener));
		char why[TCP_WHY_MAX] = "";

		server.gtsm = true;
		server.hops = rows[i].hops;
		client.hops = (uint8_t)rows[i].ttl;
		cr_assert_eq(tcp_open(&client, &fd, why), 0, "row %zu: %s", i, why);
		accepted = accept_from(listener, rows[i].address);
		err = tcp_admit(accepted, &server, why);
		cr_expect_eq(err, rows[i].why ? -EHOSTUNREACH : 0, "row %zu: %s", i, why);
		if (rows[i].why)
			cr_expect_str_eq(why, rows[i].why);
		/* The copy is gone now, as when the kernel keeps none: what was not sent yet is judged by the kernel.
		 */
		cr_expect_eq(tcp_admit(accepted, &server, why), 0);
		close(fd), close(accepted), close(listener);
	}
}

Test(tcp, takes_nothing_of_which_it_cannot_tell_how_far_it_came)
{
	int listener = listen_on("127.0.0.1"), fd = -1, accepted;
	struct bgp_config near = config_to("127.0.0.1", port_of(listener));
	char why[TCP_WHY_MAX] = "";

	near.gtsm = true;
	cr_assert_eq(tcp_open(&near, &fd, why), 0, "%s", why);
	accepted = accept_from(listener, "127.0.0.1");
	cr_assert_eq(tcp_admit(accepted, &near, why), 0, "%s", why);
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert(wait_for(accepted, POLLIN, WAIT_MS));
	cr_expect_eq(tcp_admit(accepted, &near, why), -EHOSTUNREACH);
	cr_expect_str_eq(why, "GTSM: nothing tells from how far away it came");
	close(fd), close(accepted), close(listener);
}

Test(tcp, hears_no_more_from_a_peer_that_is_too_far_away)
{
	int listener = listen_on("127.0.0.1"), fd = -1, accepted, ttl = 64;
	struct bgp_config near = config_to("127.0.0.1", port_of(listener));
	unsigned long before = netstat("TCPMinTTLDrop");
	char why[TCP_WHY_MAX] = "";

	near.gtsm = true;
	cr_assert_eq(tcp_open(&near, &fd, why), 0, "%s", why);
	accepted = accept_from(listener, "127.0.0.1");
	cr_assert_eq(tcp_prepare(accepted, &near, why), 0, "%s", why);
	cr_assert_eq(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	expect_drop("TCPMinTTLDrop", before);
	cr_expect_not(wait_for(accepted, POLLIN, 0));
	close(fd), close(accepted), close(listener);
}
