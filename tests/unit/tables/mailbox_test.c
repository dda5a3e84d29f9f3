/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/mailbox.h"
#include "transactions.h"

static struct records content;
static struct region_counters counters = {.memfd = -1};
static struct tables *tables;
static struct mailbox *mailbox;
static char directory[] = "/tmp/mailbox-XXXXXX";
static struct sockaddr_un at = {.sun_family = AF_UNIX};

static void
mailbox_open(void)
{
	struct mailbox_config config = {.path = at.sun_path, .counters = &counters, .n_workers = 1, .n_ports = PORTS};

	cr_assert_not_null(mkdtemp(directory));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
	cr_assert_eq(region_counters_new(&counters, 1), 0);
	config.tables = tables = tables_new(&(struct tables_config){.counters = &counters});
	cr_assert_eq(mailbox_new(&config, &mailbox), 0);
}

static void
mailbox_close(void)
{
	mailbox_free(mailbox);
	tables_free(tables);
	region_counters_free(&counters);
	rmdir(directory);
}

TestSuite(mailbox, .init = mailbox_open, .fini = mailbox_close);

struct client {
	int socket;
	struct abi_welcome welcome;
	struct region_rings rings;
};

static struct client
client_hello(struct abi_hello hello)
{
	struct client c = {.socket = socket(AF_UNIX, SOCK_SEQPACKET, 0), .rings = {.memfd = -1}};
	struct timeval patience = {.tv_sec = 5};
	int fds[ABI_WELCOME_FDS];

	setsockopt(c.socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	cr_assert_eq(connect(c.socket, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(send(c.socket, &hello, sizeof(hello), 0), sizeof(hello));
	mailbox_run(mailbox, 100);
	mailbox_run(mailbox, 10);
	cr_assert_eq(region_recv_welcome(c.socket, &c.welcome, fds), 0);
	if (c.welcome.status == ABI_WELCOME) {
		cr_assert_eq(region_rings_map(&c.rings, fds[0], fds[2], fds[3]), 0);
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
