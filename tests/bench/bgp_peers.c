/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench-bgp-peers [OPTION]... SPEAKER FIRST COUNT
 *
 * COUNT routers in one process, at FIRST and the addresses behind it: a BGP session of bgp/ each, with SPEAKER, who may
 * dial them. They count what they are told. --announce N has each tell N routes itself. Lines on standard input are
 * answered with a line of JSON: "state" (all since the last "reset"; times are milliseconds since 1970), "reset" (counts
 * what is told, gaps and times from here on). Their end ends the sessions.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/path.h"
#include "bgp/session.h"
#include "bgp/update.h"
#include "tests/bench/bgp_routes.h"

enum { LISTENER, COMMANDS, FIRST_SESSION, ROUTERS_MAX = 256 };

struct router {
	struct bgp_session *session;
	uint64_t announced; /* routes, repetitions included */
	uint64_t withdrawn;
	uint64_t heard_ns; /* the last message, of any type */
	uint64_t gap_ns;   /* the longest silence while Established */
	double established_ms;
	double announced_ms; /* the last of each kind */
	double withdrawn_ms;
	double ended_ms; /* End-of-RIB */
};

struct bench {
	struct bgp_config config;
	bool dials;
	uint32_t announce;
	bool own_paths;
	unsigned n;
	struct router routers[ROUTERS_MAX];
	struct pollfd polled[FIRST_SESSION + ROUTERS_MAX];
};

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void
on_state(void *context, enum bgp_state old, enum bgp_state now)
{
	struct router *router = context;

	(void)old;
	if (now != BGP_ESTABLISHED)
		return;
	router->established_ms = now_ms();
	router->heard_ns = clock_now_ns();
}

static uint64_t
count(struct bgp_nlri routes)
{
	struct prefix prefix;
	uint64_t n = 0;

	while (bgp_nlri_next(&routes, &prefix))
		n++;
	return n;
}

static void
on_update(void *context, const struct bgp_update *update)
{
	struct router *router = context;
	uint64_t announced = count(update->announced) + count(update->reach);
	uint64_t withdrawn = count(update->withdrawn) + count(update->unreach);

	router->announced += announced;
	router->withdrawn += withdrawn;
	if (announced > 0)
		router->announced_ms = now_ms();
	if (withdrawn > 0)
		router->withdrawn_ms = now_ms();
}

static void
on_end_of_rib(void *context, enum bgp_family family)
{
	struct router *router = context;

	(void)family;
	router->ended_ms = now_ms();
}

static void
on_message(void *context, bool sent, const uint8_t *octets, size_t len)
{
	struct router *router = context;
	uint64_t now_ns = clock_now_ns();

	(void)octets, (void)len;
	if (sent)
		return;
	if (router->heard_ns != 0 && now_ns - router->heard_ns > router->gap_ns)
		router->gap_ns = now_ns - router->heard_ns;
	router->heard_ns = now_ns;
}

static const struct bgp_session_events EVENTS = {
	.state = on_state, .update = on_update, .end_of_rib = on_end_of_rib, .message = on_message};

static bool
options_parse(int argc, char **argv, struct bench *bench)
{
	static const struct option options[] = {
		{"as", required_argument, NULL, 'a'},	   {"speaker-as", required_argument, NULL, 's'},
		{"hold", required_argument, NULL, 'h'},	   {"max-prefixes", required_argument, NULL, 'm'},
		{"announce", required_argument, NULL, 'n'}, {"own-paths", no_argument, NULL, 'o'},
		{"dial", no_argument, NULL, 'd'},	   {0},
	};
	struct bgp_config *config = &bench->config;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint32_t value = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		switch (c) {
		case 'a': config->local_as = value; break;
		case 's': config->peer_as = value; break;
		case 'h': config->hold_s = (uint16_t)value; break;
		case 'm': config->max_prefixes = value; break;
		case 'n': bench->announce = value; break;
		case 'o': bench->own_paths = true; break;
		case 'd': bench->dials = true; break;
		default: return false;
		}
	}
	config->passive = !bench->dials;
	return argc - optind == 3 && addr_parse(argv[optind], &config->peer) == 0 &&
	       addr_parse(argv[optind + 1], &config->local) == 0 &&
	       (bench->n = (unsigned)strtoul(argv[optind + 2], NULL, 10)) <= ROUTERS_MAX;
}

static bool
router_open(struct bench *bench, unsigned index)
{
	struct router *router = &bench->routers[index];
	struct bgp_config config = bench->config;

	config.local.octets[3] = (uint8_t)(config.local.octets[3] + index);
	memcpy(&config.router_id, config.local.octets, 4);
	config.router_id = ntohl(config.router_id);
	snprintf(config.name, sizeof(config.name), "router%u", index);
	router->session = bgp_session_new(&config);
	if (!router->session)
		return false;
	bgp_session_listen(router->session, &EVENTS, router);
	for (uint32_t i = 0; i < bench->announce; i++) {
		struct prefix prefix = bgp_routes_prefix(ADDR_V4, i);
		struct path path = bgp_routes_path(bench->own_paths, i);

		if (bgp_session_announce(router->session, &prefix, &path) != 0)
			return false;
	}
	bgp_session_start(router->session);
	return true;
}

static int
listener_open(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(179)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, ROUTERS_MAX) == 0)
		return fd;
	perror("bench-bgp-peers: port 179");
	exit(1);
}

