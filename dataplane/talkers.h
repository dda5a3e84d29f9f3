/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who sends to guarded services, and what an attack is made of. The workers' samples (stage/sample.h) are taken off
 * their rings and counted, all workers' together, in a sketch for each enum abi_talker_of: of the last seconds, and of
 * an attack since it began. What stands out is told (ABI_TALKER): an attack's before each of its events, a service's
 * every few seconds. And it is said here how much to sample: the less of a service, the more comes for it.
 *
 * A service's memory is allocated when it is first guarded. Main lcore only; time is an argument.
 */
#ifndef DATAPLANE_TALKERS_H
#define DATAPLANE_TALKERS_H

#include "abi/records.h"
#include "dataplane/stage/sample.h"

enum {
	TALKERS_HALF_S = 4,	/* what is older than this weighs half */
	TALKERS_TELL_S = 2,	/* between two reports of a service */
	TALKERS_PEACE_HZ = 256, /* samples a second that are wanted of a service */
	TALKERS_ARMED_HZ = 2048,
	TALKERS_QUIET_PPS = 500000, /* of all services: below it there is time to look more often */
	TALKERS_STRIDE_QUIET = 6,   /* one packet in 64 is looked at */
	TALKERS_STRIDE_ARMED = 4,
	TALKERS_RECORDS_MAX = 512, /* told between two ticks: half the event ring. What is above is not told */
};

struct talkers;

struct talkers_config {
	struct sample_shared *shared;
	void *context;
	void (*tell)(void *context, const union abi_record *talker);
};

struct talkers *talkers_new(const struct talkers_config *config); /* NULL: no memory */
void talkers_free(struct talkers *talkers);			  /* NULL is fine */

/* What is in a worker's ring, at most SAMPLE_RING samples. */
void talkers_take(struct talkers *talkers, struct sample_ring *ring);
/* Ages what there is and tells of some services; as often as the meters look. */
void talkers_tick(struct talkers *talkers, uint64_t now_ns);

/* Who has the service's index now; key 0: nobody that is guarded. Another one than before begins with nothing. */
void talkers_follow(struct talkers *talkers, unsigned service, uint64_t key, const struct abi_guard *guard);
/* What the service is sent, and whether it is armed. */
void talkers_rate(struct talkers *talkers, unsigned service, uint64_t packets_per_s, bool is_armed);
/* After those of all services: what the workers look at. */
void talkers_stride(struct talkers *talkers, bool some_is_armed);

/* An attack's own sketches begin. */
void talkers_attack_begin(struct talkers *talkers, unsigned service, uint32_t id);
/* Tells of its talkers and fills in the event's vector. */
void talkers_attack_tell(struct talkers *talkers, unsigned service, struct abi_attack *event);

#endif
