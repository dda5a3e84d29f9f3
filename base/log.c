/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The process's one logger: logging is the one thing that every module does without being handed it. */
static struct {
	const char *program;
	enum log_level most;
	bool journal;
} logger = {.program = "nearcast", .most = LOG_INFO};

static const struct {
	const char *name;
	const char *journal_prefix; /* sd-daemon(3) */
} levels[] = {
	[LOG_ERROR] = {"error", "<3>"},	  [LOG_WARNING] = {"warning", "<4>"}, [LOG_NOTICE] = {"notice", "<5>"},
	[LOG_INFO] = {"info", "<6>"}, [LOG_DEBUG] = {"debug", "<7>"},
};

void
log_init(const char *program, enum log_level most)
{
	logger.program = program;
	logger.most = most;
	logger.journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	if (level > logger.most)
		return;
	if (logger.journal)
		len = snprintf(line, sizeof(line), "%s", levels[level].journal_prefix);
	else
		len = snprintf(line, sizeof(line), "%s: %s: ", logger.program, levels[level].name);
	va_start(args, format);
	len += vsnprintf(line + len, sizeof(line) - (size_t)len, format, args);
	va_end(args);
	if ((size_t)len >= sizeof(line) - 1)
		len = (int)sizeof(line) - 2;
	line[len++] = '\n';
	/* One write a line, so that lines of several threads don't mix. Nothing can be done when it fails. */
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		return;
}