/* Which router was dialled says its address. */
static void
accept_one(struct bench *bench)
{
	struct sockaddr_in local;
	socklen_t len = sizeof(local);
	int fd = accept4(bench->polled[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uint32_t index;

	if (fd < 0)
		return;
	if (getsockname(fd, (struct sockaddr *)&local, &len) != 0 ||
	    (index = ntohl(local.sin_addr.s_addr) - bgp_session_config(bench->routers[0].session)->router_id) >= bench->n)
		close(fd);
	else
		bgp_session_accept(bench->routers[index].session, fd);
}

static void
reset(struct bench *bench)
{
	for (unsigned i = 0; i < bench->n; i++) {
		struct router *router = &bench->routers[i];

		router->announced = router->withdrawn = router->gap_ns = 0;
		router->announced_ms = router->withdrawn_ms = router->ended_ms = 0;
	}
}

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

/* Over all routers: sums, the worst, and when the last one had it. */
static void
state_print(const struct bench *bench)
{
	unsigned established = 0, flaps = 0, errors = 0;
	uint64_t least_announced = UINT64_MAX, most_announced = 0, least_withdrawn = UINT64_MAX, most_withdrawn = 0;
	struct router last = {0};
	struct rusage usage;

	for (unsigned i = 0; i < bench->n; i++) {
		const struct router *r = &bench->routers[i];
		struct bgp_status status = bgp_session_status(r->session);

		established += status.state == BGP_ESTABLISHED;
		flaps += status.flaps;
		errors += status.errors;
		least_announced = r->announced < least_announced ? r->announced : least_announced;
		most_announced = r->announced > most_announced ? r->announced : most_announced;
		least_withdrawn = r->withdrawn < least_withdrawn ? r->withdrawn : least_withdrawn;
		most_withdrawn = r->withdrawn > most_withdrawn ? r->withdrawn : most_withdrawn;
		last.gap_ns = r->gap_ns > last.gap_ns ? r->gap_ns : last.gap_ns;
		last.established_ms = larger(last.established_ms, r->established_ms);
		last.announced_ms = larger(last.announced_ms, r->announced_ms);
		last.withdrawn_ms = larger(last.withdrawn_ms, r->withdrawn_ms);
		last.ended_ms = larger(last.ended_ms, r->ended_ms);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"established\": %u, \"flaps\": %u, \"errors\": %u, \"announced\": [%llu, %llu], \"withdrawn\": [%llu, %llu], "
	       "\"gap_ms\": %.1f, \"established_ms\": %.3f, \"announced_ms\": %.3f, \"withdrawn_ms\": %.3f, \"ended_ms\": %.3f, "
	       "\"cpu_s\": %.3f}\n",
	       established, flaps, errors, (unsigned long long)least_announced, (unsigned long long)most_announced,
	       (unsigned long long)least_withdrawn, (unsigned long long)most_withdrawn, (double)last.gap_ns / 1e6,
	       last.established_ms, last.announced_ms, last.withdrawn_ms, last.ended_ms,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	fflush(stdout);
}

/* false: there are no more. */
static bool
command_read(struct bench *bench)
{
	char line[16];
	ssize_t got = read(STDIN_FILENO, line, sizeof(line));

	if (got > 0 && line[0] == 'r')
		reset(bench);
	if (got > 0)
		state_print(bench);
	return got > 0;
}

static int
wait_ms(const struct bench *bench)
{
	uint64_t now_ns = clock_now_ns(), first_ns = now_ns + CLOCK_NS_PER_S;

	for (unsigned i = 0; i < bench->n; i++) {
		uint64_t deadline_ns = bgp_session_deadline_ns(bench->routers[i].session);

		first_ns = deadline_ns < first_ns ? deadline_ns : first_ns;
	}
	return first_ns > now_ns ? (int)((first_ns - now_ns) / CLOCK_NS_PER_MS) + 1 : 0;
}

/* false: standard input has ended. */
static bool
step(struct bench *bench)
{
	uint64_t now_ns;

	(void)poll(bench->polled, FIRST_SESSION + bench->n, wait_ms(bench));
	if (bench->polled[LISTENER].revents)
		accept_one(bench);
	now_ns = clock_now_ns();
	for (unsigned i = 0; i < bench->n; i++) {
		short revents = bench->polled[FIRST_SESSION + i].revents;

		if (revents || bgp_session_deadline_ns(bench->routers[i].session) <= now_ns)
			bgp_session_run(bench->routers[i].session, revents);
	}
	return !bench->polled[COMMANDS].revents || command_read(bench);
}

int
main(int argc, char **argv)
{
	static struct bench bench = {.config = {.hold_s = 9, .reconnect_s = 1, .role = BGP_ROLE_NONE}};

	log_init("bench-bgp-peers", LOG_ERROR);
	if (!options_parse(argc, argv, &bench))
		return 2;
	bench.polled[LISTENER] = (struct pollfd){.fd = bench.dials ? -1 : listener_open(), .events = POLLIN};
	bench.polled[COMMANDS] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	for (unsigned i = 0; i < bench.n; i++) {
		if (!router_open(&bench, i)) {
			fprintf(stderr, "bench-bgp-peers: no memory for so many sessions and routes\n");
			return 1;
		}
		bench.polled[FIRST_SESSION + i] = (struct pollfd){.fd = bgp_session_fd(bench.routers[i].session), .events = POLLIN};
	}
	while (step(&bench))
		;
	for (unsigned i = 0; i < bench.n; i++)
		bgp_session_free(bench.routers[i].session);
	return 0;
}
