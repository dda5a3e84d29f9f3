/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "transactions.h"

static struct records content;
static struct staging *staging;
static struct wanted *served;
static struct abi_nak nak;

static void
serve_generation_1(void)
{
	staging = staging_new(PORTS);
	pop_add(&content, 0, 1);
	cr_assert_eq(transaction_put(staging, begin_record(ABI_FULL, 1, 0), &content, NULL, &nak), STAGING_READY, "%s",
		     nak.text);
	served = staging_take(staging);
	content.n = 0;
}

static void
forget(void)
{
	wanted_free(served);
	staging_free(staging);
}

TestSuite(staging, .init = serve_generation_1, .fini = forget);

static uint32_t
served_crc(void)
{
	return crc32c(crc32c(0, served, sizeof(*served)), served->owners[0], ABI_SLOTS * sizeof(uint16_t));
}

/* One record that a delta can't have, in its place after the `before`. */
static const struct {
	const char *name;
	unsigned reason;
	uint32_t record; /* that the NAK names; UINT32_MAX: COMMIT found it */
	union abi_record records[3];
} rows[] = {
	{"unknown type", ABI_NAK_TYPE, 0, {{.type = 77}}},
	{"a reply as a command", ABI_NAK_TYPE, 0, {{.type = ABI_ACK}}},
	{"VIP beyond the table", ABI_NAK_RANGE, 0,
	 {{.vip = {.type = ABI_VIP, .index = ABI_VIPS_MAX, .key = 1, .addr = {.family = ADDR_V4}}}}},
	{"VIP with host bits", ABI_NAK_RANGE, 0,
	 {{.vip = {.type = ABI_VIP, .key = 1, .len = 8, .addr = {.family = ADDR_V4, .octets = {10, 1}}}}}},
	{"VIP's reserved octets", ABI_NAK_RANGE, 0,
	 {{.vip = {.type = ABI_VIP, .key = 1, .addr = {.family = ADDR_V4}, .zero2 = {1}}}}},
	{"any protocol with one port", ABI_NAK_RANGE, 0,
	 {{.service = {.type = ABI_SERVICE, .index = 1, .key = 1, .port_first = 53, .port_last = 53}}}},
	{"ports in the wrong order", ABI_NAK_RANGE, 0,
	 {{.service = {.type = ABI_SERVICE, .key = 1, .protocol = 6, .port_first = 2, .port_last = 1}}}},
	{"pool that never settles", ABI_NAK_RANGE, 0,
	 {{.pool = {.type = ABI_POOL, .key = 50, .window_s = 3601, .idle_s = 1}}}},
	{"backend without an address", ABI_NAK_RANGE, 0, {{.backend = {.type = ABI_BACKEND, .key = 9}}}},
	{"tunnel without a source", ABI_NAK_RANGE, 0,
	 {{.backend = {.type = ABI_BACKEND, .key = 9, .addr = {.family = ADDR_V4}, .encap = ABI_ENCAP_GRE}}}},
	{"next hop on no port", ABI_NAK_RANGE, 0, {{.nexthop = {.type = ABI_NEXTHOP, .port = PORTS, .mtu = 1500}}}},
	{"next hop's reserved octets", ABI_NAK_RANGE, 0,
	 {{.nexthop = {.type = ABI_NEXTHOP, .mtu = 1500, .zero = {[41] = 1}}}}},
	{"slots beyond the table", ABI_NAK_RANGE, 0,
	 {{.slots = {.type = ABI_SLOTS_PART, .first = ABI_SLOTS - 1, .count = 2}}}},
	{"no slots", ABI_NAK_RANGE, 0, {{.slots = {.type = ABI_SLOTS_PART}}}},
	{"owner out of range", ABI_NAK_RANGE, 0, {{.slots = {.type = ABI_SLOTS_PART, .count = 1, .owner = {0x4000}}}}},
	{"slots' unused owners", ABI_NAK_RANGE, 0, {{.slots = {.type = ABI_SLOTS_PART, .count = 1, .owner = {0, 1}}}}},
	{"removal of slots", ABI_NAK_RANGE, 0, {{.remove = {.type = ABI_REMOVE, .of = ABI_SLOTS_PART}}}},
	{"removal's reserved octets", ABI_NAK_RANGE, 0,
	 {{.remove = {.type = ABI_REMOVE, .of = ABI_VIP, .zero = {[57] = 1}}}}},
	{"removal of what isn't there", ABI_NAK_REFERENCE, 0,
	 {{.remove = {.type = ABI_REMOVE, .index = 5, .of = ABI_VIP}}}},
	{"two owners for a slot", ABI_NAK_DUPLICATE, 1,
	 {{.slots = {.type = ABI_SLOTS_PART, .count = 1}}, {.slots = {.type = ABI_SLOTS_PART, .count = 1, .owner = {1}}}}},
	{"removed twice", ABI_NAK_DUPLICATE, 1,
	 {{.remove = {.type = ABI_REMOVE, .of = ABI_SERVICE}}, {.remove = {.type = ABI_REMOVE, .of = ABI_SERVICE}}}},
	{"the same prefix twice", ABI_NAK_DUPLICATE, UINT32_MAX,
	 {{.vip = {.type = ABI_VIP, .index = 1, .key = 9, .len = 32,
		   .addr = {.family = ADDR_V4, .octets = {10, 99, 0, 1}}}}}},
	{"the same key twice", ABI_NAK_DUPLICATE, UINT32_MAX,
	 {{.service = {.type = ABI_SERVICE, .index = 1, .key = 1000, .port_first = 9, .port_last = 9, .protocol = 6}}}},
	{"the same service twice", ABI_NAK_DUPLICATE, UINT32_MAX,
	 {{.service = {.type = ABI_SERVICE, .index = 1, .key = 9, .port_first = 80, .port_last = 80, .protocol = 6}}}},
	{"services that overlap", ABI_NAK_DUPLICATE, UINT32_MAX,
	 {{.service = {.type = ABI_SERVICE, .index = 1, .key = 9, .port_first = 8, .port_last = 12, .protocol = 6}},
	  {.service = {.type = ABI_SERVICE, .index = 2, .key = 8, .port_first = 10, .port_last = 14, .protocol = 6}}}},
	{"the same address twice in a pool", ABI_NAK_DUPLICATE, UINT32_MAX,
	 {{.backend = {.type = ABI_BACKEND, .index = 5, .key = 9, .nexthop = ABI_NEXTHOP_NONE,
		       .addr = {.family = ADDR_V4, .octets = {10, 77, 0, 1}}}}}},
	{"service of no pool", ABI_NAK_REFERENCE, UINT32_MAX,
	 {{.service = {.type = ABI_SERVICE, .index = 1, .key = 9, .pool = 3, .port_last = 1, .protocol = 6}}}},
	{"backend of no next hop", ABI_NAK_REFERENCE, UINT32_MAX,
	 {{.backend = {.type = ABI_BACKEND, .index = 5, .key = 9, .nexthop = 3,
		       .addr = {.family = ADDR_V4, .octets = {10, 77, 0, 9}}}}}},
	{"slots of no pool", ABI_NAK_REFERENCE, UINT32_MAX, {{.slots = {.type = ABI_SLOTS_PART, .pool = 4, .count = 1}}}},
	{"owner that isn't there", ABI_NAK_REFERENCE, UINT32_MAX,
	 {{.slots = {.type = ABI_SLOTS_PART, .count = 1, .owner = {9}}}}},
	{"owner removed", ABI_NAK_REFERENCE, UINT32_MAX, {{.remove = {.type = ABI_REMOVE, .of = ABI_BACKEND}}}},
	{"new pool without slots", ABI_NAK_INCOMPLETE, UINT32_MAX,
	 {{.pool = {.type = ABI_POOL, .index = 1, .key = 51, .window_s = 1, .idle_s = 1}}}},
	{"another pool in the place of one, with few slots", ABI_NAK_INCOMPLETE, UINT32_MAX,
	 {{.pool = {.type = ABI_POOL, .key = 51, .window_s = 1, .idle_s = 1}},
	  {.slots = {.type = ABI_SLOTS_PART, .count = 1}}}},
};

