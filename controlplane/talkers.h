/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who sends the most, as the dataplane tells it record by record: lists that are whole when the next begins. Records of
 * the other process: checked here. Pure but for the memory of struct talkers; event loop's thread.
 */
#ifndef CONTROLPLANE_TALKERS_H
#define CONTROLPLANE_TALKERS_H

#include "abi/records.h"

enum { TALKERS_VALUE_MAX = 64, TALKERS_SUMMARY_MAX = 256 };

/* For each kind the first so many, the greatest first. */
struct talkers_lists {
	uint8_t n[ABI_TALKERS];
	struct abi_talker ranks[ABI_TALKERS][ABI_TALKER_RANKS];
};

/* False: no dataplane says that. */
bool talkers_check(const struct abi_talker *talker);
/* A record that was checked. One whose predecessor was lost is left out. */
void talkers_lists_take(struct talkers_lists *lists, const struct abi_talker *talker);

const char *talkers_of_name(enum abi_talker_of of); /* "source", "prefix", ... */
/* "192.0.2.0/24", "123", "8f1c6a0b22d1e993 81800001..": the payload's hash and octets. */
void talkers_value_format(const struct abi_talker *talker, char text[static TALKERS_VALUE_MAX]);
double talkers_share_percent(const struct abi_talker *talker);
double talkers_error_percent(const struct abi_talker *talker);
/* "prefix 192.0.2.0/24 61%, port 123 100%": the first of each kind that makes up a tenth at least. */
void talkers_summary_format(const struct talkers_lists *lists, char text[static TALKERS_SUMMARY_MAX]);

/* Of the services, now. */
struct talkers;

struct talkers *talkers_new(void);	    /* NULL: no memory */
void talkers_free(struct talkers *talkers); /* NULL is fine */
/* Out of memory: the service has no list. */
void talkers_take(struct talkers *talkers, const struct abi_talker *talker);
void talkers_clear(struct talkers *talkers); /* the dataplane has gone */
/* NULL: nothing is known of the service with this key. */
const struct talkers_lists *talkers_lookup(const struct talkers *talkers, uint64_t service);

#endif
