/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/program.c base/?*.c */
/* packages: libelf libpcap */
/* Any octets as an eBPF object, and as a tcpdump expression: a program within its bounds, or a fault in words. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct program program;
	char fault[PROGRAM_FAULT_MAX], text[256];

	if (program_read(data, size, PROGRAM_SECTION, &program, fault) == 0 &&
	    (program.n == 0 || program.n > ABI_FILTER_INSNS_MAX))
		abort();
	/* Names would be looked up in files and by DNS. */
	if (size == 0 || size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (strspn(text, "0123456789./:[]()&|!<>=+-*^% andortcpudipsrchhostnetlengraboxd") != size)
		return 0;
	if (program_compile(text, &program, fault) == 0 && (program.n == 0 || program.n > ABI_FILTER_INSNS_MAX))
		abort();
	return 0;
}
