/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as checked values: what config.c makes of the YAML file, and what health, compile, announce and the
 * control socket read. Plain data, one owner (main), replaced as a whole by a reload; nothing in it changes at run time.
 * Every list is in the file's order. Names are unique within their list, 1..63 characters of [A-Za-z0-9._-].
 */
#ifndef CONTROLPLANE_MODEL_H
#define CONTROLPLANE_MODEL_H

#include "abi/records.h"
#include "base/addr.h"
#include "bgp/bfd.h"
#include "bgp/bgp.h"
#include "bgp/path.h"

enum {
	MODEL_NAME_MAX = 64,
	MODEL_PEER_NAME_MAX = 32,
	MODEL_WEIGHT_MAX = 255,
	MODEL_CHECKS_MAX = 8,
	MODEL_COLLECTORS_MAX = 8,
	MODEL_PEERS_MAX = 256,
	MODEL_AGGREGATES_MAX = 256,
	MODEL_DYNAMIC_MAX = 16,
	MODEL_LISTEN_MAX = 8,
};
enum {
	MODEL_FILTERS_MAX = 64, /* of the operator's, those added by hand included */
	MODEL_IMPORTED_MAX = ABI_FILTERS_MAX - MODEL_FILTERS_MAX,
	MODEL_WITHIN_MAX = 16,
};

enum model_hash { MODEL_HASH_STABLE = 0, MODEL_HASH_MAGLEV };
enum model_check_kind { MODEL_CHECK_TCP = 0, MODEL_CHECK_HTTP, MODEL_CHECK_HTTPS, MODEL_CHECK_DNS, MODEL_CHECK_ICMP };
enum model_announce { MODEL_ANNOUNCE_ALL = 0, MODEL_ANNOUNCE_ANY, MODEL_ANNOUNCE_ALWAYS, MODEL_ANNOUNCE_NEVER };

struct model_check {
	enum model_check_kind kind;
	uint16_t port;	     /* host order; 0 for ICMP */
	char path[256];	     /* http, https */
	char host[256];	     /* http, https: Host header and TLS SNI; "": the backend's address */
	uint16_t status_min; /* http, https: accepted range, 100..599 */
	uint16_t status_max;
	char match[128];     /* http, https: text that the body must hold; "": any */
	bool tls_verify;     /* https */
	char query[256];     /* dns: name */
	uint16_t query_type; /* dns: A 1, AAAA 28, TXT 16, SOA 6, NS 2, ... */
	uint8_t rcode;	     /* dns: expected */
};

/* A backend is up when all checks of its pool pass. */
struct model_health {
	uint32_t interval_ms; /* 100..3600000 */
	uint32_t timeout_ms;  /* 10..interval_ms */
	uint8_t rise;	      /* 1..100: passes in a row to be up */
	uint8_t fall;	      /* 1..100: failures in a row to be down */
	uint8_t jitter_percent; /* 0..50 of the interval */
	uint8_t hold_flaps;	/* this many changes to down within hold_window_s hold the backend down; 0: never */
	uint32_t hold_window_s;
	uint32_t hold_s;	/* held down for this long */
	unsigned n_checks;	/* 0: always up */
	struct model_check checks[MODEL_CHECKS_MAX];
};

struct model_backend {
	char name[MODEL_NAME_MAX];
	struct addr addr;
	uint8_t weight; /* 0..MODEL_WEIGHT_MAX; 0: no new flows */
};

struct model_pool {
	char name[MODEL_NAME_MAX];
	enum model_hash hash;
	uint64_t seed;	       /* from the file, or of the pool's name: equal on every node */
	uint32_t window_s;     /* abi_pool */
	uint32_t idle_s;
	enum abi_encap encap;
	uint16_t gue_port;
	bool gue_checksum;
	enum abi_dscp dscp_mode;
	uint8_t dscp;
	uint8_t source_vary_bits;
	uint32_t min_healthy;  /* fewer backends up than this: the pool can't serve; at least 1 */
	uint8_t min_weight_percent; /* nor with less than this share of the weight up; 0: any */
	bool fail_open;	       /* when none is up: use all rather than none */
	struct model_health health;
	unsigned n_backends;
	struct model_backend *backends;
};

