/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of the rings: 64 octets each, passed by value.
 *
 * Tables change by transaction: BEGIN, records in any order, COMMIT. A full transaction starts from nothing; a delta
 * from the generation that is served, where a record replaces the one of its kind and index, and REMOVE takes one away.
 * SLOTS of one pool must fill the whole table when the pool is new or the transaction is full. Indices are the control
 * plane's and mean something within one generation only; what stays the same over generations is told by `key` (never 0)
 * and, for backends, by address and encapsulation.
 */
#ifndef ABI_RECORDS_H
#define ABI_RECORDS_H

#include "abi/capture.h"
#include "abi/filter.h"
#include "abi/layout.h"
#include "abi/signature.h"

enum abi_record_type {
	ABI_BEGIN = 1,
	ABI_COMMIT,
	ABI_VIP,
	ABI_SERVICE,
	ABI_POOL,
	ABI_BACKEND,
	ABI_NEXTHOP,
	ABI_SLOTS_PART,
	ABI_REMOVE,
	ABI_GUARD,
	ABI_BOGON,
	ABI_REFLECTOR,
	ABI_LIST_CLASS,
	ABI_RULE_PART,
	ABI_RULE_SET,
	ABI_FILTER,
	ABI_FILTER_PART,
	ABI_LIST, /* outside of transactions too */
	ABI_CAPTURE, /* and these two */
	ABI_CAPTURE_PART,
	/* replies */
	ABI_ACK = 64,
	ABI_NAK,
	ABI_LISTED,
	ABI_CAPTURED,
	/* events */
	ABI_PORT_CHANGED = 128,
	ABI_SETTLED,
	ABI_ATTACK,
	ABI_TALKER,
};

enum abi_transaction { ABI_FULL = 0, ABI_DELTA = 1 };
enum abi_affinity { ABI_AFFINITY_FLOW = 0, ABI_AFFINITY_TRACKED, ABI_AFFINITY_NONE };
enum abi_hash_on { ABI_HASH_FLOW = 0, ABI_HASH_SOURCE };
enum abi_encap { ABI_ENCAP_L2 = 0, ABI_ENCAP_IPIP, ABI_ENCAP_GUE, ABI_ENCAP_GRE };
/* While the service is armed, or always. */
enum abi_guard_filter {
	ABI_GUARD_REFLECTORS = 1 << 0,	/* UDP: drop what comes from a reflector's port */
	ABI_GUARD_NOT_CLIENT = 1 << 1,	/* TCP: drop SYN and ACK, and resets of unknown sources */
	ABI_GUARD_DNS = 1 << 2,		/* UDP: drop what is no well-formed query */
	ABI_GUARD_FILTERS = (1 << 3) - 1,
};
enum abi_guard_mode { ABI_GUARD_AUTO = 0, ABI_GUARD_ALWAYS }; /* armed by its meters; armed */
/* What an unknown source is asked for: see dataplane/stage/challenge.h. */
enum abi_guard_check { ABI_GUARD_CHECK_NONE = 0, ABI_GUARD_CHECK_SYN, ABI_GUARD_CHECK_SYN_COOKIE, ABI_GUARD_CHECK_DNS };
enum abi_meter { ABI_METER_PACKETS = 0, ABI_METER_BITS, ABI_METER_OPENINGS, ABI_METER_FRAGMENTS, ABI_METERS };
enum abi_attack_state { ABI_ATTACK_BEGIN = 0, ABI_ATTACK_GOES_ON, ABI_ATTACK_END };
/* What most of an attack is, as its samples say: of those that did not reach a backend, where these are enough. */
enum abi_vector {
	ABI_VECTOR_UNKNOWN = 0, /* no samples yet */
	ABI_VECTOR_MIXED,	/* nothing makes up half of it */
	ABI_VECTOR_SYN,
	ABI_VECTOR_SYN_ACK,
	ABI_VECTOR_ACK, /* with and without payload */
	ABI_VECTOR_RST,
	ABI_VECTOR_TCP_FLAGS, /* any other flags */
	ABI_VECTOR_UDP,
	ABI_VECTOR_FRAGMENTS,
	ABI_VECTOR_ICMP_ERRORS,
	ABI_VECTOR_OTHER, /* of other protocols */
	ABI_VECTORS,
};
/* By what a talker is told from the others. */
enum abi_talker_of {
	ABI_TALKER_SOURCE = 0,
	ABI_TALKER_PREFIX, /* of the source, as long as the service's guard says */
	ABI_TALKER_PORT,   /* the source's */
	ABI_TALKER_LENGTH, /* of the IP packet */
	ABI_TALKER_TTL,
	ABI_TALKER_PAYLOAD,
	ABI_TALKERS,
};
enum abi_dscp { ABI_DSCP_COPY = 0, ABI_DSCP_FIXED }; /* of the outer header */

