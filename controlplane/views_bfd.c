/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/views_bfd.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "controlplane/node.h"

/* Why it isn't up, or wasn't the last time. */
static json_t *
reason(const struct bfd_report *report)
{
	const struct bfd_status *s = &report->status;
	char text[160] = "";

	if (report->trouble)
		snprintf(text, sizeof(text), "%s: %s", report->trouble, strerror(report->error));
	else if (s->state != BFD_UP && s->remote_state == BFD_ADMIN_DOWN)
		snprintf(text, sizeof(text), "the peer's operator took it down");
	else if (s->state != BFD_UP && s->fault)
		snprintf(text, sizeof(text), "packets are refused: %s", s->fault);
	else if (s->state != BFD_UP && s->received == 0)
		snprintf(text, sizeof(text), "nothing was heard yet");
	else if (s->diag != BFD_DIAG_NONE)
		snprintf(text, sizeof(text), "%s", bfd_diag_name(s->diag));
	return json_string(text);
}

static json_t *
view_peer(const struct bfd_peer *peer)
{
	const struct bfd_status *s = &peer->report.status;
	uint64_t now_ns = clock_now_ns();
	char text[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:f, s:f, s:f, s:i, s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:I, "
			 "s:I, s:I, s:o}",
			 "peer", peer->name, "address", addr_format(&peer->path.peer, text), "kind",
			 peer->path.is_multihop ? "multihop" : "neighbour", "state", bfd_state_name(s->state),
			 "remote_state", bfd_state_name(s->remote_state), "health", bfd_health_name(s->health), "holds_bgp",
			 peer->holds_bgp, "since_s",
			 (json_int_t)(s->since_ns ? (now_ns - s->since_ns) / CLOCK_NS_PER_S : 0), "transmit_ms",
			 s->transmit_us / 1e3, "receive_ms", s->receive_us / 1e3, "detection_ms",
			 (double)s->detection_us / 1e3, "multiplier", peer->config.multiplier, "sent", (json_int_t)s->sent,
			 "received", (json_int_t)s->received, "refused", (json_int_t)s->refused, "auth",
			 bfd_auth_name(peer->config.auth.type), "diag", bfd_diag_name(s->diag), "remote_diag",
			 bfd_diag_name(s->remote_diag), "discriminator", (json_int_t)s->discriminator,
			 "remote_discriminator", (json_int_t)s->remote_discriminator, "downs", (json_int_t)s->downs,
			 "failures", (json_int_t)s->failures, "reason", reason(&peer->report));
}

json_t *
view_bfd(const struct node *node)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < bfd_peers_count(node->bfd); i++)
		json_array_append_new(list, view_peer(bfd_peers_at(node->bfd, i)));
	return list;
}
