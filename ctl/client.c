/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 20, SEND_S = 5 };

int
client_open(const char *path, double patience_s)
{
	const struct timeval send = {.tv_sec = SEND_S}, receive = {.tv_sec = (time_t)patience_s + 1};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A control plane that was stopped is there, but takes no connection and gives no answer. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) == 0 &&
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int
send_all(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		text += n;
		left -= (size_t)n;
	}
	return 0;
}

/* A whole line, without its newline; NULL: the other side ended first. */
static char *
receive_line(int fd)
{
	size_t size = 65536, len = 0;
	char *line = malloc(size);

	while (line && len < ANSWER_MAX) {
		ssize_t n = recv(fd, line + len, size - len - 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		line[len] = '\0';
		if (line[len - 1] == '\n')
			return line;
		if (size - len < 2) {
			char *larger = realloc(line, size *= 2);

			if (!larger)
				break;
			line = larger;
		}
	}
	free(line);
	return NULL;
}

enum client_outcome
client_judge(const json_t *reply, json_t **answer, char *text, size_t size)
{
	json_t *error = json_object_get(reply, "error");
	json_t *result = json_object_get(reply, "result");

	if (error) {
		const char *message = json_string_value(json_object_get(error, "message"));

		snprintf(text, size, "%s", message ? message : "refused without a reason");
		return CLIENT_REFUSED;
	}
	if (!result) {
		snprintf(text, size, "the answer is no JSON-RPC");
		return CLIENT_LOST;
	}
	*answer = json_incref(result);
	return CLIENT_OK;
}

/* The reference to the message is taken over. */
static int
send_message(int fd, json_t *message)
{
	char *line = message ? json_dumps(message, JSON_COMPACT) : NULL;
	int err = line ? send_all(fd, line) : -ENOMEM;

	if (!err)
		err = send_all(fd, "\n");
	free(line);
	json_decref(message);
	return err;
}

int
client_send(int fd, const char *method, json_t *params)
{
	return send_message(fd, json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", 1, "method", method, "params",
					  params));
}

int
client_tell(int fd, const char *method)
{
	return send_message(fd, json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method));
}

enum client_outcome
client_call(int fd, const char *method, json_t *params, json_t **answer, char *text, size_t size)
{
	enum client_outcome outcome = CLIENT_LOST;
	char *line = NULL;
	json_t *reply;

	errno = 0;
	if (client_send(fd, method, params) == 0)
		line = receive_line(fd);
	snprintf(text, size, "%s",
		 errno == EAGAIN ? "the control plane doesn't answer" : "the control plane closed the connection");
	reply = line ? json_loads(line, 0, NULL) : NULL;
	if (line)
		outcome = client_judge(reply, answer, text, size);
	json_decref(reply);
	free(line);
	return outcome;
}
