/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nearcastctl capture: asks for one, and writes the pcapng file that comes, block by block, until it is over, the user
 * ends it, or nobody reads what is written. Whatever the end, the file is a whole one.
 */
#ifndef CTL_CAPTURE_H
#define CTL_CAPTURE_H

#include "ctl/command.h"

/* fd: as client_open gives it; params are taken over. The exit code; what happened is told on stderr. */
int capture_run(int fd, const struct command *command, json_t *params);

#endif
