/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/listening.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

struct listening_key {
	struct prefix peers;
	struct bgp_config config; /* of which only the key counts */
};

static const struct listening_plan nothing;

void
listening_init(struct listening *listening)
{
	*listening = (struct listening){0};
	for (unsigned i = 0; i < LISTENING_SOCKETS; i++)
		listening->fds[i] = -1;
}

static void
close_all(struct listening *listening)
{
	for (unsigned i = 0; i < LISTENING_SOCKETS; i++) {
		if (listening->fds[i] >= 0)
			close(listening->fds[i]);
		listening->fds[i] = -1;
	}
}

void
listening_fini(struct listening *listening)
{
	close_all(listening);
	free(listening->plan.keys);
	listening_init(listening);
}

static void
key_add(struct listening_plan *plan, const struct prefix *peers, const struct bgp_config *config)
{
	if (config->auth != BGP_AUTH_NONE)
		plan->keys[plan->n_keys++] = (struct listening_key){.peers = *peers, .config = *config};
}

static int
plan_of(const struct model *model, struct listening_plan *out)
{
	const struct addr any[] = {{.family = ADDR_V4}, {.family = ADDR_V6}};
	struct listening_plan plan = {.port = model->listen.port};

	if (!model->listen.enabled) {
		*out = nothing;
		return 0;
	}
	plan.is_any = model->listen.n_addresses == 0;
	plan.n_addrs = plan.is_any ? ARRAY_LEN(any) : model->listen.n_addresses;
	memcpy(plan.addrs, plan.is_any ? any : model->listen.addresses, plan.n_addrs * sizeof(*any));
	plan.keys = calloc(model->n_peers + model->n_dynamic + 1, sizeof(*plan.keys));
	if (!plan.keys)
		return -ENOMEM;
	for (unsigned i = 0; i < model->n_peers; i++) {
		const struct bgp_config *config = &model->peers[i].session;
		struct prefix peer = prefix_of(&config->peer, addr_bits(&config->peer));

		key_add(&plan, &peer, config);
	}
	for (unsigned i = 0; i < model->n_dynamic; i++)
		key_add(&plan, &model->dynamic[i].range, &model->dynamic[i].peer.session);
	*out = plan;
	return 0;
}

static const struct listening_key *
key_lookup(const struct listening_plan *plan, const struct prefix *peers)
{
	for (unsigned i = 0; i < plan->n_keys; i++) {
		if (prefix_equal(&plan->keys[i].peers, peers))
			return &plan->keys[i];
	}
	return NULL;
}

static bool
key_equal(const struct bgp_config *a, const struct bgp_config *b)
{
	return a->auth == b->auth && a->key_id == b->key_id && a->key_len == b->key_len &&
	       memcmp(a->key, b->key, a->key_len) == 0;
}

static int
key_fail(int err, const struct listening_key *key, const char *reason, char why[static LISTENING_WHY_MAX])
{
	snprintf(why, LISTENING_WHY_MAX, "%s: %s", key->config.name, reason);
	return err;
}

/* Those that go. One that another of MD5 takes the place of is never away; TCP-AO's has to go before its number can
 * come again. */
static int
keys_clear(int fd, enum addr_family family, const struct listening_plan *old, const struct listening_plan *new,
	   char why[static LISTENING_WHY_MAX], unsigned *changes)
{
	char reason[TCP_WHY_MAX];

	for (unsigned i = 0; i < old->n_keys; i++) {
		const struct listening_key *key = &old->keys[i], *next = key_lookup(new, &key->peers);
		int err;

		if (key->peers.addr.family != family || (next && key_equal(&key->config, &next->config)) ||
		    (next && key->config.auth == BGP_AUTH_MD5 && next->config.auth == BGP_AUTH_MD5))
			continue;
		err = tcp_key_clear(fd, &key->peers, &key->config, reason);
		if (err)
			return key_fail(err, key, reason, why);
		++*changes;
	}
	return 0;
}

