/* SPDX-License-Identifier: BSD-2-Clause */
/* bgp-speaker PEER LOCAL_AS PEER_AS ROUTER_ID PREFIX...: announces the prefixes and prints each state. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bgp/session.h"

static int
wait_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t ms = deadline_ns > now_ns ? (deadline_ns - now_ns) / CLOCK_NS_PER_MS + 1 : 0;

	return ms > 1000 ? 1000 : (int)ms;
}

int
main(int argc, char **argv)
{
	struct bgp_config config = {.name = "peer", .hold_s = 9, .reconnect_s = 1};
	enum bgp_state state = BGP_IDLE;
	struct bgp_session *session;
	struct addr id;

	if (argc < 5 || addr_parse(argv[1], &config.peer) != 0 || addr_parse(argv[4], &id) != 0)
		return 2;
	config.local_as = (uint32_t)strtoul(argv[2], NULL, 10);
	config.peer_as = (uint32_t)strtoul(argv[3], NULL, 10);
	config.router_id = (uint32_t)id.octets[0] << 24 | (uint32_t)id.octets[1] << 16 | (uint32_t)id.octets[2] << 8 |
			   id.octets[3];
	session = bgp_session_new(&config);
	if (!session)
		return 1;
	for (int i = 5; i < argc; i++) {
		struct prefix prefix;

		if (prefix_parse(argv[i], &prefix) != 0 || bgp_session_announce(session, &prefix) != 0)
			return 2;
	}
	bgp_session_start(session);
	for (;;) {
		struct pollfd fd = {.fd = bgp_session_fd(session), .events = bgp_session_events(session)};

		(void)poll(&fd, 1, wait_ms(bgp_session_deadline_ns(session)));
		bgp_session_run(session, fd.revents);
		if (bgp_session_status(session).state == state)
			continue;
		state = bgp_session_status(session).state;
		printf("%s\n", bgp_state_name(state));
		fflush(stdout);
	}
}
