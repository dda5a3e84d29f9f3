/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include <rte_eal.h>
#include <rte_rcu_qsbr.h>

#include "dataplane/lists.h"

static void
eal_start(void)
{
	static char *args[] = {"test", "--no-huge", "--no-shconf",    "--no-pci",	   "-m", "16",
			       "-l",   "0",	    "--no-telemetry", "--log-level=error", NULL};

	cr_assert_geq(rte_eal_init((int)ARRAY_LEN(args) - 1, args), 0);
}

TestSuite(list, .init = eal_start, .timeout = 60);

static struct prefix
prefix(const char *text)
{
	struct prefix p;

	cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
	return p;
}

static int
set(struct lists *l, const char *text, enum abi_list_action action, uint8_t class)
{
	struct prefix p = prefix(text);

	return lists_set(l, &p, action, class);
}

static int
take(struct lists *l, const char *text)
{
	struct prefix p = prefix(text);

	return lists_remove(l, &p);
}

/* Through the stage, which tells most sources from all entries before it looks. */
static list_value
burst_value(const struct list_tables *tables, const struct addr *a)
{
	static struct burst b = {.n = 1};
	uint8_t frame[64] = {0};
	list_value value;

	memcpy(frame + 26, a->octets, addr_len(a));
	b.packets[0] = (struct packet){
		.frame = frame, .src_at = 26, .service = 1, .flags = a->family == ADDR_V6 ? PACKET_V6 : 0};
	list_burst(tables, &b, &value);
	return value;
}

static list_value
lookup_addr(const struct lists *l, const struct addr *a)
{
	const struct list_tables *tables = list_tables_load(lists_handle(l));
	bool is_v6 = a->family == ADDR_V6;
	list_key key = is_v6 ? list_key_v6(a->octets) : list_key_v4(a->octets);
	list_value value = 0xffff;

	list_lookup_bulk(tables, &key, &value, 1, is_v6);
	cr_assert_eq(burst_value(tables, a), value, "as a packet's source");
	return value;
}

static list_value
lookup(const struct lists *l, const char *text)
{
	struct addr a;

	cr_assert_eq(addr_parse(text, &a), 0);
	return lookup_addr(l, &a);
}

static struct lists *
lists_of(uint32_t entries_max)
{
	struct lists *l = lists_new(&(struct lists_config){.entries_max = entries_max});

	cr_assert_not_null(l);
	return l;
}

enum { DROP = LIST_DROP << 8, ALLOW = LIST_ALLOW << 8, LIMIT = LIST_LIMIT << 8 };

Test(list, answers_with_the_longest_prefix)
{
	static const struct {
		const char *prefix;
		enum abi_list_action action;
		uint8_t class;
	} entries[] = {
		{"0.0.0.0/0", LIST_LIMIT, 255},	   {"10.0.0.0/8", LIST_DROP, 0},    {"10.64.0.0/15", LIST_LIMIT, 15},
		{"10.64.0.0/16", LIST_LIMIT, 16},  {"10.64.0.0/17", LIST_ALLOW, 0}, {"10.64.0.0/21", LIST_LIMIT, 21},
		{"10.64.0.0/22", LIST_LIMIT, 22},  {"10.64.0.0/23", LIST_LIMIT, 1}, {"10.64.0.8/32", LIST_DROP, 0},
		{"10.64.0.9/32", LIST_LIMIT, 9},   {"2001:db8::/32", LIST_ALLOW, 0}, {"2001:db8::1/128", LIST_DROP, 0},
		{"2001:db8:0:1::/64", LIST_LIMIT, 64}, {"2001:db8::/126", LIST_LIMIT, 126}, {"2000::/3", LIST_LIMIT, 3},
	};
	static const struct {
		const char *addr;
		list_value value;
	} rows[] = {
		{"9.9.9.9", LIMIT | 255},      {"255.255.255.255", LIMIT | 255}, {"10.0.0.1", DROP},
		{"10.65.0.1", LIMIT | 15},     {"10.64.128.1", LIMIT | 16},	 {"10.64.64.1", ALLOW},
		{"10.64.7.255", LIMIT | 21},   {"10.64.3.1", LIMIT | 22},	 {"10.64.1.1", LIMIT | 1},
		{"10.64.0.8", DROP},	       {"10.64.0.9", LIMIT | 9},	 {"10.64.0.10", LIMIT | 1},
		{"2001:db8:1::", ALLOW},       {"2001:db8::1", DROP},		 {"2001:db8::2", LIMIT | 126},
		{"2001:db8::4", ALLOW},	       {"2001:db8:0:1::9", LIMIT | 64},	 {"2a00::", LIMIT | 3},
		{"4000::", 0},		       {"::", 0},
	};
	struct lists *l = lists_of(0);

	for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
		cr_expect_eq(set(l, entries[i].prefix, entries[i].action, entries[i].class), 0);
	cr_expect_eq(lookup(l, "10.0.0.1"), 0, "not published yet");
	lists_publish(l);
	cr_expect_eq(lists_count(l), ARRAY_LEN(entries));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		cr_expect_eq(lookup(l, rows[i].addr), rows[i].value, "%s: %x", rows[i].addr, lookup(l, rows[i].addr));
	lists_free(l);
}

