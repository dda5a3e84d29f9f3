/* SPDX-License-Identifier: BSD-2-Clause */
/* What is on the disk when the file is closed: whole records, in order, in as many files and octets as were allowed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "controlplane/mrt_file.h"

enum { ROTATE = 1000000, RECORD = 1000, IN_A_FILE = ROTATE / RECORD };

static struct {
	char directory[40];
	struct model_mrt config;
} t;

static void
begin(void)
{
	snprintf(t.directory, sizeof(t.directory), "/tmp/nearcast-mrt-XXXXXX");
	cr_assert(mkdtemp(t.directory));
	t.config = (struct model_mrt){.rotate = ROTATE, .keep = 2};
	snprintf(t.config.file, sizeof(t.config.file), "%s/bgp.mrt", t.directory);
}

static void
end(void)
{
	DIR *directory = opendir(t.directory);
	char path[400];

	for (struct dirent *entry; (entry = readdir(directory));) {
		snprintf(path, sizeof(path), "%s/%s", t.directory, entry->d_name);
		if (entry->d_name[0] != '.' && unlink(path) != 0)
			rmdir(path);
	}
	closedir(directory);
	rmdir(t.directory);
}

TestSuite(mrt_file, .init = begin, .fini = end);

/* A record that carries its number. */
static void
append(struct mrt_file *file, uint32_t number)
{
	uint8_t record[RECORD] = {0};
	struct writer w = writer_init(record, sizeof(record));

	write_u32(&w, number);
	write_u32(&w, 0x00110004);
	write_u32(&w, RECORD - 12);
	mrt_file_append(file, record, sizeof(record));
}

/* The numbers in FILE (0) or FILE.n, which must be whole records that follow one another; how many there are, -1: no file. */
static int
numbers(unsigned n, uint32_t *first)
{
	char path[400];
	uint8_t record[RECORD];
	uint32_t at = 0;
	FILE *file;
	int count = 0;

	snprintf(path, sizeof(path), n ? "%s.%u" : "%s", t.config.file, n);
	file = fopen(path, "rb");
	if (!file)
		return -1;
	for (size_t got; (got = fread(record, 1, sizeof(record), file)) > 0; count++) {
		struct reader r = reader_init(record, sizeof(record));
		uint32_t number = read_u32(&r);

		cr_assert_eq(got, sizeof(record), "a cut record in %s", path);
		cr_assert(count == 0 || number == at + 1, "%u after %u in %s", number, at, path);
		if (count == 0)
			*first = number;
		at = number;
	}
	fclose(file);
	return count;
}

/* Waits until the thread has written all of it, or can't. */
static struct mrt_file_status
settled(struct mrt_file *file, uint64_t octets)
{
	struct mrt_file_status status;

	do {
		usleep(1000);
		status = mrt_file_status(file);
	} while (status.octets < octets && !status.error);
	return status;
}

Test(mrt_file, turns_over_by_size_and_keeps_as_many_as_it_is_to)
{
	struct mrt_file *file = mrt_file_open(&t.config);
	struct mrt_file_status status;
	uint32_t first = 0;

	for (uint32_t i = 0; i < 4 * IN_A_FILE + 1; i++) {
		append(file, i);
		if (i % IN_A_FILE == 0)
			settled(file, (uint64_t)(i + 1) * RECORD);
	}
	status = settled(file, (4 * IN_A_FILE + 1) * RECORD);
	cr_expect_eq(status.records, 4 * IN_A_FILE + 1);
	cr_expect_eq(status.lost, 0);
	cr_expect_eq(status.rotations, 4);
	cr_expect_eq(status.size, RECORD);
	mrt_file_close(file);
	cr_expect(numbers(0, &first) == 1 && first == 4 * IN_A_FILE);
	cr_expect(numbers(1, &first) == IN_A_FILE && first == 3 * IN_A_FILE);
	cr_expect(numbers(2, &first) == IN_A_FILE && first == 2 * IN_A_FILE);
	cr_expect_eq(numbers(3, &first), -1);
}

