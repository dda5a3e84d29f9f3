/* SPDX-License-Identifier: BSD-2-Clause */
/* The attacks that the dataplane tells of: those that go on, and the last ones that are over. Event loop's thread. */
#ifndef CONTROLPLANE_ATTACKS_H
#define CONTROLPLANE_ATTACKS_H

#include "controlplane/model.h"

enum { ATTACKS_MAX = 256 };

struct attack {
	struct abi_attack last;		/* as it was last told; type 0: the place is free */
	char service[MODEL_NAME_MAX]; /* "?" when the configuration has no such service any more */
	uint64_t begun_ns;		/* CLOCK_MONOTONIC */
	uint64_t ended_ns;		/* 0: it goes on */
};

struct attacks;

struct attacks *attacks_new(void); /* NULL: no memory */
void attacks_free(struct attacks *attacks); /* NULL is fine */

/* Takes an event in, and logs what a person would want to know of it. Events of the other process: checked here. */
void attacks_take(struct attacks *attacks, const struct model *model, const struct abi_attack *event, uint64_t now_ns);
/* The dataplane has gone: nothing goes on that could be told. */
void attacks_end_all(struct attacks *attacks, uint64_t now_ns);

/* The newest first; NULL: no more. */
const struct attack *attacks_lookup(const struct attacks *attacks, unsigned n);
/* Does an attack on the service go on? */
bool attacks_is_armed(const struct attacks *attacks, const char *service);

/* "packets, openings": the meters that were over their thresholds. */
void attacks_meters_format(uint8_t meters, char text[static 64]);
/* "challenged 97%, source_limit 3%". */
void attacks_reasons_format(const struct abi_attack *attack, char text[static 160]);

#endif