Test(staging, refuses_what_does_not_fit_and_leaves_the_served_tables_alone)
{
	uint32_t crc = served_crc();

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		content.n = 0;
		for (unsigned k = 0; k < 3 && rows[i].records[k].type; k++)
			records_add(&content, rows[i].records[k]);
		cr_expect_eq(transaction_put(staging, begin_record(ABI_DELTA, 2, 1), &content, served, &nak),
			     STAGING_REFUSED, "%s", rows[i].name);
		cr_expect_eq(nak.reason, rows[i].reason, "%s: reason %u, %s", rows[i].name, nak.reason, nak.text);
		cr_expect_eq(nak.record, rows[i].record, "%s: record %u", rows[i].name, nak.record);
		cr_expect_eq(nak.generation, 2, "%s", rows[i].name);
		staging_reset(staging);
	}
	cr_expect_eq(served_crc(), crc);
	content.n = 0;
	cr_expect_eq(transaction_put(staging, begin_record(ABI_DELTA, 2, 1), &content, served, &nak), STAGING_READY);
}

Test(staging, refuses_frames_that_do_not_fit)
{
	static const struct {
		const char *name;
		unsigned reason;
		union abi_record begin;
		struct abi_commit change; /* added to a right COMMIT */
	} frames[] = {
		{"unknown kind", ABI_NAK_RANGE, {.begin = {.type = ABI_BEGIN, .kind = 2, .generation = 2}}, {0}},
		{"BEGIN's reserved octets", ABI_NAK_RANGE,
		 {.begin = {.type = ABI_BEGIN, .generation = 2, .zero2 = {[39] = 1}}}, {0}},
		{"full with a base", ABI_NAK_RANGE, {.begin = {.type = ABI_BEGIN, .generation = 2, .base = 1}}, {0}},
		{"the generation that is served", ABI_NAK_GENERATION, {.begin = {.type = ABI_BEGIN, .generation = 1}}, {0}},
		{"wrong base", ABI_NAK_GENERATION,
		 {.begin = {.type = ABI_BEGIN, .kind = ABI_DELTA, .generation = 3, .base = 2}}, {0}},
		{"COMMIT's reserved octets", ABI_NAK_RANGE, {.begin = {.type = ABI_BEGIN, .generation = 2}},
		 {.zero2 = {[43] = 1}}},
		{"COMMIT of another", ABI_NAK_GENERATION, {.begin = {.type = ABI_BEGIN, .generation = 2}}, {.generation = 1}},
		{"record count", ABI_NAK_COUNT, {.begin = {.type = ABI_BEGIN, .generation = 2}}, {.records = 1}},
		{"checksum", ABI_NAK_CRC, {.begin = {.type = ABI_BEGIN, .generation = 2}}, {.crc = 1}},
	};

	for (unsigned i = 0; i < ARRAY_LEN(frames); i++) {
		union abi_record commit = commit_record(&content, 2);

		commit.commit.generation += frames[i].change.generation;
		commit.commit.records += frames[i].change.records;
		commit.commit.crc += frames[i].change.crc;
		memcpy(commit.commit.zero2, frames[i].change.zero2, sizeof(commit.commit.zero2));
		if (staging_record(staging, &frames[i].begin, served, &nak) == STAGING_MORE)
			cr_expect_eq(staging_record(staging, &commit, served, &nak), STAGING_REFUSED, "%s", frames[i].name);
		cr_expect_eq(nak.reason, frames[i].reason, "%s: %s", frames[i].name, nak.text);
		nak.reason = 0;
		staging_reset(staging);
	}
}

Test(staging, passes_over_the_rest_of_a_refused_transaction)
{
	union abi_record begin = begin_record(ABI_DELTA, 2, 1), stray = vip_record(3, 3), commit = commit_record(&content, 2);

	cr_expect_eq(staging_record(staging, &stray, served, &nak), STAGING_REFUSED, "no BEGIN");
	cr_expect_eq(nak.reason, ABI_NAK_SEQUENCE);
	cr_expect_eq(staging_record(staging, &commit, served, &nak), STAGING_REFUSED, "no BEGIN");
	cr_expect_eq(staging_record(staging, &begin, served, &nak), STAGING_MORE);
	cr_expect_eq(staging_record(staging, &begin, served, &nak), STAGING_REFUSED, "BEGIN inside");
	cr_expect_eq(nak.reason, ABI_NAK_SEQUENCE);
	cr_expect_eq(staging_record(staging, &stray, served, &nak), STAGING_MORE);
	cr_expect_eq(staging_record(staging, &commit, served, &nak), STAGING_MORE);
	cr_expect_eq(transaction_put(staging, begin, &content, served, &nak), STAGING_READY);
}
