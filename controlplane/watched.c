/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/watched.h"

#include <stdlib.h>
#include <string.h>

/* Where the session is, or would be. */
static unsigned
place_of(const struct watch_list *list, const struct bgp_session *session)
{
	unsigned low = 0, high = list->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if ((uintptr_t)list->list[middle]->session < (uintptr_t)session)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct watched *
watch_list_find(const struct watch_list *list, const struct bgp_session *session)
{
	unsigned at = place_of(list, session);

	return at < list->n && list->list[at]->session == session ? list->list[at] : NULL;
}

struct watched *
watch_list_add(struct watch_list *list, const struct bgp_session *session)
{
	unsigned at = place_of(list, session);
	struct watched **longer = reallocarray(list->list, list->n + 1, sizeof(*longer));
	struct watched *watched = calloc(1, sizeof(*watched));

	if (longer)
		list->list = longer;
	if (!longer || !watched) {
		free(watched);
		return NULL;
	}
	watched->session = session;
	memmove(&longer[at + 1], &longer[at], (list->n - at) * sizeof(*longer));
	longer[at] = watched;
	list->n++;
	return watched;
}

static void
watched_free(struct watched *watched)
{
	free(watched->sent_open.octets);
	free(watched->received_open.octets);
	free(watched->notification.octets);
	free(watched);
}

void
watch_list_remove(struct watch_list *list, const struct bgp_session *session)
{
	unsigned at = place_of(list, session);

	if (at == list->n || list->list[at]->session != session)
		return;
	watched_free(list->list[at]);
	list->n--;
	memmove(&list->list[at], &list->list[at + 1], (list->n - at) * sizeof(*list->list));
}

void
watch_list_fini(struct watch_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		watched_free(list->list[i]);
	free(list->list);
	*list = (struct watch_list){0};
}

static void
kept_set(struct kept *kept, const uint8_t *octets, size_t len)
{
	free(kept->octets);
	kept->octets = len ? malloc(len) : NULL;
	kept->len = kept->octets ? len : 0;
	if (kept->octets)
		memcpy(kept->octets, octets, len);
}

/* Only as the last message a NOTIFICATION is why a session ended: another may have been a rival connection's. */
void
watched_note(struct watched *watched, bool is_sent, const uint8_t *message, size_t len)
{
	uint8_t type = watched_type(message);

	if (type == BGP_OPEN)
		kept_set(is_sent ? &watched->sent_open : &watched->received_open, message, len);
	kept_set(&watched->notification, message, type == BGP_NOTIFICATION ? len : 0);
	watched->notified_by_us = is_sent;
}
