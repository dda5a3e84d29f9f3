/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "controlplane/http_reply.h"

#define OK	"HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: gzip, Chunked\r\n\r\n"

static const struct {
	const char *says;
	const char *match;
	const char *bytes;
	bool ended;
	enum http_verdict wanted;
	const char *reason;
} rows[] = {
	{"a status in range", "", OK "\r\n", false, HTTP_PASSED, ""},
	{"the status line alone decides", "", "HTTP/1.0 204\r\n", false, HTTP_PASSED, ""},
	{"lone line feeds", "", "HTTP/1.0 200 fine\n\n", false, HTTP_PASSED, ""},
	{"half a status line", "", "HTTP/1.1 20", false, HTTP_MORE, ""},
	{"half a status line and the end", "", "HTTP/1.1 20", true, HTTP_FAILED, "closed amid the answer's header"},
	{"nothing", "", "", true, HTTP_FAILED, "closed without an answer"},
	{"a status out of range", "", "HTTP/1.1 503 Busy\r\n", false, HTTP_FAILED, "status 503, wanted 200-299"},
	{"not HTTP", "", "SSH-2.0-OpenSSH_9.2\r\n", false, HTTP_FAILED, "the answer isn't HTTP/1"},
	{"four digits", "", "HTTP/1.1 2000 OK\r\n", false, HTTP_FAILED, "the answer isn't HTTP/1"},
	{"an interim answer first", "", "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" OK, false, HTTP_PASSED, ""},
	{"an interim answer only", "", "HTTP/1.1 100 Continue\r\n\r\n", false, HTTP_MORE, ""},
	{"text in the body", "ready", OK "\r\nall is ready now", false, HTTP_PASSED, ""},
	{"text in the header only", "ready", OK "X: ready\r\n\r\nno", true, HTTP_FAILED,
	 "the body doesn't hold \"ready\""},
	{"text yet to come", "ready", OK "\r\nall is re", false, HTTP_MORE, ""},
	{"all of the length without it", "ready", OK "Content-Length: 3\r\n\r\nbad", false, HTTP_FAILED,
	 "the body doesn't hold \"ready\""},
	{"less than the length", "ready", OK "content-length:  9 \r\n\r\nbad", false, HTTP_MORE, ""},
	{"text across two chunks", "ready", CHUNKED "3\r\nrea\r\n2;x=y\r\ndy\r\n", false, HTTP_PASSED, ""},
	{"last chunk without it", "ready", CHUNKED "3\r\nrea\r\n0\r\n\r\n", false, HTTP_FAILED,
	 "the body doesn't hold \"ready\""},
	{"chunks go on", "ready", CHUNKED "3\r\nrea\r\n", false, HTTP_MORE, ""},
	{"a wild chunk size", "ready", CHUNKED "ffffffffffffffffffffffff\r\nrea", false, HTTP_FAILED,
	 "the body doesn't hold \"ready\""},
	{"a chunk size that isn't one", "ready", CHUNKED "zz\r\nready\r\n", false, HTTP_FAILED,
	 "the body doesn't hold \"ready\""},
};

Test(http_reply, judges_by_its_table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model_check check = {.status_min = 200, .status_max = 299};
		char reason[HTTP_REASON_MAX] = "";

		strcpy(check.match, rows[i].match);
		cr_expect_eq(http_reply_judge(&check, rows[i].bytes, strlen(rows[i].bytes), rows[i].ended, reason),
			     rows[i].wanted, "%s", rows[i].says);
		cr_expect_str_eq(reason, rows[i].reason, "%s: %s", rows[i].says, reason);
	}
}

Test(http_reply, gives_up_at_its_bounds)
{
	static char bytes[HTTP_REPLY_MAX];
	struct model_check check = {.status_min = 200, .status_max = 299, .match = "ready"};
	char reason[HTTP_REASON_MAX];

	memset(bytes, 'x', sizeof(bytes));
	cr_expect_eq(http_reply_judge(&check, bytes, HTTP_HEAD_MAX, false, reason), HTTP_FAILED);
	memcpy(bytes, OK "\r\n", strlen(OK "\r\n"));
	cr_expect_eq(http_reply_judge(&check, bytes, HTTP_BODY_MAX, false, reason), HTTP_MORE);
	cr_expect_eq(http_reply_judge(&check, bytes, sizeof(bytes), false, reason), HTTP_FAILED);
}
