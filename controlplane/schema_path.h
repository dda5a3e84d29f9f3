/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of struct model_path, which stand among those of all that may say how a route is announced. */
#ifndef CONTROLPLANE_SCHEMA_PATH_H
#define CONTROLPLANE_SCHEMA_PATH_H

#include "controlplane/scalar.h"

schema_parse schema_communities; /* target of each: struct model_path */
schema_parse schema_attribute;
schema_parse schema_origin;
schema_parse schema_next_hop;

#define PATH_KEYS(container, member)                                                                                   \
	{.name = "communities", .parse = schema_communities, FIELD(container, member),                                \
	 .max = PATH_COMMUNITIES_MAX},                                                                                 \
	{.name = "prepend", .parse = schema_attribute, FIELD(container, member), .max = PATH_PREPEND_MAX},            \
	{.name = "med", .parse = schema_attribute, FIELD(container, member), .max = UINT32_MAX},                      \
	{.name = "local_pref", .parse = schema_attribute, FIELD(container, member), .max = UINT32_MAX},               \
	{.name = "origin", .parse = schema_origin, FIELD(container, member)},                                         \
	{.name = "next_hop", .parse = schema_next_hop, FIELD(container, member)}

schema_parse schema_path;     /* a mapping of these keys alone */
schema_parse schema_degraded; /* target: struct model_degraded */
schema_parse schema_damping;  /* target: struct model_damping */

#endif
