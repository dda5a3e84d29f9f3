/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: bgp/{fsm,advertise,arrivals,negotiate,output,tally,rib_out,path_store,hash_index,path,codec,open,attributes,update,update_encode,flowspec}.c base/?*.c */
/*
 * The first octets choose a session's configuration; the rest is a program of events: octets and messages from the peer,
 * time that passes, routes that come and go, a transport that takes octets or is lost. Whatever happens, what goes out is
 * whole messages that read well, and the core keeps its promises.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bgp/fsm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIXES = 64, STEP_NS = 100000000, TAKEN_MAX = 1 << 20 };

struct world {
	struct reader program;
	struct bgp_config config;
	struct bgp_config mirror; /* the peer's */
	struct fsm_shared shared;
	struct fsm *fsm;
	uint64_t now_ns;
	uint8_t *taken; /* octets on the wire that are no whole message yet; room for TAKEN_MAX */
	size_t taken_len;
	uint64_t heard;
};

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
on_update(void *context, const struct bgp_update *update)
{
	struct world *w = context;
	struct bgp_nlri parts[] = {update->announced, update->reach, update->withdrawn, update->unreach};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		must(parts[i].len == 0 || w->fsm->status.negotiated.family[parts[i].family]);
	must(update->outcome != BGP_SESSION_RESET);
	w->heard++;
}

static void
on_message(void *context, bool sent, const uint8_t *octets, size_t len)
{
	struct bgp_header header;
	struct bgp_error error;

	(void)context;
	(void)sent;
	must(bgp_header_decode(octets, true, &header, &error) == 0 && header.len == len);
}

static const struct bgp_session_events EVENTS = {.update = on_update, .message = on_message};

static void
configure(struct world *w)
{
	uint8_t flags = read_u8(&w->program), more = read_u8(&w->program);

	w->config = (struct bgp_config){
		.local_as = 65001,
		.peer_as = flags & 1 ? 65001 : 65002,
		.router_id = 1,
		.hold_s = flags & 2 ? 9 : 0,
		.reconnect_s = 2,
		.passive = flags & 4,
		.delay_open_s = flags & 8 ? 3 : 0,
		.send_hold_s = 20,
		.role = flags & 16 ? BGP_ROLE_CUSTOMER : BGP_ROLE_NONE,
		.role_strict = flags & 32,
		.flowspec = flags & 64,
		.extended_next_hop = flags & 128,
		.max_prefixes = more & 1 ? 3 : 0,
		.graceful_restart_s = more & 2 ? 20 : 0,
	};
	w->mirror = w->config;
	w->mirror.local_as = w->config.peer_as;
	w->mirror.peer_as = w->config.local_as;
	w->mirror.router_id = 2;
	w->mirror.role = flags & 16 ? BGP_ROLE_PROVIDER : BGP_ROLE_NONE;
}

/* What we sent reads as what a peer would expect. */
static void
message_check(const struct world *w, const uint8_t *octets, const struct bgp_header *header)
{
	const struct bgp_update_context context = {.as4 = w->fsm->status.negotiated.as4,
						   .ibgp = w->config.local_as == w->config.peer_as,
						   .extended_next_hop = true, .role = BGP_ROLE_NONE};
	const uint8_t *body = octets + BGP_HEADER_LEN;
	size_t len = header->len - (size_t)BGP_HEADER_LEN;
	struct bgp_refresh refresh;
	struct bgp_error error;
	struct bgp_update update;
	struct bgp_open open;

	if (header->type == BGP_OPEN)
		must(bgp_open_decode(body, len, &open, &error) == 0);
	if (header->type == BGP_ROUTE_REFRESH)
		must(bgp_refresh_decode(body, len, &refresh, &error) == 0 && refresh.is_known);
	if (header->type != BGP_UPDATE)
		return;
	bgp_update_decode(body, len, &context, &update);
	must(update.outcome == BGP_ACCEPT);
}

