/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/mailbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	RECORDS_A_ROUND = 8192, /* the main lcore has other things to do as well */
	HELLO_MS = 2000,	/* a connection that doesn't speak gives way */
};

struct mailbox {
	struct mailbox_config config;
	struct sockaddr_un address;
	struct staging *staging;
	int epoll;
	int listener;
	int client; /* -1: none */
	bool is_welcome;
	uint64_t accepted_ns;
	uint64_t instance;
	struct region_rings rings;
	union abi_record reply; /* an answer that found the ring full; type 0: none */
};

/* The socket. */

static int
remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int err = 0;
	int fd;

	/* connect() refuses a plain file as it does a socket that nobody listens at: a slip in --socket must not cost one. */
	if (lstat(address->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -EEXIST;
	/* A process that hangs with a full backlog would hold a blocking call for ever. */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
	return err;
}

static int
listen_on(struct mailbox *m)
{
	int err = remove_stale(&m->address);
	mode_t mask;

	if (err)
		return err;
	m->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->listener < 0)
		return -errno;
	mask = umask(0117);
	if (bind(m->listener, (const struct sockaddr *)&m->address, sizeof(m->address)) != 0)
		err = -errno;
	umask(mask);
	if (!err && listen(m->listener, 4) != 0)
		err = -errno;
	if (err) {
		close(m->listener);
		m->listener = -1;
	}
	return err;
}

