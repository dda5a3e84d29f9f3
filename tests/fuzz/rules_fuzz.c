/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{rules*,config*,schema*,reflectors,guard,mapping,scalar,yaml,model}.c bgp/{path,community,bfd_auth}.c abi/signature.c base/?*.c */
/* packages: yaml-0.1 libhs libcrypto */
/* Any octets as a file of signatures: rules that are sound, or errors. */
#include <errno.h>
#include <stdlib.h>

#include "controlplane/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct config_errors errors;
	struct rules *rules = NULL;

	if (rules_parse("fuzz", (const char *)octets, len, &rules, &errors) != 0) {
		if (errors.n == 0 || rules)
			abort();
		return 0;
	}
	for (unsigned i = 0; i < rules->n; i++) {
		if (abi_signature_fault(&rules->list[i].signature) ||
		    rules_lookup(rules, rules->list[i].signature.name) != (int)i)
			abort();
	}
	rules_free(rules);
	return 0;
}