static void
take(struct world *w, size_t most)
{
	struct output *out = &w->fsm->out;
	size_t len = out->len < most ? out->len : most;
	struct bgp_header header;
	struct bgp_error error;
	size_t used = 0;

	if (w->fsm->link != FSM_LINK_UP)
		return;
	must(w->taken_len + len <= TAKEN_MAX);
	memcpy(w->taken + w->taken_len, out->octets + out->at, len);
	w->taken_len += len;
	for (; w->taken_len - used >= BGP_HEADER_LEN; used += header.len) {
		must(bgp_header_decode(w->taken + used, true, &header, &error) == 0);
		if (w->taken_len - used < header.len)
			break;
		message_check(w, w->taken + used, &header);
	}
	w->taken_len -= used;
	memmove(w->taken, w->taken + used, w->taken_len);
	fsm_taken(w->fsm, len);
}

static void
give(struct world *w, const uint8_t *octets, size_t len)
{
	unsigned budget = 64;

	must(fsm_input(w->fsm, w->now_ns, octets, len, &budget) <= len);
}

/* A sound header, and the program's octets behind it. */
static void
give_body(struct world *w, uint8_t type)
{
	uint8_t message[BGP_HEADER_LEN + UINT8_MAX];
	size_t len = read_u8(&w->program);
	const uint8_t *body;

	len = len < reader_left(&w->program) ? len : reader_left(&w->program);
	body = read_bytes(&w->program, len);
	memset(message, 0xff, 16);
	message[16] = (uint8_t)((BGP_HEADER_LEN + len) >> 8);
	message[17] = (uint8_t)(BGP_HEADER_LEN + len);
	message[18] = type;
	if (len > 0)
		memcpy(message + BGP_HEADER_LEN, body, len);
	give(w, message, BGP_HEADER_LEN + len);
}

static void
give_open(struct world *w)
{
	struct bgp_open open = negotiate_open(&w->mirror);
	uint8_t flags = read_u8(&w->program);
	uint8_t message[BGP_MESSAGE_MAX];

	open.extended_message = flags & 1;
	open.enhanced_refresh = flags & 2;
	open.has_as4 = flags & 4;
	open.family[BGP_V6] = flags & 8;
	open.extended_next_hop = flags & 16;
	open.hold_s = flags & 32 ? 3 : open.hold_s;
	give(w, message, bgp_open_encode(&open, message));
}

static void
give_keepalive(struct world *w)
{
	uint8_t message[BGP_MESSAGE_MAX];

	give(w, message, bgp_keepalive_encode(message));
}

static void
route_change(struct world *w)
{
	uint8_t what = read_u8(&w->program);
	uint8_t octets[] = {32, 10, 0, 0, what % PREFIXES, [16] = 0};
	uint8_t rule[] = {6, 1, 32, 10, 0, 0, what % PREFIXES};
	struct rib_nlri nlri = {.family = BGP_V4, .len = 5, .octets = octets};
	struct path path;

	path_init(&path);
	path.prepend = what & 64 ? 2 : 0;
	if (read_u8(&w->program) & 1) {
		octets[0] = 128;
		nlri = (struct rib_nlri){.family = BGP_V6, .len = sizeof(octets), .octets = octets};
		path.next_hop = (struct addr){.family = ADDR_V6, .octets = {0x20, 1}};
	} else if (w->config.flowspec && what & 32) {
		nlri = (struct rib_nlri){.family = BGP_FLOW4, .len = sizeof(rule), .octets = rule};
	}
	if (what & 128)
		rib_out_withdraw(w->shared.rib, &nlri);
	else
		must(rib_out_announce(w->shared.rib, &nlri, &path) == 0);
	fsm_fill(w->fsm);
}

