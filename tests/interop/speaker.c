/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bgp-speaker [OPTION]... PEER LOCAL_AS PEER_AS ROUTER_ID PREFIX...
 *
 * One session of bgp/ for tests: announces the prefixes; lines on standard input ("announce PREFIX", "withdraw PREFIX",
 * "stop", "start") change that, their end or SIGTERM stops the session cleanly. Prints each state and each NOTIFICATION.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/path.h"
#include "bgp/session.h"

enum { LISTENER, COMMANDS, SIGNALS, SESSION, POLLED };

struct speaker {
	struct bgp_config config;
	struct path path;
	struct bgp_session *session;
	struct bgp_status shown;
	bool listens;
	bool ends;
	char line[256];
	size_t line_len;
	struct pollfd polled[POLLED];
};

static bool
seconds_parse(const char *text, uint16_t *out)
{
	unsigned long value = strtoul(text, NULL, 10);

	*out = (uint16_t)value;
	return value <= UINT16_MAX;
}

/* Nothing listens on the discard port, so a passive speaker's own tries are refused at once and it waits in Active. */
static bool
options_parse(int argc, char **argv, struct speaker *speaker)
{
	static const struct option options[] = {
		{"listen", no_argument, NULL, 'l'},
		{"passive", no_argument, NULL, 'p'},
		{"hold", required_argument, NULL, 'h'},
		{"reconnect", required_argument, NULL, 'r'},
		{"graceful-restart", required_argument, NULL, 'g'},
		{"local", required_argument, NULL, 'a'},
		{"next-hop", required_argument, NULL, 'n'},
		{0},
	};
	struct bgp_config *config = &speaker->config;
	struct addr hop;
	bool sound = true;
	int c;

	while (sound && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		speaker->listens |= c == 'l' || c == 'p';
		if (c == 'p')
			config->port = 9;
		else if (c == 'h')
			sound = seconds_parse(optarg, &config->hold_s);
		else if (c == 'r')
			sound = seconds_parse(optarg, &config->reconnect_s);
		else if (c == 'g')
			sound = seconds_parse(optarg, &config->graceful_restart_s);
		else if (c == 'a')
			sound = addr_parse(optarg, &config->local) == 0;
		else if (c == 'n' && (sound = addr_parse(optarg, &hop) == 0))
			*(hop.family == ADDR_V4 ? &config->next_hop_v4 : &config->next_hop_v6) = hop;
		else
			sound = c != '?';
	}
	return sound;
}

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
	for (int i = 4; speaker->session && i < argc; i++) {
		struct prefix prefix;

		if (prefix_parse(argv[i], &prefix) != 0 || bgp_session_announce(speaker->session, &prefix, &speaker->path) != 0)
			return false;
	}
	return speaker->session != NULL;
}

static int
listener_open(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(179)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 8) == 0)
		return fd;
	perror("listen");
	exit(1);
}

static void
command(struct speaker *speaker, char *line)
{
	char *argument = strchr(line, ' ');
	struct prefix prefix;

	if (strcmp(line, "stop") == 0)
		bgp_session_stop(speaker->session, 2, NULL);
	else if (strcmp(line, "start") == 0)
		bgp_session_start(speaker->session);
	else if (!argument || prefix_parse(argument + 1, &prefix) != 0)
		printf("what is \"%s\"?\n", line);
	else if (line[0] == 'w')
		bgp_session_withdraw(speaker->session, &prefix);
	else if (bgp_session_announce(speaker->session, &prefix, &speaker->path) != 0)
		printf("too many prefixes\n");
}

static void
commands_read(struct speaker *speaker)
{
	ssize_t got = read(STDIN_FILENO, speaker->line + speaker->line_len, sizeof(speaker->line) - speaker->line_len - 1);
	char *end;

	if (got <= 0) {
		speaker->ends = true;
		return;
	}
	speaker->line_len += (size_t)got;
	speaker->line[speaker->line_len] = '\0';
	while ((end = strchr(speaker->line, '\n'))) {
		*end = '\0';
		command(speaker, speaker->line);
		speaker->line_len -= (size_t)(end + 1 - speaker->line);
		memmove(speaker->line, end + 1, speaker->line_len + 1);
	}
}

static void
status_show(struct speaker *speaker)
{
	struct bgp_status now = bgp_session_status(speaker->session);

	if (now.errors != speaker->shown.errors)
		printf("%s %u/%u\n", now.last_error_ours ? "sent" : "received", now.last_error.code,
		       now.last_error.subcode);
	if (now.state != speaker->shown.state)
		printf("%s\n", bgp_state_name(now.state));
	fflush(stdout);
	speaker->shown = now;
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

	polled[SESSION] = (struct pollfd){.fd = bgp_session_fd(speaker->session),
					  .events = bgp_session_events(speaker->session)};
	(void)poll(polled, POLLED, wait_ms(bgp_session_deadline_ns(speaker->session)));
	if (polled[LISTENER].revents) {
		int fd = accept4(polled[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			bgp_session_accept(speaker->session, fd);
	}
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
	struct speaker speaker = {.config = {.name = "peer", .hold_s = 9, .reconnect_s = 1}};
	sigset_t signals;

	log_init("bgp-speaker", LOG_DEBUG);
	path_init(&speaker.path);
	if (!options_parse(argc, argv, &speaker) || !session_open(argc - optind, argv + optind, &speaker))
		return 2;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	speaker.polled[LISTENER] = (struct pollfd){.fd = speaker.listens ? listener_open() : -1, .events = POLLIN};
	speaker.polled[COMMANDS] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	speaker.polled[SIGNALS] = (struct pollfd){.fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN};
	bgp_session_start(speaker.session);
	status_show(&speaker);
	while (!speaker.ends)
		step(&speaker);
	bgp_session_free(speaker.session);
	return 0;
}
