/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BGP-4 speaker (RFC 4271) for an edge that announces: configuration and state of one session, shared by the sans-I/O
 * core (fsm.h, codec.h, rib_out.h) and by session.h, which gives it a socket.
 */
#ifndef BGP_BGP_H
#define BGP_BGP_H

#include "base/addr.h"

struct path;

enum bgp_state {
	BGP_IDLE,
	BGP_CONNECT,
	BGP_ACTIVE,
	BGP_OPEN_SENT,
	BGP_OPEN_CONFIRM,
	BGP_ESTABLISHED,
};

enum bgp_family {
	BGP_V4,	   /* IPv4 unicast: AFI 1, SAFI 1 */
	BGP_V6,	   /* IPv6 unicast: 2, 1 */
	BGP_FLOW4, /* RFC 8955: 1, 133 */
	BGP_FLOW6, /* RFC 8956: 2, 133 */
	BGP_FAMILIES,
};

enum bgp_type {
	BGP_OPEN = 1,
	BGP_UPDATE = 2,
	BGP_NOTIFICATION = 3,
	BGP_KEEPALIVE = 4,
	BGP_ROUTE_REFRESH = 5, /* RFC 2918 */
	BGP_TYPES,
};

/* RFC 9234 4.1: what we are to the peer; the values are the capability's. */
enum bgp_role {
	BGP_ROLE_PROVIDER = 0,
	BGP_ROLE_RS = 1,
	BGP_ROLE_RS_CLIENT = 2,
	BGP_ROLE_CUSTOMER = 3,
	BGP_ROLE_PEER = 4,
	BGP_ROLE_UNDEFINED = 254, /* the peer sent one that RFC 9234 doesn't have: it corresponds to none */
	BGP_ROLE_NONE = 255, /* the capability is not sent */
};

enum {
	BGP_NAME_MAX = 80,
	BGP_KEY_MAX = 80,	    /* TCP_MD5SIG_MAXKEYLEN */
	BGP_INTERFACE_MAX = 16,	    /* IFNAMSIZ */
	BGP_PREFIXES_MAX = 4000000, /* counting so many takes 64 MiB */
};

/* How the segments of a session are signed. A key that the kernel refuses leaves the session down. */
enum bgp_auth {
	BGP_AUTH_NONE = 0,
	BGP_AUTH_MD5, /* RFC 2385 */
	BGP_AUTH_AO,  /* RFC 5925, HMAC-SHA-1-96; kernels from 6.7 that were built with it */
};

struct bgp_config {
	char name[BGP_NAME_MAX];	/* for the log and for people */
	struct addr peer;	/* its address; TCP port 179 unless given */
	struct addr local;	/* ADDR_NONE: the kernel chooses */
	char interface[BGP_INTERFACE_MAX]; /* that a link-local peer is on (RFC 4007 6); "": none */
	uint16_t port;		/* host order; 0: 179 */
	uint32_t local_as;	/* 4-octet AS numbers (RFC 6793) */
	uint32_t peer_as;
	uint32_t peer_as_last;	/* 0: peer_as alone; else any from it up to this, of which none is ours */
	uint32_t router_id;	/* host order */
	uint16_t hold_s;	/* 0 or 3..65535; proposed in OPEN */
	uint16_t reconnect_s;	/* ConnectRetryTime, 1..3600, jittered (RFC 4271 10) */
	uint16_t graceful_restart_s; /* RFC 4724: the peer keeps our routes for so long when the session is lost; 0: not at all */
	bool passive;		/* we wait for the peer to connect (RFC 4271 8.1.1 PassiveTcpEstablishment) */
	uint16_t delay_open_s;	/* 0: the OPEN is sent at once (RFC 4271 8.1.1 DelayOpen) */
	uint16_t send_hold_s;	/* RFC 9687: the peer takes nothing for so long; 0: twice the hold time, at least 480 s */
	enum bgp_role role;
	bool role_strict;	/* RFC 9234 4.2: a peer without the capability is refused */
	enum bgp_auth auth;
	uint8_t key_id;		/* AO: SendID and RecvID */
	uint8_t key_len;
	uint8_t key[BGP_KEY_MAX];
	uint8_t hops;		/* the peer is at most this many hops away: TTL of what we send; 0: 1 for eBGP, any for iBGP */
	bool gtsm;		/* RFC 5082: drop what comes from further away than hops; our TTL is 255 */
	bool extended_next_hop; /* RFC 8950: IPv4 prefixes with an IPv6 next hop, when both sides have it */
	bool flowspec;		/* RFC 8955, 8956: both families are negotiated */
	bool import_blackhole;	/* take in unicast prefixes with BLACKHOLE (RFC 7999) */
	bool no_validation;	/* RFC 9117 validation of FlowSpec is left out: the peer is a controller that we trust */
	uint32_t max_prefixes;	/* that a peer may have told us; one more ends the session (RFC 4486: 6/1); 0: no
				 * limit; BGP_PREFIXES_MAX at most */
	struct addr next_hop_v4; /* ADDR_NONE: the session's own address when the family fits, else the family is not announced */
	struct addr next_hop_v6;
};

