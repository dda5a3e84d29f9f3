/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{pcapng,capture_block}.c abi/{capture,counters}.c base/base64.c */
/*
 * A ring of packets' copies that a hostile dataplane wrote, made into blocks of a file, whose lengths must hold; then the
 * file as text, as nearcastctl takes it from the control plane, which may be any text too.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "controlplane/capture_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = 4, HEAD = 12 };

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Options of a block, from `at` to its end. */
static void
options_check(const uint8_t *at, const uint8_t *end)
{
	for (;;) {
		uint32_t code, len;

		if (end - at < 4)
			abort();
		code = get32(at) & 0xffff;
		len = get32(at) >> 16;
		at += 4 + (len + 3) / 4 * 4;
		if (at > end)
			abort();
		if (code != 0)
			continue;
		if (len != 0 || at != end)
			abort();
		return;
	}
}

static void
block_check(const uint8_t *block, size_t len, const struct abi_capture_slot *slot)
{
	if (len > CAPTURE_BLOCK_MAX || len % 4 != 0 || get32(block + 4) != len || get32(block + len - 4) != len)
		abort();
	if (get32(block + 20) != slot->held || memcmp(block + 28, slot->octets, slot->held) != 0)
		abort();
	options_check(block + 28 + (slot->held + 3U) / 4 * 4, block + len - 4);
}

static void
text_check(const uint8_t *octets, size_t len)
{
	static char text[(CAPTURE_BLOCK_MAX + 2) / 3 * 4 + 1];
	static uint8_t back[CAPTURE_BLOCK_MAX];

	base64_encode(octets, len, text);
	if (strlen(text) != base64_len(len) || base64_decode(text, back, sizeof(back)) != (long)len ||
	    memcmp(back, octets, len) != 0)
		abort();
}

static void
any_text(const uint8_t *data, size_t size)
{
	uint8_t out[64];
	char text[256];
	long len;

	size = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	len = base64_decode(text, out, sizeof(out));
	if (len > (long)sizeof(out))
		abort();
}

static void
ring_fill(struct capture_ring_shared *shared, const uint8_t *data, size_t size)
{
	uint8_t *slots = (uint8_t *)shared->slots;
	size_t room = SIZE * sizeof(struct abi_capture_slot);

	memset(shared, 0, capture_ring_bytes(SIZE));
	atomic_store(&shared->head, get32(data));
	atomic_store(&shared->tail, get32(data + 4));
	memcpy(slots, data + HEAD, size - HEAD < room ? size - HEAD : room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(64) uint8_t memory[sizeof(struct capture_ring_shared) + SIZE * sizeof(struct abi_capture_slot)];
	static uint8_t block[CAPTURE_BLOCK_MAX];
	static struct abi_capture_slot slot;
	struct capture_ring ring = capture_ring_init(memory, SIZE);
	char names[2][64];

	any_text(data, size);
	if (size < HEAD)
		return 0;
	ring_fill(ring.shared, data, size);
	memset(names, data[8], sizeof(names));
	names[0][data[9] % 64] = names[1][data[10] % 64] = '\0';
	names[0][63] = names[1][63] = '\0';
	for (unsigned i = 0; i < 2 * SIZE && capture_ring_pop(&ring, &slot) == 1; i++) {
		const struct capture_names of = {data[11] & 1 ? names[0] : NULL, data[11] & 2 ? names[1] : NULL};
		size_t len = capture_block_encode(block, &slot, &of);

		block_check(block, len, &slot);
		text_check(block, len);
	}
	/* The producer's side, whose consumer lies. */
	if (capture_ring_claim(&ring))
		capture_ring_push(&ring);
	return 0;
}