enum model_path_mark {
	MODEL_PATH_MED = 1 << 0,
	MODEL_PATH_LOCAL_PREF = 1 << 1,
	MODEL_PATH_PREPEND = 1 << 2,
	MODEL_PATH_ORIGIN = 1 << 3,
	MODEL_PATH_NEXT_HOP = 1 << 4,
};

/* Attributes that the file gives to routes. Layers of it make a route's path: what has a mark replaces, communities add. */
struct model_path {
	uint8_t marks;
	struct addr next_hop_v4; /* ADDR_NONE, with the mark: the session's own */
	struct addr next_hop_v6;
	struct path path;
};

/* Some, but not enough for full service: announced worse before it is withdrawn. */
struct model_degraded {
	uint8_t below_percent; /* of the weight of a service's pool that is up; 0: never */
	struct model_path path;
};

/* What is gained and lost in turn is held withdrawn, each time for twice as long. */
struct model_damping {
	uint32_t rise_ms; /* it must be well for so long before it is announced again */
	uint8_t flaps;	  /* this many losses within window_s hold it; 0: never */
	uint32_t window_s;
	uint32_t hold_s;
	uint32_t hold_max_s;
};

/* What a VIP has of its own for one peer. */
struct model_vip_peer {
	char name[MODEL_PEER_NAME_MAX]; /* of a peer, or of an entry of dynamic ones */
	bool never;    /* it is not announced to this one */
	struct model_path path;
};

struct model_vip {
	char name[MODEL_NAME_MAX];
	struct prefix prefix;
	bool refuse;
	enum model_announce announce; /* while all (any) of its services can be served */
	struct model_path path;
	struct model_degraded degraded;
	struct model_damping damping;
	unsigned n_peers;
	struct model_vip_peer *peers;
};

/* A prefix that is announced while any of the VIPs inside is. */
struct model_aggregate {
	struct prefix prefix;
	bool both; /* the VIPs inside are announced too */
	struct model_path path;
};

/* How the path to a peer is watched (RFC 5880). */
struct model_bfd {
	bool enabled;
	bool is_multihop; /* RFC 5883; else the peer is a neighbour (RFC 5881) */
	uint8_t ttl_min;  /* multihop: of what comes in */
	struct bfd_config session;
};

/* A session, and what policy says of it: a change of the latter touches no session. */
struct model_peer {
	struct bgp_config session;
	char group[MODEL_PEER_NAME_MAX]; /* of a dynamic one: the entry that it came by, whose name VIPs use; else "" */
	uint8_t longest_v4; /* prefixes longer than this are not announced to it */
	uint8_t longest_v6;
	struct model_path path;
	struct model_bfd bfd;
};

/* Whoever connects from within the range is a peer like this one. */
struct model_dynamic {
	struct model_peer peer; /* first: it shares its keys; of no address */
	struct prefix range;
	uint16_t max; /* peers at a time */
};

struct model_listen {
	bool enabled;
	uint16_t port;
	unsigned n_addresses; /* 0: any, of both families */
	struct addr addresses[MODEL_LISTEN_MAX];
};

struct model_drain {
	uint32_t timeout_s; /* withdrawn then, whether or not traffic has left */
	struct model_path path;
};

enum model_guard_mode { MODEL_GUARD_OFF = 0, MODEL_GUARD_AUTO, MODEL_GUARD_ALWAYS };
enum model_filter { MODEL_FILTER_AUTO = 0, MODEL_FILTER_OFF, MODEL_FILTER_ARMED, MODEL_FILTER_ALWAYS };
enum model_check_source {
	MODEL_CHECK_SOURCE_AUTO = 0,
	MODEL_CHECK_SOURCE_NONE,
	MODEL_CHECK_SOURCE_SYN,
	MODEL_CHECK_SOURCE_SYN_COOKIE,
	MODEL_CHECK_SOURCE_DNS,
};

/* AUTO: what is right for the service's protocol and port (controlplane/guard.h). Rates as in struct abi_guard. */
struct model_guard {
	enum model_guard_mode mode;
	enum model_check_source check;
	enum model_filter reflectors;
	enum model_filter not_client;
	enum model_filter dns;
	enum model_filter signatures; /* AUTO: while armed */
	uint32_t thresholds[ABI_METERS];
	uint16_t hold_s;
	uint16_t burst_ms;
	uint8_t percent;
	uint8_t prefix_v4_len;
	uint8_t prefix_v6_len;
	struct abi_guard_rates source;
	struct abi_guard_rates prefix;
	uint32_t unknown;
};

