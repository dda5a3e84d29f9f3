/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "ctl/client.h"

enum {
	LINE_MAX_OCTETS = 1 << 20,
	SILENCE_S = 30,	      /* beyond the capture's time: then nobody is there any more */
	SECONDS_DEFAULT = 60, /* the control plane's (abi/control.h) */
};

struct capture {
	const struct command *command;
	int socket;
	int signals;
	int out;      /* -1: the file is made when its first octets come */
	bool is_over; /* status and answer are what it came to */
	int status;
	json_t *answer;
	size_t len;
	char input[LINE_MAX_OCTETS];
	uint8_t octets[LINE_MAX_OCTETS];
};

static void
end(struct capture *c, int status)
{
	c->is_over = true;
	c->status = status;
}

static int
file_open(struct capture *c)
{
	const char *path = c->command->write;

	if (c->out < 0)
		c->out = strcmp(path, "-") == 0 ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return c->out < 0 ? -errno : 0;
}

static int
write_all(int fd, const uint8_t *octets, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, octets, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		octets += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Who reads a pipe and has seen enough is no fault. */
static void
octets_take(struct capture *c, const char *text)
{
	long len = text ? base64_decode(text, c->octets, sizeof(c->octets)) : -EINVAL;
	int err = len < 0 ? (int)len : file_open(c);

	if (!err)
		err = write_all(c->out, c->octets, (size_t)len);
	if (err && err != -EPIPE)
		fprintf(stderr, "nearcastctl: %s: %s\n", c->command->write,
			len < 0 ? "the control plane sent what is no base64" : strerror(-err));
	if (err)
		end(c, err == -EPIPE ? EXIT_SUCCESS : len < 0 ? COMMAND_UNREACHABLE : COMMAND_REFUSED);
}

static void
line_take(struct capture *c, const char *line, size_t len)
{
	json_t *message = json_loadb(line, len, 0, NULL);
	const char *method = json_string_value(json_object_get(message, "method"));
	char text[1024];

	if (method) {
		if (strcmp(method, "captured") == 0)
			octets_take(c, json_string_value(json_object_get(json_object_get(message, "params"), "octets")));
	} else {
		enum client_outcome outcome = client_judge(message, &c->answer, text, sizeof(text));

		if (outcome != CLIENT_OK)
			fprintf(stderr, "nearcastctl: %s\n", text);
		end(c, outcome == CLIENT_OK ? EXIT_SUCCESS : outcome == CLIENT_REFUSED ? COMMAND_REFUSED : COMMAND_UNREACHABLE);
	}
	json_decref(message);
}

static void
input_take(struct capture *c)
{
	ssize_t n = recv(c->socket, c->input + c->len, sizeof(c->input) - c->len, MSG_DONTWAIT);
	char *line = c->input, *newline;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		fputs("nearcastctl: the control plane closed the connection\n", stderr);
		end(c, COMMAND_UNREACHABLE);
		return;
	}
	c->len += (size_t)n;
	while (!c->is_over && (newline = memchr(line, '\n', (size_t)(c->input + c->len - line))) != NULL) {
		line_take(c, line, (size_t)(newline - line));
		line = newline + 1;
	}
	c->len -= (size_t)(line - c->input);
	memmove(c->input, line, c->len);
}

/* The rest still comes, and the answer. A second signal ends the program at once. */
static void
signal_take(struct capture *c)
{
	struct signalfd_siginfo info;
	sigset_t set;

	if (read(c->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (client_tell(c->socket, "capture.stop") != 0)
		end(c, COMMAND_UNREACHABLE);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
watch(struct capture *c)
{
	/* A pipe whose reader has gone is seen though nothing is written to it. */
	struct pollfd fds[] = {{.fd = c->socket, .events = POLLIN}, {.fd = c->signals, .events = POLLIN}, {.fd = c->out}};
	unsigned seconds = c->command->seconds ? c->command->seconds : SECONDS_DEFAULT;
	int n = poll(fds, ARRAY_LEN(fds), (int)(seconds + SILENCE_S) * 1000);

	if (n == 0) {
		fputs("nearcastctl: the control plane doesn't answer\n", stderr);
		end(c, COMMAND_UNREACHABLE);
	}
	if (n <= 0)
		return;
	if (fds[1].revents)
		signal_take(c);
	if (fds[2].revents & POLLERR)
		end(c, EXIT_SUCCESS);
	else if (fds[0].revents)
		input_take(c);
}

static void
answer_show(const struct capture *c)
{
	if (c->command->is_json && strcmp(c->command->write, "-") != 0) {
		json_dumpf(c->answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		fprintf(stderr, "%lld packets, %lld missed; ended by %s\n",
			(long long)json_integer_value(json_object_get(c->answer, "packets")),
			(long long)json_integer_value(json_object_get(c->answer, "missed")),
			json_string_value(json_object_get(c->answer, "ended")));
	}
}

/* False: *why says what is wrong with the request. */
static bool
is_sound(const struct command *command, const char **why)
{
	*why = !command->write ? "capture: --write FILE is missing; - is the standard output"
	       : strcmp(command->write, "-") == 0 && isatty(STDOUT_FILENO)
		       ? "capture: the standard output is a terminal: write to a file or into a pipe"
		       : NULL;
	return !*why;
}

static int
signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int
capture_run(int fd, const struct command *command, json_t *params)
{
	struct capture *c = calloc(1, sizeof(*c));
	const char *why = NULL;
	int status = COMMAND_REFUSED;

	if (!c || !is_sound(command, &why)) {
		fprintf(stderr, "nearcastctl: %s\n", why ? why : strerror(ENOMEM));
		json_decref(params);
		free(c);
		return why ? COMMAND_USAGE : COMMAND_REFUSED;
	}
	c->command = command;
	c->socket = fd;
	c->out = -1;
	c->signals = signals_open();
	if (client_send(fd, "capture", params) != 0)
		end(c, COMMAND_UNREACHABLE);
	while (!c->is_over)
		watch(c);
	if (c->answer)
		answer_show(c);
	status = c->status;
	json_decref(c->answer);
	close(c->signals);
	free(c);
	return status;
}
