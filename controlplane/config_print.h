/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of config_print: what its two halves share. */
#ifndef CONTROLPLANE_CONFIG_PRINT_H
#define CONTROLPLANE_CONFIG_PRINT_H

#include "controlplane/config.h"

/* The key with what stands before and behind it, then the text in quotes. */
void print_key(FILE *file, const char *key, const char *text);
/* "KEY: {ipv4: A, ipv6: B}" on a line, nothing when there is neither. */
void print_families(FILE *file, const char *key, const struct addr *v4, const struct addr *v6);

void print_bgp(FILE *file, const struct model *model);
void print_vip(FILE *file, const struct model_vip *vip);

#endif
