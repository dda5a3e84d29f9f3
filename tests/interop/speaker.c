/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bgp-speaker [OPTION]... PEER LOCAL_AS PEER_AS ROUTER_ID PREFIX...
 *
 * One session of bgp/ for tests: announces the prefixes; lines on standard input change that (commands.h), their
 * end or SIGTERM stops the session cleanly. Prints each state, what the peer tells, and each NOTIFICATION (heard.h).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/tcp.h"
#include "commands.h"
#include "heard.h"
#include "options.h"

enum { LISTENER, COMMANDS, SIGNALS, SESSION, POLLED };

struct speaker {
	struct bgp_config config;
	struct bgp_session *session;
	struct bgp_status shown;
	bool listens;
	bool ends;
	char line[512];
	size_t line_len;
	struct pollfd polled[POLLED];
};

static bool
session_open(int argc, char **argv, struct speaker *speaker)
{
	struct bgp_config *config = &speaker->config;
	struct addr id;

	if (argc < 4 || addr_parse(argv[0], &config->peer) != 0 || addr_parse(argv[3], &id) != 0)
		return false;
	config->local_as = (uint32_t)strtoul(argv[1], NULL, 10);
	config->peer_as = (uint32_t)strtoul(argv[2], NULL, 10);
	config->router_id = (uint32_t)id.octets[0] << 24 | (uint32_t)id.octets[1] << 16 | (uint32_t)id.octets[2] << 8 |
			    id.octets[3];
	speaker->session = bgp_session_new(config);
	if (!speaker->session)
		return false;
	bgp_session_listen(speaker->session, &heard, speaker);
	for (int i = 4; i < argc; i++)
		command_announce(speaker->session, argv[i]);
	return true;
}

static int
listener_open(const struct bgp_config *config)
{
	struct prefix peer = prefix_of(&config->peer, config->peer.family == ADDR_V6 ? 128 : 32);
	char why[TCP_WHY_MAX];
	int fd;

	if (tcp_listen(&config->local, 0, &fd, why) == 0 && tcp_key_set(fd, &peer, config, why) == 0)
		return fd;
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static void
accept_peer(struct speaker *speaker)
{
	char why[TCP_WHY_MAX];
	struct tcp_peer peer;
	int fd;

	if (tcp_accept(speaker->polled[LISTENER].fd, &fd, &peer) != 0)
		return;
	if (tcp_admit(fd, &speaker->config, why) == 0 && addr_equal(&peer.addr, &speaker->config.peer)) {
		bgp_session_accept(speaker->session, fd);
		return;
	}
	printf("not admitted\n");
	close(fd);
}

static void
commands_read(struct speaker *speaker)
{
	ssize_t got =
		read(STDIN_FILENO, speaker->line + speaker->line_len, sizeof(speaker->line) - speaker->line_len - 1);
	char *end;

	if (got <= 0) {
		speaker->ends = true;
		return;
	}
	speaker->line_len += (size_t)got;
	speaker->line[speaker->line_len] = '\0';
	while ((end = strchr(speaker->line, '\n'))) {
		*end = '\0';
		command_run(speaker->session, speaker->line);
		speaker->line_len -= (size_t)(end + 1 - speaker->line);
		memmove(speaker->line, end + 1, speaker->line_len + 1);
	}
}

static void
status_show(struct speaker *speaker)
{
	struct bgp_status now = bgp_session_status(speaker->session);

	heard_status(&speaker->shown, &now);
	fflush(stdout);
}

static int
wait_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / CLOCK_NS_PER_MS + 1 : 0;

	return ms > 1000 ? 1000 : (int)ms;
}

static void
step(struct speaker *speaker)
{
	struct pollfd *polled = speaker->polled;

	polled[SESSION] =
		(struct pollfd){.fd = bgp_session_fd(speaker->session), .events = bgp_session_events(speaker->session)};
	(void)poll(polled, POLLED, wait_ms(bgp_session_deadline_ns(speaker->session)));
	if (polled[LISTENER].revents)
		accept_peer(speaker);
	if (polled[COMMANDS].revents)
		commands_read(speaker);
	speaker->ends |= polled[SIGNALS].revents != 0;
	if (speaker->ends)
		bgp_session_stop(speaker->session, 2, NULL);
	bgp_session_run(speaker->session, polled[SESSION].revents);
	status_show(speaker);
}

int
main(int argc, char **argv)
{
	struct speaker speaker = {
		.config = {.name = "peer", .hold_s = 9, .reconnect_s = 1, .role = BGP_ROLE_NONE},
	};
	sigset_t signals;

	log_init("bgp-speaker", LOG_DEBUG);
	if (!options_parse(argc, argv, &speaker.config, &speaker.listens) ||
	    !session_open(argc - optind, argv + optind, &speaker))
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	speaker.polled[LISTENER] =
		(struct pollfd){.fd = speaker.listens ? listener_open(&speaker.config) : -1, .events = POLLIN};
	speaker.polled[COMMANDS] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	speaker.polled[SIGNALS] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
	bgp_session_start(speaker.session);
	status_show(&speaker);
	while (!speaker.ends)
		step(&speaker);
	bgp_session_free(speaker.session);
	return 0;
}