struct abi_begin {
	uint16_t type;
	uint16_t kind;	     /* enum abi_transaction */
	uint32_t zero;
	uint64_t generation; /* above the one served */
	uint64_t base;	     /* delta: the generation that it changes; else 0 */
	uint8_t zero2[40];
};

struct abi_commit {
	uint16_t type;
	uint16_t zero;
	uint32_t records; /* between BEGIN and COMMIT */
	uint64_t generation;
	uint32_t crc; /* CRC-32C over those records */
	uint8_t zero2[44];
};

struct abi_vip {
	uint16_t type;
	uint16_t index;	  /* < ABI_VIPS_MAX */
	uint8_t len;	  /* prefix length */
	uint8_t refuse;	  /* 1: answer what no service takes (RST, port unreachable); 0: drop it */
	uint8_t zero[2];
	uint64_t key;
	struct addr addr; /* host bits zero */
	uint8_t zero2[28];
};

struct abi_service {
	uint16_t type;
	uint16_t index; /* < ABI_SERVICES_MAX */
	uint16_t vip;
	uint16_t pool;
	uint64_t key;
	uint16_t port_first; /* host order; any port: 0..65535 */
	uint16_t port_last;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, ...; 0: any protocol (then any port) */
	uint8_t affinity; /* enum abi_affinity */
	uint8_t hash_on;  /* enum abi_hash_on */
	uint8_t zero[41];
};

struct abi_pool {
	uint16_t type;
	uint16_t index; /* < ABI_POOLS_MAX */
	uint32_t window_s; /* how long a slot moves: mid-flow packets may still show their flow; 1..3600 */
	uint64_t key;
	uint64_t seed;	/* of the flow hash */
	uint32_t idle_s; /* a flow that was silent for so long is forgotten; 1..36000 */
	uint8_t zero[36];
};

struct abi_backend {
	uint16_t type;
	uint16_t index; /* < ABI_BACKENDS_MAX, over all pools. Present means alive: a dead one is not sent */
	uint16_t pool;
	uint16_t nexthop; /* or ABI_NEXTHOP_NONE: not resolved yet */
	uint64_t key;
	struct addr addr;
	struct addr source; /* outer source (tunnels); its family equals addr's */
	uint16_t gue_port;  /* host order; GUE's UDP destination */
	uint8_t encap;	    /* enum abi_encap */
	uint8_t dscp_mode;  /* enum abi_dscp */
	uint8_t dscp;	    /* 0..63 when fixed */
	uint8_t source_vary_bits; /* 0: fixed; n: the low n bits (at most 16) of the outer source vary with the flow */
	uint8_t gue_checksum;	  /* 1: UDP checksum in GUE over IPv4 too (over IPv6 always) */
	uint8_t zero[1];
};

struct abi_nexthop {
	uint16_t type;
	uint16_t index; /* < ABI_NEXTHOPS_MAX */
	uint16_t port;	/* < n_ports */
	uint16_t vlan;	/* 802.1Q tag to put on, 0: none */
	uint16_t mtu;	/* octets of an IP packet on that way, 576..9216 */
	uint8_t source_mac[6];
	uint8_t destination_mac[6];
	uint8_t zero[42];
};