Test(list, refuses_what_is_no_entry_and_changes_nothing)
{
	struct lists *l = lists_of(2);
	struct prefix none = {0}, host = prefix("10.0.0.1/32"), large = prefix("10.0.0.0/8");

	host.len = 24;
	large.len = 33;
	cr_expect_eq(lists_set(l, &none, LIST_DROP, 0), -EINVAL);
	cr_expect_eq(lists_set(l, &host, LIST_DROP, 0), -EINVAL);
	cr_expect_eq(lists_set(l, &large, LIST_DROP, 0), -EINVAL);
	cr_expect_eq(lists_remove(l, &large), -EINVAL);
	cr_expect_eq(set(l, "10.0.0.0/8", LIST_NONE, 0), -EINVAL);
	cr_expect_eq(set(l, "10.0.0.0/8", (enum abi_list_action)4, 0), -EINVAL);
	cr_expect_eq(set(l, "10.0.0.0/8", LIST_DROP, 1), -EINVAL);
	cr_expect_eq(take(l, "10.0.0.0/8"), -ENOENT);
	cr_expect_eq(lists_octets(l), 0, "nothing is allocated before the first entry");
	cr_expect_eq(set(l, "10.0.0.0/8", LIST_DROP, 0), 0);
	cr_expect_eq(take(l, "10.0.0.0/9"), -ENOENT);
	cr_expect_eq(take(l, "10.0.0.0/24"), -ENOENT);
	cr_expect_eq(set(l, "fd77::/16", LIST_DROP, 0), 0);
	cr_expect_eq(set(l, "11.0.0.0/8", LIST_DROP, 0), -ENOSPC);
	cr_expect_eq(set(l, "10.0.0.0/8", LIST_ALLOW, 0), 0, "a replacement needs no room");
	cr_expect_eq(lists_count(l), 2);
	lists_free(l);
}

Test(list, gives_memory_back_and_forgets_what_is_abandoned)
{
	struct lists *l = lists_of(0);

	cr_expect_eq(set(l, "10.0.0.0/24", LIST_DROP, 0), 0);
	lists_publish(l);
	cr_expect_eq(set(l, "10.0.0.0/24", LIST_ALLOW, 0), 0);
	cr_expect_eq(set(l, "fd77::/64", LIST_DROP, 0), 0);
	lists_abandon(l);
	cr_expect_eq(lists_count(l), 1);
	cr_expect_eq(set(l, "10.0.1.0/24", LIST_DROP, 0), 0);
	lists_publish(l);
	cr_expect_eq(lookup(l, "10.0.0.1"), DROP);
	cr_expect_eq(lookup(l, "10.0.1.1"), DROP);
	cr_expect_eq(lookup(l, "fd77::1"), 0);
	lists_reset(l);
	cr_expect_eq(lookup(l, "10.0.0.1"), DROP, "not published yet");
	cr_expect_eq(lists_count(l), 0);
	lists_publish(l);
	cr_expect_eq(lookup(l, "10.0.0.1"), 0);
	cr_expect_eq(lists_octets(l), 0);
	lists_free(l);
}

