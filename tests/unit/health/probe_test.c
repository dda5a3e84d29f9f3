/* SPDX-License-Identifier: BSD-2-Clause */
/* Real probes against small servers on loopback, which run on a thread of the test. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "controlplane/probe.h"

struct outcome {
	struct event_base *base;
	unsigned n_done;
	unsigned n_passed;
	unsigned n_wanted;
	char reason[PROBE_REASON_MAX];
};

static void
on_done(void *context, bool passed, const char *reason)
{
	struct outcome *outcome = context;

	outcome->n_done++;
	outcome->n_passed += passed;
	if (!passed)
		snprintf(outcome->reason, sizeof(outcome->reason), "%s", reason);
	if (outcome->n_done == outcome->n_wanted)
		event_base_loopbreak(outcome->base);
}

static struct addr
addr_of(const char *text)
{
	struct addr addr = {0};

	cr_assert_eq(addr_parse(text, &addr), 0);
	return addr;
}

static struct outcome
probe_once(const char *to, const struct model_check *check, uint32_t timeout_ms)
{
	struct event_base *base = event_base_new();
	struct outcome outcome = {.base = base, .n_wanted = 1};
	struct prober *prober = prober_new(base, 0);
	struct timeval limit = {.tv_sec = 5};
	struct addr addr = addr_of(to);

	cr_assert_not_null(probe_start(prober, &addr, check, timeout_ms, on_done, &outcome));
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
	prober_free(prober);
	event_base_free(base);
	cr_assert_eq(outcome.n_done, 1);
	return outcome;
}

static void
expect_pass(const char *to, const struct model_check *check)
{
	struct outcome outcome = probe_once(to, check, 900);

	cr_expect_eq(outcome.n_passed, 1, "%s", outcome.reason);
}

/* A '#' in the wanted reason stands for the port. */
static void
expect_fail(const char *to, const struct model_check *check, uint32_t timeout_ms, const char *wanted)
{
	char text[PROBE_REASON_MAX];
	struct outcome outcome = probe_once(to, check, timeout_ms);

	snprintf(text, sizeof(text), "%.*s%u%s", (int)strcspn(wanted, "#"), wanted, check->port,
		 strchr(wanted, '#') + 1);
	cr_expect_eq(outcome.n_passed, 0);
	cr_expect_str_eq(outcome.reason, text);
}

