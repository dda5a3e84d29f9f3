/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{dns,http_reply}.c base/?*.c */
/* A backend's octets against the two readers that health checks have: DNS replies and HTTP answers. */
#include <stdlib.h>

#include "controlplane/dns.h"
#include "controlplane/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
fuzz_http(const uint8_t *bytes, size_t len)
{
	struct model_check check = {.status_min = 200, .status_max = 299, .match = "ok"};
	char reason[HTTP_REASON_MAX];

	(void)!http_reply_judge(&check, (const char *)bytes, len, false, reason);
	if (http_reply_judge(&check, (const char *)bytes, len, true, reason) == HTTP_MORE)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t query[DNS_QUERY_MAX];
	struct writer w = writer_init(query, sizeof(query));
	int rcode;

	if (dns_query_encode(&w, 0x1234, "example.com", 1) != 0)
		abort();
	rcode = dns_reply_rcode(bytes, len, query, written_since(&w, query));
	if (rcode > 15)
		abort();
	fuzz_http(bytes, len);
	return 0;
}