static int
watch(const struct mailbox *m, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(m->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int
mailbox_new(const struct mailbox_config *config, struct mailbox **out)
{
	struct mailbox *m = calloc(1, sizeof(*m));
	int err = -ENOMEM;

	if (!m)
		return err;
	m->config = *config;
	m->client = -1;
	m->listener = -1;
	m->rings = (struct region_rings){.memfd = -1, .command_event = -1, .reply_event = -1};
	m->address.sun_family = AF_UNIX;
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	m->staging = staging_new(config->n_ports);
	if (strlen(config->path) >= sizeof(m->address.sun_path))
		err = -ENAMETOOLONG;
	else if (m->epoll >= 0 && m->staging &&
		 getrandom(&m->instance, sizeof(m->instance), 0) == sizeof(m->instance)) {
		memcpy(m->address.sun_path, config->path, strlen(config->path) + 1);
		err = listen_on(m);
	}
	if (!err)
		err = watch(m, m->listener);
	if (err) {
		mailbox_free(m);
		return err;
	}
	*out = m;
	return 0;
}

static void
unwatch(const struct mailbox *m, int fd)
{
	if (fd >= 0)
		epoll_ctl(m->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* Closing takes a descriptor out of the epoll set only when nobody else has the file open, and the peer holds the
 * eventfd. A half transaction goes with its connection. */
static void
client_close(struct mailbox *m)
{
	unwatch(m, m->client);
	unwatch(m, m->rings.command_event);
	if (m->client >= 0)
		close(m->client);
	m->client = -1;
	m->is_welcome = false;
	m->reply.type = 0;
	region_rings_free(&m->rings);
	captures_close(m->config.captures);
	if (m->staging)
		staging_reset(m->staging);
}

void
mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	client_close(m);
	if (m->listener >= 0) {
		close(m->listener);
		unlink(m->address.sun_path);
	}
	if (m->epoll >= 0)
		close(m->epoll);
	staging_free(m->staging);
	free(m);
}

/* The handshake. */

static bool
client_has_ended(int fd)
{
	char octet;
	ssize_t n = recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void
refuse(int fd, enum abi_welcome_status status, const char *reason)
{
	struct abi_welcome welcome = {.magic = ABI_MAGIC, .version = ABI_VERSION, .status = status};

	snprintf(welcome.reason, sizeof(welcome.reason), "%s", reason);
	log_warning("control plane refused: %s", reason);
	/* It is closed next; whether it hears why is its own affair. */
	if (region_send_welcome(fd, &welcome, NULL) != 0)
		log_debug("control plane: refusal not sent");
	/* Closing over an unread hello would reset the connection, and the refusal would be lost with it. */
	while (recv(fd, &(char){0}, 1, MSG_DONTWAIT) > 0)
		;
}

static bool
is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static uint64_t
generation_of(const struct mailbox *m)
{
	const struct wanted *served = tables_served(m->config.tables);

	return served ? served->generation : 0;
}

static int
welcome(struct mailbox *m)
{
	struct abi_welcome message = {.magic = ABI_MAGIC,
				      .version = ABI_VERSION,
				      .n_workers = m->config.n_workers,
				      .counters_size = m->config.counters->size,
				      .generation = generation_of(m),
				      .instance = m->instance};
	int err = region_rings_new(&m->rings);
	int fds[ABI_WELCOME_FDS];

	if (!err)
		err = captures_open(m->config.captures);
	if (err)
		return err;
	message.rings_size = m->rings.size;
	message.captures_size = captures_region(m->config.captures)->size;
	fds[0] = m->rings.memfd;
	fds[1] = m->config.counters->memfd;
	fds[2] = captures_region(m->config.captures)->memfd;
	fds[3] = m->rings.command_event;
	fds[4] = m->rings.reply_event;
	err = watch(m, m->rings.command_event);
	return err ? err : region_send_welcome(m->client, &message, fds);
}

/* NULL, or what doesn't fit. */
static const char *
hello_fault(const struct abi_hello *message, char reason[static 64])
{
	if (message->magic != ABI_MAGIC)
		snprintf(reason, 64, "magic %08x is not nearcast's", message->magic);
	else if (message->version != ABI_VERSION)
		snprintf(reason, 64, "layout version %u, ours is %u", message->version, ABI_VERSION);
	else if (message->record_size != sizeof(union abi_record))
		snprintf(reason, 64, "records of %u octets, ours have %zu", message->record_size,
			 sizeof(union abi_record));
	else
		return NULL;
	return reason;
}

static void
hello(struct mailbox *m)
{
	struct abi_hello message;
	char text[64];
	const char *fault;
	int err = region_recv_hello(m->client, &message);

	if (err == 0 && (fault = hello_fault(&message, text)) != NULL) {
		refuse(m->client, ABI_REFUSED_VERSION, fault);
		err = -EPROTO;
	} else if (err == -EPROTO && !client_has_ended(m->client)) {
		refuse(m->client, ABI_REFUSED_VERSION, "a hello of another size");
	}
	if (!err)
		err = welcome(m);
	if (err) {
		client_close(m);
		return;
	}
	m->is_welcome = true;
	log_notice("control plane %u is connected", message.pid);
}

/* After the hello a control plane sends nothing on the socket: what can be read is its end, or a breach. */
static void
client_ready(struct mailbox *m)
{
	if (!m->is_welcome) {
		hello(m);
		return;
	}
	log_notice("control plane has gone; the workers go on with generation %llu",
		   (unsigned long long)generation_of(m));
	client_close(m);
}

static void
accept_client(struct mailbox *m)
{
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (m->client >= 0 && client_has_ended(m->client))
		client_close(m);
	if (!is_allowed(fd))
		refuse(fd, ABI_REFUSED_UID, "neither root nor the dataplane's user");
	else if (m->client >= 0)
		refuse(fd, ABI_REFUSED_BUSY, "another control plane is connected");
	else if (watch(m, fd) == 0) {
		m->client = fd;
		m->accepted_ns = clock_now_ns();
		return;
	}
	close(fd);
}

/* The rings. */

static void
ring_bell(const struct mailbox *m)
{
	static const uint64_t one = 1;

	/* EAGAIN: the count is at its top, so the bell rings already. */
	if (write(m->rings.reply_event, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_debug("control plane: eventfd: %s", strerror(errno));
}

static void
answer(struct mailbox *m, const union abi_record *reply)
{
	m->reply = *reply;
	if (ring_push(&m->rings.replies, reply))
		m->reply.type = 0;
	ring_bell(m);
}

static void
publish(struct mailbox *m)
{
	struct wanted *wanted = staging_take(m->staging);
	uint64_t generation = wanted->generation;
	uint64_t start = clock_now_ns();
	int err = tables_publish(m->config.tables, wanted, start);
	union abi_record reply = {.ack = {.type = ABI_ACK, .generation = generation}};

	if (err) {
		wanted_free(wanted);
		reply.nak = (struct abi_nak){.type = ABI_NAK,
					     .reason = ABI_NAK_MEMORY,
					     .record = UINT32_MAX,
					     .generation = generation};
		snprintf(reply.nak.text, sizeof(reply.nak.text), "%s", strerror(-err));
	} else {
		struct tables_slots slots = tables_slots(m->config.tables);

		reply.ack.build_us = (uint32_t)((clock_now_ns() - start) / 1000);
		reply.ack.slots_moving = slots.moving;
		reply.ack.slots_settling = slots.settling;
		atomic_store_explicit(&region_header(m->config.counters)->generation, generation, memory_order_relaxed);
		log_info("generation %llu is served, built in %u us, %u slots move", (unsigned long long)generation,
			 reply.ack.build_us, slots.moving);
	}
	answer(m, &reply);
}

/* True: a generation was published. */
static bool
take(struct mailbox *m, const union abi_record *record)
{
	union abi_record reply = {0};

	if (record->type == ABI_LIST) {
		if (lists_record(m->config.lists, &record->list, &reply.listed))
			answer(m, &reply);
		return false;
	}
	if (record->type == ABI_CAPTURE || record->type == ABI_CAPTURE_PART) {
		if (captures_record(m->config.captures, record, &reply.captured))
			answer(m, &reply);
		return false;
	}
	switch (staging_record(m->staging, record, tables_served(m->config.tables), &reply.nak)) {
	case STAGING_READY:
		publish(m);
		return true;
	case STAGING_REFUSED:
		log_warning("generation %llu is refused: %s", (unsigned long long)reply.nak.generation, reply.nak.text);
		answer(m, &reply);
		return false;
	default:
		return false;
	}
}

/* An answer that waits for room goes first: no record is taken that could cause another. 0: it has gone, or there is
 * none; -EAGAIN: no room, the peer rings when it has taken some; -EBADMSG. */
static int
answer_waiting(struct mailbox *m)
{
	uint32_t space;
	int err = m->reply.type ? ring_space(&m->rings.replies, &space) : 0;

	if (err || m->reply.type == 0)
		return err;
	if (!ring_push(&m->rings.replies, &m->reply))
		return -EAGAIN;
	m->reply.type = 0;
	ring_bell(m);
	return 0;
}

/* True: there may be more. One publication a round, for a build takes its time and the main lcore's heart must beat. */
static bool
drain(struct mailbox *m)
{
	bool published = false;
	union abi_record record;
	unsigned n = 0;
	int got = answer_waiting(m);

	if (got == -EAGAIN)
		return false;
	while (got >= 0 && n < RECORDS_A_ROUND && !published && m->reply.type == 0) {
		got = ring_pop(&m->rings.commands, &record);
		if (got <= 0)
			break;
		published = take(m, &record);
		n++;
	}
	if (n > 0)
		ring_bell(m);
	if (got < 0) {
		log_error("control plane broke a ring; it is disconnected");
		client_close(m);
		return false;
	}
	return published || n == RECORDS_A_ROUND;
}

static void
bell_clear(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("control plane: eventfd: %s", strerror(errno));
}

void
mailbox_run(struct mailbox *m, int timeout_ms)
{
	struct epoll_event events[4];
	bool more = m->is_welcome && drain(m);
	int n = epoll_wait(m->epoll, events, ARRAY_LEN(events), more ? 1 : timeout_ms);

	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (fd == m->listener)
			accept_client(m);
		else if (fd == m->client)
			client_ready(m);
		else if (m->is_welcome && fd == m->rings.command_event)
			bell_clear(fd);
	}
	if (m->client >= 0 && !m->is_welcome &&
	    clock_now_ns() - m->accepted_ns > HELLO_MS * CLOCK_NS_PER_MS)
		client_close(m);
	if (m->is_welcome)
		drain(m);
}

void
mailbox_tell(struct mailbox *m, const union abi_record *event)
{
	if (!m->is_welcome)
		return;
	if (!ring_push(&m->rings.events, event))
		log_debug("control plane: an event found its ring full");
	ring_bell(m);
}

void
mailbox_port_changed(struct mailbox *m, unsigned port, bool is_up)
{
	union abi_record event = {
		.port_changed = {.type = ABI_PORT_CHANGED, .port = (uint16_t)port, .is_up = is_up}};

	mailbox_tell(m, &event);
}

void
mailbox_settled(struct mailbox *m)
{
	union abi_record event = {.settled = {.type = ABI_SETTLED, .generation = generation_of(m)}};

	mailbox_tell(m, &event);
}
