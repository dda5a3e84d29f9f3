/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of payload signatures: YAML in, checked rules out, or a list of all that is wrong with it, each with its
 *place.
 *
 *	rules:
 *	  - name: ntp-monlist-answer
 *	    protocol: udp                # tcp, udp or any (the default)
 *	    source_port: [123, 8000-8099] # one, a range or a list of them; any is the default
 *	    destination_port: any
 *	    pattern: '^[\x97\xd7].\x03\x2a'
 *	    flags: i                     # i: caseless, m: ^ and $ at line ends too
 *	    action: drop                 # drop, limit, count or sample
 *	    source: CVE-2013-5211        # where the knowledge comes from
 *
 * A pattern is of Hyperscan's PCRE subset, where a dot takes any octet. One that matches the empty payload is refused,
 * as is one that is too large to be compiled in a moment. The order counts: the first rule that matches decides.
 * No state; any thread.
 */
#ifndef CONTROLPLANE_RULES_H
#define CONTROLPLANE_RULES_H

#include "abi/signature.h"
#include "controlplane/config.h"

struct rule {
	struct abi_signature signature;
	char source[256]; /* empty: not said */
	unsigned line;	  /* of the file, from 1: what the dataplane refuses can be shown with its place */
	unsigned column;
};

struct rules {
	struct rule *list;
	unsigned n; /* at most ABI_SIGNATURES_MAX */
};

/* name is the file's, for messages. -EINVAL with at least one error in the list, or -ENOMEM. */
MUST_CHECK int rules_parse(const char *name, const char *text, size_t len, struct rules **out,
			   struct config_errors *errors);
/* A file that can't be read is an error too. */
MUST_CHECK int rules_load(const char *path, struct rules **out, struct config_errors *errors);
void rules_free(struct rules *rules); /* NULL is fine */

/* Its index, which is the bit in a service's set; -1: there is none. */
int rules_lookup(const struct rules *rules, const char *name);

#endif
