/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of MRT records that turns over by size and by age: FILE is written, FILE.1 is the one before. Records wait in
 * memory, MRT_FILE_WAITING octets at most, for a thread that writes them: a slow disk holds up nobody. What finds no room, or
 * can't be written, is lost and counted; a file holds whole records only, and no more octets than it is to have. Called by
 * one thread; the writing thread is its own.
 */
#ifndef CONTROLPLANE_MRT_FILE_H
#define CONTROLPLANE_MRT_FILE_H

#include "controlplane/model.h"

enum { MRT_FILE_WAITING = 8 << 20 };

struct mrt_file;

struct mrt_file_status {
	uint64_t records;   /* that were handed over */
	uint64_t lost;	    /* of these */
	uint64_t octets;    /* written, over all files */
	uint64_t rotations; /* a file that was there at the start is not counted */
	uint32_t size;	    /* of the file that is being written */
	int error;	    /* errno of what keeps it from writing; 0: nothing does */
};

/* A file that is there already becomes FILE.1: its last record may be cut. NULL: no memory, or no thread. */
struct mrt_file *mrt_file_open(const struct model_mrt *config);
/* Waits until what was handed over is written, or can't be. NULL is fine. */
void mrt_file_close(struct mrt_file *file);

void mrt_file_append(struct mrt_file *file, const uint8_t *record, size_t len);
struct mrt_file_status mrt_file_status(struct mrt_file *file);

#endif
