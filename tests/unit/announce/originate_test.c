/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator has us ask of routers, kept over a restart. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/originate.h"

static char path[64];
static struct originate *originate;

static void
start(void)
{
	snprintf(path, sizeof(path), "/tmp/originate_test.%d", getpid());
	originate = originate_new(path);
	cr_assert_not_null(originate);
}

static void
stop(void)
{
	originate_free(originate);
	unlink(path);
}

TestSuite(originate, .init = start, .fini = stop);

static struct origin
rule(const char *text)
{
	struct origin origin = {.kind = ORIGINATE_FLOWSPEC, .action = {.has_bytes = true}};
	char fault[FLOWSPEC_FAULT_MAX];

	cr_assert_eq(flowspec_parse(text, &origin.rule, fault), 0, "%s: %s", text, fault);
	return origin;
}

static struct origin
blackhole(const char *text)
{
	struct origin origin = {.kind = ORIGINATE_BLACKHOLE};

	cr_assert_eq(prefix_parse(text, &origin.prefix), 0);
	return origin;
}

static void
set(struct origin origin)
{
	cr_assert_eq(originate_set(originate, &origin), 0);
}

Test(originate, has_one_of_each_rule_and_prefix)
{
	struct origin other = rule("dst 192.0.2.1/32"), hole = blackhole("192.0.2.1/32");

	set(rule("dst 192.0.2.1/32"));
	set(hole);
	other.action.bytes_s = 1000;
	set(other);
	cr_assert_eq(originate_count(originate), 2);
	cr_expect_eq(originate_at(originate, 0)->action.bytes_s, 1000, "the later replaces");
	cr_expect_eq(originate_rule(originate, &other.rule), 0);
	cr_expect_eq(originate_blackhole(originate, &hole.prefix), 1);
	originate_remove(originate, 0);
	cr_expect_eq(originate_rule(originate, &other.rule), -ENOENT);
	cr_expect_eq(originate_blackhole(originate, &hole.prefix), 0);
}

Test(originate, is_the_same_after_a_restart)
{
	struct origin one = rule("dst 2001:db8::1/128 proto udp length >1000"), hole = blackhole("192.0.2.0/25");
	const struct origin *got;

	one.action = (struct flowspec_action){.has_packets = true, .packets_s = 70, .sample = true, .goes_on = true};
	one.until_s = 5000;
	snprintf(one.peer, sizeof(one.peer), "r1");
	hole.n_communities = 2;
	snprintf(hole.communities[0], sizeof(hole.communities[0]), "65000:666");
	snprintf(hole.communities[1], sizeof(hole.communities[1]), "65000:1:2");
	set(one);
	set(hole);
	originate_free(originate);
	originate = originate_new(path);
	cr_assert_eq(originate_count(originate), 2);
	got = originate_at(originate, 0);
	cr_expect_eq(flowspec_compare(&got->rule, &one.rule), 0);
	cr_expect(got->action.has_packets && got->action.packets_s == 70 && !got->action.has_bytes);
	cr_expect(got->action.sample && got->action.goes_on && got->until_s == 5000);
	cr_expect_str_eq(got->peer, "r1");
	got = originate_at(originate, 1);
	cr_expect(prefix_equal(&got->prefix, &hole.prefix) && got->n_communities == 2 && got->until_s == 0);
	cr_expect_str_eq(got->communities[1], "65000:1:2");
}

Test(originate, leaves_out_what_a_file_says_that_makes_no_sense)
{
	static const char *const files[] = {
		"", "{}", "[", "[1]", "[{}]", "[{\"flowspec\": \"dst nowhere\"}]", "[{\"blackhole\": 7}]",
		"[{\"blackhole\": \"192.0.2.1/32\", \"communities\": [\"x\"]}]",
		"[{\"blackhole\": \"192.0.2.1/32\", \"until\": \"x\"}, {\"blackhole\": \"192.0.2.1/32\"}]"};

	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		FILE *file = fopen(path, "w");

		cr_assert_not_null(file);
		fputs(files[i], file);
		fclose(file);
		originate_free(originate);
		originate = originate_new(path);
		cr_assert_not_null(originate);
		cr_expect_eq(originate_count(originate), i + 1 == ARRAY_LEN(files), "%s", files[i]);
	}
}

Test(originate, changes_nothing_that_it_cannot_keep)
{
	struct origin one = rule("dst 192.0.2.1/32");

	originate_free(originate);
	originate = originate_new("/nonexistent/originated");
	cr_expect_lt(originate_set(originate, &one), 0);
	cr_expect_eq(originate_count(originate), 0);
}

Test(originate, has_room_for_so_many)
{
	char text[32];
	struct origin more;

	for (unsigned i = 0; i < ORIGINATE_MAX; i++) {
		snprintf(text, sizeof(text), "192.0.%u.%u/32", 2 + i / 256, i % 256);
		set(blackhole(text));
	}
	more = blackhole("198.51.100.1/32");
	cr_expect_eq(originate_set(originate, &more), -ENOSPC);
	more = blackhole("192.0.2.7/32");
	more.until_s = 100;
	set(more);
	cr_expect_eq(originate_due(originate, 99), -ENOENT);
	cr_expect_eq(originate_due(originate, 100), 7);
}

static bool
has(const uint64_t *list, unsigned n, uint64_t what)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == what)
			return true;
	}
	return false;
}

/* RFC 8955 7, RFC 7999 3.2. */
Test(originate, says_by_communities_what_it_asks_for)
{
	struct origin one = rule("dst 192.0.2.1/32"), hole = blackhole("192.0.2.1/32");
	struct path got;

	cr_assert_eq(originate_path(&one, 65001, &got), 0);
	cr_expect(got.n_extended == 1 && has(got.extended, 1, UINT64_C(0x8006fde900000000)), "no octets a second");
	one.action = (struct flowspec_action){.has_packets = true, .packets_s = 100, .sample = true};
	cr_assert_eq(originate_path(&one, 4200000000, &got), 0);
	cr_expect(got.n_extended == 2 && has(got.extended, 2, UINT64_C(0x800c000042c80000)));
	cr_expect(has(got.extended, 2, UINT64_C(0x8007000000000002)));
	hole.n_communities = 1;
	snprintf(hole.communities[0], sizeof(hole.communities[0]), "65000:666");
	cr_assert_eq(originate_path(&hole, 65001, &got), 0);
	cr_expect(got.n_communities == 3 && got.communities[0] == (65000U << 16 | 666));
	cr_expect(got.communities[1] == BGP_BLACKHOLE && got.communities[2] == BGP_NO_EXPORT);
	snprintf(hole.communities[0], sizeof(hole.communities[0]), "nonsense");
	cr_expect_eq(originate_path(&hole, 65001, &got), -EINVAL);
}