enum { ABI_SLOTS_PER_PART = 28 };

struct abi_slots_part {
	uint16_t type;
	uint16_t pool;
	uint16_t first; /* slot of owner[0] */
	uint16_t count; /* 1..ABI_SLOTS_PER_PART */
	uint16_t owner[ABI_SLOTS_PER_PART]; /* backend index or ABI_OWNER_NONE */
};

struct abi_remove {
	uint16_t type;
	uint16_t index;
	uint16_t of; /* enum abi_record_type of a thing with an index; POOL takes its slots along */
	uint8_t zero[58];
};

struct abi_guard_rates { /* a second, 0: no limit */
	uint32_t packets;
	uint32_t kbits;
	uint32_t openings;
};

/* How a service is guarded; a service without one isn't. */
struct abi_guard {
	uint16_t type;
	uint16_t index;		/* the service's */
	uint8_t mode;		/* enum abi_guard_mode */
	uint8_t check;		/* enum abi_guard_check */
	uint8_t filters;	/* enum abi_guard_filter: while armed */
	uint8_t filters_always; /* in peace too */
	uint32_t thresholds[ABI_METERS]; /* a second, bits in kbit; over one of them arms; 0: none */
	uint16_t hold_s;	/* armed until all meters were below `percent` for so long; 1..36000 */
	uint8_t percent;	/* of the thresholds; 1..100 */
	uint8_t prefix_v4_len;	/* 1..32 */
	uint8_t prefix_v6_len;	/* 1..128 */
	uint8_t zero;
	uint16_t burst_ms;	/* of the limits: what may come at once, in time of the rate; 1..60000 */
	struct abi_guard_rates source;
	struct abi_guard_rates prefix;
	uint32_t unknown;	/* packets a second of all unknown sources together; 0: no limit */
	uint8_t zero2[4];
};

struct abi_bogon { /* sources that are refused */
	uint16_t type;
	uint16_t index; /* < ABI_BOGONS_MAX */
	uint8_t len;
	uint8_t zero[3];
	struct addr addr; /* host bits zero */
	uint8_t zero2[36];
};

struct abi_reflector { /* a UDP source port of amplified answers */
	uint16_t type;
	uint16_t index; /* < ABI_REFLECTORS_MAX */
	uint16_t port;	/* host order, not 0 */
	uint8_t zero[58];
};

struct abi_list_class { /* what a listed source may send while it is limited, armed or not */
	uint16_t type;
	uint16_t index;	   /* the class, < ABI_LIST_CLASSES */
	uint16_t burst_ms; /* 1..60000 */
	uint8_t zero[2];
	struct abi_guard_rates rates; /* of each source address */
	uint8_t zero2[44];
};

enum { ABI_RULE_OCTETS = 56, ABI_RULE_PARTS = 13 }; /* of struct abi_signature, and of its parts */

/* A part of payload signature `index / ABI_RULE_PARTS`; their indices are 0 up to their number, with all parts each. */
struct abi_rule_part {
	uint16_t type;
	uint16_t index; /* < ABI_SIGNATURES_MAX * ABI_RULE_PARTS */
	uint8_t zero[4];
	uint8_t octets[ABI_RULE_OCTETS]; /* from (index % ABI_RULE_PARTS) * ABI_RULE_OCTETS on; beyond the end 0 */
};

/* The signatures that a service's packets are scanned for. */
struct abi_rule_set {
	uint16_t type;
	uint16_t index; /* the service's */
	uint8_t always; /* 1: in peace too; 0: while armed */
	uint8_t zero[3];
	uint64_t words[ABI_SIGNATURES_MAX / 64]; /* bit of each signature's index */
	uint8_t zero2[24];
};

