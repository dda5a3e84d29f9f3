/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of 64 octets into staging, as a hostile control plane sends them. The first octet picks the mode: as they are,
 * or with a right COMMIT after them, so that the checks of the whole are reached too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "dataplane/staging.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

static enum staging_result
put(struct staging *s, const union abi_record *record)
{
	struct abi_nak nak = {.reason = 0};
	enum staging_result result = staging_record(s, record, NULL, &nak);
	const char *text = NULL;
	struct wanted *wanted;

	if (result == STAGING_REFUSED && (nak.reason == 0 || nak.text[sizeof(nak.text) - 1] != '\0'))
		abort();
	if (result != STAGING_READY)
		return result;
	wanted = staging_take(s);
	if (wanted_check(wanted, &text) != 0)
		abort();
	wanted_free(wanted);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct staging *s = staging_new(4);
	union abi_record record = {.begin = {.type = ABI_BEGIN, .generation = 1}};
	union abi_record commit = {.commit = {.type = ABI_COMMIT, .generation = 1}};
	bool is_framed = len > 0 && octets[0] & 1;

	if (!s)
		abort();
	if (is_framed)
		put(s, &record);
	for (size_t at = 1; at + sizeof(record) <= len; at += sizeof(record)) {
		memcpy(&record, octets + at, sizeof(record));
		put(s, &record);
		commit.commit.crc = crc32c(commit.commit.crc, &record, sizeof(record));
		commit.commit.records++;
	}
	if (is_framed)
		put(s, &commit);
	staging_free(s);
	return 0;
}
