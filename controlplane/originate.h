/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operator has us ask of routers: FlowSpec rules (RFC 8955) and blackholes (RFC 7999), each of one peer or of all, for
 * a time. They are kept in a state file over a restart; that they are announced is originating.h's. One thread.
 */
#ifndef CONTROLPLANE_ORIGINATE_H
#define CONTROLPLANE_ORIGINATE_H

#include "bgp/bgp.h"
#include "bgp/flowspec.h"
#include "bgp/path.h"

enum {
	ORIGINATE_MAX = 256,
	ORIGINATE_COMMUNITIES_MAX = 8,
	ORIGINATE_TEXT_MAX = 16384, /* of any rule */
};

enum originate_kind { ORIGINATE_FLOWSPEC = 0, ORIGINATE_BLACKHOLE, ORIGINATE_KINDS };

struct origin {
	enum originate_kind kind;
	struct flowspec rule;  /* FLOWSPEC */
	struct prefix prefix;  /* BLACKHOLE */
	char peer[BGP_NAME_MAX]; /* "": all */
	uint64_t until_s;      /* Unix time; 0: for good */
	struct flowspec_action action; /* FLOWSPEC; refused is not used */
	unsigned n_communities; /* BLACKHOLE: besides BLACKHOLE and NO_EXPORT */
	char communities[ORIGINATE_COMMUNITIES_MAX][40]; /* as bgp/community.h reads them */
};

struct originate;

/* The state file may be missing; what can't be read in it is told of and left out. NULL: no memory. */
struct originate *originate_new(const char *state_path);
void originate_free(struct originate *originate); /* NULL is fine */

/* Of two of the same rule or prefix the later replaces. On disk when it returns 0; else -ENOSPC (ORIGINATE_MAX), -ENOMEM or the
 * file's fault, and nothing has changed. */
MUST_CHECK int originate_set(struct originate *originate, const struct origin *origin);
void originate_remove(struct originate *originate, unsigned index); /* also from the state file, if that can be written */

unsigned originate_count(const struct originate *originate);
const struct origin *originate_at(const struct originate *originate, unsigned index);
int originate_rule(const struct originate *originate, const struct flowspec *rule); /* an index; -ENOENT */
int originate_blackhole(const struct originate *originate, const struct prefix *prefix);
int originate_due(const struct originate *originate, uint64_t now_s); /* the first whose time is over; -ENOENT */

/* The path that says what is asked for. local_as: the session's, which rates carry for information (RFC 8955 7.1). -EINVAL,
 * -ENOSPC: its communities. */
MUST_CHECK int originate_path(const struct origin *origin, uint32_t local_as, struct path *out);

/* "dst 192.0.2.1/32 proto udp", "192.0.2.1/32"; cut to the room. */
void originate_format(const struct origin *origin, char *text, size_t room);

#endif
