/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "controlplane/watched.h"

enum { SESSIONS = 100 };

/* The table compares addresses of sessions and looks into none. */
static const struct bgp_session *
session(unsigned number)
{
	static uint64_t places[SESSIONS + 1];

	return (const struct bgp_session *)(const void *)&places[number];
}

static const uint8_t *
message(enum bgp_type type, uint8_t mark)
{
	static uint8_t octets[20];

	octets[18] = (uint8_t)type;
	octets[19] = mark;
	return octets;
}

Test(watched, finds_sessions_whatever_their_order)
{
	struct watch_list list = {0};

	for (unsigned i = 0; i < SESSIONS; i++)
		cr_assert(watch_list_add(&list, session(i * 37 % SESSIONS)));
	for (unsigned i = 0; i < SESSIONS; i++)
		cr_assert(watch_list_find(&list, session(i)) && watch_list_find(&list, session(i))->session == session(i));
	cr_expect_null(watch_list_find(&list, session(SESSIONS)));
	watch_list_remove(&list, session(SESSIONS));
	for (unsigned i = 0; i < SESSIONS; i += 2)
		watch_list_remove(&list, session(i));
	cr_expect_eq(list.n, SESSIONS / 2);
	for (unsigned i = 0; i < SESSIONS; i++)
		cr_expect_eq(watch_list_find(&list, session(i)) != NULL, i % 2 == 1);
	watch_list_fini(&list);
	cr_expect_null(watch_list_find(&list, session(1)));
}

Test(watched, keeps_the_last_open_of_each_side)
{
	struct watch_list list = {0};
	struct watched *watched = watch_list_add(&list, session(0));

	watched_note(watched, true, message(BGP_OPEN, 1), 20);
	watched_note(watched, false, message(BGP_OPEN, 2), 20);
	watched_note(watched, false, message(BGP_OPEN, 3), 20);
	watched_note(watched, false, message(BGP_KEEPALIVE, 0), 19);
	cr_expect(watched->sent_open.len == 20 && watched->sent_open.octets[19] == 1);
	cr_expect(watched->received_open.len == 20 && watched->received_open.octets[19] == 3);
	watch_list_fini(&list);
}

Test(watched, takes_a_notification_for_the_end_only_as_the_last_word)
{
	struct watch_list list = {0};
	struct watched *watched = watch_list_add(&list, session(0));

	watched_note(watched, true, message(BGP_NOTIFICATION, 7), 20);
	cr_expect(watched->notified_by_us && watched->notification.octets && watched->notification.octets[19] == 7);
	watched_note(watched, false, message(BGP_KEEPALIVE, 0), 19);
	cr_expect_null(watched->notification.octets);
	watched_note(watched, false, message(BGP_NOTIFICATION, 8), 20);
	cr_expect(!watched->notified_by_us && watched->notification.len == 20);
	watch_list_fini(&list);
}