Test(mrt_file, writes_what_was_handed_over_before_it_closes)
{
	struct mrt_file *file = mrt_file_open(&t.config);
	uint32_t first = 1;

	for (uint32_t i = 0; i < 2500; i++)
		append(file, i);
	mrt_file_close(file);
	cr_expect(numbers(2, &first) == 1000 && first == 0);
	cr_expect(numbers(1, &first) == 1000 && first == 1000);
	cr_expect(numbers(0, &first) == 500 && first == 2000);
}

Test(mrt_file, puts_what_is_there_already_aside)
{
	struct mrt_file *file;
	uint32_t first = 0;

	for (uint32_t run = 0; run < 2; run++) {
		file = mrt_file_open(&t.config);
		append(file, run);
		mrt_file_close(file);
	}
	cr_expect(numbers(0, &first) == 1 && first == 1);
	cr_expect(numbers(1, &first) == 1 && first == 0);
}

Test(mrt_file, turns_over_by_age_without_a_record_that_comes)
{
	struct mrt_file *file;
	uint64_t start_ns = clock_now_ns();
	uint32_t first = 0;

	t.config.age_s = 1;
	file = mrt_file_open(&t.config);
	append(file, 7);
	while (mrt_file_status(file).rotations == 0 && clock_now_ns() - start_ns < 20 * CLOCK_NS_PER_S)
		usleep(10000);
	cr_expect_eq(mrt_file_status(file).rotations, 1);
	cr_expect_geq(clock_now_ns() - start_ns, CLOCK_NS_PER_S);
	cr_expect(numbers(1, &first) == 1 && first == 7);
	cr_expect_eq(numbers(0, &first), 0, "it is there, and empty");
	mrt_file_close(file);
}

/* A limit of a process stands for a full disk: a write takes part of what it was given, then nothing. */
Test(mrt_file, loses_and_counts_what_a_full_disk_takes_not)
{
	struct rlimit full = {.rlim_cur = 2 * RECORD + RECORD / 2, .rlim_max = RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
	struct mrt_file *file;
	struct mrt_file_status status;
	uint32_t first = 9;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &full), 0);
	file = mrt_file_open(&t.config);
	append(file, 0);
	settled(file, RECORD);
	append(file, 1);
	settled(file, 2 * RECORD);
	append(file, 2);
	status = settled(file, 3 * RECORD);
	cr_expect_eq(status.error, EFBIG);
	cr_expect_eq(status.octets, 2 * RECORD);
	cr_expect_eq(status.lost, 1);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
	append(file, 2);
	do {
		status = mrt_file_status(file);
		usleep(1000);
	} while (status.error);
	mrt_file_close(file);
	cr_expect_eq(status.octets, 3 * RECORD);
	cr_expect(numbers(0, &first) == 3 && first == 0, "whole records only, and on where it stopped");
}

Test(mrt_file, loses_what_finds_no_room_while_the_disk_is_slow)
{
	struct mrt_file *file;
	struct mrt_file_status status;

	/* No file can be made: each try is followed by a pause, in which records pile up. */
	cr_assert_eq(mkdir(t.config.file, 0700), 0);
	file = mrt_file_open(&t.config);
	for (uint32_t i = 0; i < 3 * MRT_FILE_WAITING / RECORD; i++)
		append(file, i);
	status = mrt_file_status(file);
	cr_expect_gt(status.lost, MRT_FILE_WAITING / RECORD);
	mrt_file_close(file);
	cr_expect_eq(status.octets, 0);
}

Test(mrt_file, leaves_alone_what_is_no_file)
{
	struct mrt_file *file;
	struct stat st;

	cr_assert_eq(mkfifo(t.config.file, 0600), 0);
	file = mrt_file_open(&t.config);
	append(file, 0);
	cr_expect_eq(settled(file, RECORD).error, ENOTSUP);
	mrt_file_close(file);
	cr_expect(lstat(t.config.file, &st) == 0 && S_ISFIFO(st.st_mode));
}