/* An operator's filter; they run in the order of their indices. Its parts are those with its instructions and no more. */
struct abi_filter {
	uint16_t type;
	uint16_t index;	  /* < ABI_FILTERS_MAX */
	uint16_t service; /* index, or ABI_FILTER_EVERY */
	uint16_t n_insns; /* 1..ABI_FILTER_INSNS_MAX */
	uint64_t key;	  /* tells it over generations: its hits go on */
	uint8_t kind;	  /* enum abi_filter_kind */
	uint8_t action;	  /* enum abi_filter_action */
	uint8_t last;	  /* 1: filters behind it don't see what it matches */
	uint8_t zero;
	uint16_t vip;	  /* index, or ABI_FILTER_EVERY */
	uint8_t zero2[2];
	uint64_t packets_s; /* LIMIT: so many a second, of all workers together; 0: any number */
	uint64_t bytes_s;   /* of IP packets */
	uint8_t zero3[24];
};

struct abi_filter_part {
	uint16_t type;
	uint16_t index; /* filter * ABI_FILTER_PARTS + part */
	uint8_t zero[4];
	uint64_t insns[ABI_FILTER_PART_INSNS]; /* struct bpf_insn or ebpf_insn, as they lie in memory */
};

enum abi_list_op {
	ABI_LIST_RESET = 0, /* takes all entries away */
	ABI_LIST_SET,	    /* replaces the entry of the same prefix */
	ABI_LIST_REMOVE,    /* of one that isn't there: nothing */
	ABI_LIST_PUBLISH,   /* the workers see all changes so far, at once; is answered by LISTED */
};

/*
 * A change of the lists of prefixes. They are no part of a generation: a million entries are not to be sent again with each,
 * nor one to wait for the tables. A change that fails makes the next PUBLISH fail, which then changes nothing.
 */
struct abi_list {
	uint16_t type;
	uint8_t op;	/* enum abi_list_op */
	uint8_t action; /* SET: enum abi_list_action, not NONE */
	uint8_t class;	/* SET with LIST_LIMIT, else 0 */
	uint8_t len;	/* SET, REMOVE: of the prefix */
	uint8_t zero[2];
	struct addr addr; /* SET, REMOVE: host bits zero */
	uint8_t zero2[4];
	uint64_t token; /* PUBLISH: is given back */
	uint8_t zero3[24];
};

struct abi_listed {
	uint16_t type;
	uint16_t error; /* errno of the first change that failed; 0: published */
	uint32_t entries; /* in force */
	uint64_t token;
	uint8_t zero[48];
};

enum abi_capture_op { ABI_CAPTURE_STOP = 0, ABI_CAPTURE_START };
enum { ABI_CAPTURE_WORDS = 2, ABI_CAPTURE_DURATION_MAX_S = 86400 };

/*
 * A capture: copies of the packets that meet all of this go to the captures mapping, until STOP, for duration_s at most, and
 * `limit` of each worker's at most. One at a time: START ends what ran before. A START's expression comes before it, in as
 * many parts as it needs, from 0 on. Both are answered by CAPTURED; after that of a STOP nothing more is written.
 */
struct abi_capture {
	uint16_t type;
	uint8_t op;	     /* enum abi_capture_op; of a STOP but the token counts */
	uint8_t only_marked; /* 1: packets that met a rule with the action `sample` */
	uint32_t token;
	uint64_t service;    /* key; 0: all, and what is for none */
	uint64_t verdicts[ABI_CAPTURE_WORDS]; /* bit of each enum abi_verdict that is wanted; not OPEN, not HELD */
	uint32_t nth;	     /* one in so many of what would be copied; from 1 */
	uint32_t limit;	     /* from 1 */
	uint32_t duration_s; /* 1..ABI_CAPTURE_DURATION_MAX_S */
	uint16_t snap;	     /* octets of each, 1..ABI_CAPTURE_SNAP_MAX */
	uint16_t n_insns;    /* of the expression, classic BPF; 0: there is none */
	uint8_t zero[16];
};
_Static_assert(VERDICT_COUNT <= ABI_CAPTURE_WORDS * 64, "struct abi_capture");

