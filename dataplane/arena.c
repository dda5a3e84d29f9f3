/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void
arena_free_all(struct arena *a)
{
	if (a->units)
		munmap(a->units, arena_octets(a));
	*a = (struct arena){0};
}

/* Mapped on its own: it can grow without a copy, large pages spare workers most of their TLB misses, and what is
 * given back goes to the system. */
static int
arena_resize(struct arena *a, uint32_t capacity)
{
	size_t octets = capacity * a->unit;
	void *units = a->units ? mremap(a->units, arena_octets(a), octets, MREMAP_MAYMOVE)
			       : mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (units == MAP_FAILED)
		return -ENOMEM;
	madvise(units, octets, MADV_HUGEPAGE); /* a kernel without them does as well */
	a->units = units;
	a->capacity = capacity;
	return 0;
}

int
arena_reserve(struct arena *a, uint32_t n)
{
	if (a->capacity - a->used >= n)
		return 0;
	/* Indices stay below 2^31: an owner may use the topmost bit. */
	if (a->used > UINT32_C(1) << 30)
		return -ENOMEM;
	return arena_resize(a, a->used + a->used / 2 + n + 4096);
}

unsigned
arena_class(unsigned n)
{
	return n <= 1 ? 0 : 32 - (unsigned)__builtin_clz(n - 1);
}

static void
free_put(struct arena *a, uint32_t index, unsigned class)
{
	memcpy(arena_at(a, index), &a->free[class], sizeof(a->free[class]));
	a->free[class] = index + 1;
}

void
arena_give(struct arena *a, uint32_t index, unsigned n)
{
	free_put(a, index, arena_class(n));
}

uint32_t
arena_take(struct arena *a, unsigned n)
{
	unsigned class = arena_class(n), from = class;
	uint32_t index;

	while (from < ARENA_CLASSES && a->free[from] == 0)
		from++;
	if (from == ARENA_CLASSES) {
		index = a->used;
		a->used += 1U << class;
		return index;
	}
	index = a->free[from] - 1;
	memcpy(&a->free[from], arena_at(a, index), sizeof(a->free[from]));
	while (from > class) {
		from--;
		free_put(a, index + (1U << from), from);
	}
	return index;
}

int
arena_copy(struct arena *to, const struct arena *from)
{
	arena_free_all(to);
	to->unit = from->unit;
	if (arena_resize(to, from->capacity) != 0)
		return -ENOMEM;
	if (from->used > 0)
		memcpy(to->units, from->units, from->used * from->unit);
	to->used = from->used;
	memcpy(to->free, from->free, sizeof(to->free));
	return 0;
}
