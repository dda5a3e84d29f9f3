/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of a small PoP, and transactions of them. */
#ifndef TESTS_TRANSACTIONS_H
#define TESTS_TRANSACTIONS_H

#include "dataplane/staging.h"

enum { TRANSACTION_MAX = 8192, PORTS = 1 };

struct records {
	unsigned n;
	union abi_record list[TRANSACTION_MAX];
};

void records_add(struct records *r, union abi_record record);
union abi_record vip_record(uint16_t index, uint8_t octet);
union abi_record service_record(uint16_t index, uint16_t vip, uint16_t pool, uint16_t first, uint16_t last);
union abi_record pool_record(uint16_t index, uint64_t key);
union abi_record backend_record(uint16_t index, uint16_t pool, uint64_t key, uint8_t octet);
union abi_record begin_record(uint16_t kind, uint64_t generation, uint64_t base);
union abi_record commit_record(const struct records *content, uint64_t generation);
/* Slots of the pool: the even ones are a's, the odd ones b's. */
void slots_add(struct records *r, uint16_t pool, uint16_t a, uint16_t b);
/* One VIP, service and pool (key 50), backends `a` (key 1, 10.77.0.1) and `b` (key 2, 10.77.0.2). */
void pop_add(struct records *r, uint16_t a, uint16_t b);

/* BEGIN, content, COMMIT; the result of the first record that isn't taken, else of COMMIT. */
enum staging_result transaction_put(struct staging *s, union abi_record begin, const struct records *content,
				    const struct wanted *served, struct abi_nak *nak);

#endif
