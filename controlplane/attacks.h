/* SPDX-License-Identifier: BSD-2-Clause */
/* The attacks that the dataplane tells of: those that go on, and the last ones that are over. Event loop's thread. */
#ifndef CONTROLPLANE_ATTACKS_H
#define CONTROLPLANE_ATTACKS_H

#include "controlplane/model.h"
#include "controlplane/talkers.h"

enum { ATTACKS_MAX = 256, ATTACKS_VECTOR_MAX = 128 };

struct attack {
	struct abi_attack last;		/* as it was last told; type 0: the place is free */
	char service[MODEL_NAME_MAX]; /* "?" when the configuration has no such service any more */
	uint64_t begun_ns;		/* CLOCK_MONOTONIC */
	uint64_t ended_ns;		/* 0: it goes on */
	char vector[ATTACKS_VECTOR_MAX]; /* "UDP amplification, isakmp (port 500)" */
	struct talkers_lists talkers;	/* since it began */
};

struct attacks;

struct attacks *attacks_new(void); /* NULL: no memory */
void attacks_free(struct attacks *attacks); /* NULL is fine */

/* Records of the other process: checked here; one that no dataplane sends changes nothing. An event is logged; what talkers
 * were told since the event before are its own. Those of no attack are the services', now. */
void attacks_take_talker(struct attacks *attacks, const struct abi_talker *talker);
void attacks_take(struct attacks *attacks, const struct model *model, const struct abi_attack *event, uint64_t now_ns);
/* The dataplane has gone: nothing goes on that could be told. */
void attacks_end_all(struct attacks *attacks, uint64_t now_ns);

/* The newest first; NULL: no more. */
const struct attack *attacks_lookup(const struct attacks *attacks, unsigned n);
/* Does an attack on the service go on? */
bool attacks_is_armed(const struct attacks *attacks, const char *service);
uint64_t attacks_count(const struct attacks *attacks); /* of all that have begun */
const struct talkers *attacks_talkers(const struct attacks *attacks);

double attacks_stopped_percent(const struct abi_attack *attack);
/* "packets, openings": the meters that were over their thresholds. */
void attacks_meters_format(uint8_t meters, char text[static 64]);
/* "challenged 97%, source_limit 3%". */
void attacks_reasons_format(const struct abi_attack *attack, char text[static 160]);

#endif
