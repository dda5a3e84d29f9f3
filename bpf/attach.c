/* SPDX-License-Identifier: BSD-2-Clause */
#include "bpf/attach.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MAPS_MAX = 16,
	/* Where in the TC hook the program sits: whoever comes later in the same place replaces it. */
	TC_HANDLE = 1,
	TC_PRIORITY = 0x6e63,
};

struct attach {
	struct bpf_object *object;
	unsigned ifindex;
	enum attach_mode mode;
	int link; /* of XDP, or negative */
};

/* As BPF_MAP_TYPE_LPM_TRIE takes it; an IPv4 map reads the first eight octets. */
struct lpm_key {
	uint32_t prefix_len;
	uint8_t octets[16];
};

/* The compiled decap.bpf.c, linked in. */
extern const uint8_t _binary_bpf_decap_bpf_o_start[];
extern const uint8_t _binary_bpf_decap_bpf_o_end[];

const char *
attach_mode_name(enum attach_mode mode)
{
	static const char *const names[ATTACH_MODES] = {"auto", "native", "generic", "tc"};

	return names[mode];
}

static struct bpf_tc_opts
tc_place(void)
{
	return (struct bpf_tc_opts){.sz = sizeof(struct bpf_tc_opts), .handle = TC_HANDLE, .priority = TC_PRIORITY};
}

static struct bpf_tc_hook
tc_hook(unsigned ifindex)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook), .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS};
}

static int
prefixes_fill(const struct bpf_object *object, const char *v4, const char *v6, const struct prefix *list, unsigned n)
{
	uint32_t one = 1;

	for (unsigned i = 0; i < n; i++) {
		struct lpm_key key = {.prefix_len = list[i].len};
		int map = bpf_object__find_map_fd_by_name(object, list[i].addr.family == ADDR_V4 ? v4 : v6);

		memcpy(key.octets, list[i].addr.octets, sizeof(key.octets));
		if (bpf_map_update_elem(map, &key, &one, BPF_ANY) != 0)
			return -errno;
	}
	return 0;
}

static int
rules_fill(const struct bpf_object *object, const struct attach_rules *rules)
{
	struct decap_config config = {.gue_port = htons(rules->gue_port)};
	uint32_t zero = 0;
	int err = prefixes_fill(object, "sources4", "sources6", rules->sources, rules->n_sources);

	if (!err)
		err = prefixes_fill(object, "vips4", "vips6", rules->vips, rules->n_vips);
	if (!err && bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "config"), &zero, &config, BPF_ANY) != 0)
		err = -errno;
	return err;
}

static int
program_fd(const struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static int
hook_xdp(struct attach *a, enum attach_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode == ATTACH_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);

	a->link = bpf_link_create(program_fd(a->object, DECAP_PROGRAM_XDP), (int)a->ifindex, BPF_XDP, &options);
	return a->link < 0 ? -errno : 0;
}

static int
hook_tc(struct attach *a)
{
	struct bpf_tc_hook hook = tc_hook(a->ifindex);
	struct bpf_tc_opts place = tc_place();
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* that there is one is no news */
	int err = bpf_tc_hook_create(&hook);

	libbpf_set_print(print);
	if (err && err != -EEXIST)
		return err;
	place.prog_fd = program_fd(a->object, DECAP_PROGRAM_TC);
	place.flags = BPF_TC_F_REPLACE;
	return bpf_tc_attach(&hook, &place);
}

static int
hook(struct attach *a, enum attach_mode mode)
{
	int err = mode == ATTACH_TC ? hook_tc(a) : hook_xdp(a, mode);

	if (!err)
		a->mode = mode;
	return err;
}

static int
hook_first(struct attach *a)
{
	int err = -EOPNOTSUPP;

	for (enum attach_mode mode = ATTACH_NATIVE; err && mode <= ATTACH_TC; mode++)
		err = hook(a, mode);
	return err;
}

/* Is a decapsulator of a living process there? One at the TC hook outlives its process, so it doesn't say. */
static bool
is_taken(unsigned ifindex)
{
	uint64_t counters[DECAP_COUNTER_COUNT];
	enum attach_mode mode;

	return attach_read(ifindex, &mode, counters) == 0 && mode != ATTACH_TC;
}