static int
keys_set(int fd, enum addr_family family, const struct listening_plan *old, const struct listening_plan *new,
	 char why[static LISTENING_WHY_MAX], unsigned *changes)
{
	char reason[TCP_WHY_MAX];

	for (unsigned i = 0; i < new->n_keys; i++) {
		const struct listening_key *key = &new->keys[i], *before = key_lookup(old, &key->peers);
		int err;

		if (key->peers.addr.family != family || (before && key_equal(&key->config, &before->config)))
			continue;
		err = tcp_key_set(fd, &key->peers, &key->config, reason);
		if (err)
			return key_fail(err, key, reason, why);
		++*changes;
	}
	return 0;
}

/* Who waits was let in under the keys before, or under none yet: such peers dial again. */
static void
queue_empty(int fd)
{
	struct tcp_peer peer;
	int waiting;

	while (tcp_accept(fd, &waiting, &peer) == 0)
		close(waiting);
}

static int
keys_change(int fd, enum addr_family family, const struct listening_plan *old, const struct listening_plan *new,
	    char why[static LISTENING_WHY_MAX])
{
	unsigned changes = 0;
	int err = keys_clear(fd, family, old, new, why, &changes);

	if (!err)
		err = keys_set(fd, family, old, new, why, &changes);
	if (changes > 0)
		queue_empty(fd);
	return err;
}

/* The open socket of the address, which is the caller's then; -1: there is none. */
static int
socket_keep(struct listening *listening, const struct listening_plan *plan, const struct addr *addr)
{
	for (unsigned i = 0; i < listening->plan.n_addrs; i++) {
		int fd = listening->fds[i];

		if (fd < 0 || listening->plan.port != plan->port || !addr_equal(&listening->plan.addrs[i], addr))
			continue;
		listening->fds[i] = -1;
		return fd;
	}
	return -1;
}

static int
socket_open(const struct listening_plan *plan, unsigned index, int *fd, char why[static LISTENING_WHY_MAX])
{
	char reason[TCP_WHY_MAX];
	int err = tcp_listen(&plan->addrs[index], plan->port, fd, reason);

	/* A kernel without IPv6: "any" means what there is. */
	if (err == -EAFNOSUPPORT && plan->is_any)
		return 0;
	if (err)
		snprintf(why, LISTENING_WHY_MAX, "listen: %s%s", reason,
			 err == -EADDRINUSE ? ": does another BGP speaker run here?" : "");
	return err ? err : keys_change(*fd, plan->addrs[index].family, &nothing, plan, why);
}

/* What goes is closed before anything is opened: an address may be a part of the one before. */
static int
install(struct listening *listening, const struct listening_plan *plan, char why[static LISTENING_WHY_MAX])
{
	int fds[LISTENING_SOCKETS], err = 0;

	for (unsigned i = 0; i < LISTENING_SOCKETS; i++)
		fds[i] = i < plan->n_addrs ? socket_keep(listening, plan, &plan->addrs[i]) : -1;
	close_all(listening);
	memcpy(listening->fds, fds, sizeof(fds));
	for (unsigned i = 0; !err && i < plan->n_addrs; i++) {
		if (fds[i] < 0)
			err = socket_open(plan, i, &listening->fds[i], why);
		else
			err = keys_change(fds[i], plan->addrs[i].family, &listening->plan, plan, why);
	}
	return err;
}

int
listening_apply(struct listening *listening, const struct model *model, char why[static LISTENING_WHY_MAX])
{
	struct listening_plan plan, before = listening->plan;
	char again[LISTENING_WHY_MAX];
	int err = plan_of(model, &plan);

	if (err) {
		snprintf(why, LISTENING_WHY_MAX, "%s", strerror(-err));
		return err;
	}
	err = install(listening, &plan, why);
	if (!err) {
		free(before.keys);
		listening->plan = plan;
		return 0;
	}
	/* From nothing, since some of the change may have been made. What was possible once is so again, or stays
	 * closed. */
	free(plan.keys);
	close_all(listening);
	listening->plan = nothing;
	if (install(listening, &before, again) != 0) {
		log_error("bgp: %s", again);
		close_all(listening);
	}
	listening->plan = before;
	return err;
}