struct abi_captured {
	uint16_t type;
	uint16_t error; /* errno of a START that changed nothing but what ran before; 0: done */
	uint32_t token;
	uint8_t zero[56];
};

enum abi_nak_reason {
	ABI_NAK_SEQUENCE = 1, /* BEGIN inside of a transaction, or a record outside of one */
	ABI_NAK_GENERATION,   /* not above the served one, base not the served one, or COMMIT of another */
	ABI_NAK_COUNT,	      /* COMMIT's record count differs */
	ABI_NAK_CRC,
	ABI_NAK_TYPE,	  /* unknown record type */
	ABI_NAK_RANGE,	  /* a field is out of its range */
	ABI_NAK_REFERENCE, /* names an index that isn't there */
	ABI_NAK_DUPLICATE, /* the same prefix, key or service twice */
	ABI_NAK_INCOMPLETE, /* a pool's slots are not all there */
	ABI_NAK_MEMORY,
};

struct abi_ack {
	uint16_t type;
	uint16_t zero;
	uint32_t build_us;   /* time from COMMIT to publication */
	uint64_t generation; /* all workers serve it; the one before is freed */
	uint64_t zero2;
	uint32_t slots_moving; /* after this publication, over all pools */
	uint32_t slots_settling;
	uint8_t zero3[32];
};

struct abi_nak {
	uint16_t type;
	uint16_t reason;   /* enum abi_nak_reason */
	uint32_t record;   /* the offending one, counted from 0 after BEGIN; UINT32_MAX: none in particular */
	uint64_t generation;
	char text[48]; /* for the log; terminated */
};

struct abi_port_changed {
	uint16_t type;
	uint16_t port;
	uint8_t is_up;
	uint8_t zero[59];
};

struct abi_settled { /* the last moving or settling slot of all pools became stable */
	uint16_t type;
	uint8_t zero[6];
	uint64_t generation;
	uint8_t zero2[48];
};

enum { ABI_ATTACK_REASONS = 4 };

/* An attack on a service: when it begins, every few seconds while it goes on, and when it is over. */
struct abi_attack {
	uint16_t type;
	uint8_t state;	  /* enum abi_attack_state */
	uint8_t meters;	  /* bit of each enum abi_meter that was over its threshold */
	uint32_t id;	  /* counted from the dataplane's start */
	uint64_t service; /* key */
	uint64_t peak_pps;
	uint64_t peak_bps;
	uint64_t packets; /* of the service since it was armed */
	uint64_t stopped; /* of those: dropped, or answered by the node */
	uint32_t duration_ms;
	uint8_t reasons[ABI_ATTACK_REASONS];  /* enum abi_verdict, the most frequent first; 0: no more */
	uint8_t percents[ABI_ATTACK_REASONS]; /* of the stopped ones */
	uint8_t vector;		/* enum abi_vector */
	uint8_t vector_percent; /* how much of it is that */
	uint16_t vector_port;	/* the source port of at least half of it, or 0 */
};

enum { ABI_TALKER_RANKS = 5, ABI_TALKER_OCTETS = 8 };

/*
 * One of those who send a service the most, as samples say: of an attack since it began, told before each of its events; or
 * of the last seconds, what is older by 4 s counts half. rank 0 begins a new list of its kind, which those after it go on.
 */
struct abi_talker {
	uint16_t type;
	uint8_t of;	  /* enum abi_talker_of */
	uint8_t rank;	  /* < ABI_TALKER_RANKS; 0 and packets 0: the list is empty */
	uint32_t attack;  /* id; 0: of the last seconds */
	uint64_t service; /* key */
	uint64_t packets; /* estimated; off by more than `error` once in twenty times */
	uint64_t error;	  /* what the sketch may have got wrong, and two standard deviations of the sampling */
	uint64_t total;	  /* of all talkers */
	union {
		struct {
			struct addr addr; /* host bits zero */
			uint8_t len;	  /* of a prefix; else 32 or 128 */
			uint8_t zero[3];
		} source;
		uint32_t number; /* port (host order), length, TTL */
		struct {
			uint64_t hash; /* of these octets */
			/* 2 to 9 of the L4 payload, 0 beyond its end: what goes before is DNS's random ID, what follows is often
			 * of one packet alone. */
			uint8_t octets[ABI_TALKER_OCTETS];
			uint8_t zero[8];
		} payload;
		uint8_t value[24];
	};
};

