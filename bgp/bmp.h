/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BGP Monitoring Protocol, version 3 (RFC 7854, and RFC 8671 for what we send): values to messages. Each function writes
 * one whole message; a writer without room for it is failed. No state; any thread.
 */
#ifndef BGP_BMP_H
#define BGP_BMP_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	BMP_UPDATE_OVERHEAD = 6 + 42, /* what Route Monitoring puts in front of an UPDATE */
	BMP_PORT_NONE = 0,	      /* RFC 7854 4.10: a port that isn't known */
};

/* RFC 7854 4.9. */
enum bmp_down {
	BMP_DOWN_LOCAL_NOTIFICATION = 1, /* we closed; the NOTIFICATION follows */
	BMP_DOWN_LOCAL_EVENT = 2,	 /* we closed without one; the FSM's event (RFC 4271 8.1) follows */
	BMP_DOWN_REMOTE_NOTIFICATION = 3,
	BMP_DOWN_REMOTE = 4, /* the connection was closed or lost */
	BMP_DOWN_DECONFIGURED = 5,
};

/* RFC 7854 4.5. */
enum bmp_termination {
	BMP_TERMINATED_BY_OPERATOR = 0,
	BMP_TERMINATED = 1,
};

/* RFC 7854 4.8 and RFC 8671 6.2: the statistics that we keep. */
enum bmp_stat {
	BMP_STAT_ROUTES_IN = 7,		  /* gauge, 64 bits */
	BMP_STAT_TREATED_AS_WITHDRAW = 11, /* counter, 32 bits: UPDATEs */
	BMP_STAT_ROUTES_OUT = 15,	  /* gauge, 64 bits: Adj-RIB-Out after policy */
};

/* Whom a message tells of, and when it happened. */
struct bmp_peer {
	struct addr address;
	uint32_t as;
	uint32_t router_id; /* host order */
	bool is_out;	    /* RFC 8671: Adj-RIB-Out after policy; else Adj-RIB-In before policy */
	bool is_as2;	    /* the AS_PATHs have two-octet numbers */
	uint64_t time_us;   /* since 1970 */
};

/* Messages of BGP, header included. */
struct bmp_pdu {
	const uint8_t *octets;
	size_t len;
};

struct bmp_up {
	struct addr local; /* of the peer's family; ADDR_NONE: not known */
	uint16_t local_port;
	uint16_t peer_port;
	struct bmp_pdu sent_open;
	struct bmp_pdu received_open;
	const char *name; /* what we call the peer */
};

struct bmp_count {
	enum bmp_stat stat;
	uint64_t value;
};

void bmp_initiation_encode(struct writer *w, const char *system, const char *description);
void bmp_termination_encode(struct writer *w, enum bmp_termination reason);
void bmp_peer_up_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_up *up);
/* notification: with the reasons that have one; event: with BMP_DOWN_LOCAL_EVENT. */
void bmp_peer_down_encode(struct writer *w, const struct bmp_peer *peer, enum bmp_down reason,
			  const struct bmp_pdu *notification, uint16_t event);
void bmp_route_monitoring_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_pdu *update);
void bmp_stats_encode(struct writer *w, const struct bmp_peer *peer, const struct bmp_count *counts, unsigned n);

#endif
