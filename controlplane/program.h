/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operator filter's program: from a tcpdump expression, or from an eBPF object. Instructions as abi/filter.h has them. The
 * dataplane checks each once more before it runs one. No state; any thread.
 */
#ifndef CONTROLPLANE_PROGRAM_H
#define CONTROLPLANE_PROGRAM_H

#include "abi/filter.h"

enum { PROGRAM_EXPRESSION_MAX = 1024, PROGRAM_FAULT_MAX = 256, PROGRAM_OBJECT_MAX = 1 << 20 };

#define PROGRAM_SECTION "filter" /* of an object, when none is named */

struct program {
	uint8_t kind; /* enum abi_filter_kind */
	uint16_t n;
	uint64_t insns[ABI_FILTER_INSNS_MAX];
};

/* By libpcap, for Ethernet. -EINVAL with why not; -E2BIG: too many instructions, said too. */
MUST_CHECK int program_compile(const char *expression, struct program *program, char fault[static PROGRAM_FAULT_MAX]);

/* A section of an ELF file for eBPF: little-endian, without relocations: no maps, no calls. The program gets a pointer to
 * struct abi_filter_view. As program_compile. */
MUST_CHECK int program_load(const char *path, const char *section, struct program *program,
			    char fault[static PROGRAM_FAULT_MAX]);
/* The same of the file's octets. */
MUST_CHECK int program_read(const uint8_t *octets, size_t len, const char *section, struct program *program,
			    char fault[static PROGRAM_FAULT_MAX]);

#endif
