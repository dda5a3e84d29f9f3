/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "dataplane/mailbox.h"
#include "transactions.h"

static struct records content;
static struct region_counters counters = {.memfd = -1};
static struct tables *tables;
static struct mailbox *mailbox;
static char directory[] = "/tmp/mailbox-XXXXXX";
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static uint64_t later_ns;

/* The linker puts this clock in the place of base's: a test sets it forward instead of waiting. */
uint64_t __real_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void);

uint64_t
__wrap_clock_now_ns(void)
{
	return __real_clock_now_ns() + later_ns;
}

static struct captures *captures;

static void
grace(void *context)
{
	(void)context;
}

static void
mailbox_open(void)
{
	struct mailbox_config config = {.path = at.sun_path, .counters = &counters, .n_workers = 1, .n_ports = PORTS};

	cr_assert_not_null(mkdtemp(directory));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
	cr_assert_eq(region_counters_new(&counters, 1), 0);
	config.captures = captures = captures_new(
		&(struct captures_config){.counters = &counters, .n_workers = 1, .tsc_hz = 1000000000, .grace = grace});
	config.tables = tables = tables_new(&(struct tables_config){.counters = &counters});
	cr_assert_eq(mailbox_new(&config, &mailbox), 0);
}

static void
mailbox_close(void)
{
	mailbox_free(mailbox);
	captures_free(captures);
	tables_free(tables);
	region_counters_free(&counters);
	rmdir(directory);
}

TestSuite(mailbox, .init = mailbox_open, .fini = mailbox_close);

struct client {
	int socket;
	struct abi_welcome welcome;
	struct region_rings rings;
	struct region_captures captures;
};

/* Connects and says nothing. */
static struct client
client_connect(void)
{
	struct client c = {.socket = socket(AF_UNIX, SOCK_SEQPACKET, 0), .rings = {.memfd = -1}, .captures = {.memfd = -1}};
	struct timeval patience = {.tv_sec = 5};

	setsockopt(c.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(c.socket, (struct sockaddr *)&at, sizeof(at)), 0);
	return c;
}

static struct client
client_hello(struct abi_hello hello)
{
	struct client c = client_connect();
	int fds[ABI_WELCOME_FDS];

	cr_assert_eq(send(c.socket, &hello, sizeof(hello), 0), sizeof(hello));
	mailbox_run(mailbox, 100);
	mailbox_run(mailbox, 10);
	cr_assert_eq(region_recv_welcome(c.socket, &c.welcome, fds), 0);
	if (c.welcome.status == ABI_WELCOME) {
		cr_assert_eq(region_rings_map(&c.rings, fds[0], fds[3], fds[4]), 0);
		cr_assert_eq(region_captures_map(&c.captures, fds[2], 1), 0);
		close(fds[1]);
	}
	return c;
}

static struct client
client_open(void)
{
	return client_hello((struct abi_hello){ABI_MAGIC, ABI_VERSION, sizeof(union abi_record), 1});
}

static void
client_close(struct client *c)
{
	close(c->socket);
	if (c->rings.base)
		region_rings_free(&c->rings);
	region_captures_free(&c->captures);
	mailbox_run(mailbox, 100);
}

static void
push(struct client *c, union abi_record record)
{
	cr_assert(ring_push(&c->rings.commands, &record));
}

static union abi_record
reply(struct client *c)
{
	union abi_record got = {.type = 0};

	for (unsigned i = 0; i < 50 && ring_pop(&c->rings.replies, &got) == 0; i++)
		mailbox_run(mailbox, 10);
	return got;
}

static bool
is_closed(struct client *c)
{
	return recv(c->socket, &(char){0}, 1, MSG_DONTWAIT) == 0;
}

static void
push_pop(struct client *c, uint64_t generation)
{
	content.n = 0;
	pop_add(&content, 0, 1);
	push(c, begin_record(ABI_FULL, generation, 0));
	for (unsigned i = 0; i < content.n; i++)
		push(c, content.list[i]);
}