struct model {
	unsigned n;
	struct {
		struct prefix prefix;
		list_value value;
	} of[2000];
};

static uint64_t
random_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = (*state ^ *state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);

	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* From few octets, so that prefixes meet. */
static struct addr
random_addr(uint64_t *state, bool is_v6)
{
	uint8_t octets[16];

	for (unsigned i = 0; i < sizeof(octets); i++) {
		uint64_t r = random_next(state);

		octets[i] = r % 8 < 5 ? 0 : r % 8 < 7 ? (uint8_t)(r >> 8 & 0x81) : (uint8_t)(r >> 8);
	}
	return is_v6 ? addr_v6(octets) : addr_v4(octets);
}

static void
model_change(struct model *m, struct lists *l, uint64_t *state, bool is_v6)
{
	uint64_t r = random_next(state);
	struct addr a = random_addr(state, is_v6);
	struct prefix p = prefix_of(&a, (unsigned)(random_next(state) % (addr_bits(&a) + 1)));
	list_value value = (list_value)(LIMIT | (r >> 32 & 0xff));
	unsigned at = 0;

	if (r % 4 == 0 && m->n > 0)
		p = m->of[r / 4 % m->n].prefix;
	while (at < m->n && !prefix_equal(&m->of[at].prefix, &p))
		at++;
	if (r % 8 < 3 - (m->n < 1000)) {
		cr_assert_eq(lists_remove(l, &p), at < m->n ? 0 : -ENOENT);
		if (at < m->n)
			m->of[at] = m->of[--m->n];
	} else if (at < ARRAY_LEN(m->of)) {
		cr_assert_eq(lists_set(l, &p, LIST_LIMIT, (uint8_t)value), 0);
		m->of[at].prefix = p;
		m->of[at].value = value;
		m->n += at == m->n;
	}
}

static list_value
model_lookup(const struct model *m, const struct addr *a)
{
	int len = -1;
	list_value value = 0;

	for (unsigned i = 0; i < m->n; i++) {
		if (prefix_contains(&m->of[i].prefix, a) && m->of[i].prefix.len > len) {
			len = m->of[i].prefix.len;
			value = m->of[i].value;
		}
	}
	return value;
}

Test(list, agrees_with_a_scan_of_all_prefixes)
{
	static struct model m;
	uint64_t state = 4;

	for (unsigned family = 0; family < 2; family++) {
		struct lists *l = lists_of(0);

		m.n = 0;
		for (unsigned round = 0; round < 60; round++) {
			/* Rounds longer and shorter than the log. */
			for (unsigned i = 0; i < (round % 10 == 0 ? 1500U : 50U); i++)
				model_change(&m, l, &state, family);
			lists_publish(l);
			cr_assert_eq(lists_count(l), m.n);
			for (unsigned i = 0; i < 200; i++) {
				struct addr a = random_addr(&state, family);

				cr_assert_eq(lookup_addr(l, &a), model_lookup(&m, &a), "family %u round %u", family,
					     round);
			}
		}
		cr_expect_gt(m.n, 100);
		while (m.n > 0)
			cr_assert_eq(lists_remove(l, &m.of[--m.n].prefix), 0);
		lists_publish(l);
		cr_expect_eq(lists_octets(l), 0, "the last entry takes its memory along");
		lists_free(l);
	}
}

