/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/region.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* First in the rings and captures memfds: only there so that a wrong descriptor is told apart. */
struct abi_rings_header {
	_Alignas(64) uint32_t magic;
	uint32_t version;
	uint32_t record_size;
	uint32_t zero;
};

enum { RINGS_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };
enum { COUNTERS_SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

static size_t
rings_size(void)
{
	return sizeof(struct abi_rings_header) + ring_bytes(ABI_COMMANDS) + ring_bytes(ABI_REPLIES) +
	       ring_bytes(ABI_EVENTS);
}

static void
rings_place(struct region_rings *rings)
{
	uint8_t *at = (uint8_t *)rings->base + sizeof(struct abi_rings_header);

	rings->commands = ring_init(at, ABI_COMMANDS);
	at += ring_bytes(ABI_COMMANDS);
	rings->replies = ring_init(at, ABI_REPLIES);
	at += ring_bytes(ABI_REPLIES);
	rings->events = ring_init(at, ABI_EVENTS);
}

static int
memfd_new(const char *name, size_t size, int *out)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* A mapping can't fault later: the memfd has this size and can't shrink. */
static int
memfd_check(int memfd, int seals, size_t *size)
{
	struct stat st;
	int have = fcntl(memfd, F_GET_SEALS);

	if (have < 0 || (have & seals) != seals || fstat(memfd, &st) != 0 || st.st_size <= 0)
		return -EPROTO;
	*size = (size_t)st.st_size;
	return 0;
}

static int
memfd_map(int memfd, size_t size, int protection, void **base)
{
	void *mapped = mmap(NULL, size, protection, MAP_SHARED | MAP_POPULATE, memfd, 0);

	if (mapped == MAP_FAILED)
		return -errno;
	*base = mapped;
	return 0;
}

int
region_rings_new(struct region_rings *rings)
{
	struct region_rings r = {.size = rings_size(), .memfd = -1, .command_event = -1, .reply_event = -1};
	int err = memfd_new("nearcast-rings", r.size, &r.memfd);

	if (err)
		return err;
	if (fcntl(r.memfd, F_ADD_SEALS, RINGS_SEALS) != 0)
		goto failed;
	r.command_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r.reply_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r.command_event < 0 || r.reply_event < 0)
		goto failed;
	err = memfd_map(r.memfd, r.size, PROT_READ | PROT_WRITE, &r.base);
	if (err)
		goto unwind;
	*(struct abi_rings_header *)r.base = (struct abi_rings_header){
		.magic = ABI_MAGIC, .version = ABI_VERSION, .record_size = sizeof(union abi_record)};
	rings_place(&r);
	*rings = r;
	return 0;

failed:
	err = -errno;
unwind:
	region_rings_free(&r);
	return err;
}

int
region_rings_map(struct region_rings *rings, int memfd, int command_event, int reply_event)
{
	struct region_rings r = {.memfd = memfd, .command_event = command_event, .reply_event = reply_event};
	struct abi_rings_header header;
	int err = memfd_check(memfd, RINGS_SEALS, &r.size);

	if (err)
		return err;
	if (r.size != rings_size())
		return -EPROTO;
	err = memfd_map(memfd, r.size, PROT_READ | PROT_WRITE, &r.base);
	if (err)
		return err;
	header = *(struct abi_rings_header *)r.base;
	if (header.magic != ABI_MAGIC || header.version != ABI_VERSION || header.record_size != sizeof(union abi_record)) {
		munmap(r.base, r.size);
		return -EPROTO;
	}
	rings_place(&r);
	*rings = r;
	return 0;
}

void
region_rings_free(struct region_rings *rings)
{
	const int fds[] = {rings->memfd, rings->command_event, rings->reply_event};

	if (rings->base)
		munmap(rings->base, rings->size);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	*rings = (struct region_rings){.memfd = -1, .command_event = -1, .reply_event = -1};
}

static size_t
captures_size(unsigned n_workers)
{
	return sizeof(struct abi_rings_header) + n_workers * capture_ring_bytes(ABI_CAPTURE_SLOTS);
}

static void
captures_place(struct region_captures *captures)
{
	uint8_t *at = (uint8_t *)captures->base + sizeof(struct abi_rings_header);

	for (unsigned i = 0; i < captures->n_workers; i++, at += capture_ring_bytes(ABI_CAPTURE_SLOTS))
		captures->rings[i] = capture_ring_init(at, ABI_CAPTURE_SLOTS);
}

int
region_captures_new(struct region_captures *captures, unsigned n_workers)
{
	struct region_captures c = {.size = captures_size(n_workers), .memfd = -1, .n_workers = n_workers};
	int err = memfd_new("nearcast-captures", c.size, &c.memfd);

	if (err)
		return err;
	/* Mapped with its pages there: a worker that copies the first packet into one doesn't wait for the kernel. */
	err = memfd_map(c.memfd, c.size, PROT_READ | PROT_WRITE, &c.base);
	if (!err && fcntl(c.memfd, F_ADD_SEALS, RINGS_SEALS) != 0)
		err = -errno;
	if (err) {
		region_captures_free(&c);
		return err;
	}
	*(struct abi_rings_header *)c.base = (struct abi_rings_header){
		.magic = ABI_MAGIC, .version = ABI_VERSION, .record_size = sizeof(struct abi_capture_slot)};
	captures_place(&c);
	*captures = c;
	return 0;
}

