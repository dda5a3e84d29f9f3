/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A session owns up to two connections, each with its own core (fsm.h): the main one, and for the short while of a
 * collision (RFC 4271 6.8) a rival. One epoll descriptor stands for both sockets, so the owner waits on one thing.
 */
#include "bgp/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bgp/connection.h"
#include "bgp/tcp.h"

struct bgp_session {
	struct bgp_config config;
	struct fsm_shared shared;
	const struct bgp_session_events *events; /* NULL: nobody listens */
	void *events_context;
	int epoll_fd;
	bool is_wanted;	  /* started by the owner and not stopped */
	bool rib_changed; /* run is due at once; changes made together share UPDATEs */
	uint64_t fault_ns; /* when a fault was last logged */
	struct connection *main;
	struct connection *rival; /* fd -1: none */
	struct connection pair[2];
};

/* The rival takes the main connection's place, and with it the session's history. */
static void
rival_promote(struct bgp_session *session)
{
	struct connection *winner = session->rival;
	const struct fsm *old = &session->main->fsm;

	winner->fsm.running = old->running;
	winner->fsm.penalty = old->penalty;
	winner->fsm.status.flaps += old->status.flaps;
	for (int i = 0; i < BGP_TYPES; i++) {
		winner->fsm.status.sent[i] += old->status.sent[i];
		winner->fsm.status.received[i] += old->status.received[i];
	}
	winner->fsm.status.errors += old->status.errors;
	winner->fsm.status.faults += old->status.faults;
	if (winner->fsm.status.last_error.code == 0) {
		winner->fsm.status.last_error = old->status.last_error;
		winner->fsm.status.last_error_ours = old->status.last_error_ours;
		memcpy(winner->fsm.status.text, old->status.text, sizeof(winner->fsm.status.text));
	}
	session->rival = session->main;
	session->main = winner;
}

static void
core_init(struct bgp_session *session, struct connection *connection, uint64_t seed)
{
	fsm_init(&connection->fsm, &session->shared, seed);
	fsm_listen(&connection->fsm, session->events, session->events_context);
}

/* No timer of a rival runs on without its socket. */
static void
rival_clear(struct bgp_session *session, uint64_t now_ns)
{
	connection_close(session->rival);
	core_init(session, session->rival, now_ns);
}

/* The rival ended by itself; what was wrong with it is the session's to tell. */
static void
rival_end(struct bgp_session *session, uint64_t now_ns)
{
	struct bgp_status *kept = &session->main->fsm.status;
	const struct bgp_status *ended = &session->rival->fsm.status;

	for (int i = 0; i < BGP_TYPES; i++) {
		kept->sent[i] += ended->sent[i];
		kept->received[i] += ended->received[i];
	}
	if (ended->errors > 0) {
		kept->errors += ended->errors;
		kept->last_error = ended->last_error;
		kept->last_error_ours = ended->last_error_ours;
	}
	rival_clear(session, now_ns);
}

/* RFC 4271 6.8: when both have their OPEN, or one is up, the identifiers say which connection goes. */
static void
collision_resolve(struct bgp_session *session, uint64_t now_ns)
{
	struct fsm *ours = &session->main->fsm;
	struct fsm *theirs = &session->rival->fsm;
	bool main_stays = negotiate_ours_stays(&session->config, &theirs->peer_open) != session->main->accepted;

	if (theirs->link != FSM_LINK_UP) {
		rival_end(session, now_ns);
		return;
	}
	if (ours->status.state == BGP_ESTABLISHED)
		main_stays = true;
	else if (ours->link == FSM_LINK_NONE || theirs->status.state == BGP_ESTABLISHED)
		main_stays = false;
	else if (ours->status.state != BGP_OPEN_CONFIRM || theirs->status.state != BGP_OPEN_CONFIRM)
		return;
	if (!main_stays)
		rival_promote(session);
	fsm_collision(&session->rival->fsm, now_ns);
	rival_clear(session, now_ns);
}

/* A peer may send faults without end; one a second is told of. */
static void
fault_log(struct bgp_session *session, const struct bgp_status *now, uint64_t now_ns)
{
	if (now_ns - session->fault_ns < CLOCK_NS_PER_S)
		return;
	session->fault_ns = now_ns;
	log_warning("bgp %s: %s: %s (%llu UPDATEs with faults so far)", session->config.name,
		    now->fault_type ? bgp_attribute_name(now->fault_type) : "UPDATE", now->fault ? now->fault : "malformed",
		    (unsigned long long)now->faults);
}

