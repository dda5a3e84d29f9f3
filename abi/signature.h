/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A payload signature as both processes know it: plain octets without pointers, host order, which can be carried over a
 * ring in pieces. Which of them match is said by their order: the lowest-numbered rule that matches decides. No state;
 * any thread.
 */
#ifndef ABI_SIGNATURE_H
#define ABI_SIGNATURE_H

#include "base/types.h"

enum {
	ABI_SIGNATURES_MAX = 256,
	ABI_SIGNATURE_PORTS_MAX = 16,
	/* What bounds the time and the memory that compiling takes: positions of the pattern with its counted repeats
	 * written out, and how deep its groups nest. */
	ABI_SIGNATURE_POSITIONS_MAX = 2048,
	ABI_SIGNATURE_DEPTH_MAX = 16,
};

enum abi_signature_action {
	ABI_SIGNATURE_NONE = 0, /* no rule matched; no rule's own */
	ABI_SIGNATURE_DROP,
	ABI_SIGNATURE_LIMIT,  /* to the limits of its source, armed or not */
	ABI_SIGNATURE_COUNT,  /* counted, and let through */
	ABI_SIGNATURE_SAMPLE, /* counted, let through, and a copy of it kept */
	ABI_SIGNATURE_ACTIONS,
};

/* A dot takes any octet: a payload is no text. */
enum abi_signature_flag {
	ABI_SIGNATURE_CASELESS = 1 << 0,
	ABI_SIGNATURE_MULTILINE = 1 << 1, /* ^ and $ stand at line ends too */
	ABI_SIGNATURE_FLAGS = (1 << 2) - 1,
};

struct abi_signature_ports {
	uint16_t first;
	uint16_t last;
};

struct abi_signature {
	char name[64];	  /* letters, digits, '.', '_', '-'; ends in NUL */
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP or 0: either */
	uint8_t action;	  /* enum abi_signature_action */
	uint8_t flags;	  /* enum abi_signature_flag */
	uint8_t n_src;	  /* 0: any port */
	uint8_t n_dst;
	uint8_t reserved[3]; /* 0 */
	struct abi_signature_ports src[ABI_SIGNATURE_PORTS_MAX];
	struct abi_signature_ports dst[ABI_SIGNATURE_PORTS_MAX];
	char pattern[504]; /* Hyperscan's PCRE subset in printable ASCII; ends in NUL */
};
_Static_assert(sizeof(struct abi_signature) == 704, "struct abi_signature");
_Static_assert(offsetof(struct abi_signature, src) == 72, "struct abi_signature: ports");
_Static_assert(offsetof(struct abi_signature, pattern) == 200, "struct abi_signature: pattern");

/* What both processes know a rule by: a hash of its name. */
uint64_t abi_signature_key(const struct abi_signature *signature);

/* What is wrong with a rule that somebody else made, as the end of a sentence that begins with its name; NULL: it is
 * sound, and its pattern can be given to Hyperscan, which may still refuse it. */
const char *abi_signature_fault(const struct abi_signature *signature);

#endif
