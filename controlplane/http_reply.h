/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges an HTTP/1 answer (RFC 9112) against a check. Pure and without state: it is given all octets that have come so
 * far, and says whether they decide. Only what a verdict needs is read: the status, and where a text is to be found,
 * the body's framing. The answer's size is bounded, so looking again from its start is cheap.
 */
#ifndef CONTROLPLANE_HTTP_REPLY_H
#define CONTROLPLANE_HTTP_REPLY_H

#include "controlplane/model.h"

enum http_verdict { HTTP_MORE, HTTP_PASSED, HTTP_FAILED };

enum {
	HTTP_HEAD_MAX = 16384,
	HTTP_BODY_MAX = 65536, /* the text is looked for in this much of the body, its framing included */
	HTTP_REPLY_MAX = HTTP_HEAD_MAX + HTTP_BODY_MAX,
	HTTP_REASON_MAX = 160,
};

/* ended: nothing follows. The reason is written with HTTP_FAILED only. */
enum http_verdict http_reply_judge(const struct model_check *check, const char *bytes, size_t len, bool ended,
				   char reason[static HTTP_REASON_MAX]);

#endif