static void
session_log(struct bgp_session *session, const struct bgp_status *before, uint64_t now_ns)
{
	const struct bgp_status now = bgp_session_status(session);
	const char *name = session->config.name;

	if (before->faults != now.faults)
		fault_log(session, &now, now_ns);
	if (before->errors != now.errors)
		log_warning("bgp %s: %s NOTIFICATION %u/%u: %s", name, now.last_error_ours ? "sent" : "received",
			    now.last_error.code, now.last_error.subcode, bgp_error_name(&now.last_error));
	if (before->state == now.state)
		return;
	if (session->events && session->events->state)
		session->events->state(session->events_context, before->state, now.state);
	if (before->state == BGP_ESTABLISHED || now.state == BGP_ESTABLISHED)
		log_notice("bgp %s: %s to %s", name, bgp_state_name(before->state), bgp_state_name(now.state));
	else
		log_debug("bgp %s: %s to %s", name, bgp_state_name(before->state), bgp_state_name(now.state));
}

/* The connections set themselves up, but for their buffers: memory that no octet has reached yet costs nothing. */
static struct bgp_session *
allocate(void)
{
	struct bgp_session *session = malloc(sizeof(*session));

	if (session)
		memset(session, 0, offsetof(struct bgp_session, pair));
	return session;
}

struct bgp_session *
bgp_session_new(const struct bgp_config *config)
{
	struct bgp_session *session = allocate();
	uint64_t seed = clock_now_ns() ^ config->router_id;

	if (!session)
		return NULL;
	session->config = *config;
	session->main = &session->pair[0];
	session->rival = &session->pair[1];
	session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	session->shared = (struct fsm_shared){
		.config = &session->config,
		.rib = rib_out_new(),
		.tally = config->max_prefixes > 0 ? tally_new(config->max_prefixes, seed) : NULL,
	};
	for (size_t i = 0; i < ARRAY_LEN(session->pair); i++) {
		connection_init(&session->pair[i], session->epoll_fd);
		core_init(session, &session->pair[i], seed + i);
	}
	if (!session->shared.rib || session->epoll_fd < 0 || (config->max_prefixes > 0 && !session->shared.tally)) {
		bgp_session_free(session);
		return NULL;
	}
	return session;
}

void
bgp_session_free(struct bgp_session *session)
{
	if (!session)
		return;
	bgp_session_stop(session, BGP_CEASE_SHUTDOWN, NULL);
	if (session->epoll_fd >= 0)
		close(session->epoll_fd);
	rib_out_free(session->shared.rib);
	tally_free(session->shared.tally);
	free(session);
}

static void
start(struct bgp_session *session)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();

	fsm_start(&session->main->fsm, now_ns);
	connection_follow(session->main, now_ns);
	session_log(session, &before, now_ns);
}

static void
stop(struct bgp_session *session, const struct bgp_error *cease)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();

	for (size_t i = 0; i < ARRAY_LEN(session->pair); i++) {
		fsm_stop(&session->pair[i].fsm, now_ns, cease);
		connection_close(&session->pair[i]);
	}
	session_log(session, &before, now_ns);
}

void
bgp_session_start(struct bgp_session *session)
{
	session->is_wanted = true;
	if (!session->main->fsm.status.bfd_down)
		start(session);
}

void
bgp_session_stop(struct bgp_session *session, uint8_t subcode, const char *text)
{
	struct bgp_error cease = bgp_error_shutdown(subcode, text);

	session->is_wanted = false;
	stop(session, &cease);
}

void
bgp_session_bfd(struct bgp_session *session, bool up)
{
	struct bgp_error cease = bgp_error_make(BGP_ERROR_CEASE, BGP_CEASE_BFD_DOWN);

	if (session->main->fsm.status.bfd_down == !up)
		return;
	session->main->fsm.status.bfd_down = !up;
	if (!up)
		stop(session, &cease);
	else if (session->is_wanted)
		start(session);
}

void
bgp_session_listen(struct bgp_session *session, const struct bgp_session_events *events, void *context)
{
	session->events = events;
	session->events_context = context;
	for (size_t i = 0; i < ARRAY_LEN(session->pair); i++)
		fsm_listen(&session->pair[i].fsm, events, context);
}

int
bgp_session_refresh(struct bgp_session *session, enum bgp_family family)
{
	struct fsm *fsm = &session->main->fsm;

	if (fsm->status.state != BGP_ESTABLISHED)
		return -ENOTCONN;
	if (!fsm->status.negotiated.refresh || !fsm->status.negotiated.family[family])
		return -EOPNOTSUPP;
	fsm_refresh(fsm, family);
	session->rib_changed = true;
	return 0;
}

int
bgp_session_announce_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets, size_t len,
			  const struct path *path)
{
	struct rib_nlri nlri = {.family = family, .len = (uint16_t)len, .octets = octets};
	int err = len > RIB_NLRI_MAX ? -EMSGSIZE : rib_out_announce(session->shared.rib, &nlri, path);

	if (err)
		return err;
	session->rib_changed = true;
	return 0;
}

