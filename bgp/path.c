/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/path.h"

#include <errno.h>
#include <string.h>

void
path_init(struct path *path)
{
	memset(path, 0, sizeof(*path));
	path->local_pref = 100;
}

static int
compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int
compare_large(const void *a, const void *b)
{
	const struct path_large *x = a, *y = b;
	int order = compare_u32(&x->global, &y->global);

	if (order == 0)
		order = compare_u32(&x->local1, &y->local1);
	return order ? order : compare_u32(&x->local2, &y->local2);
}

static int
insert(void *array, uint8_t *n, size_t size, const void *one, int (*compare)(const void *, const void *))
{
	uint8_t *at = array;
	uint8_t *end = at + *n * size;

	while (at < end && compare(at, one) < 0)
		at += size;
	if (at < end && compare(at, one) == 0)
		return 0;
	if (*n == PATH_COMMUNITIES_MAX)
		return -ENOSPC;
	memmove(at + size, at, (size_t)(end - at));
	memcpy(at, one, size);
	(*n)++;
	return 0;
}

int
path_add_community(struct path *path, uint32_t community)
{
	return insert(path->communities, &path->n_communities, sizeof(community), &community, compare_u32);
}

int
path_add_extended(struct path *path, uint64_t community)
{
	return insert(path->extended, &path->n_extended, sizeof(community), &community, compare_u64);
}

int
path_add_large(struct path *path, const struct path_large *community)
{
	return insert(path->large, &path->n_large, sizeof(*community), community, compare_large);
}