Test(mailbox, answers_transactions_and_outlives_its_clients)
{
	struct client c = client_open(), second = client_open();

	cr_assert_eq(c.welcome.status, ABI_WELCOME);
	cr_expect_eq(second.welcome.status, ABI_REFUSED_BUSY);
	client_close(&second);
	push_pop(&c, 1);
	push(&c, commit_record(&content, 1));
	cr_expect_eq(reply(&c).type, ABI_ACK);
	push(&c, (union abi_record){.type = 77});
	cr_expect_eq(reply(&c).nak.reason, ABI_NAK_SEQUENCE);
	push_pop(&c, 2);
	client_close(&c);
	cr_expect_eq(tables_served(tables)->generation, 1, "half a transaction");
	c = client_open();
	cr_expect_eq(c.welcome.generation, 1);
	atomic_store(&c.rings.commands.shared->head, ABI_COMMANDS + 100000u);
	mailbox_run(mailbox, 10);
	cr_expect_eq(recv(c.socket, &(char){0}, 1, 0), 0, "an impossible index ends the connection");
	second = client_open();
	cr_expect_eq(second.welcome.status, ABI_WELCOME);
	push_pop(&second, 2);
	push(&second, commit_record(&content, 2));
	cr_expect_eq(reply(&second).type, ABI_ACK);
	client_close(&c);
	client_close(&second);
}