int
region_captures_map(struct region_captures *captures, int memfd, unsigned n_workers)
{
	struct region_captures c = {.memfd = memfd, .n_workers = n_workers};
	struct abi_rings_header header;
	int err = memfd_check(memfd, RINGS_SEALS, &c.size);

	if (err)
		return err;
	if (n_workers == 0 || n_workers > ABI_WORKERS_MAX || c.size != captures_size(n_workers))
		return -EPROTO;
	err = memfd_map(memfd, c.size, PROT_READ | PROT_WRITE, &c.base);
	if (err)
		return err;
	header = *(struct abi_rings_header *)c.base;
	if (header.magic != ABI_MAGIC || header.version != ABI_VERSION ||
	    header.record_size != sizeof(struct abi_capture_slot)) {
		munmap(c.base, c.size);
		return -EPROTO;
	}
	captures_place(&c);
	*captures = c;
	return 0;
}

void
region_captures_free(struct region_captures *captures)
{
	if (captures->base)
		munmap(captures->base, captures->size);
	if (captures->memfd >= 0)
		close(captures->memfd);
	*captures = (struct region_captures){.memfd = -1};
}

static uint64_t
align64(uint64_t value)
{
	return (value + 63) & ~UINT64_C(63);
}

/* The one place that lays the counters out; the reader computes the same and compares. */
static struct abi_counters_header
counters_layout(unsigned n_workers, size_t *size)
{
	struct abi_counters_header h = {.magic = ABI_MAGIC, .version = ABI_VERSION, .n_workers = n_workers};

	h.ports_at = align64(sizeof(h));
	h.services_at = align64(h.ports_at + ABI_PORTS_MAX * sizeof(struct abi_port));
	h.backends_at = align64(h.services_at + ABI_SERVICES_MAX * sizeof(struct abi_directory_entry));
	h.workers_at = align64(h.backends_at + ABI_BACKENDS_MAX * sizeof(struct abi_directory_entry));
	h.worker_services_at = align64(sizeof(struct abi_worker_block));
	h.worker_backends_at = align64(h.worker_services_at + ABI_SERVICES_MAX * sizeof(struct abi_service_counters));
	h.worker_reasons_at = align64(h.worker_backends_at + ABI_BACKENDS_MAX * sizeof(struct abi_backend_counters));
	h.worker_stride = align64(h.worker_reasons_at + ABI_SERVICES_MAX * sizeof(struct abi_service_reasons));
	*size = h.workers_at + n_workers * h.worker_stride;
	return h;
}

int
region_counters_new(struct region_counters *counters, unsigned n_workers)
{
	struct region_counters c = {.memfd = -1, .n_workers = n_workers};
	struct abi_counters_header layout = counters_layout(n_workers, &c.size);
	int err = memfd_new("nearcast-counters", c.size, &c.memfd);

	if (err)
		return err;
	err = memfd_map(c.memfd, c.size, PROT_READ | PROT_WRITE, &c.base);
	if (!err && fcntl(c.memfd, F_ADD_SEALS, COUNTERS_SEALS | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) != 0)
		err = -errno;
	if (err) {
		region_counters_free(&c);
		return err;
	}
	memcpy(c.base, &layout, sizeof(layout));
	*counters = c;
	return 0;
}

static bool
layout_equal(const struct abi_counters_header *a, const struct abi_counters_header *b)
{
	return a->magic == b->magic && a->version == b->version && a->n_workers == b->n_workers && a->ports_at == b->ports_at &&
	       a->services_at == b->services_at && a->backends_at == b->backends_at && a->workers_at == b->workers_at &&
	       a->worker_stride == b->worker_stride && a->worker_services_at == b->worker_services_at &&
	       a->worker_backends_at == b->worker_backends_at && a->worker_reasons_at == b->worker_reasons_at;
}

int
region_counters_map(struct region_counters *counters, int memfd)
{
	struct region_counters c = {.memfd = memfd};
	const struct abi_counters_header *shared;
	struct abi_counters_header expected;
	size_t size;
	int err = memfd_check(memfd, COUNTERS_SEALS, &c.size);

	if (err)
		return err;
	if (c.size < sizeof(*shared))
		return -EPROTO;
	err = memfd_map(memfd, c.size, PROT_READ, &c.base);
	if (err)
		return err;
	shared = c.base;
	expected = counters_layout(shared->n_workers <= ABI_WORKERS_MAX ? shared->n_workers : 0, &size);
	c.n_workers = expected.n_workers;
	if (c.n_workers == 0 || !layout_equal(shared, &expected) || size != c.size) {
		munmap(c.base, c.size);
		return -EPROTO;
	}
	*counters = c;
	return 0;
}