struct model_reflector {
	char name[MODEL_NAME_MAX];
	uint16_t port; /* UDP source port, host order */
	char reason[128];
};

struct model_list {
	char name[MODEL_NAME_MAX];
	char path[256];
};

struct model_list_class {
	uint16_t class;
	uint16_t burst_ms;
	struct abi_guard_rates rates;
};

struct model_filter_entry {
	char name[MODEL_NAME_MAX];
	char expression[1025];
	char object[256]; /* path of an eBPF object, in place of the expression */
	char section[64];
	char service[MODEL_NAME_MAX]; /* "": all */
	uint8_t action;		      /* enum abi_filter_action */
};

struct model_service {
	char name[MODEL_NAME_MAX];
	unsigned vip;  /* index in vips */
	unsigned pool; /* index in pools */
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP; 0: any */
	uint16_t port_first;
	uint16_t port_last;
	enum abi_affinity affinity;
	enum abi_hash_on hash_on;
	struct model_guard guard;
};

/* A BMP collector (RFC 7854), to which we connect. */
struct model_collector {
	char name[MODEL_NAME_MAX];
	struct addr address;
	uint16_t port;
	uint16_t stats_s; /* between statistics reports; 0: none */
};

/* MRT records of all sessions' messages (RFC 6396). */
struct model_mrt {
	char file[256];	 /* "": none */
	uint32_t rotate; /* octets of a file, at most */
	uint32_t age_s;	 /* a file that has records turns over after so long; 0: by size alone */
	uint8_t keep;	 /* files besides that one: FILE.1 is the newest */
};

enum model_imports { MODEL_IMPORT_FLOWSPEC = 0, MODEL_IMPORT_BLACKHOLE, MODEL_IMPORTS }; /* as enum rib_in_kind */
#define MODEL_IMPORT_ACTIONS (1U << ABI_FILTER_DROP | 1U << ABI_FILTER_COUNT | 1U << ABI_FILTER_LIMIT | 1U << ABI_FILTER_SAMPLE)

/* What may be imported from each BGP peer that has it switched on. */
struct model_import {
	uint32_t max;
	uint32_t lifetime_s; /* 0: for good */
	uint8_t actions;     /* bit of each enum abi_filter_action that a rule may ask for */
	uint8_t shortest_v4; /* of a destination's prefix */
	uint8_t shortest_v6;
	unsigned n_within;
	struct prefix within[MODEL_WITHIN_MAX]; /* none: all VIPs */
};

struct model {
	char node_name[MODEL_NAME_MAX];
	char dataplane_socket[108];
	char control_socket[108];
	char http_listen[64]; /* "address:port" of /metrics and the status page; "": none */
	struct addr source_v4; /* outer source of tunnels; ADDR_NONE: no such tunnels */
	struct addr source_v6;
	struct model_mrt mrt;
	struct model_import imports[MODEL_IMPORTS];
	uint32_t as; /* of the bgp section; 0: there is none */
	uint32_t router_id;
	struct model_listen listen;
	struct model_path path; /* of all routes */
	struct model_drain drain;
	struct model_degraded degraded; /* what VIPs begin with, as damping */
	struct model_damping damping;
	unsigned n_peers;
	struct model_peer *peers;
	unsigned n_aggregates;
	struct model_aggregate *aggregates;
	unsigned n_dynamic;
	struct model_dynamic *dynamic;
	unsigned n_collectors;
	struct model_collector *collectors;
	unsigned n_vips;
	struct model_vip *vips;
	unsigned n_pools;
	struct model_pool *pools;
	unsigned n_services;
	struct model_service *services;
	struct model_guard guard; /* what services begin with */
	unsigned n_bogons;
	struct prefix *bogons;
	unsigned n_filters;
	struct model_filter_entry *filters;
	char signatures[256]; /* file of payload signatures (controlplane/rules.h); "": none */
	unsigned n_lists;
	struct model_list *lists; /* files of prefixes (controlplane/listfile.h) */
	unsigned n_list_classes;
	struct model_list_class *list_classes;
	unsigned n_reflectors;
	struct model_reflector *reflectors;
};

/* Of all pools. */
unsigned model_backends(const struct model *model);

void model_free(struct model *model); /* NULL is fine */

#endif
