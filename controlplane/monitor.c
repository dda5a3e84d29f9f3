/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "bgp/mrt.h"
#include "bgp/update.h"

enum { RECORD_MAX = UINT16_MAX + MRT_MESSAGE_OVERHEAD };

struct monitor {
	struct watch_list sessions;
	struct collectors *collectors;
	struct model_mrt mrt_config;
	struct mrt_file *mrt; /* NULL: none */
	uint8_t record[RECORD_MAX];
};

static struct mrt_session
mrt_session_of(const struct bgp_session *session)
{
	const struct bgp_config *config = bgp_session_config(session);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct mrt_session){.peer = config->peer,
				    .local = bgp_session_status(session).local,
				    .peer_as = config->peer_as,
				    .local_as = config->local_as,
				    .time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000};
}

static void
record_state(struct monitor *m, const struct bgp_session *session, enum bgp_state old, enum bgp_state now)
{
	struct mrt_session of = mrt_session_of(session);
	struct writer w = writer_init(m->record, sizeof(m->record));

	mrt_state_encode(&w, &of, old, now);
	mrt_file_append(m->mrt, m->record, written_since(&w, m->record));
}

/* Only for an UPDATE does it matter whether both sides have four octets for an AS. */
static void
record_message(struct monitor *m, const struct bgp_session *session, bool sent, const uint8_t *octets, size_t len)
{
	struct mrt_session of = mrt_session_of(session);
	struct writer w = writer_init(m->record, sizeof(m->record));

	of.is_as2 = watched_type(octets) == BGP_UPDATE && !bgp_session_status(session).negotiated.as4;
	mrt_message_encode(&w, &of, sent, octets, len);
	mrt_file_append(m->mrt, m->record, written_since(&w, m->record));
}

static void
on_joined(void *context, const struct bgp_session *session)
{
	struct monitor *m = context;

	if (!watch_list_add(&m->sessions, session))
		log_error("bmp: out of memory: collectors hear nothing of %s", bgp_session_config(session)->name);
}

static void
on_left(void *context, const struct bgp_session *session)
{
	struct monitor *m = context;

	watch_list_remove(&m->sessions, session);
}

static void
on_state(void *context, const struct bgp_session *session, enum bgp_state old, enum bgp_state now)
{
	struct monitor *m = context;
	struct watched *watched = watch_list_find(&m->sessions, session);

	if (m->mrt)
		record_state(m, session, old, now);
	if (!watched)
		return;
	if (now == BGP_ESTABLISHED && !watched->is_up)
		collectors_session_up(m->collectors, watched);
	else if (now != BGP_ESTABLISHED && watched->is_up)
		collectors_session_down(m->collectors, watched);
	watched->has_missed = false;
}

/* The state is told when all that came in at once has been read: UPDATEs may be ahead of it. */
static void
on_message(void *context, const struct bgp_session *session, bool sent, const uint8_t *octets, size_t len)
{
	struct monitor *m = context;
	struct watched *watched = watch_list_find(&m->sessions, session);

	if (m->mrt)
		record_message(m, session, sent, octets, len);
	if (!watched)
		return;
	watched_note(watched, sent, octets, len);
	if (watched_type(octets) != BGP_UPDATE)
		return;
	if (!watched->is_up && bgp_session_status(session).state == BGP_ESTABLISHED)
		collectors_session_up(m->collectors, watched);
	watched->has_missed = !watched->is_up;
	collectors_update(m->collectors, watched, sent, octets, len);
}

/* What we take as withdrawn though the message, which collectors have, says otherwise (RFC 7606 2). */
static void
on_update(void *context, const struct bgp_session *session, const struct bgp_update *update)
{
	struct monitor *m = context;
	struct watched *watched = watch_list_find(&m->sessions, session);

	if (!watched || !update->is_withdrawal || update->is_leak)
		return;
	watched->withdrawn++;
	collectors_withdraw(m->collectors, watched, update);
}

/* RFC 7313: what was asked for again has been said. */
static void
on_refresh(void *context, const struct bgp_session *session, enum bgp_family family, bool begins)
{
	struct monitor *m = context;
	struct watched *watched = watch_list_find(&m->sessions, session);

	if (watched && !begins)
		collectors_end_of_rib(m->collectors, watched, family);
}

static const struct peering_watcher WATCHER = {.joined = on_joined,
					       .left = on_left,
					       .state = on_state,
					       .update = on_update,
					       .refresh = on_refresh,
					       .message = on_message};

struct monitor *
monitor_new(struct event_base *base, struct peering *peering)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->collectors = collectors_new(base, peering, &m->sessions);
	if (!m->collectors || peering_watch(peering, &WATCHER, m) != 0) {
		monitor_free(m);
		return NULL;
	}
	return m;
}

void
monitor_free(struct monitor *m)
{
	if (!m)
		return;
	collectors_free(m->collectors);
	mrt_file_close(m->mrt);
	watch_list_fini(&m->sessions);
	free(m);
}

void
monitor_apply(struct monitor *m, const struct model *model)
{
	collectors_apply(m->collectors, model);
	if (memcmp(&m->mrt_config, &model->mrt, sizeof(m->mrt_config)) == 0)
		return;
	mrt_file_close(m->mrt);
	m->mrt_config = model->mrt;
	m->mrt = model->mrt.file[0] ? mrt_file_open(&model->mrt) : NULL;
	if (model->mrt.file[0] && !m->mrt)
		log_error("mrt %s: out of memory", model->mrt.file);
}

const struct collector *
monitor_collector(const struct monitor *m, unsigned index)
{
	return collectors_at(m->collectors, index);
}

const struct model_mrt *
monitor_mrt(const struct monitor *m, struct mrt_file_status *status)
{
	if (!m->mrt)
		return NULL;
	*status = mrt_file_status(m->mrt);
	return &m->mrt_config;
}
