/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/region.h"

enum { WORKERS = 3, ALL_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A memfd with `size` octets, the first of them `head`'s. */
static int
memfd_with(size_t size, int seals, const void *head, size_t head_len)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	if (head_len > 0)
		cr_assert_eq(pwrite(fd, head, head_len, 0), (ssize_t)head_len);
	if (seals)
		cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

Test(region, carries_records_both_ways_between_two_mappings)
{
	struct region_rings dataplane, control;
	union abi_record record = {.begin = {.type = ABI_BEGIN, .generation = 7}}, got;

	cr_assert_eq(region_rings_new(&dataplane), 0);
	cr_assert_eq(region_rings_map(&control, dup(dataplane.memfd), dup(dataplane.command_event),
				      dup(dataplane.reply_event)), 0);
	cr_assert(ring_push(&control.commands, &record));
	cr_assert_eq(ring_pop(&dataplane.commands, &got), 1);
	cr_expect_eq(got.begin.generation, 7);
	record.type = ABI_ACK;
	cr_assert(ring_push(&dataplane.replies, &record));
	record.type = ABI_SETTLED;
	cr_assert(ring_push(&dataplane.events, &record));
	cr_assert_eq(ring_pop(&control.replies, &got), 1);
	cr_expect_eq(got.type, ABI_ACK);
	cr_assert_eq(ring_pop(&control.events, &got), 1);
	cr_expect_eq(got.type, ABI_SETTLED);
	for (unsigned i = 0; i < ABI_COMMANDS; i++)
		cr_assert(ring_push(&control.commands, &record));
	cr_expect_not(ring_push(&control.commands, &record));
	region_rings_free(&control);
	region_rings_free(&dataplane);
}

Test(region, refuses_rings_of_another_size_layout_or_without_seals)
{
	struct region_rings good, rings;
	uint8_t head[64], other[64];
	int fds[2];

	cr_assert_eq(region_rings_new(&good), 0);
	cr_assert_eq(pread(good.memfd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	memcpy(other, head, sizeof(head));
	other[4]++; /* the version */
	const struct {
		const char *name;
		size_t size;
		int seals;
		const void *head;
	} rows[] = {
		{"empty", 0, ALL_SEALS, NULL},
		{"a page", 4096, ALL_SEALS, head},
		{"one octet short", good.size - 1, ALL_SEALS, head},
		{"one octet long", good.size + 1, ALL_SEALS, head},
		{"no seals", good.size, 0, head},
		{"may shrink", good.size, F_SEAL_GROW | F_SEAL_SEAL, head},
		{"may be sealed against writing", good.size, F_SEAL_SHRINK | F_SEAL_GROW, head},
		{"another version", good.size, ALL_SEALS, other},
		{"no header", good.size, ALL_SEALS, NULL},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = memfd_with(rows[i].size, rows[i].seals, rows[i].head,
				    rows[i].head && rows[i].size ? sizeof(head) : 0);

		cr_expect_eq(region_rings_map(&rings, fd, -1, -1), -EPROTO, "%s", rows[i].name);
		cr_expect(is_open(fd), "%s: the descriptor stays the caller's", rows[i].name);
		close(fd);
	}
	cr_assert_eq(pipe(fds), 0);
	cr_expect_eq(region_rings_map(&rings, fds[0], -1, -1), -EPROTO, "a pipe");
	close(fds[0]);
	close(fds[1]);
	cr_expect_eq(region_rings_map(&rings, -1, -1, -1), -EPROTO, "no descriptor");
	region_rings_free(&good);
}

Test(region, shows_the_counters_to_a_reader_that_cannot_write_them)
{
	struct region_counters writer, reader;

	cr_assert_eq(region_counters_new(&writer, WORKERS), 0);
	cr_assert_eq(region_counters_map(&reader, dup(writer.memfd)), 0);
	cr_expect_eq(reader.n_workers, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++) {
		atomic_store(&region_worker(&writer, i)->verdicts[VERDICT_FORWARDED], 100 + i);
		atomic_store(&region_worker_services(&writer, i)[ABI_SERVICES_MAX - 1].packets, 200 + i);
		atomic_store(&region_worker_backends(&writer, i)[ABI_BACKENDS_MAX - 1].icmp, 300 + i);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		cr_expect_eq(atomic_load(&region_worker(&reader, i)->verdicts[VERDICT_FORWARDED]), 100 + i);
		cr_expect_eq(atomic_load(&region_worker_services(&reader, i)[ABI_SERVICES_MAX - 1].packets), 200 + i);
		cr_expect_eq(atomic_load(&region_worker_backends(&reader, i)[ABI_BACKENDS_MAX - 1].icmp), 300 + i);
	}
	cr_expect_leq((uint8_t *)&region_worker_backends(&writer, WORKERS - 1)[ABI_BACKENDS_MAX],
		      (uint8_t *)writer.base + writer.size);
	cr_expect_eq(mmap(NULL, writer.size, PROT_READ | PROT_WRITE, MAP_SHARED, reader.memfd, 0), MAP_FAILED,
		     "sealed against writable mappings");
	cr_expect_neq(ftruncate(reader.memfd, 0), 0);
	region_counters_free(&reader);
	region_counters_free(&writer);
}

Test(region, refuses_counters_whose_header_or_size_lies)
{
	struct region_counters good, counters;
	struct abi_counters_header h;
	static const struct {
		const char *name;
		size_t at;
		uint8_t add;
	} rows[] = {
		{"magic", offsetof(struct abi_counters_header, magic), 1},
		{"version", offsetof(struct abi_counters_header, version), 1},
		{"one worker more than there is room for", offsetof(struct abi_counters_header, n_workers), 1},
		{"more workers than may be", offsetof(struct abi_counters_header, n_workers) + 2, 1},
		{"ports elsewhere", offsetof(struct abi_counters_header, ports_at), 64},
		{"backends beyond the end", offsetof(struct abi_counters_header, backends_at) + 7, 1},
		{"blocks over each other", offsetof(struct abi_counters_header, worker_stride) + 1, 1},
		{"nothing wrong", offsetof(struct abi_counters_header, flows), 1},
	};

	cr_assert_eq(region_counters_new(&good, WORKERS), 0);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_good = i == ARRAY_LEN(rows) - 1;
		int fd, err;

		cr_assert_eq(pread(good.memfd, &h, sizeof(h), 0), (ssize_t)sizeof(h));
		((uint8_t *)&h)[rows[i].at] = (uint8_t)(((uint8_t *)&h)[rows[i].at] + rows[i].add);
		fd = memfd_with(good.size, ALL_SEALS, &h, sizeof(h));
		err = region_counters_map(&counters, fd);
		cr_expect_eq(err, is_good ? 0 : -EPROTO, "%s", rows[i].name);
		cr_expect(is_open(fd), "%s", rows[i].name);
		if (err)
			close(fd);
		else
			region_counters_free(&counters);
	}
	cr_assert_eq(pread(good.memfd, &h, sizeof(h), 0), (ssize_t)sizeof(h));
	int small = memfd_with(sizeof(h) - 1, ALL_SEALS, NULL, 0), soft = memfd_with(good.size, 0, &h, sizeof(h));

	cr_expect_eq(region_counters_map(&counters, small), -EPROTO);
	cr_expect_eq(region_counters_map(&counters, soft), -EPROTO, "it could shrink under the reader");
	close(small);
	close(soft);
	region_counters_free(&good);
}

Test(region, hands_over_five_descriptors_with_the_welcome)
{
	struct abi_welcome sent = {.magic = ABI_MAGIC, .version = ABI_VERSION, .n_workers = 2}, got;
	struct region_rings rings;
	int ends[2], fds[ABI_WELCOME_FDS] = {-1, -1, -1, -1, -1};

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	cr_assert_eq(region_rings_new(&rings), 0);
	const int handed[] = {rings.memfd, rings.memfd, rings.memfd, rings.command_event, rings.reply_event};

	cr_assert_eq(region_send_welcome(ends[0], &sent, handed), 0);
	memset(sent.reason, 'x', sizeof(sent.reason)); /* not terminated */
	sent.status = ABI_REFUSED_BUSY;
	cr_assert_eq(region_send_welcome(ends[0], &sent, NULL), 0);
	cr_assert_eq(region_recv_welcome(ends[1], &got, fds), 0);
	cr_expect_eq(got.n_workers, 2);
	for (unsigned i = 0; i < ABI_WELCOME_FDS; i++) {
		cr_expect(is_open(fds[i]) && (fcntl(fds[i], F_GETFD) & FD_CLOEXEC));
		close(fds[i]);
	}
	cr_assert_eq(region_recv_welcome(ends[1], &got, fds), 0);
	cr_expect_eq(got.status, ABI_REFUSED_BUSY);
	cr_expect_eq(fds[0], -1);
	cr_expect_eq(strlen(got.reason), sizeof(got.reason) - 1, "terminated whatever was sent");
	close(ends[0]);
	close(ends[1]);
	region_rings_free(&rings);
}

/* A message by hand: `len` octets of a welcome with `n` descriptors. */
static void
send_raw(int socket, const struct abi_welcome *welcome, size_t len, unsigned n)
{
	union {
		char octets[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	uint8_t octets[sizeof(*welcome) + 8] = {0};
	struct iovec part = {.iov_base = octets, .iov_len = len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int fds[8] = {0};

	memcpy(octets, welcome, sizeof(*welcome));
	if (n > 0) {
		struct cmsghdr *header = &control.align;

		message.msg_control = control.octets;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		*header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
					   .cmsg_len = CMSG_LEN(n * sizeof(int))};
		memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	}
	cr_assert_eq(sendmsg(socket, &message, 0), (ssize_t)len);
}

Test(region, refuses_a_welcome_with_other_than_its_descriptors_and_keeps_none_of_them)
{
	static const struct {
		const char *name;
		size_t len;
		unsigned n;
		uint32_t status;
	} rows[] = {
		{"no descriptors", sizeof(struct abi_welcome), 0, ABI_WELCOME},
		{"one missing", sizeof(struct abi_welcome), 4, ABI_WELCOME},
		{"one too many", sizeof(struct abi_welcome), 6, ABI_WELCOME},
		{"eight", sizeof(struct abi_welcome), 8, ABI_WELCOME},
		{"a refusal with descriptors", sizeof(struct abi_welcome), 5, ABI_REFUSED_BUSY},
		{"too short", sizeof(struct abi_welcome) - 1, 5, ABI_WELCOME},
		{"too long", sizeof(struct abi_welcome) + 1, 5, ABI_WELCOME},
		{"one octet", 1, 0, ABI_WELCOME},
	};
	int ends[2], before, after;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	before = dup(0);
	close(before);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct abi_welcome welcome = {.magic = ABI_MAGIC, .status = rows[i].status}, got;
		int fds[ABI_WELCOME_FDS];

		send_raw(ends[0], &welcome, rows[i].len, rows[i].n);
		cr_expect_eq(region_recv_welcome(ends[1], &got, fds), -EPROTO, "%s", rows[i].name);
	}
	after = dup(0);
	cr_expect_eq(after, before, "no descriptor has leaked");
	close(after);
	close(ends[0]);
	cr_expect_neq(region_recv_welcome(ends[1], &(struct abi_welcome){0}, (int[ABI_WELCOME_FDS]){0}), 0, "the end");
	close(ends[1]);
}

Test(region, takes_a_hello_of_the_right_size_only)
{
	static const size_t lengths[] = {1, sizeof(struct abi_hello) - 1, sizeof(struct abi_hello) + 1};
	struct abi_hello hello = {.pid = 42};
	uint8_t octets[sizeof(hello) + 1] = {0};
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		cr_assert_eq(send(ends[0], octets, lengths[i], 0), (ssize_t)lengths[i]);
		cr_expect_eq(region_recv_hello(ends[1], &hello), -EPROTO, "%zu octets", lengths[i]);
		cr_expect_eq(hello.pid, 42, "the output stays as it was");
	}
	cr_assert_eq(region_send_hello(ends[0]), 0);
	cr_assert_eq(region_recv_hello(ends[1], &hello), 0);
	cr_expect_eq(hello.magic, ABI_MAGIC);
	cr_expect_eq(hello.record_size, sizeof(union abi_record));
	close(ends[0]);
	close(ends[1]);
}
