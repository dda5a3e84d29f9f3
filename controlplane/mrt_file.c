/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/mrt_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/log.h"

enum { HALF = MRT_FILE_WAITING / 2, RETRY_S = 1, NAME_LEN = sizeof(((struct model_mrt *)0)->file) + 4 };
enum { LENGTH_OFFSET = 8, HEADER_LEN = 12 }; /* RFC 6396 2 */

/* Records that wait. Two of them: one is filled while the other is written. */
struct half {
	size_t len;
	uint8_t octets[HALF];
};

struct mrt_file {
	struct model_mrt config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;

	/* under the lock */
	bool ends;
	struct half *filling;
	struct mrt_file_status status;

	/* the thread's */
	struct half *writing;
	int fd; /* -1: none */
	uint32_t size;
	uint64_t old_ns; /* when the file is to turn over; UINT64_MAX: by size alone */
	uint64_t octets;
	uint64_t rotations;
	int told; /* the error that was logged last */
	struct half halves[2];
};

/* How many octets the whole records at the front take that fit into room; *n counts them. */
static size_t
records_within(const uint8_t *octets, size_t len, size_t room, uint64_t *n)
{
	size_t at = 0;

	while (at < len) {
		struct reader r = reader_init(octets + at + LENGTH_OFFSET, 4);
		size_t record = HEADER_LEN + (size_t)read_u32(&r);

		if (record > room - at)
			break;
		at += record;
		(*n)++;
	}
	return at;
}

static void
name_of(const struct model_mrt *config, unsigned number, char name[static NAME_LEN])
{
	if (number == 0)
		snprintf(name, NAME_LEN, "%s", config->file);
	else
		snprintf(name, NAME_LEN, "%s.%u", config->file, number);
}

/*
 * FILE becomes FILE.1, that FILE.2, and so on; what is not there is passed over, the oldest is written over. What isn't a
 * regular file stays where it is: it was named by mistake.
 */
