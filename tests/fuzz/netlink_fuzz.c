/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/neighbour_parse.c base/?*.c */
/* packages: libmnl */
/* The netlink parsers on any one message. As mnl_cb_run does, the message's own length is held to what was received. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/neighbour.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct neighbour_route route;
	struct neighbour_entry entry;
	struct neighbour_link link;
	struct nlmsghdr *message;

	if (size < sizeof(*message) || size > UINT16_MAX)
		return 0;
	message = malloc(size);
	if (!message)
		return 0;
	memcpy(message, data, size);
	if (message->nlmsg_len > size)
		message->nlmsg_len = (uint32_t)size;
	neighbour_parse_route(message, &route);
	neighbour_parse_entry(message, &entry);
	neighbour_parse_link(message, &link);
	free(message);
	return 0;
}
