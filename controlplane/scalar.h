/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One value of the configuration at a time: from a node of the tree into a field of the model. Each parser reports what
 * it refuses and then leaves the field as it was.
 */
#ifndef CONTROLPLANE_SCALAR_H
#define CONTROLPLANE_SCALAR_H

#include "controlplane/schema.h"

struct schema_key;

/* target is the field (container + offset). */
typedef void schema_parse(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target);

enum { SCHEMA_WORDS_MAX = 10 };

struct schema_word {
	const char *word; /* NULL ends a list */
	uint32_t value;
};

struct schema_key {
	const char *name;
	schema_parse *parse;
	size_t offset;
	size_t size; /* of the field */
	bool required;
	uint64_t min; /* integers, and durations in the field's unit */
	uint64_t max;
	struct schema_word words[SCHEMA_WORDS_MAX];
};

/* The node's text; NULL when it is no scalar or empty, which is then reported as "KEY must be WHAT". */
const char *scalar_text(struct reading *r, const struct yaml_tree *value, const char *key, const char *what);
/* A whole number in decimal or 0x; false: it is none. */
bool scalar_number(const char *text, uint64_t *out);

schema_parse scalar_name;
schema_parse scalar_string;   /* printable ASCII, shorter than size */
schema_parse scalar_bool;
schema_parse scalar_integer;  /* size 1, 2, 4 or 8 */
schema_parse scalar_rate;     /* a second: "500", "20k", "2M", "1G"; size 4 */
schema_parse scalar_kbits;    /* likewise in bits, stored in kbit */
schema_parse scalar_size;     /* octets, likewise; size 4 */
schema_parse scalar_percent;  /* "10%" */
schema_parse scalar_ms;	      /* durations: "300ms", "9s", "5m", "1h" */
schema_parse scalar_seconds;
schema_parse scalar_address;
schema_parse scalar_ipv4;     /* into struct addr */
schema_parse scalar_ipv6;
schema_parse scalar_prefix;
schema_parse scalar_word;
schema_parse scalar_port_range; /* target: uint16_t[2]; "80", "80-90" or "any" */
schema_parse scalar_status;	/* target: uint16_t[2]; "200" or "200-299" */
schema_parse scalar_listen;	/* "address:port" */
schema_parse scalar_router_id;

schema_parse schema_guard; /* target: struct model_guard */
schema_parse schema_reference; /* a name that is looked up later */
schema_parse schema_pools;
schema_parse schema_vips;
schema_parse schema_families; /* {ipv4, ipv6}; target: struct addr[2] */
schema_parse schema_bfd; /* target: struct model_bfd */
schema_parse schema_bmp; /* into the reading's model, whatever the target */
schema_parse schema_mrt;
schema_parse schema_import; /* likewise */

#define FIELD(type, member) .offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define WORDS(...) {__VA_ARGS__, {NULL, 0}}

/* Reports unknown, doubled and missing keys; what is the mapping's name in messages. false: not a mapping. */
bool schema_map(struct reading *r, const struct yaml_tree *map, const char *what, const struct schema_key *keys,
		unsigned n, void *target);
/* Zeroed room for the list's items, NULL when there are none or more than key->max; *n is set with it. */
void *schema_list(struct reading *r, const struct yaml_tree *list, const struct schema_key *key, size_t size,
		  unsigned *n);

#endif