static int
names_shift(const struct model_mrt *config)
{
	char from[NAME_LEN], to[NAME_LEN];
	struct stat st;

	if (lstat(config->file, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (st.st_size == 0)
		return 0;
	for (unsigned i = config->keep; i > 0; i--) {
		name_of(config, i - 1, from);
		name_of(config, i, to);
		if (rename(from, to) != 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static void
file_end(struct mrt_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static int
turn_over(struct mrt_file *file)
{
	bool is_rotation = file->fd >= 0;
	int err;

	file_end(file);
	err = names_shift(&file->config);
	if (err)
		return err;
	file->fd = open(file->config.file, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (file->fd < 0)
		return -errno;
	file->rotations += is_rotation;
	file->size = 0;
	file->old_ns = file->config.age_s ? clock_now_ns() + file->config.age_s * CLOCK_NS_PER_S : UINT64_MAX;
	return 0;
}

/* A file that nothing is in has no age. */
static bool
is_old(const struct mrt_file *file)
{
	return file->fd >= 0 && file->size > 0 && clock_now_ns() >= file->old_ns;
}

/* A file that couldn't take all of it is cut back to whole records; one that can't even be cut is left behind. */
static int
octets_write(struct mrt_file *file, const uint8_t *octets, size_t len, size_t *taken)
{
	size_t at = 0;
	uint64_t n = 0;
	int err = 0;

	while (!err && at < len) {
		ssize_t done = write(file->fd, octets + at, len - at);

		if (done > 0)
			at += (size_t)done;
		else if (done == 0 || errno != EINTR)
			err = done == 0 ? -EIO : -errno;
	}
	*taken = err ? records_within(octets, len, at, &n) : len;
	file->size += (uint32_t)*taken;
	file->octets += *taken;
	if (*taken < at && (ftruncate(file->fd, file->size) != 0 || lseek(file->fd, file->size, SEEK_SET) < 0))
		file_end(file);
	return err;
}

/* *lost: the records that couldn't be written. */
static int
half_write(struct mrt_file *file, const struct half *half, uint64_t *lost)
{
	size_t at = 0;
	uint64_t n = 0;
	int err = 0;

	while (!err && at < half->len) {
		size_t room = file->fd >= 0 && !is_old(file) ? file->config.rotate - file->size : 0;
		size_t len = records_within(half->octets + at, half->len - at, room, &n), taken = 0;

		/* No record is as long as the shortest file: after this there is room. */
		if (len == 0)
			err = turn_over(file);
		else
			err = octets_write(file, half->octets + at, len, &taken);
		at += taken;
	}
	records_within(half->octets + at, half->len - at, half->len - at, lost);
	return err;
}

static void
tell(struct mrt_file *file, int err)
{
	if (err != file->told && err)
		log_error("mrt %s: %s; records are lost until it can be written", file->config.file, strerror(-err));
	else if (err != file->told)
		log_notice("mrt %s: is written again", file->config.file);
	file->told = err;
}

static struct timespec
moment(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / CLOCK_NS_PER_S), .tv_nsec = (long)(ns % CLOCK_NS_PER_S)};
}

/* Under the lock. false: all is written, and it ends. */
static bool
work_wait(struct mrt_file *file)
{
	while (!file->ends && file->filling->len == 0 && !is_old(file)) {
		struct timespec until = moment(file->old_ns);

		if (file->size > 0 && file->old_ns != UINT64_MAX)
			pthread_cond_timedwait(&file->wake, &file->lock, &until);
		else
			pthread_cond_wait(&file->wake, &file->lock);
	}
	return file->filling->len > 0 || !file->ends;
}

/* Under the lock: what was filled is the thread's now. */
static struct half *
take(struct mrt_file *file)
{
	struct half *half = file->filling;

	file->filling = file->writing;
	file->writing = half;
	return half;
}

/* Under the lock, after a failure: not again at once, unless it all ends. */
static void
pause_a_while(struct mrt_file *file)
{
	struct timespec until = moment(clock_now_ns() + RETRY_S * CLOCK_NS_PER_S);

	while (!file->ends && pthread_cond_timedwait(&file->wake, &file->lock, &until) == 0)
		;
}

static void *
thread_main(void *context)
{
	struct mrt_file *file = context;

	pthread_mutex_lock(&file->lock);
	while (work_wait(file)) {
		struct half *half = take(file);
		uint64_t lost = 0;
		int err;

		pthread_mutex_unlock(&file->lock);
		err = half->len > 0 ? half_write(file, half, &lost) : turn_over(file);
		tell(file, err);
		half->len = 0;
		pthread_mutex_lock(&file->lock);
		file->status.error = -err;
		file->status.lost += lost;
		file->status.octets = file->octets;
		file->status.rotations = file->rotations;
		file->status.size = file->size;
		if (err)
			pause_a_while(file);
	}
	pthread_mutex_unlock(&file->lock);
	return NULL;
}

/* Signals are the event loop's. */
static int
thread_start(struct mrt_file *file)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&file->thread, NULL, thread_main, file);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void
file_free(struct mrt_file *file)
{
	file_end(file);
	pthread_cond_destroy(&file->wake);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

struct mrt_file *
mrt_file_open(const struct model_mrt *config)
{
	struct mrt_file *file = calloc(1, sizeof(*file));
	pthread_condattr_t monotonic;

	if (!file)
		return NULL;
	file->config = *config;
	file->fd = -1;
	file->old_ns = UINT64_MAX;
	file->filling = &file->halves[0];
	file->writing = &file->halves[1];
	pthread_mutex_init(&file->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&file->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (thread_start(file) != 0) {
		file_free(file);
		return NULL;
	}
	return file;
}

void
mrt_file_close(struct mrt_file *file)
{
	if (!file)
		return;
	pthread_mutex_lock(&file->lock);
	file->ends = true;
	pthread_cond_signal(&file->wake);
	pthread_mutex_unlock(&file->lock);
	pthread_join(file->thread, NULL);
	file_free(file);
}

void
mrt_file_append(struct mrt_file *file, const uint8_t *record, size_t len)
{
	struct half *half;

	pthread_mutex_lock(&file->lock);
	half = file->filling;
	file->status.records++;
	if (len > HALF - half->len) {
		file->status.lost++;
	} else {
		memcpy(half->octets + half->len, record, len);
		half->len += len;
		pthread_cond_signal(&file->wake);
	}
	pthread_mutex_unlock(&file->lock);
}

struct mrt_file_status
mrt_file_status(struct mrt_file *file)
{
	struct mrt_file_status status;

	pthread_mutex_lock(&file->lock);
	status = file->status;
	pthread_mutex_unlock(&file->lock);
	return status;
}