int
attach_open(struct attach **out, unsigned ifindex, enum attach_mode mode, const struct attach_rules *rules)
{
	struct attach *a;
	int err;

	if (is_taken(ifindex))
		return -EBUSY;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->ifindex = ifindex;
	a->link = -1;
	a->object = bpf_object__open_mem(_binary_bpf_decap_bpf_o_start,
					 (size_t)(_binary_bpf_decap_bpf_o_end - _binary_bpf_decap_bpf_o_start), NULL);
	err = a->object ? bpf_object__load(a->object) : -errno;
	if (!err)
		err = rules_fill(a->object, rules);
	if (!err)
		err = mode == ATTACH_AUTO ? hook_first(a) : hook(a, mode);
	if (err) {
		attach_close(a);
		return err;
	}
	*out = a;
	return 0;
}

void
attach_close(struct attach *a)
{
	struct bpf_tc_hook hook;
	struct bpf_tc_opts place = tc_place();

	if (!a)
		return;
	hook = tc_hook(a->ifindex);
	if (a->link >= 0)
		close(a->link);
	/* The qdisc stays: others may have hung filters on it since. */
	if (a->mode == ATTACH_TC)
		(void)bpf_tc_detach(&hook, &place);
	if (a->object)
		bpf_object__close(a->object);
	free(a);
}

enum attach_mode
attach_mode_of(const struct attach *a)
{
	return a->mode;
}

/* Looking at somebody else's. */

static uint32_t
tc_program(unsigned ifindex)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* that there is none is no news */
	struct bpf_tc_hook hook = tc_hook(ifindex);
	struct bpf_tc_opts place = tc_place();
	int err = bpf_tc_query(&hook, &place);

	libbpf_set_print(print);
	return err ? 0 : place.prog_id;
}

static int
program_open(uint32_t id, const char *name)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}

static int
program_find(unsigned ifindex, enum attach_mode *mode)
{
	uint32_t native = 0, generic = 0;
	int fd;

	(void)bpf_xdp_query_id((int)ifindex, XDP_FLAGS_DRV_MODE, &native);
	(void)bpf_xdp_query_id((int)ifindex, XDP_FLAGS_SKB_MODE, &generic);
	*mode = ATTACH_NATIVE;
	fd = program_open(native, DECAP_PROGRAM_XDP);
	if (fd >= 0)
		return fd;
	*mode = ATTACH_GENERIC;
	fd = program_open(generic, DECAP_PROGRAM_XDP);
	if (fd >= 0)
		return fd;
	*mode = ATTACH_TC;
	return program_open(tc_program(ifindex), DECAP_PROGRAM_TC);
}

static int
counters_open(int program)
{
	uint32_t ids[MAPS_MAX] = {0};
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &len) != 0)
		return -errno;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map = {0};
		uint32_t map_len = sizeof(map);
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd < 0)
			continue;
		/* Another version's map may be smaller or larger than ours. */
		if (bpf_obj_get_info_by_fd(fd, &map, &map_len) == 0 && strcmp(map.name, "counters") == 0 &&
		    map.max_entries == DECAP_COUNTER_COUNT && map.value_size == sizeof(uint64_t))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int
counters_sum(int map, uint64_t counters[DECAP_COUNTER_COUNT])
{
	int n = libbpf_num_possible_cpus();
	uint64_t *values = n > 0 ? calloc((size_t)n, sizeof(*values)) : NULL;
	int err = values ? 0 : -ENOMEM;

	for (uint32_t c = 0; !err && c < DECAP_COUNTER_COUNT; c++) {
		counters[c] = 0;
		if (bpf_map_lookup_elem(map, &c, values) != 0)
			err = -errno;
		for (int i = 0; !err && i < n; i++)
			counters[c] += values[i];
	}
	free(values);
	return err;
}

int
attach_read(unsigned ifindex, enum attach_mode *mode, uint64_t counters[DECAP_COUNTER_COUNT])
{
	int program = program_find(ifindex, mode), map, err;

	if (program < 0)
		return program;
	map = counters_open(program);
	close(program);
	if (map < 0)
		return map;
	err = counters_sum(map, counters);
	close(map);
	return err;
}