Test(list, looks_at_open_packets_of_a_service_only)
{
	static struct burst b;
	static uint8_t frames[BURST_MAX][64];
	list_value values[BURST_MAX];
	struct lists *l = lists_of(0);

	cr_expect_eq(set(l, "10.0.0.0/8", LIST_DROP, 0), 0);
	cr_expect_eq(set(l, "a00::/8", LIST_LIMIT, 7), 0);
	lists_publish(l);
	b.n = BURST_MAX;
	for (unsigned i = 0; i < BURST_MAX; i++) {
		frames[i][26] = 10;
		b.packets[i] = (struct packet){
			.frame = frames[i],
			.src_at = 26,
			.service = i % 5 == 0 ? SERVICE_NONE : 1,
			.verdict = i % 7 == 0 ? VERDICT_OPEN + 1 : VERDICT_OPEN,
			.flags = i % 3 == 0 ? PACKET_V6 : 0,
		};
	}
	list_burst(list_tables_load(lists_handle(l)), &b, values);
	for (unsigned i = 0; i < BURST_MAX; i++) {
		list_value expected = i % 5 == 0 || i % 7 == 0 ? 0 : i % 3 == 0 ? LIMIT | 7 : DROP;

		cr_expect_eq(values[i], expected, "packet %u", i);
	}
	lists_reset(l);
	lists_publish(l);
	list_burst(list_tables_load(lists_handle(l)), &b, values);
	for (unsigned i = 0; i < BURST_MAX; i++)
		cr_expect_eq(values[i], 0);
	lists_free(l);
}

struct reader {
	const struct list_handle *handle;
	struct rte_rcu_qsbr *rcu;
	_Atomic bool is_over;
	unsigned torn, seen;
};

enum { TOGETHER = 64 };

/* All entries of a publication have its number as class: two numbers in one burst are half a publication. */
static void *
read_on(void *context)
{
	struct reader *r = context;
	list_key keys[TOGETHER];
	list_value values[TOGETHER];

	for (unsigned i = 0; i < TOGETHER; i++)
		keys[i] = list_key_v4((const uint8_t[]){10, (uint8_t)(i % 4), (uint8_t)i, 1});
	rte_rcu_qsbr_thread_online(r->rcu, 0);
	while (!atomic_load_explicit(&r->is_over, memory_order_relaxed)) {
		list_lookup_bulk(list_tables_load(r->handle), keys, values, TOGETHER, false);
		for (unsigned i = 1; i < TOGETHER; i++)
			r->torn += values[i] != values[0];
		r->seen++;
		rte_rcu_qsbr_quiescent(r->rcu, 0);
	}
	rte_rcu_qsbr_thread_offline(r->rcu, 0);
	return NULL;
}

static void
wait_for_readers(void *context)
{
	rte_rcu_qsbr_synchronize(context, RTE_QSBR_THRID_INVALID);
}

Test(list, is_replaced_whole_while_a_reader_looks_up)
{
	size_t size = rte_rcu_qsbr_get_memsize(1);
	struct rte_rcu_qsbr *rcu = aligned_alloc(64, size);
	struct reader r = {.rcu = rcu};
	struct lists *l;
	pthread_t thread;

	cr_assert_not_null(rcu);
	cr_assert_eq(rte_rcu_qsbr_init(rcu, 1), 0);
	cr_assert_eq(rte_rcu_qsbr_thread_register(rcu, 0), 0);
	l = lists_new(&(struct lists_config){.grace = wait_for_readers, .context = rcu});
	r.handle = lists_handle(l);
	cr_assert_eq(pthread_create(&thread, NULL, read_on, &r), 0);
	for (unsigned round = 0; round < 300; round++) {
		if (round % 50 == 49)
			lists_reset(l);
		for (unsigned i = 0; i < TOGETHER && round % 50 != 49; i++) {
			struct addr a = addr_v4((const uint8_t[]){10, (uint8_t)(i % 4), (uint8_t)i, 0});
			struct prefix p = prefix_of(&a, 24);

			cr_expect_eq(lists_set(l, &p, LIST_LIMIT, (uint8_t)round), 0);
		}
		lists_publish(l);
		sched_yield();
	}
	atomic_store_explicit(&r.is_over, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	cr_expect_eq(r.torn, 0);
	cr_expect_gt(r.seen, 0);
	lists_free(l);
	free(rcu);
}