void
region_counters_free(struct region_counters *counters)
{
	if (counters->base)
		munmap(counters->base, counters->size);
	if (counters->memfd >= 0)
		close(counters->memfd);
	*counters = (struct region_counters){.memfd = -1};
}

/* Places are computed from the layout, not read from the mapping. */
static void *
counters_at(const struct region_counters *counters, uint64_t offset)
{
	return (uint8_t *)counters->base + offset;
}

struct abi_counters_header *
region_header(const struct region_counters *counters)
{
	return counters->base;
}

struct abi_port *
region_ports(const struct region_counters *counters)
{
	size_t size;

	return counters_at(counters, counters_layout(0, &size).ports_at);
}

struct abi_directory_entry *
region_services(const struct region_counters *counters)
{
	size_t size;

	return counters_at(counters, counters_layout(0, &size).services_at);
}

struct abi_directory_entry *
region_backends(const struct region_counters *counters)
{
	size_t size;

	return counters_at(counters, counters_layout(0, &size).backends_at);
}

struct abi_worker_block *
region_worker(const struct region_counters *counters, unsigned worker)
{
	size_t size;
	struct abi_counters_header layout = counters_layout(0, &size);

	return counters_at(counters, layout.workers_at + worker * layout.worker_stride);
}

struct abi_service_counters *
region_worker_services(const struct region_counters *counters, unsigned worker)
{
	size_t size;
	uint8_t *block = (uint8_t *)region_worker(counters, worker);

	return (struct abi_service_counters *)(void *)(block + counters_layout(0, &size).worker_services_at);
}

struct abi_backend_counters *
region_worker_backends(const struct region_counters *counters, unsigned worker)
{
	size_t size;
	uint8_t *block = (uint8_t *)region_worker(counters, worker);

	return (struct abi_backend_counters *)(void *)(block + counters_layout(0, &size).worker_backends_at);
}

struct abi_service_reasons *
region_worker_reasons(const struct region_counters *counters, unsigned worker)
{
	size_t size;
	uint8_t *block = (uint8_t *)region_worker(counters, worker);

	return (struct abi_service_reasons *)(void *)(block + counters_layout(0, &size).worker_reasons_at);
}

int
region_send_hello(int socket)
{
	struct abi_hello hello = {.magic = ABI_MAGIC,
				  .version = ABI_VERSION,
				  .record_size = sizeof(union abi_record),
				  .pid = (uint32_t)getpid()};

	return send(socket, &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello) ? 0 : -errno;
}

int
region_recv_hello(int socket, struct abi_hello *hello)
{
	struct abi_hello got;
	ssize_t len = recv(socket, &got, sizeof(got), MSG_TRUNC);

	if (len < 0)
		return -errno;
	if (len != sizeof(got))
		return -EPROTO;
	*hello = got;
	return 0;
}

union fds_control {
	char octets[CMSG_SPACE(ABI_WELCOME_FDS * sizeof(int))];
	struct cmsghdr align;
};

int
region_send_welcome(int socket, const struct abi_welcome *welcome, const int *fds)
{
	union fds_control control = {{0}};
	struct iovec part = {.iov_base = (void *)(uintptr_t)welcome, .iov_len = sizeof(*welcome)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fds) {
		struct cmsghdr *header;

		message.msg_control = control.octets;
		message.msg_controllen = sizeof(control.octets);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(ABI_WELCOME_FDS * sizeof(int));
		memcpy(CMSG_DATA(header), fds, ABI_WELCOME_FDS * sizeof(int));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof(*welcome) ? 0 : -errno;
}

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Descriptors arrive whether we like the message or not: whatever is not handed on is closed. */
static size_t
take_fds(struct msghdr *message, int fds[static ABI_WELCOME_FDS])
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	size_t n;

	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(header), n * sizeof(int));
	return n;
}

int
region_recv_welcome(int socket, struct abi_welcome *welcome, int fds[static ABI_WELCOME_FDS])
{
	union fds_control control = {{0}};
	struct abi_welcome got;
	struct iovec part = {.iov_base = &got, .iov_len = sizeof(got)};
	/* Not CMSG_SPACE, whose padding would let the kernel hand over one descriptor more than `taken` holds. */
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.octets,
				 .msg_controllen = CMSG_LEN(ABI_WELCOME_FDS * sizeof(int))};
	int taken[ABI_WELCOME_FDS] = {-1, -1, -1, -1, -1};
	ssize_t len = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	size_t n;

	if (len < 0)
		return -errno;
	n = take_fds(&message, taken);
	if (len != sizeof(got) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    n != (got.status == ABI_WELCOME ? ABI_WELCOME_FDS : 0)) {
		close_all(taken, n);
		return -EPROTO;
	}
	got.reason[sizeof(got.reason) - 1] = '\0';
	*welcome = got;
	memcpy(fds, taken, sizeof(taken));
	return 0;
}