void
bgp_session_withdraw_nlri(struct bgp_session *session, enum bgp_family family, const uint8_t *octets, size_t len)
{
	struct rib_nlri nlri = {.family = family, .len = (uint16_t)len, .octets = octets};

	if (len > RIB_NLRI_MAX)
		return;
	rib_out_withdraw(session->shared.rib, &nlri);
	session->rib_changed = true;
}

int
bgp_session_announce(struct bgp_session *session, const struct prefix *prefix, const struct path *path)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct rib_nlri nlri = rib_nlri_of(prefix, octets);

	return bgp_session_announce_nlri(session, nlri.family, octets, nlri.len, path);
}

void
bgp_session_withdraw(struct bgp_session *session, const struct prefix *prefix)
{
	uint8_t octets[RIB_PREFIX_LEN];
	struct rib_nlri nlri = rib_nlri_of(prefix, octets);

	bgp_session_withdraw_nlri(session, nlri.family, octets, nlri.len);
}

size_t
bgp_session_routes(const struct bgp_session *session, bgp_route_visit *visit, void *context)
{
	return rib_out_walk(session->shared.rib, visit, context);
}

int
bgp_session_fd(const struct bgp_session *session)
{
	return session->epoll_fd;
}

short
bgp_session_events(const struct bgp_session *session)
{
	(void)session;
	return POLLIN; /* the epoll descriptor is readable when a socket is ready for what it waits for */
}

uint64_t
bgp_session_deadline_ns(const struct bgp_session *session)
{
	uint64_t main_ns = fsm_deadline_ns(&session->main->fsm);
	uint64_t rival_ns = fsm_deadline_ns(&session->rival->fsm);

	if ((session->rib_changed && session->main->fsm.status.state == BGP_ESTABLISHED) || session->main->has_more ||
	    session->rival->has_more)
		return 0;
	return main_ns < rival_ns ? main_ns : rival_ns;
}

void
bgp_session_run(struct bgp_session *session, short revents)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();

	(void)revents; /* both connections are tried without waiting, whichever made the descriptor ready */
	session->rib_changed = false;
	fsm_fill(&session->main->fsm);
	connection_run(session->main, now_ns);
	/* Before the rival is heard: two connections must never be Established, for they share the rib. */
	collision_resolve(session, now_ns);
	if (session->rival->fd >= 0)
		connection_run(session->rival, now_ns);
	collision_resolve(session, now_ns);
	connection_follow(session->main, now_ns);
	session_log(session, &before, now_ns);
}

static void
refuse(struct bgp_session *session, int fd, uint8_t subcode)
{
	struct bgp_error error = bgp_error_make(BGP_ERROR_CEASE, subcode);
	uint8_t message[BGP_MESSAGE_MAX];
	size_t len = bgp_notification_encode(&error, message);

	log_info("bgp %s: refused a connection in %s: %s", session->config.name,
		 bgp_state_name(session->main->fsm.status.state), bgp_error_name(&error));
	connection_end_socket(fd, message, len);
}

/* Ours are prepared before they connect; an accepted one must not speak before it is as well protected. */
static bool
is_protected(const struct bgp_session *session, int fd)
{
	char why[TCP_WHY_MAX];

	if (tcp_prepare(fd, &session->config, why) == 0)
		return true;
	log_warning("bgp %s: refused a connection: %s", session->config.name, why);
	close(fd);
	return false;
}

void
bgp_session_accept(struct bgp_session *session, int fd)
{
	struct bgp_status before = bgp_session_status(session);
	uint64_t now_ns = clock_now_ns();
	struct connection *taker = session->main;

	if (!is_protected(session, fd))
		return;
	if (!fsm_awaken(&taker->fsm, now_ns)) {
		refuse(session, fd, BGP_CEASE_REJECTED);
		return;
	}
	/* RFC 4271 6.8: one that meets an established session goes. */
	if (taker->fsm.status.state == BGP_ESTABLISHED || session->rival->fd >= 0) {
		refuse(session, fd, BGP_CEASE_COLLISION);
		return;
	}
	if (taker->fd >= 0) {
		taker = session->rival;
		fsm_start_accepted(&taker->fsm, now_ns);
	}
	connection_accept(taker, fd, now_ns);
	session_log(session, &before, now_ns);
}

const struct bgp_config *
bgp_session_config(const struct bgp_session *session)
{
	return &session->config;
}

struct bgp_status
bgp_session_status(const struct bgp_session *session)
{
	return session->main->fsm.status;
}
