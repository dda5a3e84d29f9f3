/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgp/bgp.h"

static const char *const state_names[] = {
	[BGP_IDLE] = "Idle",	       [BGP_CONNECT] = "Connect",	   [BGP_ACTIVE] = "Active",
	[BGP_OPEN_SENT] = "OpenSent", [BGP_OPEN_CONFIRM] = "OpenConfirm", [BGP_ESTABLISHED] = "Established",
};

/* RFC 4271 4.5, RFC 4486, RFC 6608, RFC 7313, RFC 8538, RFC 9687; subcode 0 names the whole code. */
static const struct {
	uint8_t code;
	uint8_t subcode;
	const char *name;
} error_names[] = {
	{1, 0, "message header error"},
	{1, 1, "message header error/connection not synchronized"},
	{1, 2, "message header error/bad message length"},
	{1, 3, "message header error/bad message type"},
	{2, 0, "OPEN message error"},
	{2, 1, "OPEN message error/unsupported version number"},
	{2, 2, "OPEN message error/bad peer AS"},
	{2, 3, "OPEN message error/bad BGP identifier"},
	{2, 4, "OPEN message error/unsupported optional parameter"},
	{2, 6, "OPEN message error/unacceptable hold time"},
	{2, 7, "OPEN message error/unsupported capability"},
	{2, 11, "OPEN message error/role mismatch"},
	{3, 0, "UPDATE message error"},
	{3, 1, "UPDATE message error/malformed attribute list"},
	{3, 2, "UPDATE message error/unrecognized well-known attribute"},
	{3, 3, "UPDATE message error/missing well-known attribute"},
	{3, 4, "UPDATE message error/attribute flags error"},
	{3, 5, "UPDATE message error/attribute length error"},
	{3, 6, "UPDATE message error/invalid ORIGIN attribute"},
	{3, 8, "UPDATE message error/invalid NEXT_HOP attribute"},
	{3, 9, "UPDATE message error/optional attribute error"},
	{3, 10, "UPDATE message error/invalid network field"},
	{3, 11, "UPDATE message error/malformed AS_PATH"},
	{4, 0, "hold timer expired"},
	{5, 0, "finite state machine error"},
	{5, 1, "finite state machine error/unexpected message in OpenSent"},
	{5, 2, "finite state machine error/unexpected message in OpenConfirm"},
	{5, 3, "finite state machine error/unexpected message in Established"},
	{6, 0, "cease"},
	{6, 1, "cease/maximum number of prefixes reached"},
	{6, 2, "cease/administrative shutdown"},
	{6, 3, "cease/peer de-configured"},
	{6, 4, "cease/administrative reset"},
	{6, 5, "cease/connection rejected"},
	{6, 6, "cease/other configuration change"},
	{6, 7, "cease/connection collision resolution"},
	{6, 8, "cease/out of resources"},
	{6, 9, "cease/hard reset"},
	{6, 10, "cease/BFD down"},
	{7, 0, "ROUTE-REFRESH message error"},
	{7, 1, "ROUTE-REFRESH message error/invalid message length"},
	{8, 0, "send hold timer expired"},
};

const char *
bgp_state_name(enum bgp_state state)
{
	return (unsigned)state < ARRAY_LEN(state_names) ? state_names[state] : "?";
}

const char *
bgp_error_name(const struct bgp_error *error)
{
	const char *name = error->code == 0 ? "none" : "unknown error";

	for (size_t i = 0; i < ARRAY_LEN(error_names); i++) {
		if (error_names[i].code != error->code)
			continue;
		if (error_names[i].subcode == 0 || error_names[i].subcode == error->subcode)
			name = error_names[i].name;
	}
	return name;
}
