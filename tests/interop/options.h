/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "bgp/bgp.h"

/* The options in front of the words, from optind on; false: one is wrong. */
bool options_parse(int argc, char **argv, struct bgp_config *config, bool *listens);

#endif