static void
transport_change(struct world *w, uint8_t how)
{
	struct addr local = {.family = how & 128 ? ADDR_V6 : ADDR_V4, .octets = {10, 0, 0, 1}};
	bool may_connect = w->fsm->link == FSM_LINK_WANTED ||
			   (w->fsm->status.state == BGP_ACTIVE && w->fsm->link == FSM_LINK_NONE);

	w->taken_len = 0;
	if (may_connect && how % 2)
		fsm_connected(w->fsm, w->now_ns, &local);
	else if (w->fsm->link == FSM_LINK_UP && how % 4 == 0)
		fsm_collision(w->fsm, w->now_ns);
	else if (w->fsm->link != FSM_LINK_NONE)
		fsm_lost(w->fsm, w->now_ns);
	else
		(void)fsm_awaken(w->fsm, w->now_ns);
}

static void
time_pass(struct world *w, uint8_t steps)
{
	w->now_ns += steps * (uint64_t)STEP_NS;
	fsm_unacknowledged(w->fsm, w->now_ns, w->fsm->link == FSM_LINK_UP ? steps % 8 : 0);
	fsm_tick(w->fsm, w->now_ns);
}

static void
step(struct world *w)
{
	struct bgp_error cease = bgp_error_shutdown(BGP_CEASE_SHUTDOWN, "fuzz");
	uint8_t what = read_u8(&w->program);

	switch (what % 16) {
	case 0: give(w, w->program.at, reader_left(&w->program)); w->program.at = w->program.end; break;
	case 1: case 2: give_body(w, BGP_UPDATE); break;
	case 3: give_body(w, 1 + what / 16 % 5); break;
	case 4: give_open(w); break;
	case 5: case 6: give_keepalive(w); break;
	case 7: time_pass(w, read_u8(&w->program)); break;
	case 8: take(w, read_u8(&w->program)); break;
	case 9: take(w, SIZE_MAX); break;
	case 10: case 11: route_change(w); break;
	case 12: transport_change(w, read_u8(&w->program)); break;
	case 13: fsm_stop(w->fsm, w->now_ns, &cease); break;
	case 14: fsm_start(w->fsm, w->now_ns); break;
	default:
		if (w->fsm->status.state == BGP_ESTABLISHED)
			fsm_refresh(w->fsm, (enum bgp_family)(what / 16 % 2));
	}
}

static void
promises_check(const struct world *w)
{
	const struct fsm *fsm = w->fsm;

	must(fsm->out.at + fsm->out.len <= OUTPUT_MAX && fsm->out.flight <= fsm->out.len);
	must(fsm->status.state < BGP_OPEN_SENT || fsm->link == FSM_LINK_UP);
	must(fsm->status.state != BGP_IDLE || fsm->link == FSM_LINK_NONE);
	must(fsm->status.state == BGP_ESTABLISHED || fsm->status.advertised == 0);
	must(w->config.max_prefixes == 0 || fsm->status.prefixes <= w->config.max_prefixes);
	/* Something always leads on from where a running session waits, but for a passive one in Active. */
	must(!fsm->running || fsm_deadline_ns(fsm) != UINT64_MAX || fsm->status.state == BGP_ACTIVE ||
	     fsm->status.hold_s == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t taken[TAKEN_MAX];
	static struct fsm fsm;
	struct world w = {.program = {.at = data, .end = data + size}, .now_ns = CLOCK_NS_PER_S, .fsm = &fsm, .taken = taken};

	configure(&w);
	w.shared = (struct fsm_shared){.config = &w.config, .rib = rib_out_new(),
				       .tally = w.config.max_prefixes ? tally_new(w.config.max_prefixes, 1) : NULL};
	must(w.shared.rib && (w.shared.tally || w.config.max_prefixes == 0));
	fsm_init(w.fsm, &w.shared, 1);
	fsm_listen(w.fsm, &EVENTS, &w);
	fsm_start(w.fsm, w.now_ns);
	while (reader_left(&w.program) > 0) {
		step(&w);
		promises_check(&w);
	}
	rib_out_free(w.shared.rib);
	tally_free(w.shared.tally);
	return 0;
}
