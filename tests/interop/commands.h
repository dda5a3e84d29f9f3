/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a speaker is told, a line each; what is wrong with one is said on standard output.
 *
 *     announce PREFIX [COMMUNITY]...     withdraw PREFIX
 *     flow RULE     unflow RULE          a FlowSpec rule that drops
 *     many COUNT                         so many prefixes of fd98::/104
 *     refresh                            asks for all families
 *     stop [TEXT]     start
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "bgp/session.h"

void command_announce(struct bgp_session *session, char *words); /* "PREFIX [COMMUNITY]..." */
void command_run(struct bgp_session *session, char *line);	 /* what is passed in is cut into words */

#endif
