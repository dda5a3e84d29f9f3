/* SPDX-License-Identifier: BSD-2-Clause */
/* sources: controlplane/{config,config_*,schema*,reflectors,guard,mapping,scalar,yaml,model}.c bgp/{path,community,bfd_auth}.c base/?*.c */
/* packages: yaml-0.1 libcrypto */
/* Any octets as a configuration: a model, or errors; and what is printed of a model is taken again. */
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
	struct config_errors errors;
	struct model *model = NULL, *again = NULL;
	char *text = NULL;
	size_t text_len = 0;
	FILE *file;

	if (config_parse("fuzz", (const char *)octets, len, &model, &errors) != 0) {
		if (errors.n == 0)
			abort();
		return 0;
	}
	file = open_memstream(&text, &text_len);
	if (!file)
		abort();
	config_print(file, model);
	fclose(file);
	if (config_parse("again", text, text_len, &again, &errors) != 0)
		abort();
	free(text);
	model_free(model);
	model_free(again);
	return 0;
}