enum {
	BGP_TEXT_MAX = 255, /* RFC 9003: octets of UTF-8 in a Cease */
	BGP_DATA_MAX = 256, /* such a text with its length */
};

/* What the peer sent in NOTIFICATION, or what we sent; code 0: none. Longer data than this is cut. */
struct bgp_error {
	uint8_t code;
	uint8_t subcode;
	uint16_t data_len;
	uint8_t data[BGP_DATA_MAX];
};

/* What both sides' OPENs come to. */
struct bgp_negotiated {
	uint32_t peer_as;
	bool family[BGP_FAMILIES];
	bool as4;
	bool refresh;
	bool enhanced_refresh;	/* RFC 7313 */
	bool extended_message;	/* RFC 8654 */
	bool extended_next_hop; /* RFC 8950, for IPv4 unicast */
	enum bgp_role peer_role; /* BGP_ROLE_NONE: it didn't say */
	bool graceful_restart;	/* the peer has the capability (RFC 4724) */
	bool restarting;	/* its R bit */
	bool notification;	/* the N bit of both (RFC 8538) */
	uint16_t restart_s;
	bool keeps[BGP_FAMILIES];    /* its capability lists the family: hold what it told us while it restarts */
	bool forwards[BGP_FAMILIES]; /* the F bit: it forwarded on meanwhile */
	uint32_t llgr_s[BGP_FAMILIES]; /* RFC 9494: then so much longer; 0: not */
};

struct bgp_status {
	enum bgp_state state;
	uint64_t since_ns;	  /* base/clock.h: when the state was entered */
	uint64_t last_message_ns; /* when the peer was last heard */
	uint64_t established_ns;  /* when Established was last entered; 0: never */
	struct addr local;	  /* our end of the connection, or of the last one; ADDR_NONE: there was none */
	uint16_t local_port;	  /* host order */
	uint16_t peer_port;
	uint32_t router_id;	  /* the peer's, host order; 0: not known yet */
	uint16_t hold_s;	  /* negotiated */
	struct bgp_negotiated negotiated; /* in OpenConfirm and Established, and what it was in the session before */
	uint32_t advertised;	  /* routes the peer was told and not told otherwise since */
	uint32_t prefixes;	  /* that the peer told us; counted when there is a max_prefixes */
	uint64_t sent[BGP_TYPES]; /* messages */
	uint64_t received[BGP_TYPES];
	uint64_t faults;	  /* UPDATEs with something wrong that the session outlived (RFC 7606) */
	uint8_t fault_type;	  /* of the last one: the attribute, 0: none */
	const char *fault;	  /* and the rule that it broke; NULL: there was none */
	uint32_t errors;	  /* NOTIFICATIONs sent and received */
	struct bgp_error last_error;
	bool last_error_ours;	  /* we sent it */
	char text[BGP_TEXT_MAX + 1]; /* of the peer's last Cease (RFC 9003), control characters replaced; "": none */
	uint32_t flaps;		  /* times the session left Established */
	bool may_keep;		  /* the last session ended so that a helper keeps the peer's routes (RFC 4724 4.2, 8538) */
	bool bfd_down;		  /* held in Idle until BFD is up again */
};

enum bgp_route_state {
	BGP_ROUTE_PENDING, /* the peer doesn't know it, or not so */
	BGP_ROUTE_TOLD,
	BGP_ROUTE_LEAVING, /* the peer knows it still */
};

/* A route that we announce, as the peer sees it; pointers are good for the call. */
struct bgp_route_view {
	enum bgp_family family;
	enum bgp_route_state state;
	struct prefix prefix; /* unicast */
	const uint8_t *nlri;  /* as on the wire, its length in front */
	size_t nlri_len;
	const struct path *path;
};

typedef bool bgp_route_visit(void *context, const struct bgp_route_view *route); /* false: enough */

const char *bgp_state_name(enum bgp_state state);
const char *bgp_error_name(const struct bgp_error *error); /* "hold timer expired", "cease/administrative shutdown", ... */

#endif