/* A bound socket on a free port of the address; listening when a stream. */
static int
server_open(int type, const char *address, uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(inet_pton(AF_INET, address, &at.sin_addr), 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	if (type == SOCK_STREAM)
		cr_assert_eq(listen(fd, 4096), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

struct server {
	int fd;
	const char *answer; /* http */
	uint8_t rcode;	    /* dns */
	char asked[1024];
	pthread_t thread;
};

static void *
serve_http(void *context)
{
	struct server *server = context;
	int fd = accept(server->fd, NULL, NULL);
	ssize_t len = read(fd, server->asked, sizeof(server->asked) - 1);

	server->asked[len > 0 ? len : 0] = '\0';
	(void)!write(fd, server->answer, strlen(server->answer));
	shutdown(fd, SHUT_WR);
	(void)!read(fd, &(char){0}, 1);
	close(fd);
	return NULL;
}

/* Sends a reply with another ID before the right one. */
static void *
serve_dns(void *context)
{
	struct server *server = context;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[512];
	ssize_t len = recvfrom(server->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);

	if (len < 12)
		return NULL;
	packet[2] |= 0x80;
	packet[3] = (uint8_t)(packet[3] & 0xf0) | server->rcode;
	packet[0] ^= 0xff;
	sendto(server->fd, packet, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	packet[0] ^= 0xff;
	sendto(server->fd, packet, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	return NULL;
}

Test(probe, tcp_passes_where_somebody_listens)
{
	struct model_check check = {.kind = MODEL_CHECK_TCP};
	int fd = server_open(SOCK_STREAM, "127.0.0.1", &check.port);

	expect_pass("127.0.0.1", &check);
	close(fd);
}

Test(probe, tcp_says_that_it_was_refused)
{
	struct model_check check = {.kind = MODEL_CHECK_TCP};

	close(server_open(SOCK_STREAM, "127.0.0.1", &check.port));
	expect_fail("127.0.0.1", &check, 900, "tcp #: connection refused");
}

static const struct {
	const char *says;
	const char *answer;
	const char *match;
	const char *reason; /* NULL: passes */
} http_rows[] = {
	{"right status", "HTTP/1.1 200 OK\r\n\r\n", "", NULL},
	{"text is there", "HTTP/1.1 200 OK\r\n\r\nI am ready", "ready", NULL},
	{"text is missing", "HTTP/1.1 200 OK\r\n\r\nnot yet", "ready",
	 "http # /health: the body doesn't hold \"ready\""},
	{"wrong status", "HTTP/1.1 503 Busy\r\n\r\n", "", "http # /health: status 503, wanted 200-299"},
	{"no answer", "", "", "http # /health: closed without an answer"},
};

Test(probe, http_judges_status_and_text)
{
	for (size_t i = 0; i < ARRAY_LEN(http_rows); i++) {
		struct server server = {.answer = http_rows[i].answer};
		struct model_check check = {.kind = MODEL_CHECK_HTTP,
					    .status_min = 200,
					    .status_max = 299,
					    .path = "/health",
					    .host = "www.example.com"};

		strcpy(check.match, http_rows[i].match);
		server.fd = server_open(SOCK_STREAM, "127.0.0.1", &check.port);
		pthread_create(&server.thread, NULL, serve_http, &server);
		if (http_rows[i].reason)
			expect_fail("127.0.0.1", &check, 900, http_rows[i].reason);
		else
			expect_pass("127.0.0.1", &check);
		pthread_join(server.thread, NULL);
		close(server.fd);
		cr_expect_not_null(strstr(server.asked, "GET /health HTTP/1.1\r\nHost: www.example.com\r\n"), "%s",
				   server.asked);
	}
}

Test(probe, http_times_out_on_a_silent_server)
{
	struct model_check check = {.kind = MODEL_CHECK_HTTP, .status_min = 200, .status_max = 299, .path = "/"};
	int fd = server_open(SOCK_STREAM, "127.0.0.1", &check.port);

	expect_fail("127.0.0.1", &check, 150, "http # /: timed out after 150 ms");
	close(fd);
}

Test(probe, dns_passes_over_a_stray_reply_and_judges_the_code)
{
	for (uint8_t rcode = 0; rcode < 4; rcode += 3) {
		struct server server = {.rcode = rcode};
		struct model_check check = {.kind = MODEL_CHECK_DNS, .query = "www.example.com", .query_type = 1};

		server.fd = server_open(SOCK_DGRAM, "127.0.0.1", &check.port);
		pthread_create(&server.thread, NULL, serve_dns, &server);
		if (rcode == 0)
			expect_pass("127.0.0.1", &check);
		else
			expect_fail("127.0.0.1", &check, 900, "dns #: rcode 3 (NXDOMAIN), wanted 0 (NOERROR)");
		pthread_join(server.thread, NULL);
		close(server.fd);
	}
}

Test(probe, dns_times_out_or_is_refused)
{
	struct model_check check = {.kind = MODEL_CHECK_DNS, .query = "example.com", .query_type = 6};
	int fd = server_open(SOCK_DGRAM, "127.0.0.1", &check.port);

	expect_fail("127.0.0.1", &check, 100, "dns #: timed out after 100 ms");
	close(fd);
	expect_fail("127.0.0.1", &check, 900, "dns #: connection refused");
}

Test(probe, icmp_is_answered_by_loopback)
{
	struct model_check check = {.kind = MODEL_CHECK_ICMP};

	expect_pass("127.0.0.1", &check);
	if (access("/proc/net/if_inet6", R_OK) == 0)
		expect_pass("::1", &check);
}

static pid_t
tls_server_start(const char *dir, uint16_t port)
{
	pid_t pid = fork();

	if (pid == 0) {
		char number[8], cert[64], key[64];

		snprintf(number, sizeof(number), "%u", port);
		snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
		snprintf(key, sizeof(key), "%s/key.pem", dir);
		freopen("/dev/null", "r+", stdout);
		freopen("/dev/null", "r+", stderr);
		execlp("openssl", "openssl", "s_server", "-accept", number, "-cert", cert, "-key", key, "-www",
		       "-quiet", (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void
wait_for_listener(uint16_t port)
{
	struct model_check check = {.kind = MODEL_CHECK_TCP, .port = port};

	for (int i = 0; i < 200 && probe_once("127.0.0.1", &check, 500).n_passed == 0; i++)
		poll(NULL, 0, 10);
}

Test(probe, https_verifies_when_asked_to)
{
	char dir[] = "/tmp/probe-test-XXXXXX", command[512], path[64];
	struct model_check check = {.kind = MODEL_CHECK_HTTPS,
				    .status_min = 200,
				    .status_max = 299,
				    .path = "/",
				    .host = "edge.example.com"};
	pid_t pid;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=edge "
		 "-addext subjectAltName=DNS:edge.example.com -keyout %s/key.pem -out %s/cert.pem 2>%s/log",
		 dir, dir, dir);
	cr_assert_eq(system(command), 0);
	close(server_open(SOCK_STREAM, "127.0.0.1", &check.port));
	pid = tls_server_start(dir, check.port);
	wait_for_listener(check.port);

	expect_pass("127.0.0.1", &check);
	check.tls_verify = true;
	expect_fail("127.0.0.1", &check, 900, "https # /: certificate: self-signed certificate");
	snprintf(path, sizeof(path), "%s/cert.pem", dir);
	setenv("SSL_CERT_FILE", path, 1);
	expect_pass("127.0.0.1", &check);
	strcpy(check.host, "other.example.com");
	expect_fail("127.0.0.1", &check, 900, "https # /: certificate: hostname mismatch");

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

Test(probe, a_cancelled_probe_is_silent)
{
	struct event_base *base = event_base_new();
	struct outcome outcome = {.base = base, .n_wanted = 1};
	struct prober *prober = prober_new(base, 1);
	struct model_check check = {.kind = MODEL_CHECK_ICMP};
	struct addr addr = addr_of("127.0.0.1");
	struct probe *probe = probe_start(prober, &addr, &check, 500, on_done, &outcome);

	probe_cancel(probe);
	event_base_loop(base, EVLOOP_NONBLOCK);
	probe_start(prober, &addr, &check, 500, on_done, &outcome);
	prober_free(prober);
	event_base_free(base);
	cr_expect_eq(outcome.n_done, 0);
}

static atomic_bool stop_accepting;

static void *
accept_all(void *context)
{
	const int *fd = context;
	struct pollfd ready = {.fd = *fd, .events = POLLIN};

	while (!atomic_load(&stop_accepting)) {
		if (poll(&ready, 1, 20) == 1)
			close(accept(*fd, NULL, NULL));
	}
	return NULL;
}

/* n probes to as many addresses of 127.1.0.0/16 in one thread. */
static void
probe_many(const struct model_check *check, unsigned n)
{
	struct event_base *base = event_base_new();
	struct outcome outcome = {.base = base, .n_wanted = n};
	struct prober *prober = prober_new(base, 0);
	struct timeval limit = {.tv_sec = 20};

	for (unsigned i = 0; i < n; i++) {
		uint8_t octets[4] = {127, 1, (uint8_t)(i >> 8), (uint8_t)i};
		struct addr addr = addr_v4(octets);

		cr_assert_not_null(probe_start(prober, &addr, check, 5000, on_done, &outcome));
	}
	event_base_loopexit(base, &limit);
	event_base_dispatch(base);
	prober_free(prober);
	event_base_free(base);
	cr_expect_eq(outcome.n_passed, n, "%u of %u done, %u passed: %s", outcome.n_done, n, outcome.n_passed,
		     outcome.reason);
}

Test(probe, ten_thousand_icmp_checks_in_one_thread)
{
	struct model_check check = {.kind = MODEL_CHECK_ICMP};

	probe_many(&check, 10000);
}

Test(probe, ten_thousand_tcp_checks_in_one_thread)
{
	struct model_check check = {.kind = MODEL_CHECK_TCP};
	int fd = server_open(SOCK_STREAM, "0.0.0.0", &check.port);
	pthread_t thread;

	pthread_create(&thread, NULL, accept_all, &fd);
	probe_many(&check, 10000);
	atomic_store(&stop_accepting, true);
	pthread_join(thread, NULL);
	close(fd);
}
