/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAPS_MAX = 16 };

/* As BPF_MAP_TYPE_LPM_TRIE takes it; an IPv4 map reads the first eight octets. */
struct lpm_key {
	uint32_t prefix_len;
	uint8_t octets[16];
};

static int
map_open(const struct bpf_prog_info *info, const uint32_t *ids, const char *name)
{
	for (uint32_t i = 0; i < info->nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map = {0};
		uint32_t len = sizeof(map);
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &map, &len) == 0 && strcmp(map.name, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int
program_open(unsigned ifindex)
{
	uint32_t id = 0;

	if (bpf_xdp_query_id((int)ifindex, 0, &id) != 0 || id == 0)
		return -ENOENT;
	return bpf_prog_get_fd_by_id(id);
}

/* An abstract socket's name is the network namespace's, as the interface is, and dies with its holder. */
static int
name_hold(unsigned ifindex)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int len = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "nearcast-steer-%u", ifindex);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static bool
is_ours(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &len) == 0 && strcmp(info.name, STEER_PROGRAM) == 0;
}

/* Nobody holds the interface's name, so the owner of a program of ours is dead. */
static int
leftover_remove(unsigned ifindex)
{
	int program = program_open(ifindex);
	bool ours;

	if (program == -ENOENT)
		return 0;
	if (program < 0)
		return program;
	ours = is_ours(program);
	close(program);
	if (!ours)
		return -EBUSY;
	/* Which of the two modes it runs in doesn't matter: the other call finds nothing. */
	(void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE, NULL);
	(void)bpf_xdp_detach((int)ifindex, XDP_FLAGS_SKB_MODE, NULL);
	return program_open(ifindex) == -ENOENT ? 0 : -EBUSY;
}

int
steering_claim(const char *interface)
{
	unsigned ifindex = if_nametoindex(interface);
	int fd = name_hold(ifindex);
	int err = fd < 0 ? fd : leftover_remove(ifindex);

	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* The AF_XDP sockets are bound in copy mode by then, and don't care which mode the program runs in. */
static int
make_generic(const struct steering *s, int program)
{
	int err = bpf_xdp_detach((int)s->ifindex, 0, NULL);

	return err ? err : bpf_xdp_attach((int)s->ifindex, program, XDP_FLAGS_SKB_MODE, NULL);
}

static int
maps_open(struct steering *s, int program, const uint8_t mac[6])
{
	uint32_t ids[MAPS_MAX] = {0}, zero = 0;
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	struct steer_config config = {0};
	uint32_t len = sizeof(info);
	int map, err;

	if (bpf_obj_get_info_by_fd(program, &info, &len) != 0)
		return -errno;
	s->vips4 = map_open(&info, ids, "vips4");
	s->vips6 = map_open(&info, ids, "vips6");
	s->kernel = map_open(&info, ids, "kernel");
	map = map_open(&info, ids, "config");
	if (s->vips4 < 0 || s->vips6 < 0 || s->kernel < 0 || map < 0)
		return -ENOENT;
	memcpy(config.mac, mac, 6);
	err = bpf_map_update_elem(map, &zero, &config, BPF_ANY);
	close(map);
	return err;
}

int
steering_open(struct steering *out, const char *interface, bool generic, const uint8_t mac[6])
{
	struct steering s = {.ifindex = if_nametoindex(interface), .is_generic = generic, .vips4 = -1, .vips6 = -1,
			     .kernel = -1};
	int program = program_open(s.ifindex);
	int err = program < 0 ? program : maps_open(&s, program, mac);

	if (!err && generic)
		err = make_generic(&s, program);
	if (program >= 0)
		close(program);
	if (err) {
		steering_close(&s);
		return err;
	}
	*out = s;
	return 0;
}

void
steering_close(struct steering *s)
{
	const int fds[] = {s->vips4, s->vips6, s->kernel};

	if (s->is_generic)
		bpf_xdp_detach((int)s->ifindex, XDP_FLAGS_SKB_MODE, NULL);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	*s = (struct steering){.vips4 = -1, .vips6 = -1, .kernel = -1};
}

static struct lpm_key
key_of(const struct prefix *prefix)
{
	struct lpm_key key = {.prefix_len = prefix->len};

	memcpy(key.octets, prefix->addr.octets, sizeof(key.octets));
	return key;
}

int
steering_vip_add(const struct steering *s, const struct prefix *prefix)
{
	struct lpm_key key = key_of(prefix);
	uint32_t one = 1;

	return bpf_map_update_elem(prefix->addr.family == ADDR_V4 ? s->vips4 : s->vips6, &key, &one, BPF_ANY);
}

void
steering_vip_remove(const struct steering *s, const struct prefix *prefix)
{
	struct lpm_key key = key_of(prefix);

	/* ENOENT: it never got in. */
	bpf_map_delete_elem(prefix->addr.family == ADDR_V4 ? s->vips4 : s->vips6, &key);
}

void
steering_counters(const struct steering *s, uint64_t kernel[STEER_KINDS])
{
	int n = libbpf_num_possible_cpus();
	uint64_t *values = n > 0 ? calloc((size_t)n, sizeof(*values)) : NULL;

	for (uint32_t kind = 0; values && kind < STEER_KINDS; kind++) {
		if (bpf_map_lookup_elem(s->kernel, &kind, values) != 0)
			continue;
		kernel[kind] = 0;
		for (int i = 0; i < n; i++)
			kernel[kind] += values[i];
	}
	free(values);
}