Test(mailbox, refuses_another_layout_by_name)
{
	static const struct {
		struct abi_hello hello;
		const char *word;
	} rows[] = {
		{{1, ABI_VERSION, sizeof(union abi_record), 1}, "magic"},
		{{ABI_MAGIC, ABI_VERSION + 1, sizeof(union abi_record), 1}, "version"},
		{{ABI_MAGIC, ABI_VERSION, 128, 1}, "128 octets"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct client c = client_hello(rows[i].hello);

		cr_expect_eq(c.welcome.status, ABI_REFUSED_VERSION);
		cr_expect_not_null(strstr(c.welcome.reason, rows[i].word), "%s", c.welcome.reason);
		client_close(&c);
	}
}

/* In a process of its own, for SO_PEERCRED tells whose process connected. 0: refused, and told why. */
static int
knock_as(uid_t uid)
{
	struct abi_hello hello = {ABI_MAGIC, ABI_VERSION, sizeof(union abi_record), 1};
	struct client c = {.socket = socket(AF_UNIX, SOCK_SEQPACKET, 0)};
	int fds[ABI_WELCOME_FDS];

	if (setresuid(uid, uid, uid) != 0 || connect(c.socket, (struct sockaddr *)&at, sizeof(at)) != 0)
		return 2;
	/* The refusal may be there already, and the connection closed. */
	(void)!send(c.socket, &hello, sizeof(hello), MSG_NOSIGNAL);
	if (region_recv_welcome(c.socket, &c.welcome, fds) != 0)
		return 3;
	return c.welcome.status == ABI_REFUSED_UID && strstr(c.welcome.reason, "user") ? 0 : 4;
}

Test(mailbox, refuses_another_user_by_name)
{
	struct client own;
	struct stat st;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	cr_assert_eq(stat(at.sun_path, &st), 0);
	cr_expect_eq(st.st_mode & 07, 0, "others can't connect in the first place");
	cr_assert_eq(chmod(directory, 0755), 0);
	cr_assert_eq(chmod(at.sun_path, 0777), 0);
	pid = fork();
	if (pid == 0)
		_exit(knock_as(65534));
	cr_assert_gt(pid, 0);
	while (waitpid(pid, &status, WNOHANG) == 0)
		mailbox_run(mailbox, 10);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	own = client_open();
	cr_expect_eq(own.welcome.status, ABI_WELCOME, "the place is still free");
	client_close(&own);
}

/* What may stand where the socket shall be: returns a descriptor that keeps it there, or -1. */

static int
put_stale(const struct sockaddr_un *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	cr_assert_eq(bind(fd, (const struct sockaddr *)path, sizeof(*path)), 0);
	close(fd);
	return -1;
}

static int
put_listener(const struct sockaddr_un *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	cr_assert_eq(bind(fd, (const struct sockaddr *)path, sizeof(*path)), 0);
	cr_assert_eq(listen(fd, 0), 0);
	return fd;
}

/* Its process hangs: nobody accepts, and the next connect() would wait. */
static int
put_hung(const struct sockaddr_un *path)
{
	int listener = put_listener(path), fd, err;

	do {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
		err = connect(fd, (const struct sockaddr *)path, sizeof(*path));
	} while (err == 0);
	cr_assert_eq(errno, EAGAIN);
	return listener;
}

static int
put_file(const struct sockaddr_un *path)
{
	return open(path->sun_path, O_CREAT | O_WRONLY, 0600);
}

static int
put_directory(const struct sockaddr_un *path)
{
	cr_assert_eq(mkdir(path->sun_path, 0700), 0);
	return -1;
}

Test(mailbox, replaces_a_socket_that_nobody_listens_at_and_nothing_else, .timeout = 10)
{
	static const struct {
		const char *name;
		int (*put)(const struct sockaddr_un *path);
		int err;
	} things[] = {
		{"a stale socket", put_stale, 0},
		{"a listener", put_listener, -EADDRINUSE},
		{"a listener that hangs", put_hung, -EADDRINUSE},
		{"a file", put_file, -EEXIST},
		{"a directory", put_directory, -EEXIST},
	};

	for (unsigned i = 0; i < ARRAY_LEN(things); i++) {
		struct sockaddr_un path = {.sun_family = AF_UNIX};
		struct mailbox_config config = {
			.path = path.sun_path, .tables = tables, .counters = &counters, .n_workers = 1, .n_ports = PORTS};
		struct mailbox *other = NULL;
		struct stat before, after;
		int fd;

		snprintf(path.sun_path, sizeof(path.sun_path), "%.80s/other", directory);
		fd = things[i].put(&path);
		cr_assert_eq(lstat(path.sun_path, &before), 0);
		cr_expect_eq(mailbox_new(&config, &other), things[i].err, "%s", things[i].name);
		mailbox_free(other);
		if (things[i].err)
			cr_expect(lstat(path.sun_path, &after) == 0 && before.st_ino == after.st_ino, "%s stays",
				  things[i].name);
		if (fd >= 0)
			close(fd);
		remove(path.sun_path);
	}
}

Test(mailbox, gives_the_place_of_one_that_says_nothing_to_the_next)
{
	struct client silent = client_connect(), next;

	mailbox_run(mailbox, 100);
	next = client_open();
	cr_expect_eq(next.welcome.status, ABI_REFUSED_BUSY, "it may still speak");
	client_close(&next);
	cr_expect_not(is_closed(&silent));
	later_ns = 3 * CLOCK_NS_PER_S;
	mailbox_run(mailbox, 1);
	cr_expect(is_closed(&silent));
	next = client_open();
	cr_expect_eq(next.welcome.status, ABI_WELCOME);
	later_ns = 60 * CLOCK_NS_PER_S;
	mailbox_run(mailbox, 1);
	cr_expect_not(is_closed(&next), "who was welcomed may be silent");
	client_close(&silent);
	client_close(&next);
}

Test(mailbox, welcomes_the_next_when_the_one_before_has_just_gone)
{
	struct client gone = client_open(), next;

	close(gone.socket); /* no round in between */
	next = client_open();
	cr_expect_eq(next.welcome.status, ABI_WELCOME);
	region_rings_free(&gone.rings);
	client_close(&next);
}

Test(mailbox, hangs_up_on_one_that_speaks_after_its_hello)
{
	struct client c = client_open();

	cr_assert_eq(send(c.socket, "x", 1, 0), 1);
	mailbox_run(mailbox, 100);
	cr_expect_neq(recv(c.socket, &(char){0}, 1, MSG_DONTWAIT), 1);
	cr_expect_neq(errno, EAGAIN, "closed");
	client_close(&c);
	c = client_open();
	cr_expect_eq(c.welcome.status, ABI_WELCOME);
	client_close(&c);
}

Test(mailbox, does_not_hear_the_bell_or_the_ring_of_one_that_has_gone)
{
	struct client old = client_open(), c;
	union abi_record got;

	close(old.socket);
	mailbox_run(mailbox, 100);
	c = client_open();
	cr_assert_eq(c.welcome.status, ABI_WELCOME);
	push_pop(&old, 9);
	push(&old, commit_record(&content, 9));
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(write(old.rings.command_event, &(uint64_t){1}, 8), 8);
		mailbox_run(mailbox, 1);
	}
	cr_expect_null(tables_served(tables));
	cr_expect_eq(ring_pop(&old.rings.replies, &got), 0);
	push_pop(&c, 1);
	push(&c, commit_record(&content, 1));
	cr_expect_eq(reply(&c).ack.generation, 1);
	region_rings_free(&old.rings);
	client_close(&c);
}

