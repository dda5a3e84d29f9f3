/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: dataplane/{staging,staging_check,build,registry,slots}.c dataplane/stage/?*.c abi/?*.c base/?*.c */
/* packages: libdpdk libhs libpcap */
/*
 * Records of 64 octets into staging, as a hostile control plane sends them; a state that is taken is built. The bits of
 * the first octet pick: bit 0, the records come between a BEGIN and a right COMMIT, so that the checks of the whole are
 * reached too; bit 1, a generation is served already; bit 2, that BEGIN is a delta's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "dataplane/build.h"

enum { FRAMED = 1, SERVING = 2, DELTA = 4, NOW_NS = 1000, GENERATION = 5 };

struct fuzz {
	struct staging *staging;
	const struct build *served;  /* NULL: nothing yet */
	union abi_record commit; /* right for what came since BEGIN */
};

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

/* What workers read without a check: owners in range and of a living backend, or none. */
static void
snapshot_check(const struct snapshot *s)
{
	for (unsigned i = 0; i < ABI_SERVICES_MAX; i++) {
		const slot_word *slots = s->services[i].slots;

		for (unsigned k = 0; slots && k < ABI_SLOTS; k++) {
			uint16_t owner = slot_owner(slots[k]), previous = slot_previous(slots[k]);

			if (owner > ABI_BACKENDS_MAX || previous > ABI_BACKENDS_MAX ||
			    (owner != BACKEND_NONE && !s->alive[owner]))
				abort();
		}
	}
	if (s->alive[BACKEND_NONE] != 0)
		abort();
}

static struct build *
build(struct fuzz *f)
{
	struct wanted *wanted = staging_take(f->staging);
	const char *text = NULL;
	struct build *b;

	if (wanted_check(wanted, &text) != 0 || build_new(f->served, wanted, NOW_NS, 1, &b) != 0)
		abort();
	snapshot_check(b->snapshot);
	return b;
}

static enum staging_result
put(struct fuzz *f, const union abi_record *record)
{
	struct abi_nak nak = {.reason = 0};
	enum staging_result result =
		staging_record(f->staging, record, f->served ? f->served->wanted : NULL, &nak);

	if (result == STAGING_REFUSED && (nak.reason == 0 || nak.text[sizeof(nak.text) - 1] != '\0'))
		abort();
	return result;
}

static void
put_content(struct fuzz *f, const union abi_record *record)
{
	if (put(f, record) == STAGING_READY)
		build_free(build(f));
	f->commit.commit.crc = crc32c(f->commit.commit.crc, record, sizeof(*record));
	f->commit.commit.records++;
}

static void
put_begin(struct fuzz *f, uint16_t kind, uint64_t generation)
{
	union abi_record begin = {.begin = {.type = ABI_BEGIN,
					    .kind = kind,
					    .generation = generation,
					    .base = kind == ABI_DELTA ? GENERATION : 0}};

	put(f, &begin);
	f->commit = (union abi_record){.commit = {.type = ABI_COMMIT, .generation = generation}};
}

/* One of each kind, and a second backend. */
static struct build *
serve(struct fuzz *f)
{
	static const union abi_record things[] = {
		{.vip = {.type = ABI_VIP, .key = 1, .len = 24, .addr = {.family = ADDR_V4, .octets = {10, 99}}}},
		{.service = {.type = ABI_SERVICE, .key = 1, .protocol = 6, .port_first = 80, .port_last = 90}},
		{.pool = {.type = ABI_POOL, .key = 1, .seed = 1, .window_s = 1, .idle_s = 1}},
		{.nexthop = {.type = ABI_NEXTHOP, .mtu = 1500}},
		{.backend = {.type = ABI_BACKEND, .key = 1, .addr = {.family = ADDR_V4, .octets = {10, 77, 0, 1}}}},
		{.backend = {.type = ABI_BACKEND, .index = 1, .key = 2, .nexthop = ABI_NEXTHOP_NONE,
			     .addr = {.family = ADDR_V4, .octets = {10, 77, 0, 2}}}},
	};

	put_begin(f, ABI_FULL, GENERATION);
	for (size_t i = 0; i < ARRAY_LEN(things); i++)
		put_content(f, &things[i]);
	for (unsigned first = 0; first < ABI_SLOTS; first += ABI_SLOTS_PER_PART) {
		unsigned left = ABI_SLOTS - first, count = left < ABI_SLOTS_PER_PART ? left : ABI_SLOTS_PER_PART;
		union abi_record part = {
			.slots = {.type = ABI_SLOTS_PART, .first = (uint16_t)first, .count = (uint16_t)count}};

		for (unsigned i = 0; i < count; i++)
			part.slots.owner[i] = (first + i) & 1;
		put_content(f, &part);
	}
	if (put(f, &f->commit) != STAGING_READY)
		abort();
	return build(f);
}

/* Made once: whatever comes after must leave it as it is. */
static const struct build *
base_of(void)
{
	static struct build *base;
	static struct wanted copy;
	struct fuzz f = {.served = NULL};

	if (!base) {
		f.staging = staging_new(4);
		if (!f.staging)
			abort();
		base = serve(&f);
		staging_free(f.staging);
		copy = *base->wanted;
	}
	if (memcmp(&copy, base->wanted, sizeof(copy)) != 0 || base->pools[0]->moving + base->pools[0]->settling != 0)
		abort();
	for (unsigned i = 0; i < ABI_SLOTS; i++) {
		if (copy.owners[0][i] != (i & 1))
			abort();
	}
	return base;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct fuzz f = {.served = NULL};
	union abi_record record;

	if (len == 0)
		return -1;
	if (octets[0] & SERVING)
		f.served = base_of();
	f.staging = staging_new(4);
	if (!f.staging)
		abort();
	if (octets[0] & FRAMED)
		put_begin(&f, octets[0] & DELTA ? ABI_DELTA : ABI_FULL, GENERATION + 1);
	for (size_t at = 1; at + sizeof(record) <= len; at += sizeof(record)) {
		memcpy(&record, octets + at, sizeof(record));
		put_content(&f, &record);
	}
	if ((octets[0] & FRAMED) && put(&f, &f.commit) == STAGING_READY)
		build_free(build(&f));
	staging_free(f.staging);
	return 0;
}
