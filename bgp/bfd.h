/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One BFD session without I/O (RFC 5880: asynchronous mode, active role, no echo): packets and the time go in, packets
 * and the peer's health come out. The owner embeds the struct, hands it each packet of the peer (bfd_mux.h tells whose
 * it is), and sends what bfd_session_output() gives as often as bfd_session_deadline_ns() has passed. It allocates
 * nothing. One thread.
 *
 * Demand mode is never asked for. A peer that asks us to be quiet (RFC 5880 6.6) is obeyed: its own packets go on, and
 * they are what we judge it by.
 */
#ifndef BGP_BFD_H
#define BGP_BFD_H

#include "bgp/bfd_auth.h"
#include "bgp/bfd_packet.h"

struct bfd_config {
	uint32_t desired_us;  /* how often we would like to send: Desired Min TX Interval */
	uint32_t required_us; /* how often we can receive: Required Min RX Interval */
	uint8_t multiplier;   /* packets of ours that may be lost in a row, and one; not 0 */
	struct bfd_auth_config auth;
};

/* What a client of BFD goes by (RFC 5882 3.2). */
enum bfd_health {
	BFD_UNKNOWN, /* never up yet, or the peer's operator took BFD down: says nothing about the path */
	BFD_ALIVE,
	BFD_FAILED,  /* was up, then fell silent or told us that it doesn't hear us */
};

struct bfd_status {
	enum bfd_state state;
	enum bfd_state remote_state;
	enum bfd_health health;
	uint8_t diag;	       /* why we last left Up */
	uint8_t remote_diag;
	bool is_polling;
	uint32_t discriminator;
	uint32_t remote_discriminator; /* 0: not known */
	uint32_t transmit_us;  /* in use; 0: nothing is sent periodically */
	uint32_t receive_us;   /* what the peer agreed to send by */
	uint64_t detection_us; /* 0: no packet yet */
	uint64_t since_ns;     /* when the state was entered */
	uint32_t ups;
	uint32_t downs;	       /* times the session left Up */
	uint32_t failures;     /* those of them by which the health became BFD_FAILED */
	uint64_t sent;
	uint64_t received;     /* and believed */
	uint64_t refused;
	const char *fault;     /* the rule that the last refused packet broke; NULL: none was */
};

struct bfd_session {
	struct bfd_config config;
	struct bfd_auth auth;
	struct bfd_status status;
	uint64_t random;
	/* What we tell the peer, and what holds until it has said that it heard it (RFC 5880 6.8.3). */
	uint32_t desired_us;
	uint32_t used_desired_us;
	uint32_t used_required_us;
	/* What the peer told us. */
	uint32_t remote_desired_us;
	uint32_t remote_required_us;
	uint8_t remote_multiplier; /* 0: no packet yet */
	bool remote_demand;
	bool is_final_due;
	bool is_poll_stale; /* the values changed again since the poll began */
	uint64_t sent_ns;
	uint64_t received_ns;
	uint64_t periodic_ns; /* deadlines; UINT64_MAX: not armed */
	uint64_t urgent_ns;
	uint64_t expiry_ns;
	uint64_t amnesty_ns;
};

void bfd_session_init(struct bfd_session *session, const struct bfd_config *config, uint32_t discriminator,
		      uint64_t seed, uint64_t now_ns);
/* Other intervals or another multiplier while the session runs on; the authentication stays as it is. */
void bfd_session_configure(struct bfd_session *session, const struct bfd_config *config, uint64_t now_ns);
/* AdminDown and back (RFC 5880 6.8.16). */
void bfd_session_disable(struct bfd_session *session, uint64_t now_ns);
void bfd_session_enable(struct bfd_session *session, uint64_t now_ns);

/* A packet of this session's peer. False: it was refused, and status.fault says by which rule. */
bool bfd_session_input(struct bfd_session *session, const struct bfd_packet *packet, uint64_t now_ns);
/* Works off deadlines and gives the packet that is due; its length, 0 when none is. */
size_t bfd_session_output(struct bfd_session *session, uint64_t now_ns, uint8_t out[static BFD_PACKET_MAX]);
uint64_t bfd_session_deadline_ns(const struct bfd_session *session);

const char *bfd_health_name(enum bfd_health health);

#endif
