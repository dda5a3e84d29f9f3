/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How evenly, how calmly and how fast pools become slot tables. For each kind of hash and size of pool: the largest
 * slots-for-weight over the mean; the share of slots that move though neither their old nor their new owner had to
 * (one member goes, and they weren't its own); the time of a whole compile, and of one after a change of one weight.
 *
 *   bench-allocate [--json FILE] [--machine TEXT] [--commit ID]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "controlplane/allocate.h"
#include "controlplane/compile.h"

enum { RUNS = 7, GONE = 5, BACKENDS_MAX = 1000 };

struct result {
	const char *hash;
	unsigned backends;
	bool weighted;
	double max_over_mean;
	double needless_percent;
	double compile_ms;
	double reweight_ms;
};

static const unsigned sizes[] = {10, 100, 500, 1000};

static void
pool_make(struct model_pool *pool, enum model_hash hash, unsigned n, bool weighted)
{
	pool->hash = hash;
	pool->n_backends = n;
	for (unsigned i = 0; i < n; i++) {
		struct model_backend *backend = &pool->backends[i];

		snprintf(backend->name, sizeof(backend->name), "backend-%u", i);
		backend->addr = addr_v4((const uint8_t[]){10, 77, (uint8_t)(i >> 8), (uint8_t)i});
		backend->weight = weighted ? (uint8_t)(1 + i % 4) : 1;
	}
}

static void
members_make(const struct model_pool *pool, struct allocate_backend *members)
{
	for (unsigned i = 0; i < pool->n_backends; i++)
		members[i] = (struct allocate_backend){.key = compile_backend_key(pool->name, pool->backends[i].name),
						       .weight = pool->backends[i].weight,
						       .index = (uint16_t)i};
}

static double
max_over_mean(const struct model_pool *pool, const uint16_t *owner)
{
	unsigned counts[BACKENDS_MAX] = {0}, weights = 0;
	double worst = 0;

	for (unsigned i = 0; i < ABI_SLOTS; i++)
		counts[owner[i]]++;
	for (unsigned i = 0; i < pool->n_backends; i++)
		weights += pool->backends[i].weight;
	for (unsigned i = 0; i < pool->n_backends; i++) {
		double load = (double)counts[i] * weights / pool->backends[i].weight / ABI_SLOTS;

		worst = load > worst ? load : worst;
	}
	return worst;
}

/* The mean over a few members, each gone for itself. */
static int
needless_percent(const struct model_pool *pool, struct allocate_backend *members, const uint16_t *before, double *out)
{
	static uint16_t after[ABI_SLOTS];
	unsigned n = pool->n_backends, moved = 0;

	for (unsigned run = 0; run < GONE; run++) {
		unsigned gone = run * n / GONE;
		uint32_t weight = members[gone].weight;
		int err;

		members[gone].weight = 0;
		err = allocate(pool->hash, pool->seed, members, n, after);
		members[gone].weight = weight;
		if (err)
			return err;
		for (unsigned i = 0; i < ABI_SLOTS; i++)
			moved += before[i] != gone && before[i] != after[i];
	}
	*out = 100.0 * moved / GONE / ABI_SLOTS;
	return 0;
}

static int
double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Medians. A new object each time for the first, so that no table is remembered. */
static int
time_compile(const struct model *model, const bool *usable, const bool *drained, struct result *result)
{
	const struct compile_input input = {.model = model, .usable = usable, .drained = drained};
	double whole[RUNS], change[RUNS];

	for (unsigned run = 0; run < RUNS; run++) {
		struct compile *compile = NULL;
		struct compiled *first = NULL, *second = NULL;
		uint64_t start = clock_now_ns(), middle, again, end;
		int err = compile_new(&compile);

		err = err ? err : compile_tables(compile, &input, &first);
		middle = clock_now_ns();
		model->pools[0].backends[0].weight++;
		again = clock_now_ns();
		err = err ? err : compile_tables(compile, &input, &second);
		end = clock_now_ns();
		model->pools[0].backends[0].weight--;
		compiled_free(first);
		compiled_free(second);
		compile_free(compile);
		if (err)
			return err;
		whole[run] = (double)(middle - start) / 1e6;
		change[run] = (double)(end - again) / 1e6;
	}
	qsort(whole, RUNS, sizeof(*whole), double_compare);
	qsort(change, RUNS, sizeof(*change), double_compare);
	result->compile_ms = whole[RUNS / 2];
	result->reweight_ms = change[RUNS / 2];
	return 0;
}

static int
bench_one(enum model_hash hash, unsigned n, bool weighted, struct result *result)
{
	static struct model_backend backends[BACKENDS_MAX];
	static struct allocate_backend members[BACKENDS_MAX];
	static uint16_t owner[ABI_SLOTS];
	static bool usable[BACKENDS_MAX], drained[BACKENDS_MAX];
	struct model_pool pool = {.name = "pool", .seed = 1, .backends = backends};
	struct model model = {.n_pools = 1, .pools = &pool};
	int err;

	memset(usable, true, sizeof(usable));
	pool_make(&pool, hash, n, weighted);
	members_make(&pool, members);
	*result = (struct result){
		.hash = hash == MODEL_HASH_STABLE ? "stable" : "maglev", .backends = n, .weighted = weighted};
	err = allocate(hash, pool.seed, members, n, owner);
	if (err)
		return err;
	result->max_over_mean = max_over_mean(&pool, owner);
	err = needless_percent(&pool, members, owner, &result->needless_percent);
	return err ? err : time_compile(&model, usable, drained, result);
}

/* What the figures were taken on. */
struct origin {
	const char *machine;
	const char *commit;
};

static void
json_write(FILE *file, const struct result *results, unsigned n, const struct origin *origin)
{
	for (unsigned i = 0; i < n; i++) {
		const struct result *r = &results[i];

		fprintf(file,
			"%s\n  {\"bench\": \"allocate\", \"hash\": \"%s\", \"backends\": %u, \"weighted\": %s, "
			"\"max_over_mean\": %.5f, \"needless_percent\": %.4f, \"compile_ms\": %.2f, "
			"\"reweight_ms\": %.2f, \"machine\": \"%s\", \"compiler\": \"%s\", \"commit\": \"%s\"}",
			i == 0 ? "[" : ",", r->hash, r->backends, r->weighted ? "true" : "false", r->max_over_mean,
			r->needless_percent, r->compile_ms, r->reweight_ms, origin->machine, __VERSION__,
			origin->commit);
	}
	fprintf(file, "\n]\n");
}

static void
table_print(const struct result *results, unsigned n)
{
	printf("%-7s %8s %8s %13s %10s %11s %12s\n", "hash", "backends", "weighted", "max over mean", "needless %",
	       "compile ms", "reweight ms");
	for (unsigned i = 0; i < n; i++) {
		const struct result *r = &results[i];

		printf("%-7s %8u %8s %13.4f %10.3f %11.2f %12.2f\n", r->hash, r->backends, r->weighted ? "yes" : "no",
		       r->max_over_mean, r->needless_percent, r->compile_ms, r->reweight_ms);
	}
}

int
main(int argc, char **argv)
{
	struct result results[2 * 2 * ARRAY_LEN(sizes)];
	struct origin origin = {"unknown", "unknown"};
	const char *path = NULL;
	unsigned n = 0;
	FILE *file;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--json") == 0)
			path = argv[i + 1];
		else if (strcmp(argv[i], "--commit") == 0)
			origin.commit = argv[i + 1];
		else if (strcmp(argv[i], "--machine") == 0)
			origin.machine = argv[i + 1];
	}
	for (unsigned i = 0; i < ARRAY_LEN(results); i++, n++) {
		enum model_hash hash = i < ARRAY_LEN(results) / 2 ? MODEL_HASH_STABLE : MODEL_HASH_MAGLEV;

		if (bench_one(hash, sizes[i / 2 % ARRAY_LEN(sizes)], i % 2 == 1, &results[i]) != 0) {
			fprintf(stderr, "bench-allocate: out of memory\n");
			return 1;
		}
	}
	table_print(results, n);
	if (!path)
		return 0;
	file = fopen(path, "w");
	if (!file) {
		perror(path);
		return 1;
	}
	json_write(file, results, n, &origin);
	return fclose(file) == 0 ? 0 : 1;
}