union abi_record {
	uint16_t type;
	uint8_t octets[64];
	struct abi_begin begin;
	struct abi_commit commit;
	struct abi_vip vip;
	struct abi_service service;
	struct abi_pool pool;
	struct abi_backend backend;
	struct abi_nexthop nexthop;
	struct abi_slots_part slots;
	struct abi_remove remove;
	struct abi_ack ack;
	struct abi_nak nak;
	struct abi_port_changed port_changed;
	struct abi_settled settled;
	struct abi_guard guard;
	struct abi_bogon bogon;
	struct abi_reflector reflector;
	struct abi_attack attack;
	struct abi_talker talker;
	struct abi_list_class list_class;
	struct abi_rule_part rule_part;
	struct abi_rule_set rule_set;
	struct abi_filter filter;
	struct abi_filter_part filter_part;
	struct abi_list list;
	struct abi_listed listed;
	struct abi_capture capture;
	struct abi_captured captured;
};

#define ABI_ASSERT_RECORD(name) _Static_assert(sizeof(struct name) == 64, #name)
ABI_ASSERT_RECORD(abi_begin);
ABI_ASSERT_RECORD(abi_commit);
ABI_ASSERT_RECORD(abi_vip);
ABI_ASSERT_RECORD(abi_service);
ABI_ASSERT_RECORD(abi_pool);
ABI_ASSERT_RECORD(abi_backend);
ABI_ASSERT_RECORD(abi_nexthop);
ABI_ASSERT_RECORD(abi_slots_part);
ABI_ASSERT_RECORD(abi_remove);
ABI_ASSERT_RECORD(abi_ack);
ABI_ASSERT_RECORD(abi_nak);
ABI_ASSERT_RECORD(abi_port_changed);
ABI_ASSERT_RECORD(abi_settled);
ABI_ASSERT_RECORD(abi_guard);
ABI_ASSERT_RECORD(abi_bogon);
ABI_ASSERT_RECORD(abi_reflector);
ABI_ASSERT_RECORD(abi_attack);
ABI_ASSERT_RECORD(abi_talker);
ABI_ASSERT_RECORD(abi_list_class);
ABI_ASSERT_RECORD(abi_rule_part);
ABI_ASSERT_RECORD(abi_rule_set);
ABI_ASSERT_RECORD(abi_filter);
ABI_ASSERT_RECORD(abi_filter_part);
ABI_ASSERT_RECORD(abi_list);
_Static_assert(ABI_RULE_OCTETS * ABI_RULE_PARTS >= sizeof(struct abi_signature), "parts of a signature");
ABI_ASSERT_RECORD(abi_listed);
ABI_ASSERT_RECORD(abi_capture);
ABI_ASSERT_RECORD(abi_captured);
_Static_assert(offsetof(struct abi_list, token) == 32, "struct abi_list");
_Static_assert(sizeof(union abi_record) == 64, "union abi_record");
_Static_assert(offsetof(struct abi_vip, addr) == 16, "struct abi_vip");
_Static_assert(offsetof(struct abi_service, port_first) == 16, "struct abi_service");
_Static_assert(offsetof(struct abi_pool, idle_s) == 24, "struct abi_pool");
_Static_assert(offsetof(struct abi_backend, gue_port) == 56, "struct abi_backend");
_Static_assert(offsetof(struct abi_nak, text) == 16, "struct abi_nak");
_Static_assert(offsetof(struct abi_guard, source) == 32, "struct abi_guard");
_Static_assert(offsetof(struct abi_attack, duration_ms) == 48, "struct abi_attack");
_Static_assert(offsetof(struct abi_talker, value) == 40, "struct abi_talker");

#endif