Test(mailbox, forgets_half_a_transaction_with_its_connection)
{
	struct client c = client_open();
	union abi_record got;

	push_pop(&c, 1);
	mailbox_run(mailbox, 10); /* staged */
	client_close(&c);
	c = client_open();
	push(&c, commit_record(&content, 1));
	got = reply(&c);
	cr_expect_eq(got.type, ABI_NAK);
	cr_expect_eq(got.nak.reason, ABI_NAK_SEQUENCE);
	cr_expect_null(tables_served(tables));
	client_close(&c);
}

Test(mailbox, answers_each_of_several_pending_generations_in_their_order)
{
	union abi_record move = {.slots = {.type = ABI_SLOTS_PART, .first = 10, .count = 1, .owner = {1}}};
	struct client c = client_open();

	push_pop(&c, 1);
	push(&c, commit_record(&content, 1));
	for (uint64_t g = 2; g <= 4; g++) {
		content.n = 0;
		move.slots.first = (uint16_t)(10 * g);
		records_add(&content, move);
		push(&c, begin_record(ABI_DELTA, g, g - 1));
		push(&c, move);
		push(&c, commit_record(&content, g));
	}
	for (uint32_t g = 1; g <= 4; g++) {
		union abi_record got = reply(&c);

		cr_expect_eq(got.type, ABI_ACK, "generation %u", g);
		cr_expect_eq(got.ack.generation, g);
		cr_expect_eq(got.ack.slots_moving, g - 1);
	}
	cr_expect_eq(atomic_load(&region_header(&counters)->generation), 4);
	client_close(&c);
}

Test(mailbox, keeps_its_answers_until_there_is_room_for_them)
{
	enum { MORE = 5 };
	struct client c = client_open();
	union abi_record got;

	for (unsigned i = 0; i < ABI_REPLIES + MORE; i++)
		push(&c, (union abi_record){.type = 77});
	for (unsigned i = 0; i < 4; i++)
		mailbox_run(mailbox, 1);
	for (unsigned i = 0; i < ABI_REPLIES; i++) {
		cr_assert_eq(ring_pop(&c.rings.replies, &got), 1, "answer %u", i);
		cr_assert_eq(got.type, ABI_NAK);
	}
	cr_expect_eq(ring_pop(&c.rings.replies, &got), 0, "the ring was full");
	for (unsigned i = 0; i < MORE; i++)
		cr_expect_eq(reply(&c).type, ABI_NAK, "answer %u after the stop", i);
	cr_expect_eq(reply(&c).type, 0, "one for each");
	client_close(&c);
}
