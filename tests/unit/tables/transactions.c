/* SPDX-License-Identifier: BSD-2-Clause */
#include "transactions.h"

#include <criterion/criterion.h>

#include "base/crc32c.h"

void
records_add(struct records *r, union abi_record record)
{
	cr_assert_lt(r->n, TRANSACTION_MAX);
	r->list[r->n++] = record;
}

static struct addr
address(uint8_t octet)
{
	return addr_v4((const uint8_t[]){10, 77, 0, octet});
}

union abi_record
vip_record(uint16_t index, uint8_t octet)
{
	return (union abi_record){.vip = {.type = ABI_VIP,
					  .index = index,
					  .len = 32,
					  .key = 100u + octet,
					  .addr = addr_v4((const uint8_t[]){10, 99, 0, octet})}};
}

union abi_record
service_record(uint16_t index, uint16_t vip, uint16_t pool, uint16_t first, uint16_t last)
{
	return (union abi_record){.service = {.type = ABI_SERVICE,
					      .index = index,
					      .vip = vip,
					      .pool = pool,
					      .key = 1000u + index,
					      .port_first = first,
					      .port_last = last,
					      .protocol = 6}};
}

union abi_record
pool_record(uint16_t index, uint64_t key)
{
	return (union abi_record){
		.pool = {.type = ABI_POOL, .index = index, .window_s = 10, .key = key, .seed = 7, .idle_s = 60}};
}

union abi_record
backend_record(uint16_t index, uint16_t pool, uint64_t key, uint8_t octet)
{
	return (union abi_record){.backend = {.type = ABI_BACKEND,
					      .index = index,
					      .pool = pool,
					      .nexthop = ABI_NEXTHOP_NONE,
					      .key = key,
					      .addr = address(octet)}};
}

union abi_record
begin_record(uint16_t kind, uint64_t generation, uint64_t base)
{
	return (union abi_record){.begin = {.type = ABI_BEGIN, .kind = kind, .generation = generation, .base = base}};
}

union abi_record
commit_record(const struct records *content, uint64_t generation)
{
	return (union abi_record){.commit = {.type = ABI_COMMIT,
					     .records = content->n,
					     .generation = generation,
					     .crc = crc32c(0, content->list, content->n * sizeof(content->list[0]))}};
}

void
slots_add(struct records *r, uint16_t pool, uint16_t a, uint16_t b)
{
	for (unsigned first = 0; first < ABI_SLOTS; first += ABI_SLOTS_PER_PART) {
		unsigned count = ABI_SLOTS - first < ABI_SLOTS_PER_PART ? ABI_SLOTS - first : ABI_SLOTS_PER_PART;
		union abi_record record = {.slots = {.type = ABI_SLOTS_PART,
						     .pool = pool,
						     .first = (uint16_t)first,
						     .count = (uint16_t)count}};

		for (unsigned i = 0; i < count; i++)
			record.slots.owner[i] = (first + i) % 2 ? b : a;
		records_add(r, record);
	}
}

void
pop_add(struct records *r, uint16_t a, uint16_t b)
{
	records_add(r, vip_record(0, 1));
	records_add(r, service_record(0, 0, 0, 80, 80));
	records_add(r, pool_record(0, 50));
	records_add(r, backend_record(a, 0, 1, 1));
	records_add(r, backend_record(b, 0, 2, 2));
	slots_add(r, 0, a, b);
}

enum staging_result
transaction_put(struct staging *s, union abi_record begin, const struct records *content, const struct wanted *served,
		struct abi_nak *nak)
{
	union abi_record commit = commit_record(content, begin.begin.generation);
	enum staging_result result = staging_record(s, &begin, served, nak);

	for (unsigned i = 0; result == STAGING_MORE && i < content->n; i++)
		result = staging_record(s, &content->list[i], served, nak);
	return result == STAGING_MORE ? staging_record(s, &commit, served, nak) : result;
}
